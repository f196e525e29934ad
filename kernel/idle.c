/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/hypercall.h>
#include <plinth/idle.h>
#include <plinth/timer.h>
#include <plinth/upcall.h>

static uint64_t count[MAX_VCPUS];

void idle_until_event(void)
{
    ASSERT(!this_vcpu()->in_event);
    ASSERT(upcall_masked());

    timer_sync();
    count[vcpu_id()]++;
    (void)hypercall_sched_op(SCHEDOP_block, NULL);
    (void)upcall_mask();
}

uint64_t idle_count(void)
{
    return count[vcpu_id()];
}

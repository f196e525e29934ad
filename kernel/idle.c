/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/idle.h>
#include <plinth/time.h>
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

/* Its interrupt is all that is wanted of it. */
static void wake(struct timer *timer __unused, void *arg __unused)
{
}

int wait_until(bool (*done)(void *arg), void *arg, uint64_t deadline)
{
    const bool masked = upcall_mask();
    struct timer alarm;
    int rc = 0;

    timer_setup(&alarm, wake, NULL);
    if (deadline != KTIME_NEVER)
        timer_arm(&alarm, deadline);
    while (!done(arg)) {
        if (ktime_ns() >= deadline) {
            rc = -ETIMEDOUT;
            break;
        }
        idle_until_event();
    }
    (void)timer_cancel(&alarm);
    upcall_restore(masked);
    return rc;
}

static bool never(void *arg __unused)
{
    return false;
}

void sleep_until(uint64_t deadline)
{
    BUG_ON(wait_until(never, NULL, deadline) != -ETIMEDOUT);
}

uint64_t idle_count(void)
{
    return count[vcpu_id()];
}

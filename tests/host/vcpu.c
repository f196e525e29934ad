/* SPDX-License-Identifier: MIT */
/* The one vCPU of a host test, on which no other thread ever waits for it. */
#include <stdlib.h>

#include <arch/vcpu.h>

struct vcpu vcpus[MAX_VCPUS] = {
    [0 ... MAX_VCPUS - 1] = { .preempt = PREEMPT_NOT_WANTED },
};

void preempt_now(void)
{
    abort();
}

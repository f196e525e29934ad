/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>

struct vcpu vcpus[MAX_VCPUS] = {
    [0 ... MAX_VCPUS - 1] = { .preempt = PREEMPT_NOT_WANTED },
};

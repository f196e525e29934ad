/* SPDX-License-Identifier: MIT */
/*
 * vcpu: which of the domain's CPUs is running this, and what is its own.
 *
 * One is brought up so far.  State that belongs to a vCPU is indexed by
 * vcpu_id() all the same, so that nothing needs to move when others come.
 *
 *   context  any
 */
#pragma once

#include <arch/cpu.h>

#define MAX_VCPUS 1u

static inline unsigned int vcpu_id(void)
{
    return 0;
}

struct vcpu {
    unsigned int preempt_off; /* reasons not to take the CPU from its thread */
};
extern struct vcpu vcpus[MAX_VCPUS];

static inline struct vcpu *this_vcpu(void)
{
    return &vcpus[vcpu_id()];
}

/*
 * Between these two the thread stays on this vCPU and no other one runs here, so
 * it may use what belongs to the vCPU.  They nest.  Event handlers still come.
 */
static inline void preempt_disable(void)
{
    this_vcpu()->preempt_off++;
    barrier();
}

static inline void preempt_enable(void)
{
    barrier();
    this_vcpu()->preempt_off--;
}

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

/* Offsets in struct vcpu, for entry.S. */
#define VCPU_EVENT_STACK 0x00
#define VCPU_EVENT_LIMIT 0x08

/* The member of this vCPU's struct at an offset, as an operand. */
#define THIS_VCPU(offset) vcpus + offset(% rip)

#ifndef __ASSEMBLY__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/cpu.h>

#define MAX_VCPUS 1u

static inline unsigned int vcpu_id(void)
{
    return 0;
}

struct vcpu {
    uintptr_t event_stack;    /* where event handlers run: its upper end */
    uintptr_t event_limit;    /* and the value of stack_limit there */
    unsigned int preempt_off; /* reasons not to take the CPU from its thread */
    bool in_event;            /* an event handler runs, or the code around it */
};
_Static_assert(offsetof(struct vcpu, event_stack) == VCPU_EVENT_STACK, "vcpu");
_Static_assert(offsetof(struct vcpu, event_limit) == VCPU_EVENT_LIMIT, "vcpu");

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

#endif

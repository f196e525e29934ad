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

/* Offsets in struct vcpu, for assembly. */
#define VCPU_EVENT_STACK 0x00
#define VCPU_EVENT_LIMIT 0x08

/* The member of this vCPU's struct at an offset, as an operand. */
#define THIS_VCPU(offset) vcpus + offset(% rip)

/* The same in struct vcpu_info: the start of shared_info, and of the fixmap. */
#define VCPU_INFO_PENDING      0
#define VCPU_INFO_MASK         1
#define THIS_VCPU_INFO(offset) fixmap_slots + offset(% rip)

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

struct trap_catch;

struct vcpu {
    uintptr_t event_stack; /* where event handlers run: its upper end */
    uintptr_t event_limit; /* and the value of stack_limit there */
    uint32_t preempt;      /* as below */
    bool in_event;         /* an event handler runs, or the code around it */
    bool user_interrupt;   /* see user_interrupt() */

    struct trap_catch *catch; /* the innermost that is armed (plinth/trap.h) */
};
_Static_assert(offsetof(struct vcpu, event_stack) == VCPU_EVENT_STACK, "vcpu");
_Static_assert(offsetof(struct vcpu, event_limit) == VCPU_EVENT_LIMIT, "vcpu");

extern struct vcpu vcpus[MAX_VCPUS];

static inline struct vcpu *this_vcpu(void)
{
    return &vcpus[vcpu_id()];
}

/*
 * `preempt` counts the reasons not to take the CPU from its thread.  The top bit
 * is one more, which goes when there is a request; so it is 0 just when the
 * thread is to be changed, and that costs preempt_enable() one conditional jump.
 * Each change is one instruction, since upcalls come between any two.
 */
#define PREEMPT_NOT_WANTED 0x80000000u

/* The scheduler's (kernel/sched.c). */
void preempt_now(void);

/*
 * Between these two the thread stays on this vCPU and no other one runs here, so
 * it may use what belongs to the vCPU.  They nest.  Event handlers still come.
 */
static inline void preempt_disable(void)
{
    asm volatile("incl %0" : "+m"(this_vcpu()->preempt) : : "memory", "cc");
}

static inline void preempt_enable(void)
{
    bool zero;

    asm volatile("decl %0"
                 : "+m"(this_vcpu()->preempt), "=@ccz"(zero)
                 :
                 : "memory");
    if (unlikely(zero))
        preempt_now();
}

/* Between these the thread only stays on this vCPU; where there is one, it does. */
static inline void vcpu_stay(void)
{
    if (MAX_VCPUS > 1)
        preempt_disable();
}

static inline void vcpu_leave(void)
{
    if (MAX_VCPUS > 1)
        preempt_enable();
}

/* As preempt_enable(), for the scheduler, which looks for requests on its own. */
static inline void preempt_enable_quietly(void)
{
    asm volatile("decl %0" : "+m"(this_vcpu()->preempt) : : "memory", "cc");
}

/*
 * A thread with a better right to the vCPU is ready; and: it has got it.  On the
 * vCPU itself, with upcalls masked.
 */
static inline void preempt_request(void)
{
    this_vcpu()->preempt &= ~PREEMPT_NOT_WANTED;
}

static inline void preempt_request_done(void)
{
    this_vcpu()->preempt |= PREEMPT_NOT_WANTED;
}

/* Is there such a request, and no reason against it? */
static inline bool preempt_wanted(void)
{
    return this_vcpu()->preempt == 0;
}

/* Are there reasons against it? */
static inline bool preempt_is_off(void)
{
    return (this_vcpu()->preempt & ~PREEMPT_NOT_WANTED) != 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * stack: the kernel stacks by name, and what happens when one runs out.
 *
 * Xen pushes exception frames on the running stack, and ends the domain when
 * it cannot: a guard page alone turns an overflow into a crash without a word.
 * So the compiler calls __fentry__ (arch/x86/entry.S) at the start of each
 * function, which compares RSP with stack_limit.  Below it there are still
 * STACK_RESERVE bytes: one function's frame (-Wframe-larger-than), a leaf and
 * a frame of Xen's fit in.  The guard page catches code that was compiled
 * without the check, for what that is worth.
 *
 *   context  any
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/vcpu.h>
#include <plinth/compiler.h>

#define STACK_RESERVE 2048u

struct stack {
    const char *name;     /* "boot", or a thread's */
    uintptr_t start, end; /* the usable bytes, [start, end) */
    struct stack *next;
};

/* Make @stack known, to backtraces and to the overflow report. */
void stack_register(struct stack *stack);

/* Undo that.  Both under one lock, which is the caller's. */
void stack_unregister(struct stack *stack);

/*
 * Compared with RSP at every function's entry; 0 switches that off.  Of the
 * running stack: switch.S changes it with the thread.
 */
extern uintptr_t stack_limit;

/* The stack that holds @address, or NULL. */
const struct stack *stack_find(uintptr_t address);

/*
 * Register the stacks the image brings, give each vCPU its event stack, and
 * guard the boot stack.
 */
void stack_init(void);

/*
 * The pages below the boot stack (0) and the event stack of each vCPU (1 and on),
 * to be unmapped.
 */
#define STACK_GUARDS (1u + MAX_VCPUS)
void *stack_guard_page(unsigned int i);

/* Is this the address of one of them? */
bool stack_is_guard_page(uintptr_t address);

/* For the boot report. */
const struct stack *stack_boot(void);
const struct stack *stack_event(unsigned int vcpu);

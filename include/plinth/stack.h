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

#include <plinth/addr.h>
#include <plinth/compiler.h>

#define STACK_RESERVE 2048u

struct stack {
    const char *name;     /* "main", "event", or a thread's */
    uintptr_t start, end; /* the usable bytes, [start, end) */
    struct stack *next;
};

/*
 * struct stack @symbol, of @pages pages that are part of the image, with a guard
 * page below.  It is there without page tables of its own.
 */
#define DEFINE_STACK(symbol, title, pages)                                     \
    static uint8_t symbol##_memory[((pages) + 1) * PAGE_SIZE] __section(       \
        ".bss.stacks") __aligned(PAGE_SIZE);                                   \
    struct stack symbol = {                                                    \
        .name = (title),                                                       \
        .start = (uintptr_t)symbol##_memory + PAGE_SIZE,                       \
        .end = (uintptr_t)symbol##_memory + sizeof(symbol##_memory),           \
    };                                                                         \
    static struct stack *const symbol##_ref __used __section(                  \
        "plinth_stacks") = &(symbol)

/* All of them: [image_stacks, image_stacks_end). */
extern struct stack *const image_stacks[], *const image_stacks_end[];

/* The page below image stack @stack, which protect_init() unmaps. */
static inline uintptr_t stack_guard_page(const struct stack *stack)
{
    return stack->start - PAGE_SIZE;
}

/* Is @page the guard page of an image stack? */
bool stack_is_guard_page(uintptr_t page);

/* Where vCPU 0 begins; then of the thread that calls main(). */
extern struct stack main_stack;

/* Make @stack known, to backtraces and to the overflow report. */
void stack_register(struct stack *stack);

/* Undo that.  Both under one lock, which is the caller's. */
void stack_unregister(struct stack *stack);

/*
 * Compared with RSP at every function's entry; 0 switches that off.  Of the
 * running stack: switch.S changes it with the thread.
 */
extern uintptr_t stack_limit;

/* What stack_limit is to be while @stack is the running one. */
uintptr_t stack_limit_of(const struct stack *stack);

/* The stack that holds @address, or NULL. */
const struct stack *stack_find(uintptr_t address);

/*
 * Register the stacks the image brings, give the vCPU its event stack, and
 * check the main one from here on.
 */
void stack_init(void);

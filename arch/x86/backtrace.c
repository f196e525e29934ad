/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include <plinth/backtrace.h>
#include <plinth/compiler.h>
#include <plinth/printk.h>
#include <plinth/stack.h>
#include <plinth/symbols.h>

#define MAX_FRAMES 24

/*
 * A return address may be the first byte of the next function, after a call of
 * one that does not return; the call itself, one byte before, is not.
 */
static void print_frame(uint64_t rip, unsigned int back)
{
    uint64_t offset;
    const char *name = symbol_lookup(rip - back, &offset);

    if (name != NULL)
        pr_emerg("  [<%016lx>] %s+%#lx", rip, name, offset + back);
    else
        pr_emerg("  [<%016lx>] (no function of ours)", rip);
}

static bool holds(const struct stack *stack, uint64_t rbp)
{
    return stack != NULL && rbp % 8 == 0 && rbp >= stack->start &&
           rbp + 16 <= stack->end;
}

/*
 * A frame: the caller's RBP, then the return address into the caller.  The
 * uppermost one of an event stack has both from the interrupted code, which is
 * on another stack (entry.S).
 */
static void print_chain(const struct stack *stack, uint64_t rbp)
{
    for (unsigned int n = 1; holds(stack, rbp); n++) {
        const uint64_t *frame = (const uint64_t *)rbp;
        const bool last = rbp + 16 == stack->end;
        const struct stack *next = last ? stack_find(frame[0]) : stack;

        if (frame[1] == 0)
            return;
        if (n == MAX_FRAMES) {
            pr_emerg("  ... and more");
            return;
        }
        if (last && next != NULL && next != stack)
            pr_emerg(" interrupted, on the stack of \"%s\":", next->name);
        print_frame(frame[1], last ? 0 : 1);
        /* Callers are further up; anything else is a broken chain. */
        if (next == stack && frame[0] <= rbp)
            return;
        stack = next;
        rbp = frame[0];
    }
}

static void print_head(const struct stack *stack)
{
    if (stack != NULL)
        pr_emerg("Call trace, on the stack of \"%s\":", stack->name);
    else
        pr_emerg("Call trace:");
}

void backtrace_from(uint64_t rip, uint64_t rbp)
{
    const struct stack *stack = stack_find(rbp);

    print_head(stack);
    print_frame(rip, 0);
    print_chain(stack, rbp);
}

void backtrace_callers(const void *frame)
{
    const struct stack *stack = stack_find((uintptr_t)frame);

    print_head(stack);
    print_chain(stack, (uintptr_t)frame);
}

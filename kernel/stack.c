/* SPDX-License-Identifier: MIT */
#include <arch/asm.h>
#include <arch/vcpu.h>
#include <plinth/backtrace.h>
#include <plinth/bug.h>
#include <plinth/config.h>
#include <plinth/printk.h>
#include <plinth/stack.h>

/* The event stack is of vCPU 0; the emergency stack only tells of an overflow. */
DEFINE_STACK(main_stack, "main", 16);
DEFINE_STACK(event_stack, "event", 4);
DEFINE_STACK(emergency_stack, "emergency", 2);

_Static_assert(offsetof(struct stack, end) == STACK_END, "as in assembly");

static struct stack *known;

uintptr_t stack_limit;

void __noreturn stack_overflow(uintptr_t rsp, uint64_t rbp);

void stack_register(struct stack *stack)
{
    stack->next = known;
    known = stack;
}

void stack_unregister(struct stack *stack)
{
    struct stack **link = &known;

    while (*link != stack)
        link = &(*link)->next;
    *link = stack->next;
}

const struct stack *stack_find(uintptr_t address)
{
    for (const struct stack *s = known; s != NULL; s = s->next)
        if (address >= s->start && address < s->end)
            return s;
    return NULL;
}

bool stack_is_guard_page(uintptr_t page)
{
    for (struct stack *const *s = image_stacks; s < image_stacks_end; s++)
        if (stack_guard_page(*s) == page)
            return true;
    return false;
}

uintptr_t stack_limit_of(const struct stack *stack)
{
    return CONFIG_STACK_CHECK ? stack->start + STACK_RESERVE : 0;
}

void stack_init(void)
{
    for (struct stack *const *s = image_stacks; s < image_stacks_end; s++)
        stack_register(*s);
    this_vcpu()->event_stack = event_stack.end;
    this_vcpu()->event_limit = stack_limit_of(&event_stack);
    stack_limit = stack_limit_of(&main_stack);
}

/*
 * From __fentry__, on the emergency stack.  At @rsp is the return address into
 * the function that was about to run, above it the one into its caller.
 */
void stack_overflow(uintptr_t rsp, uint64_t rbp)
{
    const struct stack *s = stack_find(rsp);
    const uint64_t rip = *(const uint64_t *)rsp;

    panic_begin();
    pr_emerg("Stack overflow: thread \"%s\" has %lu bytes of its stack left",
             s ? s->name : "?", s ? rsp - s->start : 0);
    if (s != NULL)
        pr_emerg("  stack %#lx-%#lx, %lu bytes; rsp %#lx", s->start, s->end,
                 s->end - s->start, rsp);
    backtrace_from(rip, rbp);
    panic_quiet("stack overflow in thread \"%s\"", s ? s->name : "?");
}

/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/addr.h>
#include <plinth/backtrace.h>
#include <plinth/bug.h>
#include <plinth/config.h>
#include <plinth/printk.h>
#include <plinth/stack.h>

#define BOOT_STACK_PAGES  4
#define EVENT_STACK_PAGES 4

/*
 * One piece, so that a guard page is below each stack for sure.  In the
 * page-aligned part of the BSS; xen-head.S and entry.S know the ends by name.
 * The emergency stack, which is for the end of the domain only, has none.
 */
static struct {
    uint8_t guard[PAGE_SIZE];
    uint8_t boot[BOOT_STACK_PAGES * PAGE_SIZE];
    uint8_t emergency[2 * PAGE_SIZE];
    struct {
        uint8_t guard[PAGE_SIZE];
        uint8_t stack[EVENT_STACK_PAGES * PAGE_SIZE];
    } event[MAX_VCPUS];
} stacks __section(".bss.page_aligned") __aligned(PAGE_SIZE);
BUILD_BUG_ON(STACK_GUARDS != 1 + MAX_VCPUS);

#define BOOT_STACK_END      (PAGE_SIZE * (1 + BOOT_STACK_PAGES))
#define EMERGENCY_STACK_END offsetof(typeof(stacks), event)
asm(".globl boot_stack_end, emergency_stack_end\n"
    "boot_stack_end = stacks + 5 * 4096\n"
    "emergency_stack_end = stacks + 7 * 4096\n");
_Static_assert(BOOT_STACK_END == 5 * 4096, "as in the asm above");
_Static_assert(EMERGENCY_STACK_END == 7 * 4096, "as in the asm above");

static struct stack boot = {
    .name = "boot",
    .start = (uintptr_t)stacks.boot,
    .end = (uintptr_t)stacks.emergency,
};
static struct stack emergency = {
    .name = "emergency",
    .start = (uintptr_t)stacks.emergency,
    .end = (uintptr_t)stacks.event,
};
static struct stack event[MAX_VCPUS];

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

static void register_event_stack(unsigned int vcpu)
{
    struct stack *s = &event[vcpu];

    s->name = "event";
    s->start = (uintptr_t)stacks.event[vcpu].stack;
    s->end = s->start + sizeof(stacks.event[vcpu].stack);
    stack_register(s);
    vcpus[vcpu].event_stack = s->end;
    vcpus[vcpu].event_limit = s->start + STACK_RESERVE;
}

void stack_init(void)
{
    stack_register(&boot);
    stack_register(&emergency);
    for (unsigned int i = 0; i < MAX_VCPUS; i++)
        register_event_stack(i);
    if (CONFIG_STACK_CHECK)
        stack_limit = boot.start + STACK_RESERVE;
}

void *stack_guard_page(unsigned int i)
{
    return i == 0 ? stacks.guard : stacks.event[i - 1].guard;
}

bool stack_is_guard_page(uintptr_t address)
{
    for (unsigned int i = 0; i < STACK_GUARDS; i++)
        if (address == (uintptr_t)stack_guard_page(i))
            return true;
    return false;
}

const struct stack *stack_event(unsigned int vcpu)
{
    return &event[vcpu];
}

const struct stack *stack_boot(void)
{
    return &boot;
}

/*
 * From __fentry__, on the emergency stack.  At @rsp is the return address into
 * the function that was about to run, above it the one into its caller.
 */
void stack_overflow(uintptr_t rsp, uint64_t rbp)
{
    const struct stack *s = stack_find(rsp);
    const uint64_t rip = *(const uint64_t *)rsp;

    pr_emerg("Stack overflow: thread \"%s\" has %lu bytes of its stack left",
             s ? s->name : "?", s ? rsp - s->start : 0);
    if (s != NULL)
        pr_emerg("  stack %#lx-%#lx, %lu bytes; rsp %#lx", s->start, s->end,
                 s->end - s->start, rsp);
    backtrace_from(rip, rbp);
    panic_quiet("stack overflow in thread \"%s\"", s ? s->name : "?");
}

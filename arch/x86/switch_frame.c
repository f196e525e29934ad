/* SPDX-License-Identifier: MIT */
#include <plinth/backtrace.h>

#include "../../kernel/sched.h"

/* What switch_context() leaves on a stack, from RSP upward. */
struct frame {
    uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

void thread_entry(void);

void switch_prepare(struct thread *thread)
{
    /* One word is left, so that RSP is a multiple of 16 in thread_entry. */
    struct frame *f = (struct frame *)(thread->stack.end - 16) - 1;

    *f = (struct frame){ .rip = (uintptr_t)thread_entry };
    thread->rsp = (uintptr_t)f;
}

void switch_backtrace(const struct thread *thread)
{
    const struct frame *f = (const struct frame *)thread->rsp;

    backtrace_from(f->rip, f->rbp);
}

/* SPDX-License-Identifier: MIT */
/*
 * From one thread to another.  Offsets as in struct thread (kernel/sched.h).
 *
 * A thread that does not run has this on its stack; of a new one it was put
 * there by switch_prepare():
 *
 *      +----------------+
 *      | return address |  into the caller; of a new thread: thread_entry
 *      | RBP            |  0 ends a new thread's call trace
 *      | RBX            |
 *      | R12 .. R15     | <- rsp in struct thread
 *      +----------------+
 */
#define __ASSEMBLY__ 1
#include <arch/asm.h>

#define THREAD_RSP   0x00
#define THREAD_LIMIT 0x08

    .text

/* struct thread *switch_context(struct thread *previous, struct thread *next) */
FUNCTION(switch_context)
    PUSH_CALLEE_SAVED
    mov     %rsp, THREAD_RSP(%rdi)
    mov     THREAD_LIMIT(%rsi), %rax
    mov     THREAD_RSP(%rsi), %rsp
    mov     %rax, stack_limit(%rip)
    POP_CALLEE_SAVED
    mov     %rdi, %rax
    ret
END_FUNCTION(switch_context)

/* RSP is aligned to 16, as before a call. */
FUNCTION(thread_entry)
    mov     %rax, %rdi
    call    thread_main
    ud2
END_FUNCTION(thread_entry)

    .section .note.GNU-stack, "", @progbits

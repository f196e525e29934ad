/* SPDX-License-Identifier: MIT */
/*
 * The two ways between user_run() and user mode.
 *
 * Xen pushes the frames of user mode's exceptions, events and system calls on
 * the stack named by stack_switch.  That is this one, right below what
 * user_enter() has pushed; so who comes from user mode finds its way back into
 * user_run() above its frame:
 *
 *      : user_run()        :
 *      | return address    |
 *      | RBP RBX R12 - R15 |
 *      | struct user_context*  <- stack_switch (aligned to 16)
 *      +-------------------+
 *      | SS  RSP  RFLAGS   |   by Xen
 *      | mask:CS  RIP      |
 *      | error code, or 0  |
 *      | vector            |   by the stubs
 *      +-------------------+ <- RSP in user_leave
 */
#define __ASSEMBLY__ 1
#include <arch/asm.h>
#include <arch/regs.h>
#include <xen/xen.h>

    .text

/*
 * int user_enter(struct user_context *u): to user mode; the vector for which it
 * came back.  Events are masked, until the iret unmasks them, since nobody may
 * use stack_switch between user_prepare() and there.
 */
FUNCTION(user_enter)
    PUSH_CALLEE_SAVED
    push    %rdi
    mov     %rsp, %rsi
    call    user_prepare
    test    %eax, %eax
    jnz     1f
    mov     (%rsp), %rdi

    push    REGS_SS(%rdi)
    push    REGS_RSP(%rdi)
    push    REGS_RFLAGS(%rdi)
    push    REGS_CS(%rdi)
    push    REGS_RIP(%rdi)
    mov     REGS_RCX(%rdi), %rcx
    mov     REGS_R11(%rdi), %r11

    /*
     * After a system call RCX and R11 are RIP and RFLAGS.  If they still are,
     * sysret does all that iret does, and the CPU does it faster.
     */
    mov     %rcx, %rax
    mov     %r11, %rdx
    xor     REGS_RIP(%rdi), %rax
    xor     REGS_RFLAGS(%rdi), %rdx
    or      %rdx, %rax
    cmp     $1, %rax
    sbb     %rax, %rax
    and     $VGCF_in_syscall, %eax
    push    %rax

    mov     REGS_R15(%rdi), %r15
    mov     REGS_R14(%rdi), %r14
    mov     REGS_R13(%rdi), %r13
    mov     REGS_R12(%rdi), %r12
    mov     REGS_RBP(%rdi), %rbp
    mov     REGS_RBX(%rdi), %rbx
    mov     REGS_R10(%rdi), %r10
    mov     REGS_R9(%rdi), %r9
    mov     REGS_R8(%rdi), %r8
    mov     REGS_RAX(%rdi), %rax
    mov     REGS_RDX(%rdi), %rdx
    mov     REGS_RSI(%rdi), %rsi
    mov     REGS_RDI(%rdi), %rdi
    jmp     hypercall_slot_iret /* pushes RCX, R11, RAX and leaves for good */

    /* From here on also for those who come from user mode. */
user_back:
1:  add     $8, %rsp
    POP_CALLEE_SAVED
    ret
END_FUNCTION(user_enter)

/*
 * void user_unblock_nmis(void): what the iret hypercall alone does, for those who
 * do not go back to user mode.  It leads to the caller, with events masked still.
 */
FUNCTION(user_unblock_nmis)
    mov     (%rsp), %rax
    lea     8(%rsp), %rdx
    push    $FLAT_KERNEL_SS
    push    %rdx
    pushfq
    btrl    $9, (%rsp)          /* IF: the negated upcall mask */
    push    $(FLAT_KERNEL_CS & ~3)
    push    %rax
    push    $0                  /* the iret's flags */
    jmp     hypercall_slot_iret
END_FUNCTION(user_unblock_nmis)

/* The syscall callback.  Hypercalls do not come here, but go to Xen. */
FUNCTION(user_syscall_entry)
    pop     %rcx
    pop     %r11
    push    $0
    push    $VECTOR_SYSCALL
    jmp     user_leave
END_FUNCTION(user_syscall_entry)

/* From user mode, with its registers, by way of the stubs in entry.S. */
FUNCTION(user_leave)
    push    %rdi
    mov     8*8(%rsp), %rdi     /* above RDI, the vector, .. SS */
    mov     %r15, REGS_R15(%rdi)
    mov     %r14, REGS_R14(%rdi)
    mov     %r13, REGS_R13(%rdi)
    mov     %r12, REGS_R12(%rdi)
    mov     %rbp, REGS_RBP(%rdi)
    mov     %rbx, REGS_RBX(%rdi)
    mov     %r11, REGS_R11(%rdi)
    mov     %r10, REGS_R10(%rdi)
    mov     %r9, REGS_R9(%rdi)
    mov     %r8, REGS_R8(%rdi)
    mov     %rax, REGS_RAX(%rdi)
    mov     %rcx, REGS_RCX(%rdi)
    mov     %rdx, REGS_RDX(%rdi)
    mov     %rsi, REGS_RSI(%rdi)
    pop     REGS_RDI(%rdi)
    mov     (%rsp), %rax
    pop     REGS_VECTOR(%rdi)
    pop     REGS_ERROR(%rdi)
    pop     REGS_RIP(%rdi)
    pop     REGS_CS(%rdi)
    pop     REGS_RFLAGS(%rdi)
    pop     REGS_RSP(%rdi)
    pop     REGS_SS(%rdi)
    cld                         /* C wants it; user mode may have set it */
    jmp     user_back
END_FUNCTION(user_leave)

    .section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
/*
 * Where Xen enters the guest: exceptions, the event upcall, the failsafe
 * callback; and the check of the stack at every function's entry.
 *
 * What Xen leaves on the stack (arch/x86/x86_64/entry.S:
 * create_bounce_frame), and what the handlers here make of it:
 *
 *        Xen's frame           struct regs
 *      +-------------+        +-------------+
 *      | SS          |        | SS          |  0xa8
 *      | RSP         |        | RSP         |  0xa0
 *      | RFLAGS      |        | RFLAGS      |  0x98   IF = !upcall mask
 *      | mask:CS     |        | mask:CS     |  0x90   RPL 0 = from the kernel
 *      | RIP         |        | RIP         |  0x88
 *      | error code  | or not | error code  |  0x80
 *      | R11         |        | vector      |  0x78
 *      | RCX         | <- RSP | RDI .. R15  |  0x00 <- RSP
 *      +-------------+        +-------------+
 *
 * From kernel mode the frame is pushed at the interrupted RSP, rounded down to
 * 16 (so there is no red zone); from user mode on the stack given by
 * stack_switch (user_entry.S goes on from there).  A stack that cannot take it
 * ends the domain: there is no double fault in PV.  That is why __fentry__ looks
 * ahead, see below.
 *
 * The way back to the kernel is a native iretq where nothing but the registers is
 * to be restored.  Else it is the iret hypercall, which also ends the blocking of
 * NMIs and machine checks, goes to user mode, and unmasks upcalls in the same
 * step.
 */
#define __ASSEMBLY__ 1
#include <arch/asm.h>
#include <arch/regs.h>
#include <arch/vcpu.h>
#include <xen/xen.h>

#define KERNEL_CS_RPL0 0x30 /* the low byte of CS, as Xen shows the kernel's */

    .text

    .macro SAVE_REGS
    push    %rdi
    push    %rsi
    push    %rdx
    push    %rcx
    push    %rax
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    .endm

    .macro RESTORE_REGS
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rax
    pop     %rcx
    pop     %rdx
    pop     %rsi
    pop     %rdi
    .endm

/* One entry point; @error says whether Xen pushes an error code. */
    .macro TRAP name, vector, error
FUNCTION(trap_entry_\name)
    pop     %rcx
    pop     %r11
    .ifeqs  "\error", "none"
    push    $0
    .endif
    push    $\vector
    jmp     trap_common
END_FUNCTION(trap_entry_\name)
    .endm

    TRAP de,   0, none
    TRAP db,   1, none
    TRAP nmi,  2, none
    TRAP bp,   3, none
    TRAP of,   4, none
    TRAP br,   5, none
    TRAP ud,   6, none
    TRAP nm,   7, none
    TRAP df,   8, code
    TRAP cso,  9, none
    TRAP ts,  10, code
    TRAP np,  11, code
    TRAP ss,  12, code
    TRAP gp,  13, code
    TRAP pf,  14, code
    TRAP spv, 15, none
    TRAP mf,  16, none
    TRAP ac,  17, code
    TRAP mc,  18, none
    TRAP xm,  19, none
    TRAP ve,  20, none
    TRAP cp,  21, code

/*
 * From user mode: user_run() returns.  From the kernel:
 * 22 words below the frame Xen aligned to 16, so RSP is aligned for the call.
 * DF is as the interrupted code had it, and C wants it clear.  Exceptions leave
 * the upcall mask alone (traps.c says so to Xen), so there is nothing to unmask;
 * RFLAGS.IF is not for ring 3 to change, and iretq does not.
 */
FUNCTION(trap_common)
    testb   $3, REGS_CS - REGS_VECTOR(%rsp)
    jnz     user_leave
    SAVE_REGS
    cld
    mov     %rsp, %rdi
    call    trap_dispatch
    cmpl    $VECTOR_NMI, REGS_VECTOR(%rsp)
    je      1f
    cmpl    $VECTOR_MC, REGS_VECTOR(%rsp)
    je      1f
    movq    $FLAT_KERNEL_CS, REGS_CS(%rsp)
    RESTORE_REGS
    add     $16, %rsp           /* the vector, the error code */
    iretq
1:  RESTORE_REGS
    add     $8, %rsp            /* the vector */
    movq    $0, (%rsp)          /* the error code: now the iret's flags */
    jmp     hypercall_slot_iret /* pushes RCX, R11, RAX and leaves for good */
END_FUNCTION(trap_common)

/*
 * The event upcall.  Xen has set evtchn_upcall_mask, so there is one at a time
 * on a vCPU, and its event stack is free.  The frame is that of an exception
 * without an error code, and stays on the interrupted stack:
 *
 *      interrupted stack              event stack of this vCPU
 *
 *      : its frames     :<--.        +------------------------+
 *      +----------------+   |        | interrupted RIP        |
 *      | SS .. RIP      |   '--------| interrupted RBP        | <- RBP
 *      | 0, VECTOR      |            | stack_limit as it was  |
 *      | RDI .. R15     |<-- RBX     | (for alignment)        |
 *      +----------------+            +------------------------+
 *                                    : events_upcall(RBX)     :
 *
 * The two words on top look like those of a call, so that a call trace goes on
 * in the interrupted code.
 *
 * The way back: upcalls are unmasked, and if none is pending the registers are
 * loaded and iretq is done.  From the first of these instructions on, up to iretq,
 * the next upcall may come, and would build its frame on top of this one, again
 * and again.  So the entry looks whether it has interrupted that part, and then
 * drops the new frame and goes on with the old one:
 *
 *   - before iretq, RSP is still at the old frame, and all in there is as it was,
 *     since registers are loaded by moves: what has been loaded is not needed;
 *   - at iretq all registers are loaded, and only the five words that iretq wants
 *     are left of the old frame.  It is made again below them.
 *
 * To user mode it is the iret hypercall, which has no such part.
 */
FUNCTION(trap_entry_upcall)
    pop     %rcx
    pop     %r11
    push    %rax
    mov     8(%rsp), %rax
    sub     $upcall_leave, %rax
    cmp     $(upcall_left - upcall_leave), %rax
    pop     %rax
    jb      upcall_while_leaving
upcall_save:
    push    $0
    push    $VECTOR_UPCALL
    SAVE_REGS
    cld
upcall_saved:
    mov     %rsp, %rbx
    mov     THIS_VCPU(VCPU_EVENT_STACK), %rsp
    push    REGS_RIP(%rbx)
    push    %rbp
    mov     %rsp, %rbp
    push    stack_limit(%rip)
    push    $0
    mov     THIS_VCPU(VCPU_EVENT_LIMIT), %rax
    mov     %rax, stack_limit(%rip)
    mov     %rbx, %rdi
    call    events_upcall
    mov     -8(%rbp), %rax
    mov     %rax, stack_limit(%rip)
    mov     %rbx, %rsp

    /* Off the event stack: another thread may run now, and this one go on later. */
    push    REGS_RIP(%rbx)
    push    REGS_RBP(%rbx)
    mov     %rsp, %rbp
    call    sched_upcall_end
    mov     %rbx, %rsp
    testb   $3, REGS_CS(%rsp)
    jnz     upcall_leave_to_user
    movq    $FLAT_KERNEL_CS, REGS_CS(%rsp)

    .globl upcall_leave, upcall_left
upcall_leave:
    movb    $0, THIS_VCPU_INFO(VCPU_INFO_MASK)
    cmpb    $0, THIS_VCPU_INFO(VCPU_INFO_PENDING)
    je      1f
    movb    $1, THIS_VCPU_INFO(VCPU_INFO_MASK)
    movb    $KERNEL_CS_RPL0, REGS_CS(%rsp)
    jmp     upcall_saved
1:  mov     REGS_R15(%rsp), %r15
    mov     REGS_R14(%rsp), %r14
    mov     REGS_R13(%rsp), %r13
    mov     REGS_R12(%rsp), %r12
    mov     REGS_RBP(%rsp), %rbp
    mov     REGS_RBX(%rsp), %rbx
    mov     REGS_R11(%rsp), %r11
    mov     REGS_R10(%rsp), %r10
    mov     REGS_R9(%rsp), %r9
    mov     REGS_R8(%rsp), %r8
    mov     REGS_RAX(%rsp), %rax
    mov     REGS_RCX(%rsp), %rcx
    mov     REGS_RDX(%rsp), %rdx
    mov     REGS_RSI(%rsp), %rsi
    mov     REGS_RDI(%rsp), %rdi
    add     $REGS_RIP, %rsp
upcall_iretq:
    iretq
upcall_left:

upcall_leave_to_user:
    RESTORE_REGS
    jmp     user_leave          /* user_run() may go back at once */

/*
 * At RSP is what iretq would take: RIP, CS, RFLAGS, RSP.  User mode may have a RIP
 * of the kernel's, for as long as nothing is fetched from there; its RSP is not to
 * be used.  MOV changes no flag.
 */
upcall_while_leaving:
    testb   $3, 8(%rsp)
    jnz     upcall_save
    cmpq    $upcall_iretq, (%rsp)
    mov     24(%rsp), %rsp
    je      1f
    movb    $KERNEL_CS_RPL0, REGS_CS(%rsp)
    jmp     upcall_saved
1:  movb    $KERNEL_CS_RPL0, REGS_CS - REGS_RIP(%rsp)
    jmp     upcall_save
END_FUNCTION(trap_entry_upcall)

/*
 * A selector could not be loaded when Xen switched to this vCPU.  Xen loaded
 * null instead and shows the culprits:
 *
 *      SS RSP RFLAGS CS RIP | GS FS ES DS | R11 RCX   <- RSP
 *
 * They stay null (a PV64 kernel uses none of the four); C is told, and the
 * interrupted code goes on.
 */
FUNCTION(failsafe_callback)
    pop     %rcx
    pop     %r11
    push    %rax                /* six words from the aligned frame's bottom.. */
    push    %rcx
    push    %rdx
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    cld
    lea     9*8(%rsp), %rdi
    call    trap_failsafe
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rdx
    pop     %rcx
    pop     %rax
    add     $4*8, %rsp          /* DS ES FS GS */
    push    $0                  /* the iret's flags */
    jmp     hypercall_slot_iret
END_FUNCTION(failsafe_callback)

/*
 * int trap_catch_begin(struct trap_catch *c): 0; and 1, once more, from the
 * same place, when a trap was caught.  Offsets as in struct trap_catch.
 */
FUNCTION(trap_catch_begin)
    mov     (%rsp), %rax
    lea     8(%rsp), %rdx
    mov     %rax, 0x00(%rdi)
    mov     %rdx, 0x08(%rdi)
    mov     %rbx, 0x10(%rdi)
    mov     %rbp, 0x18(%rdi)
    mov     %r12, 0x20(%rdi)
    mov     %r13, 0x28(%rdi)
    mov     %r14, 0x30(%rdi)
    mov     %r15, 0x38(%rdi)
    jmp     trap_catch_arm      /* returns 0 */
END_FUNCTION(trap_catch_begin)

/*
 * The compiler calls this first thing in every function.  When less of the
 * stack is left than STACK_RESERVE, there is still room for one frame of
 * Xen's, but the next function may not have it, and then the domain would end
 * without a word.  So end it here, with words, on another stack.
 */
FUNCTION(__fentry__)
    cmp     stack_limit(%rip), %rsp
    jb      1f
    ret
1:  movq    $0, stack_limit(%rip)
    mov     %rsp, %rdi
    mov     %rbp, %rsi
    mov     emergency_stack + STACK_END(%rip), %rsp
    call    stack_overflow      /* does not return */
    ud2
END_FUNCTION(__fentry__)

    .section .note.GNU-stack, "", @progbits

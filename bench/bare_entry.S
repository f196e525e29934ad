/* SPDX-License-Identifier: MIT */
/*
 * The least that a handler can be: what Xen's part in a trap and in an upcall is,
 * and the way back.  Xen's frame is drawn in arch/x86/entry.S.
 */
#define __ASSEMBLY__ 1
#include <arch/asm.h>
#include <arch/vcpu.h>
#include <xen/xen.h>

    .bss
    .balign 8
    .globl  bench_user_rounds
    .type   bench_user_rounds, @object
    .size   bench_user_rounds, 8
bench_user_rounds:
    .skip   8

    .text

/* Behind an instruction of two bytes.  @error says whether Xen pushes an error code. */
    .macro BARE name, error
FUNCTION(\name)
    pop     %rcx
    pop     %r11
    .ifeqs  "\error", "code"
    add     $8, %rsp
    .endif
    addq    $2, (%rsp)
    movq    $FLAT_KERNEL_CS, 8(%rsp)
    iretq
END_FUNCTION(\name)
    .endm

    BARE bench_bare_trap,  none
    BARE bench_bare_fault, code

/*
 * From user mode and back there, for as long as bench_user_rounds lasts; the last
 * one goes on as @usual.  @bytes is what is stepped over.
 */
    .macro BARE_USER name, bytes, flags, usual
FUNCTION(\name)
    decq    bench_user_rounds
    js      \usual
    pop     %rcx
    pop     %r11
    .if     \bytes
    addq    $\bytes, (%rsp)
    .endif
    push    $\flags
    jmp     hypercall_slot_iret
END_FUNCTION(\name)
    .endm

    BARE_USER bench_bare_sysret,     0, VGCF_in_syscall, user_syscall_entry
    BARE_USER bench_bare_iret,       0, 0,               user_syscall_entry
    BARE_USER bench_bare_user_fault, 2, 0,               trap_entry_ud

/* No event is looked for. */
FUNCTION(bench_bare_upcall)
    pop     %rcx
    pop     %r11
    movq    $FLAT_KERNEL_CS, 8(%rsp)
    movb    $0, THIS_VCPU_INFO(VCPU_INFO_PENDING)
    movb    $0, THIS_VCPU_INFO(VCPU_INFO_MASK)
    iretq
END_FUNCTION(bench_bare_upcall)

    .section .note.GNU-stack, "", @progbits

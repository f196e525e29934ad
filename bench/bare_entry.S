/* SPDX-License-Identifier: MIT */
/*
 * The least that a handler can be: what Xen's part in a trap and in an upcall is,
 * and the way back.  Xen's frame is drawn in arch/x86/entry.S.
 */
#define __ASSEMBLY__ 1
#include <arch/asm.h>
#include <arch/vcpu.h>
#include <xen/xen.h>

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

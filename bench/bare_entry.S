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

/* Behind an instruction of two bytes. */
FUNCTION(bench_bare_trap)
    pop     %rcx
    pop     %r11
    addq    $2, (%rsp)
    movq    $FLAT_KERNEL_CS, 8(%rsp)
    iretq
END_FUNCTION(bench_bare_trap)

/* The same, with an error code. */
FUNCTION(bench_bare_fault)
    pop     %rcx
    pop     %r11
    add     $8, %rsp
    addq    $2, (%rsp)
    movq    $FLAT_KERNEL_CS, 8(%rsp)
    iretq
END_FUNCTION(bench_bare_fault)

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

/* SPDX-License-Identifier: MIT */
#define __ASSEMBLY__ 1
#include <arch/asm.h>

    .macro FOR_EACH_REGISTER what
    \what   0x101, %rax
    \what   0x202, %rbx
    \what   0x303, %rcx
    \what   0x404, %rdx
    \what   0x505, %rsi
    \what   0x606, %rdi
    \what   0x707, %rbp
    \what   0x808, %r8
    \what   0x909, %r9
    \what   0xa0a, %r10
    \what   0xb0b, %r11
    \what   0xc0c, %r12
    \what   0xd0d, %r13
    \what   0xe0e, %r14
    \what   0xf0f, %r15
    .endm

    .macro SET value, register
    mov     $\value, \register
    .endm

    .macro CHECK value, register
    cmp     $\value, \register
    jne     2f
    .endm

/*
 * bool spin_with_registers_full(void): wait until a handler has set spin_over; are
 * all registers, and the flags, what they were?
 */
FUNCTION(spin_with_registers_full)
    PUSH_CALLEE_SAVED
    mov     %rsp, saved_rsp(%rip)
    FOR_EACH_REGISTER SET
    stc
1:  testb   $1, spin_over(%rip) /* clears CF */
    stc
    jz      1b
    jnc     2f
    FOR_EACH_REGISTER CHECK
    cmp     %rsp, saved_rsp(%rip)
    jne     2f
    mov     $1, %eax
    jmp     3f
2:  mov     saved_rsp(%rip), %rsp
    xor     %eax, %eax
3:  POP_CALLEE_SAVED
    ret
END_FUNCTION(spin_with_registers_full)

    .bss
    .balign 8
saved_rsp:
    .quad   0
    .globl spin_over
spin_over:
    .byte   0

    .section .note.GNU-stack, "", @progbits

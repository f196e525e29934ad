/* SPDX-License-Identifier: MIT */
/* What user code may try, an instruction or two each; see demo.h. */
#define __ASSEMBLY__ 1
#include <arch/asm.h>
#include <xen/xen.h>

    .text

    .macro DEED name, insn:vararg
FUNCTION(deed_\name)
    \insn
    syscall
    ud2
END_FUNCTION(deed_\name)
    .endm

    DEED read,      mov (%rdi), %rax
    DEED write,     mov %rsi, (%rdi)
    DEED jump,      jmp *%rdi
    DEED push,      push %rax
    DEED syscall,   syscall
    DEED fs,        mov %fs:0, %rax
    DEED gs,        mov %gs:0, %rax
    DEED int3,      int3
    DEED int4,      int $4
    DEED int13,     int $13
    DEED int18,     int $18
    DEED int80,     int $0x80
    DEED int82,     int $0x82
    DEED sysenter,  sysenter
    DEED divide,    divl zero(%rip)
    DEED ud2,       ud2
    DEED hlt,       hlt
    DEED cli,       cli
    DEED in,        in $0x70, %al
    DEED out,       out %al, $0xf4
    DEED rdmsr,     rdmsr
    DEED wrmsr,     wrmsr
    DEED get_cr3,   mov %cr3, %rax
    DEED set_cr3,   mov %rdi, %cr3
    DEED set_cr4,   mov %rdi, %cr4
    DEED set_dr7,   mov %rdi, %dr7
    DEED invlpg,    invlpg (%rdi)
    DEED lgdt,      lgdt (%rdi)
    DEED lidt,      lidt (%rdi)
    DEED ltr,       ltr %di
    DEED swapgs,    swapgs
    DEED wbinvd,    wbinvd

zero:
    .long   0

FUNCTION(deed_invert)
    .irp    reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp
    not     %\reg
    .endr
    .irp    reg, r8, r9, r10, r11, r12, r13, r14, r15
    not     %\reg
    .endr
    ud2
END_FUNCTION(deed_invert)

FUNCTION(deed_flags)
    pushfq
    pop     %rax
    syscall
    ud2
END_FUNCTION(deed_flags)

FUNCTION(deed_spin)
    pause
    jmp     deed_spin
END_FUNCTION(deed_spin)

FUNCTION(deed_count)
    incq    %fs:0
    cmpq    $0, (%rdi)
    jz      deed_count
    syscall
    ud2
END_FUNCTION(deed_count)

FUNCTION(deed_set_ds)
    mov     %edi, %ds
    mov     %edi, %es
    mov     %edi, %fs
    mov     %edi, %gs
    syscall
    ud2
END_FUNCTION(deed_set_ds)

FUNCTION(deed_selectors)
    mov     %ds, %eax
    shl     $16, %rax
    mov     %es, %ax
    shl     $16, %rax
    mov     %fs, %ax
    shl     $16, %rax
    mov     %gs, %ax
    syscall
    ud2
END_FUNCTION(deed_selectors)

/* Compatibility mode, by way of Xen's flat 32-bit code segment. */
FUNCTION(deed_call_32)
    lea     1f(%rip), %rax
    pushq   $FLAT_USER_CS32
    push    %rax
    lretq
    .code32
1:  syscall
    ud2
    .code64
END_FUNCTION(deed_call_32)

    .section .note.GNU-stack, "", @progbits

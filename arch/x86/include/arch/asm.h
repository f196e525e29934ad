/* SPDX-License-Identifier: MIT */
/* asm: what every assembly file needs, and the exception fix-up table. */
#pragma once

#define STACK_END 0x10 /* the member of struct stack (plinth/stack.h) */

#ifdef __ASSEMBLY__

#define FUNCTION(name)                                                         \
    .globl name;                                                               \
    .type name, @function;                                                     \
    .balign 16;                                                                \
name:

#define END_FUNCTION(name) .size name, .- name

/* The registers that a function leaves as they were (System V ABI, x86-64). */
/* clang-format off */
    .macro PUSH_CALLEE_SAVED
    push    %rbp
    push    %rbx
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    .endm

    .macro POP_CALLEE_SAVED
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbx
    pop     %rbp
    .endm
/* clang-format on */

#else

/*
 * If the instruction at @insn faults, go on at @fixup.  Both are local labels
 * of the same asm statement (arch/extable.h).
 */
#define ASM_EXTABLE(insn, fixup)                                               \
    ".pushsection .ex_table, \"a\"\n\t"                                        \
    ".balign 8\n\t"                                                            \
    ".quad " insn ", " fixup "\n\t"                                            \
    ".popsection\n\t"

#endif

/* SPDX-License-Identifier: MIT */
/*
 * regs: the registers of interrupted code as entry.S leaves them on the stack.
 * The offsets serve the assembly; the compiler checks that they are true.
 */
#pragma once

#define REGS_R15    0x00
#define REGS_R14    0x08
#define REGS_R13    0x10
#define REGS_R12    0x18
#define REGS_RBP    0x20
#define REGS_RBX    0x28
#define REGS_R11    0x30
#define REGS_R10    0x38
#define REGS_R9     0x40
#define REGS_R8     0x48
#define REGS_RAX    0x50
#define REGS_RCX    0x58
#define REGS_RDX    0x60
#define REGS_RSI    0x68
#define REGS_RDI    0x70
#define REGS_VECTOR 0x78
#define REGS_ERROR  0x80
#define REGS_RIP    0x88
#define REGS_CS     0x90
#define REGS_RFLAGS 0x98
#define REGS_RSP    0xa0
#define REGS_SS     0xa8
#define REGS_SIZE   0xb0

/* Vectors whose handlers Xen does not interrupt by another one, until the iret. */
#define VECTOR_NMI 2
#define VECTOR_MC  18

/* Instead of a vector, which is below 32. */
#define VECTOR_UPCALL  0x100
#define VECTOR_SYSCALL 0x101

#ifndef __ASSEMBLY__

#include <stddef.h>
#include <stdint.h>

struct regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t vector;
    uint64_t error; /* 0 where the vector has none */
    /* From here on as the hardware and the iret hypercall have it. */
    uint64_t rip;
    uint32_t cs; /* RPL 0: from the kernel, 3: from user mode */
    uint32_t saved_upcall_mask;
    uint64_t rflags; /* IF is the negated upcall mask */
    uint64_t rsp;
    uint64_t ss;
};

_Static_assert(offsetof(struct regs, r15) == REGS_R15, "regs");
_Static_assert(offsetof(struct regs, r14) == REGS_R14, "regs");
_Static_assert(offsetof(struct regs, r13) == REGS_R13, "regs");
_Static_assert(offsetof(struct regs, r12) == REGS_R12, "regs");
_Static_assert(offsetof(struct regs, rbp) == REGS_RBP, "regs");
_Static_assert(offsetof(struct regs, rbx) == REGS_RBX, "regs");
_Static_assert(offsetof(struct regs, r11) == REGS_R11, "regs");
_Static_assert(offsetof(struct regs, r10) == REGS_R10, "regs");
_Static_assert(offsetof(struct regs, r9) == REGS_R9, "regs");
_Static_assert(offsetof(struct regs, r8) == REGS_R8, "regs");
_Static_assert(offsetof(struct regs, rax) == REGS_RAX, "regs");
_Static_assert(offsetof(struct regs, rcx) == REGS_RCX, "regs");
_Static_assert(offsetof(struct regs, rdx) == REGS_RDX, "regs");
_Static_assert(offsetof(struct regs, rsi) == REGS_RSI, "regs");
_Static_assert(offsetof(struct regs, rdi) == REGS_RDI, "regs");
_Static_assert(offsetof(struct regs, vector) == REGS_VECTOR, "regs");
_Static_assert(offsetof(struct regs, error) == REGS_ERROR, "regs");
_Static_assert(offsetof(struct regs, rip) == REGS_RIP, "regs");
_Static_assert(offsetof(struct regs, cs) == REGS_CS, "regs");
_Static_assert(offsetof(struct regs, rflags) == REGS_RFLAGS, "regs");
_Static_assert(offsetof(struct regs, rsp) == REGS_RSP, "regs");
_Static_assert(offsetof(struct regs, ss) == REGS_SS, "regs");
_Static_assert(sizeof(struct regs) == REGS_SIZE, "regs");

/* What Xen leaves on the stack for the failsafe callback, above RCX and R11. */
struct failsafe_frame {
    uint64_t ds, es, fs, gs;
    uint64_t rip, cs, rflags, rsp, ss;
};

#endif

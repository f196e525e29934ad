/* SPDX-License-Identifier: MIT */
/*
 * cpu: the few instructions that C has no words for.
 *
 * A PV kernel runs in ring 3: of the privileged instructions only those are
 * here that Xen emulates (mov from cr2/cr3, mov from and to cr4, rdmsr).
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>

#define RFLAGS_CF    (1u << 0)
#define RFLAGS_FIXED (1u << 1) /* always 1 */
#define RFLAGS_PF    (1u << 2)
#define RFLAGS_AF    (1u << 4)
#define RFLAGS_ZF    (1u << 6)
#define RFLAGS_SF    (1u << 7)
#define RFLAGS_TF    (1u << 8)
#define RFLAGS_IF    (1u << 9)
#define RFLAGS_DF    (1u << 10)
#define RFLAGS_OF    (1u << 11)
#define RFLAGS_IOPL  (3u << 12)
#define RFLAGS_NT    (1u << 14)
#define RFLAGS_RF    (1u << 16)
#define RFLAGS_AC    (1u << 18)
#define RFLAGS_ID    (1u << 21)

/* The compiler may not move memory accesses across; the CPU is x86's TSO. */
static inline void barrier(void)
{
    asm volatile("" ::: "memory");
}

/* Loads before and stores before are seen before loads after. */
static inline void mb(void)
{
    asm volatile("mfence" ::: "memory");
}

static inline void cpu_relax(void)
{
    asm volatile("pause" ::: "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}

/* Not before the loads that stand in front of it. */
static inline uint64_t rdtsc_ordered(void)
{
    asm volatile("lfence" ::: "memory");
    return rdtsc();
}

static inline uint64_t read_cr2(void)
{
    uint64_t value;

    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

/* The machine address of the L4 table in use. */
static inline uint64_t read_cr3(void)
{
    uint64_t value;

    asm volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}

/* The guest's own CR4, which Xen keeps for each vCPU. */
static inline uint64_t read_cr4(void)
{
    uint64_t value;

    asm volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static inline void write_cr4(uint64_t value)
{
    asm volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static inline uint64_t read_rflags(void)
{
    uint64_t value;

    asm volatile("pushfq; popq %0" : "=r"(value));
    return value;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return ((uint64_t)hi << 32) | lo;
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

/*
 * What Xen lets this domain see.  The prefix makes Xen emulate the
 * instruction; without it an old CPU would answer natively (public
 * arch-x86/xen.h: XEN_CPUID).
 */
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    asm volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "0"(leaf), "2"(subleaf));
    return r;
}

/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <plinth/heap.h>
#include <plinth/string.h>
#include <plinth/trap.h>

#define CPUID1_ECX_XSAVE   (1u << 26)
#define CPUID1_ECX_OSXSAVE (1u << 27)

#define CR4_OSXSAVE (1ul << 18)

#define FXSAVE_SIZE 512u
#define XSAVE_ALIGN 64u

#define XCR0_X87_SSE 3ull

/* In the legacy part of an area. */
#define FCW_AT     0
#define MXCSR_AT   24
#define FCW_INIT   0x037f
#define MXCSR_INIT 0x1f80

static uint64_t features; /* in XCR0; 0: FXSAVE */
static size_t size = FXSAVE_SIZE;

static void xsetbv(uint64_t value)
{
    asm volatile("xsetbv"
                 :
                 : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

/*
 * Xen has switched XSAVE on for itself, and the kernel of a guest sees OSXSAVE
 * from the start; but Xen's emulation of XSETBV raises #UD until this vCPU has
 * set the bit in its own CR4.
 */
void fpu_init(void)
{
    struct cpuid leaf;

    if (!(cpuid(1, 0).ecx & CPUID1_ECX_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    if (!(cpuid(1, 0).ecx & CPUID1_ECX_OSXSAVE))
        return;
    leaf = cpuid(0xd, 0);
    features = leaf.eax | (uint64_t)leaf.edx << 32;
    xsetbv(features);
    /* What the enabled ones need. */
    size = cpuid(0xd, 0).ebx;
}

const char *fpu_method(void)
{
    return features ? "XSAVE" : "FXSAVE";
}

size_t fpu_size(void)
{
    return size;
}

void *fpu_alloc(void)
{
    uint8_t *area = aligned_alloc(XSAVE_ALIGN, size);
    const uint16_t fcw = FCW_INIT;
    const uint32_t mxcsr = MXCSR_INIT;

    if (area == NULL)
        return NULL;
    /* A header of zeroes says of each part that it is as after a reset. */
    memset(area, 0, size);
    memcpy(area + FCW_AT, &fcw, sizeof(fcw));
    memcpy(area + MXCSR_AT, &mxcsr, sizeof(mxcsr));
    return area;
}

void fpu_free(void *area)
{
    free(area);
}

void fpu_save(void *area)
{
    if (features == 0)
        asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    else
        asm volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)features),
                       "d"((uint32_t)(features >> 32))
                     : "memory");
}

void fpu_restore(const void *area)
{
    if (features == 0)
        asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
    else
        asm volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)features),
                       "d"((uint32_t)(features >> 32))
                     : "memory");
}

/* SPDX-License-Identifier: MIT */
/*
 * addr: frame numbers and addresses, each a type of its own.
 *
 * A PV guest lives with two numberings of the same memory.  The machine frame
 * (mfn) is what the hardware and Xen use and what a page-table entry holds;
 * the pseudo-physical frame (pfn) is the guest's own, dense numbering.  Mixing
 * the two is the classic bug of PV code, so here it does not compile.
 *
 *   pfn_t    pseudo-physical frame number      paddr_t  pseudo-physical byte
 *   mfn_t    machine frame number              maddr_t  machine byte
 *   vaddr_t  virtual address, for arithmetic; `void *` where it is to be
 *            dereferenced
 *
 * _mfn(n) makes one, mfn_x(m) takes the number out again, mfn_eq() compares.
 * A conversion named x_to_y() only shifts and cannot fail; one that reads a
 * table is called a lookup (plinth/p2m.h).
 *
 *   units    frames of 4096 bytes; bytes
 *   context  any
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define BOXED(type)                                                            \
    typedef struct {                                                           \
        uint64_t x;                                                            \
    } type##_t;                                                                \
    static inline type##_t _##type(uint64_t x)                                 \
    {                                                                          \
        return (type##_t){ x };                                                \
    }                                                                          \
    static inline uint64_t type##_x(type##_t v)                                \
    {                                                                          \
        return v.x;                                                            \
    }                                                                          \
    static inline bool type##_eq(type##_t a, type##_t b)                       \
    {                                                                          \
        return a.x == b.x;                                                     \
    }                                                                          \
    static inline type##_t type##_add(type##_t v, uint64_t n)                  \
    {                                                                          \
        return (type##_t){ v.x + n };                                          \
    }

BOXED(pfn)
BOXED(mfn)
BOXED(paddr)
BOXED(maddr)
BOXED(vaddr)

#undef BOXED

/* What the P2M and the M2P hold for "none" (public/xen.h: INVALID_MFN is ~0). */
#define INVALID_PFN _pfn(~0ull)
#define INVALID_MFN _mfn(~0ull)

#define PRI_pfn "05lx"
#define PRI_mfn "06lx"

static inline maddr_t mfn_to_maddr(mfn_t mfn)
{
    return _maddr(mfn_x(mfn) << PAGE_SHIFT);
}

static inline mfn_t maddr_to_mfn(maddr_t maddr)
{
    return _mfn(maddr_x(maddr) >> PAGE_SHIFT);
}

static inline paddr_t pfn_to_paddr(pfn_t pfn)
{
    return _paddr(pfn_x(pfn) << PAGE_SHIFT);
}

static inline pfn_t paddr_to_pfn(paddr_t paddr)
{
    return _pfn(paddr_x(paddr) >> PAGE_SHIFT);
}

static inline vaddr_t ptr_to_vaddr(const volatile void *p)
{
    return _vaddr((uintptr_t)p);
}

static inline void *vaddr_to_ptr(vaddr_t va)
{
    return (void *)(uintptr_t)vaddr_x(va);
}

static inline uint64_t vaddr_page_offset(vaddr_t va)
{
    return vaddr_x(va) & ~PAGE_MASK;
}

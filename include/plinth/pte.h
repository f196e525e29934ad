/* SPDX-License-Identifier: MIT */
/*
 * pte: page-table entries of a 64-bit PV guest, all four levels.
 *
 * The guest's kernel runs in ring 3, so Xen sets PTE_USER in every present
 * entry whether asked or not, and marks kernel leaves with PTE_GUEST_KERNEL;
 * PTE_GLOBAL it adds to user leaves.  Two entries are therefore compared with
 * these and the A/D bits masked out (pte_same()).
 *
 *   source   Intel SDM vol. 3 §4.5; Xen arch/x86/pv/mm.h: adjust_guest_l1e()
 *   context  any
 */
#pragma once

#include <plinth/addr.h>

typedef struct {
    uint64_t raw;
} pte_t;

#define PTE_P            (1ull << 0)
#define PTE_RW           (1ull << 1)
#define PTE_USER         (1ull << 2)
#define PTE_PWT          (1ull << 3)
#define PTE_PCD          (1ull << 4)
#define PTE_A            (1ull << 5)
#define PTE_D            (1ull << 6)
#define PTE_PSE          (1ull << 7) /* L2, L3: a large page */
#define PTE_GLOBAL       (1ull << 8)
#define PTE_GUEST_KERNEL (1ull << 52) /* Xen's mark of a kernel leaf */
#define PTE_NX           (1ull << 63)
#define PTE_ADDR         0x000ffffffffff000ull

/* A leaf of the kernel's for ordinary data, and the same read-only. */
#define PTE_DATA_RO (PTE_P | PTE_A | PTE_NX)
#define PTE_DATA    (PTE_DATA_RO | PTE_RW | PTE_D)

#define PT_LEVELS  4
#define PT_ENTRIES 512u

/* L4 slots that are Xen's own; never ours to read or to write. */
#define L4_XEN_FIRST 256u
#define L4_XEN_LAST  271u

/* The part of the address space one entry of @level maps, as a shift. */
static inline unsigned int pt_shift(unsigned int level)
{
    return PAGE_SHIFT + 9 * (level - 1);
}

/* The same in pages. */
static inline uint64_t pt_pages(unsigned int level)
{
    return 1ull << (pt_shift(level) - PAGE_SHIFT);
}

/* Index into the table of @level for @va. */
static inline unsigned int pt_index(vaddr_t va, unsigned int level)
{
    return (vaddr_x(va) >> pt_shift(level)) & (PT_ENTRIES - 1);
}

static inline pte_t pte_make(mfn_t mfn, uint64_t flags)
{
    return (pte_t){ (mfn_x(mfn) << PAGE_SHIFT) | flags };
}

static inline mfn_t pte_mfn(pte_t pte)
{
    return _mfn((pte.raw & PTE_ADDR) >> PAGE_SHIFT);
}

static inline bool pte_present(pte_t pte)
{
    return pte.raw & PTE_P;
}

/* The same mapping with the same rights, whatever Xen and the CPU noted in it. */
static inline bool pte_same(pte_t a, pte_t b)
{
    const uint64_t noted =
        PTE_USER | PTE_GLOBAL | PTE_GUEST_KERNEL | PTE_A | PTE_D;

    return (a.raw & ~noted) == (b.raw & ~noted);
}

static inline bool pt_none_of_8(const uint64_t *t)
{
    const uint64_t any = t[0] | t[1] | t[2] | t[3] | t[4] | t[5] | t[6] | t[7];

    return !(any & PTE_P);
}

/*
 * The first present entry of @table from @i on; @end or more if none below @end is.
 * By eight at once, since most entries of most tables are not present.
 */
static inline unsigned int pt_next_present(const volatile uint64_t *table,
                                           unsigned int i, unsigned int end)
{
    const uint64_t *t = (const uint64_t *)(uintptr_t)table;

    while (i < end && !(t[i] & PTE_P))
        i += i % 8 == 0 && pt_none_of_8(&t[i]) ? 8 : 1;
    return i;
}

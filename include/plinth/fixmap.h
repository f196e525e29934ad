/* SPDX-License-Identifier: MIT */
/*
 * fixmap: a few virtual pages for what must be mapped at a known address or
 * before there is an allocator.
 *
 * Text ends at a 2 MiB boundary (linker.ld) and so leaves the lower part of
 * its L1 table empty; the slots are there, at the very start of the top 2 GiB.
 * No table page and no frame of ours is spent on them.  The L2 entry above is
 * executable, so each slot carries its own NX bit.
 *
 *   context  any; a slot belongs to the module it is named after
 *   failure  what update_va_mapping says: -EINVAL for a frame that is not ours
 */
#pragma once

#include <plinth/compiler.h>
#include <plinth/pte.h>

#define FIXMAP_BASE 0xffffffff80000000ul

enum fixmap_slot {
    FIX_SHARED_INFO,
    FIX_WALK, /* four: a window on a page table of each level, L1 first */
    FIX_WALK_LAST = FIX_WALK + PT_LEVELS - 1,
    FIX_WINDOW, /* ramdisk_read() */
    FIX_TEST,   /* free for self-tests */
    FIX_SLOTS,
};

static inline vaddr_t fixmap_va(enum fixmap_slot slot)
{
    return _vaddr(FIXMAP_BASE + slot * PAGE_SIZE);
}

static inline void *fixmap_ptr(enum fixmap_slot slot)
{
    return vaddr_to_ptr(fixmap_va(slot));
}

/*
 * Map @mfn into @slot with @flags (PTE_RW or 0; P, A, D and NX are added),
 * replacing what was there and flushing this vCPU's TLB for it.
 */
int __must_check fixmap_set(enum fixmap_slot slot, mfn_t mfn, uint64_t flags);

/* Empty @slot. */
void fixmap_clear(enum fixmap_slot slot);

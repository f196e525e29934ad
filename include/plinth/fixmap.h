/* SPDX-License-Identifier: MIT */
/*
 * fixmap: a few virtual pages for what must be mapped at a known address or
 * before there is an allocator.
 *
 * The slots are pages of the image's BSS, whose L1 table is there.  The frame a
 * slot begins with is seen nowhere once another one is in its place.
 *
 *   context  any; a slot belongs to the module it is named after
 *   failure  what update_va_mapping says: -EINVAL for a frame that is not ours
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>

enum fixmap_slot {
    FIX_SHARED_INFO,
    FIX_WALK, /* four: a window on a page table of each level, L1 first */
    FIX_WALK_LAST = FIX_WALK + PT_LEVELS - 1,
    FIX_WINDOW, /* ramdisk_read() */
    FIX_TEST,   /* free for self-tests */
    FIX_SLOTS,
};

extern uint8_t fixmap_slots[FIX_SLOTS][PAGE_SIZE];

static inline vaddr_t fixmap_va(enum fixmap_slot slot)
{
    return ptr_to_vaddr(fixmap_slots[slot]);
}

static inline void *fixmap_ptr(enum fixmap_slot slot)
{
    return vaddr_to_ptr(fixmap_va(slot));
}

static inline bool is_fixmap(uintptr_t va)
{
    return va - (uintptr_t)fixmap_slots < sizeof(fixmap_slots);
}

/*
 * Map @mfn into @slot with @flags (PTE_RW or 0; P, A, D and NX are added),
 * replacing what was there and flushing this vCPU's TLB for it.
 */
int __must_check fixmap_set(enum fixmap_slot slot, mfn_t mfn, uint64_t flags);

/* Empty @slot. */
void fixmap_clear(enum fixmap_slot slot);

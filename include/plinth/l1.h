/* SPDX-License-Identifier: MIT */
/*
 * l1: the L1 table that maps an address.
 *
 * Found by a walk, and remembered: work comes in neighbours.
 *
 *   context  threads and boot, with the space's lock held or, for the physmap
 *            and the bootstrap region, whose tables never go, without
 */
#pragma once

#include <plinth/pte.h>
#include <plinth/space.h>

/* What one L1 maps. */
#define L1_SPAN (PT_ENTRIES * PAGE_SIZE)

struct l1 {
    const struct space *space;
    uintptr_t span; /* the first address it maps */
    mfn_t mfn;
    uint64_t *table; /* to be written only if the space is not live */
    uint16_t *note;  /* PTAB_TABLE and a count; NULL for one of the builder's */
};

/* NULL when there is none.  Good until tables of the space change. */
const struct l1 *l1_find(const struct space *space, uintptr_t va);

/* A table has gone; and: one that maps a part of [start, end). */
void l1_forget(void);
void l1_forget_range(uintptr_t start, uintptr_t end);

/* The machine address of its entry for @va. */
static inline maddr_t l1_entry(const struct l1 *l1, uintptr_t va)
{
    return maddr_add(mfn_to_maddr(l1->mfn),
                     pt_index(_vaddr(va), 1) * sizeof(pte_t));
}

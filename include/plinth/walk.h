/* SPDX-License-Identifier: MIT */
/*
 * walk: reading page tables.  Nothing here changes one.
 *
 * Tables in the bootstrap region are read where the builder mapped them;
 * others (those of the P2M at INIT_P2M's address) through a window in the
 * fixmap, one per level, so a walk costs at most one hypercall per table.
 * walk_address() reads by the self-map (plinth/selfmap.h) while that is on.
 *
 *   units    levels 1-4 as in Xen's headers: L1 holds the leaves
 *   context  one walk at a time: boot, threads, and the last words of panic
 */
#pragma once

#include <stdbool.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>

/* The path to one address. */
struct walk {
    mfn_t table[PT_LEVELS + 1]; /* by level; [0] unused */
    pte_t entry[PT_LEVELS + 1];
    unsigned int last; /* the level where the path ended */
    bool unreadable;   /* a table on the path could not be read */
};

/*
 * The L4 table loaded on this vCPU.  Reading CR3 is emulated, at some 1,300
 * instructions, so it is read once; who loads another one says so.
 */
mfn_t walk_current_l4(void);
void walk_l4_loaded(mfn_t l4);

/* Walk the current tables to @va.  True when a present leaf was found. */
bool walk_address(vaddr_t va, struct walk *w);

/* One entry of the table of @level at @mfn, which must be a table of ours. */
pte_t walk_entry(mfn_t mfn, unsigned int level, unsigned int index);

/*
 * A place to read the table of @level at @mfn, or NULL.  Good until a walk comes
 * to another table of that level.
 */
const volatile uint64_t *walk_table_ptr(mfn_t mfn, unsigned int level);

/* Where the entry of @level on the path lives, to be written by mmu_update. */
maddr_t walk_entry_maddr(const struct walk *w, vaddr_t va, unsigned int level);

/*
 * Called for each table before its entries; and for each present leaf, with the
 * rights of the whole path to it: PTE_RW if all its entries have it, PTE_NX if
 * any has.
 */
struct walk_visitor {
    int (*table)(void *ctx, unsigned int level, mfn_t mfn, vaddr_t va);
    int (*leaf)(void *ctx, unsigned int level, pte_t pte, vaddr_t va,
                uint64_t rights);
    void *ctx;
};

/*
 * Walk everything below @l4 but Xen's slots and entries by which the table names
 * itself, in address order.  Stops at the first non-zero answer of the visitor
 * and returns it; -EFAULT when a table could not be read.
 */
int walk_all(mfn_t l4, const struct walk_visitor *visitor);

/* The same for what the L4's slots [first, end) map. */
int walk_slots(mfn_t l4, unsigned int first, unsigned int end,
               const struct walk_visitor *visitor);

/* The rights of the path, as a visitor's leaf gets them. */
uint64_t walk_rights(const struct walk *w);

/* "RWX" and the like; "---" when no present leaf is at the path's end. */
const char *walk_rights_name(const struct walk *w);

/* SPDX-License-Identifier: MIT */
/*
 * ptab: growing page tables.
 *
 * New tables are built as plain memory, bottom up, where no store needs Xen's
 * consent.  ptab_commit() then takes away their writable mappings and hooks
 * them into the live tables, all in one mmu_update: Xen validates a table with
 * all its entries at once, which costs a fraction of one update per entry.
 *
 *   owns     pages for new tables come from the caller's function; they belong
 *            to the tables after a commit, and go back after an abort
 *   context  threads and boot
 *   failure  -ENOMEM, -EEXIST, or what Xen says; a failed commit leaves the live
 *            tables as they were and has given all pages back
 */
#pragma once

#include <stdbool.h>

#include <plinth/compiler.h>
#include <plinth/page.h>
#include <plinth/pte.h>
#include <plinth/space.h>

/* Pages, or entries in tables that are there, in one change. */
#define PTAB_MAX 64u

struct ptab_txn {
    struct space *space;
    void *(*get)(void); /* a page, mapped writable, or NULL */
    void (*put)(void *page);
    struct page_list tables; /* new ones, as plain memory */
    unsigned int nr_pages;   /* mapped by ptab_map_owned() */
    void *pages[PTAB_MAX];
    unsigned int nr_links; /* entries to write in tables that are there */
    struct {
        maddr_t at;
        pte_t pte;
        unsigned int level;
    } links[PTAB_MAX];
};

/*
 * What the note of a page says (plinth/page.h) that is a page table made here.
 * In the low bits of an L1's the entries that are present are counted.
 */
#define PTAB_TABLE 0x8000u
#define PTAB_NEW   0x4000u /* of a change that has not happened yet */

/* That note of the table at @page; NULL for one that the builder has made. */
uint16_t *ptab_note(const void *page);

/* Is @pfn a page table, or going to be one? */
bool ptab_is_table(pfn_t pfn);

/*
 * The entry at @at, in a table of @level of @space's on the way to @va, becomes
 * @pte: by a request, queued between mmu_begin() and mmu_end(), or by a store.
 * What is said in an L4 is said in all that must have it too.
 */
void ptab_write(struct space *space, unsigned int level, maddr_t at, pte_t pte);

/*
 * Queue, between mmu_begin() and mmu_end(): the kernel's one mapping of @page
 * (plinth/kaddr.h) becomes @pte.
 */
void ptab_remap(const void *page, pte_t pte);

/* The same, to the frame that is there, with the rights @flags. */
void ptab_set_rights(const void *page, uint64_t flags);

void ptab_begin(struct ptab_txn *txn, struct space *space, void *(*get)(void),
                void (*put)(void *page));

/*
 * The L1 table for @va.  A new one comes as a pointer, to be filled by plain
 * stores; it is zeroed unless the caller will fill it @whole.  Of one that is
 * live already only its machine address comes, in @live, and *@table is NULL.
 */
int __must_check ptab_l1(struct ptab_txn *txn, vaddr_t va, bool whole,
                         uint64_t **table, maddr_t *live);

/* One leaf, wherever its L1 is. */
int __must_check ptab_map(struct ptab_txn *txn, vaddr_t va, pte_t pte);

/*
 * Map @page, which came from @get, writable at @va in addition to where it is.
 * It goes back when the change does not happen.
 */
int __must_check ptab_map_owned(struct ptab_txn *txn, vaddr_t va, void *page);

int __must_check ptab_commit(struct ptab_txn *txn);

/* Before a commit: forget it, and give all pages back. */
void ptab_abort(struct ptab_txn *txn);

/*
 * A commit in two steps, for those who queue more beside it: queue its requests
 * between mmu_begin() and mmu_end(), and say what became of these.
 */
void ptab_queue(struct ptab_txn *txn);
void ptab_done(struct ptab_txn *txn);
void ptab_undo(struct ptab_txn *txn);

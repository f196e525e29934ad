/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/l1.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/ptab.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/walk.h>

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_USER | PTE_A | PTE_D)

/* Is @pfn one of the tables that came with the domain? */
static bool is_builders(pfn_t pfn)
{
    const struct start_info *si = start_info();

    return pfn_x(pfn) - pfn_x(linear_pfn(si->pt_base)) < si->nr_pt_frames ||
           pfn_x(pfn) - si->first_p2m_pfn < si->nr_p2m_frames;
}

uint16_t *ptab_note(const void *page)
{
    return is_builders(kaddr_pfn(page)) ? NULL : page_note(page);
}

bool ptab_is_table(pfn_t pfn)
{
    return page_note_of(pfn) & PTAB_TABLE || is_builders(pfn);
}

/*
 * Writing entries.
 */
static void write_entry(const struct space *space, maddr_t at, pte_t pte)
{
    uint64_t *table;

    if (space->live) {
        mmu_set_pte(at, pte);
        return;
    }
    table = kaddr_lookup_mfn(maddr_to_mfn(at));
    table[maddr_x(at) % PAGE_SIZE / sizeof(*table)] = pte.raw;
}

struct l4_write {
    const struct space *done;
    unsigned int offset;
    pte_t pte;
};

static int write_to_other(void *ctx, struct space *space)
{
    const struct l4_write *w = ctx;

    if (space != w->done)
        write_entry(space, maddr_add(mfn_to_maddr(space->l4), w->offset),
                    w->pte);
    return 0;
}

/* The kernel's half is in all L4 tables, the user half in one or two. */
static void write_l4(struct space *space, maddr_t at, pte_t pte)
{
    struct l4_write w = {
        .done = space,
        .offset = maddr_x(at) % PAGE_SIZE,
        .pte = pte,
    };

    write_entry(space, at, pte);
    if (w.offset / sizeof(pte) > L4_XEN_LAST)
        space_each(write_to_other, &w);
    else if (mfn_x(space->user_l4) != 0)
        write_entry(space, maddr_add(mfn_to_maddr(space->user_l4), w.offset),
                    pte);
}

void ptab_write(struct space *space, unsigned int level, maddr_t at, pte_t pte)
{
    if (level == PT_LEVELS)
        write_l4(space, at, pte);
    else
        write_entry(space, at, pte);
}

/*
 * Building.
 */
void ptab_begin(struct ptab_txn *txn, struct space *space, void *(*get)(void),
                void (*put)(void *page))
{
    txn->space = space;
    txn->get = get;
    txn->put = put;
    txn->tables = (struct page_list){ 0 };
    txn->nr_pages = 0;
    txn->nr_links = 0;
}

/* The new table at @mfn, or NULL when that is not one of this change. */
static uint64_t *find_new(mfn_t mfn)
{
    uint64_t *page = kaddr_lookup_mfn(mfn);
    const uint16_t *note = page ? ptab_note(page) : NULL;

    return note != NULL && *note & PTAB_NEW ? page : NULL;
}

static pte_t *find_link(struct ptab_txn *txn, maddr_t at)
{
    for (unsigned int i = txn->nr_links; i-- > 0;)
        if (maddr_eq(txn->links[i].at, at))
            return &txn->links[i].pte;
    return NULL;
}

static int new_table(struct ptab_txn *txn, bool zeroed, uint64_t **table)
{
    *table = txn->get();
    if (*table == NULL)
        return -ENOMEM;
    if (zeroed)
        memset(*table, 0, PAGE_SIZE);
    *page_note(*table) = PTAB_TABLE | PTAB_NEW;
    page_list_push(&txn->tables, *table);
    return 0;
}

static int add_link(struct ptab_txn *txn, unsigned int level, maddr_t at,
                    pte_t pte)
{
    if (txn->nr_links == PTAB_MAX)
        return -ENOMEM;
    txn->links[txn->nr_links].at = at;
    txn->links[txn->nr_links].pte = pte;
    txn->links[txn->nr_links].level = level;
    txn->nr_links++;
    return 0;
}

/*
 * One step down: from the table of @level, new (@table) or not (@mfn), to the
 * next, which is made when it is missing.
 */
static int step(struct ptab_txn *txn, vaddr_t va, unsigned int level,
                bool zeroed, uint64_t **table, mfn_t *mfn)
{
    const unsigned int index = pt_index(va, level);
    const maddr_t at = maddr_add(mfn_to_maddr(*mfn), index * sizeof(pte_t));
    uint64_t *next;
    pte_t entry;
    int rc;

    if (*table != NULL) {
        entry.raw = (*table)[index];
    } else {
        const pte_t *link = find_link(txn, at);

        entry = link ? *link : walk_entry(*mfn, level, index);
    }

    if (pte_present(entry)) {
        if (entry.raw & PTE_PSE)
            return -EEXIST;
        *mfn = pte_mfn(entry);
        *table = find_new(*mfn);
        return 0;
    }

    rc = new_table(txn, zeroed, &next);
    if (rc != 0)
        return rc;
    entry = pte_make(kaddr_mfn(next), TABLE_FLAGS);
    if (*table != NULL)
        (*table)[index] = entry.raw;
    else
        rc = add_link(txn, level, at, entry);
    *table = next;
    *mfn = kaddr_mfn(next);
    return rc;
}

int ptab_l1(struct ptab_txn *txn, vaddr_t va, bool whole, uint64_t **table,
            maddr_t *live)
{
    mfn_t mfn = txn->space->l4;
    int rc = 0;

    *table = NULL;
    for (unsigned int level = PT_LEVELS; level > 1 && rc == 0; level--)
        rc = step(txn, va, level, level > 2 || !whole, table, &mfn);
    *live = mfn_to_maddr(mfn);
    return rc;
}

int ptab_map(struct ptab_txn *txn, vaddr_t va, pte_t pte)
{
    const unsigned int index = pt_index(va, 1);
    uint64_t *table;
    maddr_t live;
    int rc = ptab_l1(txn, va, false, &table, &live);

    if (rc != 0)
        return rc;
    if (table == NULL) {
        if (pte_present(walk_entry(maddr_to_mfn(live), 1, index)))
            return -EEXIST;
        return add_link(txn, 1, maddr_add(live, index * sizeof(pte)), pte);
    }
    if (pte_present((pte_t){ table[index] }))
        return -EEXIST;
    table[index] = pte.raw;
    return 0;
}

int ptab_map_owned(struct ptab_txn *txn, vaddr_t va, void *page)
{
    int rc = txn->nr_pages == PTAB_MAX ? -ENOMEM : 0;

    if (rc == 0)
        rc = ptab_map(txn, va, pte_make(kaddr_mfn(page), PTE_DATA));
    if (rc == 0)
        txn->pages[txn->nr_pages++] = page;
    else
        txn->put(page);
    return rc;
}

void ptab_remap(const void *page, pte_t pte)
{
    const struct l1 *l1 = l1_find(&kernel_space, (uintptr_t)page);

    BUG_ON(l1 == NULL);
    mmu_set_pte(l1_entry(l1, (uintptr_t)page), pte);
}

void ptab_set_rights(const void *page, uint64_t flags)
{
    ptab_remap(page, pte_make(kaddr_mfn(page), flags));
}

void ptab_abort(struct ptab_txn *txn)
{
    void *page;

    while ((page = page_list_pop(&txn->tables)) != NULL)
        txn->put(page);
    while (txn->nr_pages > 0)
        txn->put(txn->pages[--txn->nr_pages]);
    txn->nr_links = 0;
}

/* The tables of a space that is not live stay plain memory. */
static void set_rights_of_all(struct ptab_txn *txn, uint64_t flags)
{
    const void *page =
        txn->space->live ? page_list_next(&txn->tables, NULL) : NULL;

    for (; page != NULL; page = page_list_next(&txn->tables, page))
        ptab_set_rights(page, flags);
}

/*
 * Remap all, then hook: the first hook makes Xen flush what is stale, and the
 * rest of them find their pages flushed already.
 */
void ptab_queue(struct ptab_txn *txn)
{
    set_rights_of_all(txn, PTE_DATA_RO);
    for (unsigned int i = 0; i < txn->nr_links; i++)
        ptab_write(txn->space, txn->links[i].level, txn->links[i].at,
                   txn->links[i].pte);
}

void ptab_done(struct ptab_txn *txn)
{
    void *page;

    while ((page = page_list_pop(&txn->tables)) != NULL)
        *page_note(page) &= ~PTAB_NEW;
}

/*
 * Xen has stopped somewhere.  Unhook first what may have been hooked, last one
 * first; then nothing holds the tables back.
 */
void ptab_undo(struct ptab_txn *txn)
{
    int rc;

    mmu_begin();
    for (unsigned int i = txn->nr_links; i-- > 0;)
        ptab_write(txn->space, txn->links[i].level, txn->links[i].at,
                   (pte_t){ 0 });
    set_rights_of_all(txn, PTE_DATA);
    rc = mmu_end();
    BUG_ON(rc != 0);
    ptab_abort(txn);
}

int ptab_commit(struct ptab_txn *txn)
{
    int rc;

    mmu_begin();
    ptab_queue(txn);
    rc = mmu_end();
    if (rc == 0)
        ptab_done(txn);
    else
        ptab_undo(txn);
    return rc;
}

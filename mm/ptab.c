/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/ptab.h>
#include <plinth/string.h>
#include <plinth/walk.h>

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_USER | PTE_A | PTE_D)

void ptab_begin(struct ptab_txn *txn, mfn_t l4, void *(*get)(void),
                void (*put)(void *page))
{
    txn->l4 = l4;
    txn->get = get;
    txn->put = put;
    txn->nr_tables = 0;
    txn->nr_pages = 0;
    txn->nr_links = 0;
}

static mfn_t table_mfn(const uint64_t *table)
{
    return p2m_lookup(kaddr_pfn(table));
}

/* The new table at @mfn, or NULL when that is not one of this change. */
static uint64_t *find_new(const struct ptab_txn *txn, mfn_t mfn)
{
    for (unsigned int i = txn->nr_tables; i-- > 0;)
        if (mfn_eq(table_mfn(txn->tables[i]), mfn))
            return txn->tables[i];
    return NULL;
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
    if (txn->nr_tables == PTAB_MAX)
        return -ENOMEM;
    *table = txn->get();
    if (*table == NULL)
        return -ENOMEM;
    if (zeroed)
        memset(*table, 0, PAGE_SIZE);
    txn->tables[txn->nr_tables++] = *table;
    return 0;
}

static int add_link(struct ptab_txn *txn, maddr_t at, pte_t pte)
{
    if (txn->nr_links == PTAB_MAX)
        return -ENOMEM;
    txn->links[txn->nr_links].at = at;
    txn->links[txn->nr_links].pte = pte;
    txn->nr_links++;
    return 0;
}

/*
 * One step down: from the table of @level, new (@table) or live (@mfn), to the
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
        *table = find_new(txn, *mfn);
        return 0;
    }

    rc = new_table(txn, zeroed, &next);
    if (rc != 0)
        return rc;
    entry = pte_make(table_mfn(next), TABLE_FLAGS);
    if (*table != NULL)
        (*table)[index] = entry.raw;
    else
        rc = add_link(txn, at, entry);
    *table = next;
    *mfn = table_mfn(next);
    return rc;
}

int ptab_l1(struct ptab_txn *txn, vaddr_t va, bool whole, uint64_t **table,
            maddr_t *live)
{
    mfn_t mfn = txn->l4;
    int rc = 0;

    *table = find_new(txn, mfn);
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
        return add_link(txn, maddr_add(live, index * sizeof(pte)), pte);
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
        rc = ptab_map(txn, va, pte_make(table_mfn(page), PTE_DATA));
    if (rc == 0)
        txn->pages[txn->nr_pages++] = page;
    else
        txn->put(page);
    return rc;
}

void ptab_remap(const void *page, pte_t pte)
{
    const vaddr_t va = ptr_to_vaddr(page);
    struct walk w;

    walk_address(va, &w);
    BUG_ON(w.last != 1);
    mmu_set_pte(walk_entry_maddr(&w, va, 1), pte);
}

void ptab_set_rights(const void *page, uint64_t flags)
{
    ptab_remap(page, pte_make(table_mfn(page), flags));
}

void ptab_abort(struct ptab_txn *txn)
{
    while (txn->nr_tables > 0)
        txn->put(txn->tables[--txn->nr_tables]);
    while (txn->nr_pages > 0)
        txn->put(txn->pages[--txn->nr_pages]);
    txn->nr_links = 0;
}

/*
 * Remap all, then hook: the first hook makes Xen flush what is stale, and the
 * rest of them find their pages flushed already.
 */
void ptab_queue(struct ptab_txn *txn)
{
    for (unsigned int i = 0; i < txn->nr_tables; i++)
        ptab_set_rights(txn->tables[i], PTE_DATA_RO);
    for (unsigned int i = 0; i < txn->nr_links; i++)
        mmu_set_pte(txn->links[i].at, txn->links[i].pte);
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
        mmu_set_pte(txn->links[i].at, (pte_t){ 0 });
    for (unsigned int i = 0; i < txn->nr_tables; i++)
        ptab_set_rights(txn->tables[i], PTE_DATA);
    rc = mmu_send();
    BUG_ON(rc != 0);
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
    if (rc != 0)
        ptab_undo(txn);
    return rc;
}

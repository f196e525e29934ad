/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/map.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/ptab.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/walk.h>

#define SPAN       (PT_ENTRIES * PAGE_SIZE) /* what one L1 maps */
#define TABLE_RW   (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define BATCH_SPAN (32 * SPAN)

static struct ptab_txn txn;

mfn_t map_current(void)
{
    return maddr_to_mfn(_maddr(read_cr3()));
}

static void *get_table(void)
{
    return page_alloc(0);
}

static void put_table(void *page)
{
    page_free(page, 0);
}

/* The part of [va, end) that one L1 maps. */
static uint64_t pages_in_span(uintptr_t va, uintptr_t end)
{
    return (MIN(end, (va | (SPAN - 1)) + 1) - va) / PAGE_SIZE;
}

static int check_range(vaddr_t va, uint64_t nr)
{
    const uint64_t start = vaddr_x(va), size = nr * PAGE_SIZE;
    const uint64_t end = start + size - 1;

    if (start % PAGE_SIZE != 0 || nr == 0 || nr >> 40 != 0 || end < start)
        return -EINVAL;
    if (pt_index(_vaddr(start), 4) >= L4_XEN_FIRST &&
        pt_index(_vaddr(start), 4) <= L4_XEN_LAST)
        return -EINVAL;
    /* One half, canonical, and not across Xen's part. */
    if ((int64_t)(start << 16) >> 16 != (int64_t)start ||
        (int64_t)(end << 16) >> 16 != (int64_t)end ||
        (start >> 63) != (end >> 63))
        return -EINVAL;
    return 0;
}

static int check_flags(uint64_t flags)
{
    return (flags & PTE_RW && !(flags & PTE_NX)) || !(flags & PTE_P) ? -EINVAL
                                                                     : 0;
}

/*
 * Reading.
 */
static const volatile uint64_t *find_l1(mfn_t l4, uintptr_t va, mfn_t *mfn)
{
    mfn_t table = l4;

    for (unsigned int level = PT_LEVELS; level > 1; level--) {
        const pte_t pte = walk_entry(table, level, pt_index(_vaddr(va), level));

        if (!pte_present(pte) || pte.raw & PTE_PSE)
            return NULL;
        table = pte_mfn(pte);
    }
    *mfn = table;
    return walk_table_ptr(table, 1);
}

pte_t map_query(mfn_t l4, vaddr_t va)
{
    mfn_t mfn;
    const volatile uint64_t *l1 = find_l1(l4, vaddr_x(va), &mfn);

    return (pte_t){ l1 ? l1[pt_index(va, 1)] : 0 };
}

/* Are all pages of [va, end) mapped (or none)? */
static bool all_present(mfn_t l4, uintptr_t va, uintptr_t end, bool present)
{
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);
        const unsigned int first = pt_index(_vaddr(va), 1);
        mfn_t mfn;
        const volatile uint64_t *l1 = find_l1(l4, va, &mfn);

        if (l1 == NULL && present)
            return false;
        for (uint64_t i = 0; l1 != NULL && i < n; i++)
            if ((l1[first + i] & PTE_P) != present)
                return false;
        va += n * PAGE_SIZE;
    }
    return true;
}

/*
 * Mapping: one batch of spans is one change.
 */

/* Entries of live tables that belong to the change, to be undone with it. */
static void clear_entries(mfn_t l4, uintptr_t va, uintptr_t end)
{
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);
        mfn_t l1;

        if (find_l1(l4, va, &l1) != NULL)
            mmu_clear_run(maddr_add(mfn_to_maddr(l1),
                                    pt_index(_vaddr(va), 1) * sizeof(pte_t)),
                          n);
        va += n * PAGE_SIZE;
    }
}

static int map_batch(mfn_t l4, uintptr_t va, const mfn_t *frames, uint64_t nr,
                     uint64_t flags)
{
    const uintptr_t start = va, end = va + nr * PAGE_SIZE;
    int rc = 0;

    ptab_begin(&txn, l4, get_table, put_table);
    mmu_begin();
    while (va < end && rc == 0) {
        const uint64_t n = pages_in_span(va, end);
        const unsigned int first = pt_index(_vaddr(va), 1);
        uint64_t *table;
        maddr_t live;

        rc = ptab_l1(&txn, _vaddr(va), &table, &live);
        if (rc == 0 && table != NULL)
            for (uint64_t i = 0; i < n; i++)
                table[first + i] = pte_make(frames[i], flags).raw;
        else if (rc == 0)
            mmu_set_run(maddr_add(live, first * sizeof(pte_t)), frames, flags,
                        n);
        frames += n;
        va += n * PAGE_SIZE;
    }

    /* New tables and entries of old ones leave in one mmu_update. */
    if (rc == 0) {
        ptab_queue(&txn);
        rc = mmu_send();
    } else {
        mmu_drop();
        ptab_abort(&txn);
    }
    if (rc != 0) {
        /* A full queue may have sent entries before it came to this. */
        clear_entries(l4, start, end);
        BUG_ON(mmu_send() != 0);
        ptab_undo(&txn);
    }
    BUG_ON(mmu_end() != 0);
    return rc;
}

int map_pages(mfn_t l4, vaddr_t at, const mfn_t *frames, uint64_t nr,
              uint64_t flags)
{
    uintptr_t va = vaddr_x(at);
    const uintptr_t end = va + nr * PAGE_SIZE;
    int rc = check_range(at, nr);

    if (rc == 0)
        rc = check_flags(flags);
    if (rc != 0)
        return rc;
    if (!all_present(l4, va, end, false))
        return -EEXIST;

    while (va < end) {
        const uint64_t n =
            (MIN(end, (va | (BATCH_SPAN - 1)) + 1) - va) / PAGE_SIZE;

        rc = map_batch(l4, va, frames, n, flags);
        if (rc != 0)
            break;
        frames += n;
        va += n * PAGE_SIZE;
    }
    if (rc != 0 && va > vaddr_x(at))
        BUG_ON(unmap_pages(l4, at, (va - vaddr_x(at)) / PAGE_SIZE) != 0);
    return rc;
}

/*
 * Unmapping.
 */

/* Builder's tables stay; they are no pages of the allocator's. */
static void *own_table(mfn_t mfn)
{
    const struct start_info *si = start_info();
    const pfn_t pfn = m2p_lookup(mfn);
    const uint64_t builders = pfn_x(pfn) - pfn_x(linear_pfn(si->pt_base));

    return builders < si->nr_pt_frames ? NULL : kaddr_lookup(pfn);
}

/* Is there anything in the table but [first, first + nr)? */
static bool others_present(const volatile uint64_t *table, unsigned int first,
                           unsigned int nr)
{
    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        if ((i < first || i >= first + nr) && table[i] & PTE_P)
            return true;
    return false;
}

/* Tables that a change unhooks, to be freed once Xen has let go of them. */
static struct {
    void *pages[32];
    unsigned int nr;
} unhooked;

static void queue_writable(const void *page)
{
    const vaddr_t va = ptr_to_vaddr(page);
    struct walk w;

    BUG_ON(!walk_address(va, &w));
    mmu_set_pte(walk_entry_maddr(&w, va, 1),
                pte_make(pte_mfn(w.entry[1]), TABLE_RW));
}

static void queue_unhook(mfn_t parent, unsigned int level, vaddr_t va,
                         void *page)
{
    mmu_set_pte(
        maddr_add(mfn_to_maddr(parent), pt_index(va, level) * sizeof(pte_t)),
        (pte_t){ 0 });
    unhooked.pages[unhooked.nr++] = page;
}

/* The table of @level on the way to @va, or of a higher level on failure. */
static mfn_t table_of(mfn_t l4, vaddr_t va, unsigned int level)
{
    mfn_t table = l4;

    for (unsigned int i = PT_LEVELS; i > level; i--)
        table = pte_mfn(walk_entry(table, i, pt_index(va, i)));
    return table;
}

/*
 * Take [at, +n), which one L1 maps, out of the space: by its entries, or, when
 * nothing else is in there, by the table.
 */
static void unmap_span(mfn_t l4, uintptr_t at, unsigned int n)
{
    const vaddr_t va = _vaddr(at);
    const unsigned int first = pt_index(va, 1);
    const mfn_t l2 = table_of(l4, va, 2);
    const mfn_t l1 = pte_mfn(walk_entry(l2, 2, pt_index(va, 2)));
    void *page = own_table(l1);

    if (page != NULL && !others_present(walk_table_ptr(l1, 1), first, n)) {
        queue_unhook(l2, 2, va, page); /* and Xen flushes by itself */
        return;
    }
    mmu_clear_run(maddr_add(mfn_to_maddr(l1), first * sizeof(pte_t)), n);
    for (unsigned int i = 0; i < MIN(n, MMU_INVLPG_MAX + 1); i++)
        mmu_flush_page(vaddr_add(va, i * PAGE_SIZE));
}

/* Send, then give back what was unhooked. */
static void finish_unhooking(void)
{
    for (unsigned int i = 0; i < unhooked.nr; i++)
        queue_writable(unhooked.pages[i]);
    /* Clearing entries of ours needs nothing that could be missing. */
    BUG_ON(mmu_send() != 0);
    while (unhooked.nr > 0)
        page_free(unhooked.pages[--unhooked.nr], 0);
}

/* Tables of @level that have become empty go as well. */
static void reclaim(mfn_t l4, uintptr_t start, uintptr_t end,
                    unsigned int level)
{
    const uint64_t span = 1ul << pt_shift(level + 1);

    for (uintptr_t va = start; va < end; va = (va | (span - 1)) + 1) {
        const mfn_t parent = table_of(l4, _vaddr(va), level + 1);
        const pte_t pte =
            walk_entry(parent, level + 1, pt_index(_vaddr(va), level + 1));
        void *page;

        if (!pte_present(pte))
            continue;
        page = own_table(pte_mfn(pte));
        if (page == NULL ||
            others_present(walk_table_ptr(pte_mfn(pte), level), 0, 0))
            continue;
        queue_unhook(parent, level + 1, _vaddr(va), page);
        finish_unhooking();
    }
}

static void unmap_batch(mfn_t l4, uintptr_t va, uintptr_t end)
{
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);

        unmap_span(l4, va, n);
        va += n * PAGE_SIZE;
    }
    finish_unhooking();
}

int unmap_pages(mfn_t l4, vaddr_t at, uint64_t nr)
{
    uintptr_t va = vaddr_x(at);
    const uintptr_t end = va + nr * PAGE_SIZE;
    const int rc = check_range(at, nr);

    if (rc != 0)
        return rc;
    if (!all_present(l4, va, end, true))
        return -ENOENT;

    mmu_begin();
    while (va < end) {
        const uintptr_t stop = MIN(end, (va | (BATCH_SPAN - 1)) + 1);

        unmap_batch(l4, va, stop);
        va = stop;
    }
    reclaim(l4, vaddr_x(at), end, 2);
    reclaim(l4, vaddr_x(at), end, 3);
    BUG_ON(mmu_end() != 0);
    return 0;
}

/*
 * Protecting.
 */

/* Write @value(i)-like entries: the frames as they are, with @flags. */
static void queue_rights(mfn_t l1, const volatile uint64_t *table,
                         unsigned int first, unsigned int n, uint64_t flags)
{
    for (unsigned int i = first; i < first + n; i++) {
        const pte_t old = { table[i] };

        mmu_set_pte_keep_ad(maddr_add(mfn_to_maddr(l1), i * sizeof(pte_t)),
                            pte_make(pte_mfn(old), flags & ~(PTE_A | PTE_D)));
    }
}

static void queue_old(mfn_t l1, const uint64_t *old, unsigned int first,
                      unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        mmu_set_pte_keep_ad(
            maddr_add(mfn_to_maddr(l1), (first + i) * sizeof(pte_t)),
            (pte_t){ old[i] & ~(PTE_A | PTE_D) });
}

/* The entries of [va, end), saved or put back. */
static void save_entries(mfn_t l4, uintptr_t va, uintptr_t end, uint64_t *old)
{
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);
        const unsigned int first = pt_index(_vaddr(va), 1);
        mfn_t l1;
        const volatile uint64_t *table = find_l1(l4, va, &l1);

        for (uint64_t i = 0; i < n; i++)
            *old++ = table[first + i];
        va += n * PAGE_SIZE;
    }
}

static void restore_entries(mfn_t l4, uintptr_t va, uintptr_t end,
                            const uint64_t *old)
{
    mmu_drop();
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);
        mfn_t l1;

        BUG_ON(find_l1(l4, va, &l1) == NULL);
        queue_old(l1, old, pt_index(_vaddr(va), 1), n);
        old += n;
        va += n * PAGE_SIZE;
    }
    mmu_flush_all();
    BUG_ON(mmu_send() != 0);
}

static int protect_range(mfn_t l4, uintptr_t start, uintptr_t end,
                         uint64_t flags, const uint64_t *old)
{
    int rc;

    mmu_begin();
    for (uintptr_t va = start; va < end;) {
        const uint64_t n = pages_in_span(va, end);
        mfn_t l1;
        const volatile uint64_t *table = find_l1(l4, va, &l1);

        queue_rights(l1, table, pt_index(_vaddr(va), 1), n, flags);
        for (uint64_t i = 0; i < MIN(n, MMU_INVLPG_MAX + 1ul); i++)
            mmu_flush_page(_vaddr(va + i * PAGE_SIZE));
        va += n * PAGE_SIZE;
    }
    rc = mmu_send();
    if (rc != 0)
        restore_entries(l4, start, end, old);
    BUG_ON(mmu_end() != 0);
    return rc;
}

int protect_pages(mfn_t l4, vaddr_t at, uint64_t nr, uint64_t flags)
{
    const uintptr_t va = vaddr_x(at), end = va + nr * PAGE_SIZE;
    unsigned int order = 0;
    uint64_t *old;
    int rc = check_range(at, nr);

    if (rc == 0)
        rc = check_flags(flags);
    if (rc != 0)
        return rc;
    if (!all_present(l4, va, end, true))
        return -ENOENT;

    /* What was, in case that Xen refuses a part. */
    while (PAGE_SIZE << order < nr * sizeof(*old))
        order++;
    old = page_alloc(order);
    if (old == NULL)
        return -ENOMEM;
    save_entries(l4, va, end, old);
    rc = protect_range(l4, va, end, flags, old);
    page_free(old, order);
    return rc;
}

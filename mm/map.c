/* SPDX-License-Identifier: MIT */
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
#define BATCH_SPAN (32 * SPAN)

static struct ptab_txn txn;

static void *get_table(void)
{
    return page_alloc(0);
}

static void put_table(void *page)
{
    page_free(page, 0);
}

/* The end of what lies in the @span-aligned block of @va, of [va, end). */
static uintptr_t next_boundary(uintptr_t va, uintptr_t end, uint64_t span)
{
    return MIN(end - 1, va | (span - 1)) + 1;
}

/* The pages of [va, end) that one L1 maps. */
static uint64_t pages_in_span(uintptr_t va, uintptr_t end)
{
    return (next_boundary(va, end, SPAN) - va) / PAGE_SIZE;
}

static int check_range(vaddr_t va, uint64_t nr)
{
    const uint64_t start = vaddr_x(va), size = nr * PAGE_SIZE;
    const uint64_t end = start + size - 1;

    /* The last page there is has no address behind it, and is not for use. */
    if (start % PAGE_SIZE != 0 || nr == 0 || nr >> 40 != 0 || end < start ||
        end + 1 == 0)
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
 * An L1 table, live.  When it was made here, its page's note counts the entries
 * that are present.
 */
struct l1 {
    mfn_t l4;
    uintptr_t span; /* the first address it maps */
    mfn_t mfn;
    const uint64_t *table;
    uint16_t *count;
};

/* The one found last: work comes in neighbours.  Span 1 is none. */
static struct l1 last = { .span = 1 };

static void forget_last(void)
{
    last.span = 1;
}

/* Is @pfn one of the tables that came with the domain? */
static bool is_builders(pfn_t pfn)
{
    const struct start_info *si = start_info();

    return pfn_x(pfn) - pfn_x(linear_pfn(si->pt_base)) < si->nr_pt_frames ||
           pfn_x(pfn) - si->first_p2m_pfn < si->nr_p2m_frames;
}

/* Only tables made here are counted; that is what the top bit says. */
#define COUNTED 0x8000u

static bool is_counted(pfn_t pfn)
{
    return !is_builders(pfn) && *page_note(kaddr_lookup(pfn)) & COUNTED;
}

static const struct l1 *find_l1_slow(mfn_t l4, uintptr_t va)
{
    mfn_t mfn = l4;
    uint64_t *page;
    pfn_t pfn;

    for (unsigned int level = PT_LEVELS; level > 1; level--) {
        const pte_t pte = walk_entry(mfn, level, pt_index(_vaddr(va), level));

        if (!pte_present(pte) || pte.raw & PTE_PSE)
            return NULL;
        mfn = pte_mfn(pte);
    }
    pfn = m2p_lookup(mfn);
    page = kaddr_lookup(pfn);
    last = (struct l1){
        .l4 = l4,
        .span = page ? va & ~(SPAN - 1) : 1, /* a window is not for long */
        .mfn = mfn,
        .table = page ? page : (uint64_t *)(uintptr_t)walk_table_ptr(mfn, 1),
        .count = page && is_counted(pfn) ? page_note(page) : NULL,
    };
    return &last;
}

/* The live L1 table that maps @va, or NULL.  Good until tables change. */
static inline const struct l1 *find_l1(mfn_t l4, uintptr_t va)
{
    if (likely(last.span == (va & ~(SPAN - 1)) && mfn_eq(last.l4, l4)))
        return &last;
    return find_l1_slow(l4, va);
}

static maddr_t entry_maddr(const struct l1 *l1, uintptr_t va)
{
    return maddr_add(mfn_to_maddr(l1->mfn),
                     pt_index(_vaddr(va), 1) * sizeof(pte_t));
}

pte_t map_query(mfn_t l4, vaddr_t va)
{
    const struct l1 *l1 = find_l1(l4, vaddr_x(va));

    return (pte_t){ l1 ? l1->table[pt_index(va, 1)] : 0 };
}

/* The translations of @n pages from @va on are stale; many are as good as all. */
static void flush_span(uintptr_t va, uint64_t n)
{
    for (uint64_t i = 0; i < MIN(n, MMU_INVLPG_MAX + 1ul); i++)
        mmu_flush_page(_vaddr(va + i * PAGE_SIZE));
}

/* How many of the @n entries from that of @va on are present? */
static unsigned int count_present(const struct l1 *l1, uintptr_t va,
                                  unsigned int n)
{
    const uint64_t *p = &l1->table[pt_index(_vaddr(va), 1)];
    unsigned int present = 0;

    for (const uint64_t *end = p + n; p < end; p++)
        present += *p & PTE_P;
    return present;
}

/* Are all pages of [va, end) mapped (or none)? */
static bool all_present(mfn_t l4, uintptr_t va, uintptr_t end, bool present)
{
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);
        const struct l1 *l1 = find_l1(l4, va);

        if (l1 == NULL ? present
                       : count_present(l1, va, n) != (present ? n : 0))
            return false;
        va += n * PAGE_SIZE;
    }
    return true;
}

/*
 * Mapping: one batch of spans is one change.
 */

/* Take back what a change has put into live tables: all of [va, end). */
static void clear_entries(mfn_t l4, uintptr_t va, uintptr_t end)
{
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);
        const struct l1 *l1 = find_l1(l4, va);

        if (l1 != NULL)
            mmu_clear_run(entry_maddr(l1, va), n);
        va += n * PAGE_SIZE;
    }
}

/* The counts of the tables that a change went into. */
static void count_entries(mfn_t l4, uintptr_t va, uintptr_t end)
{
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);
        const struct l1 *l1 = find_l1(l4, va);

        if (l1->count != NULL)
            *l1->count += n;
        va += n * PAGE_SIZE;
    }
}

/* A new L1 for the @n pages from @va on. */
static int map_new_table(uintptr_t va, const mfn_t *frames, unsigned int n,
                         uint64_t flags)
{
    uint64_t *table, *entry;
    maddr_t live;
    const int rc = ptab_l1(&txn, _vaddr(va), n == PT_ENTRIES, &table, &live);

    if (rc != 0)
        return rc;
    *page_note(table) = COUNTED;
    entry = &table[pt_index(_vaddr(va), 1)];
    for (const mfn_t *end = frames + n; frames < end; frames++)
        *entry++ = pte_make(*frames, flags).raw;
    return 0;
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
        const struct l1 *l1 = find_l1(l4, va);

        if (l1 != NULL)
            mmu_set_run(entry_maddr(l1, va), frames, flags, n);
        else
            rc = map_new_table(va, frames, n, flags);
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
    if (rc == 0) {
        count_entries(l4, start, end);
    } else {
        /* A full queue may have sent entries before it came to this. */
        clear_entries(l4, start, end);
        mmu_flush_all();
        BUG_ON(mmu_send() != 0);
        ptab_undo(&txn);
        forget_last();
    }
    BUG_ON(mmu_end() != 0);
    return rc;
}

/*
 * One entry of a live table of the space we run on: update_va_mapping finds the
 * entry itself, and flushes in the same hypercall if told to.
 */
static int write_one(const struct l1 *l1, vaddr_t va, pte_t pte,
                     unsigned long flush)
{
    const int rc = mmu_set_va_now(va, pte, flush);

    if (rc == 0 && l1->count != NULL)
        *l1->count += pte_present(pte) ? 1 : -1;
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
    if (nr == 1 && mfn_eq(l4, walk_current_l4())) {
        const struct l1 *l1 = find_l1(l4, va);

        if (l1 != NULL)
            return write_one(l1, at, pte_make(*frames, flags), UVMF_NONE);
    }

    while (va < end) {
        const uint64_t n =
            (next_boundary(va, end, BATCH_SPAN) - va) / PAGE_SIZE;

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

static bool is_empty(const uint64_t *table)
{
    uint64_t any = 0;

    for (unsigned int i = 0; i < PT_ENTRIES && !any; i++)
        any = table[i] & PTE_P;
    return !any;
}

/* Tables that a change unhooks, to be freed once Xen has let go of them. */
static struct {
    void *pages[32];
    unsigned int nr;
} unhooked;

static void queue_unhook(mfn_t parent, unsigned int level, vaddr_t va,
                         void *page)
{
    mmu_set_pte(
        maddr_add(mfn_to_maddr(parent), pt_index(va, level) * sizeof(pte_t)),
        (pte_t){ 0 });
    unhooked.pages[unhooked.nr++] = page;
}

/* The table of @level on the way to @va, where all above it are there. */
static mfn_t table_of(mfn_t l4, vaddr_t va, unsigned int level)
{
    mfn_t table = l4;

    for (unsigned int i = PT_LEVELS; i > level; i--)
        table = pte_mfn(walk_entry(table, i, pt_index(va, i)));
    return table;
}

/*
 * Take [va, +n), which one L1 maps, out of the space: by its entries, or, when
 * nothing else is in there, by the table.
 */
static void unmap_span(mfn_t l4, uintptr_t va, unsigned int n)
{
    const struct l1 *l1 = find_l1(l4, va);

    if (l1->count != NULL && *l1->count == (COUNTED | n)) {
        /* Xen flushes by itself after a change of an L2. */
        queue_unhook(table_of(l4, _vaddr(va), 2), 2, _vaddr(va),
                     kaddr_lookup(m2p_lookup(l1->mfn)));
        return;
    }
    if (l1->count != NULL)
        *l1->count -= n;
    mmu_clear_run(entry_maddr(l1, va), n);
    flush_span(va, n);
}

/* Send, then give back what was unhooked. */
static void finish_unhooking(void)
{
    for (unsigned int i = 0; i < unhooked.nr; i++)
        ptab_set_rights(unhooked.pages[i], PTE_DATA);
    /* Clearing entries of ours needs nothing that could be missing. */
    BUG_ON(mmu_send() != 0);
    if (unhooked.nr > 0)
        forget_last();
    while (unhooked.nr > 0)
        page_free(unhooked.pages[--unhooked.nr], 0);
}

/* Tables of @level that have become empty go as well. */
static void reclaim(mfn_t l4, uintptr_t start, uintptr_t end,
                    unsigned int level)
{
    const uint64_t span = 1ul << pt_shift(level + 1);

    for (uintptr_t va = start; va < end; va = next_boundary(va, end, span)) {
        const mfn_t parent = table_of(l4, _vaddr(va), level + 1);
        const pte_t pte =
            walk_entry(parent, level + 1, pt_index(_vaddr(va), level + 1));
        const pfn_t pfn = m2p_lookup(pte_mfn(pte));

        if (!pte_present(pte) || pte.raw & PTE_PSE || is_builders(pfn) ||
            kaddr_lookup(pfn) == NULL || !is_empty(kaddr_lookup(pfn)))
            continue;
        queue_unhook(parent, level + 1, _vaddr(va), kaddr_lookup(pfn));
        finish_unhooking();
    }
}

/* True when tables went. */
static bool unmap_batch(mfn_t l4, uintptr_t va, uintptr_t end)
{
    bool gone;

    while (va < end) {
        const uint64_t n = pages_in_span(va, end);

        unmap_span(l4, va, n);
        va += n * PAGE_SIZE;
    }
    gone = unhooked.nr > 0;
    finish_unhooking();
    return gone;
}

int unmap_pages(mfn_t l4, vaddr_t at, uint64_t nr)
{
    uintptr_t va = vaddr_x(at);
    const uintptr_t end = va + nr * PAGE_SIZE;
    const int rc = check_range(at, nr);
    bool gone = false;

    if (rc != 0)
        return rc;
    if (!all_present(l4, va, end, true))
        return -ENOENT;
    if (nr == 1 && mfn_eq(l4, walk_current_l4())) {
        const struct l1 *l1 = find_l1(l4, va);

        if (l1->count == NULL || *l1->count > (COUNTED | 1))
            return write_one(l1, at, (pte_t){ 0 }, UVMF_INVLPG);
    }

    mmu_begin();
    while (va < end) {
        const uintptr_t stop = next_boundary(va, end, BATCH_SPAN);

        gone |= unmap_batch(l4, va, stop);
        va = stop;
    }
    for (unsigned int level = 2; gone && level < PT_LEVELS; level++)
        reclaim(l4, vaddr_x(at), end, level);
    BUG_ON(mmu_end() != 0);
    return 0;
}

/*
 * Protecting.
 */

/* @old holds what the entries of [va, end) were; copy it from there. */
static void save_entries(mfn_t l4, uintptr_t va, uintptr_t end, uint64_t *old)
{
    while (va < end) {
        const uint64_t n = pages_in_span(va, end);
        const struct l1 *l1 = find_l1(l4, va);

        memcpy(old, &l1->table[pt_index(_vaddr(va), 1)], n * sizeof(*old));
        old += n;
        va += n * PAGE_SIZE;
    }
}

/* Write the entries of [va, end) from @old, with @flags for theirs if any. */
static void queue_entries(mfn_t l4, uintptr_t va, uintptr_t end,
                          const uint64_t *old, uint64_t flags)
{
    while (va < end) {
        const maddr_t at = entry_maddr(find_l1(l4, va), va);
        const uint64_t n = pages_in_span(va, end);

        for (uint64_t i = 0; i < n; i++) {
            pte_t pte = { *old++ };

            if (flags != 0)
                pte = pte_make(pte_mfn(pte), flags);
            /* These two are the CPU's; Xen adds what they are by then. */
            pte.raw &= ~(PTE_A | PTE_D);
            mmu_set_pte_keep_ad(maddr_add(at, i * sizeof(pte)), pte);
        }
        flush_span(va, n);
        va += n * PAGE_SIZE;
    }
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

    mmu_begin();
    queue_entries(l4, va, end, old, flags);
    rc = mmu_send();
    if (rc != 0) {
        mmu_drop();
        queue_entries(l4, va, end, old, 0);
        BUG_ON(mmu_send() != 0);
    }
    BUG_ON(mmu_end() != 0);
    page_free(old, order);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* Ranges of pages in a space: map, unmap, protect, query. */
#include <arch/vcpu.h>
#include <plinth/audit.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/l1.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/ptab.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/walk.h>

#define L2_SPAN (PT_ENTRIES * L1_SPAN)

/* The kernel's half begins behind the L4 slots that are Xen's. */
#define KERNEL_BASE (~0ul << 47 | (L4_XEN_LAST + 1ul) << pt_shift(4))

/* One change: this many L1 tables, or a whole new L2 with all of its own. */
#define BATCH_SPAN (32 * L1_SPAN)

static struct ptab_txn txns[MAX_VCPUS];

/*
 * Ranges and rights.
 */

/* The end of what lies in the @span-aligned block of @va, of [va, end). */
static uintptr_t next_boundary(uintptr_t va, uintptr_t end, uint64_t span)
{
    return MIN(end - 1, va | (span - 1)) + 1;
}

/* The pages of [va, end) that one L1 maps. */
static uint64_t pages_in_span(uintptr_t va, uintptr_t end)
{
    return (next_boundary(va, end, L1_SPAN) - va) / PAGE_SIZE;
}

/* Each part of [@start, @end) that one L1 maps: the @n pages from @va on. */
#define for_each_span(va, n, start, end)                                       \
    for (uintptr_t va = (start), n;                                            \
         va < (end) && (n = pages_in_span(va, end)) > 0; va += n * PAGE_SIZE)

static bool is_kernels(uintptr_t va)
{
    return va >> 63;
}

static int check_range(const struct space *space, vaddr_t va, uint64_t nr)
{
    const uint64_t start = vaddr_x(va), size = nr * PAGE_SIZE;
    const uint64_t end = start + size - 1;

    /* The last page there is has no address behind it, and is not for use. */
    if (start % PAGE_SIZE != 0 || start == 0 || nr == 0 || nr >> 40 != 0 ||
        end < start || end + 1 == 0)
        return -EINVAL;
    if (!is_kernels(start))
        return end >> 47 == 0 ? 0 : -EINVAL;
    /* Above Xen's part, and so canonical; not the self-map's. */
    if (space != &kernel_space || start < KERNEL_BASE ||
        (start < SELFMAP_END && end >= SELFMAP_BASE))
        return -EINVAL;
    return 0;
}

static int check_flags(uint64_t flags)
{
    return (flags & PTE_RW && !(flags & PTE_NX)) || !(flags & PTE_P) ? -EINVAL
                                                                     : 0;
}

/*
 * The frames to map: a list, or those from @first on.  Those of others, DOMID_IO
 * among them, Xen takes only entry by entry: what it meets in a whole table must
 * be the domain's own.
 */
struct frames {
    const mfn_t *list;
    mfn_t first;
    domid_t owner;
};

static bool is_foreign(struct frames f)
{
    return f.owner != DOMID_SELF;
}

static mfn_t next_frame(struct frames *f)
{
    if (f->list != NULL)
        return *f->list++;
    f->first = mfn_add(f->first, 1);
    return _mfn(mfn_x(f->first) - 1);
}

static void skip_frames(struct frames *f, uint64_t nr)
{
    if (f->list != NULL)
        f->list += nr;
    else
        f->first = mfn_add(f->first, nr);
}

/*
 * What Xen would say of a frame, for tables that it does not see yet: enough to
 * keep the wrong ones out, so that pinning can succeed.
 */
static int check_frames(struct frames f, uint64_t nr, uint64_t flags)
{
    for (; nr > 0; nr--) {
        const pfn_t pfn = m2p_lookup(next_frame(&f));

        if (pfn_eq(pfn, INVALID_PFN) || (flags & PTE_RW && ptab_is_table(pfn)))
            return -EBUSY;
    }
    return 0;
}

/*
 * Runs of entries in an L1 that is there.
 */
static uint64_t *entry_ptr(const struct l1 *l1, uintptr_t va)
{
    return &l1->table[pt_index(_vaddr(va), 1)];
}

static void fill_entries(uint64_t *entry, struct frames f, uint64_t n,
                         uint64_t flags)
{
    const uint64_t *end = entry + n;

    if (f.list != NULL)
        while (entry < end)
            *entry++ = pte_make(*f.list++, flags).raw;
    else
        while (entry < end)
            *entry++ = pte_make(next_frame(&f), flags).raw;
}

/* @n entries that Xen has to write. */
static void request_entries(maddr_t at, struct frames f, uint64_t n,
                            uint64_t flags)
{
    mfn_t list[32];

    if (f.list != NULL && !is_foreign(f)) {
        mmu_set_run(at, f.list, flags, n);
        return;
    }
    while (n > 0) {
        const unsigned int part = MIN(n, (uint64_t)ARRAY_SIZE(list));

        for (unsigned int i = 0; i < part; i++)
            list[i] = next_frame(&f);
        if (is_foreign(f))
            mmu_set_run_foreign(at, list, flags, part, f.owner);
        else
            mmu_set_run(at, list, flags, part);
        at = maddr_add(at, part * sizeof(pte_t));
        n -= part;
    }
}

static void set_entries(const struct space *space, const struct l1 *l1,
                        uintptr_t va, struct frames f, uint64_t n,
                        uint64_t flags)
{
    if (space->live)
        request_entries(l1_entry(l1, va), f, n, flags);
    else
        fill_entries(entry_ptr(l1, va), f, n, flags);
}

static void clear_entries(const struct space *space, const struct l1 *l1,
                          uintptr_t va, uint64_t n)
{
    if (space->live)
        mmu_clear_run(l1_entry(l1, va), n);
    else
        memset(entry_ptr(l1, va), 0, n * sizeof(uint64_t));
}

/*
 * The translations of @n pages from @va on are stale; many are as good as all.
 * Of a space that is loaded nowhere no TLB holds any.
 */
static void flush_span(const struct space *space, uintptr_t va, uint64_t n)
{
    if (space->users > 0)
        mmu_flush_pages(_vaddr(va), n);
}

/*
 * Are all of the @n entries from that of @va on present (or none)?  Eight at a
 * time, because most of an unmapping's own cost is here.
 */
static bool entries_present(const struct l1 *l1, uintptr_t va, unsigned int n,
                            bool present)
{
    const unsigned int first = pt_index(_vaddr(va), 1);
    const uint64_t *p = &l1->table[first], *end = p + n;
    uint64_t all = PTE_P;

    if (!present)
        return pt_next_present(l1->table, first, first + n) >= first + n;
    for (; end - p >= 8; p += 8)
        all &= p[0] & p[1] & p[2] & p[3] & p[4] & p[5] & p[6] & p[7];
    for (; p < end; p++)
        all &= *p;
    return all & PTE_P;
}

/* Are all pages of [va, end) mapped (or none)? */
static bool all_present(const struct space *space, uintptr_t start,
                        uintptr_t end, bool present)
{
    for_each_span (va, n, start, end) {
        const struct l1 *l1 = l1_find(space, va);

        if (l1 == NULL ? present : !entries_present(l1, va, n, present))
            return false;
    }
    return true;
}

/*
 * The entry for @va of *@level, or the one above it where the way down ends; then
 * *@level is that one's.
 */
static pte_t walk_down(const struct space *space, uintptr_t va,
                       unsigned int *level)
{
    unsigned int i = PT_LEVELS;
    mfn_t table = space->l4;
    pte_t pte;

    for (;; i--) {
        pte = walk_entry(table, i, pt_index(_vaddr(va), i));
        if (i == *level || !pte_present(pte) || pte.raw & PTE_PSE)
            break;
        table = pte_mfn(pte);
    }
    *level = i;
    return pte;
}

/* The entry of @level for @va; not present where no table of that level is. */
static pte_t upper_entry(const struct space *space, uintptr_t va,
                         unsigned int level)
{
    unsigned int found = level;
    const pte_t pte = walk_down(space, va, &found);

    return found == level ? pte : (pte_t){ 0 };
}

pte_t space_query(struct space *space, vaddr_t va)
{
    unsigned int level = 2;
    const struct l1 *l1;
    pte_t pte;

    spin_lock(&space->lock);
    l1 = l1_find(space, vaddr_x(va));
    if (l1 != NULL) {
        pte.raw = *entry_ptr(l1, vaddr_x(va));
    } else {
        /* Xen may have mapped the P2M of a dom0 by large pages. */
        pte = walk_down(space, vaddr_x(va), &level);
        if (!(pte.raw & PTE_PSE))
            pte.raw = 0;
    }
    spin_unlock(&space->lock);
    return pte;
}

/*
 * Around each change of a range: the space is locked in between.  Not so when the
 * range is none, which begin_change() says.
 */
static inline int begin_change(struct space *space, vaddr_t va, uint64_t nr)
{
    const int rc = check_range(space, va, nr);

    if (rc == 0)
        spin_lock(&space->lock);
    return rc;
}

/* The change has ended with @rc. */
static inline int end_change(struct space *space, int rc)
{
    spin_unlock(&space->lock);
    audit_count();
    return rc;
}

/*
 * Mapping: one batch of spans is one change.
 */
static void *get_table(void)
{
    return page_alloc(0);
}

static void put_table(void *page)
{
    page_free(page, 0);
}

/* Take back what a change has put into tables that were there. */
static void undo_entries(struct space *space, uintptr_t start, uintptr_t end)
{
    for_each_span (va, n, start, end) {
        const struct l1 *l1 = l1_find(space, va);

        if (l1 != NULL)
            clear_entries(space, l1, va, n);
    }
}

/* The counts of the tables that a change went into. */
static void count_entries(struct space *space, uintptr_t start, uintptr_t end)
{
    for_each_span (va, n, start, end) {
        const struct l1 *l1 = l1_find(space, va);

        if (l1->note != NULL)
            *l1->note += n;
    }
}

/* A new L3 of the kernel's half goes into every L4, and stays. */
static void keep_kernel_l3(const struct ptab_txn *txn)
{
    for (unsigned int i = 0; i < txn->nr_links; i++)
        if (txn->links[i].level == PT_LEVELS &&
            maddr_x(txn->links[i].at) % PAGE_SIZE / sizeof(pte_t) > L4_XEN_LAST)
            page_keep(kaddr_lookup_mfn(pte_mfn(txn->links[i].pte)));
}

/* A new L1 for the @n pages from @va on. */
static int map_new_table(struct ptab_txn *txn, uintptr_t va, struct frames f,
                         unsigned int n, uint64_t flags)
{
    uint64_t *table;
    maddr_t live;
    const bool whole = n == PT_ENTRIES && !is_foreign(f);
    const int rc = ptab_l1(txn, _vaddr(va), whole, &table, &live);

    if (rc == 0 && !is_foreign(f))
        fill_entries(&table[pt_index(_vaddr(va), 1)], f, n, flags);
    return rc;
}

/* The entries of [start, end) in tables that are all there by now. */
static int map_foreign(struct space *space, uintptr_t start, uintptr_t end,
                       struct frames f, uint64_t flags)
{
    for_each_span (va, n, start, end) {
        set_entries(space, l1_find(space, va), va, f, n, flags);
        skip_frames(&f, n);
    }
    return mmu_send();
}

/* Queue the entries of [start, end), in tables that are there and in new ones. */
static int queue_new(struct space *space, struct ptab_txn *txn, uintptr_t start,
                     uintptr_t end, struct frames f, uint64_t flags)
{
    for_each_span (va, n, start, end) {
        const struct l1 *l1 = l1_find(space, va);
        int rc = 0;

        if (l1 == NULL)
            rc = map_new_table(txn, va, f, n, flags);
        else if (!is_foreign(f))
            set_entries(space, l1, va, f, n, flags);
        if (rc != 0)
            return rc;
        skip_frames(&f, n);
    }
    return 0;
}

static int map_batch(struct space *space, uintptr_t start, uintptr_t end,
                     struct frames f, uint64_t flags)
{
    struct ptab_txn *txn = &txns[vcpu_id()];
    int rc;

    ptab_begin(txn, space, get_table, put_table);
    mmu_begin();
    rc = queue_new(space, txn, start, end, f, flags);

    /* New tables and entries of old ones leave in one mmu_update. */
    if (rc == 0) {
        ptab_queue(txn);
        rc = mmu_send();
    } else {
        mmu_drop();
    }
    if (rc == 0 && is_foreign(f))
        rc = map_foreign(space, start, end, f, flags);
    if (rc == 0) {
        ptab_done(txn);
        keep_kernel_l3(txn);
        count_entries(space, start, end);
    } else {
        /* A full queue may have sent entries before it came to this. */
        undo_entries(space, start, end);
        mmu_flush_all();
        BUG_ON(mmu_send() != 0);
        ptab_undo(txn);
        l1_forget();
    }
    BUG_ON(mmu_end() != 0);
    return rc;
}

/* Where a batch that begins at @va ends. */
static uintptr_t batch_end(const struct space *space, uintptr_t va,
                           uintptr_t end)
{
    const bool whole_l2 = va % L2_SPAN == 0 && end - va >= L2_SPAN &&
                          !pte_present(upper_entry(space, va, 3));

    return next_boundary(va, end, whole_l2 ? L2_SPAN : BATCH_SPAN);
}

/*
 * One entry of a live table that this vCPU sees: update_va_mapping finds the
 * entry itself, and flushes in the same hypercall if told to.
 */
static int write_one(const struct l1 *l1, uintptr_t va, pte_t pte,
                     unsigned long flush)
{
    const int rc = mmu_set_va_now(_vaddr(va), pte, flush);

    if (rc == 0 && l1->note != NULL)
        *l1->note += pte_present(pte) ? 1 : -1;
    return rc;
}

static bool is_seen(const struct space *space, uintptr_t va)
{
    return is_kernels(va) || mfn_eq(space->l4, walk_current_l4());
}

static int unmap_many(struct space *space, uintptr_t va, uintptr_t end,
                      bool empty);

/* Not inlined, here and below: a single page shall not pay for what this uses. */
static int __noinline map_many(struct space *space, uintptr_t start,
                               uintptr_t end, struct frames f, uint64_t flags)
{
    uintptr_t va = start;
    int rc = 0;

    if (!all_present(space, va, end, false))
        return -EEXIST;
    if (!space->live)
        rc = check_frames(f, (end - va) / PAGE_SIZE, flags);
    if (rc != 0)
        return rc;

    while (va < end) {
        const uintptr_t stop = batch_end(space, va, end);

        rc = map_batch(space, va, stop, f, flags);
        if (rc != 0)
            break;
        skip_frames(&f, (stop - va) / PAGE_SIZE);
        va = stop;
    }
    if (rc != 0 && va > start)
        BUG_ON(unmap_many(space, start, va, false) != 0);
    return rc;
}

static int map_range(struct space *space, uintptr_t va, uintptr_t end,
                     struct frames f, uint64_t flags)
{
    if (end - va == PAGE_SIZE && is_seen(space, va) && !is_foreign(f)) {
        const struct l1 *l1 = l1_find(space, va);

        if (l1 != NULL)
            return *entry_ptr(l1, va) & PTE_P
                       ? -EEXIST
                       : write_one(l1, va, pte_make(next_frame(&f), flags),
                                   UVMF_NONE);
    }
    return map_many(space, va, end, f, flags);
}

/*
 * Leaves of the user half of a space with a user mode are that mode's too; Xen
 * then makes them global.
 */
static uint64_t leaf_flags(const struct space *space, uint64_t flags)
{
    return mfn_x(space->user_l4) != 0 ? flags | PTE_USER : flags;
}

static int map_frames(struct space *space, vaddr_t va, struct frames f,
                      uint64_t nr, uint64_t flags)
{
    const uintptr_t start = vaddr_x(va);
    int rc = check_flags(flags);

    if (rc == 0)
        rc = begin_change(space, va, nr);
    if (rc != 0)
        return rc;
    if (is_foreign(f) && !space->live)
        rc = -EINVAL;
    else
        rc = map_range(space, start, start + nr * PAGE_SIZE, f,
                       leaf_flags(space, flags));
    return end_change(space, rc);
}

int space_map(struct space *space, vaddr_t va, const mfn_t *frames, uint64_t nr,
              uint64_t flags)
{
    return space_map_foreign(space, va, frames, nr, flags, DOMID_SELF);
}

int space_map_run(struct space *space, vaddr_t va, mfn_t first, uint64_t nr,
                  uint64_t flags)
{
    const struct frames f = { .first = first, .owner = DOMID_SELF };

    return map_frames(space, va, f, nr, flags);
}

int space_map_foreign(struct space *space, vaddr_t va, const mfn_t *frames,
                      uint64_t nr, uint64_t flags, domid_t owner)
{
    const struct frames f = { .list = frames, .owner = owner };

    return map_frames(space, va, f, nr, flags);
}

int space_map_io(struct space *space, vaddr_t va, mfn_t first, uint64_t nr,
                 uint64_t flags)
{
    const struct frames f = { .first = first, .owner = DOMID_IO };

    return map_frames(space, va, f, nr, flags);
}

/*
 * Unmapping.
 */

/* Tables on their way out: freed once Xen has let go of them. */
struct unhooked {
    struct space *space;
    bool empty; /* the entries are: these were reserved */
    struct page_list pages;
};

/* Take the table of @level - 1 on the way to @va out of that of @level. */
static void unhook(struct unhooked *u, unsigned int level, uintptr_t va)
{
    const mfn_t parent = level == PT_LEVELS
                             ? u->space->l4
                             : pte_mfn(upper_entry(u->space, va, level + 1));
    const unsigned int index = pt_index(_vaddr(va), level);

    page_list_push(&u->pages,
                   kaddr_lookup_mfn(pte_mfn(walk_entry(parent, level, index))));
    ptab_write(u->space, level,
               maddr_add(mfn_to_maddr(parent), index * sizeof(pte_t)),
               (pte_t){ 0 });
}

/*
 * Send, then give back what was unhooked, of [start, end).  True if anything was.
 */
static bool finish_unhooking(struct unhooked *u, uintptr_t start, uintptr_t end)
{
    void *page = page_list_next(&u->pages, NULL);
    const bool any = page != NULL;

    if (any)
        l1_forget_range(start, end);
    for (; page != NULL && u->space->live;
         page = page_list_next(&u->pages, page))
        ptab_set_rights(page, PTE_DATA);
    /* Clearing entries of ours needs nothing that could be missing. */
    BUG_ON(mmu_send() != 0);
    while ((page = page_list_pop(&u->pages)) != NULL)
        page_free(page, 0);
    return any;
}

/*
 * Take [va, +n), which one L1 maps, out of the space: by its entries, or, when
 * nothing else is in there, by the table.
 */
static void unmap_span(struct unhooked *u, uintptr_t va, unsigned int n)
{
    const struct l1 *l1 = l1_find(u->space, va);

    if (l1->note != NULL && *l1->note == (PTAB_TABLE | n)) {
        /* Xen flushes by itself after a change of an L2. */
        unhook(u, 2, va);
        return;
    }
    if (l1->note != NULL)
        *l1->note -= n;
    if (u->empty)
        return;
    clear_entries(u->space, l1, va, n);
    flush_span(u->space, va, n);
}

/* All that the L2 for @va maps, which is all present, goes with the L2. */
static void unmap_l2(struct unhooked *u, uintptr_t va)
{
    const uint64_t *l2 =
        kaddr_lookup_mfn(pte_mfn(upper_entry(u->space, va, 3)));

    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        page_list_push(&u->pages, kaddr_lookup_mfn(pte_mfn((pte_t){ l2[i] })));
    unhook(u, 3, va);
}

/* Does a table made here, with all its 512 L1 tables, map the 1 GiB at @va? */
static bool is_whole_l2(const struct space *space, uintptr_t va, uintptr_t end)
{
    const void *l2;

    if (va % L2_SPAN != 0 || end - va < L2_SPAN)
        return false;
    l2 = kaddr_lookup_mfn(pte_mfn(upper_entry(space, va, 3)));
    return l2 != NULL && ptab_note(l2) != NULL;
}

/* Tables of @level that have become empty go as well. */
static void reclaim(struct space *space, uintptr_t start, uintptr_t end,
                    unsigned int level)
{
    const uint64_t span = 1ul << pt_shift(level + 1);

    for (uintptr_t va = start; va < end; va = next_boundary(va, end, span)) {
        struct unhooked u = { .space = space };
        const pte_t pte = upper_entry(space, va, level + 1);
        const uint64_t *table = pte_present(pte) && !(pte.raw & PTE_PSE)
                                    ? kaddr_lookup_mfn(pte_mfn(pte))
                                    : NULL;

        if (table == NULL || ptab_note(table) == NULL ||
            pt_next_present(table, 0, PT_ENTRIES) < PT_ENTRIES)
            continue;
        unhook(&u, level + 1, va);
        finish_unhooking(&u, va, va + 1);
    }
}

/* Ends where a batch does; true when tables went. */
static bool unmap_batch(struct space *space, uintptr_t *from, uintptr_t end,
                        bool empty)
{
    struct unhooked u = { .space = space, .empty = empty };
    const bool whole = is_whole_l2(space, *from, end);
    const uintptr_t start = *from;
    const uintptr_t stop =
        next_boundary(start, end, whole ? L2_SPAN : BATCH_SPAN);

    if (whole)
        unmap_l2(&u, start);
    else
        for_each_span (va, n, start, stop)
            unmap_span(&u, va, n);
    *from = stop;
    return finish_unhooking(&u, start, stop);
}

static int __noinline unmap_many(struct space *space, uintptr_t start,
                                 uintptr_t end, bool empty)
{
    /* An L3 of the kernel's half is in every L4, and stays. */
    const unsigned int top = is_kernels(start) ? 2 : 3;
    uintptr_t va = start;
    bool gone = false;

    if (!all_present(space, va, end, !empty))
        return empty ? -EBUSY : -ENOENT;

    mmu_begin();
    while (va < end)
        gone |= unmap_batch(space, &va, end, empty);
    for (unsigned int level = 2; gone && level <= top; level++)
        reclaim(space, start, end, level);
    BUG_ON(mmu_end() != 0);
    return 0;
}

static int unmap_range(struct space *space, uintptr_t va, uintptr_t end)
{
    if (end - va == PAGE_SIZE && is_seen(space, va)) {
        const struct l1 *l1 = l1_find(space, va);

        if (l1 == NULL || !(*entry_ptr(l1, va) & PTE_P))
            return -ENOENT;
        if (l1->note == NULL || *l1->note > (PTAB_TABLE | 1))
            return write_one(l1, va, (pte_t){ 0 }, UVMF_INVLPG);
    }
    return unmap_many(space, va, end, false);
}

int space_unmap(struct space *space, vaddr_t va, uint64_t nr)
{
    const uintptr_t start = vaddr_x(va), end = start + nr * PAGE_SIZE;
    const int rc = begin_change(space, va, nr);

    return rc != 0 ? rc : end_change(space, unmap_range(space, start, end));
}

/*
 * Reserving: L1 tables whose entries somebody else will write.  A reserved entry
 * counts as a present one of its table, and so the table stays.
 */
static bool has_tables(const struct space *space, uintptr_t va, uintptr_t end)
{
    for (; va < end; va = next_boundary(va, end, L1_SPAN))
        if (l1_find(space, va) == NULL)
            return false;
    return true;
}

static int reserve_batch(struct space *space, uintptr_t start, uintptr_t end)
{
    struct ptab_txn *txn = &txns[vcpu_id()];
    int rc = 0;

    if (has_tables(space, start, end)) {
        count_entries(space, start, end);
        return 0;
    }
    ptab_begin(txn, space, get_table, put_table);
    for_each_span (va, n, start, end) {
        uint64_t *table;
        maddr_t live;

        if (rc == 0 && l1_find(space, va) == NULL)
            rc = ptab_l1(txn, _vaddr(va), false, &table, &live);
    }
    if (rc != 0) {
        ptab_abort(txn);
        return rc;
    }
    rc = ptab_commit(txn);
    if (rc == 0) {
        keep_kernel_l3(txn);
        count_entries(space, start, end);
    }
    return rc;
}

static int reserve_range(struct space *space, uintptr_t start, uintptr_t end)
{
    uintptr_t va = start;
    int rc = all_present(space, start, end, false) ? 0 : -EEXIST;

    while (va < end && rc == 0) {
        const uintptr_t stop = next_boundary(va, end, BATCH_SPAN);

        rc = reserve_batch(space, va, stop);
        if (rc == 0)
            va = stop;
    }
    if (rc != 0 && va > start)
        BUG_ON(unmap_many(space, start, va, true) != 0);
    return rc;
}

int space_reserve(struct space *space, vaddr_t va, uint64_t nr)
{
    const uintptr_t start = vaddr_x(va), end = start + nr * PAGE_SIZE;
    const int rc = begin_change(space, va, nr);

    return rc != 0 ? rc : end_change(space, reserve_range(space, start, end));
}

int space_release(struct space *space, vaddr_t va, uint64_t nr)
{
    const uintptr_t start = vaddr_x(va), end = start + nr * PAGE_SIZE;
    int rc = begin_change(space, va, nr);

    if (rc != 0)
        return rc;
    rc = has_tables(space, start, end) ? unmap_many(space, start, end, true)
                                       : -ENOENT;
    return end_change(space, rc);
}

/*
 * Protecting.
 */

/* Copy the entries of [start, end) to @old. */
static void save_entries(struct space *space, uintptr_t start, uintptr_t end,
                         uint64_t *old)
{
    for_each_span (va, n, start, end) {
        memcpy(old, entry_ptr(l1_find(space, va), va), n * sizeof(*old));
        old += n;
    }
}

/*
 * Of an entry that @old was, with @flags for its own if any.  The A and D bits
 * are the CPU's; Xen adds what they are by then.
 */
static uint64_t changed(uint64_t old, uint64_t flags)
{
    const uint64_t kept = flags ? PTE_ADDR : ~(PTE_A | PTE_D);

    return (old & kept) | (flags & ~(PTE_A | PTE_D));
}

/* The @n entries from that of @va on become @ptes. */
static void write_entries(const struct space *space, const struct l1 *l1,
                          uintptr_t va, const uint64_t *ptes, unsigned int n)
{
    uint64_t *entry = entry_ptr(l1, va);

    if (space->live)
        mmu_set_run_keep_ad(l1_entry(l1, va), ptes, n);
    for (unsigned int i = 0; i < n && !space->live; i++)
        entry[i] = ptes[i] | (entry[i] & (PTE_A | PTE_D));
}

static inline bool is_same(uint64_t a, uint64_t b)
{
    return pte_same((pte_t){ a }, (pte_t){ b });
}

/* Only those that are not so already. */
static void protect_span(const struct space *space, uintptr_t va, uint64_t n,
                         const uint64_t *old, uint64_t flags)
{
    const struct l1 *l1 = l1_find(space, va);
    const uint64_t *entry = entry_ptr(l1, va);
    uint64_t first = n, end = 0;

    for (uint64_t i = 0; i < n; i++) {
        const uint64_t start = i;
        uint64_t new[32];

        for (; i < n && i - start < ARRAY_SIZE(new); i++) {
            new[i - start] = changed(old[i], flags);
            if (is_same(entry[i], new[i - start]))
                break;
        }
        if (i == start)
            continue;
        write_entries(space, l1, va + start * PAGE_SIZE, new, i - start);
        first = MIN(first, start);
        end = i--;
    }
    if (first < end)
        flush_span(space, va + first * PAGE_SIZE, end - first);
}

/* Write the entries of [start, end) from @old, with @flags for theirs if any. */
static void queue_entries(const struct space *space, uintptr_t start,
                          uintptr_t end, const uint64_t *old, uint64_t flags)
{
    for_each_span (va, n, start, end) {
        protect_span(space, va, n, old, flags);
        old += n;
    }
}

/*
 * One entry of a live table, which needs nothing to be kept: it is written or it is
 * not.
 */
static int protect_one(const struct space *space, uintptr_t va, uint64_t flags)
{
    const struct l1 *l1 = l1_find(space, va);
    uint64_t pte;

    if (l1 == NULL || !(*entry_ptr(l1, va) & PTE_P))
        return -ENOENT;
    pte = changed(*entry_ptr(l1, va), flags);
    if (is_same(*entry_ptr(l1, va), pte))
        return 0;
    return mmu_set_pte_keep_ad_now(l1_entry(l1, va), (pte_t){ pte },
                                   _vaddr(space->users > 0 ? va : 0));
}

static int protect_range(struct space *space, uintptr_t va, uintptr_t end,
                         uint64_t *old, uint64_t flags)
{
    int rc;

    save_entries(space, va, end, old);
    if (!space->live && flags & PTE_RW) {
        for (uint64_t i = 0; i < (end - va) / PAGE_SIZE; i++) {
            const mfn_t mfn = pte_mfn((pte_t){ old[i] });

            rc = check_frames(
                (struct frames){ .first = mfn, .owner = DOMID_SELF }, 1, flags);
            if (rc != 0)
                return rc;
        }
    }
    mmu_begin();
    queue_entries(space, va, end, old, flags);
    rc = mmu_send();
    if (rc != 0) {
        mmu_drop();
        queue_entries(space, va, end, old, 0);
        BUG_ON(mmu_send() != 0);
    }
    BUG_ON(mmu_end() != 0);
    return rc;
}

/* The first page of [start, end) that has not @flags already, or @end. */
static uintptr_t first_to_change(const struct space *space, uintptr_t start,
                                 uintptr_t end, uint64_t flags)
{
    for_each_span (va, n, start, end) {
        const uint64_t *entry = entry_ptr(l1_find(space, va), va);

        for (uint64_t i = 0; i < n; i++)
            if (!is_same(entry[i], changed(entry[i], flags)))
                return va + i * PAGE_SIZE;
    }
    return end;
}

static int protect_many(struct space *space, uintptr_t start, uint64_t nr,
                        uint64_t flags)
{
    const uintptr_t end = start + nr * PAGE_SIZE;
    unsigned int order;
    uint64_t *old;
    int rc;

    if (!all_present(space, start, end, true))
        return -ENOENT;
    start = first_to_change(space, start, end, flags);
    if (start == end)
        return 0;

    /* What was, in case that Xen refuses a part. */
    order = page_order_for((end - start) / PAGE_SIZE * sizeof(*old));
    old = page_alloc(order);
    rc = old == NULL ? -ENOMEM : protect_range(space, start, end, old, flags);
    page_free(old, order);
    return rc;
}

int space_protect(struct space *space, vaddr_t va, uint64_t nr, uint64_t flags)
{
    int rc = check_flags(flags);

    if (rc == 0)
        rc = begin_change(space, va, nr);
    if (rc != 0)
        return rc;

    flags = leaf_flags(space, flags);
    rc = nr == 1 && space->live ? protect_one(space, vaddr_x(va), flags)
                                : protect_many(space, vaddr_x(va), nr, flags);
    return end_change(space, rc);
}

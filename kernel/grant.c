/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/grant.h>
#include <plinth/heap.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/linear.h>
#include <plinth/options.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/space.h>
#include <plinth/spinlock.h>
#include <plinth/symbols.h>
#include <plinth/vmap.h>

/*
 * An entry that grants nothing is not looked at by Xen.  So the free ones are
 * chained through their frame fields; ref 0, which is the toolstack's, ends the
 * chain.  Entries from `fresh` on have never been used.
 */
static struct {
    struct spinlock lock;   /* guards all below and the free entries */
    unsigned int version;   /* 0: not set up */
    void *entries;          /* room for max_frames; frames are mapped */
    grant_status_t *status; /* version 2 */
    uint32_t **givers;      /* of each frame's entries: who gave them.. */
    unsigned int frames, max_frames;
    grant_ref_t fresh, free;
    unsigned int used;
    /* Ended, and mapped by their peers; 0 ends the chain. */
    grant_ref_t first_waiting, last_waiting;
    unsigned int waiting;
    unsigned int mapped; /* added to and taken from without the lock */
} table;

/*
 * Entries.
 */
static unsigned int entry_shift(void)
{
    return table.version == 1 ? 3 : 4;
}

static unsigned int nr_refs(unsigned int frames)
{
    BUILD_BUG_ON(sizeof(grant_entry_v1_t) != 1 << 3);
    BUILD_BUG_ON(sizeof(grant_entry_v2_t) != 1 << 4);
    return frames << (PAGE_SHIFT - entry_shift());
}

/* Version 2 keeps what Xen says of an entry apart from it, in frames like these. */
static unsigned int status_frames(unsigned int frames)
{
    const size_t bytes = nr_refs(frames) * sizeof(grant_status_t);

    return table.version == 1 ? 0 : ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE;
}

/* Both versions begin with this. */
static grant_entry_header_t *header(grant_ref_t ref)
{
    return (grant_entry_header_t *)((uint8_t *)table.entries +
                                    ((size_t)ref << entry_shift()));
}

static void set_frame(grant_ref_t ref, uint64_t frame)
{
    if (table.version == 1)
        ((grant_entry_v1_t *)header(ref))->frame = frame;
    else
        ((grant_entry_v2_t *)header(ref))->full_page.frame = frame;
}

static uint64_t get_frame(grant_ref_t ref)
{
    return table.version == 1
               ? ((grant_entry_v1_t *)header(ref))->frame
               : ((grant_entry_v2_t *)header(ref))->full_page.frame;
}

/* ..as the place behind the call of grant_access(), from _text on. */
static uint32_t *giver(grant_ref_t ref)
{
    return &table.givers[ref >> (PAGE_SHIFT - entry_shift())]
                        [ref & (nr_refs(1) - 1)];
}

static const void *page_of(grant_ref_t ref)
{
    return kaddr_lookup_mfn(_mfn(get_frame(ref)));
}

/* Chained by the links of their pages. */
static grant_ref_t *next_waiting(grant_ref_t ref)
{
    return page_link(kaddr_pfn(page_of(ref)));
}

static bool is_waiting(grant_ref_t ref)
{
    grant_ref_t r = table.waiting > 0 ? table.first_waiting : 0;

    while (r != 0 && r != ref)
        r = *next_waiting(r);
    return r != 0;
}

/* Is it somebody's?  Those that wait are ours. */
static inline bool in_use(grant_ref_t ref)
{
    return ref >= GNTTAB_NR_RESERVED_ENTRIES && ref < table.fresh &&
           (header(ref)->flags & GTF_type_mask) == GTF_permit_access &&
           !is_waiting(ref);
}

/*
 * Version 1: Xen's part and ours are one word, which can be taken as a whole
 * only while the peer does not change it.  A peer that does so all the time is
 * as good as one that has it mapped.
 */
static int revoke_v1(grant_entry_header_t *entry)
{
    uint16_t flags = __atomic_load_n(&entry->flags, __ATOMIC_RELAXED);

    for (unsigned int tries = 0; tries < 5; tries++) {
        if (flags & (GTF_reading | GTF_writing))
            return -EBUSY;
        if (__atomic_compare_exchange_n(&entry->flags, &flags, 0, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return 0;
    }
    return -EBUSY;
}

/* Version 2: Xen sets the status first and then looks at the flags again. */
static int revoke_v2(grant_entry_header_t *entry, const grant_status_t *status)
{
    const uint16_t flags = entry->flags;

    __atomic_store_n(&entry->flags, 0, __ATOMIC_SEQ_CST);
    if (!(__atomic_load_n(status, __ATOMIC_SEQ_CST) &
          (GTF_reading | GTF_writing)))
        return 0;
    __atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
    return -EBUSY;
}

static inline int revoke(grant_ref_t ref)
{
    return table.version == 1 ? revoke_v1(header(ref))
                              : revoke_v2(header(ref), &table.status[ref]);
}

static void put_ref(grant_ref_t ref)
{
    set_frame(ref, table.free);
    table.free = ref;
    table.used--;
}

/*
 * The table.
 */
static int status_to_errno(int16_t status)
{
    static const int errnos[] = {
        [-GNTST_okay] = 0,
        [-GNTST_general_error] = EIO,
        [-GNTST_bad_domain] = ESRCH,
        [-GNTST_bad_gntref] = ENOENT,
        [-GNTST_bad_handle] = EBADF,
        [-GNTST_bad_virt_addr] = EFAULT,
        [-GNTST_bad_dev_addr] = EFAULT,
        [-GNTST_no_device_space] = ENOSPC,
        [-GNTST_permission_denied] = EPERM,
        [-GNTST_bad_page] = EINVAL,
        [-GNTST_bad_copy_arg] = EINVAL,
        [-GNTST_address_too_big] = ERANGE,
        [-GNTST_eagain] = EAGAIN,
        [-GNTST_no_space] = ENOSPC,
    };

    if (likely(status == GNTST_okay))
        return 0;
    return status > 0 || -status >= (int)ARRAY_SIZE(errnos) ? -EIO
                                                            : -errnos[-status];
}

/* The frames of the table, which Xen extends to @nr. */
static int get_entry_frames(mfn_t *list, unsigned int nr)
{
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = nr };
    int rc;

    set_xen_guest_handle(op.frame_list, (xen_pfn_t *)list);
    rc = hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1);
    if (rc == 0 && op.status == GNTST_general_error)
        rc = -ENOMEM; /* the number is in bounds */
    return rc != 0 ? rc : status_to_errno(op.status);
}

static int get_status_frames(mfn_t *list, unsigned int nr)
{
    struct gnttab_get_status_frames op = { .dom = DOMID_SELF, .nr_frames = nr };
    int rc;

    set_xen_guest_handle(op.frame_list, (uint64_t *)list);
    rc = hypercall_grant_table_op(GNTTABOP_get_status_frames, &op, 1);
    return rc != 0 ? rc : status_to_errno(op.status);
}

/* Page @n at @base becomes the last of the @n + 1 frames in @list. */
static int map_frame(void *base, const mfn_t *list, unsigned int n)
{
    return space_map(&kernel_space,
                     ptr_to_vaddr((uint8_t *)base + n * PAGE_SIZE), &list[n], 1,
                     MAP_RW);
}

static void unmap_frames(void *base, unsigned int first, unsigned int nr)
{
    const vaddr_t va = ptr_to_vaddr((uint8_t *)base + first * PAGE_SIZE);

    if (nr > 0)
        BUG_ON(space_unmap(&kernel_space, va, nr) != 0);
}

static int grow_by(mfn_t *list)
{
    const unsigned int n = table.frames, s = status_frames(n);
    int rc = get_entry_frames(list, n + 1);

    if (rc == 0)
        rc = map_frame(table.entries, list, n);
    if (rc != 0 || status_frames(n + 1) == s)
        return rc;

    rc = get_status_frames(list, s + 1);
    if (rc == 0)
        rc = map_frame(table.status, list, s);
    if (rc != 0)
        unmap_frames(table.entries, n, 1);
    return rc;
}

static int grow(void)
{
    uint32_t *givers;
    mfn_t *list;
    int rc = -ENOMEM;

    if (table.frames == table.max_frames)
        return -ENOSPC;
    givers = calloc(nr_refs(1), sizeof(*givers));
    list = malloc((table.frames + 1) * sizeof(*list));
    if (givers != NULL && list != NULL)
        rc = grow_by(list);
    free(list);
    if (rc == 0)
        table.givers[table.frames++] = givers;
    else
        free(givers);
    return rc;
}

static int query_size(unsigned int *max_frames)
{
    struct gnttab_query_size op = { .dom = DOMID_SELF };
    int rc = hypercall_grant_table_op(GNTTABOP_query_size, &op, 1);

    if (rc == 0)
        rc = status_to_errno(op.status);
    *max_frames = op.max_nr_frames;
    return rc;
}

static int set_version(unsigned int version)
{
    struct gnttab_set_version op = { .version = version };

    return hypercall_grant_table_op(GNTTABOP_set_version, &op, 1);
}

/* Of what the machine needs, what Xen allows; *@version may say it already. */
static int choose_version(unsigned int *version)
{
    const bool asked = *version != 0;
    int rc;

    if (!asked)
        *version = options()->grant_version;
    if (*version == 0)
        *version = hypercall_memory_op(XENMEM_maximum_ram_page, NULL) >> 32 > 0
                       ? 2
                       : 1;
    rc = set_version(*version);
    if (rc == -ENOSYS && *version == 2 && !asked) {
        pr_warn("Xen allows no grant table of version 2");
        *version = 1;
        rc = set_version(1);
    }
    return rc;
}

static int reserve(void **p, unsigned int frames)
{
    *p = NULL;
    return frames > 0 ? vmap_reserve(frames, p) : 0;
}

static void release(void *p, unsigned int frames)
{
    if (p != NULL)
        vmap_release(p, frames);
}

static void release_all(void)
{
    for (unsigned int i = 0; i < table.frames; i++)
        free(table.givers[i]);
    free(table.givers);
    table.givers = NULL;
    release(table.entries, table.max_frames);
    release(table.status, status_frames(table.max_frames));
    table.entries = table.status = NULL;
    table.version = 0;
    table.fresh = 0;
}

static int start(unsigned int version)
{
    int rc = choose_version(&version);
    void *p;

    if (rc == 0)
        rc = query_size(&table.max_frames);
    if (rc != 0)
        return rc;

    table.version = version;
    table.frames = 0;
    table.fresh = GNTTAB_NR_RESERVED_ENTRIES;
    table.free = 0;
    rc = reserve(&table.entries, table.max_frames);
    if (rc == 0) {
        rc = reserve(&p, status_frames(table.max_frames));
        table.status = p;
    }
    if (rc == 0) {
        table.givers = malloc(table.max_frames * sizeof(*table.givers));
        rc = table.givers != NULL ? grow() : -ENOMEM;
    }
    if (rc != 0)
        release_all();
    return rc;
}

static int start_once(void)
{
    return likely(table.version != 0) ? 0 : start(0);
}

int grant_start(unsigned int version)
{
    int rc;

    if (version > 2)
        return -EINVAL;
    spin_lock(&table.lock);
    rc = table.version != 0 ? -EBUSY : start(version);
    spin_unlock(&table.lock);
    return rc;
}

/*
 * Addresses to map at.
 */

/*
 * Addresses of batches that have been unmapped, one of each power of two of
 * pages: to make one costs more than all else that mapping a page takes here.
 * A larger one than an L1 maps is not kept, as its tables are many.  Only ever
 * exchanged, so that no lock is needed.
 */
#define MAX_KEPT PT_ENTRIES
static void *kept[10];

/* How many pages an address for @nr of them has. */
static uint64_t address_size(unsigned int nr)
{
    return nr > 0 && nr <= MAX_KEPT
               ? 1ul << page_order_for(nr * (uint64_t)PAGE_SIZE)
               : nr;
}

/* Where one of that size is kept. */
static void **kept_slot(uint64_t size)
{
    BUILD_BUG_ON(1ul << (ARRAY_SIZE(kept) - 1) != MAX_KEPT);
    return &kept[__builtin_ctzl(size)];
}

static int get_address(unsigned int nr, void **p)
{
    const uint64_t size = address_size(nr);

    *p = NULL;
    if (size > 0 && size <= MAX_KEPT)
        *p = __atomic_exchange_n(kept_slot(size), NULL, __ATOMIC_ACQUIRE);
    return *p != NULL ? 0 : vmap_reserve(size, p);
}

/* Nothing is mapped at @p any more. */
static void put_address(void *p, unsigned int nr)
{
    const uint64_t size = address_size(nr);

    if (size <= MAX_KEPT)
        p = __atomic_exchange_n(kept_slot(size), p, __ATOMIC_ACQ_REL);
    if (p != NULL)
        vmap_release(p, size);
}

static bool drop_kept(void)
{
    bool any = false;

    for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
        void *p = __atomic_exchange_n(&kept[i], NULL, __ATOMIC_ACQUIRE);

        if (p != NULL)
            vmap_release(p, 1ul << i);
        any |= p != NULL;
    }
    return any;
}
PAGE_KEEPER(drop_kept);

/*
 * Giving.
 */
static void wait_for(grant_ref_t ref)
{
    *next_waiting(ref) = 0;
    if (table.waiting++ == 0)
        table.first_waiting = ref;
    else
        *next_waiting(table.last_waiting) = ref;
    table.last_waiting = ref;
}

/* Try the one that waits longest; it ends, or waits behind the others. */
static void retry_one(void)
{
    const grant_ref_t ref = table.first_waiting;
    const pfn_t pfn = kaddr_pfn(page_of(ref));

    table.first_waiting = *next_waiting(ref);
    table.waiting--;
    if (revoke(ref) == 0) {
        put_ref(ref);
        page_free(kaddr_lookup(pfn), 0);
    } else {
        wait_for(ref);
    }
}

static void retry_all(void)
{
    for (unsigned int n = table.waiting; n > 0; n--)
        retry_one();
}

unsigned int grant_retry(void)
{
    unsigned int waiting;

    spin_lock(&table.lock);
    retry_all();
    waiting = table.waiting;
    spin_unlock(&table.lock);
    return waiting;
}

int grant_stop(void)
{
    int rc = 0;

    spin_lock(&table.lock);
    retry_all();
    if (table.used > 0) {
        rc = -EBUSY;
    } else if (table.version != 0) {
        unmap_frames(table.entries, 0, table.frames);
        unmap_frames(table.status, 0, status_frames(table.frames));
        release_all();
    }
    if (rc == 0)
        (void)drop_kept();
    spin_unlock(&table.lock);
    return rc;
}

static int get_ref(grant_ref_t *ref)
{
    int rc = start_once();

    if (rc == 0 && table.waiting > 0)
        retry_one();
    if (rc == 0 && table.free == 0 && table.fresh == nr_refs(table.frames)) {
        retry_all();
        if (table.free == 0)
            rc = grow();
    }
    if (rc != 0)
        return rc;

    *ref = table.free;
    if (*ref != 0)
        table.free = get_frame(*ref);
    else
        *ref = table.fresh++;
    table.used++;
    return 0;
}

int grant_access(domid_t domid, pfn_t frame, bool readonly, grant_ref_t *ref)
{
    const mfn_t mfn = p2m_lookup(frame);
    grant_entry_header_t *entry;
    grant_ref_t r;
    int rc;

    if (mfn_eq(mfn, INVALID_MFN))
        return -EINVAL;

    spin_lock(&table.lock);
    rc = get_ref(&r);
    if (rc == 0 && table.version == 1 && mfn_x(mfn) >> 32 != 0) {
        put_ref(r);
        rc = -ERANGE;
    }
    if (rc == 0) {
        entry = header(r);
        entry->domid = domid;
        set_frame(r, mfn_x(mfn));
        *giver(r) = (uintptr_t)__builtin_return_address(0) - (uintptr_t)_text;
        /* Once the flags say that it grants, the rest must be there. */
        __atomic_store_n(&entry->flags,
                         GTF_permit_access | (readonly ? GTF_readonly : 0),
                         __ATOMIC_RELEASE);
        *ref = r;
    }
    spin_unlock(&table.lock);
    return rc;
}

int grant_end_access(grant_ref_t ref)
{
    int rc;

    spin_lock(&table.lock);
    rc = in_use(ref) ? revoke(ref) : -EINVAL;
    if (rc == 0)
        put_ref(ref);
    spin_unlock(&table.lock);
    return rc;
}

int grant_end_access_and_free(grant_ref_t ref, void *page)
{
    int rc;

    spin_lock(&table.lock);
    rc = in_use(ref) && page != NULL && page_of(ref) == page ? revoke(ref)
                                                             : -EINVAL;
    if (rc == 0) {
        put_ref(ref);
        page_free(page, 0);
    } else if (rc == -EBUSY) {
        wait_for(ref);
    }
    spin_unlock(&table.lock);
    return rc;
}

/*
 * Mapping.
 */
#define NO_HANDLE (~0u) /* not mapped */

/* Xen flushes the TLBs once for as many. */
#define UNMAP_BATCH 32u

static void count_mapped(unsigned int n)
{
    __atomic_fetch_add(&table.mapped, n, __ATOMIC_RELAXED);
}

/* Those of @ops, a batch, that are mapped.  How many are unmapped now. */
static unsigned int __noinline unmap_batch(struct gnttab_map_grant_ref *ops,
                                           unsigned int nr, int *first_error)
{
    struct gnttab_unmap_grant_ref unmap[UNMAP_BATCH];
    struct gnttab_unmap_grant_ref *u = unmap;
    const struct gnttab_map_grant_ref *end = ops + nr;
    unsigned int done = 0;
    int rc;

    for (const struct gnttab_map_grant_ref *op = ops; op < end; op++)
        if (op->handle != NO_HANDLE)
            *u++ = (struct gnttab_unmap_grant_ref){
                .host_addr = op->host_addr,
                .handle = op->handle,
                .status = GNTST_general_error,
            };
    rc = hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, unmap, u - unmap);
    if (rc != 0 && *first_error == 0)
        *first_error = rc;

    u = unmap;
    for (struct gnttab_map_grant_ref *op = ops; op < end; op++) {
        if (op->handle == NO_HANDLE)
            continue;
        op->status = status_to_errno(u++->status);
        if (likely(op->status == 0)) {
            op->handle = NO_HANDLE;
            done++;
        } else if (*first_error == 0) {
            *first_error = op->status;
        }
    }
    return done;
}

static int unmap_all(struct gnttab_map_grant_ref *ops, unsigned int nr,
                     unsigned int *done)
{
    int rc = 0;

    *done = 0;
    for (unsigned int i = 0; i < nr; i += UNMAP_BATCH)
        *done += unmap_batch(&ops[i], MIN(nr - i, UNMAP_BATCH), &rc);
    count_mapped(-*done);
    return rc;
}

int grant_map(struct gnttab_map_grant_ref *ops, unsigned int nr, void **p)
{
    const struct gnttab_map_grant_ref *end = ops + nr;
    unsigned int mapped = nr;
    uint8_t *at;
    uintptr_t va;
    int rc = get_address(nr, (void **)&at);

    if (rc != 0)
        return rc;
    va = (uintptr_t)at;
    for (struct gnttab_map_grant_ref *op = ops; op < end; op++) {
        op->host_addr = va;
        op->flags = GNTMAP_host_map | (op->flags & GNTMAP_readonly);
        op->status = GNTST_general_error;
        va += PAGE_SIZE;
    }
    rc = hypercall_grant_table_op(GNTTABOP_map_grant_ref, ops, nr);

    for (struct gnttab_map_grant_ref *op = ops; op < end; op++) {
        if (likely(op->status == GNTST_okay))
            continue;
        op->status = status_to_errno(op->status);
        op->handle = NO_HANDLE;
        mapped--;
        if (rc == 0)
            rc = op->status;
    }
    count_mapped(mapped);
    if (rc == 0) {
        *p = at;
        return 0;
    }

    /* Should Xen refuse that, the address must not be used for anything else. */
    if (unmap_all(ops, nr, &mapped) == 0)
        put_address(at, nr);
    return rc;
}

int grant_unmap(struct gnttab_map_grant_ref *ops, unsigned int nr)
{
    unsigned int done;
    const int rc = unmap_all(ops, nr, &done);

    if (rc == 0 && done == 0)
        return -EINVAL;
    if (rc == 0)
        put_address((void *)(uintptr_t)ops[0].host_addr, nr);
    return rc;
}

/*
 * Copying.
 */
static bool copy_is_sane(const struct gnttab_copy *op)
{
    return op->source.offset + op->len <= (int)PAGE_SIZE &&
           op->dest.offset + op->len <= (int)PAGE_SIZE &&
           (op->flags & ~(GNTCOPY_source_gref | GNTCOPY_dest_gref)) == 0;
}

int grant_copy(struct gnttab_copy *ops, unsigned int nr)
{
    int rc = 0;

    for (unsigned int i = 0; i < nr; i++) {
        const bool sane = copy_is_sane(&ops[i]);

        ops[i].status = sane ? -EIO : -EINVAL;
        if (!sane)
            rc = -EINVAL;
    }
    if (rc != 0)
        return rc;

    for (unsigned int i = 0; i < nr; i++)
        ops[i].status = GNTST_general_error;
    rc = hypercall_grant_table_op(GNTTABOP_copy, ops, nr);
    for (unsigned int i = 0; i < nr; i++) {
        ops[i].status = status_to_errno(ops[i].status);
        if (rc == 0)
            rc = ops[i].status;
    }
    return rc;
}

struct grant_stats grant_stats(void)
{
    struct grant_stats stats;

    spin_lock(&table.lock);
    stats = (struct grant_stats){
        .version = table.version,
        .frames = table.version ? table.frames : 0,
        .max_frames = table.version ? table.max_frames : 0,
        .refs = table.version ? nr_refs(table.frames) : 0,
        .used = table.used,
        .waiting = table.waiting,
        .mapped = table.mapped,
    };
    spin_unlock(&table.lock);
    return stats;
}

/*
 * The report.
 */
struct row {
    uint16_t flags, in_use; /* GTF_*; in_use as Xen says, of us and the peer */
    domid_t domid;
    uint64_t mfn;
    uint32_t giver;
};

/* The entry of @ref, which may be free; false: there is none. */
static bool get_row(grant_ref_t ref, struct row *row)
{
    bool there;

    spin_lock(&table.lock);
    there = table.version != 0 && ref < table.fresh;
    if (there) {
        const uint16_t flags =
            __atomic_load_n(&header(ref)->flags, __ATOMIC_RELAXED);

        *row = (struct row){
            .flags = flags,
            .in_use = table.version == 1 ? flags : table.status[ref],
            .domid = header(ref)->domid,
            .mfn = get_frame(ref),
            .giver = *giver(ref),
        };
    }
    spin_unlock(&table.lock);
    return there;
}

static void print_row(grant_ref_t ref, const struct row *row)
{
    const pfn_t pfn = m2p_lookup(_mfn(row->mfn));
    const uint64_t rip = (uintptr_t)_text + row->giver;
    const char *by = "the toolstack";
    char address[24];
    uint64_t offset;

    if (ref >= GNTTAB_NR_RESERVED_ENTRIES)
        by = symbol_lookup(rip - 1, &offset);
    if (by == NULL) {
        snprintf(address, sizeof(address), "%p", (void *)rip);
        by = address;
    }
    say("%6u %6u  %8lx %8lx  %s  %s  %s\n", ref, row->domid, pfn_x(pfn),
        row->mfn, row->flags & GTF_readonly ? "r-" : "rw",
        row->in_use & GTF_writing   ? "rw"
        : row->in_use & GTF_reading ? "r-"
                                    : "--",
        by);
}

unsigned int grants_report(unsigned int max)
{
    unsigned int nr = 0;
    struct row row;

    say("   ref domain  pfn      mfn       may used  given by\n");
    for (grant_ref_t ref = 0; get_row(ref, &row); ref++) {
        if ((row.flags & GTF_type_mask) != GTF_permit_access)
            continue;
        if (nr++ < max)
            print_row(ref, &row);
    }
    if (nr > max)
        say("%u more\n", nr - max);
    return nr;
}

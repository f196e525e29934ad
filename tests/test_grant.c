/* SPDX-License-Identifier: MIT */
/*
 * Grants, with ourselves at both ends: a domain may map what it granted to its
 * own number.  BOTH() runs a test with each version of the table.
 */
#include <plinth/audit.h>
#include <plinth/grant.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/options.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/time.h>
#include <plinth/vmap.h>
#include <plinth/walk.h>

#include "abi.h"
#include "listen.h"

static uint64_t grants_used(void)
{
    return grant_stats().used;
}

static uint64_t grants_mapped(void)
{
    return grant_stats().mapped;
}

LEDGER(grants, grants_used);
LEDGER(mapped_grants, grants_mapped);

static domid_t self;

static void with_version(struct test_run *run_, unsigned int version,
                         void (*test)(struct test_run *run))
{
    int rc;

    if (grant_stop() != 0)
        SKIP("grants are in use");
    rc = grant_start(version);
    if (rc == -ENOSYS)
        SKIP("Xen does not allow this version");
    REQUIRE(rc == 0);
    EXPECT_EQ(grant_stats().version, version);
    self = own_domid();
    test(run_);
    EXPECT_EQ(grant_stop(), 0);
}

#define BOTH(name)                                                             \
    static void both_##name(struct test_run *run_ __unused);                   \
    TEST(grant_v1, name)                                                       \
    {                                                                          \
        with_version(run_, 1, both_##name);                                    \
    }                                                                          \
    TEST(grant_v2, name)                                                       \
    {                                                                          \
        with_version(run_, 2, both_##name);                                    \
    }                                                                          \
    static void both_##name(struct test_run *run_ __unused)

static void expect_sound(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

static int give(void *page, bool readonly, grant_ref_t *ref)
{
    return grant_access(self, kaddr_pfn(page), readonly, ref);
}

/* One page of ours: map it, as @flags say. */
static struct gnttab_map_grant_ref one;

static int map_one(grant_ref_t ref, uint32_t flags, void *p)
{
    one = (struct gnttab_map_grant_ref){
        .dom = self,
        .ref = ref,
        .flags = flags,
    };
    return grant_map(&one, 1, p);
}

static pte_t entry_of(const void *p)
{
    return space_query(&kernel_space, ptr_to_vaddr(p));
}

static struct trap store_at(volatile uint64_t *p)
{
    return CATCH_TRAP(*p = 1);
}

static struct trap load_at(const volatile uint64_t *p)
{
    return CATCH_TRAP((void)*p);
}

static struct trap call_at(const void *p)
{
    return CATCH_TRAP(((void (*)(void))(uintptr_t)p)());
}

BOTH(both_ends_see_the_same)
{
    uint64_t *page = page_alloc_zeroed(0), *p = NULL;
    grant_ref_t ref = 0;

    REQUIRE(page != NULL);
    REQUIRE(give(page, false, &ref) == 0);
    EXPECT(ref >= GNTTAB_NR_RESERVED_ENTRIES);
    EXPECT_EQ(grants_used(), 1);
    REQUIRE(map_one(ref, 0, &p) == 0);
    EXPECT_EQ(one.status, 0);
    EXPECT_EQ(grants_mapped(), 1);

    p[0] = 0x1234;
    page[511] = 0x5678;
    EXPECT_EQ(((volatile uint64_t *)page)[0], 0x1234);
    EXPECT_EQ(((volatile uint64_t *)p)[511], 0x5678);
    EXPECT(mfn_eq(pte_mfn(entry_of(p)), p2m_lookup(kaddr_pfn(page))));
    expect_sound(run_);

    EXPECT_EQ(grant_unmap(&one, 1), 0);
    EXPECT_EQ(load_at(p).vector, TRAP_PF);
    EXPECT_EQ(grant_end_access(ref), 0);
    page_free(page, 0);
}

static bool reports(grant_ref_t ref, const void *page, const char *may,
                    const char *does)
{
    const pfn_t pfn = kaddr_pfn(page);
    char line[120];

    snprintf(line, sizeof(line),
             "%6u %6u  %8lx %8lx  %s  %s  both_report_names_each", ref, self,
             pfn_x(pfn), mfn_x(p2m_lookup(pfn)), may, does);
    listen_start();
    (void)grants_report(~0u);
    (void)listen_end();
    return listen_has_line(line);
}

BOTH(report_names_each)
{
    void *page = page_alloc_zeroed(0), *p;
    grant_ref_t ref, second;
    unsigned int nr;
    char line[32];

    REQUIRE(page != NULL);
    REQUIRE(grant_access(self, kaddr_pfn(page), false, &ref) == 0);
    EXPECT(reports(ref, page, "rw", "--"));
    REQUIRE(map_one(ref, GNTMAP_readonly, &p) == 0);
    EXPECT(reports(ref, page, "rw", "r-"));
    EXPECT_EQ(grant_unmap(&one, 1), 0);
    REQUIRE(map_one(ref, 0, &p) == 0);
    EXPECT(reports(ref, page, "rw", "rw"));

    REQUIRE(grant_access(self, kaddr_pfn(page), true, &second) == 0);
    EXPECT(reports(second, page, "r-", "--"));
    listen_start();
    nr = grants_report(0);
    (void)listen_end();
    EXPECT(nr >= 2);
    snprintf(line, sizeof(line), "%u more", nr);
    EXPECT(listen_has_line(line));
    EXPECT_EQ(grant_end_access(second), 0);
    EXPECT(!reports(second, page, "r-", "--"));

    /* Ended, and kept until it is unmapped. */
    EXPECT_EQ(grant_end_access_and_free(ref, page), -EBUSY);
    EXPECT(reports(ref, page, "rw", "rw"));
    EXPECT_EQ(grant_unmap(&one, 1), 0);
    EXPECT_EQ(grant_retry(), 0);
    EXPECT(!reports(ref, page, "rw", "--"));
}

BOTH(readonly_cannot_be_written)
{
    uint64_t *page = page_alloc_zeroed(0), *p = NULL;
    grant_ref_t ref = 0;
    struct trap t;

    REQUIRE(page != NULL);
    for (unsigned int readonly = 0; readonly < 2; readonly++) {
        REQUIRE(give(page, readonly, &ref) == 0);
        /* The giver decides. */
        EXPECT_EQ(map_one(ref, 0, &p), readonly ? -EIO : 0);
        if (!readonly)
            EXPECT_EQ(grant_unmap(&one, 1), 0);

        REQUIRE(map_one(ref, GNTMAP_readonly, &p) == 0);
        t = store_at(p);
        EXPECT_EQ(t.vector, TRAP_PF);
        EXPECT_EQ(t.error & (PF_PRESENT | PF_WRITE), PF_PRESENT | PF_WRITE);
        EXPECT(!(entry_of(p).raw & PTE_RW));
        page[1] = readonly + 1;
        EXPECT_EQ(((volatile uint64_t *)p)[1], readonly + 1);
        EXPECT_EQ(page[0], 0);
        EXPECT_EQ(grant_unmap(&one, 1), 0);
        EXPECT_EQ(grant_end_access(ref), 0);
    }
    page_free(page, 0);
}

BOTH(nothing_is_executable)
{
    uint8_t *page = page_alloc_zeroed(0);
    grant_ref_t ref = 0;
    void *p = NULL;

    REQUIRE(page != NULL);
    page[0] = 0xc3; /* ret */
    REQUIRE(give(page, false, &ref) == 0);
    for (unsigned int flags = 0; flags <= GNTMAP_readonly;
         flags += GNTMAP_readonly) {
        struct trap t;

        REQUIRE(map_one(ref, flags, &p) == 0);
        t = call_at(p);
        EXPECT_EQ(t.vector, TRAP_PF);
        EXPECT_EQ(t.error & (PF_PRESENT | PF_FETCH), PF_PRESENT | PF_FETCH);
        EXPECT(entry_of(p).raw & PTE_NX);
        EXPECT_EQ(grant_unmap(&one, 1), 0);
    }
    EXPECT_EQ(grant_end_access(ref), 0);
    page_free(page, 0);
}

BOTH(mapped_cannot_be_ended)
{
    uint64_t *page = page_alloc_zeroed(0), *p = NULL;
    grant_ref_t ref = 0;

    REQUIRE(page != NULL);
    REQUIRE(give(page, false, &ref) == 0);
    for (unsigned int flags = 0; flags <= GNTMAP_readonly;
         flags += GNTMAP_readonly) {
        REQUIRE(map_one(ref, flags, &p) == 0);
        EXPECT_EQ(grant_end_access(ref), -EBUSY);
        EXPECT_EQ(grant_end_access(ref), -EBUSY);
        EXPECT_EQ(grant_stop(), -EBUSY);
        page[3] = flags;
        EXPECT_EQ(((volatile uint64_t *)p)[3], flags);
        EXPECT_EQ(grant_unmap(&one, 1), 0);
    }
    /* As before means that it can be mapped again. */
    REQUIRE(map_one(ref, 0, &p) == 0);
    EXPECT_EQ(grant_unmap(&one, 1), 0);
    EXPECT_EQ(grant_end_access(ref), 0);
    EXPECT_EQ(map_one(ref, 0, &p), -EIO);
    page_free(page, 0);
}

BOTH(mapped_page_is_freed_later)
{
    struct gnttab_map_grant_ref ops[3];
    uint64_t *pages[3], *p[3], *other = page_alloc_zeroed(0);
    grant_ref_t refs[3], ref = 0;

    REQUIRE(other != NULL);
    for (unsigned int i = 0; i < 3; i++) {
        pages[i] = page_alloc_zeroed(0);
        REQUIRE(pages[i] != NULL);
        REQUIRE(give(pages[i], false, &refs[i]) == 0);
        ops[i] = (struct gnttab_map_grant_ref){ .dom = self, .ref = refs[i] };
        REQUIRE(grant_map(&ops[i], 1, (void **)&p[i]) == 0);
        EXPECT_EQ(grant_end_access_and_free(refs[i], other), -EINVAL);
        EXPECT_EQ(grant_end_access_and_free(refs[i], pages[i]), -EBUSY);
        /* It is not ours to end any more. */
        EXPECT_EQ(grant_end_access_and_free(refs[i], pages[i]), -EINVAL);
        EXPECT_EQ(grant_end_access(refs[i]), -EINVAL);
    }
    EXPECT_EQ(grant_stats().waiting, 3);
    EXPECT_EQ(grant_retry(), 3);
    for (unsigned int i = 0; i < 3; i++) {
        EXPECT(page_is_allocated(pages[i]));
        *p[i] = 5; /* and is nobody else's yet */
    }

    EXPECT_EQ(grant_unmap(&ops[1], 1), 0);
    EXPECT_EQ(grant_end_access(refs[1]), -EINVAL);
    EXPECT_EQ(grant_retry(), 2);
    EXPECT(!page_is_allocated(pages[1]));

    /* Each new grant tries one. */
    EXPECT_EQ(grant_unmap(&ops[0], 1), 0);
    EXPECT_EQ(grant_unmap(&ops[2], 1), 0);
    for (unsigned int i = 0; i < 2; i++) {
        EXPECT_EQ(give(other, false, &ref), 0);
        EXPECT_EQ(grant_stats().waiting, 1 - i);
        EXPECT_EQ(grant_end_access(ref), 0);
    }
    EXPECT(!page_is_allocated(pages[0]) && !page_is_allocated(pages[2]));

    /* Not mapped: at once. */
    EXPECT_EQ(give(other, false, &ref), 0);
    EXPECT_EQ(grant_end_access_and_free(ref, other), 0);
    EXPECT(!page_is_allocated(other));
}

BOTH(misuse_is_refused)
{
    uint64_t *page = page_alloc_zeroed(0);
    grant_ref_t ref = 0;
    void *p = &p;

    REQUIRE(page != NULL);
    REQUIRE(give(page, false, &ref) == 0);

    /* Mapping: what is there, what is not, and whose. */
    EXPECT_EQ(grant_map(&one, 0, &p), -EINVAL);
    EXPECT_EQ(map_one(ref + 1, 0, &p), -EIO);
    EXPECT_EQ(map_one(grant_stats().refs, 0, &p), -ENOENT);
    EXPECT_EQ(map_one(~0u, 0, &p), -ENOENT);
    EXPECT_EQ(one.status, -ENOENT);
    one = (struct gnttab_map_grant_ref){ .dom = DOMID_SELF, .ref = ref };
    EXPECT_EQ(grant_map(&one, 1, &p), -ESRCH);
    one = (struct gnttab_map_grant_ref){ .dom = DOMID_NOBODY, .ref = ref };
    EXPECT_EQ(grant_map(&one, 1, &p), -ESRCH);
    EXPECT_EQ(grant_unmap(&one, 1), -EINVAL);
    EXPECT(p == &p);
    EXPECT_EQ(grant_end_access(ref), 0);

    /* Ending. */
    EXPECT_EQ(grant_end_access(ref), -EINVAL);
    EXPECT_EQ(grant_end_access_and_free(ref, page), -EINVAL);
    EXPECT_EQ(grant_end_access(0), -EINVAL);
    EXPECT_EQ(grant_end_access(GNTTAB_NR_RESERVED_ENTRIES - 1), -EINVAL);
    EXPECT_EQ(grant_end_access(ref + 1), -EINVAL);
    EXPECT_EQ(grant_end_access(grant_stats().refs), -EINVAL);
    EXPECT_EQ(grant_end_access(~0u), -EINVAL);

    /* Giving: no page of ours; and to somebody else. */
    EXPECT_EQ(grant_access(self, _pfn(p2m_size()), false, &ref), -EINVAL);
    EXPECT_EQ(grant_access(self + 1, kaddr_pfn(page), false, &ref), 0);
    EXPECT_EQ(map_one(ref, 0, &p), -EIO);
    EXPECT_EQ(grant_end_access(ref), 0);
    page_free(page, 0);
}

/* Xen does not let even a grant make a page table writable. */
BOTH(page_table_cannot_be_mapped_writable)
{
    grant_ref_t ref = 0;
    void *p = NULL;

    REQUIRE(grant_access(self, m2p_lookup(walk_current_l4()), false, &ref) ==
            0);
    EXPECT_EQ(map_one(ref, 0, &p), -EIO);
    EXPECT_EQ(grant_end_access(ref), 0);
}

/*
 * In a full table: what waits is tried, all of it.  Two of its references from
 * @first on, which are of @page, are so again at the end.
 */
static void expect_waiting_ones_are_used(struct test_run *run_,
                                         grant_ref_t first, void *page,
                                         unsigned int goes_first)
{
    struct gnttab_map_grant_ref held[2];
    grant_ref_t ref = 0;
    void *p;

    for (unsigned int i = 0; i < 2; i++) {
        void *other = page_alloc(0);

        REQUIRE(other != NULL);
        EXPECT_EQ(grant_end_access(first + i), 0);
        EXPECT_EQ(give(other, false, &ref), 0);
        EXPECT_EQ(ref, first + i);
        held[i] = (struct gnttab_map_grant_ref){ .dom = self, .ref = ref };
        REQUIRE(grant_map(&held[i], 1, &p) == 0);
        EXPECT_EQ(grant_end_access_and_free(ref, other), -EBUSY);
    }
    EXPECT_EQ(give(page, false, &ref), -ENOSPC);
    for (unsigned int n = 0; n < 2; n++) {
        const unsigned int i = goes_first ^ n;

        EXPECT_EQ(grant_unmap(&held[i], 1), 0);
        EXPECT_EQ(give(page, false, &ref), 0);
        EXPECT_EQ(ref, first + i);
        EXPECT_EQ(give(page, false, &ref), -ENOSPC);
    }
}

/* All the references that the domain may have; then all of them back. */
BOTH(runs_out_at_the_limit_and_recovers)
{
    const unsigned int per_frame = grant_stats().refs;
    uint64_t *page = page_alloc_zeroed(0), *p = NULL, sum = 0, n = 0;
    grant_ref_t ref = 0;
    unsigned int limit;

    REQUIRE(page != NULL);
    EXPECT_EQ(grant_stats().frames, 1);
    limit = grant_stats().max_frames * per_frame;
    while (n < limit && give(page, false, &ref) == 0) {
        sum += ref;
        n++;
    }
    EXPECT_EQ(n, limit - GNTTAB_NR_RESERVED_ENTRIES);
    EXPECT_EQ(sum, (uint64_t)limit * (limit - 1) / 2 - 28);
    EXPECT_EQ(give(page, false, &ref), -ENOSPC);
    EXPECT_EQ(grant_stats().frames, grant_stats().max_frames);

    /* The first and the last of each frame are where Xen looks for them. */
    for (unsigned int r = 0; r < limit; r += per_frame) {
        const grant_ref_t first = MAX(r, GNTTAB_NR_RESERVED_ENTRIES + 0u);

        EXPECT_EQ(map_one(first, 0, &p), 0);
        EXPECT_EQ(grant_end_access(first), -EBUSY);
        EXPECT_EQ(grant_unmap(&one, 1), 0);
        EXPECT_EQ(map_one(r + per_frame - 1, 0, &p), 0);
        EXPECT_EQ(grant_end_access(r + per_frame - 1), -EBUSY);
        EXPECT_EQ(grant_unmap(&one, 1), 0);
    }

    EXPECT_EQ(grant_end_access(limit / 2), 0);
    EXPECT_EQ(give(page, true, &ref), 0);
    EXPECT_EQ(ref, limit / 2);
    EXPECT_EQ(give(page, true, &ref), -ENOSPC);
    expect_waiting_ones_are_used(run_, limit / 2, page, 0);
    expect_waiting_ones_are_used(run_, limit / 2, page, 1);
    for (ref = GNTTAB_NR_RESERVED_ENTRIES; ref < limit; ref++)
        if (grant_end_access(ref) != 0)
            break;
    EXPECT_EQ(ref, limit);
    EXPECT_EQ(grants_used(), 0);
    page_free(page, 0);
}

/*
 * Batches.
 */
#define BATCH 512u
static struct gnttab_map_grant_ref ops[BATCH + 1], more_ops[40];
static grant_ref_t refs[BATCH];
static uint64_t *block;

static bool give_block(void)
{
    block = page_stats().free > 2048 ? page_alloc(9) : NULL;
    if (block == NULL)
        return false;
    for (unsigned int i = 0; i < BATCH; i++) {
        block[i * 512] = i;
        if (give(block + i * 512, false, &refs[i]) != 0) {
            bool ended = true;

            while (i-- > 0)
                ended &= grant_end_access(refs[i]) == 0;
            if (ended)
                page_free(block, 9);
            return false;
        }
    }
    return true;
}

static void set_ops(void)
{
    for (unsigned int i = 0; i < BATCH; i++)
        ops[i] = (struct gnttab_map_grant_ref){
            .dom = self,
            .ref = refs[i],
            .flags = i % 3 == 0 ? GNTMAP_readonly : 0,
        };
}

/* Nobody has them mapped, or they would not end. */
static void take_block(struct test_run *run_)
{
    unsigned int ended = 0;

    for (unsigned int i = 0; i < BATCH; i++)
        ended += grant_end_access(refs[i]) == 0;
    EXPECT_EQ(ended, BATCH);
    page_free(block, 9);
}

BOTH(batch_of_512)
{
    uint64_t *p = NULL;
    unsigned int right = 0;
    int rc;

    if (!give_block())
        SKIP("needs 8 MiB and 512 grants");
    set_ops();
    rc = grant_map(ops, BATCH, (void **)&p);
    EXPECT_EQ(rc, 0);
    if (rc != 0) {
        take_block(run_);
        return;
    }
    EXPECT_EQ(grants_mapped(), BATCH);
    for (unsigned int i = 0; i < BATCH; i++) {
        const bool readonly = i % 3 == 0;

        right += ops[i].status == 0 && p[i * 512] == i &&
                 !(entry_of(p + i * 512).raw & PTE_RW) == readonly;
        if (!readonly)
            p[i * 512 + 1] = ~i;
    }
    EXPECT_EQ(right, BATCH);
    EXPECT_EQ(store_at(p + 3 * 512).vector, TRAP_PF);
    for (unsigned int i = 0; i < BATCH; i++)
        if (i % 3 != 0)
            EXPECT_EQ(((volatile uint64_t *)block)[i * 512 + 1], (uint64_t)~i);
    expect_sound(run_);

    EXPECT_EQ(grant_unmap(ops, BATCH), 0);
    EXPECT_EQ(load_at(p).vector, TRAP_PF);
    EXPECT_EQ(load_at(p + 511 * 512).vector, TRAP_PF);
    EXPECT_EQ(grant_unmap(ops, BATCH), -EINVAL);
    take_block(run_);
}

BOTH(batch_with_a_bad_one_leaves_nothing)
{
    static const unsigned int bad[] = { 0, 1, 31, 32, 255, 511 };
    void *p = &p;

    if (!give_block())
        SKIP("needs 8 MiB and 512 grants");
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        unsigned int good = 0;

        set_ops();
        ops[bad[i]].ref = 0x7fffffff;
        EXPECT_EQ(grant_map(ops, BATCH, &p), -ENOENT);
        EXPECT_EQ(ops[bad[i]].status, -ENOENT);
        for (unsigned int j = 0; j < BATCH; j++)
            good += ops[j].status == 0;
        EXPECT_EQ(good, BATCH - 1);
        EXPECT_EQ(grants_mapped(), 0);
        EXPECT_EQ(grant_unmap(ops, BATCH), -EINVAL);
        EXPECT(p == &p);
    }
    take_block(run_);
}

/* The first of refs over and over: Xen maps one 128 times at most. */
#define FEW 8u
static void set_few(struct gnttab_map_grant_ref *op, unsigned int nr,
                    uint32_t flags)
{
    for (unsigned int i = 0; i < nr; i++)
        op[i] = (struct gnttab_map_grant_ref){
            .dom = self,
            .ref = refs[i % FEW],
            .flags = flags,
        };
}

/* @nr pages are mapped and unmapped: where, or NULL. */
static uint64_t *map_and_unmap(struct test_run *run_, unsigned int nr)
{
    uint64_t *p = NULL;

    set_few(ops, nr, 0);
    EXPECT_EQ(grant_map(ops, nr, (void **)&p), 0);
    if (p == NULL)
        return NULL;
    EXPECT_EQ(p[(nr - 1) * 512ul], 42);
    EXPECT_EQ(grant_unmap(ops, nr), 0);
    EXPECT_EQ(load_at(p).vector, TRAP_PF);
    EXPECT_EQ(load_at(p + (nr - 1) * 512ul).vector, TRAP_PF);
    return p;
}

static uint64_t addresses_free(void)
{
    return vmap_stats().free;
}

/* One of each power of two of pages is kept, until the table goes. */
BOTH(addresses_are_used_again)
{
    const unsigned int version = grant_stats().version;
    uint64_t *page = page_alloc_zeroed(0), *p, *q = NULL, free, at_first;

    REQUIRE(page != NULL);
    page[0] = 42;
    EXPECT_EQ(grant_stop(), 0);
    at_first = addresses_free();
    REQUIRE(grant_start(version) == 0);
    for (unsigned int i = 0; i < FEW; i++)
        REQUIRE(give(page, false, &refs[i]) == 0);

    for (unsigned int nr = 1; nr <= BATCH; nr *= 2) {
        free = addresses_free();
        p = map_and_unmap(run_, nr);
        free -= nr + 1;
        EXPECT_EQ(addresses_free(), free); /* its guard is not free either */
        EXPECT(map_and_unmap(run_, nr) == p);
        EXPECT(map_and_unmap(run_, nr / 2 + 1) == p);
        EXPECT_EQ(addresses_free(), free);
    }
    expect_sound(run_);

    /* Not while it is in use; of two that are free one goes back. */
    free = addresses_free();
    p = map_and_unmap(run_, 1);
    REQUIRE(map_one(refs[0], 0, &q) == 0);
    EXPECT(q == p);
    EXPECT(map_and_unmap(run_, 1) != p);
    EXPECT_EQ(grant_unmap(&one, 1), 0);
    EXPECT_EQ(addresses_free(), free);

    /* A batch that fails leaves its address as it was. */
    p = map_and_unmap(run_, 4);
    set_few(ops, 4, 0);
    ops[2].ref = 0x7fffffff;
    EXPECT_EQ(grant_map(ops, 4, (void **)&q), -ENOENT);
    EXPECT_EQ(load_at(p).vector, TRAP_PF);
    EXPECT_EQ(load_at(p + 3 * 512).vector, TRAP_PF);
    EXPECT(map_and_unmap(run_, 4) == p);

    /* More than an L1 maps is not kept. */
    (void)map_and_unmap(run_, BATCH + 1);
    EXPECT_EQ(addresses_free(), free);
    expect_sound(run_);

    for (unsigned int i = 0; i < FEW; i++)
        EXPECT_EQ(grant_end_access(refs[i]), 0);
    EXPECT_EQ(grant_stop(), 0);
    EXPECT_EQ(addresses_free(), at_first);
    page_free(page, 0);
}

/* What Xen does not unmap stays, with its address, until it does. */
BOTH(refused_unmap_can_be_repeated)
{
    grant_handle_t handle;
    uint64_t *p = NULL, *q = NULL;

    if (!give_block())
        SKIP("needs 8 MiB and 512 grants");
    set_ops();
    REQUIRE(grant_map(ops, 40, (void **)&p) == 0);
    handle = ops[33].handle;
    ops[33].handle = 0x7fffffff;
    EXPECT_EQ(grant_unmap(ops, 40), -EBADF);
    EXPECT_EQ(ops[33].status, -EBADF);
    EXPECT_EQ(grants_mapped(), 1);
    EXPECT_EQ(p[33 * 512], 33);
    EXPECT_EQ(load_at(p + 32 * 512).vector, TRAP_PF);
    EXPECT_EQ(load_at(p + 34 * 512).vector, TRAP_PF);
    EXPECT_EQ(grant_end_access(refs[33]), -EBUSY);
    EXPECT_EQ(ops[33].handle, 0x7fffffff); /* it counts as mapped */
    set_few(more_ops, 40, GNTMAP_readonly);
    EXPECT_EQ(grant_map(more_ops, 40, (void **)&q), 0);
    EXPECT(q != p);
    EXPECT_EQ(p[33 * 512], 33);
    EXPECT_EQ(grant_unmap(more_ops, 40), 0);
    EXPECT_EQ(p[33 * 512], 33);
    ops[33].handle = handle;
    EXPECT_EQ(grant_unmap(ops, 40), 0);
    EXPECT_EQ(load_at(p + 33 * 512).vector, TRAP_PF);
    take_block(run_);
}

/*
 * Copying.
 */
static struct gnttab_copy copies[4];

static uint64_t mfn_of(void *page)
{
    return mfn_x(p2m_lookup(kaddr_pfn(page)));
}

/* @len bytes of @from at 8 to @to at 16; a page is a frame or a reference. */
static struct gnttab_copy make_copy(uint64_t from, uint64_t to,
                                    unsigned int flags, uint16_t len)
{
    struct gnttab_copy op = {
        .source.domid = flags & GNTCOPY_source_gref ? self : DOMID_SELF,
        .source.offset = 8,
        .dest.domid = flags & GNTCOPY_dest_gref ? self : DOMID_SELF,
        .dest.offset = 16,
        .len = len,
        .flags = flags,
    };

    if (flags & GNTCOPY_source_gref)
        op.source.u.ref = from;
    else
        op.source.u.gmfn = from;
    if (flags & GNTCOPY_dest_gref)
        op.dest.u.ref = to;
    else
        op.dest.u.gmfn = to;
    return op;
}

BOTH(copy)
{
    uint64_t *a = page_alloc_zeroed(0);
    volatile uint64_t *b = page_alloc_zeroed(0);
    const unsigned int both = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    grant_ref_t from = 0, to = 0;

    REQUIRE(a != NULL && b != NULL);
    REQUIRE(give(a, true, &from) == 0);
    REQUIRE(give((void *)(uintptr_t)b, false, &to) == 0);
    for (unsigned int flags = 0; flags <= both; flags++) {
        memset((void *)(uintptr_t)b, 0xff, PAGE_SIZE);
        for (unsigned int i = 0; i < 512; i++)
            a[i] = flags << 16 | i;
        copies[0] = make_copy(
            flags & GNTCOPY_source_gref ? from : mfn_of(a),
            flags & GNTCOPY_dest_gref ? to : mfn_of((void *)(uintptr_t)b),
            flags, 80);
        EXPECT_EQ(grant_copy(copies, 1), 0);
        EXPECT_EQ(copies[0].status, 0);
        EXPECT_EQ(b[1], ~0ul);
        EXPECT_EQ(b[2], flags << 16 | 1);
        EXPECT_EQ(b[11], flags << 16 | 10);
        EXPECT_EQ(b[12], ~0ul);
    }
    /* Copying holds nothing. */
    EXPECT_EQ(grant_end_access(from), 0);
    EXPECT_EQ(grant_end_access(to), 0);
    page_free(a, 0);
    page_free((void *)(uintptr_t)b, 0);
}

BOTH(bad_copies)
{
    uint64_t *a = page_alloc_zeroed(0);
    volatile uint64_t *b = page_alloc_zeroed(0);
    void *to = (void *)(uintptr_t)b;
    grant_ref_t ref = 0;

    REQUIRE(a != NULL && b != NULL);
    REQUIRE(give(to, true, &ref) == 0);
    a[1] = 42;

    /* Each for itself: no such reference, only for reading, not by number. */
    copies[0] = make_copy(0x7fffffff, mfn_of(to), GNTCOPY_source_gref, 8);
    copies[1] = make_copy(mfn_of(a), ref, GNTCOPY_dest_gref, 8);
    copies[2] = make_copy(mfn_of(a), mfn_of(to), 0, 8);
    copies[3] = make_copy(mfn_of(a), mfn_of(to), 0, 8);
    copies[3].source.domid = self;
    EXPECT_EQ(grant_copy(copies, 4), -ENOENT);
    EXPECT_EQ(copies[0].status, -ENOENT);
    EXPECT_EQ(copies[1].status, -EIO);
    EXPECT_EQ(copies[2].status, 0);
    EXPECT_EQ(copies[3].status, -EPERM);
    EXPECT_EQ(b[2], 42);

    /* Out of the page: none of them. */
    b[2] = 0;
    copies[0] = make_copy(mfn_of(a), mfn_of(to), 0, 8);
    copies[1] = make_copy(mfn_of(a), mfn_of(to), 0, PAGE_SIZE - 15);
    EXPECT_EQ(grant_copy(copies, 2), -EINVAL);
    EXPECT_EQ(copies[0].status, -EIO);
    EXPECT_EQ(copies[1].status, -EINVAL);
    copies[1] = make_copy(mfn_of(a), mfn_of(to), 0, 8);
    copies[1].source.offset = 0xffff;
    EXPECT_EQ(grant_copy(copies, 2), -EINVAL);
    copies[1] = make_copy(mfn_of(a), mfn_of(to), 0, 8);
    copies[1].flags = 4;
    EXPECT_EQ(grant_copy(copies, 2), -EINVAL);
    EXPECT_EQ(b[2], 0);

    /* Up to its end is right. */
    copies[1] = make_copy(mfn_of(a), mfn_of(to), 0, PAGE_SIZE - 16);
    EXPECT_EQ(grant_copy(copies, 2), 0);
    EXPECT_EQ(b[2], 42);
    EXPECT_EQ(grant_end_access(ref), 0);
    page_free(a, 0);
    page_free(to, 0);
}

/*
 * Failures of ours.
 */
static int start_and_share(unsigned int version, void *page)
{
    grant_ref_t ref;
    void *p;
    int rc = grant_start(version);

    if (rc != 0)
        return rc;
    rc = give(page, false, &ref);
    if (rc != 0)
        return rc;
    rc = map_one(ref, 0, &p);
    if (rc == 0)
        rc = grant_unmap(&one, 1);
    if (grant_end_access(ref) != 0)
        rc = -EBUSY;
    return rc;
}

BOTH(every_failure_leaves_nothing)
{
    static void (*const inject[])(uint64_t) = { page_inject_failure,
                                                mmu_inject_failure };
    const unsigned int version = grant_stats().version;
    uint64_t *page = page_alloc_zeroed(0);

    REQUIRE(page != NULL);
    for (unsigned int i = 0; i < ARRAY_SIZE(inject); i++) {
        unsigned int n = 0;
        int rc;

        do {
            EXPECT_EQ(grant_stop(), 0);
            inject[i](++n);
            rc = start_and_share(version, page);
            inject[i](0);
        } while (rc == -ENOMEM);
        EXPECT_EQ(rc, 0);
        EXPECT(i == 0 || n > 1); /* pages may be at hand, requests are not */
    }
    expect_sound(run_);
    page_free(page, 0);
}

/*
 * Random steps on some pages: give, map, unmap, end; what must be refused is.
 */
#define SLOTS 24u
static struct slot {
    uint64_t *page, *mapped;
    struct gnttab_map_grant_ref op;
    grant_ref_t ref; /* 0: not given */
    bool readonly;
} slots[SLOTS];

static bool random_step(struct slot *s)
{
    grant_ref_t ref;
    void *p;
    int rc;

    switch (test_random() % 4) {
    case 0:
        if (s->ref != 0)
            return map_one(s->ref, s->readonly ? 0 : GNTMAP_readonly, &p) ==
                       (s->readonly ? -EIO : 0) &&
                   (s->readonly || grant_unmap(&one, 1) == 0);
        s->readonly = test_random() % 2;
        return give(s->page, s->readonly, &s->ref) == 0;
    case 1:
        if (s->mapped != NULL)
            return *s->mapped == *s->page;
        s->op = (struct gnttab_map_grant_ref){
            .dom = self,
            .ref = s->ref ? s->ref : ~0u,
            .flags = s->readonly ? GNTMAP_readonly : 0,
        };
        rc = grant_map(&s->op, 1, (void **)&s->mapped);
        return rc == (s->ref ? 0 : -ENOENT);
    case 2:
        if (s->mapped == NULL)
            return true;
        *s->page = test_random();
        rc = grant_unmap(&s->op, 1);
        s->mapped = NULL;
        return rc == 0;
    default:
        ref = s->ref;
        rc = grant_end_access(ref);
        if (ref == 0)
            return rc == -EINVAL;
        if (s->mapped != NULL)
            return rc == -EBUSY;
        s->ref = 0;
        return rc == 0;
    }
}

BOTH(random_steps)
{
    REQUIRE(SLOTS * PAGE_SIZE <= PAGE_SIZE << 5);
    block = page_alloc_zeroed(5);
    REQUIRE(block != NULL);
    memset(slots, 0, sizeof(slots));
    for (unsigned int i = 0; i < SLOTS; i++)
        slots[i].page = block + i * 512;

    for (unsigned int i = 0; i < 5000; i++) {
        struct slot *s = &slots[test_random() % SLOTS];

        if (!random_step(s)) {
            EXPECT_EQ(i, -1); /* the step that went wrong */
            break;
        }
        if (i % 500 == 0)
            expect_sound(run_);
    }
    for (unsigned int i = 0; i < SLOTS; i++) {
        if (slots[i].mapped != NULL)
            EXPECT_EQ(grant_unmap(&slots[i].op, 1), 0);
        if (slots[i].ref != 0)
            EXPECT_EQ(grant_end_access(slots[i].ref), 0);
    }
    page_free(block, 5);
}

/*
 * The table as a whole.
 */
TEST(grant, first_use_sets_it_up)
{
    unsigned int want = options()->grant_version;
    uint64_t *page = page_alloc_zeroed(0);
    grant_ref_t ref = 0;

    REQUIRE(page != NULL);
    if (grant_stop() != 0)
        SKIP("grants are in use");
    if (want == 0 || (want == 2 && grant_start(2) == -ENOSYS))
        want = 1;
    EXPECT_EQ(grant_stop(), 0);
    EXPECT_EQ(grant_stats().version, 0);
    EXPECT_EQ(grant_stats().refs, 0);
    EXPECT_EQ(grant_end_access(8), -EINVAL);
    EXPECT_EQ(grant_retry(), 0);
    EXPECT_EQ(grant_stop(), 0);

    EXPECT_EQ(grant_access(0, kaddr_pfn(page), true, &ref), 0);
    EXPECT_EQ(grant_stats().version, want);
    EXPECT_EQ(grant_stats().frames, 1);
    EXPECT_EQ(grant_start(0), -EBUSY);
    EXPECT_EQ(grant_start(3), -EINVAL);
    EXPECT_EQ(grant_stop(), -EBUSY);
    EXPECT_EQ(grant_end_access(ref), 0);
    EXPECT_EQ(grant_stop(), 0);
    page_free(page, 0);
}

TEST(grant, versions_can_be_changed)
{
    if (grant_stop() != 0)
        SKIP("grants are in use");
    for (unsigned int i = 0; i < 6; i++) {
        const int rc = grant_start(1 + i % 2);

        if (rc == -ENOSYS)
            SKIP("Xen allows version 1 only");
        EXPECT_EQ(rc, 0);
        EXPECT_EQ(grant_stats().version, 1 + i % 2);
        EXPECT_EQ(grant_stop(), 0);
    }
    EXPECT_EQ(grant_start(0), 0);
    EXPECT_EQ(grant_stop(), 0);
}

/*
 * Two domains (tests/grant.sh): one gives, the other takes, and each tells the
 * next step through the page.  peer= is the other one's number.  References are
 * the first two of a new table.
 */
#define FIRST_REF GNTTAB_NR_RESERVED_ENTRIES

enum word {
    MAGIC,
    ANSWER,
    LET_GO
};

static bool within_seconds(unsigned int s, bool (*f)(void *ctx), void *ctx)
{
    const uint64_t end = ktime_ns() + s * NSEC_PER_SEC;

    while (!f(ctx)) {
        if (ktime_ns() > end)
            return false;
        hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    return true;
}

static bool is_set(void *word)
{
    return *(volatile uint64_t *)word != 0;
}

static bool none_waits(void *unused __unused)
{
    return grant_retry() == 0;
}

static bool is_there(void *p)
{
    return map_one(FIRST_REF, 0, p) == 0;
}

static bool find_peer(domid_t *peer)
{
    const char *word = test_option("peer");
    uint64_t n;

    *peer = 0;
    if (word == NULL || parse_u64(word, &n) != 0)
        return false;
    *peer = n;
    return true;
}

FATAL(grant, give_to_peer)
{
    volatile uint64_t *page = page_alloc_zeroed(0);
    uint64_t *readonly = page_alloc_zeroed(0);
    grant_ref_t refs_given[2] = { 0 };

    REQUIRE(page != NULL && readonly != NULL && find_peer(&self));
    page[MAGIC] = 0x600d;
    readonly[MAGIC] = 0x5eed;
    REQUIRE(give((void *)(uintptr_t)page, false, &refs_given[0]) == 0);
    REQUIRE(give(readonly, true, &refs_given[1]) == 0);
    EXPECT_EQ(refs_given[0], FIRST_REF);
    EXPECT_EQ(refs_given[1], FIRST_REF + 1);

    EXPECT(within_seconds(120, is_set, (void *)(uintptr_t)&page[ANSWER]));
    EXPECT_EQ(page[ANSWER], 0x7e11);
    EXPECT_EQ(readonly[ANSWER], 0);
    EXPECT_EQ(grant_end_access(refs_given[0]), -EBUSY);
    EXPECT_EQ(grant_end_access_and_free(refs_given[0], (void *)(uintptr_t)page),
              -EBUSY);
    EXPECT_EQ(grant_stats().waiting, 1);
    page[LET_GO] = 1;
    EXPECT(within_seconds(120, none_waits, NULL));
    EXPECT_EQ(grant_end_access_and_free(refs_given[1], readonly), 0);
    EXPECT_EQ(grant_stop(), 0);
}

FATAL(grant, take_from_peer)
{
    uint64_t *page = NULL, *copied = page_alloc_zeroed(0);
    struct gnttab_map_grant_ref writable;
    mfn_t mfn;
    void *p;

    REQUIRE(copied != NULL && find_peer(&self));
    REQUIRE(within_seconds(120, is_there, &page));
    writable = one;
    EXPECT_EQ(page[MAGIC], 0x600d);

    /* It has no pfn here, and nothing takes it for one of ours. */
    mfn = pte_mfn(entry_of(page));
    EXPECT(pfn_eq(m2p_lookup(mfn), INVALID_PFN));
    expect_sound(run_);
    EXPECT_EQ(call_at(page).vector, TRAP_PF);

    /* The other one is for reading, and for copying from. */
    EXPECT_EQ(map_one(FIRST_REF + 1, 0, &p), -EIO);
    EXPECT_EQ(map_one(FIRST_REF + 1, GNTMAP_readonly, &p), 0);
    EXPECT_EQ(store_at((uint64_t *)p + ANSWER).vector, TRAP_PF);
    EXPECT_EQ(*(uint64_t *)p, 0x5eed);
    EXPECT_EQ(grant_unmap(&one, 1), 0);
    copies[0] =
        make_copy(FIRST_REF + 1, mfn_of(copied), GNTCOPY_source_gref, 8);
    copies[0].source.offset = 0;
    EXPECT_EQ(grant_copy(copies, 1), 0);
    EXPECT_EQ(((volatile uint64_t *)copied)[2], 0x5eed);

    page[ANSWER] = 0x7e11;
    EXPECT(within_seconds(120, is_set, &page[LET_GO]));
    EXPECT_EQ(grant_unmap(&writable, 1), 0);
    EXPECT_EQ(grant_stop(), 0);
    page_free(copied, 0);
}

static bool is_gone(void *unused __unused)
{
    void *p;

    if (map_one(FIRST_REF + 1, GNTMAP_readonly, &p) != 0)
        return true;
    (void)!grant_unmap(&one, 1);
    return false;
}

/* What is mapped stays good when its owner is destroyed, and can be unmapped. */
FATAL(grant, outlive_peer)
{
    struct gnttab_map_grant_ref held;
    uint64_t *page = NULL;

    REQUIRE(find_peer(&self));
    REQUIRE(within_seconds(120, is_there, &page));
    held = one;
    say("# mapped\n");
    REQUIRE(within_seconds(120, is_gone, NULL));
    EXPECT_EQ(page[MAGIC], 0x600d);
    page[ANSWER] = 1;
    expect_sound(run_);
    EXPECT_EQ(grant_unmap(&held, 1), 0);
    EXPECT_EQ(load_at(page).vector, TRAP_PF);
    EXPECT_EQ(grant_stop(), 0);
}

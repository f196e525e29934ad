/* SPDX-License-Identifier: MIT */
/* Address spaces: the halves, late pin, what a failure leaves. */
#include <plinth/audit.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/ptab.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/trap.h>
#include <plinth/vmap.h>
#include <plinth/walk.h>

#include "block.h"
#include "queue.h"

/* Where an L4 slot ends, so that ranges cross tables of every level. */
#define BASE  0x00000a7fffe00000ul
#define ORDER 6
#define PAGES (1u << ORDER)

static int count(void *ctx, struct space *space __unused)
{
    ++*(uint64_t *)ctx;
    return 0;
}

static uint64_t spaces(void)
{
    uint64_t n = 0;

    (void)space_each(count, &n);
    return n;
}

LEDGER(spaces, spaces);

static mfn_t frames[2048];
static uint64_t *block;

static bool setup(void)
{
    block = block_get(ORDER, frames, ARRAY_SIZE(frames));
    return block != NULL;
}

static void expect_sound(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

static void teardown(struct test_run *run_)
{
    EXPECT(space_current() == &kernel_space);
    page_free(block, ORDER);
    expect_sound(run_);
}

static vaddr_t va_of(uint64_t page)
{
    return _vaddr(BASE + page * PAGE_SIZE);
}

static volatile uint64_t *at(uint64_t page)
{
    return vaddr_to_ptr(va_of(page));
}

static const uint64_t *table_of(mfn_t mfn)
{
    return kaddr_lookup_mfn(mfn);
}

TEST(space, comes_and_goes)
{
    const uint64_t free = page_stats().free;
    struct space s;

    for (unsigned int flags = 0; flags <= SPACE_USER; flags++) {
        EXPECT_EQ(space_create(&s, flags), 0);
        expect_sound(run_);
        EXPECT_EQ(space_pin(&s), 0);
        expect_sound(run_);
        EXPECT_EQ(space_pin(&s), 0);
        EXPECT_EQ(space_unpin(&s), 0);
        EXPECT_EQ(space_unpin(&s), 0);
        EXPECT_EQ(space_pin(&s), 0);
        EXPECT_EQ(space_destroy(&s), 0);
        EXPECT_EQ(page_stats().free, free);
    }
    EXPECT_EQ(space_create(&s, SPACE_USER << 1), -EINVAL);
    expect_sound(run_);
}

TEST(space, user_half_is_its_own)
{
    struct space a, b;

    REQUIRE(setup());
    EXPECT_EQ(space_create(&a, 0), 0);
    EXPECT_EQ(space_create(&b, 0), 0);
    EXPECT_EQ(space_map(&a, va_of(0), frames + 1, 3, MAP_RW), 0);
    EXPECT_EQ(space_map(&b, va_of(0), frames + 7, 1, MAP_R), 0);
    EXPECT_FAULT(TRAP_PF, (void)*at(0));

    EXPECT_EQ(space_switch(&a), 0);
    EXPECT(space_current() == &a);
    EXPECT_EQ(*at(0), 1);
    EXPECT_EQ(*at(2), 3);
    *at(2) = 99;
    EXPECT_EQ(space_switch(&b), 0);
    EXPECT_EQ(*at(0), 7);
    EXPECT_FAULT(TRAP_PF, *at(0) = 1);
    EXPECT_FAULT(TRAP_PF, (void)*at(2));
    expect_sound(run_);

    /* Loaded, and so live: what is mapped now is there at once. */
    EXPECT_EQ(space_map(&b, va_of(511), frames, 4, MAP_RW), 0);
    EXPECT_EQ(*at(512), 1);
    EXPECT_EQ(space_unmap(&b, va_of(0), 1), 0);
    EXPECT_FAULT(TRAP_PF, (void)*at(0));
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_FAULT(TRAP_PF, (void)*at(512));
    EXPECT_EQ(block[3 * 512], 99);

    EXPECT_EQ(space_destroy(&a), 0);
    EXPECT_EQ(space_destroy(&b), 0);
    teardown(run_);
}

/* A new L4 entry of the kernel's half is in every space, plain or live. */
TEST(space, kernel_half_is_shared)
{
    const vaddr_t va = _vaddr(VMAP_END - PAGE_SIZE);
    volatile uint64_t *there = vaddr_to_ptr(va);
    struct space plain, live;

    REQUIRE(setup());
    EXPECT_EQ(space_create(&plain, SPACE_USER), 0);
    EXPECT_EQ(space_create(&live, SPACE_USER), 0);
    EXPECT_EQ(space_switch(&live), 0);
    EXPECT_EQ(space_map(&kernel_space, va, frames + 5, 1, MAP_RW), 0);
    EXPECT_EQ(*there, 5);
    EXPECT_EQ(space_switch(&plain), 0);
    EXPECT_EQ(*there, 5);
    expect_sound(run_);
    EXPECT_EQ(space_unmap(&kernel_space, va, 1), 0);
    EXPECT_FAULT(TRAP_PF, (void)*there);
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_FAULT(TRAP_PF, (void)*there);

    EXPECT_EQ(space_map(&live, va, frames, 1, MAP_RW), -EINVAL);
    EXPECT_EQ(space_unmap(&live, va, 1), -EINVAL);
    EXPECT_EQ(space_protect(&live, va, 1, MAP_R), -EINVAL);
    EXPECT_EQ(space_destroy(&live), 0);
    EXPECT_EQ(space_destroy(&plain), 0);
    teardown(run_);
}

/* Before it is pinned, a space is memory like any other. */
TEST(space, late_pin_costs_no_hypercall)
{
    struct mmu_stats before;
    struct space s;

    REQUIRE(setup());
    before = mmu_stats();
    EXPECT_EQ(space_create(&s, SPACE_USER), 0);
    EXPECT_EQ(space_map(&s, va_of(0), frames, 1500, MAP_RW), 0);
    EXPECT_EQ(space_protect(&s, va_of(10), 900, MAP_R), 0);
    EXPECT_EQ(space_unmap(&s, va_of(400), 600), 0);
    EXPECT_EQ(mmu_stats().hypercalls, before.hypercalls);
    expect_sound(run_);

    EXPECT_EQ(space_switch(&s), 0);
    EXPECT_EQ(*at(399), 399 % PAGES);
    EXPECT_FAULT(TRAP_PF, *at(399) = 1);
    EXPECT_FAULT(TRAP_PF, (void)*at(400));
    EXPECT_FAULT(TRAP_PF, (void)*at(999));
    *at(1000) = 1000 % PAGES;
    expect_sound(run_);
    EXPECT_EQ(space_switch(&kernel_space), 0);

    before = mmu_stats();
    EXPECT_EQ(space_unpin(&s), 0);
    EXPECT(mmu_stats().hypercalls > before.hypercalls);
    before = mmu_stats();
    EXPECT_EQ(space_map(&s, va_of(400), frames, 600, MAP_R), 0);
    EXPECT_EQ(mmu_stats().hypercalls, before.hypercalls);
    EXPECT_EQ(space_switch(&s), 0);
    EXPECT_EQ(*at(400), 0);
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    teardown(run_);
}

/* What Xen would refuse later is refused now, where that can be known. */
TEST(space, plain_space_takes_no_bad_frame)
{
    const mfn_t l4 = kernel_space.l4;
    const mfn_t foreign = _mfn(0x1); /* low memory is never a guest's */
    struct space s;

    REQUIRE(setup());
    EXPECT_EQ(space_create(&s, 0), 0);
    EXPECT_EQ(space_map(&s, va_of(0), &foreign, 1, MAP_R), -EBUSY);
    EXPECT_EQ(space_map(&s, va_of(0), &l4, 1, MAP_RW), -EBUSY);
    EXPECT_EQ(space_map(&s, va_of(0), &s.l4, 1, MAP_RW), -EBUSY);
    EXPECT_EQ(space_map(&s, va_of(0), &l4, 1, MAP_R), 0);
    EXPECT_EQ(space_protect(&s, va_of(0), 1, MAP_RW), -EBUSY);
    EXPECT_EQ(space_map(&s, va_of(1), frames, 1, MAP_RW & ~PTE_NX), -EINVAL);
    EXPECT_EQ(space_map(&s, _vaddr(0), frames, 1, MAP_R), -EINVAL);
    EXPECT_EQ(space_pin(&s), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    teardown(run_);
}

/* A frame that has become a table since: pinning says so and changes nothing. */
TEST(space, refused_pin_leaves_it_plain)
{
    void *page = page_alloc_zeroed(0);
    struct space s;
    mfn_t mfn;

    REQUIRE(setup() && page != NULL);
    mfn = kaddr_mfn(page);
    EXPECT_EQ(space_create(&s, SPACE_USER), 0);
    EXPECT_EQ(space_map(&s, va_of(0), frames, 700, MAP_RW), 0);
    EXPECT_EQ(space_map(&s, va_of(1000), &mfn, 1, MAP_RW), 0);
    mmu_begin();
    ptab_set_rights(page, PTE_DATA_RO);
    mmu_pin(mfn, 1);
    EXPECT_EQ(mmu_end(), 0);

    EXPECT(space_pin(&s) < 0);
    EXPECT(space_switch(&s) < 0);
    EXPECT(!s.live);
    EXPECT_EQ(s.users, 0);
    EXPECT(space_current() == &kernel_space);
    expect_sound(run_);

    mmu_begin();
    mmu_unpin(mfn);
    ptab_set_rights(page, PTE_DATA);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(space_pin(&s), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    page_free(page, 0);
    teardown(run_);
}

TEST(space, in_use_is_not_destroyed)
{
    struct space s;

    EXPECT_EQ(space_create(&s, 0), 0);
    EXPECT_EQ(space_switch(&s), 0);
    EXPECT_EQ(space_destroy(&s), -EBUSY);
    EXPECT_EQ(space_unpin(&s), -EBUSY);
    EXPECT_EQ(space_switch(&s), 0);
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_destroy(&kernel_space), -EBUSY);
    EXPECT_EQ(space_unpin(&kernel_space), -EBUSY);
    EXPECT_EQ(space_destroy(&s), 0);
    expect_sound(run_);
}

/* The L4 for user mode follows the user half and has nothing else. */
TEST(space, user_l4_holds_no_kernel_mapping)
{
    const unsigned int slot = pt_index(_vaddr(BASE), 4);
    struct space s;

    REQUIRE(setup());
    for (unsigned int live = 0; live < 2; live++) {
        EXPECT_EQ(space_create(&s, SPACE_USER), 0);
        if (live)
            EXPECT_EQ(space_switch(&s), 0);
        EXPECT_EQ(space_map(&s, va_of(0), frames, 1024, MAP_RW), 0);
        for (unsigned int i = 0; i < PT_ENTRIES; i++) {
            const bool ours = i == slot || i == slot + 1;

            if (i < L4_XEN_FIRST || i > L4_XEN_LAST)
                EXPECT_EQ(table_of(s.user_l4)[i] & PTE_P, ours);
        }
        if (live)
            EXPECT_EQ(table_of(s.user_l4)[L4_XEN_FIRST] & PTE_P, 0);
        expect_sound(run_);
        EXPECT_EQ(space_query(&s, va_of(0)).raw & PTE_USER, PTE_USER);
        EXPECT_EQ(space_unmap(&s, va_of(0), 1024), 0);
        EXPECT_EQ(table_of(s.user_l4)[slot] & PTE_P, 0);
        EXPECT_EQ(space_switch(&kernel_space), 0);
        EXPECT_EQ(space_destroy(&s), 0);
    }
    teardown(run_);
}

/* Leaves for user mode are not the kernel's: Xen has not marked them so. */
TEST(space, user_leaves_are_global)
{
    struct space s;
    pte_t pte;

    REQUIRE(setup());
    for (unsigned int flags = 0; flags <= SPACE_USER; flags++) {
        EXPECT_EQ(space_create(&s, flags), 0);
        EXPECT_EQ(space_map(&s, va_of(0), frames, 1, MAP_RW), 0);
        EXPECT_EQ(space_pin(&s), 0);
        pte = space_query(&s, va_of(0));
        EXPECT_EQ(pte.raw & (PTE_GLOBAL | PTE_GUEST_KERNEL),
                  flags ? PTE_GLOBAL : PTE_GUEST_KERNEL);
        EXPECT_EQ(space_destroy(&s), 0);
    }
    teardown(run_);
}

/* No TLB holds anything of a space that is not loaded; nor later. */
TEST(space, nothing_stale_after_a_switch)
{
    struct space s;

    REQUIRE(setup());
    EXPECT_EQ(space_create(&s, SPACE_USER), 0);
    EXPECT_EQ(space_map(&s, va_of(0), frames, PAGES, MAP_RW), 0);
    EXPECT_EQ(space_switch(&s), 0);
    for (unsigned int i = 0; i < PAGES; i++)
        EXPECT_EQ(*at(i), i);
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_unmap(&s, va_of(0), PAGES - 1), 0);
    EXPECT_EQ(space_map(&s, va_of(0), frames + 1, PAGES / 2, MAP_R), 0);
    EXPECT_EQ(space_switch(&s), 0);
    for (unsigned int i = 0; i < PAGES / 2; i++) {
        EXPECT_EQ(*at(i), i + 1);
        EXPECT_FAULT(TRAP_PF, *at(i) = 0);
    }
    EXPECT_FAULT(TRAP_PF, (void)*at(PAGES / 2));
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    teardown(run_);
}

static void __noinline expect_no_access(struct test_run *run_, uint64_t page)
{
    EXPECT_FAULT(TRAP_PF, (void)*at(page));
}

static void __noinline expect_no_write(struct test_run *run_, uint64_t page)
{
    EXPECT_FAULT(TRAP_PF, *at(page) = 0);
}

/* What changes in a space that is loaded, page by page or many at a time. */
TEST(space, changes_of_a_loaded_one_are_flushed)
{
    static const unsigned int sizes[] = { 2, MMU_INVLPG_MAX, PAGES - 1 };
    struct space s;

    REQUIRE(setup());
    EXPECT_EQ(space_create(&s, SPACE_USER), 0);
    EXPECT_EQ(space_map(&s, va_of(0), frames, PAGES, MAP_RW), 0);
    EXPECT_EQ(space_switch(&s), 0);
    for (unsigned int k = 0; k < ARRAY_SIZE(sizes); k++) {
        const unsigned int n = sizes[k];

        for (unsigned int i = 0; i < n; i++)
            *at(i) = i + k;
        EXPECT_EQ(space_protect(&s, va_of(0), n, MAP_R), 0);
        for (unsigned int i = 0; i < n; i++)
            expect_no_write(run_, i);
        /* The last page keeps the tables: Xen flushes when these go. */
        EXPECT_EQ(space_unmap(&s, va_of(0), n), 0);
        for (unsigned int i = 0; i < n; i++)
            expect_no_access(run_, i);
        EXPECT_EQ(space_map(&s, va_of(0), frames, n, MAP_RW), 0);
        for (unsigned int i = 0; i < n; i++)
            EXPECT_EQ(*at(i), i + k);
    }
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    teardown(run_);
}

/* Of the PAGES pages at @p. */
static unsigned int nr_readable(char *p)
{
    unsigned int n = 0;
    uint64_t value;

    for (unsigned int i = 0; i < PAGES; i++)
        n += probe_read(p + i * PAGE_SIZE, &value) == 0;
    return n;
}

static unsigned int nr_writable(char *p)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < PAGES; i++)
        n += probe_write(p + i * PAGE_SIZE, i) == 0;
    return n;
}

/* What changes in the kernel's half is flushed whichever space is loaded. */
TEST(space, changes_of_the_kernel_half_are_flushed_in_others)
{
    static const unsigned int sizes[] = { 1, 2, MMU_INVLPG_MAX, PAGES - 1 };
    struct space s;
    void *p;

    REQUIRE(setup());
    REQUIRE(vmap(frames, PAGES, MAP_RW, &p) == 0);
    EXPECT_EQ(space_create(&s, 0), 0);
    EXPECT_EQ(space_switch(&s), 0);
    for (unsigned int k = 0; k < ARRAY_SIZE(sizes); k++) {
        const vaddr_t va = ptr_to_vaddr(p);
        const unsigned int n = sizes[k];

        EXPECT_EQ(nr_writable(p), PAGES);
        EXPECT_EQ(space_protect(&kernel_space, va, n, MAP_R), 0);
        EXPECT_EQ(nr_writable(p), PAGES - n);
        EXPECT_EQ(nr_readable(p), PAGES);
        /* The last page keeps the table: Xen flushes when that goes. */
        EXPECT_EQ(space_unmap(&kernel_space, va, n), 0);
        EXPECT_EQ(nr_readable(p), PAGES - n);
        EXPECT_EQ(space_map(&kernel_space, va, frames, n, MAP_RW), 0);
    }
    EXPECT_EQ(space_destroy(&kernel_space), -EBUSY);
    EXPECT_EQ(space_unpin(&kernel_space), -EBUSY);
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    vunmap(p, PAGES);
    teardown(run_);
}

/*
 * What the audit finds in spaces.
 */
static void expect_finding(struct test_run *run_, const char *words)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), -EINVAL);
    EXPECT(strstr(why, words) != NULL);
}

TEST(space, audit_compares_the_halves)
{
    const unsigned int slot = pt_index(_vaddr(BASE), 4);
    uint64_t *l4, *user, old;
    struct space s;

    REQUIRE(setup());
    EXPECT_EQ(space_create(&s, SPACE_USER), 0);
    EXPECT_EQ(space_map(&s, va_of(0), frames, 1, MAP_R), 0);
    l4 = kaddr_lookup_mfn(s.l4);
    user = kaddr_lookup_mfn(s.user_l4);

    l4[300] = l4[511];
    expect_finding(run_, "L4 slot 300");
    l4[300] = 0;
    old = user[slot];
    user[slot] = 0;
    expect_finding(run_, "user L4 slot");
    user[slot] = old;
    user[511] = l4[511];
    expect_finding(run_, "user L4 slot 511");
    user[511] = 0;
    l4[slot + 5] = user[slot + 5] = l4[slot];
    expect_finding(run_, "is a table twice");
    l4[slot + 5] = user[slot + 5] = 0;
    expect_sound(run_);
    EXPECT_EQ(space_destroy(&s), 0);
    teardown(run_);
}

TEST(space, audit_sees_a_pin_that_is_missing)
{
    struct space s;

    EXPECT_EQ(space_create(&s, 0), 0);
    EXPECT_EQ(space_pin(&s), 0);
    mmu_begin();
    mmu_unpin(s.l4);
    EXPECT_EQ(mmu_end(), 0);
    expect_finding(run_, "was not pinned");
    /* Now it is, as that is how it was found out. */
    expect_sound(run_);
    EXPECT_EQ(space_destroy(&s), 0);
}

TEST(space, audit_compares_tables_with_records)
{
    struct space s;
    void *page = page_alloc(0);

    REQUIRE(page != NULL);
    *page_note(page) = PTAB_TABLE;
    expect_finding(run_, "noted as a table and is none");
    *page_note(page) = 0;
    page_free(page, 0);

    EXPECT_EQ(space_create(&s, 0), 0);
    page = kaddr_lookup_mfn(s.l4);
    *page_note(page) = 0;
    expect_finding(run_, "is not noted as one");
    *page_note(page) = PTAB_TABLE;
    expect_sound(run_);
    EXPECT_EQ(space_destroy(&s), 0);
}

/* With plinth.audit=1 the operation that did it is in the call trace. */
FATAL(space, audit_after_each_operation)
{
    struct space s;
    void *page = page_alloc(0);

    REQUIRE(page != NULL);
    EXPECT_EQ(space_create(&s, 0), 0);
    *page_note(page) = PTAB_TABLE;
    EXPECT_EQ(space_destroy(&s), 0);
}

/*
 * 1 GiB: an L2 and its 512 L1 tables are one hook, and one unhook.
 */
#define GIB_PAGES (512ul * 512)
#define GIB_BASE  0x0000004000000000ul

static void gigabyte(struct test_run *run_, struct space *s, uint64_t skew)
{
    const vaddr_t va = _vaddr(GIB_BASE - skew * PAGE_SIZE);
    const uint64_t nr = GIB_PAGES + 2 * skew;
    const uint64_t free = page_stats().free;
    struct mmu_stats before;
    uint64_t calls;

    before = mmu_stats();
    EXPECT_EQ(space_map_run(s, va, frames[0], 1, MAP_R), 0);
    EXPECT_EQ(space_unmap(s, va, 1), 0);
    EXPECT_EQ(page_stats().free, free);

    before = mmu_stats();
    REQUIRE(space_map(s, va, (const mfn_t *)block, nr, MAP_R) == 0);
    calls = mmu_stats().hypercalls - before.hypercalls;
    EXPECT_EQ(calls, s->live ? (skew ? 3 : 1) : 0);
    if (s->live && skew == 0)
        EXPECT_EQ(mmu_stats().entries - before.entries, 513 + 2);

    for (unsigned int i = 0; i < 300; i++) {
        const uint64_t page = test_random() % nr;
        const pte_t pte =
            space_query(s, _vaddr(vaddr_x(va) + page * PAGE_SIZE));

        EXPECT_EQ(mfn_x(pte_mfn(pte)), block[page]);
    }
    EXPECT_EQ(space_map_run(s, va, frames[0], 1, MAP_R), -EEXIST);
    EXPECT_EQ(space_unmap(s, va, nr + 1), -ENOENT);

    before = mmu_stats();
    EXPECT_EQ(space_unmap(s, va, nr), 0);
    calls = mmu_stats().hypercalls - before.hypercalls;
    EXPECT(calls <= 8);
    EXPECT_EQ(page_stats().free, free);
}

TEST(space, a_gigabyte_is_hooked_at_once)
{
    WITH_QUEUE();
    void *page = page_alloc(0);
    struct space s;

    block = page_alloc(10);
    if (block == NULL || page_stats().free < 1200) {
        page_free(block, 10);
        page_free(page, 0);
        SKIP("needs 9 MiB");
    }
    /* A list of frames, of which there are not that many. */
    frames[0] = kaddr_mfn(page);
    for (uint64_t i = 0; i < 1024 * 512; i++)
        block[i] = mfn_x(frames[0]);
    EXPECT_EQ(space_create(&s, 0), 0);
    gigabyte(run_, &s, 0);
    gigabyte(run_, &s, 700);
    EXPECT_EQ(space_switch(&s), 0);
    gigabyte(run_, &s, 0);
    gigabyte(run_, &s, 700);
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    page_free(block, 10);
    page_free(page, 0);
    expect_sound(run_);
}

/*
 * Each allocation and each request of an operation fails in turn.
 */
static int create_failing(struct space *s, unsigned int n)
{
    int rc;

    page_inject_failure(n);
    rc = space_create(s, SPACE_USER);
    page_inject_failure(0);
    return rc;
}

TEST(space, failed_create_leaves_nothing)
{
    const uint64_t free = page_stats().free;
    struct space s;

    for (unsigned int n = 1; n < 3; n++) {
        EXPECT_EQ(create_failing(&s, n), -ENOMEM);
        EXPECT_EQ(page_stats().free, free);
    }
    EXPECT_EQ(create_failing(&s, 3), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    expect_sound(run_);
}

TEST(space, failed_pin_and_switch_leave_it_plain)
{
    static unsigned int failures;
    struct space s;
    int rc = -1;

    failures = 0;

    REQUIRE(setup());
    EXPECT_EQ(space_create(&s, SPACE_USER), 0);
    EXPECT_EQ(space_map(&s, va_of(0), frames, 1024, MAP_RW), 0);
    for (unsigned int n = 1; rc != 0 && n < 30; n++) {
        mmu_inject_failure(n);
        rc = space_switch(&s);
        mmu_inject_failure(0);
        EXPECT(rc == 0 || rc == -ENOMEM);
        failures++;
        EXPECT_EQ(s.users, rc == 0);
        EXPECT(space_current() == (rc == 0 ? &s : &kernel_space));
        if (rc == 0)
            EXPECT_EQ(*at(1), 1);
        else
            EXPECT_FAULT(TRAP_PF, (void)*at(1));
    }
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    teardown(run_);
    EXPECT(failures > 10);
}

/* Whichever of the two requests is refused, and sent with the other or not. */
TEST(space, failed_switch_loads_nothing_of_it)
{
    struct space s;
    bool sync;

    for (unsigned int i = 0; i < 4; i++) {
        EXPECT_EQ(space_create(&s, SPACE_USER), 0);
        EXPECT_EQ(space_pin(&s), 0);
        sync = mmu_set_sync(i & 1);
        mmu_inject_failure(1 + i / 2);
        EXPECT_EQ(space_switch(&s), -ENOMEM);
        mmu_inject_failure(0);
        (void)mmu_set_sync(sync);
        EXPECT_EQ(space_destroy(&s), 0);
    }
    expect_sound(run_);
}

TEST(space, failed_unpin_leaves_it_live)
{
    struct space s;

    EXPECT_EQ(space_create(&s, SPACE_USER), 0);
    EXPECT_EQ(space_pin(&s), 0);
    for (unsigned int n = 1; n <= 2; n++) {
        mmu_inject_failure(n);
        EXPECT_EQ(space_destroy(&s), -ENOMEM);
        mmu_inject_failure(0);
        EXPECT(s.live);
        expect_sound(run_);
    }
    EXPECT_EQ(space_destroy(&s), 0);
}

/*
 * Random operations on several spaces against a model that knows, page by page,
 * what is mapped, what it shows, and whether it may be written.  Now and then
 * an allocation or a request fails on the way: then nothing has happened.
 */
#define SPACES      4u
#define MODEL_PAGES 1600u

#define WRITABLE 0x80u /* beside the number of the frame; 0 is none */

static struct space some[SPACES];
static uint8_t model[SPACES][MODEL_PAGES];
static uint64_t failures_seen;

static bool all(const uint8_t *m, uint64_t nr, bool mapped)
{
    for (uint64_t i = 0; i < nr; i++)
        if ((m[i] != 0) != mapped)
            return false;
    return true;
}

/* With one of the next failing, perhaps; the answer is then -ENOMEM. */
static int failing(int rc)
{
    page_inject_failure(0);
    mmu_inject_failure(0);
    failures_seen += rc == -ENOMEM;
    return rc;
}

static void maybe_fail(void)
{
    const uint64_t r = test_random();

    if (r % 16 == 0)
        page_inject_failure(1 + (r >> 8) % 6);
    else if (r % 16 == 1)
        mmu_inject_failure(1 + (r >> 8) % 40);
}

static void step_map(struct test_run *run_, struct space *s, uint8_t *m,
                     uint64_t page, uint64_t nr)
{
    const bool write = test_random() % 2;
    const uint64_t first = 1 + test_random() % (PAGES - 1);
    const int want = all(m + page, nr, false) ? 0 : -EEXIST;
    int rc;

    maybe_fail();
    rc = failing(
        space_map(s, va_of(page), frames + first, nr, write ? MAP_RW : MAP_R));
    EXPECT(rc == want || rc == -ENOMEM);
    for (uint64_t i = 0; rc == 0 && i < nr; i++)
        m[page + i] = (1 + (first + i) % PAGES) | (write ? WRITABLE : 0);
}

static void step_protect(struct test_run *run_, struct space *s, uint8_t *m,
                         uint64_t page, uint64_t nr)
{
    const bool write = test_random() % 2;
    const int want = all(m + page, nr, true) ? 0 : -ENOENT;
    int rc;

    maybe_fail();
    rc = failing(space_protect(s, va_of(page), nr, write ? MAP_RW : MAP_R));
    EXPECT(rc == want || rc == -ENOMEM);
    for (uint64_t i = 0; rc == 0 && i < nr; i++)
        m[page + i] = (m[page + i] & ~WRITABLE) | (write ? WRITABLE : 0);
}

static void step_unmap(struct test_run *run_, struct space *s, uint8_t *m,
                       uint64_t page, uint64_t nr)
{
    const int want = all(m + page, nr, true) ? 0 : -ENOENT;
    const int rc = space_unmap(s, va_of(page), nr);

    EXPECT_EQ(rc, want);
    if (rc == 0)
        memset(m + page, 0, nr);
}

/* Loads one, pins one, unpins one, or makes one anew. */
static void step_space(struct test_run *run_, unsigned int i)
{
    struct space *s = &some[i];
    int rc;

    switch (test_random() % 5) {
    case 0:
    case 1:
        maybe_fail();
        rc = failing(space_switch(test_random() % 4 ? s : &kernel_space));
        EXPECT(rc == 0 || rc == -ENOMEM);
        break;
    case 2:
        maybe_fail();
        rc = failing(space_pin(s));
        EXPECT(rc == 0 || rc == -ENOMEM);
        break;
    case 3:
        EXPECT_EQ(space_unpin(s), s->live && s->users > 0 ? -EBUSY : 0);
        break;
    default:
        rc = space_destroy(s);
        EXPECT_EQ(rc, space_current() == s ? -EBUSY : 0);
        if (rc != 0)
            break;
        memset(model[i], 0, sizeof(model[i]));
        REQUIRE(space_create(s, test_random() % 2) == 0);
    }
}

static void random_step(struct test_run *run_)
{
    const unsigned int i = test_random() % SPACES;
    const uint64_t page = test_random() % MODEL_PAGES;
    const uint64_t most = MODEL_PAGES - page;
    const uint64_t nr =
        1 + test_random() % MIN(most, test_random() % 8 ? 20ul : most);

    switch (test_random() % 16) {
    case 0:
        step_space(run_, i);
        break;
    case 1 ... 6:
        step_map(run_, &some[i], model[i], page, nr);
        break;
    case 7 ... 11:
        step_unmap(run_, &some[i], model[i], page, nr);
        break;
    default:
        step_protect(run_, &some[i], model[i], page, nr);
        break;
    }
}

static uint8_t seen(struct space *s, uint64_t page)
{
    const pte_t pte = space_query(s, va_of(page));
    const pfn_t pfn = m2p_lookup(pte_mfn(pte));

    if (!pte_present(pte))
        return 0;
    return (1 + (pfn_x(pfn) - pfn_x(kaddr_pfn(block)))) |
           (pte.raw & PTE_RW ? WRITABLE : 0);
}

static void compare_with_model(struct test_run *run_)
{
    char why[120] = "";

    for (unsigned int i = 0; i < SPACES; i++) {
        for (uint64_t page = 0; page < MODEL_PAGES; page++)
            EXPECT_EQ(seen(&some[i], page), model[i][page]);
        if (space_current() != &some[i])
            continue;
        /* What the CPU sees, TLB and all. */
        for (uint64_t page = 0; page < MODEL_PAGES; page++)
            if (model[i][page] != 0)
                EXPECT_EQ(*at(page), (model[i][page] & ~WRITABLE) - 1);
    }
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

TEST(space, random_steps_agree_with_a_model)
{
    const char *option = test_option("steps");
    uint64_t steps = 100000;

    REQUIRE(option == NULL || parse_u64(option, &steps) == 0);
    REQUIRE(setup());
    memset(model, 0, sizeof(model));
    for (unsigned int i = 0; i < SPACES; i++)
        REQUIRE(space_create(&some[i], i % 2) == 0);
    failures_seen = 0;
    for (uint64_t i = 0; i < steps && run_->failures == 0; i++) {
        random_step(run_);
        if (i % 1000 == 0)
            compare_with_model(run_);
    }
    EXPECT_EQ(space_switch(&kernel_space), 0);
    for (unsigned int i = 0; i < SPACES; i++)
        EXPECT_EQ(space_destroy(&some[i]), 0);
    EXPECT(failures_seen > 0 || steps < 1000);
    teardown(run_);
}

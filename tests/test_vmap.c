/* SPDX-License-Identifier: MIT */
#include <plinth/audit.h>
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/space.h>
#include <plinth/start_info.h>
#include <plinth/test.h>
#include <plinth/vmap.h>

static uint64_t in_use(void)
{
    return (VMAP_END - VMAP_BASE) / PAGE_SIZE - vmap_stats().free;
}

LEDGER(vmap_pages, in_use);

#define PAGES 8u
static void *pages[PAGES];
static mfn_t frames[PAGES];

static bool setup(void)
{
    for (unsigned int i = 0; i < PAGES; i++) {
        pages[i] = page_alloc_zeroed(0);
        if (pages[i] == NULL)
            return false;
        /* Backwards, so that neighbours are none. */
        frames[PAGES - 1 - i] = p2m_lookup(kaddr_pfn(pages[i]));
    }
    return true;
}

static void teardown(void)
{
    for (unsigned int i = 0; i < PAGES; i++)
        page_free(pages[i], 0);
}

TEST(vmap, scattered_frames_side_by_side)
{
    volatile uint64_t *at;
    void *p = NULL;

    REQUIRE(setup());
    EXPECT_EQ(vmap(frames, PAGES, MAP_RW, &p), 0);
    at = p;
    for (unsigned int i = 0; i < PAGES; i++)
        at[i * 512] = i;
    for (unsigned int i = 0; i < PAGES; i++)
        EXPECT_EQ(*(uint64_t *)pages[PAGES - 1 - i], i);
    vunmap(p, PAGES);
    EXPECT_FAULT(TRAP_PF, (void)*at);
    teardown();
}

TEST(vmap, guard_page_behind_each)
{
    volatile uint8_t *at;
    void *a = NULL, *b = NULL;

    REQUIRE(setup());
    EXPECT_EQ(vmap(frames, 2, MAP_RW, &a), 0);
    EXPECT_EQ(vmap(frames, 2, MAP_RW, &b), 0);
    at = a;
    EXPECT_FAULT(TRAP_PF, at[2 * PAGE_SIZE] = 1);
    EXPECT(b != a);
    EXPECT((uintptr_t)b >= (uintptr_t)a + 3 * PAGE_SIZE || b < a);
    vunmap(a, 2);
    vunmap(b, 2);
    teardown();
}

TEST(vmap, failure_takes_nothing)
{
    void *p = &p;
    const uint64_t before = in_use();

    REQUIRE(setup());
    EXPECT_EQ(vmap(frames, 0, MAP_RW, &p), -EINVAL);
    EXPECT_EQ(vmap(frames, ~0ul, MAP_RW, &p), -EINVAL);
    EXPECT_EQ(vmap(frames, 1, MAP_RW & ~PTE_NX, &p), -EINVAL);
    for (unsigned int n = 1; n < 10; n++) {
        int rc;

        mmu_inject_failure(n);
        rc = vmap(frames, PAGES, MAP_RW, &p);
        mmu_inject_failure(0);
        if (rc == 0)
            vunmap(p, PAGES);
        else
            EXPECT_EQ(rc, -ENOMEM);
    }
    EXPECT_EQ(in_use(), before);
    teardown();
}

/* Many ranges, given back in another order: the area is whole again. */
TEST(vmap, comes_and_goes)
{
    void *p[100];
    char why[120] = "";

    REQUIRE(setup());
    for (unsigned int round = 0; round < 3; round++) {
        for (unsigned int i = 0; i < ARRAY_SIZE(p); i++)
            REQUIRE(vmap(frames, 1 + i % PAGES, MAP_R, &p[i]) == 0);
        for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
            const unsigned int j = i * 37 % ARRAY_SIZE(p);

            vunmap(p[j], 1 + j % PAGES);
        }
    }
    EXPECT_EQ(vmap_stats().nr, 1);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
    teardown();
}

/* The text screen of a PC: the hardware domain may use it, and no other. */
#define VGA _mfn(0xb8)

TEST(vmap, memory_of_devices)
{
    static mfn_t own;
    volatile uint16_t *screen;
    void *p = NULL;
    int rc;

    REQUIRE(setup());
    own = frames[0];
    rc = vmap_io(VGA, 2, MAP_RW | MAP_UC, &p);
    if (is_dom0()) {
        EXPECT_EQ(rc, 0);
        screen = p;
        screen[0] = 0x0741;
        EXPECT_EQ(screen[0], 0x0741);
        vunmap(p, 2);
        EXPECT_FAULT(TRAP_PF, (void)screen[0]);
    } else {
        /* Without devices, not even the cache bits are allowed. */
        EXPECT_EQ(rc, -EINVAL);
        EXPECT_EQ(vmap_io(VGA, 2, MAP_RW, &p), -EPERM);
    }
    /* Memory of our own is no device's. */
    EXPECT_EQ(vmap_io(own, 1, MAP_RW, &p), -EBUSY);
    EXPECT_EQ(vmap_foreign(&own, 1, MAP_RW, DOMID_IO, &p), -EBUSY);
    EXPECT_EQ(vmap_foreign(frames, 1, MAP_R, 0x7000, &p), -ESRCH);
    teardown();
}

/* In the middle, one that is refused: into new tables, and into live ones. */
TEST(vmap, refused_foreign_frame_leaves_nothing)
{
    static mfn_t many[700];
    const struct page_stats before = page_stats();
    char why[120] = "";
    void *p = NULL;

    if (!is_dom0())
        SKIP("only the hardware domain has frames of others to map");
    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = VGA;
    EXPECT_EQ(
        vmap_foreign(many, ARRAY_SIZE(many), MAP_RW | MAP_UC, DOMID_IO, &p), 0);
    vunmap(p, ARRAY_SIZE(many));
    many[600] = frames[0];
    EXPECT_EQ(vmap_foreign(many, ARRAY_SIZE(many), MAP_R, DOMID_IO, &p),
              -EBUSY);
    EXPECT_EQ(vmap_foreign(many + 590, 20, MAP_R, DOMID_IO, &p), -EBUSY);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
    teardown();
    EXPECT(page_stats().free + 64 >= before.free);
}

/* All that the heap has for objects of @size without another page, chained. */
static void **use_up(size_t size)
{
    void **chain = NULL, **p;

    (void)heap_trim();
    page_inject_failure(1);
    while ((p = malloc(size)) != NULL) {
        *p = chain;
        chain = p;
    }
    page_inject_failure(0);
    return chain;
}

static void give_back(void **chain)
{
    while (chain != NULL) {
        void **p = chain;

        chain = *p;
        free(p);
    }
}

/* Giving back works with no memory left, in any order. */
TEST(vmap, giving_back_needs_no_memory)
{
    static const uint8_t orders[][4] = {
        { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 3, 0, 2 },
        { 2, 0, 3, 1 }, { 0, 3, 1, 2 }, { 1, 2, 0, 3 },
    };
    static mfn_t many[512];

    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = frames[0];
    for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
        void **chain, *p[4];

        /* A large one lies on 2 MiB and leaves a gap before it. */
        for (unsigned int n = 0; n < 4; n++)
            REQUIRE(vmap(many, n == 1 ? 512 : 1, MAP_R, &p[n]) == 0);
        chain = use_up(sizeof(struct range_node));
        page_inject_failure(1);
        for (unsigned int n = 0; n < 4; n++)
            vunmap(p[orders[i][n]], orders[i][n] == 1 ? 512 : 1);
        page_inject_failure(0);
        give_back(chain);
    }
    teardown();
}

/*
 * Reserved ranges: tables and nothing in them.
 */
static bool is_mapped(const void *p)
{
    return pte_present(space_query(&kernel_space, ptr_to_vaddr(p)));
}

static void check_reserved(struct test_run *run_, uint64_t nr)
{
    const pte_t none = { 0 };
    char why[120] = "";
    uint8_t *p = NULL, *last;

    REQUIRE(vmap_reserve(nr, (void **)&p) == 0);
    last = p + (nr - 1) * PAGE_SIZE;
    EXPECT(!is_mapped(p) && !is_mapped(last));
    EXPECT_FAULT(TRAP_PF, *(volatile uint8_t *)p = 1);
    /* Xen finds an L1 for the first and for the last page. */
    EXPECT_EQ(mmu_set_va_now(ptr_to_vaddr(p), none, 0), 0);
    EXPECT_EQ(mmu_set_va_now(ptr_to_vaddr(last), none, 0), 0);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
    vmap_release(p, nr);
}

TEST(vmap, reserved_range_has_tables_and_no_pages)
{
    static const uint64_t sizes[] = { 1, 8, 511, 512, 513, 17000 };
    void *p;

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
        check_reserved(run_, sizes[i]);
    EXPECT_EQ(vmap_reserve(0, &p), -EINVAL);
}

/* What comes and goes beside it in the same table does not take the table. */
TEST(vmap, reserved_tables_stay)
{
    uint8_t *p = NULL, *q = NULL;
    pte_t none = { 0 };

    REQUIRE(setup());
    REQUIRE(vmap_reserve(2, (void **)&p) == 0);
    for (unsigned int i = 0; i < 3; i++) {
        EXPECT_EQ(vmap(frames, PAGES, MAP_RW, (void **)&q), 0);
        EXPECT_EQ((uintptr_t)q >> 21, (uintptr_t)p >> 21);
        vunmap(q, PAGES);
        EXPECT_EQ(vmap(frames, 1, MAP_RW, (void **)&q), 0);
        vunmap(q, 1);
        EXPECT_EQ(mmu_set_va_now(ptr_to_vaddr(p), none, 0), 0);
    }
    /* And in the range itself. */
    EXPECT_EQ(space_map(&kernel_space, ptr_to_vaddr(p), frames, 2, MAP_RW), 0);
    EXPECT_EQ(space_release(&kernel_space, ptr_to_vaddr(p), 2), -EBUSY);
    EXPECT_EQ(space_unmap(&kernel_space, ptr_to_vaddr(p), 2), 0);
    EXPECT_EQ(mmu_set_va_now(ptr_to_vaddr(p), none, 0), 0);
    vmap_release(p, 2);
    teardown();
}

TEST(vmap, release_of_nothing_is_refused)
{
    const vaddr_t va = _vaddr(0xffffd00000000000);

    EXPECT_EQ(space_release(&kernel_space, va, 2), -ENOENT);
    EXPECT_EQ(space_reserve(&kernel_space, va, 2), 0);
    EXPECT_EQ(space_release(&kernel_space, va, 2), 0);
    EXPECT_EQ(space_release(&kernel_space, va, 2), -ENOENT);
}

TEST(vmap, every_failure_of_a_reserve_leaves_nothing)
{
    const uint64_t before = in_use();
    char why[120] = "";
    void *p = &p;
    int rc = -1;

    for (unsigned int n = 1; n < 60 && rc != 0; n++) {
        page_inject_failure(n);
        rc = vmap_reserve(20000, &p);
        page_inject_failure(0);
        EXPECT(rc == 0 || (rc == -ENOMEM && p == &p));
    }
    EXPECT_EQ(rc, 0);
    if (rc == 0)
        vmap_release(p, 20000);
    p = &p;
    rc = -1;
    for (unsigned int n = 1; n < 200 && rc != 0; n++) {
        mmu_inject_failure(n);
        rc = vmap_reserve(20000, &p);
        mmu_inject_failure(0);
        EXPECT(rc == 0 || (rc == -ENOMEM && p == &p));
    }
    EXPECT_EQ(rc, 0);
    if (rc == 0)
        vmap_release(p, 20000);
    EXPECT_EQ(in_use(), before);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

FATAL(vmap, unmapping_twice)
{
    void *p;

    REQUIRE(setup());
    REQUIRE(vmap(frames, 1, MAP_R, &p) == 0);
    vunmap(p, 1);
    vunmap(p, 1);
}

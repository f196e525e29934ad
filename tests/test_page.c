/* SPDX-License-Identifier: MIT */
#include <plinth/events.h>
#include <plinth/heap.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/physmap.h>
#include <plinth/string.h>
#include <plinth/test.h>

static uint64_t allocated(void)
{
    const struct page_stats s = page_stats();

    /*
     * Not the heap's slabs, which it counts by itself and which a few objects
     * can keep; nor the pages for the state of ports, which stay.
     */
    return s.total - s.free - s.overhead - 2 * heap_stats().slabs -
           event_stats().pages;
}

LEDGER(allocated_pages, allocated);

static void check(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(page_check(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

TEST(page, one_page)
{
    uint64_t *p = page_alloc(0);

    REQUIRE(p != NULL);
    EXPECT_EQ((uintptr_t)p % PAGE_SIZE, 0);
    EXPECT_EQ(page_order(p), 0);
    p[0] = p[511] = 42;
    EXPECT(kaddr_lookup(kaddr_pfn(p)) == p);
    page_free(p, 0);
    page_free(NULL, 0);
    check(run_);
}

TEST(page, zeroed)
{
    uint8_t *p = page_alloc(1);

    REQUIRE(p != NULL);
    memset(p, 0xff, 2 * PAGE_SIZE);
    page_free(p, 1);
    p = page_alloc_zeroed(1);
    REQUIRE(p != NULL);
    for (unsigned int i = 0; i < 2 * PAGE_SIZE; i++)
        REQUIRE(p[i] == 0);
    page_free(p, 1);
}

TEST(page, every_order_is_aligned_and_apart)
{
    void *blocks[10];

    for (unsigned int order = 0; order < ARRAY_SIZE(blocks); order++) {
        blocks[order] = page_alloc(order);
        if (blocks[order] == NULL)
            continue; /* a small guest */
        EXPECT_EQ((uintptr_t)blocks[order] % (PAGE_SIZE << order), 0);
        EXPECT_EQ(page_order(blocks[order]), order);
        memset(blocks[order], order, PAGE_SIZE << order);
    }
    check(run_);
    for (unsigned int order = 0; order < ARRAY_SIZE(blocks); order++) {
        const uint8_t *p = blocks[order];

        if (p == NULL)
            continue;
        for (uint64_t i = 0; i < PAGE_SIZE << order; i += 512)
            EXPECT_EQ(p[i], order);
        page_free(blocks[order], order);
    }
    check(run_);
}

TEST(page, order_out_of_range_is_null)
{
    EXPECT(page_alloc(PAGE_MAX_ORDER + 1) == NULL);
    EXPECT(page_alloc(~0u) == NULL);
}

/* All there is, in single pages chained through themselves, and back. */
TEST(page, exhaustion_and_recovery)
{
    const struct page_stats before = page_stats();
    uint64_t n = 0;
    void **chain = NULL, **p;

    if (p2m_size() > 1ul << 18)
        SKIP("would touch more than 1 GiB; exhaustion.* takes blocks");

    while ((p = page_alloc(0)) != NULL) {
        *p = chain;
        chain = p;
        n++;
    }
    EXPECT_EQ(page_stats().free, 0);
    EXPECT_EQ(page_stats().unmapped, 0);
    EXPECT(page_alloc(0) == NULL);
    check(run_);

    /* Tables and records have taken some: three pages for each 2 MiB. */
    EXPECT_EQ(n + page_stats().overhead, before.free + before.overhead);
    EXPECT(page_stats().overhead <=
           (p2m_size() / CHUNK_PAGES + 2) * 3 + PHYSMAP_PAGES);

    while (chain != NULL) {
        p = chain;
        chain = *p;
        page_free(p, 0);
    }
    EXPECT_EQ(page_stats().free, n);
    check(run_);
}

TEST(page, note_is_0_when_allocated)
{
    void *p = page_alloc(0), *block;

    REQUIRE(p != NULL);
    EXPECT_EQ(*page_note(p), 0);
    *page_note(p) = 0xbeef;
    page_free(p, 0);
    EXPECT(page_alloc(0) == p); /* freed last, allocated first */
    EXPECT_EQ(*page_note(p), 0);
    page_free(p, 0);

    block = page_alloc(3);
    REQUIRE(block != NULL);
    *page_note(block) = 0xbeef;
    page_free(block, 3);
    block = page_alloc(3);
    REQUIRE(block != NULL);
    EXPECT_EQ(*page_note(block), 0);
    page_free(block, 3);
}

/* Just the nth, whether a single page waits in the cache or not. */
TEST(page, injected_failure_hits_the_nth)
{
    for (unsigned int order = 0; order < 3; order += 2) {
        const uint64_t failures = page_stats().failures;
        void *p[4];

        page_free(page_alloc(0), 0);
        page_inject_failure(3);
        for (unsigned int i = 0; i < ARRAY_SIZE(p); i++)
            p[i] = page_alloc(order);
        page_inject_failure(0);
        for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
            EXPECT_EQ(p[i] == NULL, i == 2);
            page_free(p[i], order);
        }
        EXPECT_EQ(page_stats().failures, failures + 1);
        check(run_);
    }
}

/* Misuse ends the domain, in release builds as well. */
FATAL(page, double_free)
{
    void *p = page_alloc(0);

    page_free(p, 0);
    page_free(p, 0);
}

FATAL(page, double_free_of_a_block)
{
    void *p = page_alloc(4);

    page_free(p, 4);
    page_free(p, 4);
}

FATAL(page, wrong_order)
{
    page_free(page_alloc(4), 0);
}

FATAL(page, free_inside_a_block)
{
    page_free((uint8_t *)page_alloc(4) + PAGE_SIZE, 0);
}

FATAL(page, write_after_free)
{
    uint64_t *p = page_alloc(0);

    page_free(p, 0);
    p[15] = 0;
    (void)page_alloc(0);
}

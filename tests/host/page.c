/* SPDX-License-Identifier: MIT */
/*
 * page: the buddy allocator on layouts of all kinds, with growing that fails,
 * and misuse.  page_release.c is the same for a build without the checks.
 */
#include "ref_page.h"
#include "tap.h"

#define ROUNDS 300
#define MOST   400

static void good(const char *when)
{
    CHECK(ref_failure[0] == '\0', "%s: %s", when, ref_failure);
    ref_failure[0] = '\0';
}

static void random_calls(void)
{
    uint8_t data[MOST];

    for (unsigned int round = 0; round < ROUNDS; round++) {
        const size_t len = 20 + rnd_below(MOST - 20);
        const char *wrong;

        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)rnd_below(256);
        wrong = ref_page_run(data, len);
        CHECK(wrong[0] == '\0', "round %u, %zu bytes: %s", round, len, wrong);
    }
}

/* Text, then padding, then all the rest. */
static void simple_layout(uint64_t nr_pages, uint64_t linear)
{
    ref_memory(nr_pages, linear);
    ref_region(0, 10, false);
    ref_region(10, linear - 10, true);
    if (nr_pages > linear)
        ref_region(linear, nr_pages - linear, true);
    ref_page_start();
}

/*
 * Single pages until there is none; no page is kept back then.  They come back
 * in any order, so that neighbours at the edges of each region meet.
 */
static void to_the_last(void)
{
    uint64_t all;

    simple_layout(3000, 500);
    all = page_stats().total;
    CHECK(all == 3000 - 10 - ref.nr_kept, "%lu", all);
    while (ref_alloc(0, false, false) != NULL && ref_failure[0] == '\0')
        ;
    good("taking all");
    CHECK(ref.nr_lent + ref.nr_tables == all && page_stats().free == 0,
          "%lu lent, %lu for tables, of %lu", ref.nr_lent, ref.nr_tables, all);
    while (ref.nr_blocks > 0)
        ref_free(rnd_below(ref.nr_blocks));
    ref_end();
    good("giving all back");
}

/*
 * 256 MiB at once, which come in 16 chunks at a time.  Of 1 GiB there may be
 * none, as tables for the next chunks are taken from what has come already.
 */
static void large_blocks(void)
{
    simple_layout(REF_PAGES, 1024);
    CHECK(ref_alloc(16, false, false) != NULL, "no 256 MiB");
    CHECK(ref_alloc(PAGE_MAX_ORDER + 1, false, false) == NULL, "2 GiB");
    (void)ref_alloc(PAGE_MAX_ORDER, false, false);
    good("large blocks");
    ref_end();
    good("giving it back");
}

/* Growing stops at each page it takes, in turn, and leaves no trace. */
static void growing_fails(void)
{
    for (unsigned int n = 0; n < PHYSMAP_PAGES; n++) {
        struct page_stats before, after;

        simple_layout(9000, 300);
        before = page_stats();
        ref.get_fails = n;
        ref.grow_fails = n == PHYSMAP_PAGES - 1;
        CHECK(ref_alloc(9, false, false) == NULL || ref.nr_tables > 0,
              "more than the bootstrap region without growing");
        after = page_stats();
        if (ref.nr_tables == 0)
            CHECK(before.free == after.free && after.overhead == 0,
                  "%u: %lu free, then %lu", n, before.free, after.free);
        ref_check_lists();
        ref_end();
        good("growing fails");
    }
}

/*
 * Who keeps a page is asked for it when there is no other; but not by who holds a
 * lock, and once.
 */
static void keepers_are_asked(void)
{
    void *last = NULL, *p;

    simple_layout(600, 500);
    while ((p = page_alloc(0)) != NULL)
        last = p;
    ref_kept = last;
    preempt_disable();
    CHECK(page_alloc(0) == NULL && ref_kept == last, "with a lock held");
    preempt_enable();
    (void)upcall_mask();
    CHECK(page_alloc(0) == NULL && ref_kept == last, "with upcalls masked");
    this_vcpu_info()->evtchn_upcall_mask = 0;
    page_inject_failure(1);
    CHECK(page_alloc(0) == NULL && ref_kept == last, "by an injected failure");
    page_inject_failure(0);
    CHECK(page_alloc(0) == last && ref_kept == NULL, "not asked");
    CHECK(page_alloc(0) == NULL && !page_reclaim(), "given twice");
}

TAP_MAIN({ "random calls", random_calls }, { "to the last page", to_the_last },
         { "large blocks", large_blocks }, { "growing fails", growing_fails },
         { "keepers are asked", keepers_are_asked })

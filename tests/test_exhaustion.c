/* SPDX-License-Identifier: MIT */
/*
 * All memory taken and given back, in blocks as large as there are, so that a
 * domain of many GiB can be run dry without touching all of it.
 */
#include <arch/vcpu.h>
#include <plinth/audit.h>
#include <plinth/balloon.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/physmap.h>
#include <plinth/space.h>
#include <plinth/test.h>
#include <plinth/thread.h>

/* Of each order, chained through their first words. */
static void **blocks[PAGE_MAX_ORDER + 1];

static void expect_sound(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(page_check(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

/* Pages taken, from @order down to single ones, until none is left. */
static uint64_t take_all(unsigned int order)
{
    uint64_t taken = 0;
    void **p;

    for (unsigned int i = order + 1; i-- > 0;) {
        while ((p = page_alloc(i)) != NULL) {
            *p = blocks[i];
            blocks[i] = p;
            taken += 1ul << i;
        }
    }
    return taken;
}

static void free_all(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(blocks); i++) {
        while (blocks[i] != NULL) {
            void **p = blocks[i];

            blocks[i] = *p;
            page_free(p, i);
        }
    }
}

/* The domain's size does not matter: what was free can be had, to the last. */
static void run_dry(struct test_run *run_, unsigned int order)
{
    struct page_stats before, after;
    uint64_t taken;
    char why[120] = "";

    (void)page_reclaim();
    before = page_stats();
    taken = take_all(order);
    after = page_stats();
    EXPECT_EQ(after.free, 0);
    EXPECT_EQ(after.unmapped, 0);
    EXPECT_EQ(taken + after.overhead, before.free + before.overhead);
    EXPECT_EQ(after.total, before.total);
    EXPECT(after.failures > before.failures);
    EXPECT(page_alloc(0) == NULL);
    expect_sound(run_);

    free_all();
    EXPECT_EQ(page_stats().free, taken);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

/*
 * The second aligned 1 GiB has nothing of the builder's in it, and what growing
 * takes for its tables is taken below it.
 */
TEST(exhaustion, largest_block_of_all)
{
    void *p;

    if (p2m_size() < 2ul << PAGE_MAX_ORDER)
        SKIP("a domain of less than 2 GiB");
    p = page_alloc(PAGE_MAX_ORDER);
    EXPECT(p != NULL);
    page_free(p, PAGE_MAX_ORDER);
    expect_sound(run_);
}

TEST(exhaustion, largest_blocks_first)
{
    run_dry(run_, PAGE_MAX_ORDER);
}

/*
 * Some hundred blocks, whatever the domain's size: under an emulator the first
 * touch of each may cost 2 MiB of the host's memory.
 */
static unsigned int small_order(void)
{
    unsigned int order = 0;

    while (p2m_size() >> order > 512)
        order++;
    return order;
}

static int ends(void *arg __unused)
{
    return 0;
}

/* With all of it mapped before, the free count is the same to the page. */
TEST(exhaustion, again_by_small_blocks)
{
    uint64_t before;

    run_dry(run_, PAGE_MAX_ORDER);
    before = page_stats().free;
    EXPECT_EQ(page_stats().unmapped, 0);
    run_dry(run_, small_order());
    EXPECT_EQ(page_stats().free, before);
}

/* What was split comes together again: the largest block can be had as before. */
TEST(exhaustion, blocks_merge_again)
{
    unsigned int largest = 0;
    void *p;

    run_dry(run_, PAGE_MAX_ORDER);
    for (unsigned int order = 0; order <= PAGE_MAX_ORDER; order++) {
        p = page_alloc(order);
        if (p != NULL)
            largest = order;
        page_free(p, order);
    }
    run_dry(run_, small_order());
    p = page_alloc(largest);
    EXPECT(p != NULL);
    page_free(p, largest);
}

/* The stack of a thread that has ended. */
static void have_a_stack_kept(struct test_run *run_)
{
    struct thread *t;

    REQUIRE(thread_create("x", ends, NULL, NULL, &t) == 0);
    EXPECT_EQ(thread_join(t, KTIME_NEVER, NULL), 0);
    EXPECT_EQ(thread_stats().kept_stacks, 1);
}

/* What is kept for later is had when there is nothing else. */
TEST(exhaustion, keepers_give_back)
{
    uint64_t before, taken;

    run_dry(run_, PAGE_MAX_ORDER); /* so that none is taken for tables later */
    (void)page_reclaim();
    before = page_stats().free;
    have_a_stack_kept(run_);
    EXPECT(page_stats().free < before);
    taken = take_all(small_order());
    EXPECT_EQ(thread_stats().kept_stacks, 0);
    EXPECT_EQ(taken, before);
    free_all();
    EXPECT_EQ(page_stats().free, before);
    expect_sound(run_);
}

/* The balloon does not ask, or there would be nothing to say so with. */
TEST(exhaustion, keepers_give_nothing_to_the_balloon)
{
    const uint64_t all = balloon_current();
    void *reserve[BALLOON_RESERVE];

    (void)page_reclaim();
    for (unsigned int i = 0; i < BALLOON_RESERVE; i++)
        REQUIRE((reserve[i] = page_alloc(0)) != NULL);
    have_a_stack_kept(run_);
    preempt_disable();
    (void)take_all(small_order());
    preempt_enable();
    for (unsigned int i = 0; i < BALLOON_RESERVE; i++)
        page_free(reserve[i], 0);
    EXPECT_EQ(thread_stats().kept_stacks, 1);
    EXPECT_EQ(balloon_set(all - 1), -ENOMEM);
    EXPECT_EQ(thread_stats().kept_stacks, 1);
    free_all();
    expect_sound(run_);
}

/* The physmap has a hole there, and the chunk is not the worse for it. */
FATAL(exhaustion, page_without_a_frame)
{
    const uint64_t pfn = p2m_size() - 700, before = page_stats().total;

    REQUIRE(kaddr_lookup(_pfn(pfn)) == NULL && kaddr_in_physmap(_pfn(pfn)));
    EXPECT_EQ(p2m_set(_pfn(pfn), INVALID_MFN), 0);
    (void)take_all(PAGE_MAX_ORDER);
    free_all();
    EXPECT_EQ(physmap_holes(), 1);
    EXPECT_EQ(page_stats().total, before - 1);
    for (uint64_t i = pfn - 2; i <= pfn + 2; i++) {
        const vaddr_t va = _vaddr(physmap_va(_pfn(i)));
        const pte_t pte = space_query(&kernel_space, va);

        EXPECT_EQ(pte_present(pte), i != pfn);
        if (i != pfn)
            EXPECT_EQ(mfn_x(pte_mfn(pte)), mfn_x(p2m_lookup(_pfn(i))));
    }
    expect_sound(run_);
}

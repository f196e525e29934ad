/* SPDX-License-Identifier: MIT */
#include <plinth/audit.h>
#include <plinth/balloon.h>
#include <plinth/errno.h>
#include <plinth/frames.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/test.h>

static long reserved(void)
{
    domid_t self = DOMID_SELF;

    return hypercall_memory_op(XENMEM_current_reservation, &self);
}

static void expect_sound(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

/* Pfns without a frame, as whoever reads our P2M sees them. */
static uint64_t nr_without_frame(void)
{
    uint64_t n = 0;

    for (uint64_t pfn = 0; pfn < p2m_size(); pfn++)
        n += mfn_eq(p2m_lookup(_pfn(pfn)), INVALID_MFN);
    return n;
}

static uint64_t some(void)
{
    return MIN(page_stats().free / 2, 1000ul);
}

TEST(balloon, down_and_up_again)
{
    const uint64_t n = some(), before = balloon_current();
    const long xen = reserved();

    EXPECT_EQ(before, p2m_size());
    EXPECT_EQ(balloon_set(before - n), 0);
    EXPECT_EQ(balloon_current(), before - n);
    EXPECT_EQ(reserved(), xen - (long)n);
    EXPECT_EQ(nr_without_frame(), n);
    expect_sound(run_);

    EXPECT_EQ(balloon_set(before), 0);
    EXPECT_EQ(balloon_current(), before);
    EXPECT_EQ(reserved(), xen);
    EXPECT_EQ(nr_without_frame(), 0);
    expect_sound(run_);
}

TEST(balloon, twenty_times)
{
    const uint64_t n = some(), before = balloon_current();
    const long xen = reserved();

    for (unsigned int i = 0; i < 20; i++) {
        EXPECT_EQ(balloon_set(before - 1 - test_random() % n), 0);
        EXPECT_EQ(balloon_set(before - test_random() % n), 0);
    }
    EXPECT_EQ(balloon_set(before), 0);
    EXPECT_EQ(reserved(), xen);
    expect_sound(run_);
}

/* More than there is: as much as can be goes, and everything comes back. */
TEST(balloon, cannot_give_what_is_in_use)
{
    const uint64_t before = balloon_current();

    if (page_stats().free > 20000)
        SKIP("takes long with this much memory");
    EXPECT_EQ(balloon_set(1), -ENOMEM);
    EXPECT(page_stats().free <= BALLOON_RESERVE);
    EXPECT_EQ(balloon_set(before), 0);
    EXPECT_EQ(balloon_current(), before);
    expect_sound(run_);
}

TEST(balloon, more_than_the_start_is_refused)
{
    EXPECT_EQ(balloon_set(balloon_max() + 1), -EINVAL);
    EXPECT_EQ(balloon_set(balloon_max()), 0);
}

/* Each request in turn is refused: pages unmapped, flushed; frames mapped. */
static void refuse_each(struct test_run *run_, uint64_t from, uint64_t to,
                        unsigned int requests)
{
    const uint64_t before = balloon_current(), free = page_stats().free;
    unsigned int refused = 0;
    int rc;

    do {
        EXPECT_EQ(balloon_set(from), 0);
        mmu_inject_failure(refused + 1);
        rc = balloon_set(to);
        mmu_inject_failure(0);
        if (rc != 0) {
            EXPECT_EQ(rc, -ENOMEM);
            refused++;
        }
        EXPECT_EQ(nr_without_frame(), p2m_size() - balloon_current());
        expect_sound(run_);
    } while (rc != 0 && refused < 100);
    EXPECT_EQ(refused, requests);
    EXPECT_EQ(balloon_set(before), 0);
    EXPECT_EQ(page_stats().free, free);
    EXPECT_EQ(balloon_current(), before);
}

TEST(balloon, every_failure_on_the_way_down_loses_nothing)
{
    const uint64_t now = balloon_current();
    const long xen = reserved();

    refuse_each(run_, now, now - 4, 4 + 4);
    EXPECT_EQ(reserved(), xen);
}

TEST(balloon, every_failure_on_the_way_up_loses_nothing)
{
    const uint64_t now = balloon_current();
    const long xen = reserved();

    refuse_each(run_, now - 4, now, 4);
    EXPECT_EQ(reserved(), xen);
}

/* A page whose frame Xen does not take, since there is no such frame. */
TEST(balloon, what_xen_does_not_take_stays)
{
    const uint64_t before = balloon_current();
    const long xen = reserved();
    void *page = page_alloc(0);
    mfn_t mfn;

    REQUIRE(page != NULL);
    mfn = kaddr_mfn(page);
    EXPECT_EQ(p2m_set(kaddr_pfn(page), INVALID_MFN), 0);
    page_free(page, 0); /* and so the first to be given */
    EXPECT_EQ(balloon_set(before - 1), -ENOMEM);
    /* The one that nobody knows of goes, and another one can come if none has. */
    EXPECT_EQ(frames_give(&mfn, 1), 1);
    EXPECT_EQ(balloon_set(before), 0);
    EXPECT_EQ(balloon_current(), before);
    EXPECT_EQ(reserved(), xen);
    EXPECT_EQ(nr_without_frame(), 0);
    expect_sound(run_);
}

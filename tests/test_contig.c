/* SPDX-License-Identifier: MIT */
#include <plinth/audit.h>
#include <plinth/balloon.h>
#include <plinth/bug.h>
#include <plinth/contig.h>
#include <plinth/errno.h>
#include <plinth/frames.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/start_info.h>
#include <plinth/test.h>

/* Xen's memop-max-order: what it lets any domain ask for. */
#define DOMU_ORDER 9u

static void expect_sound(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

static char *page_at(void *block, uint64_t i)
{
    return (char *)block + i * PAGE_SIZE;
}

static mfn_t frame_at(void *block, uint64_t i)
{
    return p2m_lookup(kaddr_pfn(page_at(block, i)));
}

/* A number that only this page of this moment has. */
static uint64_t mark(uint64_t salt, uint64_t i)
{
    return (salt + i) * 0x9e3779b97f4a7c15ul;
}

static void write_marks(void *block, unsigned int order, uint64_t salt)
{
    for (uint64_t i = 0; i < 1ul << order; i++)
        *(uint64_t *)page_at(block, i) = mark(salt, i);
}

static void expect_marks(struct test_run *run_, void *block, unsigned int order,
                         uint64_t salt)
{
    uint64_t wrong = 0;

    for (uint64_t i = 0; i < 1ul << order; i++)
        wrong += *(uint64_t *)page_at(block, i) != mark(salt, i);
    EXPECT_EQ(wrong, 0);
}

/* Neighbours in the machine, known as ours by both tables, and usable. */
static void expect_contiguous(struct test_run *run_, void *block,
                              unsigned int order)
{
    const mfn_t first = frame_at(block, 0);
    uint64_t wrong = 0;

    EXPECT_EQ(mfn_x(first) % (1ul << order), 0);
    EXPECT_EQ((uintptr_t)block % (PAGE_SIZE << order), 0);
    for (uint64_t i = 0; i < 1ul << order; i++)
        wrong += !mfn_eq(frame_at(block, i), mfn_add(first, i)) ||
                 !pfn_eq(m2p_lookup(mfn_add(first, i)),
                         kaddr_pfn(page_at(block, i)));
    EXPECT_EQ(wrong, 0);
    write_marks(block, order, pfn_x(kaddr_pfn(block)));
    expect_marks(run_, block, order, pfn_x(kaddr_pfn(block)));
}

/* The pages of @block change their frames, so that these run backwards. */
static void turn_round(void *block, unsigned int order)
{
    const uint64_t last = (1ul << order) - 1;

    mmu_begin();
    for (uint64_t i = 0; i <= last; i++)
        frames_unmap(page_at(block, i));
    BUG_ON(mmu_send() != 0);
    for (uint64_t i = 0; i < last - i; i++) {
        const mfn_t low = frame_at(block, i), high = frame_at(block, last - i);

        frames_map(page_at(block, i), high);
        frames_map(page_at(block, last - i), low);
        mmu_set_m2p(high, kaddr_pfn(page_at(block, i)));
        mmu_set_m2p(low, kaddr_pfn(page_at(block, last - i)));
    }
    BUG_ON(mmu_end() != 0);
}

static bool ascending(void *block)
{
    return mfn_eq(frame_at(block, 1), mfn_add(frame_at(block, 0), 1));
}

/*
 * A free block of two pages or more that does not suit: the next
 * page_alloc(@order) gives the same one again, as nothing else happens
 * meanwhile.  NULL when there is none.
 */
static void *free_scattered(unsigned int order)
{
    void *block = page_alloc(order);

    if (block == NULL)
        return NULL;
    if (ascending(block))
        turn_round(block, order);
    page_free(block, order);
    return block;
}

/* What a failure must leave alone. */
struct state {
    uint64_t free, current, in_balloon;
};

static struct state state(void)
{
    return (struct state){ page_stats().free, frames_current(),
                           balloon_current() };
}

static void expect_state(struct test_run *run_, struct state before)
{
    const struct state now = state();

    EXPECT_EQ(now.free, before.free);
    EXPECT_EQ(now.current, before.current);
    EXPECT_EQ(now.in_balloon, before.in_balloon);
    expect_sound(run_);
}

/*
 * The counts of frames.
 */
TEST(frames, counts_follow_the_balloon)
{
    const uint64_t current = frames_current(), max = frames_maximum();
    const uint64_t now = balloon_current();

    EXPECT(current >= p2m_size());
    EXPECT(max >= current);
    EXPECT_EQ(balloon_set(now - 3), 0);
    EXPECT_EQ(frames_current(), current - 3);
    EXPECT_EQ(frames_maximum(), max);
    EXPECT_EQ(balloon_set(now), 0);
    EXPECT_EQ(frames_current(), current);
}

/* The frame of a page is Xen's and the P2M does not know: as after a failure. */
TEST(frames, lost_frame_is_replaced)
{
    uint64_t *page = page_alloc(0);
    const uint64_t current = frames_current();
    mfn_t old = p2m_lookup(kaddr_pfn(page)), other;

    mmu_begin();
    frames_unmap(page);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(frames_give(&old, 1), 1);
    EXPECT_EQ(frames_current(), current - 1);

    EXPECT_EQ(frames_repair(page), 0);
    other = p2m_lookup(kaddr_pfn(page));
    EXPECT_EQ(pfn_x(m2p_lookup(other)), pfn_x(kaddr_pfn(page)));
    EXPECT_EQ(frames_current(), current);
    page[0] = page[511] = 0x55;
    EXPECT_EQ(page[0], 0x55);
    page_free(page, 0);
    expect_sound(run_);
}

/* A page that lacks its mapping alone keeps its frame, and what is in it. */
TEST(frames, frame_that_is_ours_is_mapped_again)
{
    uint64_t *page = page_alloc(0), value;
    const mfn_t old = p2m_lookup(kaddr_pfn(page));

    page[7] = 7;
    mmu_begin();
    frames_unmap(page);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(probe_read(&page[7], &value), -EFAULT);
    EXPECT_EQ(frames_repair(page), 0);
    EXPECT_EQ(mfn_x(p2m_lookup(kaddr_pfn(page))), mfn_x(old));
    EXPECT_EQ(page[7], 7);
    EXPECT_EQ(frames_repair(page), 0); /* nothing to repair */
    EXPECT_EQ(page[7], 7);
    page_free(page, 0);
}

/* One that Xen refuses to map though it is ours does not stay behind. */
TEST(frames, refused_frame_is_let_go)
{
    uint64_t *page = page_alloc(0);
    const struct state before = state();

    mmu_inject_failure(1);
    EXPECT_EQ(frames_repair(page), 0);
    mmu_inject_failure(0);
    EXPECT_EQ(pfn_x(m2p_lookup(p2m_lookup(kaddr_pfn(page)))),
              pfn_x(kaddr_pfn(page)));
    page[0] = 1;
    expect_state(run_, before);
    page_free(page, 0);
}

/*
 * Contiguous blocks.
 */
TEST(contig, every_order_is_contiguous_and_aligned)
{
    const uint64_t current = frames_current();

    for (unsigned int order = 0; order <= DOMU_ORDER; order++) {
        void *block = NULL;
        const int rc = contig_alloc(order, 0, &block);

        /* A small domain has no such block, a full machine no such frames. */
        if (rc != 0) {
            EXPECT(order > 6);
            EXPECT_EQ(rc, -ENOMEM);
            continue;
        }
        expect_contiguous(run_, block, order);
        contig_free(block, order);
    }
    EXPECT_EQ(frames_current(), current);
    expect_sound(run_);
}

TEST(contig, scattered_frames_are_exchanged)
{
    static const unsigned int orders[] = { 1, 2, 4, 7, 9 };

    for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
        const unsigned int order = orders[i];
        void *scattered = free_scattered(order), *block = NULL;
        const struct state before = state();
        mfn_t old;
        int rc;

        if (scattered == NULL)
            continue;
        old = frame_at(scattered, 0);
        EXPECT(!ascending(scattered));
        rc = contig_alloc(order, 0, &block);
        if (rc != 0) {
            EXPECT(order > 6);
            EXPECT_EQ(rc, -ENOMEM);
            continue;
        }
        EXPECT(block == scattered);
        expect_contiguous(run_, block, order);
        EXPECT_EQ(frames_current(), before.current);

        /* The old frame is not ours any more, or at another place. */
        EXPECT(!pfn_eq(m2p_lookup(old), kaddr_pfn(block)));
        contig_free(block, order);
        expect_state(run_, before);
    }
}

/* Nobody's memory changes but the block's. */
TEST(contig, neighbours_keep_what_they_hold)
{
    void *before = page_alloc(3), *scattered = free_scattered(3);
    void *after = NULL, *block = NULL;

    write_marks(before, 3, 1);
    REQUIRE(contig_alloc(3, 0, &block) == 0);
    EXPECT(block == scattered);
    after = page_alloc(3);
    write_marks(after, 3, 2);
    write_marks(block, 3, 3);
    expect_marks(run_, before, 3, 1);
    expect_marks(run_, after, 3, 2);
    expect_marks(run_, block, 3, 3);
    page_free(before, 3);
    page_free(after, 3);
    contig_free(block, 3);
    expect_sound(run_);
}

/* What suits is not exchanged: the frames are the same afterwards. */
TEST(contig, suitable_block_keeps_its_frames)
{
    void *block = NULL, *again = NULL;
    mfn_t frame;

    (void)free_scattered(4);
    REQUIRE(contig_alloc(4, 0, &block) == 0);
    frame = frame_at(block, 0);
    write_marks(block, 4, 4);
    contig_free(block, 4);
    REQUIRE(contig_alloc(4, 0, &again) == 0);
    EXPECT(again == block);
    EXPECT_EQ(mfn_x(frame_at(again, 0)), mfn_x(frame));
    EXPECT_EQ(((uint64_t *)page_at(again, 15))[0], mark(4, 15));
    contig_free(again, 4);
}

/* What page_alloc(@order) would give next. */
static void *next_block(unsigned int order)
{
    void *block = page_alloc(order);

    page_free(block, order);
    return block;
}

/* Ever lower, until Xen has nothing there: exchanged, or left as it was. */
TEST(contig, address_bits_are_obeyed)
{
    unsigned int moved = 0;

    for (unsigned int bits = 40; bits > 20; bits--) {
        void *next = next_block(2), *block = NULL;
        const mfn_t old = frame_at(next, 3);
        const uint64_t limit = 1ul << (bits - PAGE_SHIFT);
        const struct state before = state();
        const int rc = contig_alloc(2, bits, &block);

        if (rc == 0) {
            EXPECT(block == next);
            EXPECT(mfn_x(frame_at(block, 3)) < limit);
            expect_contiguous(run_, block, 2);
            moved += mfn_x(old) >= limit;
            contig_free(block, 2);
        } else {
            EXPECT_EQ(rc, -ENOMEM);
            EXPECT_EQ(mfn_x(frame_at(next, 3)), mfn_x(old));
        }
        expect_state(run_, before);
    }
    if (moved == 0)
        SKIP("Xen has no memory below what we have");
}

/* All machines keep their lowest frames to themselves. */
TEST(contig, no_such_frames_leaves_the_block_as_it_was)
{
    void *block = page_alloc(3), *again = (void *)-1ul;
    struct state before;
    mfn_t frames[8];

    write_marks(block, 3, 5);
    for (unsigned int i = 0; i < 8; i++)
        frames[i] = frame_at(block, i);
    page_free(block, 3);
    before = state();

    EXPECT_EQ(contig_alloc(3, PAGE_SHIFT + 3, &again), -ENOMEM);
    for (unsigned int i = 0; i < 8; i++)
        EXPECT_EQ(mfn_x(frame_at(block, i)), mfn_x(frames[i]));

    /* A free page's first words are the allocator's in debug builds. */
    again = page_alloc(3);
    EXPECT(again == block);
    for (unsigned int i = 1; i < 8; i++)
        EXPECT_EQ(*(uint64_t *)page_at(again, i), mark(5, i));
    page_free(again, 3);
    expect_state(run_, before);
}

TEST(contig, order_beyond_xens_limit_is_refused)
{
    const unsigned int order = DOMU_ORDER + 1;
    void *block;
    struct state before;

    if (is_dom0())
        SKIP("dom0 may ask for any order");
    if (free_scattered(order) == NULL)
        SKIP("no block of that order");
    before = state();
    EXPECT_EQ(contig_alloc(order, 0, &block), -EPERM);
    expect_state(run_, before);
}

TEST(contig, bad_arguments)
{
    const struct state before = state();
    void *block;

    EXPECT_EQ(contig_alloc(PAGE_MAX_ORDER + 1, 0, &block), -EINVAL);
    EXPECT_EQ(contig_alloc(64, 0, &block), -EINVAL);
    EXPECT_EQ(contig_alloc(0, 65, &block), -EINVAL);
    EXPECT_EQ(contig_alloc(0, PAGE_SHIFT - 1, &block), -EINVAL);
    EXPECT_EQ(contig_alloc(5, PAGE_SHIFT + 4, &block), -EINVAL);
    contig_free(NULL, 5);
    EXPECT_EQ(contig_alloc(0, 64, &block), 0);
    contig_free(block, 0);
    expect_state(run_, before);
}

TEST(contig, no_memory_of_ours)
{
    const struct state before = state();
    void *block;

    page_inject_failure(1);
    EXPECT_EQ(contig_alloc(2, 0, &block), -ENOMEM);
    page_inject_failure(0);
    expect_state(run_, before);
}

/*
 * Each request in turn is refused: pages unmapped one by one, flushed, mapped
 * with their new frames.
 */
TEST(contig, every_failure_leaves_nothing)
{
    unsigned int refused = 0;
    int rc;

    do {
        void *scattered = free_scattered(3), *block = NULL;
        const struct state before = state();

        mmu_inject_failure(refused + 1);
        rc = contig_alloc(3, 0, &block);
        mmu_inject_failure(0);
        if (rc == 0) {
            expect_contiguous(run_, block, 3);
            contig_free(block, 3);
        } else {
            EXPECT_EQ(rc, -ENOMEM);
            refused++;
        }
        expect_state(run_, before);

        /* All of it can be used and nothing is mapped elsewhere. */
        block = page_alloc(3);
        EXPECT(block == scattered);
        write_marks(block, 3, refused);
        expect_marks(run_, block, 3, refused);
        page_free(block, 3);
    } while (rc != 0 && refused < 100);
    EXPECT_EQ(refused, 8 + 8 + 8);
}

/* In no order, some kept for a while, with contents that nobody else changes. */
TEST(contig, random_blocks_keep_their_contents)
{
    enum {
        NR = 16
    };
    struct {
        void *block;
        unsigned int order;
        bool contiguous;
        uint64_t salt;
    } held[NR] = { { 0 } };
    const struct state before = state();
    unsigned int exchanged = 0;

    for (unsigned int step = 0; step < 1000; step++) {
        const unsigned int i = test_random() % NR;
        const unsigned int order = test_random() % 5;

        if (held[i].block != NULL) {
            expect_marks(run_, held[i].block, held[i].order, held[i].salt);
            if (held[i].contiguous)
                contig_free(held[i].block, held[i].order);
            else
                page_free(held[i].block, held[i].order);
            held[i].block = NULL;
            continue;
        }
        held[i].order = order;
        held[i].salt = step * 100;
        held[i].contiguous = test_random() % 2;
        if (held[i].contiguous) {
            const void *scattered =
                test_random() % 2 && order > 0 ? free_scattered(order) : NULL;

            REQUIRE(contig_alloc(order, 0, &held[i].block) == 0);
            expect_contiguous(run_, held[i].block, order);
            exchanged += held[i].block == scattered;
        } else {
            held[i].block = page_alloc(order);
            REQUIRE(held[i].block != NULL);
        }
        write_marks(held[i].block, order, held[i].salt);
    }
    for (unsigned int i = 0; i < NR; i++) {
        if (held[i].block == NULL)
            continue;
        expect_marks(run_, held[i].block, held[i].order, held[i].salt);
        page_free(held[i].block, held[i].order);
    }
    EXPECT(exchanged > 20);
    expect_state(run_, before);
}

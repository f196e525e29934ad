/* SPDX-License-Identifier: MIT */
/*
 * ranges are tested at length on the host (tests/host/ranges.c).  Here they do
 * the same in the guest, with the numbers of the kernel's own area.
 */
#include <plinth/errno.h>
#include <plinth/ranges.h>
#include <plinth/string.h>
#include <plinth/test.h>

/* In pages, as vmap has it: 32 TiB. */
#define START (0xffffa00000000000ul >> 12)
#define END   (0xffffc00000000000ul >> 12)
#define ALL   (END - START)
#define NODES 256

static struct ranges r;
static struct range_node pool[NODES], *spare;
static unsigned int fresh, out, most;

static struct range_node *get_node(struct ranges *ranges __unused)
{
    struct range_node *n = spare;

    if (out == most)
        return NULL;

    if (n == NULL)
        n = &pool[fresh++];
    else
        spare = n->parent;
    out++;
    memset(n, 0x5a, sizeof(*n));
    return n;
}

static void put_node(struct ranges *ranges __unused, struct range_node *n)
{
    n->parent = spare;
    spare = n;
    out--;
}

/* The whole area free, with @nodes to be had.  0, or why not. */
static int begin(unsigned int nodes)
{
    spare = NULL;
    fresh = out = 0;
    most = nodes;
    r = (struct ranges){ .get_node = get_node, .put_node = put_node };
    return ranges_init(&r, START, END);
}

#define END_RANGES()                                                           \
    do {                                                                       \
        EXPECT_EQ(ranges_check(&r), 0);                                        \
        ranges_release(&r);                                                    \
        EXPECT_EQ(out, 0);                                                     \
    } while (0)

TEST(ranges, starts_as_one)
{
    REQUIRE(begin(NODES) == 0);
    EXPECT_EQ(ranges_stats(&r).free, ALL);
    EXPECT_EQ(ranges_stats(&r).largest, ALL);
    EXPECT_EQ(ranges_stats(&r).nr, 1);
    EXPECT(ranges_is_free(&r, START, ALL));
    EXPECT(!ranges_is_free(&r, START, ALL + 1));
    END_RANGES();
}

TEST(ranges, lowest_first_and_joined_again)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;

    REQUIRE(begin(NODES) == 0);
    EXPECT_EQ(ranges_alloc(&r, 3, 1, &a), 0);
    EXPECT_EQ(ranges_alloc(&r, 5, 1, &b), 0);
    EXPECT_EQ(ranges_alloc(&r, 7, 1, &c), 0);
    EXPECT_EQ(a, START);
    EXPECT_EQ(b, START + 3);
    EXPECT_EQ(c, START + 8);

    EXPECT_EQ(ranges_free(&r, b, 5), 0);
    EXPECT_EQ(ranges_alloc(&r, 6, 1, &d), 0);
    EXPECT_EQ(d, START + 15);
    EXPECT_EQ(ranges_alloc(&r, 5, 1, &d), 0);
    EXPECT_EQ(d, b);

    EXPECT_EQ(ranges_free(&r, START, 21), 0);
    EXPECT_EQ(ranges_stats(&r).nr, 1);
    END_RANGES();
}

TEST(ranges, page_table_alignments_fit_tightly)
{
    uint64_t hole = 0, again = 0;

    REQUIRE(begin(NODES) == 0);
    EXPECT_EQ(ranges_take(&r, START, 1), 0);
    EXPECT_EQ(ranges_alloc(&r, 512, 512, &hole), 0);
    EXPECT_EQ(hole, START + 512);
    EXPECT_EQ(ranges_take(&r, hole + 512, 1), 0);
    EXPECT_EQ(ranges_free(&r, hole, 512), 0);
    EXPECT_EQ(ranges_alloc(&r, 512, 512, &again), 0);
    EXPECT_EQ(again, hole);

    EXPECT_EQ(ranges_alloc(&r, 1, 512 * 512, &again), 0);
    EXPECT_EQ(again % (512 * 512), 0);
    EXPECT_EQ(ranges_alloc(&r, 10, 64, &again), 0);
    EXPECT_EQ(again % 64, 0);
    END_RANGES();
}

TEST(ranges, a_fixed_place_is_all_or_nothing)
{
    REQUIRE(begin(NODES) == 0);
    EXPECT_EQ(ranges_take(&r, START + 100, 10), 0);
    EXPECT_EQ(ranges_take(&r, START + 109, 10), -EBUSY);
    EXPECT_EQ(ranges_take(&r, START + 91, 10), -EBUSY);
    EXPECT_EQ(ranges_take(&r, START, ALL), -EBUSY);
    EXPECT_EQ(ranges_stats(&r).free, ALL - 10);
    EXPECT_EQ(ranges_take(&r, START + 110, 10), 0);
    EXPECT_EQ(ranges_take(&r, END, 1), -EINVAL);
    EXPECT_EQ(ranges_take(&r, START - 1, 2), -EINVAL);
    EXPECT_EQ(ranges_take(&r, END - 1, ~0ul), -EINVAL);
    END_RANGES();
}

TEST(ranges, a_wrong_free_changes_nothing)
{
    REQUIRE(begin(NODES) == 0);
    EXPECT_EQ(ranges_take(&r, START + 100, 10), 0);
    EXPECT_EQ(ranges_free(&r, START + 99, 2), -EINVAL);
    EXPECT_EQ(ranges_free(&r, START + 109, 2), -EINVAL);
    EXPECT_EQ(ranges_free(&r, START + 100, 0), -EINVAL);
    EXPECT_EQ(ranges_free(&r, START + 100, ~0ul), -EINVAL);
    EXPECT_EQ(ranges_free(&r, START, 1), -EINVAL);
    EXPECT_EQ(ranges_stats(&r).free, ALL - 10);
    EXPECT_EQ(ranges_free(&r, START + 100, 10), 0);
    EXPECT_EQ(ranges_free(&r, START + 100, 10), -EINVAL);
    END_RANGES();
}

TEST(ranges, without_a_node_nothing_changes)
{
    uint64_t at = 77;

    REQUIRE(begin(1) == 0);
    EXPECT_EQ(ranges_take(&r, START + 5, 1), -ENOMEM);
    EXPECT_EQ(ranges_alloc(&r, 2, 1, &at), 0);
    EXPECT_EQ(ranges_alloc(&r, 2, 1, &at), 0);
    EXPECT_EQ(ranges_free(&r, START, 1), -ENOMEM);
    EXPECT_EQ(ranges_stats(&r).free, ALL - 4);
    EXPECT_EQ(ranges_free(&r, START + 3, 1), 0);
    END_RANGES();
}

TEST(ranges, nonsense_is_refused)
{
    uint64_t at = 77;

    REQUIRE(begin(NODES) == 0);
    EXPECT_EQ(ranges_alloc(&r, 0, 1, &at), -EINVAL);
    EXPECT_EQ(ranges_alloc(&r, 1, 0, &at), -EINVAL);
    EXPECT_EQ(ranges_alloc(&r, 1, 6, &at), -EINVAL);
    EXPECT_EQ(ranges_alloc(&r, ALL + 1, 1, &at), -ENOSPC);
    EXPECT_EQ(ranges_alloc(&r, ~0ul, 1ul << 63, &at), -ENOSPC);
    EXPECT_EQ(at, 77);
    END_RANGES();
}

TEST(ranges, damage_is_found)
{
    REQUIRE(begin(NODES) == 0);
    for (uint64_t i = 1; i < 20; i++)
        EXPECT_EQ(ranges_take(&r, START + 10 * i, 1), 0);
    EXPECT_EQ(ranges_check(&r), 0);
    r.root->child[0]->size++;
    EXPECT_EQ(ranges_check(&r), -EINVAL);
    r.root->child[0]->size--;
    r.root->fit[1]++;
    EXPECT_EQ(ranges_check(&r), -EINVAL);
    r.root->fit[1]--;
    END_RANGES();
}

/* Slots of 16 pages, each wholly taken or wholly free. */
TEST(ranges, random_steps_keep_the_tree_sound)
{
    static bool taken[NODES];
    uint64_t free = ALL;

    REQUIRE(begin(NODES) == 0);
    memset(taken, 0, sizeof(taken));
    for (unsigned int i = 0; i < 2000; i++) {
        const unsigned int k = test_random() % NODES;
        const uint64_t at = START + 16 * k;

        if (taken[k]) {
            EXPECT_EQ(ranges_take(&r, at + test_random() % 16, 1), -EBUSY);
            EXPECT_EQ(ranges_free(&r, at, 16), 0);
            free += 16;
        } else {
            EXPECT_EQ(ranges_free(&r, at + test_random() % 16, 1), -EINVAL);
            EXPECT_EQ(ranges_take(&r, at, 16), 0);
            free -= 16;
        }
        taken[k] = !taken[k];
        if (i % 50 == 0)
            EXPECT_EQ(ranges_check(&r), 0);
    }
    for (unsigned int k = 0; k < NODES; k++)
        EXPECT_EQ(ranges_is_free(&r, START + 16 * k, 16), !taken[k]);
    EXPECT_EQ(ranges_stats(&r).free, free);
    END_RANGES();
}

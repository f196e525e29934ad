/* SPDX-License-Identifier: MIT */
/* ranges: against a model, with nodes running out, at the edges, and in bulk. */
#include "ref_ranges.h"
#include "tap.h"

#define ROUNDS 40000
#define MANY   50000

/* Areas that meet alignments in different ways, and one at the very end. */
static const uint64_t starts[] = {
    0,
    1,
    512 * 512 - 700,
    (UINT64_C(0xffffa00000000000) >> 12) + 5,
    UINT64_MAX - REF_UNITS,
};

static uint64_t some_size(void)
{
    switch (rnd_below(16)) {
    case 0:
        return rnd_below(REF_UNITS + 9);
    case 1:
        return rnd() >> rnd_below(64);
    case 2:
        return 512;
    default:
        return 1 + rnd_below(12);
    }
}

static uint64_t some_align(void)
{
    switch (rnd_below(8)) {
    case 0:
        return UINT64_C(1) << rnd_below(64);
    case 1:
        return 512;
    case 2:
        return rnd_below(20);
    case 3:
        return 512 * 512;
    default:
        return 1;
    }
}

static uint64_t some_start(void)
{
    return rnd_below(32) ? ref.start + rnd_below(REF_UNITS + 4) - 2 : rnd();
}

static bool one_step(void)
{
    uint64_t start = some_start(), size = some_size();

    switch (rnd_below(8)) {
    case 0:
    case 1:
    case 2:
        return ref_alloc(size, some_align(), &start);
    case 3:
        return ref_take(start, size);
    case 4:
        return ref_ask(start, size);
    default:
        /* Mostly what can be freed: a run of busy ones, or its beginning. */
        if (rnd_below(4)) {
            size = 0;
            while (ref_inside(start, size + 1) &&
                   ref_all(start, size + 1, true) && rnd_below(12))
                size++;
        }
        return ref_free(start, size);
    }
}

static void like_model(void)
{
    for (unsigned int a = 0; a < sizeof(starts) / sizeof(starts[0]); a++) {
        CHECK(ref_init(starts[a]) && ref_same(), "init, area %u", a);

        for (unsigned int i = 0; i < ROUNDS; i++) {
            ref_fail_after = rnd_below(8) ? -1 : 0;
            CHECK(one_step(), "area %u, step %u", a, i);
            CHECK(ranges_check(&ref) == 0, "tree, area %u, step %u", a, i);
            if (rnd_below(8) == 0)
                CHECK(ref_same(), "state, area %u, step %u", a, i);
        }

        CHECK(ref_same(), "state at the end, area %u", a);
        CHECK(ref_end(), "release, area %u", a);
    }
}

static size_t pieces(void)
{
    return ranges_stats(&ref).nr;
}

static void joins(void)
{
    ref_init(1000);
    CHECK(ref_take(1000, 50), "take");
    CHECK(ref_free(1010, 5) && pieces() == 2, "joins nothing");
    CHECK(ref_free(1015, 5) && pieces() == 2, "joins the one before");
    CHECK(ref_free(1005, 5) && pieces() == 2, "joins the one behind");
    CHECK(ref_free(1025, 5) && pieces() == 3, "nothing again");
    CHECK(ref_free(1020, 5) && pieces() == 2, "joins both");
    CHECK(ref_free(1000, 5) && pieces() == 2, "at the very start");
    CHECK(ref_free(1030, 20) && pieces() == 1, "all is one again");
    CHECK(ref_same() && ref_end(), "state");
}

static void splits(void)
{
    uint64_t at;

    ref_init(0);
    CHECK(ref_take(10, 10) && pieces() == 2, "out of the middle");
    CHECK(ref_take(0, 4) && pieces() == 2, "at the front");
    CHECK(ref_take(8, 2) && pieces() == 2, "at the back");
    CHECK(ref_alloc(4, 1, &at) && at == 4 && pieces() == 1, "a whole one");
    CHECK(ref_alloc(5, 512, &at) && at == 512 && pieces() == 2, "aligned");
    CHECK(ref_alloc(492, 1, &at) && at == 20 && pieces() == 1, "exactly");
    CHECK(ref_same() && ref_end(), "state");
}

/* A hole that just fits is found again at every page-table alignment. */
static void tight_holes(void)
{
    static const uint64_t aligns[] = { 1, 512, 512 * 512 };

    for (unsigned int i = 0; i < 3; i++) {
        const uint64_t a = aligns[i];
        uint64_t first, pin, again;

        ref_init(0);
        ranges_release(&ref);
        CHECK(ranges_init(&ref, 3, 64 * a + 3) == 0, "init");
        CHECK(ranges_alloc(&ref, a, a, &first) == 0, "first");
        CHECK(ranges_take(&ref, first + a, 1) == 0, "pin");
        CHECK(ranges_alloc(&ref, a, a, &pin) == 0 && pin > first, "second");
        CHECK(ranges_free(&ref, first, a) == 0, "free");
        CHECK(ranges_alloc(&ref, a, a, &again) == 0 && again == first,
              "alignment %llu", (unsigned long long)a);
        CHECK(ref_end(), "end");
    }
}

static void refused_frees(void)
{
    static const struct {
        uint64_t start, size;
    } t[] = {
        { 100, 0 },  { 99, 1 },         { 99, 2 },
        { 119, 2 },  { 100, 21 },       { 99, 22 },
        { 105, 5 },  { 104, 2 },        { 109, 2 },
        { 100, 20 }, { 0, 1 },          { 1536, 1 },
        { 1535, 2 }, { 1000, 1 },       { 100, ~0 },
        { ~0, ~0 },  { UINT64_MAX, 1 }, { 106, 2 },
        { 0, 1536 }, { 0, ~0 },         { UINT64_MAX - 5, 9 },
    };

    ref_init(0);
    CHECK(ref_take(100, 20) && ref_free(105, 5), "setup");
    for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        CHECK(ranges_free(&ref, t[i].start, t[i].size) == -EINVAL, "case %u",
              i);
        CHECK(ref_same() && ranges_check(&ref) == 0, "state, case %u", i);
    }
    CHECK(ref_free(100, 5) && ref_free(110, 10) && pieces() == 1, "the rest");
    CHECK(ranges_free(&ref, 100, 5) == -EINVAL, "twice");
    CHECK(ref_end(), "end");
}

static void edges(void)
{
    uint64_t at = 7;

    ref_init(5);
    ranges_release(&ref);
    CHECK(ranges_alloc(&ref, 1, 1, &at) == -ENOSPC && at == 7, "released");

    CHECK(ranges_init(&ref, 9, 8) == -EINVAL, "backwards");
    CHECK(ranges_init(&ref, 9, 9) == 0 && ref_nodes == 0, "empty");
    CHECK(ranges_alloc(&ref, 1, 1, &at) == -ENOSPC, "alloc from empty");
    CHECK(ranges_take(&ref, 9, 1) == -EINVAL, "take from empty");
    CHECK(ranges_free(&ref, 9, 1) == -EINVAL, "free to empty");
    CHECK(ranges_stats(&ref).largest == 0, "largest of empty");
    CHECK(ranges_check(&ref) == 0, "check empty");

    ref_fail_after = 0;
    CHECK(ranges_init(&ref, 0, 1) == -ENOMEM, "no node");
    ref_fail_after = -1;

    CHECK(ranges_init(&ref, 0, UINT64_MAX) == 0, "everything");
    CHECK(ranges_alloc(&ref, 0, 1, &at) == -EINVAL, "size 0");
    CHECK(ranges_alloc(&ref, 1, 0, &at) == -EINVAL, "alignment 0");
    CHECK(ranges_alloc(&ref, 1, 3, &at) == -EINVAL, "alignment 3");
    CHECK(ranges_alloc(&ref, 1, UINT64_MAX, &at) == -EINVAL, "alignment -1");
    CHECK(ranges_is_free(&ref, 0, UINT64_MAX), "all free");
    CHECK(!ranges_is_free(&ref, 1, UINT64_MAX), "beyond the end");
    CHECK(!ranges_is_free(&ref, 1, 0), "nothing");
    CHECK(ranges_alloc(&ref, UINT64_MAX, 1, &at) == 0 && at == 0, "all of it");
    CHECK(ranges_alloc(&ref, 1, 1, &at) == -ENOSPC, "nothing left");
    CHECK(ranges_free(&ref, 0, UINT64_MAX) == 0, "all back");

    at = 7;
    CHECK(ranges_take(&ref, 0, 1) == 0, "take");
    CHECK(ranges_alloc(&ref, UINT64_C(1) << 63, UINT64_C(1) << 63, &at) ==
              -ENOSPC,
          "does not fit");
    CHECK(ranges_alloc(&ref, 5, UINT64_C(1) << 63, &at) == 0 &&
              at == UINT64_C(1) << 63,
          "highest alignment");
    CHECK(ranges_alloc(&ref, UINT64_MAX, UINT64_C(1) << 63, &at) == -ENOSPC,
          "sums that wrap");
    CHECK(ranges_take(&ref, UINT64_MAX, 1) == -EINVAL, "the end itself");
    CHECK(ranges_take(&ref, UINT64_MAX - 1, 1) == 0, "the last");
    CHECK(ranges_check(&ref) == 0 && ref_end(), "end");
}

/* Fixed steps of all kinds.  How many fail, each of them for want of a node? */
static unsigned int script(void)
{
    unsigned int failed = 0;
    uint64_t at;

#define STEP(call)                                                             \
    do {                                                                       \
        int rc_ = (call);                                                      \
        if (rc_ != 0) {                                                        \
            CHECK(rc_ == -ENOMEM, "%s: %d", #call, rc_);                       \
            CHECK(ranges_check(&ref) == 0, "%s: tree", #call);                 \
            failed++;                                                          \
            rc_ = (call); /* the second time it must do */                     \
            CHECK(rc_ == 0, "%s again: %d", #call, rc_);                       \
        }                                                                      \
    } while (0)

    STEP(ranges_take(&ref, 10, 10));
    STEP(ranges_alloc(&ref, 600, 1, &at));
    STEP(ranges_free(&ref, at, 600));
    STEP(ranges_alloc(&ref, 20, 512, &at));
    STEP(ranges_take(&ref, 1000, 400));
    STEP(ranges_free(&ref, 1100, 50));
    STEP(ranges_free(&ref, 1200, 50));
    STEP(ranges_free(&ref, 1150, 50));
    STEP(ranges_free(&ref, at + 5, 10));
    STEP(ranges_alloc(&ref, 3, 2, &at));
    STEP(ranges_alloc(&ref, 30, 64, &at));
#undef STEP

    return failed;
}

static long first_bad; /* node that is refused, and then no other */

static struct range_node *get_but_one(struct ranges *r)
{
    return first_bad-- == 0 ? NULL : ref_get_node(r);
}

static void each_node_missing(void)
{
    for (long n = 0;; n++) {
        uint64_t digest;
        unsigned int failed;
        static uint64_t want;

        ref_init(0);
        ref.get_node = get_but_one;
        first_bad = n;
        failed = script();
        CHECK(failed <= 1, "%u steps failed for one node", failed);

        digest = ranges_stats(&ref).free * 31 + ranges_stats(&ref).nr;
        for (uint64_t i = 0; i < REF_UNITS; i++)
            digest = digest * 31 + ranges_is_free(&ref, i, 1);
        if (n == 0)
            want = digest;
        CHECK(digest == want, "another end without node %ld", n);
        CHECK(ref_end(), "nodes left");
        if (failed == 0) {
            CHECK(n >= 6, "only %ld nodes were asked for", n);
            break;
        }
    }
}

static unsigned int log2_up(size_t n)
{
    unsigned int log = 0;

    while (((size_t)1 << log) < n)
        log++;

    return log;
}

/* Every other number free: as many ranges as can be. */
static void check_bulk(const char *how, unsigned int step)
{
    const size_t n = ranges_stats(&ref).nr;

    CHECK(ranges_check(&ref) == 0, "%s, after %u", how, step);
    CHECK(n < 8 || ref.root->height * 100 <= 144 * log2_up(n + 2) + 44,
          "%s: height %u for %zu", how, ref.root->height, n);
}

static void bulk(void)
{
    static const char *const how[] = { "upwards", "downwards", "mixed" };

    for (unsigned int w = 0; w < 3; w++) {
        /* i * odd modulo a power of two meets each number once */
        const unsigned int total = 1u << 16, odd = 40503;

        ref_init(0);
        ranges_release(&ref);
        CHECK(ranges_init(&ref, 0, 2 * total) == 0, "init");
        for (unsigned int i = 0; i < MANY; i++) {
            const unsigned int k = w == 0   ? i
                                   : w == 1 ? total - 1 - i
                                            : i * odd % total;

            CHECK(ranges_take(&ref, 2 * k, 1) == 0, "%s: take", how[w]);
            if (i % 5000 == 0)
                check_bulk(how[w], i);
        }
        check_bulk(how[w], MANY);
        for (unsigned int i = 0; i < MANY; i++) {
            const unsigned int k = w == 0   ? i
                                   : w == 1 ? total - 1 - i
                                            : i * odd % total;

            CHECK(ranges_free(&ref, 2 * k, 1) == 0, "%s: free", how[w]);
            if (i % 5000 == 0)
                check_bulk(how[w], i);
        }
        CHECK(pieces() == 1 && ref_nodes == 1, "%s: one again", how[w]);
        CHECK(ref_end(), "%s: end", how[w]);
    }
}

/* A tree of a few dozen nodes, in which one thing at a time is made wrong. */
static void check_finds_damage(void)
{
    struct range_node *root, *l, *ll;

    ref_init(0);
    for (uint64_t i = 0; i < 60; i++)
        CHECK(ref_take(10 + 20 * i, 10), "setup");
    root = ref.root;
    l = root->child[0];
    ll = l->child[0];
    CHECK(ranges_check(&ref) == 0, "sound");

#define DAMAGED(lvalue, value)                                                 \
    do {                                                                       \
        __auto_type old_ = (lvalue);                                           \
        (lvalue) = (value);                                                    \
        CHECK(ranges_check(&ref) == -EINVAL, "not seen: %s = %s", #lvalue,     \
              #value);                                                         \
        (lvalue) = old_;                                                       \
        CHECK(ranges_check(&ref) == 0, "sound again");                         \
    } while (0)

    DAMAGED(ref.nr, ref.nr + 1);
    DAMAGED(ref.free, ref.free - 1);
    DAMAGED(ref.root, NULL);
    DAMAGED(ref.root, l);
    DAMAGED(ref.start, 1);
    DAMAGED(ref.end, 800);
    DAMAGED(root->height, root->height + 1);
    DAMAGED(ll->height, ll->height + 1);
    DAMAGED(root->fit[0], root->fit[0] + 1);
    DAMAGED(ll->fit[0], ll->fit[0] - 1);
    DAMAGED(l->fit[1], l->fit[1] + 1);
    DAMAGED(l->fit[2], l->fit[2] - 1);
    DAMAGED(l->size, 0);
    DAMAGED(l->size, l->size - 1);
    DAMAGED(l->size, l->size + 10); /* touches the next */
    DAMAGED(l->start, l->start - 10);
    DAMAGED(l->start, root->start);
    DAMAGED(l->parent, NULL);
    DAMAGED(ll->parent, root);
    DAMAGED(root->parent, l);
    DAMAGED(l->child[0], NULL);
    DAMAGED(l->child[1], NULL);
    DAMAGED(l->child[1], l->child[0]);
    DAMAGED(l->child[0], root); /* round and round */
    DAMAGED(root->child[1], l);
#undef DAMAGED

    CHECK(ref_end(), "end");
}

/* Nothing is wrong with this one but its shape: 0, 10 and 20 in a row. */
static void check_finds_a_lean(void)
{
    struct range_node n[3];

    memset(n, 0, sizeof(n));
    for (unsigned int i = 0; i < 3; i++) {
        n[i].start = 10 * i;
        n[i].size = 5;
        n[i].fit[0] = 5;
        n[i].fit[1] = n[i].fit[2] = i == 0 ? 5 : 0;
        n[i].height = 3 - i;
        n[i].parent = i > 0 ? &n[i - 1] : NULL;
        n[i].child[1] = i < 2 ? &n[i + 1] : NULL;
    }

    ref_init(0);
    ranges_release(&ref);
    ref.end = 30;
    ref.free = 10;
    ref.nr = 2;
    n[1].child[1] = NULL;
    n[1].height = 1;
    n[0].height = 2;
    ref.root = n;
    CHECK(ranges_check(&ref) == 0, "two in a row");

    ref.free = 15;
    ref.nr = 3;
    n[1].child[1] = &n[2];
    n[1].height = 2;
    n[0].height = 3;
    CHECK(ranges_check(&ref) == -EINVAL, "three in a row");
}

TAP_MAIN({ "like the model", like_model }, { "joins", joins },
         { "splits", splits }, { "tight holes", tight_holes },
         { "frees that are refused", refused_frees }, { "edges", edges },
         { "each node missing", each_node_missing }, { "fifty thousand", bulk },
         { "the check finds damage", check_finds_damage },
         { "the check finds a lean", check_finds_a_lean })

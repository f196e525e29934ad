/* SPDX-License-Identifier: MIT */
/*
 * heap: contents against a shadow list, memory running out at every place, and
 * each thing that a debug build notices.  heap_release.c is the same for a
 * build without those.
 */
#include "fake_pages.h"
#include "tap.h"

#include "rename.h"

#include <plinth/heap.h>

#include "rename.h"

#define ROUNDS 60000
#define LIVE   400
#define SIZES  24 /* of objects in slabs, at most that many empty slabs */
#define SLAB   8192
#define EXTRA  (CONFIG_DEBUG ? 16u : 0u)

/*
 * What is allocated, with what in it.
 */
static struct shadow {
    unsigned char *p;
    size_t size;
    uint64_t seed;
} live[LIVE];

/* Large ones are written at both ends. */
#define WRITTEN 20000

static unsigned char pattern(uint64_t seed, size_t i)
{
    return (unsigned char)((seed + i) * 0x9e3779b97f4a7c15 >> 56);
}

static void fill(unsigned char *p, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++) {
        if (i == WRITTEN && size > 2 * WRITTEN)
            i = size - WRITTEN;
        p[i] = pattern(seed, i);
    }
}

static bool holds(const unsigned char *p, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++) {
        if (i == WRITTEN && size > 2 * WRITTEN)
            i = size - WRITTEN;
        if (p[i] != pattern(seed, i))
            return false;
    }

    return true;
}

static bool is_zero(const unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i] != 0)
            return false;

    return true;
}

static bool is_aligned(const void *p, size_t align)
{
    return ((uintptr_t)p & (align - 1)) == 0;
}

/* The same but for the counters that only go up. */
static bool same(struct heap_stats a, struct heap_stats b)
{
    return a.bytes == b.bytes && a.objects == b.objects && a.slabs == b.slabs &&
           a.blocks == b.blocks;
}

/* How many bytes are the same, and known, when @was bytes become @size. */
static size_t common(size_t was, size_t size)
{
    const size_t n = size < was ? size : was;

    return was > 2 * WRITTEN && n > WRITTEN ? WRITTEN : n;
}

/* Nothing is in use, and no page is left once the heap is trimmed. */
static void check_empty(const char *when)
{
    const struct heap_stats s = heap_stats();
    const size_t used = pages_used;
    size_t given;

    CHECK(s.bytes == 0 && s.objects == 0 && s.blocks == 0,
          "%s: %llu bytes in use", when, (unsigned long long)s.bytes);
    CHECK(s.slabs <= SIZES && 2 * s.slabs == used, "%s: %zu pages for %llu",
          when, used, (unsigned long long)s.slabs);

    given = heap_trim();
    CHECK(given == used && pages_used == 0 && heap_stats().slabs == 0,
          "%s: %zu pages left", when, pages_used);
    CHECK(heap_trim() == 0, "%s: trimmed twice", when);
}

static size_t some_size(void)
{
    switch (rnd_below(16)) {
    case 0:
        return rnd_below(200000);
    case 1:
        return (size_t)1 << rnd_below(17);
    case 2:
        return 0;
    case 3:
    case 4:
    case 5:
        return rnd_below(5000);
    default:
        return rnd_below(300);
    }
}

static void keep(struct shadow *s, void *p, size_t size, size_t align)
{
    CHECK(p != NULL && is_aligned(p, align), "%p is not aligned to %zu", p,
          align);
    *s = (struct shadow){ p, size, rnd() };
    fill(s->p, size, s->seed);
}

/* A new object, in one of the ways there are. */
static void *allocate(size_t size, size_t *align)
{
    void *p;

    *align = HEAP_ALIGN;
    switch (rnd_below(4)) {
    case 0:
        p = plinth_calloc(size, 1);
        CHECK(p == NULL || is_zero(p, size), "calloc(%zu) is not zero", size);
        return p;
    case 1:
        *align = (size_t)1 << rnd_below(15);
        return plinth_aligned_alloc(*align, size);
    case 2:
        return plinth_realloc(NULL, size);
    default:
        return plinth_malloc(size);
    }
}

static void one_step(void)
{
    struct shadow *const s = &live[rnd_below(LIVE)];
    const size_t size = some_size();
    const struct heap_stats before = heap_stats();
    size_t align;
    void *p;

    if (s->p == NULL) {
        p = allocate(size, &align);
        if (p == NULL)
            CHECK(same(before, heap_stats()), "changed by a failure");
        else
            keep(s, p, size, align);
    } else if (rnd_below(3) == 0) {
        p = plinth_realloc(s->p, size);
        if (p == NULL) {
            CHECK(same(before, heap_stats()), "changed by a failure");
            CHECK(size > s->size, "failed to get smaller");
            CHECK(holds(s->p, s->size, s->seed), "lost by a failure");
            return;
        }
        CHECK(holds(p, common(s->size, size), s->seed), "lost from %zu to %zu",
              s->size, size);
        keep(s, p, size, HEAP_ALIGN);
    } else {
        CHECK(holds(s->p, s->size, s->seed), "lost in %zu", s->size);
        plinth_free(s->p);
        s->p = NULL;
    }
}

static void check_live(void)
{
    size_t n = 0, bytes = 0;

    for (unsigned int i = 0; i < LIVE; i++) {
        if (live[i].p == NULL)
            continue;
        CHECK(holds(live[i].p, live[i].size, live[i].seed), "lost");
        n++;
        bytes += live[i].size;
    }
    CHECK(heap_stats().objects == n && heap_stats().bytes >= bytes, "stats");
    CHECK(heap_stats().bytes <= pages_used * PAGE_SIZE, "more than there is");
}

static void free_live(void)
{
    for (unsigned int i = 0; i < LIVE; i++) {
        plinth_free(live[i].p);
        live[i].p = NULL;
    }
}

static void like_shadow(void)
{
    const uint64_t failures = heap_stats().failures;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        pages_fail_after = rnd_below(4) ? -1 : (long)rnd_below(2);
        one_step();
        pages_fail_after = -1;
        if (i % 1000 == 0)
            check_live();
        if (i % 10000 == 5000)
            heap_trim();
        if (i % 20000 == 19999)
            free_live(), check_empty("half way");
    }

    CHECK(heap_stats().failures > failures, "no request ever failed");
    free_live();
    check_empty("end");
}

/*
 * Sizes and alignments.
 */
static void every_size(void)
{
    static unsigned char *p[9000];

    for (size_t n = 0; n < 9000; n++) {
        p[n] = plinth_malloc(n);
        CHECK(p[n] != NULL && is_aligned(p[n], 16), "size %zu", n);
        CHECK(n > 2688 - EXTRA || !is_aligned(p[n], PAGE_SIZE),
              "%zu bytes look like a block", n);
        fill(p[n], n, n);
    }
    for (size_t n = 0; n < 9000; n++) {
        CHECK(holds(p[n], n, n), "size %zu", n);
        plinth_free(p[n]);
    }
    check_empty("end");
}

/* What one object more of each size costs; a table, as it is in heap.c. */
static void steps(void)
{
    static const struct {
        size_t size, bytes;
    } t[] = { { 1, 16 },      { 16, 16 },     { 17, 32 },     { 33, 48 },
              { 49, 64 },     { 65, 80 },     { 81, 96 },     { 97, 112 },
              { 113, 128 },   { 129, 160 },   { 161, 192 },   { 193, 224 },
              { 225, 256 },   { 257, 320 },   { 321, 384 },   { 385, 448 },
              { 449, 528 },   { 529, 608 },   { 609, 720 },   { 721, 896 },
              { 897, 1152 },  { 1153, 1344 }, { 1345, 1600 }, { 1601, 2016 },
              { 2017, 2688 }, { 64, 64 },     { 256, 256 },   { 2688, 2688 },
              { 2689, 4096 }, { 4096, 4096 }, { 4097, 8192 }, { 8193, 16384 } };

    for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const uint64_t before = heap_stats().bytes;
        void *const p = plinth_malloc(t[i].size - EXTRA);
        const uint64_t bytes = heap_stats().bytes - before;

        if (t[i].size > EXTRA)
            CHECK(bytes == t[i].bytes, "%zu bytes take %llu", t[i].size,
                  (unsigned long long)bytes);
        plinth_free(p);
    }
    check_empty("end");
}

static void nothing(void)
{
    void *const a = plinth_malloc(0), *const b = plinth_malloc(0);
    void *const c = plinth_calloc(0, 8), *const d = plinth_calloc(8, 0);
    void *p = plinth_malloc(100);

    CHECK(a && b && c && d, "there is one");
    CHECK(a != b && a != c && a != d && b != c && b != d && c != d, "unique");
    p = plinth_realloc(p, 0);
    CHECK(p != NULL && heap_stats().objects == 5, "realloc to nothing");
    plinth_free(NULL);
    plinth_free(a);
    plinth_free(b);
    plinth_free(c);
    plinth_free(d);
    plinth_free(p);
    check_empty("end");
}

static void absurd(void)
{
    static const size_t big[] = {
        SIZE_MAX,        SIZE_MAX - 1,    SIZE_MAX - 14, SIZE_MAX - 15,
        SIZE_MAX - 16,   SIZE_MAX - 4095, SIZE_MAX / 2,  (1ul << 63) + 1,
        (1ul << 32) + 1, (1ul << 30) + 1,
    };
    const struct heap_stats before = heap_stats();
    uint64_t failures = before.failures;
    unsigned char *const small = plinth_malloc(40);
    void *p;

    fill(small, 40, 1);
    for (unsigned int i = 0; i < sizeof(big) / sizeof(big[0]); i++) {
        CHECK(plinth_malloc(big[i]) == NULL, "malloc %zu", big[i]);
        CHECK(plinth_calloc(big[i], 1) == NULL, "calloc %zu", big[i]);
        CHECK(plinth_realloc(small, big[i]) == NULL, "realloc %zu", big[i]);
        CHECK(plinth_aligned_alloc(64, big[i]) == NULL, "aligned %zu", big[i]);
        failures += 4;
    }
    CHECK(plinth_calloc(1ul << 32, 1ul << 32) == NULL, "calloc, product 0");
    CHECK(plinth_calloc(3, SIZE_MAX / 2) == NULL, "calloc, product wraps");
    CHECK(plinth_aligned_alloc(0, 8) == NULL, "alignment 0");
    CHECK(plinth_aligned_alloc(24, 8) == NULL, "alignment 24");
    CHECK(plinth_aligned_alloc(1ul << 31, 8) == NULL, "alignment 2^31");
    CHECK(plinth_aligned_alloc(1ul << 63, 8) == NULL, "alignment 2^63");
    CHECK(heap_stats().failures == failures + 6, "each is counted");
    CHECK(holds(small, 40, 1), "kept");
    plinth_free(small);

    p = plinth_malloc((1ul << 30) - EXTRA);
    CHECK(p != NULL && pages_used >= 1ul << 18, "the most there can be");
    plinth_free(p);
    if (CONFIG_DEBUG)
        CHECK(plinth_malloc((1ul << 30) - 15) == NULL, "one more");
    check_empty("end");
}

static void aligned(void)
{
    static const size_t size[] = { 0, 1, 16, 100, 240, 256, 900, 2000, 5000 };

    for (unsigned int shift = 0; shift <= 30; shift++)
        for (unsigned int i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
            unsigned char *p[20];

            for (unsigned int k = 0; k < (shift > 12 ? 1 : 20); k++) {
                p[k] = plinth_aligned_alloc(1ul << shift, size[i]);
                CHECK(p[k] && is_aligned(p[k], 1ul << shift), "2^%u, %zu",
                      shift, size[i]);
                fill(p[k], size[i], k);
            }
            for (unsigned int k = 0; k < (shift > 12 ? 1 : 20); k++) {
                CHECK(holds(p[k], size[i], k), "2^%u, %zu", shift, size[i]);
                plinth_free(p[k]);
            }
        }

    /* A cache line is not worth a page. */
    for (size_t align = 32; align <= 256; align *= 2) {
        void *const p = plinth_aligned_alloc(align, 32);

        CHECK(heap_stats().blocks == 0, "%zu takes a page", align);
        plinth_free(p);
    }
    check_empty("end");
}

static void resized(void)
{
    unsigned char *p = plinth_malloc(100), *q;
    uint64_t calls;

    fill(p, 100, 7);
    q = plinth_realloc(p, 112 - EXTRA);
    CHECK(q == p && holds(p, 96, 7), "room in the object");
    q = plinth_realloc(p, 5000);
    CHECK(q != p && holds(q, 96, 7), "from object to block");
    fill(q, 5000, 8);
    p = plinth_realloc(q, 8192 - EXTRA);
    CHECK(p == q && holds(p, 5000, 8), "room in the block");
    p = plinth_realloc(p, 2048);
    CHECK(p == q, "not worth moving");
    p = plinth_realloc(p, 2000);
    CHECK(p != q && holds(p, 2000, 8), "back into an object");
    CHECK(heap_stats().blocks == 0, "the block is free");

    calls = pages_calls;
    q = plinth_realloc(p, 10);
    CHECK(q != p && holds(q, 10, 8) && pages_calls == calls + 1, "small");
    p = plinth_realloc(q, 1);
    CHECK(p == q, "small ones stay");
    plinth_free(p);

    /* To get smaller never fails, and never loses. */
    p = plinth_malloc(100000);
    fill(p, 100000, 9);
    heap_trim();
    pages_fail_after = 0;
    q = plinth_realloc(p, 300);
    pages_fail_after = -1;
    CHECK(q == p && holds(q, 300, 9), "stays where it is");
    plinth_free(q);
    check_empty("end");
}

/*
 * Pages.
 */
#define MOST 40000

static void *many[MOST];

/* Everything there is, in objects of one size. */
static size_t exhaust(size_t size)
{
    size_t n = 0;

    while (n < MOST && (many[n] = plinth_malloc(size)) != NULL) {
        fill(many[n], size, n);
        n++;
    }

    return n;
}

static void exhaustion(void)
{
    static const size_t size[] = { 16,   24,   64,   100,  256, 500,
                                   1000, 2000, 2600, 4000, 9000 };

    pages_limit = 64;
    for (unsigned int i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
        const size_t n = exhaust(size[i]);

        CHECK(n > 0 && n < MOST && pages_used > 60, "%zu of %zu", n, size[i]);
        CHECK(plinth_malloc(size[i]) == NULL, "still none");
        for (size_t k = 0; k < n; k++)
            CHECK(holds(many[k], size[i], k), "object %zu of %zu", k, size[i]);

        /* One back, one again; then every other one, and those again. */
        plinth_free(many[n / 2]);
        many[n / 2] = plinth_malloc(size[i]);
        CHECK(many[n / 2] != NULL, "one again");
        for (size_t k = 0; k < n; k += 2)
            plinth_free(many[k]);
        for (size_t k = 0; k < n; k += 2) {
            many[k] = plinth_malloc(size[i]);
            CHECK(many[k] != NULL, "object %zu again", k);
        }
        CHECK(plinth_malloc(size[i]) == NULL, "none again");

        for (size_t k = 0; k < n; k++)
            plinth_free(many[i % 2 ? k : n - 1 - k]);
        CHECK(pages_used <= 2, "%zu pages kept", pages_used);
        CHECK(exhaust(size[i]) == n, "as many again");
        for (size_t k = 0; k < n; k++)
            plinth_free(many[k]);
        check_empty("end");
    }
    pages_limit = PAGES_ALL;
}

/* Little is lost to the headers of slabs and behind the last object. */
static void density(void)
{
    pages_limit = 64;
    for (size_t size = 16; size <= 2688; size += 16) {
        const size_t n = exhaust(size - EXTRA);
        const uint64_t bytes = heap_stats().bytes;

        CHECK(bytes * 100 >= 64 * PAGE_SIZE * 92 || size == 16,
              "size %zu: %llu bytes", size, (unsigned long long)bytes);
        for (size_t k = 0; k < n; k++) {
            CHECK(holds(many[k], size - EXTRA, k), "object %zu of %zu", k,
                  size);
            plinth_free(many[k]);
        }
        heap_trim();
    }
    pages_limit = PAGES_ALL;
    check_empty("end");
}

/* At the edge of a slab, up and down costs no pages. */
static void one_spare(void)
{
    size_t n = 0;
    uint64_t calls;

    while (heap_stats().slabs < 2)
        many[n++] = plinth_malloc(200);
    calls = pages_calls;
    for (unsigned int i = 0; i < 100; i++) {
        plinth_free(many[--n]);
        many[n++] = plinth_malloc(200);
    }
    CHECK(pages_calls == calls, "%llu slabs for one object",
          (unsigned long long)(pages_calls - calls));

    while (heap_stats().slabs < 6)
        many[n++] = plinth_malloc(200);
    while (n > 0) {
        plinth_free(many[--n]);
        CHECK(heap_stats().slabs <= heap_stats().objects / 15 + 2,
              "%llu slabs for %zu", (unsigned long long)heap_stats().slabs, n);
    }
    CHECK(heap_stats().slabs == 1 && heap_trim() == 2, "one is kept");
    check_empty("end");
}

/* The spare is in use again: another one that empties takes its place. */
static void next_spare(void)
{
    size_t n = 0, first;

    plinth_free(plinth_malloc(200));
    while (heap_stats().slabs < 2)
        many[n++] = plinth_malloc(200);
    first = n - 1;
    for (size_t i = 1; i < n; i++)
        plinth_free(many[i]);
    CHECK(first > 1 && heap_stats().slabs == 2, "the second is kept");
    plinth_free(many[0]);
    CHECK(heap_stats().slabs == 1, "one of two is");
    check_empty("end");
}

/* Fixed steps of all kinds; one that fails is tried again.  How many did? */
static unsigned int script(void)
{
    unsigned char *p[64] = { NULL };
    unsigned int failed = 0;

    for (unsigned int i = 0; i < 200; i++) {
        const unsigned int k = i * 29 % 64;
        const size_t size = i * 7919 % 9001;

        for (unsigned int attempt = 0;; attempt++) {
            const struct heap_stats before = heap_stats();
            unsigned char *q;

            if (p[k] != NULL && i % 3 == 0) {
                CHECK(p[k][0] == k, "lost");
                plinth_free(p[k]);
                p[k] = NULL;
                break;
            }
            q = p[k] != NULL ? plinth_realloc(p[k], size + 1)
                : i % 5 == 0 ? plinth_aligned_alloc(1u << i % 14, size + 1)
                : i % 5 == 1 ? plinth_calloc(1, size + 1)
                             : plinth_malloc(size + 1);
            if (q != NULL) {
                CHECK(p[k] == NULL || q[0] == k, "lost");
                q[0] = (unsigned char)k;
                p[k] = q;
                break;
            }
            CHECK(attempt == 0, "step %u failed twice", i);
            CHECK(same(before, heap_stats()), "step %u left something", i);
            CHECK(heap_stats().failures > before.failures, "not counted");
            CHECK(p[k] == NULL || p[k][0] == k, "lost by a failure");
            failed++;
            if (attempt > 3)
                break;
        }
    }
    for (unsigned int k = 0; k < 64; k++)
        plinth_free(p[k]);

    return failed;
}

static void each_page_missing(void)
{
    unsigned int n;

    for (n = 0; n < 1000; n++) {
        unsigned int failed;
        size_t calls = pages_calls;

        pages_fail_once = (long)n;
        failed = script();
        calls = pages_calls - calls;
        CHECK(failed <= 1, "%u steps failed for one page", failed);
        check_empty("after the script");
        if (calls <= n)
            break;
    }
    pages_fail_once = -1;
    CHECK(n > 60, "only %u calls of page_alloc", n);
}

static void numbers(void)
{
    const struct heap_stats before = heap_stats();
    struct heap_stats s;
    void *const a = plinth_malloc(60 - EXTRA), *b = plinth_malloc(10000);

    s = heap_stats();
    CHECK(s.bytes == 64 + 16384, "bytes: %llu", (unsigned long long)s.bytes);
    CHECK(s.objects == 2 && s.slabs == 1 && s.blocks == 1, "how many");
    CHECK(s.allocations == before.allocations + 2, "allocations");
    CHECK(s.failures == before.failures, "failures");

    pages_fail_after = 0;
    CHECK(plinth_malloc(10000) == NULL, "told to");
    CHECK(plinth_malloc(500) == NULL, "told to");
    pages_fail_after = -1;
    CHECK(heap_stats().failures == before.failures + 2, "failures");
    CHECK(same(s, heap_stats()), "otherwise as before");
    plinth_free(a);
    plinth_free(b);
    CHECK(heap_stats().allocations == before.allocations + 2, "since boot");
    check_empty("end");
}

/*
 * What a debug build notices.  A panic is the end of a kernel; here the damage
 * is repaired and the same heap goes on.
 */
static void check_panic(const char *said, const void *p, const char *what,
                        int line)
{
    char where[40];

    snprintf(where, sizeof(where), "%p", p);
    CHECK(strstr(said, where) != NULL && strstr(said, what) != NULL,
          "line %d: \"%s\", want %s, %s", line, said, where, what);
}

static void to_free(void *p, size_t size __unused)
{
    plinth_free(p);
}

static void to_realloc(void *p, size_t size)
{
    CHECK(plinth_realloc(p, size) == NULL, "went through");
}

static void to_malloc(void *p __unused, size_t size)
{
    CHECK(plinth_malloc(size) == NULL, "went through");
}

#define EXPECT_PANIC(what, op, p, size)                                        \
    check_panic(panic_of(op, p, size), p, what, __LINE__)

static void freed_twice(void)
{
    static const size_t size[] = { 0, 1, 24, 200, 2000, 2672 };

    for (unsigned int i = 0; CONFIG_DEBUG && i < 6; i++) {
        void *const p = plinth_malloc(size[i]), *const q = plinth_malloc(9);

        plinth_free(p);
        EXPECT_PANIC("already freed", to_free, p, 0);
        EXPECT_PANIC("already freed", to_realloc, p, 5);
        plinth_free(q);
    }
    check_empty("end");
}

static void block_freed_twice(void)
{
    void *p;

    if (!CONFIG_DEBUG)
        return;

    p = plinth_malloc(9000);
    plinth_free(p);
    EXPECT_PANIC("no block", to_free, p, 0);

    pages_trusting = true;
    p = plinth_malloc(9000);
    plinth_free(p);
    EXPECT_PANIC("already freed", to_free, p, 0);
    pages_trusting = false;
    check_empty("end");
}

static void no_start(void)
{
    static const char why[] = "not the start of an object";
    char *p, *q, *block;
    void *slab;

    if (!CONFIG_DEBUG)
        return;

    p = plinth_malloc(200);
    q = plinth_malloc(200);
    block = plinth_aligned_alloc(SLAB, 20000);
    memset(p, 0, 200);
    memset(block, 0, 20000);
    slab = (void *)((uintptr_t)p & ~(SLAB - 1ul));

    EXPECT_PANIC(why, to_free, p + 1, 0);
    EXPECT_PANIC(why, to_free, p + 16, 0);
    EXPECT_PANIC(why, to_free, q - 16, 0);
    EXPECT_PANIC(why, to_free, p + 8000, 0);
    EXPECT_PANIC(why, to_free, p + 30 * 224, 0); /* was never one so far */
    EXPECT_PANIC(why, to_free, (char *)slab + 16, 0);
    EXPECT_PANIC(why, to_free, slab, 0);
    EXPECT_PANIC(why, to_free, block + 64, 0);
    EXPECT_PANIC("no block", to_free, block + 4096, 0);
    EXPECT_PANIC(why, to_realloc, p + 16, 9);
    EXPECT_PANIC(why, to_realloc, slab, 9);

    /* None of that did any harm. */
    CHECK(heap_stats().objects == 3, "nothing was freed");
    plinth_free(p);
    plinth_free(q);
    plinth_free(block);
    check_empty("end");
}

/* One byte too many, at each size and as far as eight bytes behind. */
static void overrun(void)
{
    for (size_t size = 0; CONFIG_DEBUG && size < 6000; size += 1 + size / 9)
        for (unsigned int behind = 0; behind < 16; behind += 5) {
            unsigned char *const p = plinth_malloc(size);
            const unsigned char old = p[size + behind];

            p[size + behind] ^= 1;
            EXPECT_PANIC("written past its end", to_free, p, 0);
            EXPECT_PANIC("written past its end", to_realloc, p, size);
            p[size + behind] = old;
            plinth_free(p);
        }
    check_empty("end");
}

static void overrun_after_resize(void)
{
    unsigned char *p, old;

    if (!CONFIG_DEBUG)
        return;

    p = plinth_malloc(100);
    p = plinth_realloc(p, 80);
    old = p[80];
    p[80]++;
    EXPECT_PANIC("written past its end", to_free, p, 0);
    p[80] = old;
    p = plinth_realloc(p, 90);
    p[80] = 5;
    p[89] = 5;
    plinth_free(p);

    /* A red zone of zeros, as a careless memset makes it. */
    p = plinth_malloc(50);
    memset(p, 0, 64);
    EXPECT_PANIC("written past its end", to_free, p, 0);
    memset(p + 50, 0xfd, 14);
    plinth_free(p);
    check_empty("end");
}

/* Each byte of a free object, and then the object comes round again. */
static void write_after_free(void)
{
    static const size_t size[] = { 10, 64, 500, 2672 };
    static const size_t room[] = { 32, 80, 528, 2688 };

    for (unsigned int i = 0; CONFIG_DEBUG && i < 4; i++)
        for (size_t at = 0; at < room[i];
             at += at < room[i] - 9 ? 1 + at / 20 : 1) {
            unsigned char *const p = plinth_malloc(size[i]);
            void *q;

            plinth_free(p);
            p[at] ^= 0x10;
            EXPECT_PANIC("written to after it was freed", to_malloc, p,
                         size[i]);
            p[at] ^= 0x10;
            q = plinth_malloc(size[i]);
            CHECK(q == p, "another one");
            plinth_free(q);
        }
    check_empty("end");
}

/* Poison is what a stale pointer reads. */
static void poison(void)
{
    unsigned char *p;

    if (!CONFIG_DEBUG)
        return;

    p = plinth_malloc(100);
    memset(p, 0, 100);
    plinth_free(p);
    for (unsigned int i = 16; i < 100; i++)
        CHECK(p[i] == 0xdf, "byte %u is %#x", i, p[i]);
    check_empty("end");
}

TAP_MAIN({ "like the shadow list", like_shadow }, { "every size", every_size },
         { "steps of sizes", steps }, { "nothing", nothing },
         { "absurd requests", absurd }, { "alignments", aligned },
         { "resized", resized }, { "exhaustion", exhaustion },
         { "density", density }, { "one spare slab", one_spare },
         { "the next spare", next_spare },
         { "each page missing", each_page_missing }, { "numbers", numbers },
         { "freed twice", freed_twice },
         { "block freed twice", block_freed_twice },
         { "not the start of an object", no_start }, { "overrun", overrun },
         { "overrun after realloc", overrun_after_resize },
         { "write after free", write_after_free }, { "poison", poison })

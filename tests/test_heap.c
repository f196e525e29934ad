/* SPDX-License-Identifier: MIT */
/*
 * The heap is tested at length on the host (tests/host/heap.c).  Here it has
 * the kernel's own pages below it.
 */
#include <plinth/addr.h>
#include <plinth/config.h>
#include <plinth/heap.h>
#include <plinth/page.h>
#include <plinth/string.h>
#include <plinth/test.h>

static uint64_t bytes_in_use(void)
{
    return heap_stats().bytes;
}

static uint64_t objects_in_use(void)
{
    return heap_stats().objects;
}

LEDGER(heap_bytes, bytes_in_use);
LEDGER(heap_objects, objects_in_use);

static bool is_all(const uint8_t *p, uint8_t byte, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i] != byte)
            return false;
    return true;
}

/* Sizes of both kinds, and just around where one ends. */
static const size_t sizes[] = { 0,    1,    15,   16,   17,   100,
                                128,  129,  1000, 2048, 2672, 2688,
                                2689, 4080, 4096, 4097, 8192, 20000 };

TEST(heap, gives_distinct_aligned_memory)
{
    uint8_t *p[ARRAY_SIZE(sizes)];

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        p[i] = malloc(sizes[i]);
        EXPECT(p[i] != NULL);
        EXPECT_EQ((uintptr_t)p[i] % HEAP_ALIGN, 0);
        if (p[i] != NULL)
            memset(p[i], (int)i, sizes[i]);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        EXPECT(p[i] == NULL || is_all(p[i], i, sizes[i]));
        free(p[i]);
    }
}

TEST(heap, calloc_zeroes_what_was_used_before)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint8_t *p = malloc(sizes[i]);

        REQUIRE(p != NULL);
        memset(p, 0xff, sizes[i]);
        free(p);
        p = calloc(1, sizes[i]);
        REQUIRE(p != NULL);
        EXPECT(is_all(p, 0, sizes[i]));
        free(p);
    }
}

TEST(heap, realloc_keeps_contents)
{
    uint8_t *p = realloc(NULL, 40), *q;

    REQUIRE(p != NULL);
    memset(p, 0x77, 40);
    for (size_t size = 50; size < 40000; size += size / 2) {
        q = realloc(p, size);
        EXPECT(q != NULL);
        p = q == NULL ? p : q;
        EXPECT(is_all(p, 0x77, 40));
    }
    q = realloc(p, 40);
    EXPECT(q != NULL);
    p = q == NULL ? p : q;
    EXPECT(is_all(p, 0x77, 40));
    free(p);
}

TEST(heap, aligns_as_asked)
{
    for (size_t align = 1; align <= 16 * PAGE_SIZE; align *= 2)
        for (size_t size = 1; size < 3000; size = 3 * size + 1) {
            void *const p = aligned_alloc(align, size);

            EXPECT(p != NULL);
            EXPECT_EQ((uintptr_t)p % align, 0);
            if (p != NULL)
                memset(p, 0x55, size);
            free(p);
        }
}

TEST(heap, refuses_what_cannot_be)
{
    const uint64_t failures = heap_stats().failures;

    EXPECT(malloc(~0ul) == NULL);
    EXPECT(malloc((PAGE_SIZE << PAGE_MAX_ORDER) + 1) == NULL);
    EXPECT(calloc(1ul << 33, 1ul << 33) == NULL);
    EXPECT(calloc(~0ul / 2, 3) == NULL);
    EXPECT(aligned_alloc(0, 1) == NULL);
    EXPECT(aligned_alloc(48, 1) == NULL);
    EXPECT(aligned_alloc(2 * HEAP_ALIGN_MAX, 1) == NULL);
    EXPECT_EQ(heap_stats().failures, failures + 7);
}

TEST(heap, nothing_is_something)
{
    void *const a = malloc(0), *const b = malloc(0);
    void *const c = realloc(NULL, 0);

    EXPECT(a != NULL && b != NULL && c != NULL);
    EXPECT(a != b && b != c && a != c);
    free(NULL);
    free(a);
    free(b);
    free(c);
}

/* Blocks of 1 MiB until there are no more: the rest must go on working. */
TEST(heap, survives_running_out)
{
    const size_t mib = (1ul << 20) - 64;
    void **first = NULL, **p;
    unsigned int n = 0, again = 0;
    void *small;

    for (; n < 1024 && (p = malloc(mib)) != NULL; n++) {
        *p = first;
        first = p;
    }
    if (n == 1024)
        free(malloc(1)); /* more memory than this test cares to take */
    else
        EXPECT(malloc(mib) == NULL);
    EXPECT(malloc(PAGE_SIZE << PAGE_MAX_ORDER) == NULL);

    if (first != NULL) {
        p = *first;
        free(first);
        first = p;
    }
    small = malloc(100);
    EXPECT(small != NULL);
    free(small);

    while (first != NULL) {
        p = *first;
        free(first);
        first = p;
    }
    heap_trim();
    for (; again < n && (p = malloc(mib)) != NULL; again++) {
        *p = first;
        first = p;
    }
    EXPECT_EQ(again, n);
    while (first != NULL) {
        p = *first;
        free(first);
        first = p;
    }
}

TEST(heap, trim_gives_empty_slabs_back)
{
    uint64_t slabs;
    void *p;

    heap_trim();
    slabs = heap_stats().slabs;
    p = aligned_alloc(16, 700);
    REQUIRE(p != NULL);
    free(p);
    EXPECT(heap_stats().slabs >= slabs);
    heap_trim();
    EXPECT(heap_stats().slabs <= slabs);
    EXPECT_EQ(heap_trim(), 0);
}

TEST(heap, counts)
{
    const struct heap_stats before = heap_stats();
    void *const p = malloc(100), *const q = malloc(10000);
    const struct heap_stats with = heap_stats();

    EXPECT(p != NULL && q != NULL);
    EXPECT_EQ(with.objects, before.objects + 2);
    EXPECT_EQ(with.blocks, before.blocks + 1);
    EXPECT_EQ(with.allocations, before.allocations + 2);
    EXPECT_EQ(with.bytes, before.bytes + (CONFIG_DEBUG ? 128 : 112) + 16384);
    free(p);
    free(q);
    EXPECT_EQ(heap_stats().bytes, before.bytes);
}

TEST(heap, random_steps_keep_contents)
{
    static struct {
        uint8_t *p;
        size_t size;
    } live[64];

    for (unsigned int i = 0; i < 4000; i++) {
        const unsigned int k = test_random() % ARRAY_SIZE(live);
        const size_t size = test_random() % (i % 16 ? 400 : 9000);
        uint8_t *p;

        if (live[k].p == NULL || test_random() % 3 == 0) {
            p = realloc(live[k].p, size);
            EXPECT(p != NULL);
            if (p == NULL)
                continue;
            if (live[k].p != NULL)
                EXPECT(is_all(p, k, MIN(size, live[k].size)));
            live[k].p = p;
            live[k].size = size;
            memset(p, (int)k, size);
        } else {
            EXPECT(is_all(live[k].p, k, live[k].size));
            free(live[k].p);
            live[k].p = NULL;
        }
    }
    for (unsigned int k = 0; k < ARRAY_SIZE(live); k++) {
        free(live[k].p);
        live[k].p = NULL;
    }
}

TEST(heap, strdup_copies_all_of_it)
{
    char text[] = "kept";
    char *copy = strdup(text), *empty = strdup("");

    text[0] = '-';
    REQUIRE(copy != NULL && empty != NULL);
    EXPECT_STR(copy, "kept");
    EXPECT_STR(empty, "");
    free(copy);
    free(empty);
}

TEST(heap, strdup_fails_as_malloc_does)
{
    static char text[8192];

    memset(text, 'x', sizeof(text) - 1);
    page_inject_failure(1);
    EXPECT(strdup(text) == NULL);
    page_inject_failure(0);
}

/*
 * What a debug build says before it ends.
 */
static void *volatile stale; /* gcc sees through anything less */

FATAL(heap, double_free)
{
    stale = malloc(50);
    free(stale);
    free(stale);
}

FATAL(heap, free_of_the_middle)
{
    stale = malloc(50);
    free((char *)stale + 16);
}

FATAL(heap, overrun)
{
    stale = malloc(50);
    memset(stale, 0, 51);
    free(stale);
}

FATAL(heap, write_after_free)
{
    stale = malloc(50);
    free(stale);
    memset(stale, 0, 1);
    stale = malloc(50);
}

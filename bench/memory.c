/* SPDX-License-Identifier: MIT */
/*
 * Pages and the heap: taken and given back, at rest and with memory in pieces; the
 * physmap's growth; and the fill that a zeroed page cannot do without.
 */
#include <plinth/heap.h>
#include <plinth/kaddr.h>
#include <plinth/page.h>
#include <plinth/string.h>

#include "bench.h"

#define ROUNDS 200u

static void pages_of(unsigned int order, const char *how)
{
    struct ticks t;
    void *p = page_alloc(order);

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            page_free(p, order);
            p = page_alloc(order);
        });
    if (p == NULL)
        bench_fail("no pages of order %u", order);
    page_free(p, order);
    figure("insn", ROUNDS, t, 0, "page.alloc_free.%s.order_%u", how, order);
}

static void heap_of(size_t size, const char *how)
{
    struct ticks t;
    void *p = malloc(size);

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            free(p);
            p = malloc(size);
        });
    if (p == NULL)
        bench_fail("no memory of %lu bytes", size);
    free(p);
    figure("insn", ROUNDS, t, 0, "heap.malloc_free.%s.%lu_bytes", how, size);
}

static void all_sizes(const char *how)
{
    static const size_t sizes[] = { 16, 64, 256, 1000, 2048, 4096, 65536 };

    for (unsigned int order = 0; order <= 9; order += 3)
        pages_of(order, how);
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
        heap_of(sizes[i], how);
}

/* Every other one of many is given back, of pages and of objects. */
#define PIECES 2048u

static void in_pieces(void)
{
    static void *pages[PIECES], *objects[PIECES];

    for (unsigned int i = 0; i < PIECES; i++) {
        pages[i] = page_alloc(i % 3);
        objects[i] = malloc(16 + i % 1500);
        if (pages[i] == NULL || objects[i] == NULL)
            bench_fail("no memory to be in pieces");
    }
    for (unsigned int i = 0; i < PIECES; i += 2) {
        page_free(pages[i], i % 3);
        free(objects[i]);
    }
    all_sizes("in_pieces");
    for (unsigned int i = 1; i < PIECES; i += 2) {
        page_free(pages[i], i % 3);
        free(objects[i]);
    }
}

static void zeroed_pages(void)
{
    struct ticks fill, t;
    void *p = page_alloc(0);

    MEASURE_TICKS(fill, , {
        void *to = p;
        uint64_t words = PAGE_SIZE / 8;

        asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0) : "memory");
    });
    page_free(p, 0);
    figure("insn/page", 1, fill, 0, "bare.rep_stosq.1");
    MEASURE_TICKS(t, if (t_) page_free(p, 0), p = page_alloc_zeroed(0));
    page_free(p, 0);
    figure("insn/page", 1, t, figure_of("bare.rep_stosq.1"),
           "page.alloc_zeroed.1");
}

/*
 * Memory that was never touched: the physmap grows by chunks of 512 pages.  Some
 * blocks come out of what is mapped already; those tell nothing.
 */
#define CHUNK 512u
#define TRIES 32u

static void growth(void)
{
    void *blocks[TRIES];
    unsigned int n = 0, grown = 0;
    struct ticks t;

    while (grown < BENCH_TIMES && n < TRIES) {
        const uint64_t before = page_stats().unmapped, start = rdtsc();
        uint64_t ticks, pages;

        blocks[n++] = page_alloc(9);
        ticks = rdtsc() - start;
        pages = before - page_stats().unmapped;
        if (pages > 0)
            ticks_note(&t, grown++, ticks * CHUNK / pages);
    }
    while (n > 0)
        page_free(blocks[--n], 9);
    if (grown < BENCH_TIMES)
        bench_fail("the physmap has grown %u times", grown);
    else
        figure("insn/page", CHUNK, t,
               figure_of("bare.whole_table.RW.new_frames.512"),
               "physmap.growth.%u", CHUNK);
}

void bench_memory(void)
{
    growth();
    all_sizes("at_rest");
    zeroed_pages();
    in_pieces();
}

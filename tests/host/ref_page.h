/* SPDX-License-Identifier: MIT */
/*
 * ref_page: the page allocator against a list of what is whose.
 *
 * The bootstrap region is an array here; the physmap and the records are
 * mappings, where only what physmap_add() has added can be touched.  All that
 * mm/page.c keeps is in a section of its own (tests/host.t), so that it can start
 * anew with another layout of the memory.
 *
 *   units     pfns; each page is listed as one of enum ref_whose
 *   owns      the memory; the allocator's state, from ref_page_start() on
 *   context   host, one thread, included by one file
 *   failure   ref_failure says what was not as promised; growing fails on
 *             demand: ref.grow_fails, ref.get_fails
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <arch/vcpu.h>
#include <plinth/boot_map.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/physmap.h>
#include <plinth/start_info.h>
#include <plinth/upcall.h>

#include "panic.h"
#include "ref_fail.h"
#include "ref_input.h"

#define REF_LINEAR 1536u      /* most pages of the bootstrap region */
#define REF_PAGES  (1u << 20) /* most pages at all: 4 GiB */
#define REF_RECORD 64u        /* no record of a page is larger */
#define REF_BLOCKS 4096u      /* most that are allocated at a time */

/* The bootstrap region begins at no round address. */
#define REF_OFFSET 5
char ref_area[(REF_OFFSET + REF_LINEAR) * PAGE_SIZE] __aligned(1 << 21);
asm(".globl _text\n.set _text, ref_area + 5 * 4096");

enum ref_whose {
    NOBODYS, /* no memory, or memory that is in use for good */
    MINE,    /* free */
    LENT,    /* allocated */
    TABLE    /* taken to grow */
};

struct ref_block {
    uint8_t *p;
    unsigned int order;
    uint64_t seed;
};

static struct {
    uint64_t p2m[REF_PAGES];
    uint8_t whose[REF_PAGES];
    uint64_t nr_pages;
    struct boot_map map;
    struct ref_block blocks[REF_BLOCKS];
    unsigned int nr_blocks;
    uint64_t nr_kept;                     /* by the allocator, for records */
    uint64_t nr_free, nr_lent, nr_tables; /* in pages */
    uint64_t holes;                       /* met by physmap_add() */
    uint64_t failures;
    bool over;        /* after a panic in the middle of something */
    bool grow_fails;  /* Xen refuses to map more */
    long get_fails;   /* pages that a physmap_add() still gets; -1: all */
    bool grow_failed; /* one did, during the call that runs */
} ref = { .get_fails = -1 };

struct start_info start_info_copy;

/* What mm/page.c keeps; zero at the start. */
extern char __start_page_state[], __stop_page_state[];

/* That includes gaps which the sanitizer watches. */
static void __attribute__((no_sanitize("address"))) ref_forget(void)
{
    for (volatile char *p = __start_page_state; p < __stop_page_state; p++)
        *p = 0;
}

/* page_free(@p, @order), or page_alloc() without @p, must panic with @text. */
static __noinline void ref_panics(void *p, unsigned int order, const char *text)
{
    static void *got;

    got = NULL;
    panic_text[0] = '\0';
    panic_expected = true;
    if (setjmp(panic_out) == 0) {
        if (p != NULL)
            page_free(p, order);
        else
            got = page_alloc(order);
    }
    panic_expected = false;
    REF_MUST(strstr(panic_text, text) != NULL, "\"%s\" instead of \"%s\"",
             panic_text, text);
    if (got != NULL)
        page_free(got, order);
}

/*
 * What mm/page.c needs besides.
 */
uint8_t fixmap_slots[FIX_SLOTS][PAGE_SIZE]; /* shared_info: upcalls' mask */

/* A page that waits for who wants it more. */
static void *ref_kept;

static bool ref_give_back(void)
{
    void *p = ref_kept;

    ref_kept = NULL;
    page_free(p, 0);
    return p != NULL;
}
PAGE_KEEPER(ref_give_back);

const struct boot_map *boot_map(void)
{
    return &ref.map;
}

uint64_t physmap_holes(void)
{
    return ref.holes;
}

static void ref_mark_table(void *page)
{
    const uint64_t pfn = pfn_x(kaddr_pfn(page));

    REF_MUST(ref.whose[pfn] == MINE, "pfn %#lx becomes a table", pfn);
    ref.whose[pfn] = TABLE;
    ref.nr_free--;
    ref.nr_tables++;
    memset(page, 0x7a, PAGE_SIZE);
}

static void ref_touchable(uintptr_t start, uintptr_t end)
{
    if (start < end &&
        mprotect((void *)start, end - start, PROT_READ | PROT_WRITE) != 0)
        abort();
}

/* Chunk @n is there: its records, and such of its pages as are memory. */
static void ref_show(uint64_t n, unsigned int record_size)
{
    const uint64_t first = n * CHUNK_PAGES;
    const uint64_t end = MIN(first + CHUNK_PAGES, ref.nr_pages);
    uint64_t start = first;

    ref_touchable(PAGES_BASE + first * record_size,
                  PAGES_BASE + (first + CHUNK_PAGES) * record_size);
    for (uint64_t pfn = first; pfn < end; pfn++) {
        ref.holes += ref.p2m[pfn] == ~0ull;
        if (ref.whose[pfn] != NOBODYS)
            continue;
        ref_touchable(physmap_va(_pfn(start)), physmap_va(_pfn(pfn)));
        start = pfn + 1;
    }
    ref_touchable(physmap_va(_pfn(start)), physmap_va(_pfn(end)));
    kaddr_set_chunk_mapped(n);
}

/* Takes as many pages as it may at most, so that less is enough as well. */
int physmap_add(uint64_t first, unsigned int nr, unsigned int record_size,
                void *(*get)(void), void (*put)(void *page))
{
    void *taken[PHYSMAP_PAGES];
    const unsigned int want = PHYSMAP_PAGES * nr / PHYSMAP_BATCH;
    unsigned int n = 0;

    REF_MUST(nr > 0 && nr <= PHYSMAP_BATCH, "%u chunks at a time", nr);
    REF_MUST(record_size <= REF_RECORD, "records of %u bytes", record_size);
    while (n < want &&
           (ref.get_fails < 0 || n < (unsigned long)ref.get_fails)) {
        taken[n] = get();
        if (taken[n] == NULL)
            break;
        n++;
    }
    if (n < want || ref.grow_fails) {
        while (n > 0)
            put(taken[--n]);
        ref.grow_failed = true;
        return ref.grow_fails ? -EINVAL : -ENOMEM;
    }
    while (n > 0)
        ref_mark_table(taken[--n]);
    for (uint64_t chunk = first; chunk < first + nr; chunk++) {
        REF_MUST(!kaddr_chunk_mapped(chunk), "chunk %lu is there already",
                 chunk);
        ref_show(chunk, record_size);
    }
    return 0;
}

/*
 * The memory.
 */
static void ref_hide(void *p, size_t len)
{
    if (mmap(p, len, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
             0) != p)
        abort();
}

static void ref_region(uint64_t start, uint64_t nr, bool free)
{
    ref.map.regions[ref.map.nr_regions++] = (struct boot_region){
        .what = "", .start = _pfn(start), .nr_pages = nr, .free = free
    };
}

/* Of @nr_pages the first @linear are the bootstrap region; no regions yet. */
static void ref_memory(uint64_t nr_pages, uint64_t linear)
{
    static uint64_t before;

    ref_hide((void *)PHYSMAP_BASE, MAX(before, nr_pages + 512) * PAGE_SIZE);
    ref_hide((void *)PAGES_BASE, MAX(before, nr_pages + 512) * REF_RECORD);
    before = nr_pages + 512;
    ref_forget();
    memset(ref.whose, NOBODYS, nr_pages);
    for (uint64_t pfn = 0; pfn < nr_pages; pfn++)
        ref.p2m[pfn] = pfn + 0x5000;
    ref.map.nr_regions = 0;
    ref.nr_blocks = 0;
    ref.nr_pages = nr_pages;
    ref.nr_free = ref.nr_lent = ref.nr_tables = ref.holes = ref.failures = 0;
    ref.grow_fails = ref.grow_failed = ref.over = false;
    ref.get_fails = -1;
    ref_failure[0] = '\0';
    start_info_copy.nr_pages = nr_pages;
    start_info_copy.mfn_list = (uintptr_t)ref.p2m;
    linear_set_size(linear);
}

static void ref_hole(uint64_t pfn)
{
    if (pfn >= linear_size() && pfn < ref.nr_pages)
        ref.p2m[pfn] = ~0ull;
}

/* All pages of @r that are memory are free. */
static void ref_give(const struct boot_region *r, uint64_t but)
{
    for (uint64_t i = but; i < r->nr_pages; i++) {
        const uint64_t pfn = pfn_x(r->start) + i;

        if (ref.p2m[pfn] != ~0ull) {
            ref.whose[pfn] = MINE;
            ref.nr_free++;
        }
    }
}

/*
 * The allocator starts with the regions there are.  It keeps the beginning of the
 * first in the bootstrap region that is large enough, here always the last one
 * in there; smaller ones before it are not used.
 */
static void ref_page_start(void)
{
    const struct boot_region *padding = NULL;
    uint64_t rest = 0;

    page_init();
    for (unsigned int i = 0; i < ref.map.nr_regions; i++) {
        const struct boot_region *r = &ref.map.regions[i];

        if (!r->free)
            continue;
        if (pfn_x(r->start) < linear_size()) {
            padding = r;
            continue;
        }
        ref_give(r, 0);
        rest += r->nr_pages;
    }
    ref.nr_kept = rest + padding->nr_pages - page_stats().total;
    REF_MUST(ref.nr_kept > 0 && ref.nr_kept < 60, "%lu pages kept",
             ref.nr_kept);
    if (ref.nr_kept < padding->nr_pages)
        ref_give(padding, ref.nr_kept);
}

/*
 * What is allocated.
 */
static uint64_t ref_pattern(const struct ref_block *b, size_t page)
{
    return (b->seed + page) * 0x9e3779b97f4a7c15ull;
}

/* The first and the last word of each page; of large blocks, of some. */
static void ref_each_word(const struct ref_block *b, bool check)
{
    const size_t nr = 1ul << b->order, step = nr > 64 ? nr / 16 - 1 : 1;

    for (size_t i = 0; i < nr; i += step) {
        uint64_t *words = (uint64_t *)(b->p + i * PAGE_SIZE);

        if (check)
            REF_MUST(words[0] == ref_pattern(b, i) &&
                         words[511] == ~ref_pattern(b, i),
                     "page %zu of %p, order %u, was written to", i,
                     (void *)b->p, b->order);
        words[0] = ref_pattern(b, i);
        words[511] = ~ref_pattern(b, i);
    }
}

/* Does any free block of @order exist, mapped or not? */
static bool ref_any(unsigned int order)
{
    const uint64_t n = 1ul << order;
    uint64_t run = 0;

    for (uint64_t pfn = 0; pfn < ref.nr_pages; pfn++) {
        if (pfn == linear_size() ||
            (run == 0 &&
             (pfn < linear_size() ? linear_va(_pfn(pfn)) >> PAGE_SHIFT : pfn) %
                     n !=
                 0)) {
            run = 0;
            if (pfn != linear_size() || pfn % n != 0)
                continue;
        }
        run = ref.whose[pfn] == MINE ? run + 1 : 0;
        if (run == n)
            return true;
    }
    return false;
}

static void ref_check_stats(void)
{
    const struct page_stats s = page_stats();

    REF_MUST(s.free + s.overhead + ref.nr_lent == s.total,
             "%lu free, %lu for tables, %lu lent, of %lu", s.free, s.overhead,
             ref.nr_lent, s.total);
    REF_MUST(s.overhead == ref.nr_tables, "%lu for tables, not %lu", s.overhead,
             ref.nr_tables);
    REF_MUST(s.failures == ref.failures, "%lu failures, not %lu", s.failures,
             ref.failures);
    /* Holes are counted as memory until they are met. */
    REF_MUST(s.free >= ref.nr_free && (s.unmapped > 0 || s.free == ref.nr_free),
             "%lu free, not %lu", s.free, ref.nr_free);
}

static void ref_check_lists(void)
{
    char why[120] = "";

    REF_MUST(page_check(why, sizeof(why)) == 0, "%s", why);
}

static bool ref_is_zero(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0)
            return false;
    return true;
}

/* A block of @order, remembered, or NULL, which then has to be right. */
static void *ref_alloc(unsigned int order, bool zeroed, bool injected)
{
    const uint64_t n = 1ul << order;
    struct ref_block b = { .order = order, .seed = ref.nr_lent * 77 + order };

    ref.grow_failed = false;
    b.p = zeroed ? page_alloc_zeroed(order) : page_alloc(order);
    if (b.p == NULL) {
        ref.failures++;
        REF_MUST(injected || order > PAGE_MAX_ORDER || ref.grow_failed ||
                     (page_stats().unmapped == 0 && !ref_any(order)),
                 "no block of order %u, with %lu pages free", order,
                 ref.nr_free);
        return NULL;
    }
    REF_MUST(!injected, "a failure was not injected");
    REF_MUST((uintptr_t)b.p % (n * PAGE_SIZE) == 0, "%p is not of order %u",
             (void *)b.p, order);
    for (uint64_t pfn = pfn_x(kaddr_pfn(b.p)), i = 0; i < n; i++) {
        if (pfn + i >= ref.nr_pages || ref.whose[pfn + i] != MINE) {
            ref_fail("pfn %#lx is not free", pfn + i);
            return NULL;
        }
        ref.whose[pfn + i] = LENT;
    }
    REF_MUST(!zeroed || ref_is_zero(b.p, MIN(n, 32ul) * PAGE_SIZE),
             "%p is not zeroed", (void *)b.p);
    REF_MUST(*page_note(b.p) == 0, "%p has a note", (void *)b.p);
    REF_MUST(page_order(b.p) == order, "%p has order %u", (void *)b.p,
             page_order(b.p));
    *page_note(b.p) = (uint16_t)b.seed;
    *page_link(kaddr_pfn(b.p)) = (uint32_t)b.seed;
    ref.nr_free -= n;
    ref.nr_lent += n;
    ref_each_word(&b, false);
    ref.blocks[ref.nr_blocks++] = b;
    return b.p;
}

static void ref_free(unsigned int which)
{
    struct ref_block b = ref.blocks[which];
    const uint64_t n = 1ul << b.order;

    ref_each_word(&b, true);
    REF_MUST(*page_note(b.p) == (uint16_t)b.seed &&
                 *page_link(kaddr_pfn(b.p)) == (uint32_t)b.seed,
             "the note of %p is another's", (void *)b.p);
    for (uint64_t pfn = pfn_x(kaddr_pfn(b.p)), i = 0; i < n; i++)
        ref.whose[pfn + i] = MINE;
    ref.nr_free += n;
    ref.nr_lent -= n;
    ref.blocks[which] = ref.blocks[--ref.nr_blocks];
    page_free(b.p, b.order);
}

static uintptr_t ref_va(uint64_t pfn)
{
    return pfn < linear_size() ? linear_va(_pfn(pfn)) : physmap_va(_pfn(pfn));
}

/* The tables are as they were left. */
static void ref_check_tables(void)
{
    for (uint64_t pfn = 0; pfn < ref.nr_pages && ref.nr_tables > 0; pfn++)
        if (ref.whose[pfn] == TABLE)
            for (unsigned int i = 0; i < PAGE_SIZE; i += 64)
                REF_MUST(((uint8_t *)ref_va(pfn))[i] == 0x7a,
                         "the table at pfn %#lx was written to", pfn);
}

/* Give all back; then all of it can be had again, the largest blocks first. */
static void ref_end(void)
{
    uint64_t had = 0;

    page_inject_failure(0);
    ref.grow_fails = false;
    ref.get_fails = -1;
    while (ref.nr_blocks > 0)
        ref_free(ref.nr_blocks - 1);
    ref_check_lists();
    ref_check_stats();

    for (int order = PAGE_MAX_ORDER; order >= 0; order--)
        while (ref_failure[0] == '\0' && ref.nr_blocks < REF_BLOCKS &&
               ref_alloc(order, false, false) != NULL)
            had += 1ul << order;
    REF_MUST(ref.nr_free == 0 || ref.nr_blocks == REF_BLOCKS,
             "%lu pages could not be had, %lu could", ref.nr_free, had);
    ref_check_stats();
    ref_check_tables();
    while (ref.nr_blocks > 0 && ref_failure[0] == '\0')
        ref_free(ref.nr_blocks - 1);
    ref_check_lists();
}

/*
 * Misuse: each is noticed, and changes nothing.  A block freed twice may have
 * become a part of a larger one.
 */
static void ref_free_twice(unsigned int which)
{
    struct ref_block b = ref.blocks[which];

    ref_free(which);
    ref_panics(b.p, b.order, "page_free: ");
}

static void ref_free_wrongly(unsigned int which, unsigned int how)
{
    struct ref_block b = ref.blocks[which];

    switch (how % 4) {
    case 0:
        ref_panics(b.p, b.order + 1, "has order");
        break;
    case 1:
        if (b.order > 0)
            ref_panics(b.p + PAGE_SIZE, 0, "not allocated");
        break;
    case 2:
        if (CONFIG_DEBUG)
            ref_panics(b.p + 8, b.order, "no page of the allocator's");
        break;
    default:
        ref_panics((void *)linear_va(_pfn(0)), 0, "not allocated");
        if (CONFIG_DEBUG)
            ref_panics((void *)physmap_va(_pfn(ALIGN_UP(ref.nr_pages, 512))), 0,
                       "no page of the allocator's");
        break;
    }
}

/*
 * A single page freed last is what is allocated next, as a rule.  If it is, and
 * the write is noticed, nothing more can be done with this allocator.
 */
static void ref_write_after_free(unsigned int which, unsigned int word)
{
    struct ref_block b = ref.blocks[which];
    uint64_t *words = (uint64_t *)b.p, was;

    if (!CONFIG_DEBUG || b.order != 0)
        return;
    ref_free(which);
    was = words[word % 16];
    words[word % 16] ^= 1;
    ref.grow_failed = false;
    panic_text[0] = '\0';
    panic_expected = true;
    if (setjmp(panic_out) == 0) {
        void *got = page_alloc(0);

        /* It got another page, or tried to make a table of this one. */
        panic_expected = false;
        if (ref.whose[pfn_x(kaddr_pfn(b.p))] == MINE)
            words[word % 16] = was;
        page_free(got, 0);
        REF_MUST(got != (void *)b.p || ref.grow_failed,
                 "a write after free was not noticed");
        return;
    }
    panic_expected = false;
    REF_MUST(strstr(panic_text, "was written after it was freed") != NULL,
             "\"%s\" instead of a write after free", panic_text);
    ref.over = true;
}

/*
 * From bytes to a layout and calls.
 */
static unsigned int ref_word(struct ref_input *in)
{
    const unsigned int low = ref_byte(in);

    return low | ref_byte(in) << 8;
}

/* Text, a page or two, padding, then more than the half of it and less. */
static void ref_layout(struct ref_input *in)
{
    const unsigned int linear = 200 + ref_word(in) % 1200;
    const unsigned int text = 1 + ref_byte(in) % 80;
    const uint64_t nr_pages = linear + ref_word(in) % 5000;
    uint64_t at = linear;

    ref_memory(nr_pages, linear);
    ref_region(0, text, false);
    ref_region(text, 2, true);
    ref_region(text + 2, 1, false);
    ref_region(text + 3, linear - text - 3, true);
    for (unsigned int i = ref_byte(in) % 5; i > 0 && at < nr_pages; i--) {
        const uint64_t gap = ref_word(in) % 700, n = 1 + ref_word(in) % 1500;

        if (at + gap + n >= nr_pages)
            break;
        ref_region(at, gap, false);
        ref_region(at + gap, n, true);
        at += gap + n;
    }
    if (at < nr_pages)
        ref_region(at, nr_pages - at, true);
    for (unsigned int i = ref_byte(in) % 8; i > 0; i--)
        ref_hole(linear + ref_word(in));
    ref_page_start();
}

static void ref_step(struct ref_input *in)
{
    const unsigned int b = ref_byte(in), arg = ref_byte(in);
    const unsigned int which = ref.nr_blocks ? arg % ref.nr_blocks : 0;

    switch (ref.nr_blocks > 0 || b % 16 > 8 ? b % 16 : 0) {
    case 0 ... 3:
        if (ref.nr_blocks < REF_BLOCKS)
            (void)ref_alloc(arg < 160 ? arg % 4 : arg % 20, b & 64, false);
        break;
    case 4 ... 6:
        ref_free(which);
        break;
    case 7:
        if (b & 128)
            ref_free_twice(which);
        else
            ref_free_wrongly(which, b >> 4);
        break;
    case 8:
        if (arg >= 224)
            ref_write_after_free(which, b >> 4);
        break;
    case 9 ... 10: /* many of a size */
        for (unsigned int i = ref_byte(in); i > 0; i--)
            if (ref.nr_blocks == REF_BLOCKS ||
                ref_alloc(arg % 6, false, false) == NULL)
                break;
        break;
    case 11 ... 12: /* some of them back */
        for (unsigned int i = 0; i < ref.nr_blocks && ref_failure[0] == '\0';
             i += arg % 4)
            ref_free(i);
        break;
    case 13:
        ref.grow_fails = b & 16;
        ref.get_fails = b & 32 ? (long)arg % 60 : -1;
        break;
    case 14:
        if (ref.nr_blocks < REF_BLOCKS) {
            page_inject_failure(1);
            (void)ref_alloc(arg % 4, false, true);
        }
        break;
    default:
        ref_check_lists();
        ref_check_tables();
        break;
    }
    if (!ref.over)
        ref_check_stats();
}

/* The layout and calls that @data stands for: "", or what was not promised. */
static __unused const char *ref_page_run(const uint8_t *data, size_t len)
{
    struct ref_input in = { data, len };

    ref_layout(&in);
    while (in.len > 0 && ref_failure[0] == '\0' && !ref.over)
        ref_step(&in);
    if (ref_failure[0] == '\0' && !ref.over)
        ref_end();
    return ref_failure;
}

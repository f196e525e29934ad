/* SPDX-License-Identifier: MIT */
/*
 * What operations cost, as TSC ticks; under the lab's instruction-counting
 * clock (lab/run --icount) these are instructions of guest and hypervisor.
 * Printed, not judged: on any other clock they mean nothing.
 */
#include <arch/cpu.h>
#include <plinth/heap.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/selfmap.h>
#include <plinth/space.h>
#include <plinth/start_info.h>
#include <plinth/test.h>
#include <plinth/walk.h>

static uint64_t *list; /* of frames */

static void report(const char *what, uint64_t ticks, uint64_t n)
{
    if (n > 0)
        say("# cost: %s: %lu\n", what, ticks / n);
}

FATAL(cost, heap)
{
    static const size_t sizes[] = { 16, 64, 1000, 4096 };

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        void *p = malloc(sizes[i]);
        const uint64_t start = rdtsc();

        for (unsigned int n = 0; n < 1000; n++) {
            free(p);
            p = malloc(sizes[i]);
        }
        say("# cost: malloc + free, %lu bytes: %lu\n", sizes[i],
            (rdtsc() - start) / 1000);
        free(p);
    }
}

FATAL(cost, pages)
{
    struct page_stats before;
    uint64_t start, ticks;
    void *p;

    p = page_alloc(0);
    start = rdtsc();
    for (unsigned int i = 0; i < 1000; i++) {
        page_free(p, 0);
        p = page_alloc(0);
    }
    report("page_alloc + page_free", rdtsc() - start, 1000);

    before = page_stats();
    start = rdtsc();
    (void)page_alloc(12);
    ticks = rdtsc() - start;
    report("physmap growth, per page, order 12", ticks,
           before.unmapped - page_stats().unmapped);

    before = page_stats();
    start = rdtsc();
    while (page_stats().unmapped == before.unmapped && page_alloc(9) != NULL)
        ;
    ticks = rdtsc() - start;
    report("physmap growth, per page, order 9", ticks,
           before.unmapped - page_stats().unmapped);
}

/*
 * Mapping, by number of pages: into a range without tables, and beside a page
 * that keeps the table alive.
 */
#define BASE 0xffffd00000000000ul

static mfn_t frames[4096] __noinit;

static void map_and_unmap(uint64_t nr, const char *where)
{
    uint64_t start, mapped, unmapped;
    int rc;

    start = rdtsc();
    rc = space_map(&kernel_space, _vaddr(BASE), frames, nr, MAP_RW);
    mapped = rdtsc() - start;
    start = rdtsc();
    rc |= space_unmap(&kernel_space, _vaddr(BASE), nr);
    unmapped = rdtsc() - start;
    say("# cost: map %lu pages %s: %lu a page; unmap: %lu%s\n", nr, where,
        mapped / nr, unmapped / nr, rc ? " (failed)" : "");
}

FATAL(cost, mapping)
{
    static const uint64_t sizes[] = { 1, 8, 64, 511, 4096 };
    uint64_t *block = page_alloc(12);

    REQUIRE(block != NULL);
    for (unsigned int i = 0; i < ARRAY_SIZE(frames); i++)
        frames[i] = p2m_lookup(pfn_add(kaddr_pfn(block), i));

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        map_and_unmap(sizes[i], "into new tables");
        map_and_unmap(sizes[i], "into new tables, again");
    }
    EXPECT_EQ(space_map(&kernel_space, _vaddr(BASE + 511 * PAGE_SIZE), frames,
                        1, MAP_RW),
              0);
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes) - 1; i++) {
        map_and_unmap(sizes[i], "into a live table");
        map_and_unmap(sizes[i], "into a live table, again");
    }
}

/*
 * Spaces: empty, and with what is mapped before the first switch to them.
 */
static void come_and_go(uint64_t nr)
{
    uint64_t t[7];
    struct space s;
    int rc;

    t[0] = rdtsc();
    rc = space_create(&s, SPACE_USER);
    t[1] = rdtsc();
    if (nr > 0)
        rc |= space_map(&s, _vaddr(1ul << 30), (const mfn_t *)list, nr, MAP_RW);
    t[2] = rdtsc();
    rc |= space_switch(&s);
    t[3] = rdtsc();
    rc |= space_switch(&kernel_space);
    t[4] = rdtsc();
    rc |= space_switch(&s);
    t[5] = rdtsc();
    rc |= space_switch(&kernel_space);
    t[6] = rdtsc();
    rc |= space_destroy(&s);
    say("# cost: space of %lu pages: create %lu, map %lu, first switch %lu, "
        "switch back %lu, switch %lu, destroy %lu%s\n",
        nr, t[1] - t[0], t[2] - t[1], t[3] - t[2], t[4] - t[3], t[5] - t[4],
        rdtsc() - t[6], rc ? " (failed)" : "");
}

FATAL(cost, spaces)
{
    static const uint64_t sizes[] = { 0, 1, 512, 16384, 262144 };
    uint64_t start, mapped, *page = page_alloc(0);

    list = page_alloc(9);
    REQUIRE(page != NULL && list != NULL);
    for (unsigned int i = 0; i < 512 * 512; i++)
        list[i] = mfn_x(p2m_lookup(kaddr_pfn(page)));
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        come_and_go(sizes[i]);
        come_and_go(sizes[i]);
    }
    start = rdtsc();
    EXPECT_EQ(space_map(&kernel_space, _vaddr(1ul << 30), (const mfn_t *)list,
                        262144, MAP_RW),
              0);
    mapped = rdtsc();
    EXPECT_EQ(space_unmap(&kernel_space, _vaddr(1ul << 30), 262144), 0);
    say("# cost: map 262144 pages into new tables: %lu a page; unmap: %lu\n",
        (mapped - start) / 262144, (rdtsc() - mapped) / 262144);
}

/* The page-table walk, with tables at their kernel addresses and by itself. */
static void walk_some(const char *how)
{
    static char what[80];
    struct walk w;
    uint64_t start;

    static const struct {
        const char *name;
        uintptr_t va;
    } places[] = {
        { "text", (uintptr_t)_text },
        { "P2M", 0 },
        { "nothing", BASE },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
        const vaddr_t va =
            _vaddr(places[i].va ? places[i].va : start_info()->mfn_list);

        start = rdtsc();
        for (unsigned int n = 0; n < 1000; n++)
            walk_address(va, &w);
        snprintf(what, sizeof(what), "walk_address, %s, %s", places[i].name,
                 how);
        report(what, rdtsc() - start, 1000);
    }
}

FATAL(cost, walking)
{
    pte_t pte;
    uint64_t start;

    walk_some("by windows");
    REQUIRE(selfmap_enable() == 0);
    walk_some("by the self-map");

    start = rdtsc();
    for (unsigned int n = 0; n < 1000; n++)
        (void)!selfmap_entry(ptr_to_vaddr(_text), 1, &pte);
    report("selfmap_entry, L1", rdtsc() - start, 1000);

    start = rdtsc();
    for (unsigned int n = 0; n < 1000; n++)
        (void)!probe_read(selfmap_ptr(ptr_to_vaddr(_text), 1), &pte.raw);
    report("one load by selfmap_ptr, L1", rdtsc() - start, 1000);

    start = rdtsc();
    EXPECT_EQ(selfmap_disable(), 0);
    report("selfmap_disable", rdtsc() - start, 1);
    start = rdtsc();
    EXPECT_EQ(selfmap_enable(), 0);
    report("selfmap_enable", rdtsc() - start, 1);
    EXPECT_EQ(selfmap_disable(), 0);
}

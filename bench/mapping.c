/* SPDX-License-Identifier: MIT */
/*
 * Mapping, unmapping and protecting by number of pages, and the way down the page
 * tables.
 *
 *     live    into L1 tables that others use as well, and that stay.  Up to 512
 *             lie in two halves of two tables.  A range of more would cover whole
 *             tables, and those come and go with it; so more are as many calls as
 *             there are tables, for all entries but one of each
 *     fresh   where there is no L1 table; there is an L2, but for the 1 GiB
 *
 * The frames are ours and mapped writable elsewhere, as all that comes from
 * page_alloc() is.  The floors are those of paths.c: of as many requests in one
 * hypercall, and of a table that is filled as plain memory and hooked; for one
 * page the cheapest there is.  Protecting keeps what the CPU has noted in an entry,
 * which update_va_mapping does not, so that is no floor of it.
 */
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/selfmap.h>
#include <plinth/space.h>
#include <plinth/start_info.h>
#include <plinth/trap.h>
#include <plinth/walk.h>

#include "bench.h"

#define GIB   262144u /* in pages */
#define TABLE (512 * PAGE_SIZE)

/* A page at KEEP keeps the L2 of all but the 1 GiB, and the L1 of LIVE. */
#define KEEP  0xffffd00000000000ul
#define LIVE  (KEEP + TABLE / 2)
#define FRESH (KEEP + 2 * TABLE)
#define WHOLE (KEEP + GIB * PAGE_SIZE)
#define LARGE (KEEP + 2 * GIB * PAGE_SIZE)

/*
 * From one new table to the next that is tried: another place of the cache of L1
 * tables (mm/l1.c), which it may share with the table that maps its own page.
 */
#define OTHER_SLOT (9 * TABLE)

/* Of each table at LARGE the last page keeps it. */
#define PIECE 511u

static mfn_t *frames; /* 4096 of them, and then one of them again and again */

struct floors {
    uint64_t map, unmap;
};

static void check_mapped(uintptr_t va, uint64_t nr, bool want, const char *what)
{
    const uintptr_t last = va + (nr - 1) * PAGE_SIZE;

    if (pte_present(space_query(&kernel_space, _vaddr(va))) != want ||
        pte_present(space_query(&kernel_space, _vaddr(last))) != want)
        bench_fail("%s of %lu pages did not happen", what, nr);
}

/* Each time @step further on. */
static void map_and_unmap(uint64_t nr, uintptr_t va, uint64_t step,
                          const char *where, struct floors floors)
{
    struct ticks map, unmap;
    uint64_t start;

    for (unsigned int i = 0; i < BENCH_TIMES; i++, va += step) {
        start = rdtsc();
        bench_check(space_map(&kernel_space, _vaddr(va), frames, nr, MAP_RW),
                    "map");
        ticks_note(&map, i, rdtsc() - start);
        check_mapped(va, nr, true, "map");

        start = rdtsc();
        bench_check(space_unmap(&kernel_space, _vaddr(va), nr), "unmap");
        ticks_note(&unmap, i, rdtsc() - start);
        check_mapped(va, nr, false, "unmap");
    }
    figure("insn/page", nr, map, floors.map, "map.%s.%lu", where, nr);
    figure("insn/page", nr, unmap, floors.unmap, "unmap.%s.%lu", where, nr);
}

static int in_pieces(uint64_t nr, bool map)
{
    uintptr_t va = LARGE;
    int rc = 0;

    for (uint64_t done = 0; done < nr; done += PIECE, va += TABLE) {
        const uint64_t n = MIN(nr - done, (uint64_t)PIECE);

        rc |=
            map ? space_map(&kernel_space, _vaddr(va), frames + done, n, MAP_RW)
                : space_unmap(&kernel_space, _vaddr(va), n);
    }
    return rc;
}

/* @times are fewer than BENCH_TIMES where they would take long. */
static void many_live(uint64_t nr, unsigned int times, struct floors floors)
{
    const uint64_t tables = (nr + PIECE - 1) / PIECE;
    struct ticks map, unmap;
    uint64_t start;
    int rc = 0;

    for (uint64_t i = 0; i < tables; i++)
        rc |= space_map(&kernel_space,
                        _vaddr(LARGE + i * TABLE + PIECE * PAGE_SIZE), frames,
                        1, MAP_R);
    bench_check(rc, "keep tables");
    for (unsigned int i = 0; i < times; i++) {
        start = rdtsc();
        bench_check(in_pieces(nr, true), "map");
        ticks_note(&map, i, rdtsc() - start);
        check_mapped(LARGE, PIECE, true, "map");

        start = rdtsc();
        bench_check(in_pieces(nr, false), "unmap");
        ticks_note(&unmap, i, rdtsc() - start);
        check_mapped(LARGE, PIECE, false, "unmap");
    }
    for (uint64_t i = 0; i < tables; i++)
        rc |= space_unmap(&kernel_space,
                          _vaddr(LARGE + i * TABLE + PIECE * PAGE_SIZE), 1);
    bench_check(rc, "let go of tables");
    figure("insn/page", nr, map, floors.map, "map.live.%lu", nr);
    figure("insn/page", nr, unmap, floors.unmap, "unmap.live.%lu", nr);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static struct floors live_floors(uint64_t nr)
{
    struct floors f = {
        .map = figure_of("bare.mmu_update.map_RW.%lu", nr),
        .unmap = figure_of("bare.mmu_update.unmap_RW.one_flush.%lu", nr),
    };

    if (nr == 1) {
        f.map = lesser(f.map,
                       figure_of("bare.update_va_mapping.map_RW.UVMF_NONE.1"));
        f.unmap = lesser(
            f.unmap, figure_of("bare.update_va_mapping.unmap.INVLPG_local.1"));
    }
    return f;
}

static struct floors fresh_floors(uint64_t nr)
{
    const uint64_t n = MIN(nr, 512ul);

    return (struct floors){
        .map = figure_of("bare.whole_table.RW.%lu", n),
        .unmap = figure_of("bare.whole_table.unhooked.writable_again.%lu", n),
    };
}

static void protect(uint64_t nr, uintptr_t va)
{
    static const struct {
        const char *name;
        uint64_t from, to;
    } ways[] = {
        { "RW_to_R", MAP_RW, MAP_R },
        { "R_to_RW", MAP_R, MAP_RW },
        { "R_to_RX", MAP_R, MAP_RX },
        { "nothing", MAP_RW, MAP_RW },
    };

    bench_check(space_map(&kernel_space, _vaddr(va), frames, nr, MAP_RW),
                "map to protect");
    for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
        struct ticks t;
        uint64_t floor = 0;
        int rc = 0;

        MEASURE_TICKS(
            t, rc |= space_protect(&kernel_space, _vaddr(va), nr, ways[i].from),
            rc |= space_protect(&kernel_space, _vaddr(va), nr, ways[i].to));
        bench_check(rc, "protect");
        if (i == 0)
            floor = figure_of("bare.PRESERVE_AD.RW_to_R.one_flush.%lu", nr);
        figure("insn/page", nr, t, floor, "protect.%s.%lu", ways[i].name, nr);
    }
    bench_check(space_unmap(&kernel_space, _vaddr(va), nr), "unmap");
}

void bench_mapping(void)
{
    static const uint64_t few[] = { 1, 8, 64, 512 };
    static const uint64_t fresh[] = { 1, 8, 64, 512, 4096 };
    uint64_t *block = page_alloc(12);

    frames = page_alloc(9);
    if (block == NULL || frames == NULL) {
        bench_fail("mapping: no memory");
        return;
    }
    for (unsigned int i = 0; i < GIB; i++)
        frames[i] = p2m_lookup(pfn_add(kaddr_pfn(block), MIN(i, 4095u)));

    bench_check(space_map(&kernel_space, _vaddr(KEEP), frames, 1, MAP_RW),
                "keep");
    bench_check(space_map(&kernel_space, _vaddr(KEEP + 2 * TABLE - PAGE_SIZE),
                          frames, 1, MAP_RW),
                "keep");
    for (unsigned int i = 0; i < ARRAY_SIZE(few); i++)
        map_and_unmap(few[i], LIVE, 0, "live", live_floors(few[i]));
    many_live(4096, BENCH_TIMES, live_floors(512));
    if (is_dom0()) /* or dom0 wakes up in the middle of what takes this long */
        many_live(GIB, 2, live_floors(512));
    for (unsigned int i = 0; i < ARRAY_SIZE(few); i++)
        protect(few[i], LIVE);
    for (unsigned int i = 0; i < ARRAY_SIZE(fresh); i++)
        map_and_unmap(fresh[i], FRESH, OTHER_SLOT, "fresh",
                      fresh_floors(fresh[i]));
    map_and_unmap(GIB, WHOLE, 0, "fresh", fresh_floors(GIB));

    bench_check(space_unmap(&kernel_space, _vaddr(KEEP), 1), "unmap");
    bench_check(
        space_unmap(&kernel_space, _vaddr(KEEP + 2 * TABLE - PAGE_SIZE), 1),
        "unmap");
    page_free(frames, 9);
    page_free(block, 12);
}

/*
 * The page-table walk, with tables at their kernel addresses and by itself.  Its
 * floor believes everything: tables are the builder's, and the M2P has their place.
 */
#define WALKS 1000u

static uint64_t bare_walk(uintptr_t va)
{
    const volatile uint64_t *m2p = (const uint64_t *)MACH2PHYS_VIRT_START;
    const volatile uint64_t *table = (const uint64_t *)start_info()->pt_base;
    uint64_t entry = 0;

    for (unsigned int level = PT_LEVELS; level > 0; level--) {
        entry = table[pt_index(_vaddr(va), level)];
        if (!pte_present((pte_t){ entry }) || level == 1)
            break;
        table = (const uint64_t *)linear_va(
            _pfn(m2p[mfn_x(pte_mfn((pte_t){ entry }))]));
    }
    return entry;
}

static void bare_walks(void)
{
    const uintptr_t va = (uintptr_t)_text;
    uint64_t seen = 0;
    struct ticks t;
    struct walk w;

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < WALKS; n++) seen |= bare_walk(va));
    if (!walk_address(_vaddr(va), &w) || seen != w.entry[1].raw)
        bench_fail("the bare walk leads elsewhere");
    figure("insn", WALKS, t, 0, "bare.walk.text");
}

static void walk_some(const char *how)
{
    static const struct {
        const char *name;
        uintptr_t va;
    } places[] = {
        { "text", (uintptr_t)_text },
        { "P2M", 0 },
        { "nothing", KEEP },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
        const vaddr_t va =
            _vaddr(places[i].va ? places[i].va : start_info()->mfn_list);
        struct walk w;
        struct ticks t;

        MEASURE_TICKS(
            t, , for (unsigned int n = 0; n < WALKS; n++) walk_address(va, &w));
        figure("insn", WALKS, t, i == 0 ? figure_of("bare.walk.text") : 0,
               "walk.%s.%s", how, places[i].name);
    }
}

void bench_walking(void)
{
    struct ticks entry, load, on, off;
    pte_t pte;
    int rc = 0;

    bare_walks();
    walk_some("windows");
    MEASURE_TICKS(on, rc |= t_ ? selfmap_disable() : 0, rc |= selfmap_enable());
    walk_some("selfmap");
    MEASURE_TICKS(entry, ,
                  for (unsigned int n = 0; n < WALKS; n++) rc |=
                  selfmap_entry(ptr_to_vaddr(_text), 1, &pte));
    MEASURE_TICKS(load, ,
                  for (unsigned int n = 0; n < WALKS; n++) rc |=
                  probe_read(selfmap_ptr(ptr_to_vaddr(_text), 1), &pte.raw));
    MEASURE_TICKS(off, rc |= t_ ? selfmap_enable() : 0,
                  rc |= selfmap_disable());
    bench_check(rc, "the self-map");
    figure("insn", WALKS, entry, 0, "selfmap.entry");
    figure("insn", WALKS, load, 0, "selfmap.load");
    figure("insn", 1, on, 0, "selfmap.enable");
    figure("insn", 1, off, 0, "selfmap.disable");
}

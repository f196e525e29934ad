/* SPDX-License-Identifier: MIT */
/*
 * What each way of changing page tables costs, by prepared hypercalls and none
 * of the kernel's own code: the floor under mm/.
 *
 * Instructions are not time: what a flush of the TLB costs afterwards, when the
 * CPU walks the tables again, is not in them.  tools/cost-paths.awk makes the
 * tables of docs/memory.md.
 */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/features.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/space.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/walk.h>

#include "../tests/bare.h"
#include "bench.h"

#define NR PT_ENTRIES

/* Two neighbours under one L2: the first keeps it alive, the second is ours. */
#define KEEP _vaddr(0xffffd10000000000ul)
#define BASE 0xffffd10000200000ul

static char *data; /* NR pages, mapped writable where they belong */
static mfn_t frames[NR];
static uint64_t *table;   /* the L1 table of BASE */
static maddr_t data_ptes; /* the entries that map data */
static maddr_t table_pte; /* the entry that maps table */
static maddr_t hook;      /* the L2 entry that leads to it */

static struct mmu_update reqs[NR] __noinit;
static struct mmuext_op ops[NR] __noinit;
static struct multicall_entry calls[NR] __noinit;
static pte_t values[NR]; /* what the entries are to become */

/*
 * Steps that are not measured.
 */
maddr_t pte_address(const void *p)
{
    struct walk w;

    BUG_ON(!walk_address(ptr_to_vaddr(p), &w));
    return walk_entry_maddr(&w, ptr_to_vaddr(p), 1);
}

static void request(unsigned int i, maddr_t at, unsigned int cmd,
                    uint64_t value)
{
    reqs[i].ptr = maddr_x(at) | cmd;
    reqs[i].val = value;
}

static void set_one(maddr_t at, uint64_t value)
{
    bench_check(set_at(at, value), "setting one entry");
}

static void send_updates(unsigned int n)
{
    bench_check(hypercall_mmu_update(reqs, n, NULL, DOMID_SELF), "updates");
}

static maddr_t entry(unsigned int i)
{
    return maddr_add(mfn_to_maddr(p2m_lookup(kaddr_pfn(table))),
                     i * sizeof(pte_t));
}

/* Entry @i maps page @i, or its neighbour, with @flags; or nothing. */
static uint64_t value_of(unsigned int i, unsigned int shift, uint64_t flags)
{
    return flags == 0 ? 0 : pte_make(frames[(i + shift) % NR], flags).raw;
}

static void set_all(uint64_t flags)
{
    for (unsigned int i = 0; i < NR; i++)
        request(i, entry(i), 0, value_of(i, 0, flags));
    send_updates(NR);
    bench_check(ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
}

/* The pages' own mappings: with one, they are of the writable type already. */
static void set_own(uint64_t flags)
{
    for (unsigned int i = 0; i < NR; i++)
        request(i, maddr_add(data_ptes, i * sizeof(pte_t)), 0,
                value_of(i, 0, flags));
    send_updates(NR);
    bench_check(ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
}

/*
 * Measuring.
 */
#define MEASURE(what, n, prepare, run)                                         \
    do {                                                                       \
        struct ticks all_;                                                     \
        MEASURE_TICKS(all_, prepare, run);                                     \
        figure("insn/entry", n, all_, 0, "bare.%s.%u", what, n);               \
    } while (0)

static const unsigned int sizes[] = { 1, 8, 64, 512 };

/*
 * Ways to change @n entries of a live L1 table to values[].
 */
static int by_requests(unsigned int n)
{
    return hypercall_mmu_update(reqs, n, NULL, DOMID_SELF);
}

/* With what must follow when the entries were present: one flush of all. */
static int by_requests_and_flush(unsigned int n)
{
    return by_requests(n) | ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0);
}

/* The same in one hypercall. */
static int by_multicall_with_flush(unsigned int n)
{
    ops[0].cmd = MMUEXT_TLB_FLUSH_LOCAL;
    calls[0].op = __HYPERVISOR_mmu_update;
    calls[0].args[0] = (uintptr_t)reqs;
    calls[0].args[1] = n;
    calls[1].op = __HYPERVISOR_mmuext_op;
    calls[1].args[0] = (uintptr_t)ops;
    calls[1].args[1] = 1;
    calls[0].args[2] = calls[1].args[2] = 0;
    calls[0].args[3] = calls[1].args[3] = DOMID_SELF;
    return hypercall_multicall(calls, 2) | (int)calls[0].result |
           (int)calls[1].result;
}

/* ... or each page by itself, all in one more hypercall. */
static int by_requests_and_invlpgs(unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        ops[i].cmd = MMUEXT_INVLPG_LOCAL;
        ops[i].arg1.linear_addr = BASE + i * PAGE_SIZE;
    }
    return by_requests(n) | hypercall_mmuext_op(ops, n, NULL, DOMID_SELF);
}

static int by_va(unsigned int n, unsigned long flags)
{
    int rc = 0;

    for (unsigned int i = 0; i < n; i++)
        rc |= hypercall_update_va_mapping(_vaddr(BASE + i * PAGE_SIZE),
                                          values[i], flags);
    return rc;
}

#define BY_VA(name, flags)                                                     \
    static int by_va_##name(unsigned int n)                                    \
    {                                                                          \
        return by_va(n, flags);                                                \
    }

static const unsigned long vcpu_0 = 1;

BY_VA(none, UVMF_NONE)
BY_VA(flush_local, UVMF_TLB_FLUSH | UVMF_LOCAL)
BY_VA(flush_multi, UVMF_TLB_FLUSH | (uintptr_t)&vcpu_0)
BY_VA(flush_all, UVMF_TLB_FLUSH | UVMF_ALL)
BY_VA(invlpg_local, UVMF_INVLPG | UVMF_LOCAL)
BY_VA(invlpg_multi, UVMF_INVLPG | (uintptr_t)&vcpu_0)
BY_VA(invlpg_all, UVMF_INVLPG | UVMF_ALL)

static int by_multicall_of_vas(unsigned int n)
{
    int rc;

    for (unsigned int i = 0; i < n; i++) {
        calls[i].op = __HYPERVISOR_update_va_mapping;
        calls[i].args[0] = BASE + i * PAGE_SIZE;
        calls[i].args[1] = values[i].raw;
        calls[i].args[2] = UVMF_NONE;
    }
    rc = hypercall_multicall(calls, n);
    for (unsigned int i = 0; i < n; i++)
        rc |= (int)calls[i].result;
    return rc;
}

/* Plain stores, each of which Xen emulates. */
static int by_stores(unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        ((volatile uint64_t *)table)[i] = values[i].raw;
    return 0;
}

/*
 * A path: from what, to what, by which of the ways.  Mappings of page i in entry
 * i; a shift of 1 maps its neighbour.
 */
#define RO  LEAF_RO
#define RW  LEAF_RW
#define RWX (LEAF_RW & ~PTE_NX)

static const struct path {
    const char *what;
    int (*way)(unsigned int n);
    uint64_t from, to;
    unsigned int shift;
    unsigned int cmd; /* of each request */
    bool cold;        /* nothing else maps the page */
    bool one;         /* not worth a batch */
} paths[] = {
    // clang-format off
    { .what = "mmu_update.map_RW", .way = by_requests, .to = RW },
    { .what = "mmu_update.map_RW.not_mapped_before", .way = by_requests, .to = RW, .cold = true },
    { .what = "mmu_update.map_R", .way = by_requests, .to = RO },
    { .what = "mmu_update.unmap_RW.no_flush", .way = by_requests, .from = RW },
    { .what = "mmu_update.unmap_RW.one_flush", .way = by_requests_and_flush, .from = RW },
    { .what = "mmu_update.unmap_RW.flush.multicall", .way = by_multicall_with_flush, .from = RW },
    { .what = "mmu_update.unmap_RW.INVLPG_each", .way = by_requests_and_invlpgs, .from = RW },
    { .what = "mmu_update.unmap_R.no_flush", .way = by_requests, .from = RO },
    { .what = "mmu_update.RW_to_R", .way = by_requests, .from = RW, .to = RO },
    { .what = "mmu_update.NX_alone", .way = by_requests, .from = RWX, .to = RW },
    { .what = "mmu_update.another_frame", .way = by_requests, .from = RW, .to = RW, .shift = 1 },
    { .what = "PRESERVE_AD.RW_to_R", .way = by_requests, .from = RW, .to = RO, .cmd = MMU_PT_UPDATE_PRESERVE_AD },
    { .what = "PRESERVE_AD.RW_to_R.one_flush", .way = by_requests_and_flush, .from = RW, .to = RO, .cmd = MMU_PT_UPDATE_PRESERVE_AD },
    { .what = "PRESERVE_AD.NX_alone", .way = by_requests, .from = RWX, .to = RW, .cmd = MMU_PT_UPDATE_PRESERVE_AD },
    { .what = "update_va_mapping.map_RW.UVMF_NONE", .way = by_va_none, .to = RW, .one = true },
    { .what = "update_va_mapping.unmap.UVMF_NONE", .way = by_va_none, .from = RW, .one = true },
    { .what = "update_va_mapping.unmap.INVLPG_local", .way = by_va_invlpg_local, .from = RW, .one = true },
    { .what = "update_va_mapping.RW_to_R.INVLPG_local", .way = by_va_invlpg_local, .from = RW, .to = RO, .one = true },
    { .what = "update_va_mapping.unmap.INVLPG_multi", .way = by_va_invlpg_multi, .from = RW, .one = true },
    { .what = "update_va_mapping.unmap.INVLPG_all", .way = by_va_invlpg_all, .from = RW, .one = true },
    { .what = "update_va_mapping.unmap.TLB_FLUSH_local", .way = by_va_flush_local, .from = RW, .one = true },
    { .what = "update_va_mapping.unmap.TLB_FLUSH_multi", .way = by_va_flush_multi, .from = RW, .one = true },
    { .what = "update_va_mapping.unmap.TLB_FLUSH_all", .way = by_va_flush_all, .from = RW, .one = true },
    { .what = "multicall_of_update_va_mapping.map_RW", .way = by_multicall_of_vas, .to = RW },
    { .what = "emulated_store.map_RW", .way = by_stores, .to = RW },
    { .what = "emulated_store.unmap_RW", .way = by_stores, .from = RW },
    // clang-format on
};

static void prepare_path(const struct path *p, unsigned int n)
{
    set_all(p->from);
    for (unsigned int i = 0; i < n; i++) {
        values[i].raw = value_of(i, p->shift, p->to);
        request(i, entry(i), p->cmd, values[i].raw);
    }
}

/* Did what was measured happen? */
static void check_path(const struct path *p, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        if (!pte_same((pte_t){ table[i] }, values[i]))
            bench_fail("%s: entry %u of %u is %#lx", p->what, i, n, table[i]);
}

static void measure_path(const struct path *p)
{
    int rc = 0;

    if (p->cold)
        set_own(0);
    for (unsigned int i = 0; i < (p->one ? 1 : ARRAY_SIZE(sizes)); i++) {
        MEASURE(p->what, sizes[i], prepare_path(p, sizes[i]),
                rc |= p->way(sizes[i]));
        bench_check(rc, p->what);
        check_path(p, sizes[i]);
    }
    set_all(0);
    if (p->cold)
        set_own(PTE_DATA);
}

static void measure_entries(void)
{
    bench_check(
        hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables),
        "the assist");
    for (unsigned int i = 0; i < ARRAY_SIZE(paths); i++)
        measure_path(&paths[i]);
    bench_check(hypercall_vm_assist(VMASST_CMD_disable,
                                    VMASST_TYPE_writable_pagetables),
                "the assist");
}

/* Requests that touch no page table. */
static void measure_other_requests(void)
{
    int rc = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        const unsigned int n = sizes[i];

        for (unsigned int j = 0; j < n; j++)
            request(j, mfn_to_maddr(frames[j]), MMU_MACHPHYS_UPDATE,
                    pfn_x(kaddr_pfn(data)) + j);
        MEASURE("MACHPHYS", n, , rc |= by_requests(n));
        for (unsigned int j = 0; j < n; j++)
            request(j, maddr_add(mfn_to_maddr(frames[0]), j * 8), 0, j);
        MEASURE("mmu_update_of_plain_memory", n, , rc |= by_requests(n));
    }
    bench_check(rc, "other requests");
    MEASURE("hypercall_that_does_nothing", 1, ,
            rc = hypercall_mmu_update(reqs, 0, NULL, DOMID_SELF));
    MEASURE("store_to_plain_memory", 1, , ((volatile uint64_t *)data)[0] = 1);
}

/*
 * A table that is filled as plain memory and then checked as a whole.
 */
static void unhook(void)
{
    set_one(hook, 0);
    set_one(table_pte, pte_make(p2m_lookup(kaddr_pfn(table)), PTE_DATA).raw);
    bench_check(ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
}

static void rehook(void)
{
    const mfn_t mfn = p2m_lookup(kaddr_pfn(table));

    set_one(table_pte, pte_make(mfn, PTE_DATA_RO).raw);
    set_one(hook, pte_make(mfn, UPPER).raw);
}

static void fill(unsigned int n, uint64_t flags)
{
    for (unsigned int i = 0; i < NR; i++)
        table[i] = i < n ? value_of(i, 0, flags) : 0;
}

/* Read-only and hooked, in one go. */
static void request_hook(void)
{
    const mfn_t mfn = p2m_lookup(kaddr_pfn(table));

    request(0, table_pte, 0, pte_make(mfn, PTE_DATA_RO).raw);
    request(1, hook, 0, pte_make(mfn, UPPER).raw);
}

static void measure_whole(const char *what, uint64_t flags)
{
    int rc = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        unhook();
        MEASURE(
            what, sizes[i],
            {
                if (t_ > 0)
                    unhook();
                request_hook();
            },
            {
                fill(sizes[i], flags);
                rc |= by_requests(2);
            });
    }
    bench_check(rc, what);
    set_all(0);
}

static void prepare_unhook(unsigned int n)
{
    unhook();
    fill(n, RW);
    rehook();
    request(0, hook, 0, 0);
    request(1, table_pte, 0,
            pte_make(p2m_lookup(kaddr_pfn(table)), PTE_DATA).raw);
}

static void measure_unhook(void)
{
    int rc = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        MEASURE("whole_table.unhooked", sizes[i], prepare_unhook(sizes[i]),
                rc |= by_requests(1));
        MEASURE("whole_table.unhooked.writable_again", sizes[i],
                prepare_unhook(sizes[i]), rc |= by_requests(2));
        rehook();
    }
    bench_check(rc, "unhooking");
    set_all(0);
}

/*
 * Frames that no table has ever mapped: those at the end of memory, while the
 * physmap has not got there.  It can be done once.
 */
static void measure_new_frames(void)
{
    const uint64_t end = start_info()->nr_pages;
    struct ticks t;
    uint64_t start;
    int rc = 0;

    if (kaddr_lookup(_pfn(end - NR)) != NULL) {
        bench_fail("paths: all memory is mapped");
        return;
    }
    unhook();
    request_hook();
    for (unsigned int i = 0; i < NR; i++)
        values[i] = pte_make(p2m_lookup(_pfn(end - NR + i)), RW);
    start = rdtsc();
    memcpy(table, values, PAGE_SIZE);
    rc |= by_requests(2);
    ticks_note(&t, 0, rdtsc() - start);
    bench_check(rc, "new frames");
    figure("insn/entry", NR, t, 0, "bare.whole_table.RW.new_frames.%u", NR);
    set_all(0);
}

static void measure_tables(void)
{
    measure_whole("whole_table.RW", RW);
    measure_whole("whole_table.R", RO);
    set_own(0);
    measure_whole("whole_table.RW.not_mapped_before", RW);
    set_own(PTE_DATA);
    measure_unhook();
    measure_new_frames();
}

/*
 * Pins, base pointers, flushes, whole pages, descriptors.
 */
static void measure_op(const char *what, unsigned int cmd, mfn_t mfn)
{
    int rc = 0;

    MEASURE(what, 1, , rc |= ext_frame(cmd, mfn));
    bench_check(rc, what);
}

/* A page of @data becomes read-only, and back. */
static void set_page(unsigned int i, uint64_t flags)
{
    set_one(maddr_add(data_ptes, i * sizeof(pte_t)),
            pte_make(frames[i], flags).raw);
    bench_check(ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
}

static void measure_pin(const char *pinned, const char *unpinned,
                        unsigned int level)
{
    const mfn_t mfn = frames[level];
    int rc = 0;

    set_page(level, PTE_DATA_RO);
    MEASURE(
        pinned, 1,
        {
            if (t_ > 0)
                rc |= ext_frame(MMUEXT_UNPIN_TABLE, mfn);
        },
        rc |= ext_frame(pin_op(level), mfn));
    MEASURE(
        unpinned, 1,
        {
            if (t_ > 0)
                rc |= ext_frame(pin_op(level), mfn);
        },
        rc |= ext_frame(MMUEXT_UNPIN_TABLE, mfn));
    bench_check(rc, pinned);
    set_page(level, PTE_DATA);
}

/* The page of @level, filled with @n entries of page 0 or the level below. */
static void fill_page(unsigned int level, unsigned int n, uint64_t value)
{
    uint64_t *page = (uint64_t *)(data + level * PAGE_SIZE);

    for (unsigned int i = 0; i < NR; i++)
        page[i] = i < n ? value : 0;
}

static void copy_l4(unsigned int i)
{
    uint64_t *page = (uint64_t *)(data + i * PAGE_SIZE);

    for (unsigned int j = 0; j < NR; j++)
        page[j] = j < L4_XEN_FIRST || j > L4_XEN_LAST ? live_l4()[j] : 0;
}

static void measure_pins(void)
{
    fill_page(1, 0, 0);
    measure_pin("pin_L1.empty", "unpin_L1.empty", 1);
    fill_page(1, NR, pte_make(frames[9], RW).raw);
    measure_pin("pin_L1.512_pages_RW", "unpin_L1.512_pages_RW", 1);
    fill_page(2, 0, 0);
    measure_pin("pin_L2.empty", "unpin_L2.empty", 2);
    fill_page(3, 0, 0);
    measure_pin("pin_L3.empty", "unpin_L3.empty", 3);
    copy_l4(4);
    measure_pin("pin_L4.copy_of_the_live_one", "unpin_L4.copy", 4);

    /* All four levels at once: pages 1 to 4, an L1 full of pages. */
    fill_page(2, 1, pte_make(frames[1], UPPER).raw);
    fill_page(3, 1, pte_make(frames[2], UPPER).raw);
    fill_page(4, 1, pte_make(frames[3], UPPER).raw);
    for (unsigned int i = 1; i < 4; i++)
        set_page(i, PTE_DATA_RO);
    measure_pin("pin_L4_with_L3.L2.full_L1", "unpin_L4_with_all", 4);
    for (unsigned int i = 1; i < 4; i++)
        set_page(i, PTE_DATA);
}

static void measure_base_pointers(void)
{
    const mfn_t live = p2m_lookup(kaddr_pfn(live_l4()));
    int rc = 0;

    copy_l4(4);
    set_page(4, PTE_DATA_RO);
    bench_check(ext_frame(MMUEXT_PIN_L4_TABLE, frames[4]), "pin");
    MEASURE("NEW_BASEPTR.pinned_L4", 1,
            rc |= ext_frame(MMUEXT_NEW_BASEPTR, live),
            rc |= ext_frame(MMUEXT_NEW_BASEPTR, frames[4]));
    measure_op("NEW_BASEPTR.the_same_again", MMUEXT_NEW_BASEPTR, frames[4]);
    bench_check(ext_frame(MMUEXT_NEW_BASEPTR, live), "the live L4");
    MEASURE("NEW_USER_BASEPTR.pinned_L4", 1,
            rc |= ext_frame(MMUEXT_NEW_USER_BASEPTR, _mfn(0)),
            rc |= ext_frame(MMUEXT_NEW_USER_BASEPTR, frames[4]));
    bench_check(ext_frame(MMUEXT_NEW_USER_BASEPTR, _mfn(0)), "no user L4");
    bench_check(ext_frame(MMUEXT_UNPIN_TABLE, frames[4]), "unpin");
    bench_check(rc, "base pointers");

    MEASURE("NEW_BASEPTR.L4_that_is_not_pinned", 1,
            rc |= ext_frame(MMUEXT_NEW_BASEPTR, live),
            rc |= ext_frame(MMUEXT_NEW_BASEPTR, frames[4]));
    bench_check(ext_frame(MMUEXT_NEW_BASEPTR, live), "the live L4");
    set_page(4, PTE_DATA);
}

/* Entries of a table that is one already: no look at it, and one flush. */
static void measure_upper(void)
{
    const mfn_t mfn = p2m_lookup(kaddr_pfn(table));
    int rc = 0;

    for (unsigned int i = 0; i < NR; i++)
        request(i, hook, 0, pte_make(mfn, i % 2 ? UPPER : UPPER | PTE_NX).raw);
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
        MEASURE("mmu_update.NX_of_an_L2_entry", sizes[i],
                set_one(hook, pte_make(mfn, UPPER).raw),
                rc |= by_requests(sizes[i]));
    set_one(hook, pte_make(mfn, UPPER).raw);
    bench_check(rc, "upper entries");
}

static void measure_flushes(void)
{
    static const struct {
        const char *what;
        unsigned int cmd;
    } flushes[] = {
        { "TLB_FLUSH_LOCAL", MMUEXT_TLB_FLUSH_LOCAL },
        { "TLB_FLUSH_MULTI", MMUEXT_TLB_FLUSH_MULTI },
        { "TLB_FLUSH_ALL", MMUEXT_TLB_FLUSH_ALL },
        { "INVLPG_LOCAL", MMUEXT_INVLPG_LOCAL },
        { "INVLPG_MULTI", MMUEXT_INVLPG_MULTI },
        { "INVLPG_ALL", MMUEXT_INVLPG_ALL },
        { "FLUSH_CACHE", MMUEXT_FLUSH_CACHE },
        { "CLEAR_PAGE", MMUEXT_CLEAR_PAGE },
        { "COPY_PAGE", MMUEXT_COPY_PAGE },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(flushes); i++) {
        const unsigned int cmd = flushes[i].cmd;
        const bool frame = cmd == MMUEXT_CLEAR_PAGE || cmd == MMUEXT_COPY_PAGE;
        int rc = 0;

        if (cmd == MMUEXT_FLUSH_CACHE && !is_dom0())
            continue; /* not ours to ask for */
        for (unsigned int j = 0; j < ARRAY_SIZE(sizes) - 1; j++) {
            for (unsigned int k = 0; k < sizes[j]; k++) {
                ops[k].cmd = cmd;
                ops[k].arg1.linear_addr =
                    frame ? mfn_x(frames[k]) : BASE + k * PAGE_SIZE;
                if (cmd == MMUEXT_COPY_PAGE)
                    ops[k].arg2.src_mfn = mfn_x(frames[k + 64]);
                else
                    set_xen_guest_handle(ops[k].arg2.vcpumask,
                                         (const void *)&vcpu_0);
            }
            MEASURE(flushes[i].what, sizes[j], ,
                    rc |= hypercall_mmuext_op(ops, sizes[j], NULL, DOMID_SELF));
        }
        bench_check(rc, flushes[i].what);
    }
}

/* What one would do without Xen's help, with a page mapped or not. */
static void measure_own_clearing(void)
{
    const vaddr_t va = _vaddr(BASE);
    int rc = 0;

    MEASURE("memset_of_a_mapped_page", 1, , memset(data, 0, PAGE_SIZE));
    MEASURE("memcpy_of_a_mapped_page", 1, ,
            memcpy(data, data + PAGE_SIZE, PAGE_SIZE));
    MEASURE("map.memset.unmap", 1, , {
        rc |=
            hypercall_update_va_mapping(va, pte_make(frames[0], RW), UVMF_NONE);
        memset(vaddr_to_ptr(va), 0, PAGE_SIZE);
        rc |= hypercall_update_va_mapping(va, (pte_t){ 0 }, UVMF_INVLPG);
    });
    bench_check(rc, "clearing");
}

static void measure_descriptors(void)
{
    const uint64_t data_segment = 0x00cf93000000ffffull | 3ull << 45;
    uint64_t *page = (uint64_t *)(data + PAGE_SIZE);
    const uint64_t frame = mfn_x(frames[1]);
    const maddr_t at = maddr_add(mfn_to_maddr(frames[1]), 8);
    struct mmuext_op ldt = {
        .cmd = MMUEXT_SET_LDT,
        .arg1.linear_addr = (uintptr_t)page,
        .arg2.nr_ents = 512,
    };
    const struct mmuext_op none = { .cmd = MMUEXT_SET_LDT };
    int rc = 0;

    memset(page, 0, PAGE_SIZE);
    page[1] = data_segment;
    MEASURE("update_descriptor.plain_page", 1, ,
            rc |= hypercall_update_descriptor(at, data_segment));
    set_page(1, PTE_DATA_RO);
    MEASURE("set_gdt.one_page", 1, rc |= hypercall_set_gdt(NULL, 0),
            rc |= hypercall_set_gdt(&frame, 512));
    MEASURE("update_descriptor.GDT_in_use", 1, ,
            rc |= hypercall_update_descriptor(at, data_segment));
    bench_check(hypercall_set_gdt(NULL, 0), "no GDT");

    MEASURE("SET_LDT", 1, rc |= hypercall_mmuext_op(&none, 1, NULL, DOMID_SELF),
            rc |= hypercall_mmuext_op(&ldt, 1, NULL, DOMID_SELF));
    set_page(1, PTE_DATA); /* so that it is looked at once more */
    set_page(1, PTE_DATA_RO);
    MEASURE(
        "first_use_of_an_LDT_page", 1,
        {
            rc |= hypercall_mmuext_op(&none, 1, NULL, DOMID_SELF);
            rc |= hypercall_mmuext_op(&ldt, 1, NULL, DOMID_SELF);
        },
        asm volatile("mov %0, %%es" ::"r"(1 << 3 | 4 | 3)));
    MEASURE("use_of_an_LDT_page", 1, ,
            asm volatile("mov %0, %%es" ::"r"(1 << 3 | 4 | 3)));
    asm volatile("mov %0, %%es" ::"r"(0));
    bench_check(hypercall_mmuext_op(&none, 1, NULL, DOMID_SELF), "no LDT");
    bench_check(rc, "descriptors");
    set_page(1, PTE_DATA);
}

void bench_paths(void)
{
    struct walk w;

    data = page_alloc(9);
    table = page_alloc_zeroed(0);
    if (data == NULL || table == NULL) {
        bench_fail("paths: no memory");
        return;
    }
    for (unsigned int i = 0; i < NR; i++)
        frames[i] = p2m_lookup(pfn_add(kaddr_pfn(data), i));
    data_ptes = pte_address(data);
    table_pte = pte_address(table);
    bench_check(space_map(&kernel_space, KEEP, frames, 1, MAP_R), "paths");
    walk_address(KEEP, &w);
    hook = walk_entry_maddr(&w, _vaddr(BASE), 2);
    rehook();

    measure_entries();
    measure_other_requests();
    measure_tables();
    measure_pins();
    measure_base_pointers();
    measure_upper();
    measure_flushes();
    measure_own_clearing();
    measure_descriptors();

    unhook();
    bench_check(space_unmap(&kernel_space, KEEP, 1), "paths: unmap");
    page_free(table, 0);
    page_free(data, 9);
}

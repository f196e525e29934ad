/* SPDX-License-Identifier: MIT */
/*
 * What each way of changing page tables costs, by prepared hypercalls and none
 * of the kernel's own code: the floor under mm/.
 *
 * TSC ticks per entry, which under the lab's instruction-counting clock
 * (lab/run --icount) are instructions of guest and hypervisor.  Instructions
 * are not time: what a flush of the TLB costs afterwards, when the CPU walks the
 * tables again, is not in them.
 *
 * Each line is: path, number of entries, ticks for each the first time, and the
 * least of five times.  tools/cost-paths.awk makes the table of docs/memory.md.
 */
#include <arch/cpu.h>
#include <plinth/bug.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/walk.h>

#include "abi.h"

#define NR    PT_ENTRIES
#define TIMES 5u

/* Two neighbours under one L2: the first keeps it alive, the second is ours. */
#define KEEP _vaddr(0xffffa00000000000ul)
#define BASE 0xffffa00000200000ul

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

static struct test_run *run; /* whose failures are counted */

static void expect_ok(int rc, const char *what)
{
    if (rc != 0)
        test_fail(run, __FILE__, __LINE__, "%s: %s", what, errno_name(rc));
}

/*
 * Steps that are not measured.
 */
static maddr_t pte_address(const void *p)
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
    expect_ok(set_at(at, value), "setting one entry");
}

static void send_updates(unsigned int n)
{
    expect_ok(hypercall_mmu_update(reqs, n, NULL, DOMID_SELF), "updates");
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
    expect_ok(ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
}

/* The pages' own mappings: with one, they are of the writable type already. */
static void set_own(uint64_t flags)
{
    for (unsigned int i = 0; i < NR; i++)
        request(i, maddr_add(data_ptes, i * sizeof(pte_t)), 0,
                value_of(i, 0, flags));
    send_updates(NR);
    expect_ok(ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
}

/*
 * Measuring.
 */
static uint64_t first, least;

static void report(const char *what, unsigned int n)
{
    say("# cost: %s | %u | %lu | %lu\n", what, n, first / n, least / n);
}

#define MEASURE(what, n, prepare, run)                                         \
    do {                                                                       \
        least = ~0ul;                                                          \
        for (unsigned int t_ = 0; t_ < TIMES; t_++) {                          \
            uint64_t ticks_;                                                   \
            prepare;                                                           \
            ticks_ = rdtsc();                                                  \
            run;                                                               \
            ticks_ = rdtsc() - ticks_;                                         \
            first = t_ == 0 ? ticks_ : first;                                  \
            least = MIN(least, ticks_);                                        \
        }                                                                      \
        report(what, n);                                                       \
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
    { .what = "mmu_update, map RW", .way = by_requests, .to = RW },
    { .what = "mmu_update, map RW, not mapped before", .way = by_requests, .to = RW, .cold = true },
    { .what = "mmu_update, map R", .way = by_requests, .to = RO },
    { .what = "mmu_update, unmap RW, no flush", .way = by_requests, .from = RW },
    { .what = "mmu_update, unmap RW, one flush", .way = by_requests_and_flush, .from = RW },
    { .what = "mmu_update, unmap RW, flush, multicall", .way = by_multicall_with_flush, .from = RW },
    { .what = "mmu_update, unmap RW, INVLPG each", .way = by_requests_and_invlpgs, .from = RW },
    { .what = "mmu_update, unmap R, no flush", .way = by_requests, .from = RO },
    { .what = "mmu_update, RW to R", .way = by_requests, .from = RW, .to = RO },
    { .what = "mmu_update, NX alone", .way = by_requests, .from = RWX, .to = RW },
    { .what = "mmu_update, another frame", .way = by_requests, .from = RW, .to = RW, .shift = 1 },
    { .what = "PRESERVE_AD, RW to R", .way = by_requests, .from = RW, .to = RO, .cmd = MMU_PT_UPDATE_PRESERVE_AD },
    { .what = "PRESERVE_AD, NX alone", .way = by_requests, .from = RWX, .to = RW, .cmd = MMU_PT_UPDATE_PRESERVE_AD },
    { .what = "update_va_mapping, map RW, UVMF_NONE", .way = by_va_none, .to = RW, .one = true },
    { .what = "update_va_mapping, unmap, UVMF_NONE", .way = by_va_none, .from = RW, .one = true },
    { .what = "update_va_mapping, unmap, INVLPG local", .way = by_va_invlpg_local, .from = RW, .one = true },
    { .what = "update_va_mapping, unmap, INVLPG multi", .way = by_va_invlpg_multi, .from = RW, .one = true },
    { .what = "update_va_mapping, unmap, INVLPG all", .way = by_va_invlpg_all, .from = RW, .one = true },
    { .what = "update_va_mapping, unmap, TLB_FLUSH local", .way = by_va_flush_local, .from = RW, .one = true },
    { .what = "update_va_mapping, unmap, TLB_FLUSH multi", .way = by_va_flush_multi, .from = RW, .one = true },
    { .what = "update_va_mapping, unmap, TLB_FLUSH all", .way = by_va_flush_all, .from = RW, .one = true },
    { .what = "multicall of update_va_mapping, map RW", .way = by_multicall_of_vas, .to = RW },
    { .what = "emulated store, map RW", .way = by_stores, .to = RW },
    { .what = "emulated store, unmap RW", .way = by_stores, .from = RW },
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
            test_fail(run, __FILE__, __LINE__, "%s: entry %u of %u is %#lx",
                      p->what, i, n, table[i]);
}

static void measure_path(const struct path *p)
{
    int rc = 0;

    if (p->cold)
        set_own(0);
    for (unsigned int i = 0; i < (p->one ? 1 : ARRAY_SIZE(sizes)); i++) {
        MEASURE(p->what, sizes[i], prepare_path(p, sizes[i]),
                rc |= p->way(sizes[i]));
        expect_ok(rc, p->what);
        check_path(p, sizes[i]);
    }
    set_all(0);
    if (p->cold)
        set_own(PTE_DATA);
}

static void measure_entries(void)
{
    expect_ok(
        hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables),
        "the assist");
    for (unsigned int i = 0; i < ARRAY_SIZE(paths); i++)
        measure_path(&paths[i]);
    expect_ok(hypercall_vm_assist(VMASST_CMD_disable,
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
        MEASURE("mmu_update of plain memory", n, , rc |= by_requests(n));
    }
    expect_ok(rc, "other requests");
    MEASURE("hypercall that does nothing", 1, ,
            rc = hypercall_mmu_update(reqs, 0, NULL, DOMID_SELF));
    MEASURE("store to plain memory", 1, , ((volatile uint64_t *)data)[0] = 1);
}

/*
 * A table that is filled as plain memory and then checked as a whole.
 */
static void unhook(void)
{
    set_one(hook, 0);
    set_one(table_pte, pte_make(p2m_lookup(kaddr_pfn(table)), PTE_DATA).raw);
    expect_ok(ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
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
    expect_ok(rc, what);
    set_all(0);
}

static void measure_unhook(void)
{
    int rc = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        MEASURE(
            "whole table, unhooked", sizes[i],
            {
                unhook();
                fill(sizes[i], RW);
                rehook();
                request(0, hook, 0, 0);
            },
            rc |= by_requests(1));
        rehook();
    }
    expect_ok(rc, "unhooking");
    set_all(0);
}

static void measure_tables(void)
{
    measure_whole("whole table, RW", RW);
    measure_whole("whole table, R", RO);
    set_own(0);
    measure_whole("whole table, RW, not mapped before", RW);
    set_own(PTE_DATA);
    measure_unhook();
}

/*
 * Pins, base pointers, flushes, whole pages, descriptors.
 */
static void measure_op(const char *what, unsigned int cmd, mfn_t mfn)
{
    int rc = 0;

    MEASURE(what, 1, , rc |= ext_frame(cmd, mfn));
    expect_ok(rc, what);
}

/* A page of @data becomes read-only, and back. */
static void set_page(unsigned int i, uint64_t flags)
{
    set_one(maddr_add(data_ptes, i * sizeof(pte_t)),
            pte_make(frames[i], flags).raw);
    expect_ok(ext_va(MMUEXT_TLB_FLUSH_LOCAL, 0), "flush");
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
    expect_ok(rc, pinned);
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
    measure_pin("pin L1, empty", "unpin L1, empty", 1);
    fill_page(1, NR, pte_make(frames[9], RW).raw);
    measure_pin("pin L1, 512 pages RW", "unpin L1, 512 pages RW", 1);
    fill_page(2, 0, 0);
    measure_pin("pin L2, empty", "unpin L2, empty", 2);
    fill_page(3, 0, 0);
    measure_pin("pin L3, empty", "unpin L3, empty", 3);
    copy_l4(4);
    measure_pin("pin L4, copy of the live one", "unpin L4, copy", 4);

    /* All four levels at once: pages 1 to 4, an L1 full of pages. */
    fill_page(2, 1, pte_make(frames[1], UPPER).raw);
    fill_page(3, 1, pte_make(frames[2], UPPER).raw);
    fill_page(4, 1, pte_make(frames[3], UPPER).raw);
    for (unsigned int i = 1; i < 4; i++)
        set_page(i, PTE_DATA_RO);
    measure_pin("pin L4 with L3, L2, full L1", "unpin L4 with all", 4);
    for (unsigned int i = 1; i < 4; i++)
        set_page(i, PTE_DATA);
}

static void measure_base_pointers(void)
{
    const mfn_t live = p2m_lookup(kaddr_pfn(live_l4()));
    int rc = 0;

    copy_l4(4);
    set_page(4, PTE_DATA_RO);
    expect_ok(ext_frame(MMUEXT_PIN_L4_TABLE, frames[4]), "pin");
    MEASURE("NEW_BASEPTR, pinned L4", 1,
            rc |= ext_frame(MMUEXT_NEW_BASEPTR, live),
            rc |= ext_frame(MMUEXT_NEW_BASEPTR, frames[4]));
    measure_op("NEW_BASEPTR, the same again", MMUEXT_NEW_BASEPTR, frames[4]);
    expect_ok(ext_frame(MMUEXT_NEW_BASEPTR, live), "the live L4");
    MEASURE("NEW_USER_BASEPTR, pinned L4", 1,
            rc |= ext_frame(MMUEXT_NEW_USER_BASEPTR, _mfn(0)),
            rc |= ext_frame(MMUEXT_NEW_USER_BASEPTR, frames[4]));
    expect_ok(ext_frame(MMUEXT_NEW_USER_BASEPTR, _mfn(0)), "no user L4");
    expect_ok(ext_frame(MMUEXT_UNPIN_TABLE, frames[4]), "unpin");
    expect_ok(rc, "base pointers");

    MEASURE("NEW_BASEPTR, L4 that is not pinned", 1,
            rc |= ext_frame(MMUEXT_NEW_BASEPTR, live),
            rc |= ext_frame(MMUEXT_NEW_BASEPTR, frames[4]));
    expect_ok(ext_frame(MMUEXT_NEW_BASEPTR, live), "the live L4");
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
        MEASURE("mmu_update, NX of an L2 entry", sizes[i],
                set_one(hook, pte_make(mfn, UPPER).raw),
                rc |= by_requests(sizes[i]));
    set_one(hook, pte_make(mfn, UPPER).raw);
    expect_ok(rc, "upper entries");
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
        expect_ok(rc, flushes[i].what);
    }
}

/* What one would do without Xen's help, with a page mapped or not. */
static void measure_own_clearing(void)
{
    const vaddr_t va = _vaddr(BASE);
    int rc = 0;

    MEASURE("memset of a mapped page", 1, , memset(data, 0, PAGE_SIZE));
    MEASURE("memcpy of a mapped page", 1, ,
            memcpy(data, data + PAGE_SIZE, PAGE_SIZE));
    MEASURE("map, memset, unmap", 1, , {
        rc |=
            hypercall_update_va_mapping(va, pte_make(frames[0], RW), UVMF_NONE);
        memset(vaddr_to_ptr(va), 0, PAGE_SIZE);
        rc |= hypercall_update_va_mapping(va, (pte_t){ 0 }, UVMF_INVLPG);
    });
    expect_ok(rc, "clearing");
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
    MEASURE("update_descriptor, plain page", 1, ,
            rc |= hypercall_update_descriptor(at, data_segment));
    set_page(1, PTE_DATA_RO);
    MEASURE("set_gdt, one page", 1, rc |= hypercall_set_gdt(NULL, 0),
            rc |= hypercall_set_gdt(&frame, 512));
    MEASURE("update_descriptor, GDT in use", 1, ,
            rc |= hypercall_update_descriptor(at, data_segment));
    expect_ok(hypercall_set_gdt(NULL, 0), "no GDT");

    MEASURE("SET_LDT", 1, rc |= hypercall_mmuext_op(&none, 1, NULL, DOMID_SELF),
            rc |= hypercall_mmuext_op(&ldt, 1, NULL, DOMID_SELF));
    set_page(1, PTE_DATA); /* so that it is looked at once more */
    set_page(1, PTE_DATA_RO);
    MEASURE(
        "first use of an LDT page", 1,
        {
            rc |= hypercall_mmuext_op(&none, 1, NULL, DOMID_SELF);
            rc |= hypercall_mmuext_op(&ldt, 1, NULL, DOMID_SELF);
        },
        asm volatile("mov %0, %%es" ::"r"(1 << 3 | 4 | 3)));
    MEASURE("use of an LDT page", 1, ,
            asm volatile("mov %0, %%es" ::"r"(1 << 3 | 4 | 3)));
    asm volatile("mov %0, %%es" ::"r"(0));
    expect_ok(hypercall_mmuext_op(&none, 1, NULL, DOMID_SELF), "no LDT");
    expect_ok(rc, "descriptors");
    set_page(1, PTE_DATA);
}

FATAL(cost, paths)
{
    struct walk w;

    run = run_;
    data = page_alloc(9);
    table = page_alloc_zeroed(0);
    REQUIRE(data != NULL && table != NULL);
    for (unsigned int i = 0; i < NR; i++)
        frames[i] = p2m_lookup(pfn_add(kaddr_pfn(data), i));
    data_ptes = pte_address(data);
    table_pte = pte_address(table);
    REQUIRE(space_map(&kernel_space, KEEP, frames, 1, MAP_R) == 0);
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
    EXPECT_EQ(space_unmap(&kernel_space, KEEP, 1), 0);
    page_free(table, 0);
    page_free(data, 9);
}

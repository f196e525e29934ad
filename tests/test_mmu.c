/* SPDX-License-Identifier: MIT */
/* The queue, growing tables, and the audit that watches over both. */
#include <arch/vcpu.h>
#include <plinth/audit.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/kaddr.h>
#include <plinth/linear.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/physmap.h>
#include <plinth/printk.h>
#include <plinth/ptab.h>
#include <plinth/ptdump.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/symbols.h>
#include <plinth/test.h>
#include <plinth/vmap.h>
#include <plinth/walk.h>

#include "queue.h"

#define NX_RW (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)

/* Somewhere in the kernel's half where nothing else is. */
#define NOWHERE 0x0000600000000000ul

static mfn_t l4(void)
{
    return maddr_to_mfn(_maddr(read_cr3()));
}

static mfn_t mfn_of(const void *p)
{
    return p2m_lookup(kaddr_pfn(p));
}

static maddr_t entry_of(vaddr_t va)
{
    struct walk w;

    walk_address(va, &w);
    return walk_entry_maddr(&w, va, 1);
}

static void expect_sound(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

TEST(mmu, audit_is_content)
{
    expect_sound(run_);
}

/* A table that is not read-only cannot be made; so show it what it is not. */
TEST(mmu, audit_sees_a_page_at_the_wrong_place)
{
    void *a = page_alloc(0), *b = page_alloc(0);
    char why[120] = "";

    REQUIRE(a != NULL && b != NULL);
    mmu_begin();
    mmu_set_pte(entry_of(ptr_to_vaddr(a)), pte_make(mfn_of(b), NX_RW));
    mmu_flush_pages(ptr_to_vaddr(a), 1);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(audit(why, sizeof(why)), -EINVAL);
    EXPECT(strstr(why, "not pfn") != NULL);

    mmu_begin();
    mmu_set_pte(entry_of(ptr_to_vaddr(a)), pte_make(mfn_of(a), NX_RW));
    mmu_flush_pages(ptr_to_vaddr(a), 1);
    EXPECT_EQ(mmu_end(), 0);
    expect_sound(run_);
    page_free(a, 0);
    page_free(b, 0);
}

TEST(mmu, audit_sees_a_writable_and_executable_page)
{
    void *p = page_alloc(0), *there;
    const mfn_t mfn = mfn_of(p);
    char why[120] = "";

    REQUIRE(p != NULL);
    REQUIRE(vmap(&mfn, 1, MAP_RW, &there) == 0);
    mmu_begin();
    mmu_set_va(ptr_to_vaddr(there), pte_make(mfn, PTE_P | PTE_RW), UVMF_INVLPG);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(audit(why, sizeof(why)), -EINVAL);
    EXPECT(strstr(why, "writable and executable") != NULL);
    vunmap(there, 1);
    page_free(p, 0);
}

/* Runs of a kind are one hypercall, mixed kinds one multicall. */
TEST(mmu, neighbours_travel_together)
{
    WITH_QUEUE();
    const maddr_t at = entry_of(fixmap_va(FIX_TEST));
    struct mmu_stats before, after;
    void *p = page_alloc(0);

    REQUIRE(p != NULL);
    before = mmu_stats();
    mmu_begin();
    for (unsigned int i = 0; i < 20; i++)
        mmu_set_pte(at, pte_make(mfn_of(p), i % 2 ? NX_RW : NX_RW & ~PTE_RW));
    EXPECT_EQ(mmu_stats().hypercalls, before.hypercalls);
    EXPECT_EQ(mmu_end(), 0);
    after = mmu_stats();
    EXPECT_EQ(after.hypercalls, before.hypercalls + 1);
    EXPECT_EQ(after.entries, before.entries + 20);

    before = after;
    mmu_begin();
    mmu_set_pte(at, (pte_t){ 0 });
    mmu_set_va(fixmap_va(FIX_TEST), pte_make(mfn_of(p), NX_RW), 0);
    mmu_set_pte(at, (pte_t){ 0 });
    mmu_flush_pages(fixmap_va(FIX_TEST), 1);
    EXPECT_EQ(mmu_end(), 0);
    after = mmu_stats();
    EXPECT_EQ(after.hypercalls, before.hypercalls + 1);
    EXPECT_EQ(after.entries, before.entries + 4);
    EXPECT_EQ(after.invlpgs, before.invlpgs + 1);
    page_free(p, 0);
}

/* An inner begin sends what the outer has; each end tells of its own. */
TEST(mmu, nested_ends_tell_of_their_own)
{
    WITH_QUEUE();
    const uint64_t *table = (const uint64_t *)start_info()->pt_base;
    const maddr_t bad = entry_of(ptr_to_vaddr(table));
    const maddr_t at = entry_of(fixmap_va(FIX_TEST));
    void *p = page_alloc(0);
    struct walk w;

    REQUIRE(p != NULL);
    mmu_begin();
    mmu_set_pte(at, pte_make(mfn_of(p), NX_RW));
    EXPECT(!walk_address(fixmap_va(FIX_TEST), &w));
    mmu_begin();
    EXPECT(walk_address(fixmap_va(FIX_TEST), &w));
    mmu_set_pte(bad, pte_make(mfn_of(table), NX_RW));
    EXPECT_EQ(mmu_end(), -EBUSY);
    EXPECT_EQ(mmu_end(), 0);

    mmu_begin();
    mmu_set_pte(bad, pte_make(mfn_of(table), NX_RW));
    mmu_begin();
    mmu_set_pte(at, (pte_t){ 0 });
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(mmu_end(), -EBUSY);
    EXPECT(!walk_address(fixmap_va(FIX_TEST), &w));
    mmu_begin();
    mmu_flush_pages(fixmap_va(FIX_TEST), 1);
    EXPECT_EQ(mmu_end(), 0);
    page_free(p, 0);
}

TEST(mmu, dropped_requests_are_not_made)
{
    WITH_QUEUE();
    const maddr_t at = entry_of(fixmap_va(FIX_TEST));
    void *p = page_alloc(0);
    struct walk w;

    REQUIRE(p != NULL);
    mmu_begin();
    mmu_set_pte(at, pte_make(mfn_of(p), NX_RW));
    mmu_drop();
    EXPECT_EQ(mmu_end(), 0);
    EXPECT(!walk_address(fixmap_va(FIX_TEST), &w));
    page_free(p, 0);
}

/* What an outer begin has noted is flushed at its end, whatever came between. */
TEST(mmu, nested_sections_keep_their_flushes)
{
    struct mmu_stats before = mmu_stats();

    mmu_begin();
    mmu_flush_pages(_vaddr(NOWHERE), 1);
    mmu_begin();
    mmu_flush_pages(_vaddr(NOWHERE + PAGE_SIZE), 1);
    mmu_drop();
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(mmu_stats().invlpgs, before.invlpgs);
    mmu_begin();
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(mmu_stats().invlpgs, before.invlpgs);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(mmu_stats().invlpgs, before.invlpgs + 1);
}

/* Flushes: page by page up to a point, then all at once. */
TEST(mmu, many_flushes_become_one)
{
    struct mmu_stats before = mmu_stats(), after;

    mmu_begin();
    for (unsigned int i = 0; i < MMU_INVLPG_MAX; i++)
        mmu_flush_pages(_vaddr(NOWHERE + i * PAGE_SIZE), 1);
    EXPECT_EQ(mmu_end(), 0);
    after = mmu_stats();
    EXPECT_EQ(after.invlpgs, before.invlpgs + MMU_INVLPG_MAX);
    EXPECT_EQ(after.flushes, before.flushes);

    before = after;
    mmu_begin();
    for (unsigned int i = 0; i < 10 * MMU_INVLPG_MAX; i++)
        mmu_flush_pages(_vaddr(NOWHERE + i * PAGE_SIZE), 1);
    EXPECT_EQ(mmu_end(), 0);
    after = mmu_stats();
    EXPECT_EQ(after.invlpgs, before.invlpgs);
    EXPECT_EQ(after.flushes, before.flushes + 1);

    /* By ranges, too. */
    before = after;
    mmu_begin();
    mmu_flush_pages(_vaddr(NOWHERE), MMU_INVLPG_MAX - 1);
    mmu_flush_pages(_vaddr(NOWHERE), 1);
    EXPECT_EQ(mmu_end(), 0);
    after = mmu_stats();
    EXPECT_EQ(after.invlpgs, before.invlpgs + MMU_INVLPG_MAX);
    EXPECT_EQ(after.flushes, before.flushes);
    mmu_begin();
    mmu_flush_pages(_vaddr(NOWHERE), MMU_INVLPG_MAX - 1);
    mmu_flush_pages(_vaddr(NOWHERE), 2);
    mmu_flush_pages(_vaddr(NOWHERE), 1);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(mmu_stats().invlpgs, after.invlpgs);
    EXPECT_EQ(mmu_stats().flushes, after.flushes + 1);
}

TEST(mmu, refused_request_is_named)
{
    WITH_QUEUE();
    const uint64_t *table = (const uint64_t *)start_info()->pt_base;
    const maddr_t good = entry_of(fixmap_va(FIX_TEST));
    const maddr_t bad = entry_of(ptr_to_vaddr(table));
    const struct mmu_refusal *r = mmu_refusal();
    void *p = page_alloc(0);
    struct walk w;

    REQUIRE(p != NULL);
    mmu_begin();
    mmu_set_pte(good, pte_make(mfn_of(p), NX_RW));
    mmu_set_pte(bad, pte_make(mfn_of(table), NX_RW));
    mmu_set_pte(good, (pte_t){ 0 });
    EXPECT_EQ(mmu_end(), -EBUSY);
    EXPECT_STR(r->what, "mmu_update");
    EXPECT_EQ(r->where, maddr_x(bad));
    EXPECT_EQ(r->value, pte_make(mfn_of(table), NX_RW).raw);
    EXPECT_EQ(r->rc, -EBUSY);
    EXPECT((uintptr_t)r->by > (uintptr_t)_text &&
           (uintptr_t)r->by < (uintptr_t)_etext);

    /* The one before it was made, the one behind it not. */
    EXPECT(walk_address(fixmap_va(FIX_TEST), &w));
    fixmap_clear(FIX_TEST);
    page_free(p, 0);
}

TEST(mmu, refused_request_is_named_in_a_multicall)
{
    const struct mmu_refusal *r = mmu_refusal();
    const struct mmuext_op op = { .cmd = MMUEXT_UNPIN_TABLE,
                                  .arg1.mfn = mfn_x(mfn_of(_data)) };

    mmu_begin();
    mmu_set_va(fixmap_va(FIX_TEST), (pte_t){ 0 }, 0);
    mmu_ext(&op);
    EXPECT_EQ(mmu_end(), -EINVAL);
    EXPECT_STR(r->what, "mmuext_op");
    EXPECT_EQ(r->where, op.arg1.mfn);
}

/* Two callers, as the queue sees them. */
static void __noinline queued_here(maddr_t at, pte_t pte)
{
    mmu_set_pte(at, pte);
    barrier(); /* no tail call, which would leave no trace of this function */
}

static void __noinline queued_there(maddr_t at, pte_t pte)
{
    mmu_set_pte(at, pte);
    barrier();
}

static void expect_by(struct test_run *run_, const char *name)
{
    uint64_t offset;
    const char *by = symbol_lookup((uintptr_t)mmu_refusal()->by, &offset);

    REQUIRE(by != NULL);
    EXPECT_STR(by, name);
}

/* The caller of each entry is known, however often they take turns. */
TEST(mmu, refused_request_is_its_callers)
{
    const uint64_t *table = (const uint64_t *)start_info()->pt_base;
    const maddr_t good = entry_of(fixmap_va(FIX_TEST));
    const maddr_t bad = entry_of(ptr_to_vaddr(table));
    const pte_t writable = pte_make(mfn_of(table), NX_RW);

    for (unsigned int turns = 0; turns < 100; turns += 33) {
        mmu_begin();
        for (unsigned int i = 0; i < turns; i++) {
            queued_here(good, (pte_t){ 0 });
            queued_there(good, (pte_t){ 0 });
        }
        queued_here(bad, writable);
        queued_there(good, (pte_t){ 0 });
        EXPECT_EQ(mmu_end(), -EBUSY);
        expect_by(run_, "queued_here");
        EXPECT_EQ(mmu_refusal()->where, maddr_x(bad));
    }
    mmu_begin();
    queued_here(good, (pte_t){ 0 });
    queued_there(bad, writable);
    queued_here(good, (pte_t){ 0 });
    EXPECT_EQ(mmu_end(), -EBUSY);
    expect_by(run_, "queued_there");
}

TEST(mmu, refused_entry_of_a_run_is_named)
{
    uint64_t *block = page_alloc(2);
    const maddr_t at = entry_of(ptr_to_vaddr(block));
    mfn_t frames[4];

    REQUIRE(block != NULL);
    for (unsigned int i = 0; i < ARRAY_SIZE(frames); i++)
        frames[i] = p2m_lookup(pfn_add(kaddr_pfn(block), i));
    frames[2] = l4();
    mmu_begin();
    queued_here(entry_of(fixmap_va(FIX_TEST)), (pte_t){ 0 });
    mmu_set_run(at, frames, NX_RW, ARRAY_SIZE(frames));
    EXPECT_EQ(mmu_end(), -EBUSY);
    EXPECT_EQ(mmu_refusal()->where, maddr_x(at) + 2 * sizeof(pte_t));
    EXPECT_EQ(mmu_refusal()->value, pte_make(l4(), NX_RW).raw);
    expect_by(run_, "test_mmu_refused_entry_of_a_run_is_named");
    expect_sound(run_);
    page_free(block, 2);
}

/* Each entry gets its own value, and what the CPU has noted stays. */
TEST(mmu, run_that_keeps_accessed_and_dirty)
{
    uint64_t *block = page_alloc(1);
    const maddr_t at = entry_of(ptr_to_vaddr(block));
    const uint64_t noted = PTE_A | PTE_D;
    uint64_t ptes[2];
    mfn_t frames[2];

    REQUIRE(block != NULL);
    block[0] = block[PT_ENTRIES] = 1;
    for (unsigned int i = 0; i < 2; i++)
        frames[i] = p2m_lookup(pfn_add(kaddr_pfn(block), i));
    ptes[0] = pte_make(frames[0], PTE_P | PTE_NX).raw;
    ptes[1] = pte_make(frames[1], PTE_P | PTE_NX | PTE_RW).raw;

    mmu_begin();
    mmu_set_run_keep_ad(at, ptes, 2);
    mmu_flush_all();
    EXPECT_EQ(mmu_end(), 0);
    for (unsigned int i = 0; i < 2; i++) {
        struct walk w;

        walk_address(_vaddr((uintptr_t)block + i * PAGE_SIZE), &w);
        EXPECT(pte_same(w.entry[1], (pte_t){ ptes[i] }));
        EXPECT_EQ(w.entry[1].raw & noted, noted);
    }

    mmu_begin();
    mmu_set_run(at, frames, NX_RW, 2);
    mmu_flush_all();
    EXPECT_EQ(mmu_end(), 0);
    expect_sound(run_);
    page_free(block, 1);
}

/*
 * Frames of the VGA's text screen: Xen holds the first MiB as DOMID_IO's, and
 * lets the hardware domain alone have it.
 */
#define VGA_TEXT 0xb8u

TEST(mmu, frames_of_devices)
{
    static const mfn_t frames[] = { { VGA_TEXT }, { VGA_TEXT + 1 } };
    const volatile uint16_t *there = fixmap_ptr(FIX_TEST);
    const maddr_t at = entry_of(fixmap_va(FIX_TEST));
    const int want = is_dom0() ? 0 : -EPERM;
    uint64_t *block = page_alloc(1);
    const pte_t own = pte_make(mfn_of(block), NX_RW);
    mfn_t own_frames[2];

    REQUIRE(block != NULL);
    mmu_begin();
    mmu_set_pte_foreign(at, pte_make(frames[0], PTE_DATA_RO), DOMID_IO);
    EXPECT_EQ(mmu_end(), want);
    if (is_dom0())
        (void)there[0];
    else
        EXPECT_FAULT(TRAP_PF, (void)there[0]);

    /* Of whom a frame is must be said, and be true. */
    mmu_begin();
    mmu_set_pte_foreign(at, own, DOMID_IO);
    EXPECT_EQ(mmu_end(), -EBUSY);
    mmu_begin();
    mmu_set_pte_foreign(at, own, 0x7000);
    EXPECT_EQ(mmu_end(), -ESRCH);

    /* The block's own place in the physmap lends its entries. */
    for (unsigned int i = 0; i < 2; i++)
        own_frames[i] = p2m_lookup(pfn_add(kaddr_pfn(block), i));
    mmu_begin();
    mmu_set_run_foreign(entry_of(ptr_to_vaddr(block)), frames, PTE_DATA_RO, 2,
                        DOMID_IO);
    EXPECT_EQ(mmu_end(), want);
    if (is_dom0())
        EXPECT_EQ(mfn_x(pte_mfn(
                      walk_entry(maddr_to_mfn(entry_of(ptr_to_vaddr(block))), 1,
                                 pt_index(ptr_to_vaddr(block), 1) + 1))),
                  VGA_TEXT + 1);
    mmu_begin();
    mmu_set_pte(at, (pte_t){ 0 });
    mmu_set_run(entry_of(ptr_to_vaddr(block)), own_frames, NX_RW, 2);
    mmu_flush_all();
    EXPECT_EQ(mmu_end(), 0);
    expect_sound(run_);
    page_free(block, 1);
}

/* A run has frames of one owner; others are runs of their own in one call. */
TEST(mmu, owners_do_not_mix)
{
    WITH_QUEUE();
    const maddr_t at = entry_of(fixmap_va(FIX_TEST));
    uint8_t *p = page_alloc(1);
    struct mmu_stats before;
    struct walk w;

    REQUIRE(p != NULL);
    before = mmu_stats();
    mmu_begin();
    mmu_set_pte(at, pte_make(mfn_of(p), NX_RW));
    mmu_set_pte_foreign(at, pte_make(mfn_of(p + PAGE_SIZE), NX_RW), DOMID_IO);
    mmu_set_pte(at, pte_make(mfn_of(p), PTE_DATA_RO));
    EXPECT_EQ(mmu_end(), -EBUSY);
    EXPECT_EQ(mmu_stats().hypercalls, before.hypercalls + 1);

    /* The refusal ended its own run; the last one was made. */
    REQUIRE(walk_address(fixmap_va(FIX_TEST), &w));
    EXPECT(!(w.entry[1].raw & PTE_RW));
    fixmap_clear(FIX_TEST);
    page_free(p, 1);
}

TEST(mmu, queueing_keeps_the_vcpu)
{
    const unsigned int before = this_vcpu()->preempt;

    mmu_begin();
    EXPECT_EQ(this_vcpu()->preempt, before + 1);
    mmu_begin();
    EXPECT(this_vcpu()->preempt > before);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(this_vcpu()->preempt, before + 1);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(this_vcpu()->preempt, before);

    EXPECT_EQ(mmu_set_va_now(fixmap_va(FIX_TEST), (pte_t){ 0 }, UVMF_INVLPG),
              0);
    EXPECT_EQ(this_vcpu()->preempt, before);
    EXPECT_EQ(mmu_set_va_now(_vaddr(start_info()->pt_base),
                             pte_make(l4(), NX_RW), UVMF_NONE),
              -EBUSY);
    EXPECT_EQ(this_vcpu()->preempt, before);
}

TEST(mmu, more_than_the_queue_holds)
{
    WITH_QUEUE();
    const maddr_t at = entry_of(fixmap_va(FIX_TEST));
    const struct mmu_stats before = mmu_stats();
    void *p = page_alloc(0);

    REQUIRE(p != NULL);
    mmu_begin();
    for (unsigned int i = 0; i < 1000; i++)
        mmu_set_pte(at, pte_make(mfn_of(p), i % 2 ? NX_RW : NX_RW & ~PTE_RW));
    mmu_set_pte(at, (pte_t){ 0 });
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(mmu_stats().entries, before.entries + 1001);
    EXPECT(mmu_stats().hypercalls <= before.hypercalls + 4);
    page_free(p, 0);
}

/* What an early send is told must not be lost until the end. */
TEST(mmu, refusal_before_the_end_is_told_at_the_end)
{
    const uint64_t *table = (const uint64_t *)start_info()->pt_base;
    const maddr_t bad = entry_of(ptr_to_vaddr(table));
    const maddr_t good = entry_of(fixmap_va(FIX_TEST));

    mmu_begin();
    mmu_set_pte(bad, pte_make(mfn_of(table), NX_RW));
    for (unsigned int i = 0; i < 1000; i++)
        mmu_set_pte(good, (pte_t){ 0 });
    EXPECT_EQ(mmu_end(), -EBUSY);
    mmu_begin();
    EXPECT_EQ(mmu_end(), 0);
}

TEST(mmu, sync_mode_sends_one_by_one)
{
    const maddr_t at = entry_of(fixmap_va(FIX_TEST));
    const struct mmu_stats before = mmu_stats();
    const bool old = mmu_set_sync(true);

    mmu_begin();
    mmu_set_pte(at, (pte_t){ 0 });
    mmu_set_pte(at, (pte_t){ 0 });
    EXPECT_EQ(mmu_stats().hypercalls, before.hypercalls + 2);
    EXPECT_EQ(mmu_end(), 0);
    mmu_set_sync(old);
}

TEST(mmu, m2p_can_be_written)
{
    void *p = page_alloc(0);
    const mfn_t mfn = mfn_of(p);
    const pfn_t pfn = kaddr_pfn(p);

    REQUIRE(p != NULL);
    mmu_begin();
    mmu_set_m2p(mfn, _pfn(pfn_x(pfn) ^ 1));
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(pfn_x(m2p_raw(mfn)), pfn_x(pfn) ^ 1);
    EXPECT(pfn_eq(m2p_lookup(mfn), INVALID_PFN));
    mmu_begin();
    mmu_set_m2p(mfn, pfn);
    EXPECT_EQ(mmu_end(), 0);
    EXPECT_EQ(pfn_x(m2p_lookup(mfn)), pfn_x(pfn));
    page_free(p, 0);
}

/*
 * Growing tables.
 */
static struct ptab_txn txn;

static void *got[16];
static unsigned int nr_got;

static void *get(void)
{
    got[nr_got % ARRAY_SIZE(got)] = page_alloc(0);
    return got[nr_got++ % ARRAY_SIZE(got)];
}

static void put(void *page)
{
    page_free(page, 0);
}

/* Unhook and give back all tables that a change made below one L4 slot. */
static void tear_down(struct test_run *run_, unsigned int nr)
{
    mmu_begin();
    mmu_set_pte(maddr_add(mfn_to_maddr(l4()),
                          pt_index(_vaddr(NOWHERE), 4) * sizeof(pte_t)),
                (pte_t){ 0 });
    for (unsigned int i = 0; i < nr; i++)
        mmu_set_pte(entry_of(ptr_to_vaddr(got[i])),
                    pte_make(mfn_of(got[i]), NX_RW));
    EXPECT_EQ(mmu_end(), 0);
    for (unsigned int i = 0; i < nr; i++)
        page_free(got[i], 0);
}

TEST(ptab, whole_new_branch)
{
    uint64_t *p = page_alloc(0);
    volatile uint64_t *there = (volatile uint64_t *)NOWHERE;

    REQUIRE(p != NULL);
    p[0] = 0x1234;
    nr_got = 0;
    ptab_begin(&txn, &kernel_space, get, put);
    EXPECT_EQ(ptab_map(&txn, _vaddr(NOWHERE), pte_make(mfn_of(p), NX_RW)), 0);
    EXPECT_EQ(nr_got, 3);
    EXPECT_EQ(txn.nr_links, 1);
    EXPECT_FAULT(TRAP_PF, (void)*there);
    REQUIRE(ptab_commit(&txn) == 0);
    EXPECT_EQ(*there, 0x1234);
    *there = 0x5678;
    EXPECT_EQ(p[0], 0x5678);
    expect_sound(run_);

    tear_down(run_, 3);
    EXPECT_FAULT(TRAP_PF, (void)*there);
    page_free(p, 0);
    expect_sound(run_);
}

TEST(ptab, taken_address_is_refused)
{
    nr_got = 0;
    ptab_begin(&txn, &kernel_space, get, put);
    EXPECT_EQ(ptab_map(&txn, ptr_to_vaddr(_data), (pte_t){ PTE_P }), -EEXIST);
    EXPECT_EQ(ptab_map(&txn, _vaddr(NOWHERE),
                       pte_make(mfn_of(_data), PTE_P | PTE_NX)),
              0);
    EXPECT_EQ(ptab_map(&txn, _vaddr(NOWHERE),
                       pte_make(mfn_of(_data), PTE_P | PTE_NX)),
              -EEXIST);
    ptab_abort(&txn);
}

/* A table, mapped writable: Xen refuses the hook, and all is as before. */
TEST(ptab, refused_change_leaves_nothing)
{
    const uint64_t before = page_stats().free;

    nr_got = 0;
    ptab_begin(&txn, &kernel_space, get, put);
    EXPECT_EQ(ptab_map(&txn, _vaddr(NOWHERE), pte_make(l4(), NX_RW)), 0);
    EXPECT(ptab_commit(&txn) != 0);
    EXPECT_EQ(page_stats().free, before);
    expect_sound(run_);
}

/* Each page and each request refused in turn: nothing is left either way. */
TEST(ptab, every_failure_leaves_nothing)
{
    const uint64_t before = page_stats().free;
    unsigned int failures = 0;

    for (unsigned int n = 1; n < 12; n++) {
        int rc;

        page_inject_failure(n);
        nr_got = 0;
        ptab_begin(&txn, &kernel_space, get, put);
        rc = ptab_map(&txn, _vaddr(NOWHERE), pte_make(mfn_of(_data), PTE_P));
        if (rc != 0)
            ptab_abort(&txn);
        page_inject_failure(0);
        EXPECT(rc == 0 || rc == -ENOMEM);
        failures += rc != 0;
        if (rc != 0)
            continue;

        mmu_inject_failure(n - 3); /* behind the three pages */
        rc = ptab_commit(&txn);
        mmu_inject_failure(0);
        failures += rc != 0;
        if (rc == 0)
            tear_down(run_, 3);
        EXPECT_EQ(page_stats().free, before);
    }
    EXPECT_EQ(failures, 3 + 4);
    expect_sound(run_);
}

TEST(physmap, every_mapped_page_is_at_its_address)
{
    char why[120];
    uint64_t mapped = 0;

    for (uint64_t i = 0; i < 3000; i++) {
        /* Little of a large domain is mapped, but all of the region. */
        const pfn_t pfn =
            _pfn(test_random() % (i % 2 ? p2m_size() : linear_size()));
        void *p = kaddr_lookup(pfn);
        struct walk w;

        if (p == NULL)
            continue;
        mapped++;
        REQUIRE(walk_address(ptr_to_vaddr(p), &w) ||
                pfn_x(pfn) < linear_size()); /* a stack guard */
        EXPECT_EQ(pfn_x(kaddr_pfn(p)), pfn_x(pfn));
    }
    EXPECT(mapped > 0);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
}

TEST(ptdump, names_the_parts)
{
    EXPECT_STR(ptdump_owner(ptr_to_vaddr(_text)), "text");
    EXPECT_STR(ptdump_owner(ptr_to_vaddr(_rodata)), "rodata");
    EXPECT_STR(ptdump_owner(fixmap_va(FIX_TEST)), "fixmap");
    EXPECT_STR(ptdump_owner(_vaddr(PHYSMAP_BASE)), "physmap");
    EXPECT_STR(ptdump_owner(_vaddr(0x1000)), "user");
}

/* The lines of a dump, of which there may be many, that matter here. */
static unsigned int text_lines, bad_lines;
static void read_line(const char *text, size_t len)
{
    char line[200];

    strlcpy(line, text, MIN(sizeof(line), len + 1));
    text_lines += strstr(line, "R-X 4K  text\n") != NULL;
    bad_lines += strstr(line, "RWX") != NULL;
}

TEST(ptdump, shows_text_as_one_range)
{
    printk_sink_t *old;

    text_lines = bad_lines = 0;
    old = printk_set_sink(read_line);
    ptdump(l4());
    printk_set_sink(old);
    EXPECT_EQ(text_lines, 1);
    EXPECT_EQ(bad_lines, 0);
}

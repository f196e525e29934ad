/* SPDX-License-Identifier: MIT */
/* The tables as memory, compared with the windows they are else read by. */
#include <plinth/audit.h>
#include <plinth/errno.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/ptdump.h>
#include <plinth/selfmap.h>
#include <plinth/space.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/vmap.h>
#include <plinth/walk.h>

#include "abi.h"

/* An L4 slot of the user half, whose tables all go when they are empty. */
#define NOWHERE  (600 * GIB)
#define GIB      (1ul << 30)
#define MIB2     (1ul << 21)
#define NOT_HERE "this Xen lets no L4 table name itself (pv-linear-pt=false?)"

/* A test with the self-map on, which may be so already: plinth.walk=selfmap. */
#define WITH_SELFMAP(name)                                                     \
    static void with_##name(struct test_run *run_ __unused);                   \
    TEST(selfmap, name)                                                        \
    {                                                                          \
        const bool before = mfn_x(selfmap_l4) != 0;                            \
        const int rc = before ? 0 : selfmap_enable();                          \
                                                                               \
        if (rc == -EINVAL)                                                     \
            SKIP(NOT_HERE);                                                    \
        REQUIRE(rc == 0);                                                      \
        with_##name(run_);                                                     \
        if (!before)                                                           \
            EXPECT_RC(selfmap_disable(), 0);                                   \
    }                                                                          \
    static void with_##name(struct test_run *run_ __unused)

static void expect_sound(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

struct visit {
    struct test_run *run;
    uint64_t tables, leaves, large, inside;
};

/* The entry that leads to the table of @level. */
static int table_is_shown(void *ctx, unsigned int level, mfn_t mfn, vaddr_t va)
{
    struct visit *v = ctx;
    struct test_run *run_ = v->run;
    const vaddr_t above = level < PT_LEVELS ? va : _vaddr(SELFMAP_BASE);
    pte_t pte = { 0 };

    v->tables++;
    EXPECT_RC(
        selfmap_entry(above, MIN(level + 1, (unsigned int)PT_LEVELS), &pte), 0);
    EXPECT(pte_present(pte));
    EXPECT_EQ(mfn_x(pte_mfn(pte)), mfn_x(mfn));
    return run_->failures > 10;
}

static int leaf_is_shown(void *ctx, unsigned int level, pte_t want, vaddr_t va,
                         uint64_t rights __unused)
{
    struct visit *v = ctx;
    struct test_run *run_ = v->run;
    pte_t pte = { 0 };

    v->leaves++;
    v->inside += vaddr_x(va) >= SELFMAP_BASE && vaddr_x(va) < SELFMAP_END;
    EXPECT_RC(selfmap_entry(va, level, &pte), 0);
    EXPECT_EQ(pte.raw, want.raw);
    /* What a large page holds is no table. */
    if (level > 1) {
        v->large++;
        EXPECT_RC(selfmap_entry(va, level - 1, &pte), -ENOENT);
    }
    return run_->failures > 10;
}

WITH_SELFMAP(shows_every_table_and_leaf)
{
    struct visit v = { .run = run_ };
    const struct walk_visitor visitor = { table_is_shown, leaf_is_shown, &v };

    EXPECT_EQ(walk_all(walk_current_l4(), &visitor), 0);
    EXPECT(v.tables >= start_info()->nr_pt_frames);
    EXPECT(v.leaves > 100);
    EXPECT_EQ(v.inside, 0);
    say("# %lu tables, %lu leaves, %lu of them large\n", v.tables, v.leaves,
        v.large);
}

/* What walk_address() finds, by either way of reading. */
static void walk_both_ways(struct test_run *run_, uintptr_t va)
{
    static struct walk by_self, by_window;
    const mfn_t l4 = selfmap_l4;
    bool found;

    found = walk_address(_vaddr(va), &by_self);
    selfmap_l4 = _mfn(0);
    EXPECT_EQ(walk_address(_vaddr(va), &by_window), found);
    selfmap_l4 = l4;
    EXPECT_EQ(by_self.last, by_window.last);
    for (unsigned int level = by_self.last; level <= PT_LEVELS; level++) {
        EXPECT_EQ(mfn_x(by_self.table[level]), mfn_x(by_window.table[level]));
        EXPECT(pte_same(by_self.entry[level], by_window.entry[level]));
    }
    EXPECT_EQ(by_self.unreadable, by_window.unreadable);
}

WITH_SELFMAP(walks_are_the_same)
{
    const uintptr_t places[] = {
        (uintptr_t)_text,
        (uintptr_t)_data,
        (uintptr_t)run_,
        0,
        start_info()->mfn_list,
        start_info()->pt_base,
        NOWHERE,
        PHYSMAP_BASE,
        PAGES_BASE,
        SELFMAP_BASE,
        (uintptr_t)selfmap_ptr(ptr_to_vaddr(_text), 1),
        0x123456789000,
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
        walk_both_ways(run_, places[i]);
    for (unsigned int i = 0; i < 1000; i++)
        walk_both_ways(run_, VIRT_BASE + test_random() % (8 * MIB2));
}

/* The level where the path to @va ends, in an entry that is not present. */
static void expect_end(struct test_run *run_, uintptr_t va, unsigned int end)
{
    for (unsigned int level = PT_LEVELS; level > 0; level--) {
        pte_t pte = { ~0ul };
        uint64_t raw;

        EXPECT_RC(selfmap_entry(_vaddr(va), level, &pte),
                  level < end ? -ENOENT : 0);
        EXPECT_EQ(pte.raw & PTE_P, level != end);
        /* And nothing of what was there is left in the TLB. */
        EXPECT_RC(probe_read(selfmap_ptr(_vaddr(va), level), &raw),
                  level < end ? -EFAULT : 0);
    }
}

WITH_SELFMAP(tables_come_and_go)
{
    void *page = page_alloc(0);
    const mfn_t mfn = p2m_lookup(kaddr_pfn(page));
    pte_t pte = { 0 };

    REQUIRE(page != NULL);
    expect_end(run_, NOWHERE, 4);
    EXPECT_RC(space_map(&kernel_space, _vaddr(NOWHERE), &mfn, 1, MAP_R), 0);
    EXPECT_RC(selfmap_entry(_vaddr(NOWHERE), 1, &pte), 0);
    EXPECT(pte_same(pte, pte_make(mfn, MAP_R)));
    expect_end(run_, NOWHERE + PAGE_SIZE, 1);
    expect_end(run_, NOWHERE + MIB2, 2);
    expect_end(run_, NOWHERE + GIB, 3);

    EXPECT_RC(space_protect(&kernel_space, _vaddr(NOWHERE), 1, MAP_RW), 0);
    EXPECT_RC(selfmap_entry(_vaddr(NOWHERE), 1, &pte), 0);
    EXPECT(pte_same(pte, pte_make(mfn, MAP_RW)));

    EXPECT_RC(space_unmap(&kernel_space, _vaddr(NOWHERE), 1), 0);
    expect_end(run_, NOWHERE, 4);
    page_free(page, 0);
    expect_sound(run_);
}

/* Xen's tables are for Xen; the entries that lead there can be seen. */
WITH_SELFMAP(tables_of_xen_cannot_be_read)
{
    const uintptr_t directmap = 0xffff830000000000;
    pte_t pte;

    EXPECT_RC(selfmap_entry(_vaddr(directmap), 4, &pte), 0);
    EXPECT(pte_present(pte));
    EXPECT_RC(selfmap_entry(_vaddr(directmap), 3, &pte), -EFAULT);
}

/*
 * xen/arch/x86/mm.c: get_l4_linear_pagetable().  The rights of the one entry
 * bound what can be done by it; and it has none to execute.
 */
TEST(selfmap, writable_one_is_refused)
{
    const bool before = mfn_x(selfmap_l4) != 0;
    const maddr_t slot = live_l4_entry(SELFMAP_SLOT);
    const uint64_t l4 = mfn_x(walk_current_l4()) << PAGE_SHIFT;

    EXPECT_RC(set_at(slot, l4 | PTE_P | PTE_A | PTE_RW), -EINVAL);
    EXPECT_RC(set_at(slot, l4 | PTE_P | PTE_A | PTE_RW | PTE_NX), -EINVAL);
    EXPECT_EQ(live_l4()[SELFMAP_SLOT] & PTE_P, before);
}

WITH_SELFMAP(gives_no_way_to_write)
{
    for (unsigned int level = PT_LEVELS; level > 1; level--) {
        volatile uint64_t *entry = (volatile uint64_t *)(uintptr_t)selfmap_ptr(
            ptr_to_vaddr(_text), level);

        EXPECT_RC(probe_write(entry, *entry), -EFAULT);
    }
    EXPECT_EQ(live_l4()[SELFMAP_SLOT] & (PTE_RW | PTE_NX), PTE_NX);
}

WITH_SELFMAP(second_one_is_refused)
{
    const pte_t pte = { live_l4()[SELFMAP_SLOT] };

    EXPECT_RC(selfmap_enable(), -EEXIST);
    EXPECT(pte_same((pte_t){ live_l4()[SELFMAP_SLOT] }, pte));
    EXPECT(selfmap_shows(walk_current_l4()));
}

/* What others put into the slot is left alone. */
TEST(selfmap, taken_slot_is_refused)
{
    const bool before = mfn_x(selfmap_l4) != 0;
    const maddr_t slot = live_l4_entry(SELFMAP_SLOT);
    uint64_t *l3;

    EXPECT_RC(selfmap_disable(), before ? 0 : -ENOENT);
    l3 = new_table(3);
    EXPECT_RC(scratch_hook(slot, scratch_pte(l3, UPPER)), 0);
    EXPECT_RC(selfmap_enable(), -EEXIST);
    EXPECT_EQ(live_l4()[SELFMAP_SLOT] & PTE_ADDR, scratch_pte(l3, 0));
    EXPECT(mfn_x(selfmap_l4) == 0);
    scratch_restore(run_);
    if (before)
        EXPECT_RC(selfmap_enable(), 0);
}

WITH_SELFMAP(off_is_as_before)
{
    uint64_t raw;
    pte_t pte;

    expect_sound(run_);
    EXPECT_RC(selfmap_disable(), 0);
    EXPECT_EQ(live_l4()[SELFMAP_SLOT], 0);
    EXPECT_RC(selfmap_entry(ptr_to_vaddr(_text), 4, &pte), -ENOENT);
    for (unsigned int level = PT_LEVELS; level > 0; level--)
        EXPECT_RC(probe_read(selfmap_ptr(ptr_to_vaddr(_text), level), &raw),
                  -EFAULT);
    EXPECT_RC(selfmap_disable(), -ENOENT);
    expect_sound(run_);
    EXPECT_RC(selfmap_enable(), 0);
}

/* Nothing else is mapped there, on or off. */
TEST(selfmap, its_slot_is_not_for_mapping)
{
    const mfn_t frames[2] = { p2m_lookup(_pfn(0)), p2m_lookup(_pfn(1)) };

    EXPECT_RC(space_map(&kernel_space, _vaddr(SELFMAP_BASE), frames, 1, MAP_R),
              -EINVAL);
    EXPECT_RC(space_map(&kernel_space, _vaddr(SELFMAP_BASE - PAGE_SIZE), frames,
                        2, MAP_R),
              -EINVAL);
    EXPECT_RC(space_map(&kernel_space, _vaddr(SELFMAP_END - PAGE_SIZE), frames,
                        2, MAP_R),
              -EINVAL);
    EXPECT_RC(space_unmap(&kernel_space, _vaddr(SELFMAP_BASE - GIB),
                          (SELFMAP_END - SELFMAP_BASE + 2 * GIB) / PAGE_SIZE),
              -EINVAL);
    EXPECT_STR(ptdump_owner(_vaddr(SELFMAP_BASE)), "self-map");
}

/* It is kernel_space's own: another space, made with it on, has an empty slot. */
WITH_SELFMAP(is_in_no_other_space)
{
    struct space space;
    struct walk w;
    pte_t pte;

    REQUIRE(space_create(&space, 0) == 0);
    EXPECT_RC(space_switch(&space), 0);
    EXPECT_RC(selfmap_entry(ptr_to_vaddr(_text), 1, &pte), -EFAULT);
    EXPECT(walk_address(ptr_to_vaddr(_text), &w));
    EXPECT_EQ(mfn_x(w.table[PT_LEVELS]), mfn_x(space.l4));
    expect_sound(run_);
    EXPECT_RC(space_switch(&kernel_space), 0);
    EXPECT_RC(selfmap_entry(ptr_to_vaddr(_text), 1, &pte), 0);
    EXPECT_RC(space_destroy(&space), 0);
    expect_sound(run_);
}

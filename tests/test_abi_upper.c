/* SPDX-License-Identifier: MIT */
/*
 * The rules for entries of L2, L3 and L4 tables: they name tables of the level
 * below, and naming one makes it one.  Most of it happens in pinned tables
 * outside of any address space.
 */
#include <plinth/features.h>
#include <plinth/string.h>

#include "abi.h"

/* An address with nothing around it: the 512 GiB of L4 slot 1. */
#define FREE_SLOT 1u
#define FREE_VA   ((uintptr_t)FREE_SLOT << 39)

/*
 * Which child.
 */

/*
 * xen/arch/x86/mm.c: get_page_from_l2e() and its kin: the child must be, or
 * become, a table of just the next level.
 */
static void child_is_one_level_lower(struct test_run *run_, unsigned int level,
                                     unsigned int wrong)
{
    uint64_t *table = new_table(level);
    uint64_t *good = new_table(level - 1), *bad = new_table(wrong);

    EXPECT_RC(set_entry(table, 0, scratch_pte(good, UPPER)), 0);
    EXPECT_RC(set_entry(table, 1, scratch_pte(bad, UPPER)), -EINVAL);
    EXPECT_RC(set_entry(table, 0, scratch_pte(bad, UPPER)), -EINVAL);
    EXPECT_EQ(table[0] & PTE_ADDR, scratch_pte(good, 0));
    EXPECT_EQ(table[1], 0);
}

RULE(abi_upper, l2_entry_names_an_l1_and_no_l3)
{
    child_is_one_level_lower(run_, 2, 3);
}

RULE(abi_upper, l2_entry_names_an_l1_and_no_l4)
{
    child_is_one_level_lower(run_, 2, 4);
}

RULE(abi_upper, l3_entry_names_an_l2_and_no_l1)
{
    child_is_one_level_lower(run_, 3, 1);
}

RULE(abi_upper, l3_entry_names_an_l2_and_no_l4)
{
    child_is_one_level_lower(run_, 3, 4);
}

RULE(abi_upper, l4_entry_names_an_l3_and_no_l1)
{
    child_is_one_level_lower(run_, 4, 1);
}

RULE(abi_upper, l4_entry_names_an_l3_and_no_l2)
{
    child_is_one_level_lower(run_, 4, 2);
}

/* A read-only page becomes the table it is used as; a writable one cannot. */
static void child_is_readonly(struct test_run *run_, unsigned int level)
{
    uint64_t *table = new_table(level), *child = scratch_page();

    EXPECT_RC(set_entry(table, 0, scratch_pte(child, UPPER)), -EINVAL);
    EXPECT_EQ(table[0], 0);

    EXPECT_RC(scratch_readonly(child), 0);
    EXPECT_RC(set_entry(table, 0, scratch_pte(child, UPPER)), 0);
    EXPECT_RC(scratch_writable(child), -EBUSY);
}

RULE(abi_upper, child_of_an_l2_has_no_writable_mapping)
{
    child_is_readonly(run_, 2);
}

RULE(abi_upper, child_of_an_l3_has_no_writable_mapping)
{
    child_is_readonly(run_, 3);
}

RULE(abi_upper, child_of_an_l4_has_no_writable_mapping)
{
    child_is_readonly(run_, 4);
}

/* Nor one at another address. */
RULE(abi_upper, child_has_no_writable_alias)
{
    uint64_t *l1 = new_table(1), *l2 = new_table(2), *child = new_readonly();

    EXPECT_RC(set_entry(l1, 0, scratch_pte(child, LEAF_RW)), 0);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(child, UPPER)), -EINVAL);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(child, LEAF_RO)), 0);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(child, UPPER)), 0);
}

/*
 * xen/arch/x86/mm.c: promote_l1_table(): a page full of something else is no
 * table.  What is wrong with the entry is what one is told.
 */
RULE(abi_upper, child_must_be_a_table_inside)
{
    uint64_t *l2 = new_table(2), *child = scratch_page();

    child[5] = pte_make(frame_of_xen(), LEAF_RO).raw;
    REQUIRE(scratch_readonly(child) == 0);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(child, UPPER)), -EBUSY);
    EXPECT_EQ(l2[0], 0);

    /* It is still an ordinary page, so it can be put right and tried again. */
    EXPECT_RC(set_entry(child, 5, PTE_ADDR | LEAF_RO), 0);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(child, UPPER)), -EINVAL);
    EXPECT_RC(set_entry(child, 5, scratch_pte(l2, LEAF_RO)), 0);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(child, UPPER)), 0);
}

/* All the way down: the fault may be two levels below the new entry. */
RULE(abi_upper, grandchild_must_be_a_table_inside)
{
    uint64_t *l3 = new_table(3), *l2 = scratch_page(), *l1 = scratch_page();

    l2[0] = scratch_pte(l1, UPPER);
    l1[0] = scratch_pte(l1, LEAF_RW);
    REQUIRE(scratch_readonly(l2) == 0 && scratch_readonly(l1) == 0);
    EXPECT_RC(set_entry(l3, 0, scratch_pte(l2, UPPER)), -EBUSY);
    EXPECT_EQ(l3[0], 0);

    /* The one above has not become a table either. */
    EXPECT_RC(scratch_writable(l2), 0);
    REQUIRE(scratch_readonly(l2) == 0);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(l1, LEAF_RO)), 0);
    EXPECT_RC(set_entry(l3, 0, scratch_pte(l2, UPPER)), 0);
    EXPECT_RC(scratch_writable(l1), -EBUSY);
}

/* xen/arch/x86/mm.c: get_page_and_type_from_mfn(): here it is -EINVAL. */
RULE(abi_upper, child_in_a_frame_of_another_is_refused)
{
    uint64_t *l2 = new_table(2), *l1 = new_table(1);
    const mfn_t other = frame_of_another_domain();

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(set_entry(l2, 1, pte_make(frame_of_xen(), UPPER).raw), -EINVAL);
    EXPECT_RC(set_entry(l2, 1, pte_make(frame_beyond_memory(), UPPER).raw),
              -EINVAL);
    EXPECT_RC(set_entry(l2, 1, PTE_ADDR | UPPER), -EINVAL);
    EXPECT_RC(set_entry(l2, 1, UPPER), -EINVAL); /* frame 0 */
    if (!mfn_eq(other, INVALID_MFN))
        EXPECT_RC(set_entry(l2, 1, pte_make(other, UPPER).raw), -EINVAL);
}

/* shared_info has the type "writable" for ever: share_xen_page_with_guest(). */
RULE(abi_upper, shared_info_cannot_be_a_table)
{
    const mfn_t shared = maddr_to_mfn(_maddr(start_info()->shared_info));
    uint64_t *l2 = new_table(2), *l1 = new_table(1);

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(set_entry(l2, 0, pte_make(shared, UPPER).raw), -EINVAL);
}

/*
 * Which bits.
 */

/* xen/arch/x86/mm.c: l2_disallow_mask() and its kin. */
static void flags_of_upper_entries(struct test_run *run_, unsigned int level)
{
    static const uint64_t bad[] = { PTE_PSE, PTE_GLOBAL, PTE_PCD, PTE_PWT };
    uint64_t *table = new_table(level), *child = new_table(level - 1);
    const uint64_t good = scratch_pte(child, UPPER);

    EXPECT_RC(set_entry(table, 0, good | PTE_NX | PTE_D | 7ull << 9), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        /* As a new entry, and as a change of flags. */
        EXPECT_RC(set_entry(table, 1, good | bad[i]), -EINVAL);
        EXPECT_RC(set_entry(table, 0, good | bad[i]), -EINVAL);
    }
    EXPECT_EQ(table[0] & UPPER_BAD, 0);
    EXPECT_EQ(table[1], 0);
}

RULE(abi_upper, l2_entry_has_no_large_global_or_cache_bit)
{
    flags_of_upper_entries(run_, 2);
}

RULE(abi_upper, l3_entry_has_no_large_global_or_cache_bit)
{
    flags_of_upper_entries(run_, 3);
}

RULE(abi_upper, l4_entry_has_no_large_global_or_cache_bit)
{
    flags_of_upper_entries(run_, 4);
}

/* A large page of our own memory, which a guest might hope for. */
RULE(abi_upper, large_page_is_refused)
{
    uint64_t *l2 = new_table(2), *l3 = new_table(3), *l1 = new_table(1);
    const uint64_t large = scratch_pte(l1, UPPER) & ~0x1ff000ull;

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(set_entry(l2, 1, large | PTE_PSE), -EINVAL);
    EXPECT_RC(set_entry(l3, 1, large | PTE_PSE), -EINVAL);
}

/* xen/arch/x86/pv/mm.h: adjust_guest_l2e(): all of ring 3 must get through. */
static void user_is_added(struct test_run *run_, unsigned int level)
{
    uint64_t *table = new_table(level), *child = new_table(level - 1);
    const uint64_t plain = scratch_pte(child, PTE_P | PTE_RW);

    EXPECT_RC(set_entry(table, 0, plain), 0);
    EXPECT_EQ(table[0] & PTE_USER, PTE_USER);
    EXPECT(table[0] != plain);
    EXPECT(pte_same((pte_t){ table[0] }, (pte_t){ plain }));
    EXPECT_EQ(table[0] & (PTE_GLOBAL | PTE_GUEST_KERNEL), 0);
}

RULE(abi_upper, l2_entry_gets_the_user_bit)
{
    user_is_added(run_, 2);
}

RULE(abi_upper, l3_entry_gets_the_user_bit)
{
    user_is_added(run_, 3);
}

RULE(abi_upper, l4_entry_gets_the_user_bit)
{
    user_is_added(run_, 4);
}

/*
 * adjust_guest_l4e(): Xen may run a vCPU on a copy of the L4, where the CPU's
 * notes are lost; so they are made in advance.
 */
RULE(abi_upper, l4_entry_gets_the_accessed_bit)
{
    uint64_t *l4 = new_table(4), *l3 = new_table(3), *l2 = new_table(2);

    EXPECT_RC(set_entry(l4, 0, scratch_pte(l3, PTE_P | PTE_RW)), 0);
    EXPECT_EQ(l4[0] & PTE_A, PTE_A);
    EXPECT_RC(set_entry(l3, 0, scratch_pte(l2, PTE_P | PTE_RW)), 0);
    EXPECT_EQ(l3[0] & PTE_A, 0);
}

/* mod_l2_entry(): the same child with other flags is not validated again. */
RULE(abi_upper, nx_of_a_child_changes_alone)
{
    uint64_t *l2 = new_table(2), *l1 = new_table(1);
    const uint64_t good = scratch_pte(l1, UPPER);

    EXPECT_RC(set_entry(l2, 0, good), 0);
    EXPECT_RC(set_entry(l2, 0, good | PTE_NX), 0);
    EXPECT_EQ(l2[0] & PTE_NX, PTE_NX);
    EXPECT_RC(set_entry(l2, 0, good), 0);
    EXPECT_EQ(l2[0] & PTE_NX, 0);
    EXPECT_RC(set_entry(l2, 0, good | PTE_NX | PTE_PCD), -EINVAL);
    EXPECT_EQ(l2[0] & PTE_NX, 0);
}

RULE(abi_upper, preserve_ad_works_above_l1)
{
    uint64_t *l2 = new_table(2), *l1 = new_table(1);
    const maddr_t keep =
        _maddr(maddr_x(scratch_maddr(l2)) | MMU_PT_UPDATE_PRESERVE_AD);

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(set_at(keep, scratch_pte(l1, UPPER & ~PTE_A)), 0);
    EXPECT_EQ(l2[0] & PTE_A, PTE_A);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER & ~PTE_A)), 0);
    EXPECT_EQ(l2[0] & PTE_A, 0);
    EXPECT_RC(set_at(keep, scratch_pte(l2, UPPER)), -EINVAL);
}

/*
 * Hooking and unhooking.
 */
RULE(abi_upper, hooked_page_is_a_table_until_it_is_unhooked)
{
    uint64_t *l2 = new_table(2), *l1 = new_readonly();

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(scratch_writable(l1), -EBUSY);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(l1, LEAF_RW)), -EBUSY);
    EXPECT_RC(set_entry(l2, 0, 0), 0);
    EXPECT_RC(scratch_writable(l1), 0);
    l1[0] = 1;
    EXPECT_EQ(l1[0], 1);
}

RULE(abi_upper, table_hooked_twice_is_unhooked_twice)
{
    uint64_t *l2 = new_table(2), *l1 = new_readonly();

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(set_entry(l2, 9, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(set_entry(l2, 0, 0), 0);
    EXPECT_RC(scratch_writable(l1), -EBUSY);
    EXPECT_RC(set_entry(l2, 9, 0), 0);
    EXPECT_RC(scratch_writable(l1), 0);
}

RULE(abi_upper, replaced_child_is_free)
{
    uint64_t *l3 = new_table(3), *old = new_readonly(), *next = new_readonly();

    EXPECT_RC(set_entry(l3, 0, scratch_pte(old, UPPER)), 0);
    EXPECT_RC(set_entry(l3, 0, scratch_pte(next, UPPER)), 0);
    EXPECT_RC(scratch_writable(old), 0);
    EXPECT_RC(scratch_writable(next), -EBUSY);
}

/* A child that is refused leaves the one before in its place, typed. */
RULE(abi_upper, refused_child_leaves_the_old_one)
{
    uint64_t *l3 = new_table(3), *old = new_readonly(), *bad = scratch_page();

    EXPECT_RC(set_entry(l3, 0, scratch_pte(old, UPPER)), 0);
    EXPECT_RC(set_entry(l3, 0, scratch_pte(bad, UPPER)), -EINVAL);
    EXPECT_EQ(l3[0] & PTE_ADDR, scratch_pte(old, 0));
    EXPECT_RC(scratch_writable(old), -EBUSY);
}

/* Unhooking drops what the table held, down to the pages it mapped. */
RULE(abi_upper, unhooked_table_lets_go_of_its_pages)
{
    uint64_t *l2 = new_table(2), *l1 = scratch_page(), *page = new_readonly();

    l1[0] = scratch_pte(page, LEAF_RW);
    REQUIRE(scratch_readonly(l1) == 0);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(pin(1, page), -EINVAL);
    EXPECT_RC(set_entry(l2, 0, 0), 0);
    EXPECT_RC(pin(1, page), 0);
    EXPECT(l1[0] & PTE_P);
}

/*
 * xen/arch/x86/mm.c: get_page_from_l1e(): a mapping is writable by the bit in
 * the L1; that a level above forbids writing is not counted.
 */
RULE(abi_upper, rw_above_l1_does_not_count)
{
    uint64_t *l2 = new_table(2), *l1 = new_table(1), *page = new_readonly();

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER_RO)), 0);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    EXPECT_RC(pin(1, page), -EINVAL);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RO)), 0);
    EXPECT_RC(pin(1, page), 0);
}

/*
 * In the address space: a page reached through three new tables, hooked by one
 * entry and gone by one.  Xen flushes for the levels above L1 (XSA-286).
 */
RULE(abi_upper, subtree_appears_and_goes_by_one_entry)
{
    uint64_t *l3 = scratch_page(), *l2 = scratch_page(), *l1 = scratch_page();
    volatile uint64_t *page = scratch_page(), *there = (void *)FREE_VA;
    uint64_t value = 0;

    page[0] = 0x1234;
    l1[0] = scratch_pte(page, LEAF_RW);
    l2[0] = scratch_pte(l1, UPPER);
    l3[0] = scratch_pte(l2, UPPER);
    EXPECT_RC(scratch_hook(live_l4_entry(FREE_SLOT), scratch_pte(l3, UPPER)),
              -EINVAL);
    EXPECT_EQ(probe_read(there, &value), -EFAULT);

    REQUIRE(scratch_readonly(l1) == 0 && scratch_readonly(l2) == 0 &&
            scratch_readonly(l3) == 0);
    EXPECT_RC(scratch_hook(live_l4_entry(FREE_SLOT), scratch_pte(l3, UPPER)),
              0);
    EXPECT_EQ(probe_read(there, &value), 0);
    EXPECT_EQ(value, 0x1234);
    EXPECT_EQ(probe_write(there, 0x4321), 0);
    EXPECT_EQ(page[0], 0x4321);

    EXPECT_RC(set_at(live_l4_entry(FREE_SLOT), 0), 0);
    EXPECT_EQ(probe_read(there, &value), -EFAULT);
}

/* The rights of the path are the least of its entries, as on bare metal. */
RULE(abi_upper, rw_above_l1_is_obeyed)
{
    uint64_t *l3 = new_table(3), *l2 = new_table(2), *l1 = new_table(1);
    volatile uint64_t *page = scratch_page(), *there = (void *)FREE_VA;

    REQUIRE(set_entry(l1, 0, scratch_pte(page, LEAF_RW)) == 0);
    REQUIRE(set_entry(l2, 0, scratch_pte(l1, UPPER_RO)) == 0);
    REQUIRE(set_entry(l3, 0, scratch_pte(l2, UPPER)) == 0);
    EXPECT_RC(scratch_hook(live_l4_entry(FREE_SLOT), scratch_pte(l3, UPPER)),
              0);
    EXPECT_EQ(probe_write(there, 1), -EFAULT);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_EQ(probe_write(there, 1), 0);
    EXPECT_EQ(page[0], 1);
}

/*
 * xen/arch/x86/mm.c: do_mmu_update(), since 4.14.1: no translation that came by
 * the old entry is left, although nobody asked for a flush.
 */
RULE(abi_upper, change_above_l1_is_flushed_by_xen)
{
    uint64_t *l3 = new_table(3), *l2 = new_table(2), *l1 = new_table(1);
    volatile uint64_t *page = scratch_page(), *there = (void *)FREE_VA;

    REQUIRE(set_entry(l1, 0, scratch_pte(page, LEAF_RW)) == 0);
    REQUIRE(set_entry(l2, 0, scratch_pte(l1, UPPER)) == 0);
    REQUIRE(set_entry(l3, 0, scratch_pte(l2, UPPER)) == 0);
    EXPECT_RC(scratch_hook(live_l4_entry(FREE_SLOT), scratch_pte(l3, UPPER)),
              0);
    EXPECT_EQ(probe_write(there, 1), 0);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER_RO)), 0);
    EXPECT_EQ(probe_write(there, 2), -EFAULT);
    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_EQ(probe_write(there, 3), 0);
    EXPECT_RC(set_entry(l3, 0, 0), 0);
    EXPECT_EQ(probe_write(there, 4), -EFAULT);
    EXPECT_EQ(page[0], 3);
}

/* update_va_mapping reaches what has just been hooked, and only that. */
RULE(abi_upper, va_mapping_needs_the_hook)
{
    uint64_t *l3 = new_table(3), *l2 = new_table(2), *l1 = new_table(1);
    volatile uint64_t *page = scratch_page(), *there = (void *)FREE_VA;
    const pte_t leaf = { scratch_pte(page, LEAF_RW) };

    page[0] = 77;
    REQUIRE(set_entry(l2, 0, scratch_pte(l1, UPPER)) == 0);
    REQUIRE(set_entry(l3, 0, scratch_pte(l2, UPPER)) == 0);
    EXPECT_RC(hypercall_update_va_mapping(_vaddr(FREE_VA), leaf, 0), -EINVAL);
    EXPECT_RC(scratch_hook(live_l4_entry(FREE_SLOT), scratch_pte(l3, UPPER)),
              0);
    EXPECT_RC(hypercall_update_va_mapping(_vaddr(FREE_VA), leaf, 0), 0);
    EXPECT_EQ(there[0], 77);
    EXPECT_RC(
        hypercall_update_va_mapping(_vaddr(FREE_VA + (1ul << 21)), leaf, 0),
        -EINVAL);
}

/*
 * L4 only.
 */

/* xen/arch/x86/mm.c: mod_l4_entry(): is_guest_l4_slot(). */
RULE(abi_upper, l4_slots_of_xen_are_not_ours)
{
    uint64_t *l4 = new_table(4), *l3 = new_table(3);
    const uint64_t good = scratch_pte(l3, UPPER);

    EXPECT_RC(set_entry(l4, L4_XEN_FIRST - 1, good), 0);
    EXPECT_RC(set_entry(l4, L4_XEN_LAST + 1, good), 0);
    EXPECT_RC(set_entry(l4, 0, good), 0);
    EXPECT_RC(set_entry(l4, 511, good), 0);
    for (unsigned int i = L4_XEN_FIRST; i <= L4_XEN_LAST; i++) {
        const uint64_t before = l4[i];

        EXPECT_RC(set_entry(l4, i, good), -EINVAL);
        EXPECT_RC(set_entry(l4, i, 0), -EINVAL);
        EXPECT_EQ(l4[i], before);
    }
}

/* What stands there before the page becomes a table is ignored and replaced. */
RULE(abi_upper, l4_slots_of_xen_are_filled_by_xen)
{
    uint64_t *l4 = scratch_page();
    const uint64_t bad = scratch_pte(l4, UPPER | UPPER_BAD);

    l4[260] = l4[L4_XEN_LAST] = bad;
    REQUIRE(scratch_readonly(l4) == 0);
    EXPECT_RC(pin(4, l4), 0);
    EXPECT_EQ(l4[260] & PTE_ADDR, live_l4()[260] & PTE_ADDR);
    EXPECT(l4[L4_XEN_LAST] != bad);

    EXPECT_RC(unpin(l4), 0);
    EXPECT_RC(set_entry(l4, L4_XEN_LAST + 1, bad), 0);
    EXPECT_RC(pin(4, l4), -EINVAL);
}

/*
 * xen/arch/x86/mm.c: do_mmu_update(): only entries of L1 tables may be about
 * another domain's frames.
 */
RULE(abi_upper, owner_of_the_data_is_for_l1_only)
{
    uint64_t *l1 = new_table(1);

    EXPECT_RC(set_at_owned(scratch_maddr(l1), 0, DOMID_IO), 0);
    for (unsigned int level = 2; level <= PT_LEVELS; level++) {
        uint64_t *table = new_table(level);

        EXPECT_RC(set_at_owned(scratch_maddr(table), 0, DOMID_SELF), 0);
        EXPECT_RC(set_at_owned(scratch_maddr(table), 0, DOMID_IO), -EINVAL);
    }
}

/*
 * Tables as pages: an entry may name a table of its own level, read-only, so
 * that the tables show up as memory ("linear page tables").  Whether that is
 * allowed is up to whoever built Xen (CONFIG_PV_LINEAR_PT) or started it
 * (pv-linear-pt=).  xen/arch/x86/mm.c: get_l2_linear_pagetable() and its kin.
 */
static void linear_is_readonly(struct test_run *run_, unsigned int level)
{
    uint64_t *table = new_table(level);
    const int rc = set_entry(table, 3, scratch_pte(table, UPPER_RO));

    EXPECT_RC(set_entry(table, 4, scratch_pte(table, UPPER)), -EINVAL);
    if (rc == -EINVAL)
        SKIP("this Xen has linear page tables turned off");
    EXPECT_RC(rc, 0);
    EXPECT_EQ(table[3] & PTE_ADDR, scratch_pte(table, 0));
    EXPECT_RC(set_entry(table, 3, 0), 0);
}

RULE(abi_upper, l2_table_names_itself_read_only)
{
    linear_is_readonly(run_, 2);
}

RULE(abi_upper, l3_table_names_itself_read_only)
{
    linear_is_readonly(run_, 3);
}

RULE(abi_upper, l4_table_names_itself_read_only)
{
    linear_is_readonly(run_, 4);
}

/* XSA-240: a chain of such entries would let Xen recurse without end. */
RULE(abi_upper, linear_entries_do_not_chain)
{
    uint64_t *a = new_table(4), *b = new_table(4), *c = new_table(4);

    if (set_entry(a, 3, scratch_pte(b, UPPER_RO)) == -EINVAL)
        SKIP("this Xen has linear page tables turned off");
    EXPECT_RC(set_entry(c, 3, scratch_pte(b, UPPER_RO)), 0);
    EXPECT_RC(set_entry(b, 3, scratch_pte(c, UPPER_RO)), -EINVAL);
    EXPECT_RC(set_entry(c, 4, scratch_pte(a, UPPER_RO)), -EINVAL);
}

/* In an address space that makes the L4 table readable at a fixed address. */
RULE(abi_upper, own_l4_can_be_read_through_itself)
{
    const uintptr_t slot = 300;
    const volatile uint64_t *self =
        (void *)(0xffff000000000000ul | slot << 39 | slot << 30 | slot << 21 |
                 slot << 12);
    const uint64_t entry = live_l4_entry(0).x & PTE_ADDR;
    uint64_t value = 0;

    EXPECT_RC(scratch_hook(live_l4_entry(slot), entry | UPPER), -EINVAL);
    EXPECT_EQ(probe_read(self, &value), -EFAULT);
    if (scratch_hook(live_l4_entry(slot), entry | UPPER_RO) == -EINVAL)
        SKIP("this Xen has linear page tables turned off");
    EXPECT_EQ(probe_read(&self[511], &value), 0);
    EXPECT_EQ(value & PTE_ADDR, live_l4()[511] & PTE_ADDR);
    EXPECT_RC(set_at(live_l4_entry(slot), 0), 0);
    EXPECT_EQ(probe_read(self, &value), -EFAULT);
}

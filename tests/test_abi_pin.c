/* SPDX-License-Identifier: MIT */
/* The rules for making tables: pinning, unpinning, and the base pointers. */
#include <arch/cpu.h>
#include <plinth/string.h>

#include "abi.h"

/*
 * Pinning.
 */

/* What makes a page a table of @level and of no other. */
static uint64_t *filled(unsigned int level)
{
    uint64_t *table = scratch_page();

    if (level == 1)
        table[0] = scratch_pte(scratch_page(), LEAF_RW);
    else
        table[0] = scratch_pte(new_table(level - 1), UPPER);
    if (scratch_readonly(table) != 0)
        return NULL;
    return table;
}

/* xen/arch/x86/mm.c: do_mmuext_op(): validates, takes a reference, marks. */
static void pin_is_for_one_level(struct test_run *run_, unsigned int level)
{
    uint64_t *table = filled(level);

    REQUIRE(table != NULL);
    for (unsigned int other = 1; other <= PT_LEVELS; other++)
        if (other > level)
            EXPECT_RC(pin(other, table), -EINVAL);
    EXPECT_RC(pin(level, table), 0);

    /* Now it has a type, and that excludes the others. */
    for (unsigned int other = 1; other <= PT_LEVELS; other++)
        if (other != level)
            EXPECT_RC(pin(other, table), -EINVAL);
    EXPECT_RC(unpin(table), 0);
}

RULE(abi_pin, l1_is_pinned_as_l1_only)
{
    pin_is_for_one_level(run_, 1);
}

RULE(abi_pin, l2_is_pinned_as_l2_only)
{
    pin_is_for_one_level(run_, 2);
}

RULE(abi_pin, l3_is_pinned_as_l3_only)
{
    pin_is_for_one_level(run_, 3);
}

RULE(abi_pin, l4_is_pinned_as_l4_only)
{
    pin_is_for_one_level(run_, 4);
}

/* A pin does not nest: PGT_pinned is one bit. */
RULE(abi_pin, second_pin_is_refused)
{
    uint64_t *table = new_readonly();

    EXPECT_RC(pin(2, table), 0);
    EXPECT_RC(pin(2, table), -EINVAL);
    EXPECT_RC(unpin(table), 0);
    EXPECT_RC(scratch_writable(table), 0);
}

RULE(abi_pin, unpin_wants_a_pin)
{
    uint64_t *table = new_readonly();

    EXPECT_RC(unpin(table), -EINVAL);
    EXPECT_RC(pin(3, table), 0);
    EXPECT_RC(unpin(table), 0);
    EXPECT_RC(unpin(table), -EINVAL);
}

/* _get_page_type(): the writable mapping is a type of its own. */
static void pin_wants_no_writable_mapping(struct test_run *run_,
                                          unsigned int level)
{
    uint64_t *l1 = new_table(1), *table = scratch_page();

    EXPECT_RC(pin(level, table), -EINVAL);
    EXPECT_RC(scratch_readonly(table), 0);

    /* The same page at another place counts as well. */
    EXPECT_RC(set_entry(l1, 0, scratch_pte(table, LEAF_RW)), 0);
    EXPECT_RC(pin(level, table), -EINVAL);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(table, LEAF_RO)), 0);
    EXPECT_RC(pin(level, table), 0);
}

RULE(abi_pin, l1_with_a_writable_mapping_is_refused)
{
    pin_wants_no_writable_mapping(run_, 1);
}

RULE(abi_pin, l2_with_a_writable_mapping_is_refused)
{
    pin_wants_no_writable_mapping(run_, 2);
}

RULE(abi_pin, l3_with_a_writable_mapping_is_refused)
{
    pin_wants_no_writable_mapping(run_, 3);
}

RULE(abi_pin, l4_with_a_writable_mapping_is_refused)
{
    pin_wants_no_writable_mapping(run_, 4);
}

/*
 * Pinning @table fails with @error because of entry @i; without that entry it
 * succeeds, so that nothing else was wrong.
 */
static void bad_entry(struct test_run *run_, unsigned int level,
                      uint64_t *table, unsigned int i, int error)
{
    REQUIRE(scratch_readonly(table) == 0);
    EXPECT_RC(pin(level, table), error);

    /* It has become nothing: an ordinary page, to be written as such. */
    EXPECT_RC(set_entry(table, i, 0), 0);
    EXPECT_RC(pin(level, table), 0);
}

/* xen/arch/x86/mm.c: promote_l1_table(): each entry is judged as an update. */
RULE(abi_pin, l1_that_maps_itself_writable_is_refused)
{
    uint64_t *table = scratch_page();

    table[511] = scratch_pte(table, LEAF_RW);
    bad_entry(run_, 1, table, 511, -EBUSY);
}

RULE(abi_pin, l1_that_maps_a_frame_of_xen_is_refused)
{
    uint64_t *table = scratch_page();

    table[17] = pte_make(frame_of_xen(), LEAF_RO).raw;
    bad_entry(run_, 1, table, 17, -EBUSY);
}

RULE(abi_pin, l1_that_maps_no_frame_is_refused)
{
    uint64_t *table = scratch_page();

    table[0] = PTE_ADDR | LEAF_RO;
    bad_entry(run_, 1, table, 0, -EINVAL);
}

RULE(abi_pin, l1_that_maps_another_table_writable_is_refused)
{
    uint64_t *table = scratch_page();

    table[1] = scratch_pte(new_table(4), LEAF_RW);
    bad_entry(run_, 1, table, 1, -EBUSY);
}

/* get_page_from_l1e(): who has no devices does not choose cacheability. */
RULE(abi_pin, l1_with_a_cache_bit_is_privileged)
{
    uint64_t *table = scratch_page();

    table[2] = scratch_pte(scratch_page(), LEAF_RO | PTE_PCD);
    if (is_dom0()) {
        REQUIRE(scratch_readonly(table) == 0);
        EXPECT_RC(pin(1, table), 0);
        EXPECT_RC(unpin(table), 0);
    } else {
        bad_entry(run_, 1, table, 2, -EINVAL);
    }
}

RULE(abi_pin, l2_with_a_large_page_is_refused)
{
    uint64_t *table = scratch_page();

    table[2] = scratch_pte(new_table(1), UPPER | PTE_PSE);
    bad_entry(run_, 2, table, 2, -EINVAL);
}

RULE(abi_pin, l2_with_a_writable_child_is_refused)
{
    uint64_t *table = scratch_page();

    table[3] = scratch_pte(scratch_page(), UPPER);
    bad_entry(run_, 2, table, 3, -EINVAL);
}

/* get_page_from_l3e() */
RULE(abi_pin, l3_with_a_large_page_is_refused)
{
    uint64_t *table = scratch_page();

    table[4] = scratch_pte(new_table(2), UPPER | PTE_PSE);
    bad_entry(run_, 3, table, 4, -EINVAL);
}

RULE(abi_pin, l3_with_a_child_of_the_wrong_level_is_refused)
{
    uint64_t *table = scratch_page();

    table[4] = scratch_pte(new_table(1), UPPER);
    bad_entry(run_, 3, table, 4, -EINVAL);
}

RULE(abi_pin, l4_with_a_frame_of_xen_is_refused)
{
    uint64_t *table = scratch_page();

    table[5] = pte_make(frame_of_xen(), UPPER).raw;
    bad_entry(run_, 4, table, 5, -EINVAL);
}

/* The entries before the bad one are let go of again. */
RULE(abi_pin, refused_table_holds_nothing)
{
    uint64_t *table = scratch_page(), *page = new_readonly();

    table[0] = scratch_pte(page, LEAF_RW);
    table[1] = scratch_pte(table, LEAF_RW);
    REQUIRE(scratch_readonly(table) == 0);
    EXPECT_RC(pin(1, table), -EBUSY);
    EXPECT_RC(pin(2, page), 0); /* not mapped writable */
    EXPECT_RC(unpin(page), 0);

    EXPECT_RC(set_entry(table, 1, 0), 0);
    EXPECT_RC(pin(1, table), 0);
    EXPECT_RC(pin(2, page), -EINVAL);
}

/* Pinning judges the entries and adjusts them, like an update. */
RULE(abi_pin, entries_of_a_new_table_are_adjusted)
{
    const uint64_t marks = PTE_USER | PTE_GLOBAL | PTE_GUEST_KERNEL;
    uint64_t *table = scratch_page(), *page = scratch_page();

    table[0] = scratch_pte(page, LEAF_RW);
    table[1] = scratch_pte(page, LEAF_RW | PTE_USER);
    REQUIRE(scratch_readonly(table) == 0);
    EXPECT_EQ(table[0] & marks, 0);
    EXPECT_RC(pin(1, table), 0);
    EXPECT_EQ(table[0] & marks, PTE_USER | PTE_GUEST_KERNEL);
    EXPECT_EQ(table[1] & marks, PTE_USER | PTE_GLOBAL);
}

RULE(abi_pin, pinned_table_cannot_be_written)
{
    uint64_t *table = filled(2);
    uint64_t before;

    REQUIRE(table != NULL);
    before = table[0];
    EXPECT_RC(pin(2, table), 0);
    EXPECT_EQ(probe_write(&table[0], 0), -EFAULT);
    EXPECT_RC(scratch_writable(table), -EBUSY);
    EXPECT_EQ(table[0] & PTE_ADDR, before & PTE_ADDR);

    EXPECT_RC(unpin(table), 0);
    EXPECT_RC(scratch_writable(table), 0);
    EXPECT_EQ(probe_write(&table[0], 0), 0);
}

/* put_page_and_type(): what a parent holds is a table with or without a pin. */
RULE(abi_pin, unpinned_table_stays_one_while_it_is_hooked)
{
    uint64_t *l2 = new_table(2), *l1 = new_table(1);

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(unpin(l1), 0);
    EXPECT_RC(scratch_writable(l1), -EBUSY);
    EXPECT_RC(pin(2, l1), -EINVAL);
    EXPECT_RC(set_entry(l2, 0, 0), 0);
    EXPECT_RC(scratch_writable(l1), 0);
}

RULE(abi_pin, pinned_table_stays_one_when_it_is_unhooked)
{
    uint64_t *l2 = new_table(2), *l1 = new_readonly();

    EXPECT_RC(set_entry(l2, 0, scratch_pte(l1, UPPER)), 0);
    EXPECT_RC(pin(1, l1), 0);
    EXPECT_RC(set_entry(l2, 0, 0), 0);
    EXPECT_RC(scratch_writable(l1), -EBUSY);
    EXPECT_RC(unpin(l1), 0);
    EXPECT_RC(scratch_writable(l1), 0);
}

/* Without a pin and a parent, the children go as well. */
RULE(abi_pin, unpinned_table_lets_go_of_its_children)
{
    uint64_t *l2 = scratch_page(), *l1 = new_readonly();

    l2[0] = scratch_pte(l1, UPPER);
    REQUIRE(scratch_readonly(l2) == 0);
    EXPECT_RC(pin(2, l2), 0);
    EXPECT_RC(scratch_writable(l1), -EBUSY);
    EXPECT_RC(unpin(l2), 0);
    EXPECT_RC(scratch_writable(l1), 0);
    EXPECT_RC(pin(2, l2), -EINVAL); /* the child is writable now */
}

/* A page that was a table of one level can become one of another. */
RULE(abi_pin, freed_table_may_change_its_level)
{
    uint64_t *table = new_readonly();

    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        EXPECT_RC(pin(level, table), 0);
        EXPECT_RC(pin(level % PT_LEVELS + 1, table), -EINVAL);
        EXPECT_RC(unpin(table), 0);

        /* Of an L4 Xen's entries stay behind. */
        EXPECT_RC(scratch_writable(table), 0);
        memset(table, 0, PAGE_SIZE);
        EXPECT_RC(scratch_readonly(table), 0);
    }
}

RULE(abi_pin, frame_of_another_cannot_be_pinned)
{
    uint64_t *table = new_readonly();
    const mfn_t other = frame_of_another_domain();
    const mfn_t shared = maddr_to_mfn(_maddr(start_info()->shared_info));

    EXPECT_RC(pin(1, table), 0);
    EXPECT_RC(ext_frame(MMUEXT_PIN_L1_TABLE, frame_of_xen()), -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_PIN_L1_TABLE, frame_beyond_memory()), -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_PIN_L1_TABLE, INVALID_MFN), -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_PIN_L1_TABLE, shared), -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_UNPIN_TABLE, frame_of_xen()), -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_UNPIN_TABLE, shared), -EINVAL);
    if (!mfn_eq(other, INVALID_MFN))
        EXPECT_RC(ext_frame(MMUEXT_PIN_L1_TABLE, other), -EINVAL);
}

/* PGT_seg_desc_page is not a table's type. */
RULE(abi_pin, descriptor_page_cannot_be_pinned)
{
    uint64_t *gdt = new_readonly();
    const uint64_t frame = mfn_x(scratch_mfn(gdt));

    EXPECT_RC(hypercall_set_gdt(&frame, 512), 0);
    EXPECT_RC(pin(1, gdt), -EINVAL);
    EXPECT_RC(hypercall_set_gdt(NULL, 0), 0);
    EXPECT_RC(pin(1, gdt), 0);
}

/*
 * The base pointers.
 */

/* A copy of the L4 in use, read-only: all that is mapped here, there too. */
static uint64_t *copy_of_l4(void)
{
    uint64_t *l4 = scratch_page();

    for (unsigned int i = 0; i < PT_ENTRIES; i++)
        if (i < L4_XEN_FIRST || i > L4_XEN_LAST)
            l4[i] = live_l4()[i];
    return scratch_readonly(l4) == 0 ? l4 : NULL;
}

static int run_on(const volatile void *l4)
{
    return ext_frame(MMUEXT_NEW_BASEPTR, scratch_mfn(l4));
}

static const void *running_on(void)
{
    return vaddr_to_ptr(_vaddr(start_info()->pt_base));
}

/* xen/arch/x86/mm.c: new_guest_cr3(). */
RULE(abi_pin, base_pointer_goes_to_another_l4_and_back)
{
    uint64_t *l4 = copy_of_l4();
    const mfn_t before = maddr_to_mfn(_maddr(read_cr3()));

    REQUIRE(l4 != NULL);
    EXPECT_RC(pin(4, l4), 0);
    EXPECT_RC(run_on(l4), 0);
    EXPECT_EQ(mfn_x(maddr_to_mfn(_maddr(read_cr3()))), mfn_x(scratch_mfn(l4)));
    EXPECT_RC(run_on(running_on()), 0);
    EXPECT_EQ(mfn_x(maddr_to_mfn(_maddr(read_cr3()))), mfn_x(before));
    EXPECT_RC(ext_frame(MMUEXT_NEW_BASEPTR, frame_of_xen()), -EINVAL);
}

RULE(abi_pin, base_pointer_wants_an_l4)
{
    const uint64_t cr3 = read_cr3();

    EXPECT_RC(run_on(running_on()), 0);
    for (unsigned int level = 1; level < PT_LEVELS; level++)
        EXPECT_RC(run_on(new_table(level)), -EINVAL);
    EXPECT_RC(run_on(scratch_page()), -EINVAL); /* writable */
    EXPECT_RC(ext_frame(MMUEXT_NEW_BASEPTR, INVALID_MFN), -EINVAL);
    EXPECT_EQ(read_cr3(), cr3);
}

/* It is judged like any L4: a bad entry, and one stays where one was. */
RULE(abi_pin, base_pointer_wants_a_valid_l4)
{
    uint64_t *l4 = copy_of_l4();
    const uint64_t cr3 = read_cr3();

    REQUIRE(l4 != NULL);
    EXPECT_RC(set_entry(l4, 9, scratch_pte(new_table(2), UPPER)), 0);
    EXPECT_RC(run_on(l4), -EINVAL);
    EXPECT_EQ(read_cr3(), cr3);
    EXPECT_RC(set_entry(l4, 9, 0), 0);
    EXPECT_RC(run_on(l4), 0);
    EXPECT_RC(run_on(running_on()), 0);
}

/* Being in use is a reference like a pin. */
RULE(abi_pin, l4_in_use_needs_no_pin)
{
    uint64_t *l4 = copy_of_l4();

    REQUIRE(l4 != NULL);
    EXPECT_RC(run_on(l4), 0);
    EXPECT_RC(scratch_writable(l4), -EBUSY);
    EXPECT_RC(unpin(l4), -EINVAL);
    EXPECT_RC(run_on(running_on()), 0);
    EXPECT_RC(scratch_writable(l4), 0);
}

/* The L4 given at boot is pinned, so it is still there to return to. */
RULE(abi_pin, l4_in_use_may_be_unpinned_and_pinned)
{
    EXPECT_RC(unpin(running_on()), 0);
    EXPECT_RC(unpin(running_on()), -EINVAL);
    EXPECT_RC(pin(4, running_on()), 0);
    EXPECT_RC(pin(4, running_on()), -EINVAL);
}

RULE(abi_pin, user_base_pointer_wants_an_l4)
{
    uint64_t *l4 = new_readonly();

    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, scratch_mfn(l4)), 0);
    EXPECT_RC(scratch_writable(l4), -EBUSY);
    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, scratch_mfn(new_table(3))),
              -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, frame_of_xen()), -EINVAL);
    EXPECT_RC(scratch_writable(l4), -EBUSY); /* still the old one */

    /* 0 is none; frame 0 could not be ours anyway. */
    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, _mfn(0)), 0);
    EXPECT_RC(scratch_writable(l4), 0);
}

/* The user's may be replaced without going through "none". */
RULE(abi_pin, replaced_user_base_is_free)
{
    uint64_t *one = new_readonly(), *two = new_readonly();

    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, scratch_mfn(one)), 0);
    EXPECT_RC(scratch_writable(one), -EBUSY);
    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, scratch_mfn(two)), 0);
    EXPECT_RC(scratch_writable(one), 0);
    EXPECT_RC(scratch_writable(two), -EBUSY);
}

/* There is always an L4 to run on. */
RULE(abi_pin, base_pointer_cannot_be_none)
{
    EXPECT_RC(ext_frame(MMUEXT_NEW_BASEPTR, _mfn(0)), -EINVAL);
    EXPECT_RC(run_on(running_on()), 0);
    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, _mfn(0)), 0);
}

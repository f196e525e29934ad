/* SPDX-License-Identifier: MIT */
/*
 * The rules for mmuext_op, but for pins and base pointers (test_abi_pin.c) and
 * the LDT (test_abi_desc.c).  All of it is xen/arch/x86/mm.c: do_mmuext_op().
 */
#include <plinth/features.h>
#include <plinth/fixmap.h>
#include <plinth/p2m.h>
#include <plinth/string.h>

#include "abi.h"

/* One operation, for @owner. */
static int ext_for(unsigned int cmd, unsigned int owner)
{
    const struct mmuext_op op = { .cmd = cmd };

    return hypercall_mmuext_op(&op, 1, NULL, owner);
}

/* One with a mask of vCPUs. */
static int ext_mask(unsigned int cmd, uintptr_t va, const void *mask)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.linear_addr = va };

    set_xen_guest_handle(op.arg2.vcpumask, mask);
    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/*
 * Whom it is for.
 */
RULE(abi_ext, own_number_is_unknown)
{
    EXPECT_RC(ext_for(MMUEXT_TLB_FLUSH_LOCAL, DOMID_SELF), 0);
    EXPECT_RC(ext_for(MMUEXT_TLB_FLUSH_LOCAL, own_domid()), -ESRCH);
    EXPECT_RC(ext_for(MMUEXT_TLB_FLUSH_LOCAL, DOMID_NOBODY), -ESRCH);
    EXPECT_RC(ext_for(MMUEXT_TLB_FLUSH_LOCAL, DOMID_INVALID), -ESRCH);
}

RULE(abi_ext, operations_on_another_domain_are_refused)
{
    static const unsigned int ops[] = {
        MMUEXT_PIN_L1_TABLE,   MMUEXT_UNPIN_TABLE,      MMUEXT_NEW_BASEPTR,
        MMUEXT_TLB_FLUSH_ALL,  MMUEXT_NEW_USER_BASEPTR, MMUEXT_SET_LDT,
        MMUEXT_TLB_FLUSH_LOCAL
    };

    EXPECT_RC(ext_for(MMUEXT_TLB_FLUSH_ALL, DOMID_SELF), 0);
    if (is_dom0())
        SKIP("dom0 is the only domain here");
    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
        EXPECT_RC(ext_for(ops[i], 0), -EPERM);
}

/*
 * Flushing.
 */
RULE(abi_ext, flushes_without_an_argument)
{
    EXPECT_RC(ext_for(MMUEXT_TLB_FLUSH_LOCAL, DOMID_SELF), 0);
    EXPECT_RC(ext_for(MMUEXT_TLB_FLUSH_ALL, DOMID_SELF), 0);
    EXPECT_RC(ext_for(MMUEXT_TLB_FLUSH_ALL, DOMID_NOBODY), -ESRCH);
}

/* vcpumask_to_pcpumask(): the mask is read; what it names may not exist. */
RULE(abi_ext, flush_of_some_vcpus_reads_their_mask)
{
    static const uint64_t me = 1, all = ~0ul, none = 0;

    EXPECT_RC(ext_mask(MMUEXT_TLB_FLUSH_MULTI, 0, &me), 0);
    EXPECT_RC(ext_mask(MMUEXT_TLB_FLUSH_MULTI, 0, &all), 0);
    EXPECT_RC(ext_mask(MMUEXT_TLB_FLUSH_MULTI, 0, &none), 0);
    EXPECT_RC(ext_mask(MMUEXT_TLB_FLUSH_MULTI, 0, UNMAPPED), -EINVAL);
    EXPECT_RC(ext_mask(MMUEXT_TLB_FLUSH_MULTI, 0, IN_HOLE), -EINVAL);
}

RULE(abi_ext, invlpg_of_some_vcpus_reads_their_mask)
{
    static const uint64_t me = 1;
    const uintptr_t va = vaddr_x(fixmap_va(FIX_TEST));

    EXPECT_RC(ext_mask(MMUEXT_INVLPG_MULTI, va, &me), 0);
    EXPECT_RC(ext_mask(MMUEXT_INVLPG_MULTI, va, UNMAPPED), -EINVAL);
    EXPECT_RC(ext_mask(MMUEXT_INVLPG_MULTI, (uintptr_t)IN_HOLE, &me), 0);
}

/* An address that one may not have mappings at is not there to be flushed. */
RULE(abi_ext, invlpg_in_xens_part_is_ignored)
{
    static const unsigned int ops[] = { MMUEXT_INVLPG_LOCAL,
                                        MMUEXT_INVLPG_ALL };

    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
        EXPECT_RC(ext_va(ops[i], vaddr_x(fixmap_va(FIX_TEST))), 0);
        EXPECT_RC(ext_va(ops[i], 0xffff800000000000ul), 0);
        EXPECT_RC(ext_va(ops[i], (uintptr_t)IN_HOLE), 0);
        EXPECT_RC(ext_va(ops[i], NON_CANONICAL), 0);
        EXPECT_RC(ext_for(ops[i], DOMID_NOBODY), -ESRCH);
    }
}

/*
 * Until it is flushed, a mapping that was taken away may still be there; after
 * that, it is not.  Each way to flush is tried on a page that was just in use.
 */
static void flush_is_seen(struct test_run *run_, unsigned int cmd)
{
    const vaddr_t va = fixmap_va(FIX_TEST);
    uint64_t *one = scratch_page(), *two = scratch_page();
    volatile uint64_t *there = vaddr_to_ptr(va);

    one[0] = 1;
    two[0] = 2;
    EXPECT_RC(hypercall_update_va_mapping(
                  va, (pte_t){ scratch_pte(one, LEAF_RW) }, UVMF_INVLPG),
              0);
    EXPECT_EQ(there[0], 1);
    EXPECT_RC(hypercall_update_va_mapping(
                  va, (pte_t){ scratch_pte(two, LEAF_RW) }, UVMF_NONE),
              0);
    EXPECT_RC(ext_va(cmd, vaddr_x(va)), 0);
    EXPECT_EQ(there[0], 2);
    EXPECT_RC(hypercall_update_va_mapping(va, (pte_t){ 0 }, UVMF_NONE), 0);
    EXPECT_RC(ext_va(cmd, vaddr_x(va)), 0);
    EXPECT_FAULT(TRAP_PF, (void)there[0]);
}

RULE(abi_ext, local_flush_is_seen)
{
    flush_is_seen(run_, MMUEXT_TLB_FLUSH_LOCAL);
}

RULE(abi_ext, local_invlpg_is_seen)
{
    flush_is_seen(run_, MMUEXT_INVLPG_LOCAL);
}

RULE(abi_ext, flush_of_all_is_seen)
{
    flush_is_seen(run_, MMUEXT_TLB_FLUSH_ALL);
}

RULE(abi_ext, invlpg_of_all_is_seen)
{
    flush_is_seen(run_, MMUEXT_INVLPG_ALL);
}

/* cache_flush_permitted(): for those with device memory. */
RULE(abi_ext, cache_flush_is_privileged)
{
    EXPECT_RC(ext_for(MMUEXT_FLUSH_CACHE, DOMID_SELF), is_dom0() ? 0 : -EACCES);
    EXPECT_RC(ext_for(MMUEXT_FLUSH_CACHE, DOMID_NOBODY), -ESRCH);
}

/* 4.14 and 4.17 have -EINVAL for it; 4.20 made the two operations one. */
RULE(abi_ext, global_cache_flush_is_privileged)
{
    const int refused = xen_since(20) ? -EACCES : -EINVAL;

    EXPECT_RC(ext_for(MMUEXT_FLUSH_CACHE_GLOBAL, DOMID_SELF),
              is_dom0() ? 0 : refused);
    EXPECT_RC(ext_for(MMUEXT_FLUSH_CACHE_GLOBAL, DOMID_NOBODY), -ESRCH);
}

/*
 * Clearing and copying: Xen writes by itself, so the page need not be mapped;
 * it must be one that could be.
 */
RULE(abi_ext, clear_page_wants_a_page_that_may_be_written)
{
    uint64_t *page = scratch_page(), *table = new_table(1);

    page[0] = page[511] = ~0ul;
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, scratch_mfn(page)), 0);
    EXPECT_EQ(page[0] | page[511], 0);
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, scratch_mfn(table)), -EINVAL);
}

RULE(abi_ext, clear_page_needs_no_writable_mapping)
{
    uint64_t *page = scratch_page();

    page[7] = 7;
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, scratch_mfn(page)), 0);
    EXPECT_EQ(page[7], 0);
    EXPECT_RC(pin(2, page), 0);
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, scratch_mfn(page)), -EINVAL);
}

RULE(abi_ext, clear_page_of_another_is_refused)
{
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, scratch_mfn(scratch_page())), 0);
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, frame_of_xen()), -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, frame_beyond_memory()), -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, INVALID_MFN), -EINVAL);
}

RULE(abi_ext, clear_page_of_descriptors_is_refused)
{
    uint64_t *gdt = new_readonly();
    const uint64_t frame = mfn_x(scratch_mfn(gdt));

    EXPECT_RC(hypercall_set_gdt(&frame, 512), 0);
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, scratch_mfn(gdt)), -EINVAL);
    EXPECT_RC(hypercall_set_gdt(NULL, 0), 0);
    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, scratch_mfn(gdt)), 0);
}

static int copy_frame(mfn_t to, mfn_t from)
{
    const struct mmuext_op op = {
        .cmd = MMUEXT_COPY_PAGE,
        .arg1.mfn = mfn_x(to),
        .arg2.src_mfn = mfn_x(from),
    };

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

RULE(abi_ext, copy_page_wants_a_target_that_may_be_written)
{
    uint64_t *from = scratch_page(), *to = scratch_page();
    uint64_t *table = new_table(3);

    from[100] = 100;
    EXPECT_RC(copy_frame(scratch_mfn(to), scratch_mfn(from)), 0);
    EXPECT_EQ(to[100], 100);
    EXPECT_RC(copy_frame(scratch_mfn(table), scratch_mfn(from)), -EINVAL);
    EXPECT_RC(copy_frame(frame_of_xen(), scratch_mfn(from)), -EINVAL);
    EXPECT_EQ(table[100], 0);
}

/* Reading is free to the owner: also of a table. */
RULE(abi_ext, copy_page_wants_a_source_of_ours)
{
    uint64_t *l1 = new_table(1), *to = scratch_page();

    EXPECT_RC(set_entry(l1, 5, scratch_pte(l1, LEAF_RO)), 0);
    EXPECT_RC(copy_frame(scratch_mfn(to), scratch_mfn(l1)), 0);
    EXPECT_EQ(to[5], l1[5]);
    EXPECT_RC(copy_frame(scratch_mfn(to), frame_of_xen()), -EINVAL);
    EXPECT_RC(copy_frame(scratch_mfn(to), frame_beyond_memory()), -EINVAL);
    EXPECT_EQ(to[5], l1[5]);
}

RULE(abi_ext, copy_page_of_another_domain_is_refused)
{
    const mfn_t other = frame_of_another_domain();
    uint64_t *from = scratch_page(), *to = scratch_page();

    EXPECT_RC(copy_frame(scratch_mfn(to), scratch_mfn(from)), 0);
    if (mfn_eq(other, INVALID_MFN))
        SKIP("no other domain has memory here");
    EXPECT_RC(copy_frame(scratch_mfn(to), other), -EINVAL);
    EXPECT_RC(copy_frame(other, scratch_mfn(from)), -EINVAL);
}

/*
 * Operations and their array.
 */

/* Large pages for guests were an option once. */
RULE(abi_ext, superpage_marks_are_gone)
{
    const mfn_t mfn = scratch_mfn(scratch_page());

    EXPECT_RC(ext_frame(MMUEXT_CLEAR_PAGE, mfn), 0);
    EXPECT_RC(ext_frame(MMUEXT_MARK_SUPER, mfn), -EOPNOTSUPP);
    EXPECT_RC(ext_frame(MMUEXT_UNMARK_SUPER, mfn), -EOPNOTSUPP);
}

RULE(abi_ext, unknown_operation_is_not_there)
{
    static const unsigned int unknown[] = { 14, MMUEXT_UNMARK_SUPER + 1, 1000,
                                            ~0u };

    EXPECT_RC(ext_frame(MMUEXT_TLB_FLUSH_LOCAL, _mfn(0)), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++)
        EXPECT_RC(ext_frame(unknown[i], _mfn(0)), -ENOSYS);
}

RULE(abi_ext, batch_stops_at_the_first_bad_operation)
{
    uint64_t *l1 = new_readonly(), *bad = scratch_page(), *l3 = new_readonly();
    struct mmuext_op op[3] = {
        { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = mfn_x(scratch_mfn(l1)) },
        { .cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = mfn_x(scratch_mfn(bad)) },
        { .cmd = MMUEXT_PIN_L3_TABLE, .arg1.mfn = mfn_x(scratch_mfn(l3)) },
    };
    unsigned int done = 0;

    EXPECT_RC(hypercall_mmuext_op(op, 3, &done, DOMID_SELF), -EINVAL);
    EXPECT_EQ(done, 1);
    EXPECT_RC(unpin(l1), 0);
    EXPECT_RC(unpin(l3), -EINVAL);

    REQUIRE(scratch_readonly(bad) == 0);
    EXPECT_RC(hypercall_mmuext_op(op, 3, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 3);
}

RULE(abi_ext, batch_of_none_is_done)
{
    unsigned int done = 7;

    EXPECT_RC(hypercall_mmuext_op(NULL, 0, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 0);
    EXPECT_RC(hypercall_mmuext_op(NULL, 0, NULL, DOMID_NOBODY), -ESRCH);
}

RULE(abi_ext, operations_must_be_readable)
{
    const struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    unsigned int done = 7;

    EXPECT_RC(hypercall_mmuext_op(&op, 1, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 1);
    EXPECT_RC(hypercall_mmuext_op(UNMAPPED, 1, &done, DOMID_SELF), -EFAULT);
    EXPECT_EQ(done, 0);
    EXPECT_RC(hypercall_mmuext_op(IN_HOLE, 1, NULL, DOMID_SELF), -EFAULT);
}

RULE(abi_ext, count_that_cannot_be_told_is_no_error)
{
    const struct mmuext_op good = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    const struct mmuext_op bad = { .cmd = 14 };

    EXPECT_RC(hypercall_mmuext_op(&good, 1, UNMAPPED, DOMID_SELF), 0);
    EXPECT_RC(hypercall_mmuext_op(&bad, 1, UNMAPPED, DOMID_SELF), -ENOSYS);
}

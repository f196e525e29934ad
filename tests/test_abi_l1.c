/* SPDX-License-Identifier: MIT */
/*
 * The rules for L1 entries: which frame, which bits, and how mmu_update and
 * update_va_mapping are to be called.  Most of it happens in a pinned L1 that
 * is in no address space, so that nothing depends on what an entry maps.
 */
#include <plinth/features.h>
#include <plinth/fixmap.h>
#include <plinth/linear.h>
#include <plinth/string.h>

#include "abi.h"

/*
 * Which frames may be mapped.
 */

/* xen/arch/x86/mm.c: _get_page_type(): a table has no writable mapping. */
static void table_is_mapped_readonly(struct test_run *run_, unsigned int level)
{
    uint64_t *l1 = new_table(1), *table = new_table(level);

    EXPECT_RC(set_entry(l1, 0, scratch_pte(table, LEAF_RO)), 0);
    EXPECT_RC(set_entry(l1, 0, 0), 0);

    /* As a new mapping, and by one bit of the one that is there. */
    EXPECT_RC(set_entry(l1, 0, scratch_pte(table, LEAF_RW)), -EBUSY);
    EXPECT_EQ(l1[0], 0);
    EXPECT_RC(scratch_writable(table), -EBUSY);

    EXPECT_RC(unpin(table), 0);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(table, LEAF_RW)), 0);
}

RULE(abi_l1, writable_mapping_of_an_l1_table_is_refused)
{
    table_is_mapped_readonly(run_, 1);
}

RULE(abi_l1, writable_mapping_of_an_l2_table_is_refused)
{
    table_is_mapped_readonly(run_, 2);
}

RULE(abi_l1, writable_mapping_of_an_l3_table_is_refused)
{
    table_is_mapped_readonly(run_, 3);
}

RULE(abi_l1, writable_mapping_of_an_l4_table_is_refused)
{
    table_is_mapped_readonly(run_, 4);
}

RULE(abi_l1, table_maps_itself_read_only)
{
    uint64_t *l1 = new_table(1);

    EXPECT_RC(set_entry(l1, 7, scratch_pte(l1, LEAF_RO)), 0);
    EXPECT_RC(set_entry(l1, 8, scratch_pte(l1, LEAF_RW)), -EBUSY);
    EXPECT_EQ(l1[8], 0);
}

/* PGT_seg_desc_page excludes PGT_writable_page like the tables' types. */
RULE(abi_l1, writable_mapping_of_a_descriptor_page_is_refused)
{
    uint64_t *l1 = new_table(1), *gdt = new_readonly();
    const uint64_t frame = mfn_x(scratch_mfn(gdt));

    EXPECT_RC(hypercall_set_gdt(&frame, 512), 0);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(gdt, LEAF_RO)), 0);
    EXPECT_RC(set_entry(l1, 1, scratch_pte(gdt, LEAF_RW)), -EBUSY);
    EXPECT_RC(scratch_writable(gdt), -EBUSY);

    EXPECT_RC(hypercall_set_gdt(NULL, 0), 0);
    EXPECT_RC(set_entry(l1, 1, scratch_pte(gdt, LEAF_RW)), 0);
}

/*
 * xen/arch/x86/mm.c: get_page_from_l1e(): a frame without an owner is not to
 * be had, writable or not.
 */
RULE(abi_l1, frame_of_xen_is_refused)
{
    uint64_t *l1 = new_table(1);
    const mfn_t xen = frame_of_xen();

    EXPECT_RC(set_entry(l1, 0, scratch_pte(l1, LEAF_RO)), 0);
    EXPECT_RC(set_entry(l1, 0, pte_make(xen, LEAF_RO).raw), -EBUSY);
    EXPECT_RC(set_entry(l1, 0, pte_make(xen, LEAF_RW).raw), -EBUSY);
    EXPECT_EQ(pte_mfn((pte_t){ l1[0] }).x, scratch_mfn(l1).x);
}

RULE(abi_l1, frame_of_another_domain_is_refused)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const mfn_t other = frame_of_another_domain();

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    if (mfn_eq(other, INVALID_MFN))
        SKIP("no other domain has memory here");
    EXPECT_RC(set_entry(l1, 1, pte_make(other, LEAF_RO).raw), -EBUSY);
    EXPECT_RC(set_entry(l1, 1, pte_make(other, LEAF_RW).raw), -EBUSY);
    EXPECT_EQ(l1[1], 0);
}

/* It is Xen's memory, but Xen has made us its owner: share_xen_page_with. */
RULE(abi_l1, shared_info_is_ours_to_map)
{
    uint64_t *l1 = new_table(1);
    const mfn_t shared = maddr_to_mfn(_maddr(start_info()->shared_info));

    EXPECT_RC(set_entry(l1, 0, pte_make(shared, LEAF_RW).raw), 0);
    EXPECT_RC(set_entry(l1, 1, pte_make(shared, LEAF_RO).raw), 0);

    /*
     * Others must not choose cacheability at all; the hardware domain may,
     * but not for pages that Xen itself has mapped as well.
     */
    EXPECT_RC(set_entry(l1, 2, pte_make(shared, LEAF_RW | PTE_PCD).raw),
              is_dom0() ? -EACCES : -EINVAL);
}

/*
 * xen/arch/x86/mm.c: get_page_from_l1e(): what is no memory counts as device
 * memory, for which one needs permission; the hardware domain has it.
 */
RULE(abi_l1, frame_beyond_memory_is_device_memory)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const uint64_t bad = pte_make(frame_beyond_memory(), LEAF_RW).raw;

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    EXPECT_RC(set_entry(l1, 1, bad), is_dom0() ? 0 : -EPERM);
    EXPECT_RC(set_entry(l1, 1, 0), 0);
}

/* The first MiB belongs to dom_io: mm.c: arch_init_memory(). */
RULE(abi_l1, frame_0_is_device_memory)
{
    uint64_t *l1 = new_table(1);

    EXPECT_RC(set_entry(l1, 0, scratch_pte(l1, LEAF_RO)), 0);
    EXPECT_RC(set_entry(l1, 1, LEAF_RO), is_dom0() ? 0 : -EPERM);
    EXPECT_RC(set_entry(l1, 1, 0), 0);
}

/* "No frame", by accident mapped, is not even device memory. */
RULE(abi_l1, the_invalid_frame_is_refused)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    EXPECT_RC(set_entry(l1, 0, PTE_ADDR | LEAF_RW), -EINVAL);
    EXPECT_EQ(pte_mfn((pte_t){ l1[0] }).x, scratch_mfn(page).x);
}

/* Bits of the address above the CPU's width: no permission covers them. */
RULE(abi_l1, address_beyond_the_cpus_width_is_refused)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const uint64_t good = scratch_pte(page, LEAF_RW);

    EXPECT_RC(set_entry(l1, 0, good), 0);
    EXPECT_RC(set_entry(l1, 1, good | 1ull << 51), -EPERM);
    EXPECT_EQ(l1[1], 0);
}

/*
 * Whom the frame belongs to.
 */

/* xen/arch/x86/mm.c: get_pg_owner(): for oneself there is DOMID_SELF. */
RULE(abi_l1, own_number_as_owner_is_unknown)
{
    uint64_t *l1 = new_table(1);
    const domid_t self = own_domid();
    const uint64_t good = scratch_pte(l1, LEAF_RO);

    REQUIRE(self < DOMID_FIRST_RESERVED);
    EXPECT_RC(set_at_owned(scratch_maddr(l1), good, DOMID_SELF), 0);
    EXPECT_RC(set_at_owned(scratch_maddr(l1), 0, self), -ESRCH);
    EXPECT_EQ(l1[0] & PTE_P, PTE_P);
}

RULE(abi_l1, unknown_owner_is_unknown)
{
    uint64_t *l1 = new_table(1);
    const uint64_t good = scratch_pte(l1, LEAF_RO);

    EXPECT_RC(set_at_owned(scratch_maddr(l1), good, DOMID_SELF), 0);
    EXPECT_RC(set_at_owned(scratch_maddr(l1), 0, DOMID_NOBODY), -ESRCH);
    EXPECT_RC(set_at_owned(scratch_maddr(l1), 0, DOMID_INVALID), -ESRCH);
}

/* With DOMID_IO an entry can name device memory or nothing, not memory. */
RULE(abi_l1, domid_io_is_for_device_memory)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const maddr_t entry = scratch_maddr(l1);
    const uint64_t device = pte_make(frame_beyond_memory(), LEAF_RW).raw;

    EXPECT_RC(set_at_owned(entry, device, DOMID_IO), is_dom0() ? 0 : -EPERM);
    EXPECT_RC(set_at_owned(entry, 0, DOMID_IO), 0);
    EXPECT_RC(set_at_owned(entry, scratch_pte(page, LEAF_RW), DOMID_IO),
              -EBUSY);
}

/* The upper half of the argument names the owner of the table, plus one. */
RULE(abi_l1, owner_of_the_table_is_named_plus_one)
{
    uint64_t *l1 = new_table(1);
    const domid_t self = own_domid();
    const uint64_t good = scratch_pte(l1, LEAF_RO);
    const maddr_t entry = scratch_maddr(l1);

    EXPECT_RC(set_at_owned(entry, good, (self + 1u) << 16 | DOMID_SELF), 0);
    EXPECT_RC(set_at_owned(entry, good, (DOMID_NOBODY + 1) << 16 | DOMID_SELF),
              -ESRCH);
}

/* xsm/dummy.h: xsm_mmu_update(): of another domain's, one must be the master. */
RULE(abi_l1, tables_of_another_domain_are_refused)
{
    uint64_t *l1 = new_table(1);
    const uint64_t good = scratch_pte(l1, LEAF_RO);
    const maddr_t entry = scratch_maddr(l1);

    EXPECT_RC(set_at_owned(entry, good, DOMID_SELF), 0);
    if (is_dom0())
        SKIP("dom0 is the only domain here");
    EXPECT_RC(set_at_owned(entry, good, (0 + 1) << 16 | DOMID_SELF), -EPERM);
    EXPECT_RC(set_at_owned(entry, good, 0), -EPERM);
}

/*
 * Which bits.
 */

/*
 * xen/arch/x86/pv/mm.h: l1_disallow_mask(): cacheability only for domains with
 * device memory of their own (cache_flush_permitted()).
 */
static void cacheability_is_privileged(struct test_run *run_, uint64_t bit)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const uint64_t good = scratch_pte(page, LEAF_RW);

    EXPECT_RC(set_entry(l1, 0, good), 0);
    EXPECT_RC(set_entry(l1, 0, good | bit), is_dom0() ? 0 : -EINVAL);
    EXPECT_EQ(l1[0] & bit, is_dom0() ? bit : 0);
}

RULE(abi_l1, pwt_is_privileged)
{
    cacheability_is_privileged(run_, PTE_PWT);
}

RULE(abi_l1, pcd_is_privileged)
{
    cacheability_is_privileged(run_, PTE_PCD);
}

/* Bit 7, which in upper levels makes a large page. */
RULE(abi_l1, pat_is_privileged)
{
    cacheability_is_privileged(run_, PTE_PSE);
}

/* All that a kernel may use for itself; Xen keeps it as it is. */
RULE(abi_l1, software_bits_are_kept)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const uint64_t soft = 7ull << 9 | 0x1full << 53 | 3ull << 60;
    const uint64_t free = soft & ~(1ull << 62);

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW) | free), 0);
    EXPECT_EQ(l1[0] & free, free);
    EXPECT_EQ(l1[0] & soft & ~free, 0);

    /* They excuse nothing. */
    EXPECT_RC(set_entry(l1, 0, scratch_pte(l1, LEAF_RW) | free), -EBUSY);
}

/*
 * xen/arch/x86/mm.c: _PAGE_GNTTAB: a debug build marks grant mappings with
 * bit 62 and lets nobody else use it.
 */
RULE(abi_l1, bit_62_is_free_in_release_builds)
{
    const uint64_t bit = 1ull << 62;
    uint64_t *l1 = new_table(1), *page = scratch_page();
    int rc;

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    rc = set_entry(l1, 0, scratch_pte(page, LEAF_RW) | bit);
    if (rc == -EINVAL)
        SKIP("this Xen is a debug build");
    EXPECT_RC(rc, 0);
    EXPECT_EQ(l1[0] & bit, bit);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(l1, LEAF_RW) | bit), -EBUSY);
}

/* Below text: there is an L1 table, and no NX above it. */
RULE(abi_l1, nx_is_kept_and_obeyed)
{
    uint8_t *page = scratch_page();
    const vaddr_t va = _vaddr(VIRT_BASE - PAGE_SIZE);
    const void *code = vaddr_to_ptr(va);
    const uint64_t entry = scratch_pte(page, PTE_P | PTE_A);

    page[0] = 0xc3; /* ret */
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(hypercall_update_va_mapping(va, (pte_t){ entry }, UVMF_INVLPG),
              0);
    EXPECT_FAULT(NO_TRAP, ((void (*)(void))(uintptr_t)code)());

    EXPECT_RC(
        hypercall_update_va_mapping(va, (pte_t){ entry | PTE_NX }, UVMF_INVLPG),
        0);
    EXPECT_FAULT(TRAP_PF, ((void (*)(void))(uintptr_t)code)());
    EXPECT_RC(hypercall_update_va_mapping(va, (pte_t){ 0 }, UVMF_INVLPG), 0);
}

/*
 * xen/arch/x86/pv/mm.h: adjust_guest_l1e(): the kernel runs in ring 3, so Xen
 * has its own mark for what is the kernel's; all else is the user's and global.
 */
RULE(abi_l1, entry_without_user_becomes_a_kernel_page)
{
    const uint64_t marks = PTE_USER | PTE_GLOBAL | PTE_GUEST_KERNEL;
    uint64_t *l1 = new_table(1), *page = scratch_page();

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    EXPECT_EQ(l1[0] & marks, PTE_USER | PTE_GUEST_KERNEL);

    /* So what one reads is not what one wrote, but may be written again. */
    EXPECT(l1[0] != scratch_pte(page, LEAF_RW));
    EXPECT(pte_same((pte_t){ l1[0] }, (pte_t){ scratch_pte(page, LEAF_RW) }));
    EXPECT_RC(set_entry(l1, 1, l1[0]), 0);
    EXPECT_EQ(l1[1], l1[0]);
}

RULE(abi_l1, entry_with_user_becomes_global)
{
    const uint64_t marks = PTE_USER | PTE_GLOBAL | PTE_GUEST_KERNEL;
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const uint64_t user = scratch_pte(page, LEAF_RW | PTE_USER);

    EXPECT_RC(set_entry(l1, 0, user), 0);
    EXPECT_EQ(l1[0] & marks, PTE_USER | PTE_GLOBAL);

    /* With the kernel's mark it is a kernel page all the same. */
    EXPECT_RC(set_entry(l1, 1, user | PTE_GUEST_KERNEL), 0);
    EXPECT_EQ(l1[1] & marks, PTE_USER | PTE_GUEST_KERNEL);
}

/* A global kernel page is no error; a debug build only warns. */
RULE(abi_l1, global_is_taken_as_given)
{
    const uint64_t marks = PTE_USER | PTE_GLOBAL | PTE_GUEST_KERNEL;
    uint64_t *l1 = new_table(1), *page = scratch_page();

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW | PTE_GLOBAL)), 0);
    EXPECT_EQ(l1[0] & marks, marks);
    EXPECT_RC(set_entry(l1, 0, scratch_pte(l1, LEAF_RW | PTE_GLOBAL)), -EBUSY);
}

/*
 * An entry that is not present holds whatever one likes, with one exception
 * (XSA-273): on a CPU with the L1TF bug Xen turns on shadow paging, or ends
 * the domain, when the address in it could be one of real memory.  These here
 * are safe on any CPU: no address, and all of its bits
 * (xen/arch/x86/pv/mm.h: is_l1tf_safe_maddr()).
 */
RULE(abi_l1, entry_that_is_not_present_is_kept_as_it_is)
{
    uint64_t *l1 = new_table(1);
    const uint64_t soft = PTE_RW | PTE_PCD | PTE_PWT | PTE_NX | 5ull << 9;
    const uint64_t high = PTE_ADDR | PTE_GLOBAL;

    EXPECT_RC(set_entry(l1, 0, soft), 0);
    EXPECT_EQ(l1[0], soft);
    EXPECT_RC(set_entry(l1, 1, high), 0);
    EXPECT_EQ(l1[1], high);
    EXPECT_RC(set_entry(l1, 1, high | PTE_P), -EINVAL);
    EXPECT_RC(set_entry(l1, 1, 0), 0);
}

/*
 * How the update is made.
 */

/* xen/arch/x86/pv/mm.h: update_intpte(): the CPU's notes survive, on demand. */
RULE(abi_l1, preserve_ad_keeps_what_the_cpu_noted)
{
    const uint64_t ad = PTE_A | PTE_D;
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const uint64_t clean = scratch_pte(page, LEAF_RW) & ~ad;
    const maddr_t keep =
        _maddr(maddr_x(scratch_maddr(l1)) | MMU_PT_UPDATE_PRESERVE_AD);

    EXPECT(xen_feature(XENFEAT_mmu_pt_update_preserve_ad));
    EXPECT_RC(set_entry(l1, 0, clean | ad), 0);
    EXPECT_RC(set_at(keep, clean), 0);
    EXPECT_EQ(l1[0] & ad, ad);

    EXPECT_RC(set_entry(l1, 0, clean), 0);
    EXPECT_EQ(l1[0] & ad, 0);
    EXPECT_RC(set_at(keep, scratch_pte(l1, LEAF_RW)), -EBUSY);
}

/* It is about what was noted, whichever frame the entry then names. */
RULE(abi_l1, preserve_ad_carries_over_to_another_frame)
{
    const uint64_t ad = PTE_A | PTE_D;
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const maddr_t keep =
        _maddr(maddr_x(scratch_maddr(l1)) | MMU_PT_UPDATE_PRESERVE_AD);

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    EXPECT_RC(set_at(keep, scratch_pte(l1, LEAF_RO) & ~ad), 0);
    EXPECT_EQ(l1[0] & ad, ad);
    EXPECT_RC(set_at(keep, pte_make(frame_of_xen(), LEAF_RO).raw), -EBUSY);
}

/*
 * xen/arch/x86/mm.c: mod_l1_entry(): the same frame with other flags needs no
 * look at the frame; RW is not one of these flags.
 */
RULE(abi_l1, flags_of_a_mapping_change_without_the_frame)
{
    uint64_t *l1 = new_table(1), *table = new_table(2);
    const uint64_t ro = scratch_pte(table, LEAF_RO);

    EXPECT_RC(set_entry(l1, 0, ro), 0);
    EXPECT_RC(set_entry(l1, 0, ro | PTE_D | 7ull << 9), 0);
    EXPECT_RC(set_entry(l1, 0, ro & ~(PTE_NX | PTE_A)), 0);
    EXPECT_EQ(l1[0] & (PTE_NX | PTE_A | PTE_D), 0);
    EXPECT_RC(set_entry(l1, 0, ro | PTE_RW), -EBUSY);
    EXPECT_EQ(l1[0] & PTE_RW, 0);
}

/* The lowest three bits of the address are the operation. */
RULE(abi_l1, unknown_operation_is_not_there)
{
    uint64_t *l1 = new_table(1);
    const uint64_t at = maddr_x(scratch_maddr(l1));
    const uint64_t good = scratch_pte(l1, LEAF_RO);

    EXPECT_RC(set_at(_maddr(at | MMU_NORMAL_PT_UPDATE), good), 0);
    EXPECT_RC(set_at(_maddr(at | MMU_PT_UPDATE_PRESERVE_AD), good), 0);
    EXPECT_RC(set_at(_maddr(at | 3), good), 0); /* ..._NO_TRANSLATE */
    for (unsigned int op = 4; op < 8; op++)
        EXPECT_RC(set_at(_maddr(at | op), good), -ENOSYS);
}

/* xen/arch/x86/mm.c: do_mmu_update(): get_page_from_gfn(). */
RULE(abi_l1, entry_in_a_frame_of_another_is_refused)
{
    uint64_t *l1 = new_table(1);

    EXPECT_RC(set_at(mfn_to_maddr(scratch_mfn(l1)), 0), 0);
    EXPECT_RC(set_at(mfn_to_maddr(frame_of_xen()), 0), -EINVAL);
    EXPECT_RC(set_at(mfn_to_maddr(frame_beyond_memory()), 0), -EINVAL);
    EXPECT_RC(set_at(_maddr(0), 0), -EINVAL);
}

RULE(abi_l1, entry_in_a_frame_of_another_domain_is_refused)
{
    uint64_t *l1 = new_table(1);
    const mfn_t other = frame_of_another_domain();

    EXPECT_RC(set_at(mfn_to_maddr(scratch_mfn(l1)), 0), 0);
    if (mfn_eq(other, INVALID_MFN))
        SKIP("no other domain has memory here");
    EXPECT_RC(set_at(mfn_to_maddr(other), 0), -EINVAL);
}

/* What is no table is memory: Xen stores the value and judges nothing. */
RULE(abi_l1, update_of_ordinary_memory_is_a_store)
{
    uint64_t *page = scratch_page(), *readonly = new_readonly();
    const uint64_t nonsense = scratch_pte(page, LEAF_RW | UPPER_BAD);

    EXPECT_RC(set_entry(page, 3, nonsense), 0);
    EXPECT_EQ(page[3], nonsense);

    /* Read-only here, but not for Xen: it is no table yet. */
    EXPECT_RC(set_entry(readonly, 3, ~0ull), 0);
    EXPECT_EQ(readonly[3], ~0ull);
    EXPECT_RC(set_entry(readonly, 3, 0), 0);

    EXPECT_RC(pin(1, readonly), 0);
    EXPECT_RC(set_entry(readonly, 3, ~0ull), -EINVAL);
    EXPECT_EQ(readonly[3], 0);
}

/* Descriptors have a hypercall of their own. */
RULE(abi_l1, update_of_a_descriptor_page_is_refused)
{
    uint64_t *gdt = new_readonly();
    const uint64_t frame = mfn_x(scratch_mfn(gdt));

    EXPECT_RC(set_entry(gdt, 0, 0), 0);
    EXPECT_RC(hypercall_set_gdt(&frame, 512), 0);
    EXPECT_RC(set_entry(gdt, 0, 0), -EINVAL);
    EXPECT_RC(hypercall_set_gdt(NULL, 0), 0);
    EXPECT_RC(set_entry(gdt, 0, 0), 0);
}

/*
 * Batches.
 */
static void request(struct mmu_update *req, volatile uint64_t *entry,
                    uint64_t value)
{
    req->ptr = maddr_x(scratch_maddr(entry));
    req->val = value;
}

RULE(abi_l1, batch_stops_at_the_first_bad_entry)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const uint64_t good = scratch_pte(page, LEAF_RW);
    struct mmu_update req[3];
    unsigned int done = 0;

    for (unsigned int i = 0; i < 3; i++)
        request(&req[i], &l1[i], good);
    EXPECT_RC(hypercall_mmu_update(req, 3, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 3);

    for (unsigned int i = 0; i < 3; i++)
        request(&req[i], &l1[10 + i], good);
    req[1].val = scratch_pte(l1, LEAF_RW);
    EXPECT_RC(hypercall_mmu_update(req, 3, &done, DOMID_SELF), -EBUSY);
    EXPECT_EQ(done, 1);
    EXPECT(l1[10] & PTE_P);
    EXPECT_EQ(l1[11], 0);
    EXPECT_EQ(l1[12], 0);
}

RULE(abi_l1, batch_of_none_is_done)
{
    unsigned int done = 7;

    EXPECT_RC(hypercall_mmu_update(NULL, 0, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 0);

    /* Whose they would be is looked at nevertheless. */
    EXPECT_RC(hypercall_mmu_update(NULL, 0, NULL, DOMID_NOBODY), -ESRCH);
}

/* xen/arch/x86/mm.c: do_mmu_update(): guest_handle_okay(), copy_from_guest. */
RULE(abi_l1, requests_must_be_readable)
{
    uint64_t *l1 = new_table(1);
    struct mmu_update req;
    unsigned int done = 7;

    request(&req, l1, scratch_pte(l1, LEAF_RO));
    EXPECT_RC(hypercall_mmu_update(&req, 1, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 1);
    EXPECT_RC(hypercall_mmu_update(UNMAPPED, 1, &done, DOMID_SELF), -EFAULT);
    EXPECT_EQ(done, 0);
    EXPECT_RC(hypercall_mmu_update(IN_HOLE, 1, NULL, DOMID_SELF), -EFAULT);
}

/* Each request is fetched when its turn comes. */
RULE(abi_l1, requests_that_end_in_a_gap_are_done_up_to_it)
{
    uint64_t *l1 = new_table(1);
    char *page = scratch_page();
    void *gap = scratch_page();
    struct mmu_update *req = (void *)(page + PAGE_SIZE - sizeof(*req));
    unsigned int done = 0;

    REQUIRE((char *)gap == page + PAGE_SIZE);
    request(req, l1, scratch_pte(l1, LEAF_RO));
    EXPECT_RC(hypercall_mmu_update(req, 1, &done, DOMID_SELF), 0);
    EXPECT_RC(set_entry(l1, 0, 0), 0);

    EXPECT_RC(scratch_unmap(gap), 0);
    EXPECT_RC(hypercall_mmu_update(req, 2, &done, DOMID_SELF), -EFAULT);
    EXPECT_EQ(done, 1);
    EXPECT(l1[0] & PTE_P);
}

/* The count is told as a courtesy: whether it arrives is not looked at. */
RULE(abi_l1, count_that_cannot_be_told_is_no_error)
{
    uint64_t *l1 = new_table(1);
    struct mmu_update req;

    request(&req, l1, scratch_pte(l1, LEAF_RO));
    EXPECT_RC(hypercall_mmu_update(&req, 1, UNMAPPED, DOMID_SELF), 0);
    EXPECT(l1[0] & PTE_P);
    request(&req, l1, scratch_pte(l1, LEAF_RW));
    EXPECT_RC(hypercall_mmu_update(&req, 1, UNMAPPED, DOMID_SELF), -EBUSY);
}

/* A later entry may rely on an earlier one. */
RULE(abi_l1, batch_is_done_in_order)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    struct mmu_update req[2];
    unsigned int done = 0;

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    REQUIRE(scratch_readonly(page) == 0);

    /* Type L1 wants the writable mapping gone: first things first. */
    request(&req[0], l1, 0);
    request(&req[1], &l1[1], scratch_pte(page, LEAF_RO));
    EXPECT_RC(pin(1, page), -EINVAL);
    EXPECT_RC(hypercall_mmu_update(req, 2, &done, DOMID_SELF), 0);
    EXPECT_RC(pin(1, page), 0);

    request(&req[0], &l1[1], scratch_pte(page, LEAF_RW));
    request(&req[1], &l1[1], 0);
    EXPECT_RC(hypercall_mmu_update(req, 2, &done, DOMID_SELF), -EBUSY);
    EXPECT_EQ(done, 0);
    EXPECT(l1[1] & PTE_P);
}

/*
 * update_va_mapping.
 */
static int map_at(uintptr_t va, uint64_t value, unsigned long flags)
{
    return hypercall_update_va_mapping(_vaddr(va), (pte_t){ value }, flags);
}

/* xen/arch/x86/pv/mm.c: map_guest_l1e(). */
RULE(abi_l1, va_in_xens_part_has_no_entry)
{
    EXPECT_RC(map_at(vaddr_x(fixmap_va(FIX_TEST)), 0, 0), 0);
    EXPECT_RC(map_at((uintptr_t)IN_HOLE, 0, 0), -EINVAL);
    EXPECT_RC(map_at(0xffff800000000000ul, 0, 0), -EINVAL);
}

RULE(abi_l1, va_without_an_l1_table_has_no_entry)
{
    void *page = scratch_page();
    const uint64_t good = scratch_pte(page, LEAF_RW);

    EXPECT_RC(map_at(vaddr_x(fixmap_va(FIX_TEST)), good, UVMF_INVLPG), 0);
    EXPECT_RC(map_at(PAGE_SIZE, good, UVMF_INVLPG), -EINVAL);
    EXPECT_RC(map_at(0x7ffffffff000ul, good, UVMF_INVLPG), -EINVAL);
    EXPECT_RC(map_at(0xffff900000000000ul, good, UVMF_INVLPG), -EINVAL);
}

RULE(abi_l1, va_that_is_not_canonical_has_no_entry)
{
    EXPECT_RC(map_at(vaddr_x(fixmap_va(FIX_TEST)), 0, 0), 0);
    EXPECT_RC(map_at(NON_CANONICAL, 0, 0), -EINVAL);
    EXPECT_RC(map_at(0x0000800000000000ul, 0, 0), -EINVAL);
}

/* The page it maps counts, not the byte. */
RULE(abi_l1, va_need_not_be_aligned)
{
    uint64_t *page = scratch_page();
    const uintptr_t va = vaddr_x(fixmap_va(FIX_TEST));

    page[0] = 0x5a5a;
    EXPECT_RC(map_at(va + 0x123, scratch_pte(page, LEAF_RO), UVMF_INVLPG), 0);
    EXPECT_EQ(*(volatile uint64_t *)va, 0x5a5a);
    EXPECT_RC(map_at(va + PAGE_SIZE - 1, LEAF_RO | PTE_ADDR, UVMF_INVLPG),
              -EINVAL);
}

/* Its entry is judged as mmu_update judges it. */
RULE(abi_l1, va_mapping_obeys_the_rules_of_entries)
{
    const uintptr_t va = vaddr_x(fixmap_va(FIX_TEST));
    uint64_t *table = new_table(3);

    EXPECT_RC(map_at(va, scratch_pte(table, LEAF_RO), UVMF_INVLPG), 0);
    EXPECT_RC(map_at(va, scratch_pte(table, LEAF_RW), UVMF_INVLPG), -EBUSY);
    EXPECT_RC(map_at(va, pte_make(frame_of_xen(), LEAF_RO).raw, 0), -EBUSY);
    EXPECT_RC(map_at(va, PTE_ADDR | LEAF_RO, 0), -EINVAL);
}

RULE(abi_l1, every_way_to_flush_is_accepted)
{
    static const unsigned long all = ~0ul;
    static const unsigned long kinds[] = { UVMF_NONE, UVMF_TLB_FLUSH,
                                           UVMF_INVLPG, UVMF_FLUSHTYPE_MASK };
    const uintptr_t va = vaddr_x(fixmap_va(FIX_TEST));
    uint64_t *page = scratch_page();
    const uint64_t good = scratch_pte(page, LEAF_RW);

    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        EXPECT_RC(map_at(va, good, kinds[i] | UVMF_LOCAL), 0);
        EXPECT_RC(map_at(va, good, kinds[i] | UVMF_ALL), 0);
        EXPECT_RC(map_at(va, good, kinds[i] | (uintptr_t)&all), 0);
    }
    EXPECT_RC(map_at(va, PTE_ADDR | LEAF_RW, UVMF_INVLPG | UVMF_ALL), -EINVAL);
}

/* Each of them makes the change seen at once; a page in use is put elsewhere. */
RULE(abi_l1, va_mapping_flushes_what_it_changes)
{
    static const unsigned long all = ~0ul;
    static const unsigned long kinds[] = { UVMF_TLB_FLUSH, UVMF_INVLPG };
    const uintptr_t va = vaddr_x(fixmap_va(FIX_TEST));
    volatile uint64_t *there = fixmap_ptr(FIX_TEST);
    uint64_t *one = scratch_page(), *two = scratch_page();
    const uint64_t first = scratch_pte(one, LEAF_RW);
    const uint64_t second = scratch_pte(two, LEAF_RW);

    one[0] = 1;
    two[0] = 2;
    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        const unsigned long whom[] = { UVMF_LOCAL, UVMF_ALL, (uintptr_t)&all };

        for (unsigned int j = 0; j < ARRAY_SIZE(whom); j++) {
            EXPECT_RC(map_at(va, first, kinds[i] | whom[j]), 0);
            EXPECT_EQ(*there, 1);
            EXPECT_RC(map_at(va, second, kinds[i] | whom[j]), 0);
            EXPECT_EQ(*there, 2);
        }
    }
}

/*
 * xen/arch/x86/mm.c: __do_update_va_mapping(): the flush comes last, and what
 * is wrong with it undoes nothing.
 */
RULE(abi_l1, unreadable_vcpu_mask_is_found_after_the_change)
{
    static const unsigned long all = ~0ul;
    const uintptr_t va = vaddr_x(fixmap_va(FIX_TEST));
    const unsigned long nowhere = (uintptr_t)UNMAPPED;
    volatile uint64_t *there = fixmap_ptr(FIX_TEST);
    uint64_t *page = scratch_page(), *other = scratch_page(), value;

    page[0] = 1;
    other[0] = 2;
    EXPECT_RC(
        map_at(va, scratch_pte(page, LEAF_RW), UVMF_INVLPG | (uintptr_t)&all),
        0);
    EXPECT_EQ(*there, 1);
    EXPECT_RC(map_at(va, scratch_pte(other, LEAF_RW), UVMF_INVLPG | nowhere),
              -EFAULT);
    EXPECT_RC(ext_va(MMUEXT_INVLPG_LOCAL, va), 0);
    EXPECT_EQ(*there, 2);

    /* Nor is the mask looked at when no flush is asked for. */
    EXPECT_RC(map_at(va, 0, UVMF_NONE | nowhere), 0);
    EXPECT_RC(ext_va(MMUEXT_INVLPG_LOCAL, va), 0);
    EXPECT_EQ(probe_read(there, &value), -EFAULT);
}

RULE(abi_l1, va_mapping_for_another_names_its_domain)
{
    const vaddr_t va = fixmap_va(FIX_TEST);
    uint64_t *page = scratch_page();
    const pte_t good = { scratch_pte(page, LEAF_RW) };

    EXPECT_RC(hypercall_update_va_mapping_otherdomain(va, good, UVMF_INVLPG,
                                                      DOMID_SELF),
              0);
    EXPECT_RC(hypercall_update_va_mapping_otherdomain(va, good, UVMF_INVLPG,
                                                      own_domid()),
              -ESRCH);
    EXPECT_RC(hypercall_update_va_mapping_otherdomain(va, good, UVMF_INVLPG,
                                                      DOMID_NOBODY),
              -ESRCH);
}

/* SPDX-License-Identifier: MIT */
/*
 * The rules for the M2P, Xen's table of which pfn a machine frame has: each
 * domain writes the entries of its own frames, by MMU_MACHPHYS_UPDATE, and
 * reads all of it.
 */
#include <plinth/kaddr.h>
#include <plinth/p2m.h>

#include "abi.h"

#define OTHER_PFN 0x12345u

static int set_m2p(mfn_t mfn, uint64_t pfn)
{
    return set_at(_maddr(maddr_x(mfn_to_maddr(mfn)) | MMU_MACHPHYS_UPDATE),
                  pfn);
}

static const volatile uint64_t *m2p_entry(mfn_t mfn)
{
    return (const volatile uint64_t *)MACH2PHYS_VIRT_START + mfn_x(mfn);
}

/* xen/arch/x86/mm.c: do_mmu_update(): the value is believed as it is. */
RULE(abi_m2p, entry_of_an_own_frame_is_ours_to_write)
{
    const mfn_t mfn = scratch_mfn(scratch_page());
    const uint64_t before = *m2p_entry(mfn);

    EXPECT_RC(set_m2p(mfn, OTHER_PFN), 0);
    EXPECT_EQ(*m2p_entry(mfn), OTHER_PFN);
    EXPECT_RC(set_m2p(mfn, before), 0);
    EXPECT_EQ(*m2p_entry(mfn), before);
    EXPECT_RC(set_m2p(frame_of_xen(), OTHER_PFN), -EINVAL);
    EXPECT(*m2p_entry(frame_of_xen()) != OTHER_PFN);
}

/* The hint misleads no one who asks both tables. */
RULE(abi_m2p, entry_that_lies_is_not_believed)
{
    uint64_t *page = scratch_page();
    const mfn_t mfn = scratch_mfn(page);
    const pfn_t pfn = kaddr_pfn(page);

    EXPECT_EQ(pfn_x(m2p_lookup(mfn)), pfn_x(pfn));
    EXPECT_RC(set_m2p(mfn, pfn_x(pfn) - 1), 0);
    EXPECT_EQ(pfn_x(m2p_raw(mfn)), pfn_x(pfn) - 1);
    EXPECT(pfn_eq(m2p_lookup(mfn), INVALID_PFN));
    EXPECT_RC(set_m2p(mfn, pfn_x(pfn)), 0);
}

RULE(abi_m2p, entry_of_no_frame_cannot_be_written)
{
    const mfn_t mfn = scratch_mfn(scratch_page());

    EXPECT_RC(set_m2p(mfn, *m2p_entry(mfn)), 0);
    EXPECT_RC(set_m2p(frame_beyond_memory(), OTHER_PFN), -EINVAL);
    EXPECT_RC(set_m2p(_mfn(0), OTHER_PFN), -EINVAL);
}

RULE(abi_m2p, entry_of_another_domains_frame_cannot_be_written)
{
    const mfn_t mfn = scratch_mfn(scratch_page());
    const mfn_t other = frame_of_another_domain();

    EXPECT_RC(set_m2p(mfn, *m2p_entry(mfn)), 0);
    if (mfn_eq(other, INVALID_MFN))
        SKIP("no other domain has memory here");
    EXPECT_RC(set_m2p(other, OTHER_PFN), -EINVAL);
}

/* The frame counts: any address in it will do, and its type is of no matter. */
RULE(abi_m2p, any_address_in_the_frame_will_do)
{
    uint64_t *table = new_table(2);
    const mfn_t mfn = scratch_mfn(table);
    const uint64_t pfn = *m2p_entry(mfn);
    const uint64_t last = maddr_x(scratch_maddr(&table[511]));

    EXPECT_RC(set_at(_maddr(last | MMU_MACHPHYS_UPDATE), OTHER_PFN), 0);
    EXPECT_EQ(*m2p_entry(mfn), OTHER_PFN);
    EXPECT_EQ(table[511], 0);
    EXPECT_RC(set_m2p(mfn, pfn), 0);

    /* As an entry of the table the same value is refused. */
    EXPECT_RC(set_at(_maddr(last), OTHER_PFN), -EINVAL);
}

/* The upper half of the last argument is for page tables only. */
RULE(abi_m2p, owner_of_tables_is_oneself)
{
    const mfn_t mfn = scratch_mfn(scratch_page());
    const maddr_t at = _maddr(maddr_x(mfn_to_maddr(mfn)) | MMU_MACHPHYS_UPDATE);
    const uint64_t pfn = *m2p_entry(mfn);
    const unsigned int self = (own_domid() + 1u) << 16 | DOMID_SELF;

    EXPECT_RC(set_at_owned(at, pfn, self), 0);
    EXPECT_RC(set_at_owned(at, pfn, own_domid()), -ESRCH);
    if (!is_dom0())
        EXPECT_RC(set_at_owned(at, pfn, 1u << 16 | DOMID_SELF), -EPERM);
}

/* Of DOMID_IO is the first MiB; it has frames, but not ours. */
RULE(abi_m2p, owner_must_own_the_frame)
{
    const mfn_t mfn = scratch_mfn(scratch_page());
    const maddr_t at = _maddr(maddr_x(mfn_to_maddr(mfn)) | MMU_MACHPHYS_UPDATE);

    EXPECT_RC(set_at_owned(at, *m2p_entry(mfn), DOMID_SELF), 0);
    EXPECT_RC(set_at_owned(at, *m2p_entry(mfn), DOMID_IO), -EINVAL);
}

/* Tables and M2P in one batch, as whoever takes memory over has it. */
RULE(abi_m2p, batch_may_mix_both_kinds)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const mfn_t mfn = scratch_mfn(page);
    const uint64_t m2p = maddr_x(mfn_to_maddr(mfn)) | MMU_MACHPHYS_UPDATE;
    struct mmu_update req[2] = {
        { .ptr = m2p, .val = *m2p_entry(mfn) },
        { .ptr = maddr_x(scratch_maddr(l1)),
          .val = scratch_pte(page, LEAF_RW) },
    };
    unsigned int done = 0;

    EXPECT_RC(hypercall_mmu_update(req, 2, &done, DOMID_SELF), 0);
    EXPECT_EQ(done, 2);
    req[0].ptr = maddr_x(mfn_to_maddr(frame_of_xen())) | MMU_MACHPHYS_UPDATE;
    req[1].val = 0;
    EXPECT_RC(hypercall_mmu_update(req, 2, &done, DOMID_SELF), -EINVAL);
    EXPECT_EQ(done, 0);
    EXPECT(l1[0] & PTE_P);
}

/* Guests read it through slot 256 of their L4, which is Xen's and read-only. */
RULE(abi_m2p, table_is_read_only)
{
    const mfn_t mfn = scratch_mfn(scratch_page());
    uint64_t *entry = (uint64_t *)MACH2PHYS_VIRT_START + mfn_x(mfn);
    uint64_t value = 0;

    EXPECT_EQ(probe_read(entry, &value), 0);
    EXPECT_EQ(probe_write(entry, value), -EFAULT);
}

/* Where there is no memory there is no table. */
RULE(abi_m2p, hole_cannot_be_read)
{
    const mfn_t mfn = scratch_mfn(scratch_page());
    uint64_t value;

    EXPECT_EQ(probe_read(m2p_entry(mfn), &value), 0);
    EXPECT_EQ(probe_read(m2p_entry(frame_beyond_memory()), &value), -EFAULT);
    EXPECT_EQ(probe_read((void *)(MACH2PHYS_VIRT_END - 8), &value), -EFAULT);
}

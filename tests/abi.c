/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/features.h>
#include <plinth/p2m.h>

#include "abi.h"

LEDGER(scratch_pages, scratch_in_use);

bool xen_since(unsigned int minor)
{
    return xen_identity()->major > 4 || xen_identity()->minor >= minor;
}

int set_entry(volatile uint64_t *table, unsigned int i, uint64_t value)
{
    return set_at(scratch_maddr(&table[i]), value);
}

int pin(unsigned int level, const volatile void *page)
{
    return ext_frame(pin_op(level), scratch_mfn(page));
}

int unpin(const volatile void *page)
{
    return ext_frame(MMUEXT_UNPIN_TABLE, scratch_mfn(page));
}

uint64_t *new_readonly(void)
{
    uint64_t *page = scratch_page();
    const int rc = scratch_readonly(page);

    if (rc != 0)
        panic("abi: a page cannot be made read-only: %s", errno_name(rc));
    return page;
}

uint64_t *new_table(unsigned int level)
{
    uint64_t *table = new_readonly();
    const int rc = pin(level, table);

    if (rc != 0)
        panic("abi: an empty L%u cannot be pinned: %s", level, errno_name(rc));
    return table;
}

maddr_t live_l4_entry(unsigned int i)
{
    return scratch_maddr(&live_l4()[i]);
}

/*
 * Slot 260 of each L4 leads to Xen's own tables for this domain: memory that
 * no domain owns.  arch/x86/x86_64/mm.c: create_perdomain_mapping().
 */
mfn_t frame_of_xen(void)
{
    return pte_mfn((pte_t){ live_l4()[260] });
}

/* The M2P knows a pfn for it, and our P2M disagrees. */
mfn_t frame_of_another_domain(void)
{
    const uint64_t max = hypercall_memory_op(XENMEM_maximum_ram_page, NULL);

    for (uint64_t n = 0; n < max; n++) {
        const mfn_t mfn = _mfn(n);
        const pfn_t pfn = m2p_raw(mfn);

        if (!pfn_eq(pfn, INVALID_PFN) && pfn_x(pfn) < 1ul << 32 &&
            !mfn_eq(p2m_lookup(pfn), mfn))
            return mfn;
    }
    return INVALID_MFN;
}

/* At 512 GiB. */
mfn_t frame_beyond_memory(void)
{
    return _mfn(1ul << 27);
}

/* SPDX-License-Identifier: MIT */
#include <plinth/errno.h>
#include <plinth/p2m.h>
#include <plinth/start_info.h>
#include <plinth/trap.h>

uint64_t p2m_size(void)
{
    return start_info()->nr_pages;
}

static uint64_t *table(void)
{
    return (uint64_t *)start_info()->mfn_list;
}

mfn_t p2m_lookup(pfn_t pfn)
{
    uint64_t entry;

    if (pfn_x(pfn) >= p2m_size())
        return INVALID_MFN;
    entry = table()[pfn_x(pfn)];
    return p2m_is_frame(entry) ? _mfn(entry) : INVALID_MFN;
}

int p2m_set(pfn_t pfn, mfn_t mfn)
{
    if (pfn_x(pfn) >= p2m_size())
        return -EINVAL;
    table()[pfn_x(pfn)] = mfn_x(mfn);
    return 0;
}

pfn_t m2p_raw(mfn_t mfn)
{
    const uint64_t *m2p = (const uint64_t *)MACH2PHYS_VIRT_START;
    uint64_t pfn;

    if (mfn_x(mfn) >= MACH2PHYS_NR_ENTRIES)
        return INVALID_PFN;
    if (probe_read(&m2p[mfn_x(mfn)], &pfn) != 0)
        return INVALID_PFN;
    return _pfn(pfn);
}

pfn_t m2p_lookup(mfn_t mfn)
{
    const pfn_t pfn = m2p_raw(mfn);

    /* "None" equals "none" in both tables, and says nothing. */
    if (mfn_eq(mfn, INVALID_MFN) || pfn_eq(pfn, INVALID_PFN))
        return INVALID_PFN;
    return mfn_eq(p2m_lookup(pfn), mfn) ? pfn : INVALID_PFN;
}

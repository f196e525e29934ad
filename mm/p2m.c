/* SPDX-License-Identifier: MIT */
#include <plinth/errno.h>
#include <plinth/p2m.h>
#include <plinth/start_info.h>
#include <plinth/trap.h>

int p2m_set(pfn_t pfn, mfn_t mfn)
{
    if (pfn_x(pfn) >= p2m_size())
        return -EINVAL;
    ((uint64_t *)start_info()->mfn_list)[pfn_x(pfn)] = mfn_x(mfn);
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

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

/* What the M2P says; all ones where it says nothing, or has a hole. */
static __always_inline uint64_t read_m2p(mfn_t mfn)
{
    const uint64_t *m2p = (const uint64_t *)MACH2PHYS_VIRT_START;

    if (unlikely(mfn_x(mfn) >= MACH2PHYS_NR_ENTRIES))
        return pfn_x(INVALID_PFN);
    return probe_read_or(&m2p[mfn_x(mfn)], pfn_x(INVALID_PFN));
}

pfn_t m2p_raw(mfn_t mfn)
{
    return _pfn(read_m2p(mfn));
}

pfn_t m2p_lookup(mfn_t mfn)
{
    const uint64_t *p2m = (const uint64_t *)start_info()->mfn_list;
    const uint64_t pfn = read_m2p(mfn);

    /* A frame is below where the marks of the P2M begin. */
    return pfn < p2m_size() && p2m[pfn] == mfn_x(mfn) ? _pfn(pfn) : INVALID_PFN;
}

/* SPDX-License-Identifier: MIT */
/*
 * p2m: from pseudo-physical to machine frames and back.
 *
 * The P2M is ours: an array the builder made, indexed by pfn.  The M2P is
 * Xen's: one for the whole machine, readable, sparse (a hole faults), and a
 * hint only: it names a pfn for frames of other domains as well.  A frame is
 * ours when both agree.
 *
 *   context  any, after start_info_take()
 *   source   public/xen.h: start_info.mfn_list, MACH2PHYS_VIRT_START
 */
#pragma once

#include <stdbool.h>

#include <plinth/addr.h>
#include <plinth/compiler.h>
#include <plinth/start_info.h>

/*
 * An entry that holds no frame of ours: none at all, or one of another domain
 * or of a device, marked so by the top two bits, as Linux does.
 */
#define P2M_FOREIGN  (1ull << 63)
#define P2M_IDENTITY (1ull << 62)

static inline bool p2m_is_frame(uint64_t entry)
{
    return (entry & (P2M_FOREIGN | P2M_IDENTITY)) == 0;
}

/* Number of entries of the P2M. */
static inline uint64_t p2m_size(void)
{
    return start_info()->nr_pages;
}

/* The frame behind @pfn, or INVALID_MFN: no memory there, or past the end. */
static inline mfn_t p2m_lookup(pfn_t pfn)
{
    const uint64_t *p2m = (const uint64_t *)start_info()->mfn_list;
    uint64_t entry;

    if (pfn_x(pfn) >= p2m_size())
        return INVALID_MFN;
    entry = p2m[pfn_x(pfn)];
    return p2m_is_frame(entry) ? _mfn(entry) : INVALID_MFN;
}

/*
 * The entries from @first on, in the form in which Xen takes lists of frames.
 * To be read; one is changed by p2m_set().
 */
static inline xen_pfn_t *p2m_list(pfn_t first)
{
    return (xen_pfn_t *)start_info()->mfn_list + pfn_x(first);
}

/* Our pfn of @mfn, or INVALID_PFN when it is not ours (both tables asked). */
pfn_t m2p_lookup(mfn_t mfn);

/* What Xen's table says of @mfn, believed or not; INVALID_PFN for a hole. */
pfn_t m2p_raw(mfn_t mfn);

/*
 * The entry of @pfn becomes a frame of ours, or nothing (INVALID_MFN), or what
 * is marked P2M_FOREIGN or P2M_IDENTITY.  Only our own table changes; Xen's is
 * changed by mmu_set_m2p().  -EINVAL past the end.
 */
int __must_check p2m_set(pfn_t pfn, mfn_t mfn);

/*
 * Tell the toolstack where the P2M is, for dumps, save and migration: by its
 * virtual address and our page tables (struct arch_shared_info: p2m_cr3,
 * p2m_vaddr).  Tools older than that read a tree of frame lists instead, which
 * p2m_publish_tree() builds: one page names up to 512 pages, each of which
 * names up to 512 pages of the P2M.
 *
 * p2m_publish_tree() returns 0, -ENOMEM, or -E2BIG for more than the 512 GiB
 * that such a tree covers; it takes pages for good.
 */
void p2m_publish(void);
int __must_check p2m_publish_tree(void);

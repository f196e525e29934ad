/* SPDX-License-Identifier: MIT */
/*
 * frames: how many frames the domain has, and the steps by which the frame
 * behind a page of ours changes.
 *
 * A frame that goes is unmapped first: Xen keeps a page for which there is a
 * mapping left, and charges for it.  A frame that comes is named in the P2M and
 * then mapped; the M2P is Xen's work in both directions.  plinth/balloon.h and
 * plinth/contig.h are made of these steps.
 *
 *   units    pages; a page is given by its kernel address (plinth/kaddr.h)
 *   owns     the page is the caller's, and nobody uses it meanwhile
 *   context  threads and boot
 *   source   public/memory.h; xen/common/memory.c
 */
#pragma once

#include <stdint.h>

#include <plinth/addr.h>
#include <plinth/compiler.h>

/*
 * What the domain is charged for now, which may be some more than the P2M has;
 * and the most that the toolstack lets it have, which moves with xl mem-set.
 */
uint64_t frames_current(void);
uint64_t frames_maximum(void);

/* Queue, between mmu_begin() and mmu_end(): @page is not mapped any more. */
void frames_unmap(const void *page);

/* The same: @page has the frame @mfn from now on, and maps it. */
void frames_map(const void *page, mfn_t mfn);

/*
 * Give frames back; get frames for pages that have none.  Neither changes P2M or
 * mappings.  How many it were, from the first on: Xen tells no reason for a
 * short count.
 */
unsigned int frames_give(const mfn_t *mfns, unsigned int nr);
unsigned int frames_get(void *const *pages, mfn_t *mfns, unsigned int nr);

/*
 * After something went wrong half way: @page maps the frame that the P2M names,
 * whether it did before or not.  Where Xen does not let it, that frame is let go
 * and another one put there, with what that one holds.
 *
 * 0; or -ENOMEM when Xen has none.  Then the pfn of @page has no frame.
 */
int __must_check frames_repair(void *page);

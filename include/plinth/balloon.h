/* SPDX-License-Identifier: MIT */
/*
 * balloon: giving memory back to Xen, and asking for it again.
 *
 * A page given back is unmapped first, or Xen would go on charging for it; then
 * its pfn has no frame (p2m_lookup() says INVALID_MFN) until another one is put
 * behind it.
 *
 * What Xen charges for, and the most it allows, are in plinth/frames.h.
 *
 *   units    pages
 *   context  threads and boot; one balloon_set() at a time.  It may take long,
 *            and holds no lock while it does
 *   source   public/memory.h: XENMEM_decrease_reservation, populate_physmap
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>

/* What the domain has now; the most it can have of what it started with. */
uint64_t balloon_current(void);
uint64_t balloon_max(void);

/*
 * So many free pages stay: who has none left cannot even be told that it may have
 * more, since xenstore's events take memory.
 */
#define BALLOON_RESERVE 16u

/*
 * Come as near to @target pages as possible.  0 when it was reached, or
 *
 *   -EINVAL  more than balloon_max()
 *   -EBUSY   another vCPU or thread is in here
 *   -ENOMEM  our own free memory, or Xen's, was out before; or Xen takes no more
 *   else     what Xen said of a mapping
 *
 * After an error balloon_current() tells how far it came, and no page is lost.
 */
int __must_check balloon_set(uint64_t target);

/* SPDX-License-Identifier: MIT */
/*
 * scratch: pages that tests of the memory rules may spoil, and one call that
 * puts everything back however the test ended.
 *
 * A page is taken, changed, made a table, unmapped or given to Xen; nobody
 * gives it back.  scratch_restore() does that for all of them: it leaves page
 * tables and descriptor tables, takes back what was hooked into live tables,
 * unpins, and maps each page as it was found.
 *
 *   units    pages, each at its one kernel address (plinth/kaddr.h); the
 *            second one taken follows the first, and so on
 *   owns     a block of SCRATCH_PAGES pages while one of them is taken
 *   context  tests; one at a time
 *   failure  panic when there are no more pages; what cannot be restored is a
 *            failure of the test
 */
#pragma once

#include <plinth/pte.h>
#include <plinth/test.h>

#define SCRATCH_PAGES 32u /* a power of two */

/* A page full of zeroes, mapped writable, with no other mapping. */
void *scratch_page(void);

/* Its machine frame, and the machine address of a byte in it. */
mfn_t scratch_mfn(const volatile void *p);
maddr_t scratch_maddr(const volatile void *p);

/* The value of an entry for the page of @p with @flags. */
uint64_t scratch_pte(const volatile void *p, uint64_t flags);

/* Change the one mapping that the page has at its own place. */
int scratch_readonly(void *page);
int scratch_writable(void *page);
int scratch_unmap(void *page);

/* The frame of @page is Xen's again; and: it has got @mfn.  Only the P2M. */
void scratch_frame_gone(void *page);
void scratch_frame_is(void *page, mfn_t mfn);

/*
 * Set the entry at @entry, in a table in use, to @value, and back at the end.
 * What Xen answered.
 */
int scratch_hook(maddr_t entry, uint64_t value);

/*
 * All as it was before the test.  If that fails, the block is never used again
 * and the test counts as one that leaves pages behind.
 */
void scratch_restore(struct test_run *run);

/* How many are taken; for the ledger. */
uint64_t scratch_in_use(void);

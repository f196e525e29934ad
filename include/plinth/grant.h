/* SPDX-License-Identifier: MIT */
/*
 * grant: sharing pages with other domains.
 *
 * A domain lets another one map or copy a page of its own by an entry of its
 * grant table; the entry's number, the reference, is what it tells the other.
 * The table is memory that Xen has lent us.  It is set up at its first use and
 * grows, frame by frame, to what the toolstack allows (gnttab_max_frames).
 *
 * Entries are of one of two versions.  Version 1 is taken unless the machine has
 * frames above 16 TB, which only version 2 can name, or plinth.grant=v1 or v2 is
 * on the command line.  Besides, version 2 is for parts of a page and for grants
 * of what was granted, which nothing here makes; and its entries are twice as
 * large.
 *
 * What others grant is mapped at kernel addresses only, never executable.  Its
 * frames have no pfn and need none.
 *
 *   units    pages; references count from 0, the first 8 are the toolstack's
 *   owns     see each function; the arrays of requests are the caller's
 *   context  threads and boot
 *   failure  a negative errno, and nothing has changed, unless it says else.
 *            Of Xen's answers to a request (GNTST_*):
 *              -ESRCH   no such domain
 *              -ENOENT  it has no such reference
 *              -EIO     general error: above all, not granted to us, or not so
 *              -EPERM   Xen's policy says no
 *              -ENOSPC  we have as much mapped as the toolstack allows
 *              -EAGAIN  the page is swapped out; come back later
 *              -EINVAL  a copy that leaves its page
 *              -EBADF   not mapped
 *   source   public/grant_table.h; Xen arch/x86/pv/grant_table.c
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/addr.h>
#include <plinth/compiler.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

/*
 * Giving.
 */

/*
 * @domid may map and copy from the page @frame (kaddr_pfn() of what page_alloc()
 * gave), and unless @readonly write to it.
 * The page must stay what it is until the grant has ended, and not be a page
 * table.  -EINVAL: not a page of ours; -ENOSPC: the table is full and at its
 * limit; -ENOMEM: it could not grow; -ERANGE: above what version 1 can name.
 */
int __must_check grant_access(domid_t domid, pfn_t frame, bool readonly,
                              grant_ref_t *ref);

/*
 * End it.  -EBUSY while the other one has it mapped: all is as before, and to be
 * tried again.  -EINVAL: not a reference in use.
 */
int __must_check grant_end_access(grant_ref_t ref);

/*
 * End it and free @page, the page it is of, which page_alloc(0) gave and no
 * other grant names.  -EBUSY while the other one has it mapped: both are then
 * kept here and end later, one tried with each grant_access(), all with
 * grant_retry().  -EINVAL: not a reference of that page in use.
 */
int grant_end_access_and_free(grant_ref_t ref, void *page);

/* Try those that are waiting; how many still are. */
unsigned int grant_retry(void);

/*
 * Mapping.
 */

/*
 * Map what others granted, side by side, by one hypercall: all or nothing.  Of
 * each of @ops the caller sets dom, which is a number and not DOMID_SELF, ref,
 * and flags to 0 or GNTMAP_readonly.  *@p is where.
 *
 * Each status is then 0 or a negative errno, and the first such is returned.
 * Between this and grant_unmap() @ops and @nr stay as they are.
 */
int __must_check grant_map(struct gnttab_map_grant_ref *ops, unsigned int nr,
                           void **p);

/*
 * Undo grant_map(); no TLB has any of it then.  If Xen refuses one, those that it
 * did not are unmapped, the address stays taken, and calling again tries the
 * rest.  -EINVAL: nothing of @ops is mapped.
 *
 * The address is kept here with its tables, for a batch to come: one for each
 * power of two of pages up to 512, until grant_stop().
 */
int __must_check grant_unmap(struct gnttab_map_grant_ref *ops, unsigned int nr);

/*
 * Copying by Xen, with nothing mapped: by one hypercall, each for itself.  In
 * @ops a side is a reference of a domain, if flags say so, or a frame (by its
 * mfn) of DOMID_SELF.
 *
 * Each status is then 0 or a negative errno, and the first such is returned.  If
 * one of them leaves its page, none is done: -EINVAL, and the others have -EIO.
 */
int __must_check grant_copy(struct gnttab_copy *ops, unsigned int nr);

/*
 * The table as a whole.
 */

/*
 * Set it up before its first use, with @version 1 or 2; 0: as is right.
 * -EBUSY: it is set up.  -ENOSYS: Xen does not allow that version.
 */
int __must_check grant_start(unsigned int version);

/*
 * Give back what it takes here, as before a save, when none of its frames may be
 * mapped, and the addresses that are kept.  The next use sets it up again.
 * -EBUSY: there are references in use.
 */
int __must_check grant_stop(void);

/*
 * Print a line for each entry that grants, for the first @max of them, and how
 * many more there are: peer, page, what it may do, what it does (as Xen notes it
 * while the page is mapped), and who called grant_access().  Entries that have
 * ended and wait for the peer are among them.  Returns how many there are.
 */
unsigned int grants_report(unsigned int max);

struct grant_stats {
    unsigned int version; /* 0: not set up */
    unsigned int frames, max_frames;
    unsigned int refs; /* that the table has room for now */
    unsigned int used;
    unsigned int waiting; /* of these, for the other end to unmap them */
    unsigned int mapped;  /* pages of others */
};
struct grant_stats grant_stats(void);

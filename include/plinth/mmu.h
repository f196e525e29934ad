/* SPDX-License-Identifier: MIT */
/*
 * mmu: the queue of changes to page tables.
 *
 * Xen alone writes a PV guest's live page tables.  A change is a request;
 * requests are queued, in order, and go out together: a run of entry writes as
 * one mmu_update, a run of extended operations as one mmuext_op, both kinds
 * mixed as one multicall of such runs.
 *
 *     mmu_begin();
 *     mmu_set_pte(...); mmu_set_pte(...);
 *     rc = mmu_end();
 *
 * Nothing may be queued outside of begin and end.  Between them nothing is sent
 * unless the queue is full, so an entry keeps its old value until then.  They
 * nest: an inner begin sends what the outer one has queued so far, and each end
 * tells of its own requests and sends its own flushes only.  So what happens as a
 * whole or not at all may be called from anywhere.
 *
 * Flushes of the TLB are merged: what was noted by mmu_flush_pages() and
 * mmu_flush_all() goes out last, page by page up to MMU_INVLPG_MAX of them, as
 * one flush beyond.  A change of an L2 or higher entry makes Xen flush by
 * itself, so noting it for flushing as well is not needed.
 *
 *   units    entries by machine address; frames by mfn
 *   owns     nothing: requests are copied in, tables stay with the caller
 *   context  threads and boot; not event handlers.  One queue per vCPU, and no
 *            lock: from begin to end the thread is not preempted
 *   failure  the first refused request, as Xen's errno.  Requests before it
 *            have been made.  Those behind it in the same run have not; later
 *            runs have, so a caller who must undo keeps to one run between
 *            begin and end.  mmu_refusal() says which request it was
 *   source   public/xen.h: mmu_update, mmuext_op, multicall
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>
#include <xen/xen.h>

#define MMU_INVLPG_MAX 8u

void mmu_begin(void);
int __must_check mmu_end(void);

/* Send what is queued, without leaving begin/end.  Returns as mmu_end(). */
int __must_check mmu_send(void);

/*
 * Forget what is queued and not yet sent, flushes as well, and what Xen has said
 * of what was; for a caller who has found, between begin and end, that nothing of
 * it shall happen.  What an outer begin has noted stays.
 */
void mmu_drop(void);

/* The entry at @at, in any table, becomes @pte. */
void mmu_set_pte(maddr_t at, pte_t pte);

/* The same, keeping the A and D bits that the CPU has set meanwhile. */
void mmu_set_pte_keep_ad(maddr_t at, pte_t pte);

/*
 * The @nr entries from @at on, all in one table, map @frames with @flags; or
 * nothing; or become @ptes, keeping A and D.
 */
void mmu_set_run(maddr_t at, const mfn_t *frames, uint64_t flags,
                 unsigned int nr);
void mmu_clear_run(maddr_t at, unsigned int nr);
void mmu_set_run_keep_ad(maddr_t at, const uint64_t *ptes, unsigned int nr);

/*
 * Entries that map frames of another domain, @owner: DOMID_IO for memory of
 * devices, or a domain that this one is privileged over.  Their neighbours of
 * other owners are runs of their own.  Xen refuses: -EPERM a frame of devices
 * that this domain may not use, -EBUSY one that is not @owner's, -ESRCH an
 * @owner that does not exist.  A frame of our own is DOMID_SELF's.
 */
void mmu_set_pte_foreign(maddr_t at, pte_t pte, domid_t owner);
void mmu_set_run_foreign(maddr_t at, const mfn_t *frames, uint64_t flags,
                         unsigned int nr, domid_t owner);

/* Xen's M2P gives @pfn for @mfn. */
void mmu_set_m2p(mfn_t mfn, pfn_t pfn);

/* Pin the table at @mfn as one of @level; undo that. */
void mmu_pin(mfn_t mfn, unsigned int level);
void mmu_unpin(mfn_t mfn);

/* Any other extended operation. */
void mmu_ext(const struct mmuext_op *op);

/* By virtual address of this vCPU's own tables; @flags are UVMF_*. */
void mmu_set_va(vaddr_t va, pte_t pte, unsigned long flags);

/* The same at once, and by itself: no begin and end. */
int __must_check mmu_set_va_now(vaddr_t va, pte_t pte, unsigned long flags);

/*
 * As mmu_set_pte_keep_ad(), at once; then @stale, the page that the entry maps, is
 * flushed.  A @stale of 0: it has been loaded nowhere.
 */
int __must_check mmu_set_pte_keep_ad_now(maddr_t at, pte_t pte, vaddr_t stale);

/*
 * Translations of the @nr pages from @va on, or all, are stale, on all vCPUs that
 * may have them: there is one so far.
 */
void mmu_flush_pages(vaddr_t va, uint64_t nr);
void mmu_flush_all(void);

/*
 * The refused request that the last failed end, send or ..._now() told of; @by
 * queued it.
 */
struct mmu_refusal {
    const char *what; /* "mmu_update", "mmuext_op", "update_va_mapping" */
    uint64_t where;   /* the entry, the frame, the address */
    uint64_t value;
    int rc;
    const void *by;
};
const struct mmu_refusal *mmu_refusal(void);

struct mmu_stats {
    uint64_t hypercalls; /* that left for Xen */
    uint64_t entries;    /* requests in them */
    uint64_t flushes;    /* whole TLBs */
    uint64_t invlpgs;    /* single pages */
    uint64_t refused;
};
struct mmu_stats mmu_stats(void);

/*
 * Send each request by itself, as a run of its own (option plinth.mmu=sync);
 * returns the former.
 */
bool mmu_set_sync(bool on);

/*
 * For tests of what happens when Xen says no: the @nth entry sent from now on
 * is refused with -ENOMEM in Xen's place; 0 switches that off.
 */
void mmu_inject_failure(uint64_t nth);

/* SPDX-License-Identifier: MIT */
/*
 * segments: the bases of FS and GS.
 *
 * User mode has a GS base of its own; Xen exchanges the two on each way in and
 * out.  The FS base is the same for both; user_run() sets it, and the one of
 * user mode's GS, to what a context says, and then FS back to what the thread's
 * `__thread` variables need.  Loading a selector into FS or GS
 * changes the base as well.
 *
 * The instructions wrfsbase and its kin are not available: Xen does not offer
 * them to every guest, and a base that user mode could change behind our back
 * would have to be read each time it comes out.
 *
 *   units    addresses
 *   owns     what the next one sets is lost: save what must last
 *   context  threads and boot; this vCPU's
 *   failure  -EINVAL: not canonical, or no such base
 *   source   public/arch-x86/xen-x86_64.h: SEGBASE_*
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>

/* @which: SEGBASE_FS, SEGBASE_GS_KERNEL or SEGBASE_GS_USER. */
int __must_check segment_base_set(unsigned int which, uint64_t base);
int __must_check segment_base_get(unsigned int which, uint64_t *base);

/*
 * For user mode: FS and its GS have these bases and, like DS and ES, no
 * selector, unless that was so when it was last called for the same @id and
 * user mode has not changed it since, which then is its own doing.
 */
int __must_check segment_bases_for_user(uint64_t id, uint64_t fs, uint64_t gs);

/*
 * The thread that runs from now on wants FS at @fs for its `__thread` variables;
 * 0: it has none, and FS is left alone.  The second loads that again, behind user
 * mode.  Both masked.
 */
void segment_base_for_thread(uint64_t fs);
void segment_base_for_kernel(void);

/* SPDX-License-Identifier: MIT */
/*
 * vmap: frames at an address of their own in the kernel's dynamic area.
 *
 * For what the physmap cannot give: frames that are not neighbours side by side,
 * frames of others, stacks with a page below them that is not there.  Behind
 * each range one page is left unmapped.
 *
 *   units    pages
 *   owns     the address range is the caller's until vunmap() or
 *            vmap_release(); the frames always are
 *   context  threads and boot
 *   failure  -ENOMEM, -ENOSPC when the area is full, and what space_map() says;
 *            nothing has changed then.  To give back what is no such range is a
 *            panic
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/kaddr.h>
#include <plinth/ranges.h>
#include <plinth/space.h>

/* Map @frames[0..nr) with @flags (MAP_*) side by side; *@p is where. */
int __must_check vmap(const mfn_t *frames, uint64_t nr, uint64_t flags,
                      void **p);

/* The same for @nr frames side by side, from @first on. */
int __must_check vmap_run(mfn_t first, uint64_t nr, uint64_t flags, void **p);

/*
 * Frames of domain @owner; memory of devices, from @first on.  As
 * space_map_foreign() says.
 */
int __must_check vmap_foreign(const mfn_t *frames, uint64_t nr, uint64_t flags,
                              domid_t owner, void **p);
int __must_check vmap_io(mfn_t first, uint64_t nr, uint64_t flags, void **p);

/* Undo a vmap() of @nr pages. */
void vunmap(void *p, uint64_t nr);

/*
 * An address for @nr pages that has its L1 tables but maps nothing yet, for what
 * others map there (plinth/grant.h).  It must be empty again to be given back.
 */
int __must_check vmap_reserve(uint64_t nr, void **p);
void vmap_release(void *p, uint64_t nr);

struct ranges_stats vmap_stats(void);

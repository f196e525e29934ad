/* SPDX-License-Identifier: MIT */
/*
 * physmap: our memory, mapped where its pfn says.
 *
 * pfn n appears at PHYSMAP_BASE + n * 4096, but only where the bootstrap region
 * does not map it already: each page has one kernel address, so that making it
 * a page table takes away one writable mapping and no second one is left.  The
 * P2M and its tables are left out for the same reason.
 *
 * Memory comes in by chunks of 2 MiB: an L1 table is filled as plain memory,
 * made read-only and hooked, and Xen looks at all of its 512 entries in one go.
 * Several chunks travel in one mmu_update, together with the pages that hold
 * their struct page records and the upper tables these need.
 *
 *   units    chunks of 512 pages
 *   context  threads and boot, by way of page_alloc()
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/kaddr.h>

/* Most chunks one call takes. */
#define PHYSMAP_BATCH 16u

/*
 * Map @nr chunks from @first on, and @record_size bytes of zeroed records for
 * each of their pages.  Pages for tables and records come from @get.  0,
 * -ENOMEM, or what Xen says; nothing is mapped then and all pages are back.
 */
int __must_check physmap_add(uint64_t first, unsigned int nr,
                             unsigned int record_size, void *(*get)(void),
                             void (*put)(void *page));

/* Pfns without a frame that were met so far. */
uint64_t physmap_holes(void);

/* What one call takes from @get at most. */
#define PHYSMAP_PAGES (3 * PHYSMAP_BATCH + 6)

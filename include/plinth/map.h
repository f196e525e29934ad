/* SPDX-License-Identifier: MIT */
/*
 * map: ranges of pages in an address space, given by its L4 table.
 *
 * Where a range covers 2 MiB that have no L1 table yet, a new one is filled as
 * plain memory and hooked, which Xen checks for less than half of what as many
 * single entries cost; elsewhere the entries of the live table are written.
 * Unmapping whole tables unhooks and frees them.
 *
 *   units    va and nr in whole pages
 *   owns     tables come from page_alloc() and go back when they are empty; the
 *            frames stay the caller's
 *   context  threads and boot
 *   failure  each call happens as a whole or not at all:
 *              -EINVAL  not page-aligned, wraps, in Xen's part, or writable and
 *                       executable at once
 *              -EEXIST  a page of the range is mapped already (map_pages)
 *              -ENOENT  one is not mapped (unmap_pages, protect_pages)
 *              -ENOMEM  no page for a table
 *              else     what Xen says of a frame (-EBUSY: not ours, or a table)
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>

/* Rights of a mapping. */
#define MAP_R  PTE_DATA_RO
#define MAP_RW PTE_DATA
#define MAP_RX (PTE_P | PTE_A)

/* Map @frames[0..nr) at @va with @flags, one of MAP_*. */
int __must_check map_pages(mfn_t l4, vaddr_t va, const mfn_t *frames,
                           uint64_t nr, uint64_t flags);

int __must_check unmap_pages(mfn_t l4, vaddr_t va, uint64_t nr);

/* Other rights for what is mapped; the A and D bits stay as the CPU left them. */
int __must_check protect_pages(mfn_t l4, vaddr_t va, uint64_t nr,
                               uint64_t flags);

/* The leaf entry of @va; not present where nothing is mapped. */
pte_t map_query(mfn_t l4, vaddr_t va);

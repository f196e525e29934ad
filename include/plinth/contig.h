/* SPDX-License-Identifier: MIT */
/*
 * contig: pages that are contiguous in the machine's memory.
 *
 * What page_alloc() gives is contiguous by pfn.  A device that does DMA sees
 * machine addresses, and wants neighbours there, or addresses below 4 GiB.
 * Only Xen can find such frames: it takes the ones that are there and gives
 * others for them (XENMEM_exchange).  Memory that suits already stays.
 *
 * The pages keep their addresses and pfns; what they held is lost.  Frames
 * given away are not cleared by Xen before another domain gets them, so memory
 * with secrets is cleared before it is freed.
 *
 *   units    2^order pages, aligned to their size by address and by mfn
 *   owns     a block is whoever's allocated it, until contig_free()
 *   context  threads and boot.  No lock is held: what changes belongs to the
 *            block, and the block to this call
 *   source   public/memory.h: struct xen_memory_exchange;
 *            xen/common/memory.c: memory_exchange()
 */
#pragma once

#include <plinth/compiler.h>

/*
 * A block whose machine addresses are all below 2^@address_bits; 0 for
 * anywhere.  Its content is undefined.
 *
 *   -EINVAL  @order above PAGE_MAX_ORDER; @address_bits above 64, or so few
 *            that the block would not fit below
 *   -ENOMEM  no such block of ours, or no such frames of Xen's
 *   -EPERM   @order above what Xen lets this domain ask for: by default 9 in a
 *            domU; dom0 may ask for any (Xen's option memop-max-order)
 *
 * After an error all is as before: the pages are free again, each at its
 * address with a frame behind it.  Only if Xen has taken frames and then has none
 * to put there, the whole block is lost; a line in the log says so.
 */
int __must_check contig_alloc(unsigned int order, unsigned int address_bits,
                              void **block);

/*
 * Give back what contig_alloc(@order) returned; NULL is allowed.  The frames
 * stay: that they are neighbours does no harm.
 */
void contig_free(void *block, unsigned int order);

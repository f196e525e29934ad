/* SPDX-License-Identifier: MIT */
/*
 * linear: the mapping the domain builder made: pfn n at VIRT_BASE + n * 4096,
 * for the whole bootstrap region, of which our image is the beginning.
 *
 *   context  any
 *   source   public/xen.h "start-of-day memory layout"; linker.ld
 */
#pragma once

#include <stdint.h>

#include <plinth/addr.h>

/* From linker.ld; each [_x, _ex) is whole pages but data and bss's ends. */
extern const char _text[], _etext[], _rodata[], _erodata[], _data[], _edata[],
    _stacks[], _estacks[], _fixmap[], _efixmap[], _bss[], _ebss[];

/* Text is the first thing in the image, and the image the first in memory. */
#define VIRT_BASE ((uintptr_t)_text)

/* That many pages are known to be mapped; grows while they are explored. */
extern uint64_t linear_nr_pages;

static inline uint64_t linear_size(void)
{
    return linear_nr_pages;
}

void linear_set_size(uint64_t nr_pages);

/* Where @pfn is mapped, or NULL when it is not in the region. */
void *linear_ptr(pfn_t pfn);

/* Where it would be, and back: arithmetic only. */
static inline uintptr_t linear_va(pfn_t pfn)
{
    return VIRT_BASE + pfn_x(pfn) * PAGE_SIZE;
}

static inline pfn_t linear_pfn(uintptr_t va)
{
    return _pfn((va - VIRT_BASE) >> PAGE_SHIFT);
}

/* SPDX-License-Identifier: MIT */
/*
 * kaddr: the one kernel address of each frame of ours.
 *
 * Frames of the bootstrap region have theirs in there, all others in the
 * physmap, once their chunk of 2 MiB has been mapped.  What is mapped elsewhere
 * in addition (user space, vmap) is not known here.
 *
 *   context  any
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/addr.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>

/* Tests on the host put all of it where a process has its memory. */
#ifndef PHYSMAP_BASE
#define PHYSMAP_BASE 0xffff880000000000ul
#define PHYSMAP_END  0xffffa00000000000ul

/* What else lies between there and the image: plinth/vmap.h, page.h. */
#define VMAP_BASE  0xffffa00000000000ul
#define VMAP_END   0xffffc00000000000ul
#define PAGES_BASE 0xffffe00000000000ul
#define PAGES_END  0xfffff00000000000ul
#endif

/*
 * The self-map, when it is on (plinth/selfmap.h): the last L4 slot before the
 * image's.  Nothing else of the kernel's is up there.
 */
#define SELFMAP_BASE 0xffffff0000000000ul
#define SELFMAP_END  0xffffff8000000000ul

#define CHUNK_PAGES 512u

static inline uint64_t pfn_to_chunk(pfn_t pfn)
{
    return pfn_x(pfn) / CHUNK_PAGES;
}

/* Where the physmap maps @pfn, or will. */
static inline uintptr_t physmap_va(pfn_t pfn)
{
    return PHYSMAP_BASE + pfn_x(pfn) * PAGE_SIZE;
}

/* Does @pfn have its place in the physmap, mapped yet or not? */
bool kaddr_in_physmap(pfn_t pfn);

/* Where @pfn is mapped; NULL when it is not, or not yet. */
void *kaddr_lookup(pfn_t pfn);

/* The same by @mfn; NULL as well for a frame that is not ours. */
static inline void *kaddr_lookup_mfn(mfn_t mfn)
{
    return kaddr_lookup(m2p_lookup(mfn));
}

/* The frame at @p, which must be such an address. */
static inline pfn_t kaddr_pfn(const volatile void *p)
{
    const uintptr_t va = (uintptr_t)p;

    return va >= VIRT_BASE ? linear_pfn(va)
                           : _pfn((va - PHYSMAP_BASE) >> PAGE_SHIFT);
}

static inline mfn_t kaddr_mfn(const volatile void *p)
{
    return p2m_lookup(kaddr_pfn(p));
}

/* Is chunk @n in the physmap?  @bits, all 0, holds a bit for each chunk. */
bool kaddr_chunk_mapped(uint64_t n);
void kaddr_set_chunk_mapped(uint64_t n);
bool kaddr_ready(void); /* kaddr_init() is through */
void kaddr_init(uint64_t *bits, uint64_t nr_chunks);

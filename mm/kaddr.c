/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <plinth/kaddr.h>
#include <plinth/start_info.h>

static uint64_t *mapped;
static uint64_t chunks;

void kaddr_init(uint64_t *bits, uint64_t nr_chunks)
{
    mapped = bits;
    chunks = nr_chunks;
}

bool kaddr_ready(void)
{
    return mapped != NULL;
}

bool kaddr_chunk_mapped(uint64_t n)
{
    return n < chunks && mapped[n / 64] >> (n % 64) & 1;
}

void kaddr_set_chunk_mapped(uint64_t n)
{
    mapped[n / 64] |= 1ul << (n % 64);
}

bool kaddr_in_physmap(pfn_t pfn)
{
    const struct start_info *si = start_info();

    return pfn_x(pfn) >= linear_size() && pfn_x(pfn) < si->nr_pages &&
           pfn_x(pfn) - si->first_p2m_pfn >= si->nr_p2m_frames;
}

void *kaddr_lookup(pfn_t pfn)
{
    if (pfn_x(pfn) < linear_size())
        return (void *)linear_va(pfn);
    if (!kaddr_chunk_mapped(pfn_to_chunk(pfn)) || !kaddr_in_physmap(pfn))
        return NULL;
    return (void *)physmap_va(pfn);
}

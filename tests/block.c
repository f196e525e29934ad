/* SPDX-License-Identifier: MIT */
#include <plinth/kaddr.h>
#include <plinth/page.h>

#include "block.h"

uint64_t *block_get(unsigned int order, mfn_t *frames, unsigned int nr)
{
    const unsigned int pages = 1u << order;
    uint64_t *block = page_alloc(order);

    if (block == NULL)
        return NULL;
    for (unsigned int i = 0; i < nr; i++)
        frames[i] = p2m_lookup(pfn_add(kaddr_pfn(block), i % pages));
    for (unsigned int i = 0; i < pages; i++)
        block[i * (PAGE_SIZE / sizeof(*block))] = i;
    return block;
}

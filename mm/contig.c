/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/contig.h>
#include <plinth/errno.h>
#include <plinth/frames.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printk.h>

/* The P2M, from the block's first pfn on, is the list of its frames. */
static xen_pfn_t *frames_of(const void *block)
{
    return p2m_list(kaddr_pfn(block));
}

static bool suits(const void *block, unsigned int order,
                  unsigned int address_bits)
{
    const xen_pfn_t *mfns = frames_of(block);
    const uint64_t nr = 1ul << order;

    if (mfns[0] % nr != 0)
        return false;
    if (address_bits != 0 &&
        (mfns[0] + nr - 1) >> (address_bits - PAGE_SHIFT) != 0)
        return false;
    for (uint64_t i = 1; i < nr; i++)
        if (mfns[i] != mfns[0] + i)
            return false;
    return true;
}

static int unmap(char *block, unsigned int order)
{
    mmu_begin();
    for (uint64_t i = 0; i < 1ul << order; i++)
        frames_unmap(block + i * PAGE_SIZE);
    return mmu_end();
}

static int map(char *block, unsigned int order, mfn_t first)
{
    mmu_begin();
    for (uint64_t i = 0; i < 1ul << order; i++)
        frames_map(block + i * PAGE_SIZE, mfn_add(first, i));
    return mmu_end();
}

/*
 * One extent out, so it is one chunk of Xen's work: either all frames were
 * exchanged, or those taken so far were given back.
 */
static int exchange(void *block, unsigned int order, unsigned int address_bits,
                    mfn_t *first)
{
    xen_pfn_t out = pfn_x(kaddr_pfn(block)); /* on the way out, the mfn */
    struct xen_memory_exchange x = {
        .in = { .nr_extents = 1ul << order, .domid = DOMID_SELF },
        .out = { .nr_extents = 1,
                 .extent_order = order,
                 .mem_flags = XENMEMF_address_bits(address_bits),
                 .domid = DOMID_SELF },
    };
    long rc;

    set_xen_guest_handle(x.in.extent_start, frames_of(block));
    set_xen_guest_handle(x.out.extent_start, &out);
    rc = hypercall_memory_op(XENMEM_exchange, &x);
    *first = _mfn(out);
    if (rc != 0)
        return rc;
    return x.nr_exchanged == x.in.nr_extents ? 0 : -EIO;
}

/* Have each page usable again; false when Xen has no frame for one of them. */
static bool repair(char *block, unsigned int order)
{
    bool whole = true;

    for (uint64_t i = 0; i < 1ul << order; i++)
        whole &= frames_repair(block + i * PAGE_SIZE) == 0;
    return whole;
}

int contig_alloc(unsigned int order, unsigned int address_bits, void **block)
{
    mfn_t first;
    void *p;
    int rc;

    if (order > PAGE_MAX_ORDER || address_bits > 64 ||
        (address_bits != 0 && address_bits < PAGE_SHIFT + order))
        return -EINVAL;
    p = page_alloc(order);
    if (p == NULL)
        return -ENOMEM;
    *block = p;
    if (suits(p, order, address_bits))
        return 0;

    rc = unmap(p, order);
    if (rc == 0)
        rc = exchange(p, order, address_bits, &first);
    if (rc == 0)
        rc = map(p, order, first);
    if (rc == 0)
        return 0;

    if (repair(p, order))
        page_free(p, order);
    else
        pr_err("contig: Xen took frames of %p and has no others; "
               "2^%u pages are lost",
               p, order);
    return rc;
}

void contig_free(void *block, unsigned int order)
{
    page_free(block, order);
}

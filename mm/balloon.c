/* SPDX-License-Identifier: MIT */
#include <plinth/balloon.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/ptab.h>

#define BATCH 48u

/* Pfns without a frame, chained by page_link(); 0 ends the chain. */
static pfn_t empty;
static uint64_t nr_empty;

uint64_t balloon_max(void)
{
    return p2m_size();
}

uint64_t balloon_current(void)
{
    return p2m_size() - nr_empty;
}

static void push(pfn_t pfn)
{
    *page_link(pfn) = pfn_x(empty);
    empty = pfn;
    nr_empty++;
}

static pfn_t pop(void)
{
    const pfn_t pfn = empty;

    empty = _pfn(*page_link(pfn));
    nr_empty--;
    return pfn;
}

/* Give up to @nr pages back; how many it was. */
static unsigned int give(unsigned int nr)
{
    xen_pfn_t mfns[BATCH];
    pfn_t pfns[BATCH];
    struct xen_memory_reservation r = { .domid = DOMID_SELF };
    unsigned int n;
    long done;

    mmu_begin();
    for (n = 0; n < nr; n++) {
        void *p = page_alloc(0);

        if (p == NULL)
            break;
        pfns[n] = kaddr_pfn(p);
        mfns[n] = mfn_x(p2m_lookup(pfns[n]));
        ptab_remap(p, (pte_t){ 0 });
        mmu_flush_page(ptr_to_vaddr(p));
    }
    BUG_ON(mmu_send() != 0);
    BUG_ON(mmu_end() != 0);
    if (n == 0)
        return 0;

    for (unsigned int i = 0; i < n; i++) {
        BUG_ON(p2m_set(pfns[i], INVALID_MFN) != 0);
        push(pfns[i]);
    }
    set_xen_guest_handle(r.extent_start, mfns);
    r.nr_extents = n;
    done = hypercall_memory_op(XENMEM_decrease_reservation, &r);
    /* They are ours and nowhere mapped; Xen has no reason left. */
    BUG_ON(done != (long)n);
    return n;
}

/* Ask for frames behind up to @nr pfns; how many there were. */
static unsigned int take(unsigned int nr)
{
    xen_pfn_t frames[BATCH]; /* pfns on the way in, mfns on the way out */
    pfn_t pfns[BATCH];
    struct xen_memory_reservation r = { .domid = DOMID_SELF };
    unsigned int n;
    long done;

    for (n = 0; n < nr; n++) {
        pfns[n] = pop();
        frames[n] = pfn_x(pfns[n]);
    }
    set_xen_guest_handle(r.extent_start, frames);
    r.nr_extents = n;
    done = hypercall_memory_op(XENMEM_populate_physmap, &r);
    if (done < 0)
        done = 0;

    mmu_begin();
    for (unsigned int i = 0; i < done; i++) {
        BUG_ON(p2m_set(pfns[i], _mfn(frames[i])) != 0);
        ptab_remap(kaddr_lookup(pfns[i]), pte_make(_mfn(frames[i]), PTE_DATA));
    }
    BUG_ON(mmu_send() != 0);
    BUG_ON(mmu_end() != 0);

    for (unsigned int i = 0; i < n; i++) {
        if (i < done)
            page_free(kaddr_lookup(pfns[i]), 0);
        else
            push(pfns[i]);
    }
    return done;
}

int balloon_set(uint64_t target)
{
    if (target > balloon_max())
        return -EINVAL;

    while (balloon_current() > target) {
        const uint64_t n = MIN(balloon_current() - target, (uint64_t)BATCH);

        if (give(n) < n && balloon_current() > target)
            return -ENOMEM;
    }
    while (balloon_current() < target) {
        const uint64_t n = MIN(target - balloon_current(), (uint64_t)BATCH);

        if (take(n) < n)
            return -ENOMEM;
    }
    return 0;
}

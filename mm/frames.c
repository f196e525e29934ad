/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/frames.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/ptab.h>

static uint64_t ask(unsigned int cmd)
{
    domid_t self = DOMID_SELF;
    const long nr = hypercall_memory_op(cmd, &self);

    /* One may always ask about oneself. */
    BUG_ON(nr < 0);
    return nr;
}

uint64_t frames_current(void)
{
    return ask(XENMEM_current_reservation);
}

uint64_t frames_maximum(void)
{
    return ask(XENMEM_maximum_reservation);
}

void frames_unmap(const void *page)
{
    ptab_remap(page, (pte_t){ 0 });
    mmu_flush_pages(ptr_to_vaddr(page), 1);
}

void frames_map(const void *page, mfn_t mfn)
{
    BUG_ON(p2m_set(kaddr_pfn(page), mfn) != 0);
    ptab_remap(page, pte_make(mfn, PTE_DATA));
}

static unsigned int reserve(unsigned int cmd, xen_pfn_t *list, unsigned int nr)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr,
        .domid = DOMID_SELF,
    };
    long done;

    set_xen_guest_handle(r.extent_start, list);
    done = hypercall_memory_op(cmd, &r);
    BUG_ON(done < 0 || done > (long)nr);
    return done;
}

/* A list of frames, as Xen reads and writes them. */
_Static_assert(sizeof(mfn_t) == sizeof(xen_pfn_t), "mfn_t is a xen_pfn_t");

unsigned int frames_give(const mfn_t *mfns, unsigned int nr)
{
    return reserve(XENMEM_decrease_reservation, (xen_pfn_t *)(uintptr_t)mfns,
                   nr);
}

unsigned int frames_get(void *const *pages, mfn_t *mfns, unsigned int nr)
{
    /* Pfns on the way in, mfns on the way out. */
    for (unsigned int i = 0; i < nr; i++)
        mfns[i] = _mfn(pfn_x(kaddr_pfn(pages[i])));
    return reserve(XENMEM_populate_physmap, (xen_pfn_t *)mfns, nr);
}

static int map_now(const void *page, pte_t pte)
{
    return mmu_set_va_now(ptr_to_vaddr(page), pte, UVMF_INVLPG | UVMF_ALL);
}

int frames_repair(void *page)
{
    const pfn_t pfn = kaddr_pfn(page);
    mfn_t mfn = p2m_lookup(pfn);

    if (map_now(page, pte_make(mfn, PTE_DATA)) == 0)
        return 0;

    /* If it is ours in spite of that, it goes; if not, nothing does. */
    BUG_ON(map_now(page, (pte_t){ 0 }) != 0);
    (void)frames_give(&mfn, 1);
    BUG_ON(p2m_set(pfn, INVALID_MFN) != 0);
    if (frames_get(&page, &mfn, 1) == 0)
        return -ENOMEM;
    BUG_ON(p2m_set(pfn, mfn) != 0);
    BUG_ON(map_now(page, pte_make(mfn, PTE_DATA)) != 0);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* What toolstacks read of the P2M: public/arch-x86/xen.h, arch_shared_info. */
#include <arch/cpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/shared_info.h>
#include <plinth/start_info.h>
#include <plinth/walk.h>

/* Frames one page of a list names; also entries one P2M page holds. */
#define PER_PAGE (PAGE_SIZE / sizeof(uint64_t))

void p2m_publish(void)
{
    struct arch_shared_info *arch = &shared_info()->arch;

    /* The number of entries, in spite of its name. */
    arch->max_pfn = p2m_size();
    arch->p2m_vaddr = start_info()->mfn_list;
    arch->p2m_generation = 0;
    /* Last: from here on the three are read. */
    __atomic_store_n(&arch->p2m_cr3, read_cr3(), __ATOMIC_RELEASE);
}

/* The frame that holds page @n of the P2M. */
static uint64_t p2m_page_frame(uint64_t n)
{
    const vaddr_t va = _vaddr(start_info()->mfn_list + n * PAGE_SIZE);
    struct walk w;

    if (!walk_address(va, &w))
        return mfn_x(INVALID_MFN);
    /* In dom0 the P2M may be mapped by large pages. */
    return mfn_x(pte_mfn(w.entry[w.last])) +
           (vaddr_x(va) >> PAGE_SHIFT & (pt_pages(w.last) - 1));
}

static uint64_t frame_of(const void *page)
{
    return mfn_x(kaddr_mfn(page));
}

int p2m_publish_tree(void)
{
    const uint64_t leaves = (p2m_size() + PER_PAGE - 1) / PER_PAGE;
    uint64_t *top, *mid = NULL;

    if (leaves > PER_PAGE * PER_PAGE)
        return -E2BIG;
    top = page_alloc_zeroed(0);
    if (top == NULL)
        return -ENOMEM;

    for (uint64_t n = 0; n < leaves; n++) {
        if (n % PER_PAGE == 0) {
            mid = page_alloc_zeroed(0);
            if (mid == NULL)
                goto undo;
            top[n / PER_PAGE] = frame_of(mid);
        }
        mid[n % PER_PAGE] = p2m_page_frame(n);
        BUG_ON(mid[n % PER_PAGE] == mfn_x(INVALID_MFN));
    }
    shared_info()->arch.pfn_to_mfn_frame_list_list = frame_of(top);
    return 0;

undo:
    for (unsigned int i = 0; i < PER_PAGE && top[i] != 0; i++)
        page_free(kaddr_lookup_mfn(_mfn(top[i])), 0);
    page_free(top, 0);
    return -ENOMEM;
}

/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/mmu.h>
#include <plinth/selfmap.h>
#include <plinth/space.h>
#include <plinth/trap.h>

mfn_t selfmap_l4;

static int set_slot(pte_t pte)
{
    mmu_begin();
    mmu_set_pte(
        maddr_add(mfn_to_maddr(kernel_space.l4), SELFMAP_SLOT * sizeof(pte)),
        pte);
    return mmu_end();
}

int selfmap_enable(void)
{
    const mfn_t l4 = kernel_space.l4;
    const uint64_t *table = kaddr_lookup_mfn(l4);
    int rc = -EEXIST;

    spin_lock(&kernel_space.lock);
    if (!(table[SELFMAP_SLOT] & PTE_P))
        rc = set_slot(pte_make(l4, PTE_P | PTE_A | PTE_NX));
    if (rc == 0)
        selfmap_l4 = l4;
    spin_unlock(&kernel_space.lock);
    return rc;
}

int selfmap_disable(void)
{
    int rc = -ENOENT;

    spin_lock(&kernel_space.lock);
    if (mfn_x(selfmap_l4) != 0) {
        selfmap_l4 = _mfn(0);
        rc = set_slot((pte_t){ 0 });
        /* Taking a mapping away needs nothing that could be missing. */
        BUG_ON(rc != 0);
    }
    spin_unlock(&kernel_space.lock);
    return rc;
}

int selfmap_entry(vaddr_t va, unsigned int level, pte_t *pte)
{
    ASSERT(level >= 1 && level <= PT_LEVELS);
    if (mfn_x(selfmap_l4) == 0)
        return -ENOENT;

    for (unsigned int at = PT_LEVELS;; at--) {
        pte_t here;
        const int rc = probe_read(selfmap_ptr(va, at), &here.raw);

        if (rc != 0)
            return rc;
        if (at == level) {
            *pte = here;
            return 0;
        }
        if (!pte_present(here) || (at < PT_LEVELS && here.raw & PTE_PSE))
            return -ENOENT;
    }
}

/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/linear.h>
#include <plinth/mmu.h>
#include <plinth/protect.h>
#include <plinth/stack.h>
#include <plinth/start_info.h>
#include <plinth/walk.h>

#define L2_SPAN (1ul << 21)

/* The entry of @level that maps @at. */
static pte_t entry(uintptr_t at, unsigned int level, maddr_t *where)
{
    const vaddr_t va = _vaddr(at);
    struct walk w;

    walk_address(va, &w);
    if (w.last > level || !pte_present(w.entry[level]))
        panic("protect: no L%u entry for %#lx", level, at);
    *where = walk_entry_maddr(&w, va, level);
    return w.entry[level];
}

static void set_nx(uintptr_t at, unsigned int level)
{
    maddr_t where;
    const pte_t pte = entry(at, level, &where);

    mmu_set_pte(where, (pte_t){ pte.raw | PTE_NX });
}

/* One entry for each 2 MiB, in which nothing else is. */
static void set_readonly(uintptr_t start, uintptr_t end)
{
    for (uintptr_t va = start; va < end; va = ALIGN_UP(va + 1, L2_SPAN)) {
        maddr_t where;
        const pte_t pte = entry(va, 2, &where);

        mmu_set_pte(where, (pte_t){ pte.raw & ~PTE_RW });
    }
}

/* In the leaves of [start, end), of one L1 table. */
static void set_leaves_nx(uintptr_t start, uintptr_t end)
{
    const vaddr_t first = _vaddr(start);
    const unsigned int nr = (end - start) / PAGE_SIZE;
    const volatile uint64_t *table;
    unsigned int n;
    struct walk w;
    maddr_t at;

    if (!walk_address(first, &w))
        panic("protect: %#lx is not mapped", start);
    table = walk_table_ptr(w.table[1], 1) + pt_index(first, 1);
    at = walk_entry_maddr(&w, first, 1);
    for (unsigned int i = 0; i < nr; i += n) {
        uint64_t entries[32];

        n = MIN(nr - i, (unsigned int)ARRAY_SIZE(entries));
        for (unsigned int j = 0; j < n; j++)
            entries[j] = table[i + j] | PTE_NX;
        mmu_set_run_keep_ad(maddr_add(at, i * sizeof(pte_t)), entries, n);
    }
}

static void unmap_guard_pages(void)
{
    for (struct stack *const *s = image_stacks; s < image_stacks_end; s++)
        mmu_set_va(_vaddr(stack_guard_page(*s)), (pte_t){ 0 }, UVMF_TLB_FLUSH);
}

void protect_init(void)
{
    const uintptr_t linear_end = linear_va(_pfn(linear_size()));
    const uintptr_t p2m = start_info()->mfn_list;
    const struct mmu_refusal *r = mmu_refusal();
    int rc;

    /*
     * All in one go: Xen flushes the TLB once, because of the upper-level
     * entries; but 4.14.0 does not yet, and of what was taken away here nothing
     * may live on in the TLB.
     */
    mmu_begin();
    set_readonly((uintptr_t)_text, (uintptr_t)_erodata);
    for (uintptr_t va = (uintptr_t)_rodata; va < (uintptr_t)_erodata;
         va = ALIGN_UP(va + 1, L2_SPAN))
        set_leaves_nx(va, MIN(ALIGN_UP(va + 1, L2_SPAN), (uintptr_t)_erodata));
    for (uintptr_t va = (uintptr_t)_erodata; va < linear_end; va += L2_SPAN)
        set_nx(va, 2);
    if (p2m < VIRT_BASE || p2m >= linear_end)
        set_nx(p2m, PT_LEVELS);
    unmap_guard_pages();
    rc = mmu_end();
    if (rc != 0)
        panic("protect: %s refused, [%#lx] <- %#lx: %s", r->what, r->where,
              r->value, errno_name(rc));
}

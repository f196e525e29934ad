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

/* In the entry of @level that maps @va, set NX. */
static void set_nx(uintptr_t at, unsigned int level)
{
    const vaddr_t va = _vaddr(at);
    struct walk w;

    walk_address(va, &w);
    if (w.last > level || !pte_present(w.entry[level]))
        panic("protect: no L%u entry for %#lx", level, at);
    mmu_set_pte(walk_entry_maddr(&w, va, level),
                (pte_t){ w.entry[level].raw | PTE_NX });
}

/* Take RW out of the leaves of [start, end), which one L1 maps. */
static void set_readonly(const char *start, const char *end)
{
    const vaddr_t first = ptr_to_vaddr(start);
    const unsigned int nr = (end - start) / PAGE_SIZE;
    const volatile uint64_t *table;
    unsigned int n;
    struct walk w;
    maddr_t at;

    if (!walk_address(first, &w) || pt_index(first, 1) + nr > PT_ENTRIES)
        panic("protect: %p is not mapped by one table", start);
    table = walk_table_ptr(w.table[1], 1) + pt_index(first, 1);
    at = walk_entry_maddr(&w, first, 1);
    for (unsigned int i = 0; i < nr; i += n) {
        uint64_t entries[32];

        n = MIN(nr - i, (unsigned int)ARRAY_SIZE(entries));
        for (unsigned int j = 0; j < n; j++)
            entries[j] = table[i + j] & ~PTE_RW;
        mmu_set_run_keep_ad(maddr_add(at, i * sizeof(pte_t)), entries, n);
    }
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
    set_readonly(_text, _etext);
    set_readonly(_rodata, _erodata);
    for (uintptr_t va = (uintptr_t)_etext; va < linear_end; va += L2_SPAN)
        set_nx(va, 2);
    if (p2m < VIRT_BASE || p2m >= linear_end)
        set_nx(p2m, PT_LEVELS);
    for (unsigned int i = 0; i < STACK_GUARDS; i++)
        mmu_set_va(ptr_to_vaddr(stack_guard_page(i)), (pte_t){ 0 },
                   UVMF_TLB_FLUSH);
    rc = mmu_end();
    if (rc != 0)
        panic("protect: %s refused, [%#lx] <- %#lx: %s", r->what, r->where,
              r->value, errno_name(rc));
}

/* SPDX-License-Identifier: MIT */
#include <plinth/audit.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printf.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/walk.h>

struct auditor {
    uint64_t *tables; /* a bit for each pfn: is it a page table? */
    char *why;
    size_t len;
};

#define COMPLAIN(a, ...) (snprintf((a)->why, (a)->len, __VA_ARGS__), -EINVAL)

static bool is_table(const struct auditor *a, pfn_t pfn)
{
    return a->tables[pfn_x(pfn) / 64] >> (pfn_x(pfn) % 64) & 1;
}

static int note_table(void *ctx, unsigned int level, mfn_t mfn, vaddr_t va)
{
    struct auditor *a = ctx;
    const pfn_t pfn = m2p_lookup(mfn);

    if (pfn_eq(pfn, INVALID_PFN))
        return COMPLAIN(a, "L%u table of %#lx, mfn %#lx, is not ours", level,
                        vaddr_x(va), mfn_x(mfn));
    a->tables[pfn_x(pfn) / 64] |= 1ul << (pfn_x(pfn) % 64);
    return 0;
}

/* Which pfn must be at @va?  INVALID_PFN where any may be. */
static pfn_t expected(uintptr_t va)
{
    if (va >= VIRT_BASE)
        return linear_pfn(va);
    if (va >= PHYSMAP_BASE && va < PHYSMAP_END)
        return _pfn((va - PHYSMAP_BASE) >> PAGE_SHIFT);
    return INVALID_PFN;
}

static int check_leaf(void *ctx, unsigned int level, pte_t pte, vaddr_t at,
                      uint64_t rights)
{
    struct auditor *a = ctx;
    const uintptr_t va = vaddr_x(at);
    const mfn_t mfn = pte_mfn(pte);
    const pfn_t pfn = m2p_lookup(mfn), want = expected(va);

    if (rights & PTE_RW && !(rights & PTE_NX))
        return COMPLAIN(a, "%#lx is writable and executable", va);
    if (!pfn_eq(want, INVALID_PFN) && !pfn_eq(pfn, want))
        return COMPLAIN(a, "%#lx maps mfn %#lx, pfn %#lx, not pfn %#lx", va,
                        mfn_x(mfn), pfn_x(pfn), pfn_x(want));
    if (pfn_eq(pfn, INVALID_PFN) || level > 1)
        return 0;
    if (rights & PTE_RW && is_table(a, pfn))
        return COMPLAIN(a, "%#lx maps the page table pfn %#lx writable", va,
                        pfn_x(pfn));
    return 0;
}

static unsigned int bits_order(void)
{
    const uint64_t bytes = p2m_size() / 8 + 8;
    unsigned int order = 0;

    while (PAGE_SIZE << order < bytes)
        order++;
    return order;
}

int audit(char *why, size_t len)
{
    const mfn_t l4 = walk_current_l4();
    const unsigned int order = bits_order();
    struct auditor a = { .why = why, .len = len };
    struct walk_visitor first = { .table = note_table, .ctx = &a };
    struct walk_visitor second = { .leaf = check_leaf, .ctx = &a };
    int rc = page_check(why, len);

    if (rc != 0)
        return rc;
    a.tables = page_alloc_zeroed(order);
    if (a.tables == NULL) {
        snprintf(why, len, "no memory for an audit: 2^%u pages", order);
        return -ENOMEM;
    }
    rc = walk_all(l4, &first);
    if (rc == 0)
        rc = walk_all(l4, &second);
    if (rc == -EFAULT)
        rc = COMPLAIN(&a, "a page table cannot be read");
    page_free(a.tables, order);
    return rc;
}

/* SPDX-License-Identifier: MIT */
#include <plinth/audit.h>
#include <plinth/bug.h>
#include <plinth/descriptors.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printf.h>
#include <plinth/ptab.h>
#include <plinth/selfmap.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/walk.h>

struct auditor {
    uint64_t *tables; /* a bit for each pfn: is it a page table? */
    uint64_t *live;   /* the same: must nobody write it but Xen? */
    const struct space *space;
    char *why;
    size_t len;
};

#define COMPLAIN(a, ...) (snprintf((a)->why, (a)->len, __VA_ARGS__), -EINVAL)

static bool test_bit(const uint64_t *bits, pfn_t pfn)
{
    return bits[pfn_x(pfn) / 64] >> (pfn_x(pfn) % 64) & 1;
}

static void set_bit(uint64_t *bits, pfn_t pfn)
{
    bits[pfn_x(pfn) / 64] |= 1ul << (pfn_x(pfn) % 64);
}

/*
 * Tables: each is ours, referred to from one place, and known as a table to the
 * allocator.
 */
static int note_table(void *ctx, unsigned int level, mfn_t mfn, vaddr_t va)
{
    struct auditor *a = ctx;
    const pfn_t pfn = m2p_lookup(mfn);

    if (pfn_eq(pfn, INVALID_PFN))
        return COMPLAIN(a, "L%u table of %#lx, mfn %#lx, is not ours", level,
                        vaddr_x(va), mfn_x(mfn));
    if (test_bit(a->tables, pfn))
        return COMPLAIN(a, "L%u table of %#lx, pfn %#lx, is a table twice",
                        level, vaddr_x(va), pfn_x(pfn));
    if (!ptab_is_table(pfn))
        return COMPLAIN(a, "L%u table of %#lx, pfn %#lx, is not noted as one",
                        level, vaddr_x(va), pfn_x(pfn));
    set_bit(a->tables, pfn);
    if (a->space->live)
        set_bit(a->live, pfn);
    return 0;
}

/* The kernel's half is the same in all spaces, but for the self-map. */
static int check_kernel_half(struct auditor *a, const struct space *space)
{
    const uint64_t *ours = kaddr_lookup_mfn(space->l4);
    const uint64_t *kernel = kaddr_lookup_mfn(kernel_space.l4);

    for (unsigned int i = L4_XEN_LAST + 1; i < PT_ENTRIES; i++) {
        const uint64_t want = i == SELFMAP_SLOT ? 0 : kernel[i];

        if (!pte_same((pte_t){ ours[i] }, (pte_t){ want }))
            return COMPLAIN(a, "L4 slot %u is %#lx, not %#lx", i, ours[i],
                            want);
    }
    return 0;
}

/* The L4 for user mode has the same user half, and nothing else. */
static int check_user_l4(struct auditor *a, const struct space *space)
{
    const uint64_t *ours = kaddr_lookup_mfn(space->l4);
    const uint64_t *user = kaddr_lookup_mfn(space->user_l4);

    for (unsigned int i = 0; i < PT_ENTRIES; i++) {
        const uint64_t want = i < L4_XEN_FIRST ? ours[i] : 0;

        if (i >= L4_XEN_FIRST && i <= L4_XEN_LAST)
            continue;
        if (!pte_same((pte_t){ user[i] }, (pte_t){ want }))
            return COMPLAIN(a, "user L4 slot %u is %#lx, not %#lx", i, user[i],
                            want);
    }
    return note_table(a, PT_LEVELS, space->user_l4, _vaddr(0));
}

/* Xen refuses to pin what is pinned. */
static int check_pin(struct auditor *a, mfn_t l4)
{
    const struct mmuext_op op = {
        .cmd = MMUEXT_PIN_L4_TABLE,
        .arg1.mfn = mfn_x(l4),
    };

    if (mfn_x(l4) == 0 || hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF) != 0)
        return 0;
    return COMPLAIN(a, "L4 mfn %#lx was not pinned", mfn_x(l4));
}

static int note_space(void *ctx, struct space *space)
{
    struct auditor *a = ctx;
    const struct walk_visitor v = { .table = note_table, .ctx = a };
    const bool kernels = space == &kernel_space;
    int rc;

    a->space = space;
    rc = walk_slots(space->l4, 0, kernels ? PT_ENTRIES : L4_XEN_FIRST, &v);
    if (rc == 0 && !kernels)
        rc = check_kernel_half(a, space);
    if (rc == 0 && mfn_x(space->user_l4) != 0)
        rc = check_user_l4(a, space);
    if (rc == 0 && space->live)
        rc = check_pin(a, space->l4);
    if (rc == 0 && space->live)
        rc = check_pin(a, space->user_l4);
    return rc;
}

/* Nobody writes descriptors either, loaded or not. */
static void note_descriptors(struct auditor *a, pfn_t pfn, const void *page)
{
    if (page_is_allocated(page) && *page_note(page) & DESCRIPTORS_NOTE)
        for (unsigned int i = 0; i < 1u << page_order(page); i++)
            set_bit(a->live, pfn_add(pfn, i));
}

/* What the allocator knows as a table is one. */
static int check_notes(struct auditor *a)
{
    for (pfn_t pfn = _pfn(0); pfn_x(pfn) < p2m_size(); pfn = pfn_add(pfn, 1)) {
        const void *page = kaddr_lookup(pfn);

        if (page == NULL || ptab_note(page) == NULL)
            continue;
        note_descriptors(a, pfn, page);
        if (ptab_is_table(pfn) && !test_bit(a->tables, pfn))
            return COMPLAIN(a, "pfn %#lx is noted as a table and is none",
                            pfn_x(pfn));
    }
    return 0;
}

/*
 * Leaves.
 */

/* Which pfn must be at @va?  INVALID_PFN where any may be. */
static pfn_t expected(uintptr_t va)
{
    if (is_fixmap(va))
        return INVALID_PFN;
    if (va >= VIRT_BASE && va < linear_va(_pfn(linear_size())))
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
    if (rights & PTE_RW && test_bit(a->live, pfn))
        return COMPLAIN(a, "%#lx maps the %s pfn %#lx writable", va,
                        test_bit(a->tables, pfn) ? "page table" : "descriptors",
                        pfn_x(pfn));
    return 0;
}

static int check_leaves(void *ctx, struct space *space)
{
    const struct walk_visitor v = { .leaf = check_leaf, .ctx = ctx };

    return walk_slots(space->l4, 0,
                      space == &kernel_space ? PT_ENTRIES : L4_XEN_FIRST, &v);
}

int audit(char *why, size_t len)
{
    /* Two bits a page, each kind in words of its own. */
    const unsigned int order = page_order_for(2 * (p2m_size() / 8 + 8));
    struct auditor a = { .why = why, .len = len };
    int rc = page_check(why, len);

    if (rc != 0)
        return rc;
    a.tables = page_alloc_zeroed(order);
    if (a.tables == NULL) {
        snprintf(why, len, "no memory for an audit: 2^%u pages", order);
        return -ENOMEM;
    }
    a.live = a.tables + p2m_size() / 64 + 1;
    rc = space_each(note_space, &a);
    if (rc == 0)
        rc = check_notes(&a);
    if (rc == 0)
        rc = space_each(check_leaves, &a);
    if (rc == -EFAULT)
        rc = COMPLAIN(&a, "a page table cannot be read");
    page_free(a.tables, order);
    return rc;
}

uint64_t audit_every;

void audit_now(void)
{
    static uint64_t count;
    char why[120];
    const int rc =
        __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) % audit_every == 0
            ? audit(why, sizeof(why))
            : 0;

    if (rc == -EINVAL)
        panic("audit: %s", why);
}

/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/walk.h>

#include "scratch.h"

#define HOOKS_MAX 8

/* What was there before a live entry was changed. */
struct hook {
    maddr_t entry;
    uint64_t before;
};

static struct {
    void *page;
    uint64_t entry; /* that mapped it when it was taken */
} taken[SCRATCH_PAGES];
static unsigned int nr_taken;

static struct hook hooks[HOOKS_MAX];
static unsigned int nr_hooks;

/* Where the pages come from: one block, for as long as one of them is taken. */
#define SCRATCH_ORDER 5u
BUILD_BUG_ON(1u << SCRATCH_ORDER != SCRATCH_PAGES);

static char *block;

/* The current L1 entry for @p. */
static uint64_t own_entry(const volatile void *p)
{
    struct walk w;

    walk_address(ptr_to_vaddr(p), &w);
    return w.entry[1].raw;
}

void *scratch_page(void)
{
    void *page;

    if (block == NULL)
        block = page_alloc(SCRATCH_ORDER);
    if (block == NULL || nr_taken == SCRATCH_PAGES)
        panic("scratch: no page left, %u are taken", nr_taken);
    page = block + nr_taken * PAGE_SIZE;

    taken[nr_taken].page = page;
    taken[nr_taken].entry = own_entry(page);
    nr_taken++;
    memset(page, 0, PAGE_SIZE);
    return page;
}

uint64_t scratch_in_use(void)
{
    return nr_taken;
}

mfn_t scratch_mfn(const volatile void *p)
{
    return kaddr_mfn(p);
}

maddr_t scratch_maddr(const volatile void *p)
{
    return maddr_add(mfn_to_maddr(scratch_mfn(p)),
                     vaddr_page_offset(ptr_to_vaddr(p)));
}

uint64_t scratch_pte(const volatile void *p, uint64_t flags)
{
    return pte_make(scratch_mfn(p), flags).raw;
}

static int map_own(const void *page, uint64_t value)
{
    return hypercall_update_va_mapping(ptr_to_vaddr(page), (pte_t){ value },
                                       UVMF_INVLPG);
}

int scratch_readonly(void *page)
{
    return map_own(page, scratch_pte(page, PTE_P | PTE_A));
}

int scratch_writable(void *page)
{
    return map_own(page, scratch_pte(page, PTE_P | PTE_RW | PTE_A | PTE_D));
}

int scratch_unmap(void *page)
{
    return map_own(page, 0);
}

void scratch_frame_is(void *page, mfn_t mfn)
{
    BUG_ON(p2m_set(kaddr_pfn(page), mfn) != 0);
}

void scratch_frame_gone(void *page)
{
    scratch_frame_is(page, INVALID_MFN);
}

static int update(maddr_t entry, uint64_t value)
{
    const struct mmu_update req = { .ptr = maddr_x(entry), .val = value };

    return hypercall_mmu_update(&req, 1, NULL, DOMID_SELF);
}

int scratch_hook(maddr_t entry, uint64_t value)
{
    const char *table = kaddr_lookup_mfn(maddr_to_mfn(entry));
    uint64_t before;
    int rc;

    BUG_ON(table == NULL || nr_hooks == HOOKS_MAX);
    memcpy(&before, table + (maddr_x(entry) & ~PAGE_MASK), sizeof(before));
    rc = update(entry, value);
    if (rc == 0)
        hooks[nr_hooks++] = (struct hook){ entry, before };
    return rc;
}

/*
 * Restoring.
 */
static int ext(unsigned int cmd, mfn_t mfn)
{
    const struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn_x(mfn) };

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* Nothing of the CPU's may point into a page any more. */
static void leave_tables(struct test_run *run_)
{
    const struct mmuext_op no_ldt = { .cmd = MMUEXT_SET_LDT };
    const mfn_t l4 = kaddr_mfn((void *)start_info()->pt_base);

    if (!mfn_eq(maddr_to_mfn(_maddr(read_cr3())), l4))
        EXPECT_EQ(ext(MMUEXT_NEW_BASEPTR, l4), 0);
    EXPECT_EQ(ext(MMUEXT_NEW_USER_BASEPTR, _mfn(0)), 0);
    EXPECT_EQ(hypercall_mmuext_op(&no_ldt, 1, NULL, DOMID_SELF), 0);
    EXPECT_EQ(hypercall_set_gdt(NULL, 0), 0);
}

/* A frame that was given away comes back as another one. */
static void refill(struct test_run *run_, void *page)
{
    xen_pfn_t frame = pfn_x(kaddr_pfn(page));
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

    if (!mfn_eq(scratch_mfn(page), INVALID_MFN))
        return;
    set_xen_guest_handle(r.extent_start, &frame);
    EXPECT_EQ(hypercall_memory_op(XENMEM_populate_physmap, &r), 1);
    scratch_frame_is(page, _mfn(frame));
}

static void restore_page(struct test_run *run_, unsigned int i)
{
    void *page = taken[i].page;
    const uint64_t pfn = pfn_x(kaddr_pfn(page));
    uint64_t flags = taken[i].entry & ~PTE_ADDR;

    refill(run_, page);
    EXPECT_EQ(map_own(page, scratch_pte(page, flags)), 0);
    if (own_entry(page) & PTE_RW)
        memset(page, 0, PAGE_SIZE);
    if (pfn_x(m2p_raw(scratch_mfn(page))) != pfn)
        EXPECT_EQ(
            update(_maddr(maddr_x(scratch_maddr(page)) | MMU_MACHPHYS_UPDATE),
                   pfn),
            0);
}

void scratch_restore(struct test_run *run_)
{
    const unsigned int failures = run_->failures;

    leave_tables(run_);
    while (nr_hooks > 0) {
        nr_hooks--;
        EXPECT_EQ(update(hooks[nr_hooks].entry, hooks[nr_hooks].before), 0);
    }
    fixmap_clear(FIX_TEST);

    /* All at once, before the first: a table keeps its children typed. */
    for (unsigned int i = 0; i < nr_taken; i++)
        if (!mfn_eq(scratch_mfn(taken[i].page), INVALID_MFN))
            (void)ext(MMUEXT_UNPIN_TABLE, scratch_mfn(taken[i].page));

    for (unsigned int i = 0; i < nr_taken; i++)
        restore_page(run_, i);
    nr_taken = 0;

    /* What could not be put right is no memory for others: let it go. */
    if (run_->failures == failures)
        page_free(block, SCRATCH_ORDER);
    block = NULL;
}

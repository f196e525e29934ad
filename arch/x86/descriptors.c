/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/audit.h>
#include <plinth/bug.h>
#include <plinth/descriptors.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/page.h>
#include <plinth/ptab.h>

#define PER_PAGE  (PAGE_SIZE / sizeof(uint64_t))
#define GDT_PAGES (GDT_ENTRIES_MAX / PER_PAGE)

static struct descriptor_table *gdt[MAX_VCPUS], *ldt[MAX_VCPUS];

static unsigned int nr_pages(unsigned int nr)
{
    return (nr + PER_PAGE - 1) / PER_PAGE;
}

static unsigned int order_of(unsigned int nr)
{
    return page_order_for(nr_pages(nr) * PAGE_SIZE);
}

static int set_rights(const struct descriptor_table *t, uint64_t flags)
{
    mmu_begin();
    for (unsigned int i = 0; i < 1u << order_of(t->nr); i++)
        ptab_set_rights(t->entries + i * PER_PAGE, flags);
    mmu_flush_all(); /* nobody may have it writable still */
    return mmu_end();
}

int descriptors_create(struct descriptor_table *t, unsigned int nr)
{
    int rc;

    if (nr == 0 || nr > LDT_ENTRIES_MAX)
        return -EINVAL;
    *t = (struct descriptor_table){
        .entries = page_alloc_zeroed(order_of(nr)),
        .nr = nr,
    };
    if (t->entries == NULL)
        return -ENOMEM;
    rc = set_rights(t, PTE_DATA_RO);
    if (rc != 0) {
        BUG_ON(set_rights(t, PTE_DATA) != 0);
        page_free(t->entries, order_of(nr));
        return rc;
    }
    *page_note(t->entries) = DESCRIPTORS_NOTE;
    audit_count();
    return 0;
}

int descriptors_destroy(struct descriptor_table *t)
{
    int rc;

    if (t->users > 0)
        return -EBUSY;
    rc = set_rights(t, PTE_DATA);
    if (rc != 0) {
        BUG_ON(set_rights(t, PTE_DATA_RO) != 0);
        return rc;
    }
    page_free(t->entries, order_of(t->nr));
    audit_count();
    return 0;
}

/*
 * Entries.
 */
static const uint64_t kinds[] = {
    /* Level 3, used already (or the CPU would write that), 32-bit or 64-bit. */
    [SEGMENT_DATA_RO] = 0x0040710000000000,
    [SEGMENT_DATA] = 0x0040730000000000,
    [SEGMENT_CODE32] = 0x00407b0000000000,
    [SEGMENT_CODE64] = 0x00207b0000000000,
};
#define DESC_P (1ull << 47)
#define DESC_G (1ull << 55) /* the limit counts pages */

static int encode(const struct segment *s, uint64_t *desc)
{
    const bool small = s->limit < 1u << 20;
    const uint64_t limit = small ? s->limit : s->limit >> PAGE_SHIFT;

    if ((unsigned int)s->kind >= ARRAY_SIZE(kinds))
        return -EINVAL;
    if (!small && (s->limit & (PAGE_SIZE - 1)) != PAGE_SIZE - 1)
        return -EINVAL;
    *desc = kinds[s->kind] | (s->absent ? 0 : DESC_P) | (small ? 0 : DESC_G) |
            (limit & 0xffff) | (limit >> 16) << 48 |
            (s->base & 0xffffffull) << 16 | (uint64_t)(s->base >> 24) << 56;
    return 0;
}

static int write_entry(const struct descriptor_table *t, unsigned int index,
                       uint64_t desc)
{
    const uint64_t *entry = t->entries + index;
    maddr_t at;

    if (index >= t->nr)
        return -EINVAL;
    at =
        maddr_add(mfn_to_maddr(kaddr_mfn(entry)), (uintptr_t)entry % PAGE_SIZE);
    return hypercall_update_descriptor(at, desc);
}

int descriptor_set(struct descriptor_table *t, unsigned int index,
                   const struct segment *s)
{
    uint64_t desc;
    const int rc = encode(s, &desc);

    return rc != 0 ? rc : write_entry(t, index, desc);
}

int descriptor_clear(struct descriptor_table *t, unsigned int index)
{
    return write_entry(t, index, 0);
}

/*
 * Loading.
 */
static int set_gdt(const struct descriptor_table *t)
{
    uint64_t frames[GDT_PAGES];

    if (t == NULL)
        return hypercall_set_gdt(NULL, 0);
    if (t->nr > GDT_ENTRIES_MAX)
        return -EINVAL;
    for (unsigned int i = 0; i < nr_pages(t->nr); i++)
        frames[i] = mfn_x(kaddr_mfn(t->entries + i * PER_PAGE));
    return hypercall_set_gdt(frames, t->nr);
}

static int set_ldt(const struct descriptor_table *t)
{
    const struct mmuext_op op = {
        .cmd = MMUEXT_SET_LDT,
        .arg1.linear_addr = t != NULL ? (uintptr_t)t->entries : 0,
        .arg2.nr_ents = t != NULL ? t->nr : 0,
    };

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static int load(struct descriptor_table *loaded[], struct descriptor_table *t,
                int (*set)(const struct descriptor_table *t))
{
    struct descriptor_table **mine;
    int rc;

    preempt_disable();
    mine = &loaded[vcpu_id()];
    rc = set(t);
    if (rc == 0) {
        if (*mine != NULL)
            __atomic_sub_fetch(&(*mine)->users, 1, __ATOMIC_RELAXED);
        if (t != NULL)
            __atomic_add_fetch(&t->users, 1, __ATOMIC_RELAXED);
        *mine = t;
    }
    preempt_enable();
    return rc;
}

int gdt_load(struct descriptor_table *t)
{
    return load(gdt, t, set_gdt);
}

int ldt_load(struct descriptor_table *t)
{
    return load(ldt, t, set_ldt);
}

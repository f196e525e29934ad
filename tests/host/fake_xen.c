/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <plinth/errno.h>

#include "fake_xen.h"

#define L1_REFUSED    (PTE_PWT | PTE_PCD | PTE_PSE) /* here PSE is the PAT bit */
#define UPPER_REFUSED (L1_REFUSED | PTE_GLOBAL)

/* What changes without a look at the frame: bits 9 to 11 and 52 up as well. */
#define FAST_UPPER (0xfff0000000000e00ull | PTE_A | PTE_D | PTE_USER)
#define FAST_L1    (FAST_UPPER | PTE_GLOBAL)

static bool is_table(unsigned int type)
{
    return type >= FAKE_L1 && type <= FAKE_L4;
}

static bool is_xens_slot(unsigned int type, unsigned int i)
{
    return type == FAKE_L4 && i >= L4_XEN_FIRST && i <= L4_XEN_LAST;
}

static uint64_t mfn_in(uint64_t entry)
{
    return (entry & PTE_ADDR) >> PAGE_SHIFT;
}

/* The frame behind @mfn, if it is @owner's. */
static struct fake_frame *frame_of(struct fake_xen *x, uint64_t mfn,
                                   unsigned int owner)
{
    struct fake_frame *f;

    if (mfn < FAKE_FIRST || mfn >= FAKE_FIRST + FAKE_FRAMES)
        return NULL;
    f = &x->frames[mfn - FAKE_FIRST];
    return f->owner == owner ? f : NULL;
}

static uint64_t *words_of(struct fake_xen *x, const struct fake_frame *f)
{
    return x->words[f - x->frames];
}

/*
 * Types.
 */
static int get_entry(struct fake_xen *x, unsigned int level, uint64_t entry,
                     unsigned int owner);
static void put_entry(struct fake_xen *x, unsigned int level, uint64_t entry);

/* As Xen stores it. */
static uint64_t adjust(unsigned int level, uint64_t entry)
{
    if (!(entry & PTE_P))
        return entry;
    if (level == 4)
        return entry | PTE_USER | PTE_A;
    if (level > 1)
        return entry | PTE_USER;
    if (!(entry & PTE_USER))
        return entry | PTE_USER | PTE_GUEST_KERNEL;
    return entry & PTE_GUEST_KERNEL ? entry : entry | PTE_GLOBAL;
}

/* Let go of the first @n entries. */
static void demote(struct fake_xen *x, struct fake_frame *f, unsigned int n)
{
    const uint64_t *words = words_of(x, f);

    for (unsigned int i = 0; i < n; i++)
        if (!is_xens_slot(f->type, i))
            put_entry(x, f->type, words[i]);
}

static int promote(struct fake_xen *x, struct fake_frame *f)
{
    uint64_t *words = words_of(x, f);

    for (unsigned int i = 0; i < PT_ENTRIES; i++) {
        int rc;

        if (is_xens_slot(f->type, i))
            continue;
        rc = get_entry(x, f->type, words[i], FAKE_SELF);
        if (rc != 0) {
            demote(x, f, i);
            return rc;
        }
        words[i] = adjust(f->type, words[i]);
    }
    for (unsigned int i = L4_XEN_FIRST; i <= L4_XEN_LAST; i++)
        if (f->type == FAKE_L4)
            words[i] = i * 0x1000ull;
    return 0;
}

static int get_type(struct fake_xen *x, struct fake_frame *f, unsigned int type)
{
    int rc;

    if (f->types > 0) {
        if (f->type != type)
            return -EINVAL;
        f->types++;
        return 0;
    }

    f->type = type;
    f->types = 1;
    rc = is_table(type) ? promote(x, f) : 0;
    if (rc != 0) {
        f->type = FAKE_NONE;
        f->types = 0;
    }
    return rc;
}

static void put_type(struct fake_xen *x, struct fake_frame *f)
{
    if (f->types == 1) {
        if (is_table(f->type))
            demote(x, f, PT_ENTRIES);
        f->type = FAKE_NONE;
    }
    f->types--;
}

static int get_both(struct fake_xen *x, uint64_t mfn, unsigned int owner,
                    unsigned int type)
{
    struct fake_frame *f = frame_of(x, mfn, owner);
    const int rc = f != NULL ? get_type(x, f, type) : -EINVAL;

    if (rc == 0)
        f->refs++;
    return rc;
}

static void put_both(struct fake_xen *x, struct fake_frame *f)
{
    put_type(x, f);
    f->refs--;
}

/*
 * Entries.
 */
static int get_leaf(struct fake_xen *x, uint64_t entry, unsigned int owner)
{
    const uint64_t mfn = mfn_in(entry);
    struct fake_frame *f = frame_of(x, mfn, owner);

    if (mfn < FAKE_FIRST || mfn >= FAKE_FIRST + FAKE_FRAMES)
        return mfn == PTE_ADDR >> PAGE_SHIFT ? -EINVAL : -EPERM;
    if (f == NULL)
        return -EBUSY;
    if (entry & PTE_RW && get_type(x, f, FAKE_WRITABLE) != 0)
        return -EBUSY;
    f->refs++;
    return 0;
}

static int get_entry(struct fake_xen *x, unsigned int level, uint64_t entry,
                     unsigned int owner)
{
    if (!(entry & PTE_P))
        return 0;
    if (entry & (level == 1 ? L1_REFUSED : UPPER_REFUSED))
        return -EINVAL;
    if (level == 1)
        return get_leaf(x, entry, owner);
    return get_both(x, mfn_in(entry), owner, level - 1);
}

static void put_entry(struct fake_xen *x, unsigned int level, uint64_t entry)
{
    struct fake_frame *f;

    if (!(entry & PTE_P))
        return;
    f = &x->frames[mfn_in(entry) - FAKE_FIRST];
    if (level > 1 || entry & PTE_RW)
        put_both(x, f);
    else
        f->refs--;
}

/* Entry @i of the table @f becomes @entry. */
static int modify(struct fake_xen *x, struct fake_frame *f, unsigned int i,
                  uint64_t entry, unsigned int owner, bool keep_ad)
{
    const unsigned int level = f->type;
    uint64_t *at = &words_of(x, f)[i];
    const uint64_t old = *at, kept = keep_ad ? old & (PTE_A | PTE_D) : 0;
    const uint64_t fast = level == 1 ? FAST_L1 : FAST_UPPER;
    int rc;

    if (is_xens_slot(level, i))
        return -EINVAL;
    if (entry & PTE_P) {
        if (entry & (level == 1 ? L1_REFUSED : UPPER_REFUSED))
            return -EINVAL;
        if (old & PTE_P && ((old ^ entry) & ~fast) == 0) {
            *at = adjust(level, entry) | kept;
            return 0;
        }
    }
    rc = get_entry(x, level, entry, owner);
    if (rc != 0)
        return rc;
    *at = adjust(level, entry) | kept;
    put_entry(x, level, old);
    return 0;
}

/*
 * Hypercalls.
 */
static int find_owner(unsigned int *owner)
{
    if (*owner == DOMID_SELF)
        *owner = FAKE_SELF;
    else if (*owner != FAKE_OTHER)
        return -ESRCH;
    return 0;
}

static int update_one(struct fake_xen *x, const struct mmu_update *req,
                      unsigned int owner)
{
    const unsigned int cmd = req->ptr & 7;
    const uint64_t mfn = req->ptr >> PAGE_SHIFT;
    const unsigned int i = req->ptr % PAGE_SIZE / sizeof(uint64_t);
    struct fake_frame *f;

    if (cmd == MMU_MACHPHYS_UPDATE) {
        if (frame_of(x, mfn, owner) == NULL)
            return -EINVAL;
        x->m2p[mfn - FAKE_FIRST] = req->val;
        return 0;
    }
    if (cmd > MMU_PT_UPDATE_NO_TRANSLATE)
        return -ENOSYS;

    f = frame_of(x, mfn, FAKE_SELF);
    if (f == NULL || f->type == FAKE_DESC)
        return -EINVAL;
    if (f->type >= FAKE_L2 && f->type <= FAKE_L4 && owner != FAKE_SELF)
        return -EINVAL;
    if (is_table(f->type))
        return modify(x, f, i, req->val, owner,
                      cmd == MMU_PT_UPDATE_PRESERVE_AD);
    words_of(x, f)[i] = req->val;
    return 0;
}

int fake_mmu_update(struct fake_xen *x, const struct mmu_update *req,
                    unsigned int count, unsigned int *done, unsigned int owner)
{
    int rc = find_owner(&owner);

    for (unsigned int i = 0; i < count && rc == 0; i++) {
        rc = update_one(x, &req[i], owner);
        if (rc == 0 && done != NULL)
            ++*done;
    }
    return rc;
}

static void note_flush(struct fake_xen *x, uint64_t kind, uint64_t va)
{
    x->nr_flushes++;
    x->flushes = (x->flushes ^ kind ^ va) * 0x9e3779b97f4a7c15ull;
    x->flushes ^= x->flushes >> 29;
}

static int pin(struct fake_xen *x, uint64_t mfn, unsigned int owner,
               unsigned int type)
{
    struct fake_frame *f = frame_of(x, mfn, owner);
    const int rc = get_both(x, mfn, owner, type);

    if (rc != 0)
        return rc;
    if (f->pinned) {
        put_both(x, f);
        return -EINVAL;
    }
    f->pinned = true;
    return 0;
}

static int unpin(struct fake_xen *x, uint64_t mfn, unsigned int owner)
{
    struct fake_frame *f = frame_of(x, mfn, owner);

    if (f == NULL || !f->pinned)
        return -EINVAL;
    f->pinned = false;
    put_both(x, f);
    return 0;
}

static int set_base(struct fake_xen *x, unsigned int *base, uint64_t mfn)
{
    const unsigned int old = *base;
    int rc = 0;

    if (mfn != 0)
        rc = get_both(x, mfn, FAKE_SELF, FAKE_L4);
    if (rc != 0)
        return rc;
    *base = mfn;
    if (old != 0)
        put_both(x, &x->frames[old - FAKE_FIRST]);
    return 0;
}

/* CLEAR_PAGE and COPY_PAGE, without and with a @src. */
static int fill_page(struct fake_xen *x, uint64_t mfn, const uint64_t *src,
                     unsigned int owner)
{
    struct fake_frame *f = frame_of(x, mfn, owner);

    if (f == NULL || get_type(x, f, FAKE_WRITABLE) != 0)
        return -EINVAL;
    if (src != NULL)
        memmove(words_of(x, f), src, PAGE_SIZE);
    else
        memset(words_of(x, f), 0, PAGE_SIZE);
    put_type(x, f);
    return 0;
}

static int set_ldt(struct fake_xen *x, uint64_t va, uint64_t entries)
{
    if (va % PAGE_SIZE != 0 || entries > 8192)
        return -EINVAL;
    x->ldt = va;
    x->ldt_entries = entries;
    return 0;
}

static int ext_one(struct fake_xen *x, const struct mmuext_op *op,
                   unsigned int owner)
{
    const uint64_t mfn = op->arg1.mfn;
    struct fake_frame *src;

    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return pin(x, mfn, owner, op->cmd - MMUEXT_PIN_L1_TABLE + FAKE_L1);
    case MMUEXT_UNPIN_TABLE:
        return unpin(x, mfn, owner);
    case MMUEXT_CLEAR_PAGE:
        return fill_page(x, mfn, NULL, owner);
    case MMUEXT_COPY_PAGE:
        src = frame_of(x, op->arg2.src_mfn, owner);
        return src == NULL ? -EINVAL
                           : fill_page(x, mfn, words_of(x, src), owner);
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -EOPNOTSUPP;
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return -EACCES;
    case MMUEXT_NEW_BASEPTR:
    case MMUEXT_NEW_USER_BASEPTR:
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_INVLPG_ALL:
    case MMUEXT_SET_LDT:
        if (owner != FAKE_SELF)
            return -EPERM;
        break;
    default:
        return -ENOSYS;
    }

    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
        if (mfn == 0)
            return -EINVAL;
        return mfn == x->base ? 0 : set_base(x, &x->base, mfn);
    case MMUEXT_NEW_USER_BASEPTR:
        return mfn == x->user_base ? 0 : set_base(x, &x->user_base, mfn);
    case MMUEXT_SET_LDT:
        return set_ldt(x, op->arg1.linear_addr, op->arg2.nr_ents);
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_INVLPG_ALL:
        note_flush(x, op->cmd, op->arg1.linear_addr);
        return 0;
    default:
        note_flush(x, op->cmd, 0);
        return 0;
    }
}

int fake_mmuext_op(struct fake_xen *x, const struct mmuext_op *op,
                   unsigned int count, unsigned int *done, domid_t domid)
{
    unsigned int owner = domid;
    int rc = find_owner(&owner);

    for (unsigned int i = 0; i < count && rc == 0; i++) {
        rc = ext_one(x, &op[i], owner);
        if (rc == 0 && done != NULL)
            ++*done;
    }
    return rc;
}

int fake_update_va_mapping(struct fake_xen *x, uint64_t va, uint64_t entry,
                           unsigned long flags, domid_t domid)
{
    struct fake_frame *f = &x->frames[x->base - FAKE_FIRST];
    unsigned int owner = domid;
    int rc = find_owner(&owner);

    if (rc != 0)
        return rc;
    for (unsigned int level = 4; level > 1; level--) {
        const unsigned int i = pt_index(_vaddr(va), level);
        const uint64_t next = words_of(x, f)[i];

        if (is_xens_slot(level, i) || !(next & PTE_P))
            return -EINVAL;
        f = &x->frames[mfn_in(next) - FAKE_FIRST];
    }
    rc = modify(x, f, pt_index(_vaddr(va), 1), entry, owner, false);
    if (rc == 0 && (flags & UVMF_FLUSHTYPE_MASK) != UVMF_NONE)
        note_flush(x, flags << 32, va);
    return rc;
}

static long dispatch(struct fake_xen *x, const struct multicall_entry *c)
{
    switch (c->op) {
    case __HYPERVISOR_mmu_update:
        return fake_mmu_update(x, (const struct mmu_update *)c->args[0],
                               c->args[1], (unsigned int *)c->args[2],
                               c->args[3]);
    case __HYPERVISOR_mmuext_op:
        return fake_mmuext_op(x, (const struct mmuext_op *)c->args[0],
                              c->args[1], (unsigned int *)c->args[2],
                              c->args[3]);
    case __HYPERVISOR_update_va_mapping:
        return fake_update_va_mapping(x, c->args[0], c->args[1], c->args[2],
                                      DOMID_SELF);
    case __HYPERVISOR_update_va_mapping_otherdomain:
        return fake_update_va_mapping(x, c->args[0], c->args[1], c->args[2],
                                      c->args[3]);
    case __HYPERVISOR_multicall:
        return -EINVAL;
    default:
        return -ENOSYS;
    }
}

int fake_multicall(struct fake_xen *x, struct multicall_entry *calls,
                   unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++) {
        const long result = dispatch(x, &calls[i]);

        memset(&calls[i], 0xaa, sizeof(calls[i]));
        calls[i].result = result;
    }
    return 0;
}

/*
 * The machine.
 */
static uint64_t entry_for(unsigned int frame, uint64_t flags)
{
    return (uint64_t)(FAKE_FIRST + frame) << PAGE_SHIFT | flags;
}

static unsigned int first_owner(unsigned int frame)
{
    if (frame >= FAKE_THEIRS && frame < FAKE_FREE)
        return FAKE_OTHER;
    return frame >= FAKE_FREE && frame < FAKE_GDT ? FAKE_NOBODY : FAKE_SELF;
}

/* A tree of four tables, the L4 at @l4, each @step from the next. */
static void link_tables(struct fake_xen *x, unsigned int l4, int step)
{
    for (unsigned int level = 4; level > 1; level--, l4 += step)
        x->words[l4][0] = entry_for(l4 + step, PTE_P | PTE_RW | PTE_A);
}

void fake_xen_reset(struct fake_xen *x)
{
    uint64_t *l1 = x->words[FAKE_TABLES + 3];

    memset(x, 0, sizeof(*x));
    for (unsigned int i = 0; i < FAKE_FRAMES; i++) {
        x->frames[i].owner = first_owner(i);
        x->frames[i].refs = 1;
        x->m2p[i] = i;
        if (i < FAKE_UNMAPPED && first_owner(i) == FAKE_SELF)
            l1[i] = entry_for(i, i >= FAKE_DATA && i != FAKE_GDT ? PTE_DATA
                                                                 : PTE_DATA_RO);
    }
    x->frames[FAKE_GDT].type = FAKE_DESC;
    x->frames[FAKE_GDT].types = 1;
    x->frames[FAKE_GDT].refs++;
    link_tables(x, FAKE_TABLES, 1);
    link_tables(x, FAKE_TREE + 3, -1);
    x->words[FAKE_TREE][1] = entry_for(FAKE_DATA, PTE_DATA);

    /* Neither can fail. */
    if (pin(x, FAKE_FIRST + FAKE_TABLES, FAKE_SELF, FAKE_L4) == 0)
        (void)set_base(x, &x->base, FAKE_FIRST + FAKE_TABLES);
}

bool fake_xen_same(const struct fake_xen *a, const struct fake_xen *b)
{
    return memcmp(a->frames, b->frames, sizeof(a->frames)) == 0 &&
           memcmp(a->words, b->words, sizeof(a->words)) == 0 &&
           memcmp(a->m2p, b->m2p, sizeof(a->m2p)) == 0 && a->base == b->base &&
           a->user_base == b->user_base && a->ldt == b->ldt &&
           a->ldt_entries == b->ldt_entries && a->nr_flushes == b->nr_flushes &&
           a->flushes == b->flushes;
}

const char *fake_xen_check(const struct fake_xen *x)
{
    unsigned int refs[FAKE_FRAMES] = { 0 }, types[FAKE_FRAMES] = { 0 };

    for (unsigned int i = 0; i < FAKE_FRAMES; i++) {
        const struct fake_frame *f = &x->frames[i];

        refs[i] += 1 + f->pinned + (x->base == FAKE_FIRST + i) +
                   (x->user_base == FAKE_FIRST + i) + (i == FAKE_GDT);
        types[i] += f->pinned + (x->base == FAKE_FIRST + i) +
                    (x->user_base == FAKE_FIRST + i) + (i == FAKE_GDT);

        for (unsigned int k = 0; is_table(f->type) && k < PT_ENTRIES; k++) {
            const uint64_t entry = x->words[i][k];
            const unsigned int to = mfn_in(entry) - FAKE_FIRST;
            const unsigned int want =
                f->type > FAKE_L1 ? f->type - 1u : FAKE_WRITABLE;

            if (is_xens_slot(f->type, k) || !(entry & PTE_P))
                continue;
            if (to >= FAKE_FRAMES)
                return "an entry points nowhere";
            refs[to]++;
            if (f->type == FAKE_L1 && !(entry & PTE_RW))
                continue;
            types[to]++;
            if (x->frames[to].type != want)
                return "an entry points to a frame of another type";
        }
    }
    for (unsigned int i = 0; i < FAKE_FRAMES; i++) {
        if (refs[i] != x->frames[i].refs)
            return "references are miscounted";
        if (types[i] != x->frames[i].types)
            return "types are miscounted";
        if ((types[i] == 0) != (x->frames[i].type == FAKE_NONE))
            return "a type without a use, or the other way round";
    }
    return NULL;
}

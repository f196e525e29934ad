/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/audit.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/l1.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/ptab.h>
#include <plinth/selfmap.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/walk.h>

#define KERNEL_FIRST (L4_XEN_LAST + 1)
#define USER_SLOTS   L4_XEN_FIRST

/* Loaded at first; and for ever in use, as what it maps is seen in all others. */
struct space kernel_space = { .live = true, .users = 1 + 1 };

/*
 * All spaces.  The lock also guards the L4 tables against a change of the
 * kernel's half while a space comes, goes, or changes hands.
 */
static struct spinlock list_lock;
static struct space *list = &kernel_space;

static struct space *loaded[MAX_VCPUS] = { &kernel_space };

void space_init(void)
{
    kernel_space.l4 = walk_current_l4();
}

struct space *space_current(void)
{
    return loaded[vcpu_id()];
}

int space_each(int (*f)(void *ctx, struct space *space), void *ctx)
{
    int rc = 0;

    spin_lock(&list_lock);
    for (struct space *s = list; s != NULL && rc == 0; s = s->next)
        rc = f(ctx, s);
    spin_unlock(&list_lock);
    return rc;
}

/*
 * Creating.
 */
static mfn_t new_l4(uint64_t **table)
{
    *table = page_alloc_zeroed(0);
    if (*table == NULL)
        return _mfn(0);
    *page_note(*table) = PTAB_TABLE;
    return kaddr_mfn(*table);
}

/*
 * Xen maps its M2P in each L4.  With this it leaves those out that are loaded
 * for user mode.  Xen without it lets user mode read which frames are ours.
 */
static void hide_m2p_from_user_mode(void)
{
    static bool done;

    if (!done &&
        hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict) != 0)
        pr_warn("space: user mode can read Xen's M2P");
    done = true;
}

int space_create(struct space *space, unsigned int flags)
{
    const uint64_t *kernel = kaddr_lookup_mfn(kernel_space.l4);
    uint64_t *l4, *user = NULL;

    if (flags & ~SPACE_USER)
        return -EINVAL;
    *space = (struct space){ .l4 = new_l4(&l4) };
    if (l4 == NULL)
        return -ENOMEM;
    if (flags & SPACE_USER) {
        hide_m2p_from_user_mode();
        space->user_l4 = new_l4(&user);
        if (user == NULL) {
            page_free(l4, 0);
            return -ENOMEM;
        }
    }

    spin_lock(&list_lock);
    memcpy(l4 + KERNEL_FIRST, kernel + KERNEL_FIRST,
           (PT_ENTRIES - KERNEL_FIRST) * sizeof(*l4));
    l4[SELFMAP_SLOT] = 0; /* it would show kernel_space's tables */
    space->next = kernel_space.next;
    kernel_space.next = space;
    spin_unlock(&list_lock);
    audit_count();
    return 0;
}

/*
 * Every table of the space's own, from the leaves up.  @f may free it.
 */
static void each_below(uint64_t *table, unsigned int level,
                       unsigned int nr_slots, void (*f)(void *table))
{
    unsigned int i = level > 1 ? pt_next_present(table, 0, nr_slots) : nr_slots;

    for (; i < nr_slots; i = pt_next_present(table, i + 1, nr_slots))
        each_below(kaddr_lookup_mfn(pte_mfn((pte_t){ table[i] })), level - 1,
                   PT_ENTRIES, f);
    f(table);
}

static void each_table(const struct space *space, void (*f)(void *table))
{
    each_below(kaddr_lookup_mfn(space->l4), PT_LEVELS, USER_SLOTS, f);
    if (mfn_x(space->user_l4) != 0)
        f(kaddr_lookup_mfn(space->user_l4));
}

static void make_readonly(void *table)
{
    ptab_set_rights(table, PTE_DATA_RO);
}

static void make_writable(void *table)
{
    ptab_set_rights(table, PTE_DATA);
}

static void free_table(void *table)
{
    page_free(table, 0);
}

/*
 * Pinning.
 */
static int pin_one(mfn_t l4)
{
    if (mfn_x(l4) == 0)
        return 0;
    mmu_pin(l4, PT_LEVELS);
    return mmu_send();
}

static int unpin_one(mfn_t l4)
{
    if (mfn_x(l4) == 0)
        return 0;
    mmu_unpin(l4);
    return mmu_send();
}

/* Between mmu_begin() and mmu_end(). */
static int pin_tables(struct space *space)
{
    int rc;

    each_table(space, make_readonly);
    rc = mmu_send();
    if (rc == 0)
        rc = pin_one(space->l4);
    if (rc == 0) {
        rc = pin_one(space->user_l4);
        if (rc != 0)
            BUG_ON(unpin_one(space->l4) != 0);
    }
    if (rc != 0) {
        each_table(space, make_writable);
        BUG_ON(mmu_send() != 0);
    }
    return rc;
}

static int pin_locked(struct space *space)
{
    int rc;

    if (space->live)
        return 0;
    spin_lock(&list_lock);
    mmu_begin();
    rc = pin_tables(space);
    BUG_ON(mmu_end() != 0);
    space->live = rc == 0;
    spin_unlock(&list_lock);
    return rc;
}

static int unpin_locked(struct space *space)
{
    int rc;

    if (!space->live)
        return 0;
    if (space->users > 0)
        return -EBUSY;
    spin_lock(&list_lock);
    mmu_begin();
    rc = unpin_one(space->user_l4);
    if (rc == 0) {
        rc = unpin_one(space->l4);
        if (rc != 0)
            BUG_ON(pin_one(space->user_l4) != 0);
    }
    if (rc == 0) {
        each_table(space, make_writable);
        BUG_ON(mmu_send() != 0);
        space->live = false;
    }
    BUG_ON(mmu_end() != 0);
    spin_unlock(&list_lock);
    return rc;
}

int space_pin(struct space *space)
{
    int rc;

    spin_lock(&space->lock);
    rc = pin_locked(space);
    spin_unlock(&space->lock);
    return rc;
}

int space_unpin(struct space *space)
{
    int rc;

    spin_lock(&space->lock);
    rc = unpin_locked(space);
    spin_unlock(&space->lock);
    return rc;
}

/*
 * Destroying.
 */
static void unlink_space(struct space *space)
{
    struct space *s = list;

    while (s->next != space)
        s = s->next;
    s->next = space->next;
}

int space_destroy(struct space *space)
{
    int rc = space->users > 0 ? -EBUSY : space_unpin(space);

    if (rc != 0)
        return rc;
    spin_lock(&list_lock);
    unlink_space(space);
    spin_unlock(&list_lock);
    l1_forget();
    each_table(space, free_table);
    audit_count();
    return 0;
}

/*
 * Switching.
 */
static void load(unsigned int cmd, mfn_t l4)
{
    const struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn_x(l4) };

    mmu_ext(&op);
}

/* 0 is allowed for user mode's: then there is none to go to. */
static void load_tables(const struct space *space,
                        const struct space *instead_of)
{
    load(MMUEXT_NEW_BASEPTR, space->l4);
    if (!mfn_eq(space->user_l4, instead_of->user_l4))
        load(MMUEXT_NEW_USER_BASEPTR, space->user_l4);
}

int space_switch(struct space *space)
{
    struct space *old;
    int rc;

    spin_lock(&space->lock);
    rc = pin_locked(space);
    if (rc == 0)
        __atomic_add_fetch(&space->users, 1, __ATOMIC_RELAXED);
    spin_unlock(&space->lock);
    if (rc != 0)
        return rc;

    preempt_disable();
    old = space_current();
    mmu_begin();
    load_tables(space, old);
    rc = mmu_send();
    if (rc != 0) {
        load_tables(old, space);
        BUG_ON(mmu_send() != 0);
    }
    BUG_ON(mmu_end() != 0);
    if (rc == 0) {
        loaded[vcpu_id()] = space;
        walk_l4_loaded(space->l4);
    }
    preempt_enable();
    __atomic_sub_fetch(rc == 0 ? &old->users : &space->users, 1,
                       __ATOMIC_RELAXED);
    return rc;
}

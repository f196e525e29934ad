/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/kaddr.h>
#include <plinth/l1.h>
#include <plinth/page.h>
#include <plinth/ptab.h>
#include <plinth/walk.h>

/* What was found lately, by address. */
#define NR_SLOTS 8u

static struct cache {
    uint64_t generation;
    struct l1 slots[NR_SLOTS];
} caches[MAX_VCPUS];

/* Goes up when a table has gone, for all vCPUs to see. */
static uint64_t generation;

void l1_forget(void)
{
    __atomic_add_fetch(&generation, 1, __ATOMIC_RELEASE);
}

/*
 * Tables that this vCPU unhooks are mapped themselves, by tables that it will need
 * next and knows; so here only what has gone is forgotten.
 */
void l1_forget_range(uintptr_t start, uintptr_t end)
{
    struct cache *c = &caches[vcpu_id()];
    const uint64_t now = __atomic_add_fetch(&generation, 1, __ATOMIC_RELEASE);

    start &= ~(L1_SPAN - 1);
    for (unsigned int i = 0; i < NR_SLOTS; i++)
        if (c->slots[i].span - start < end - start)
            c->slots[i].space = NULL;
    if (c->generation == now - 1)
        c->generation = now;
}

static struct l1 *slot_of(uintptr_t va)
{
    struct cache *c = &caches[vcpu_id()];

    if (unlikely(c->generation != generation)) {
        *c = (struct cache){ .generation = generation };
    }
    /* The parts of the layout differ in the upper bits. */
    return &c->slots[(va >> 21 ^ va >> 43) % NR_SLOTS];
}

static const struct l1 *find_slow(struct l1 *slot, const struct space *space,
                                  uintptr_t va)
{
    mfn_t mfn = space->l4;
    uint64_t *page;

    for (unsigned int level = PT_LEVELS; level > 1; level--) {
        const pte_t pte = walk_entry(mfn, level, pt_index(_vaddr(va), level));

        if (!pte_present(pte) || pte.raw & PTE_PSE)
            return NULL;
        mfn = pte_mfn(pte);
    }
    page = kaddr_lookup_mfn(mfn);
    *slot = (struct l1){
        .space = page ? space : NULL, /* a window is not for long */
        .span = va & ~(L1_SPAN - 1),
        .mfn = mfn,
        .table = page ? page : (uint64_t *)(uintptr_t)walk_table_ptr(mfn, 1),
        .note = page ? ptab_note(page) : NULL,
    };
    return slot;
}

const struct l1 *l1_find(const struct space *space, uintptr_t va)
{
    struct l1 *slot = slot_of(va);

    if (likely(slot->span == (va & ~(L1_SPAN - 1)) && slot->space == space))
        return slot;
    return find_slow(slot, space, va);
}

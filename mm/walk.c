/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/kaddr.h>
#include <plinth/selfmap.h>
#include <plinth/trap.h>
#include <plinth/walk.h>

/* What each level's window shows. */
static mfn_t window[PT_LEVELS + 1];

const volatile uint64_t *walk_table_ptr(mfn_t mfn, unsigned int level)
{
    const enum fixmap_slot slot = FIX_WALK + level - 1;
    const volatile uint64_t *table = kaddr_lookup_mfn(mfn);
    uint64_t first;

    if (table == NULL) {
        table = fixmap_ptr(slot);
        /* 0 is no frame of a guest's, and what an empty window holds. */
        if (!mfn_eq(window[level], mfn)) {
            if (fixmap_set(slot, mfn, 0) != 0)
                return NULL;
            window[level] = mfn;
        }
    }
    /* Mapped, by all we know; but what we know may come from start_info. */
    return probe_read(table, &first) == 0 ? table : NULL;
}

pte_t walk_entry(mfn_t mfn, unsigned int level, unsigned int index)
{
    const volatile uint64_t *table = walk_table_ptr(mfn, level);

    BUG_ON(table == NULL);
    return (pte_t){ table[index] };
}

static bool is_leaf(pte_t pte, unsigned int level)
{
    return level == 1 || pte.raw & PTE_PSE;
}

static mfn_t l4_loaded[MAX_VCPUS]; /* 0: not read yet */

mfn_t walk_current_l4(void)
{
    mfn_t *l4 = &l4_loaded[vcpu_id()];

    if (unlikely(mfn_x(*l4) == 0))
        *l4 = maddr_to_mfn(_maddr(read_cr3()));
    return *l4;
}

void walk_l4_loaded(mfn_t l4)
{
    l4_loaded[vcpu_id()] = l4;
}

/* The entry for @va in the table at @mfn; by the self-map if that shows it. */
static int read_entry(bool self, mfn_t mfn, vaddr_t va, unsigned int level,
                      pte_t *pte)
{
    const volatile uint64_t *table;

    if (self)
        return probe_read(selfmap_ptr(va, level), &pte->raw);

    table = walk_table_ptr(mfn, level);
    if (table == NULL)
        return -EFAULT;
    pte->raw = table[pt_index(va, level)];
    return 0;
}

bool walk_address(vaddr_t va, struct walk *w)
{
    mfn_t mfn = walk_current_l4();
    const bool self = selfmap_shows(mfn);

    *w = (struct walk){ .last = PT_LEVELS };

    for (unsigned int level = PT_LEVELS; level > 0; level--) {
        pte_t *pte = &w->entry[level];

        if (read_entry(self, mfn, va, level, pte) != 0) {
            w->unreadable = true;
            return false;
        }
        w->table[level] = mfn;
        w->last = level;
        if (!pte_present(*pte))
            return false;
        if (is_leaf(*pte, level))
            return true;
        mfn = pte_mfn(*pte);
    }
    return false;
}

maddr_t walk_entry_maddr(const struct walk *w, vaddr_t va, unsigned int level)
{
    return maddr_add(mfn_to_maddr(w->table[level]),
                     pt_index(va, level) * sizeof(pte_t));
}

static uint64_t rights_through(uint64_t rights, pte_t pte)
{
    return (rights & pte.raw & PTE_RW) | ((rights | pte.raw) & PTE_NX);
}

/* Xen's slots, and the table itself: the tables as memory (plinth/selfmap.h). */
static bool is_no_part(mfn_t table, unsigned int level, unsigned int index,
                       pte_t pte)
{
    return level == PT_LEVELS &&
           ((index >= L4_XEN_FIRST && index <= L4_XEN_LAST) ||
            mfn_eq(pte_mfn(pte), table));
}

static int walk_table(mfn_t mfn, unsigned int level, vaddr_t base,
                      unsigned int first, unsigned int end, uint64_t rights,
                      const struct walk_visitor *v)
{
    const volatile uint64_t *table;
    int rc = v->table ? v->table(v->ctx, level, mfn, base) : 0;

    if (rc != 0)
        return rc;
    table = walk_table_ptr(mfn, level);
    if (table == NULL)
        return -EFAULT;

    for (unsigned int i = first; i < end && rc == 0; i++) {
        uint64_t va = vaddr_x(base) | (uint64_t)i << pt_shift(level);
        const pte_t pte = { table[i] };
        uint64_t here;

        if (!pte_present(pte) || is_no_part(mfn, level, i, pte))
            continue;

        /* Canonical: bit 47 spreads upward. */
        va = (uint64_t)((int64_t)(va << 16) >> 16);
        here = rights_through(rights, pte);
        if (!is_leaf(pte, level))
            rc = walk_table(pte_mfn(pte), level - 1, _vaddr(va), 0, PT_ENTRIES,
                            here, v);
        else if (v->leaf)
            rc = v->leaf(v->ctx, level, pte, _vaddr(va), here);
    }
    return rc;
}

int walk_all(mfn_t l4, const struct walk_visitor *visitor)
{
    return walk_slots(l4, 0, PT_ENTRIES, visitor);
}

int walk_slots(mfn_t l4, unsigned int first, unsigned int end,
               const struct walk_visitor *visitor)
{
    return walk_table(l4, PT_LEVELS, _vaddr(0), first, end, PTE_RW, visitor);
}

uint64_t walk_rights(const struct walk *w)
{
    uint64_t rights = PTE_RW;

    for (unsigned int level = PT_LEVELS; level >= w->last; level--)
        rights = rights_through(rights, w->entry[level]);
    return rights;
}

const char *walk_rights_name(const struct walk *w)
{
    const uint64_t rights = walk_rights(w);

    if (w->unreadable || !pte_present(w->entry[w->last]))
        return "---";
    if (rights & PTE_NX)
        return rights & PTE_RW ? "RW-" : "R--";
    return rights & PTE_RW ? "RWX" : "R-X";
}

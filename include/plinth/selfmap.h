/* SPDX-License-Identifier: MIT */
/*
 * selfmap: the page tables as memory, by an L4 entry that names its own table.
 *
 * On the way through that entry the CPU takes the L4 for an L3, and so on down:
 * one level is used up, and the page at the end is a table instead of what the
 * table maps.  So each entry of that address space has an address, arithmetic
 * on the address it maps, and reading it needs no window and no P2M.
 *
 * Xen lets an L4 name itself read-only, if it was built with CONFIG_PV_LINEAR_PT
 * and not started with pv-linear-pt=false.  It takes no reference for that, so
 * the L4 can be unpinned as ever.  Only kernel_space does so; in other spaces
 * the slot is empty, as there it would show the tables of this one.
 *
 * Only upper entries lead to a table, and Xen flushes after a change of these
 * (4.14.0 does not), so no translation here is stale.
 *
 *   units    levels 1-4; L1 holds the leaves
 *   owns     the L4 slot from SELFMAP_BASE on (plinth/kaddr.h)
 *   context  on and off: boot and threads; reading: any, in kernel_space
 *   source   xen/arch/x86/mm.c: get_l4_linear_pagetable()
 */
#pragma once

#include <plinth/compiler.h>
#include <plinth/kaddr.h>
#include <plinth/pte.h>

#define SELFMAP_SLOT ((SELFMAP_BASE >> 39) & (PT_ENTRIES - 1))

/*
 * Hook the L4 of kernel_space into itself.  -EEXIST when something is in the
 * slot already, -EINVAL when Xen does not allow it.
 */
int __must_check selfmap_enable(void);

/* Unhook it again; -ENOENT when there is none. */
int __must_check selfmap_disable(void);

/*
 * The entry of @level for @va.  -ENOENT when the path ends above, in an entry
 * that is not present or a large page, and when the self-map is off; -EFAULT
 * for tables of Xen's, and while another space than kernel_space is loaded.
 */
int __must_check selfmap_entry(vaddr_t va, unsigned int level, pte_t *pte);

/* The L4 that names itself; 0, which is no frame of a guest's, for none. */
extern mfn_t selfmap_l4;

static inline bool selfmap_shows(mfn_t l4)
{
    return mfn_eq(selfmap_l4, l4);
}

/*
 * Where the entry of @level for @va is, if there is such a table: to be read by
 * probe_read(), and only below upper entries that are present and no large page,
 * or data is taken for a table.
 */
static inline const volatile uint64_t *selfmap_ptr(vaddr_t va,
                                                   unsigned int level)
{
    static const uint64_t first[PT_LEVELS + 1] = {
        [1] = SELFMAP_BASE,
        [2] = SELFMAP_BASE | SELFMAP_SLOT << 30,
        [3] = SELFMAP_BASE | SELFMAP_SLOT << 30 | SELFMAP_SLOT << 21,
        [4] = SELFMAP_BASE | SELFMAP_SLOT << 30 | SELFMAP_SLOT << 21 |
              SELFMAP_SLOT << 12,
    };
    const uint64_t index = vaddr_x(va) << 16 >> 16 >> pt_shift(level);

    return (const volatile uint64_t *)first[level] + index;
}

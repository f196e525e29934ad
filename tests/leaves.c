/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/bug.h>
#include <plinth/physmap.h>
#include <plinth/walk.h>

#include "leaves.h"

struct count {
    uint64_t present, executable, both;
};

static int leaf(void *ctx, unsigned int level __unused, pte_t pte __unused,
                vaddr_t va, uint64_t rights)
{
    struct count *n = ctx;
    const bool physmap =
        (vaddr_x(va) >= PHYSMAP_BASE && vaddr_x(va) < PHYSMAP_END) ||
        (vaddr_x(va) >= PAGES_BASE && vaddr_x(va) < PAGES_END);
    const bool writable = rights & PTE_RW, executable = !(rights & PTE_NX);

    n->both += writable && executable;
    n->executable += executable;
    /* The physmap grows when memory is needed first, whoever needs it. */
    n->present += !physmap;
    return 0;
}

static struct count count(void)
{
    struct count n = { 0 };
    const struct walk_visitor v = { .leaf = leaf, .ctx = &n };

    BUG_ON(walk_all(maddr_to_mfn(_maddr(read_cr3())), &v) != 0);
    return n;
}

uint64_t leaves_present(void)
{
    return count().present;
}

uint64_t leaves_executable(void)
{
    return count().executable;
}

uint64_t leaves_writable_and_executable(void)
{
    return count().both;
}

/* SPDX-License-Identifier: MIT */
#include <plinth/fixmap.h>
#include <plinth/kaddr.h>
#include <plinth/printk.h>
#include <plinth/ptdump.h>
#include <plinth/start_info.h>
#include <plinth/walk.h>

const char *ptdump_owner(vaddr_t at)
{
    const uintptr_t va = vaddr_x(at);
    const struct start_info *si = start_info();
    const struct {
        uintptr_t start, end;
        const char *name;
    } parts[] = {
        { 0, 0x0000800000000000, "user" },
        { PHYSMAP_BASE, PHYSMAP_END, "physmap" },
        { si->mfn_list, si->mfn_list + si->nr_pages * 8, "P2M" },
        { PAGES_BASE, PAGES_END, "page records" },
        { VMAP_BASE, VMAP_END, "vmap" },
        { SELFMAP_BASE, SELFMAP_END, "self-map" },
        { (uintptr_t)_fixmap, (uintptr_t)_efixmap, "fixmap" },
        { (uintptr_t)_text, (uintptr_t)_etext, "text" },
        { (uintptr_t)_rodata, (uintptr_t)_erodata, "rodata" },
        { (uintptr_t)_data, (uintptr_t)_ebss, "data, bss" },
        { si->pt_base, si->pt_base + si->nr_pt_frames * PAGE_SIZE,
          "builder's tables" },
        { VIRT_BASE, linear_va(_pfn(linear_size())), "bootstrap region" },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
        if (va >= parts[i].start && va < parts[i].end)
            return parts[i].name;
    return "";
}

/* A run of leaves that follow each other and have all in common. */
struct run {
    uintptr_t start, end;
    uint64_t rights;
    unsigned int level;
    const char *owner;
};

static void print_run(const struct run *r)
{
    static const char *const sizes[] = { "", "4K", "2M", "1G" };
    const uint64_t kib = (r->end - r->start) >> 10;

    if (r->start == r->end)
        return;
    say("  %016lx-%016lx %9lu KiB  R%c%c %s  %s\n", r->start, r->end, kib,
        r->rights & PTE_RW ? 'W' : '-', r->rights & PTE_NX ? '-' : 'X',
        sizes[r->level], r->owner);
}

static int leaf(void *ctx, unsigned int level, pte_t pte __unused, vaddr_t va,
                uint64_t rights)
{
    struct run *r = ctx;
    const char *owner = ptdump_owner(va);

    if (vaddr_x(va) != r->end || rights != r->rights || level != r->level ||
        owner != r->owner) {
        print_run(r);
        *r = (struct run){
            .start = vaddr_x(va),
            .rights = rights,
            .level = level,
            .owner = owner,
        };
    }
    r->end = vaddr_x(va) + (pt_pages(level) << PAGE_SHIFT);
    return 0;
}

void ptdump(mfn_t l4)
{
    struct run run = { 0 };
    const struct walk_visitor v = { .leaf = leaf, .ctx = &run };
    int rc;

    say("Page tables at mfn %#lx:\n", mfn_x(l4));
    rc = walk_all(l4, &v);
    print_run(&run);
    if (rc != 0)
        say("  (a table cannot be read)\n");
}

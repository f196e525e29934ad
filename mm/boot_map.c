/* SPDX-License-Identifier: MIT */
#include <plinth/boot_map.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/kaddr.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/ramdisk.h>
#include <plinth/stack.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/trap.h>
#include <plinth/walk.h>

static struct boot_map the_map;

const struct boot_map *boot_map(void)
{
    return &the_map;
}

/*
 * Exploring.  All facts about one walk, and where to say what is wrong.
 */
struct explorer {
    const struct start_info *si;
    struct boot_map *map;
    uint64_t pt_start, pt_end;   /* pfns of the table pages in the region */
    uint64_t p2m_start, p2m_end; /* pfns of an INIT_P2M and its tables */
    uintptr_t p2m_va_end;
    char *why;
    size_t len;
};

#define CONTRADICTION(e, ...)                                                  \
    (snprintf((e)->why, (e)->len, __VA_ARGS__), -EINVAL)

static bool p2m_is_outside(const struct explorer *e)
{
    return e->p2m_end > e->p2m_start;
}

static uintptr_t next_linear(const struct boot_map *map)
{
    return linear_va(_pfn(map->nr_linear));
}

/* A table page of the region must be mapped, at its place, read-only. */
static int check_readonly(const struct explorer *e, pfn_t pfn, mfn_t mfn,
                          unsigned int level)
{
    const vaddr_t va = _vaddr(linear_va(pfn));
    struct walk w;

    if (!walk_address(va, &w) || !mfn_eq(pte_mfn(w.entry[1]), mfn))
        return CONTRADICTION(e, "L%u table, pfn %#lx, is not mapped at %#lx",
                             level, pfn_x(pfn), vaddr_x(va));
    if (w.entry[1].raw & PTE_RW)
        return CONTRADICTION(e, "L%u table, pfn %#lx, is mapped writable",
                             level, pfn_x(pfn));
    return 0;
}

/* On a walk after boot: what the kernel has made in areas of its own since. */
static bool is_made_since(uintptr_t va)
{
    return kaddr_ready() && ((va >= PHYSMAP_BASE && va < VMAP_END) ||
                             (va >= PAGES_BASE && va < PAGES_END));
}

static int check_table(struct explorer *e, unsigned int level, mfn_t mfn,
                       uintptr_t va)
{
    const pfn_t pfn = m2p_lookup(mfn);

    if (pfn_x(pfn) >= e->pt_start && pfn_x(pfn) < e->pt_end) {
        e->map->tables++;
        return check_readonly(e, pfn, mfn, level);
    }
    if (pfn_x(pfn) >= e->p2m_start && pfn_x(pfn) < e->p2m_end) {
        e->map->tables_outside++;
        return 0;
    }
    return CONTRADICTION(e,
                         "L%u table for %#lx, mfn %#lx, pfn %#lx, is not among "
                         "the tables start_info names",
                         level, va, mfn_x(mfn), pfn_x(pfn));
}

static bool is_in_p2m(const struct explorer *e, uintptr_t va)
{
    return p2m_is_outside(e) && va >= e->si->mfn_list && va < e->p2m_va_end;
}

static int check_p2m_leaf(const struct explorer *e, unsigned int level,
                          pte_t pte, uintptr_t va)
{
    const mfn_t mfn = pte_mfn(pte);
    const pfn_t pfn = m2p_lookup(mfn);

    if (pfn_x(pfn) < e->p2m_start || pfn_x(pfn) + pt_pages(level) > e->p2m_end)
        return CONTRADICTION(e, "P2M page at %#lx, mfn %#lx, has pfn %#lx", va,
                             mfn_x(mfn), pfn_x(pfn));
    return 0;
}

/* The two kinds of page of the image that need not map what they began with. */
static bool is_set_aside(uintptr_t va)
{
    return is_fixmap(va) || stack_is_guard_page(va);
}

static int check_leaf(const struct explorer *e, unsigned int level, pte_t pte,
                      uintptr_t va)
{
    struct boot_map *map = e->map;
    const mfn_t mfn = pte_mfn(pte);
    const pfn_t pfn = m2p_lookup(mfn);

    map->leaves++;
    if (is_in_p2m(e, va)) {
        map->large_leaves += level > 1;
        return check_p2m_leaf(e, level, pte, va);
    }

    /* Pages that have given way to something, or nothing, on our behalf. */
    while (is_set_aside(next_linear(map)) && va >= next_linear(map)) {
        map->nr_linear++;
        if (va == next_linear(map) - PAGE_SIZE)
            return 0;
    }

    if (va != next_linear(map))
        return CONTRADICTION(e, "%#lx is mapped, after %#lx pages from %#lx",
                             va, map->nr_linear, VIRT_BASE);
    if (level > 1)
        return CONTRADICTION(e, "%#lx is a large page", va);
    if (pfn_x(pfn) != map->nr_linear)
        return CONTRADICTION(e, "%#lx maps mfn %#lx, pfn %#lx, not pfn %#lx",
                             va, mfn_x(mfn), pfn_x(pfn), map->nr_linear);
    map->nr_linear++;
    return 0;
}

/*
 * How many of the @n entries at @table are present and map what the region
 * goes on with: both tables agree that it is the next pfn.  Nearly all there
 * are; check_leaf() says what is wrong with the one where this stops.
 */
static unsigned int expected_leaves(const volatile uint64_t *table, uint64_t n,
                                    uint64_t pfn)
{
    const uint64_t *m2p = (const uint64_t *)MACH2PHYS_VIRT_START;
    const uint64_t *p2m = (const uint64_t *)start_info()->mfn_list + pfn;
    const uint64_t *t = (const uint64_t *)(uintptr_t)table;
    uint64_t i;

    n = MIN(n, p2m_size() - pfn);
    for (i = 0; i < n; i++) {
        const uint64_t want = pte_make(_mfn(p2m[i]), PTE_P).raw;

        if ((t[i] ^ want) & (PTE_ADDR | PTE_P) ||
            probe_read_or(&m2p[p2m[i]], ~0ul) != pfn + i)
            break;
    }
    return i;
}

static int explore_leaves(const struct explorer *e,
                          const volatile uint64_t *table, uintptr_t base)
{
    struct boot_map *map = e->map;
    int rc = 0;

    for (unsigned int i = pt_next_present(table, 0, PT_ENTRIES);
         i < PT_ENTRIES && rc == 0; i = pt_next_present(table, i, PT_ENTRIES)) {
        const uintptr_t va = base + i * PAGE_SIZE;
        unsigned int n = 0;

        if (va == next_linear(map) && map->nr_linear < p2m_size())
            n = expected_leaves(&table[i], PT_ENTRIES - i, map->nr_linear);
        map->nr_linear += n;
        map->leaves += n;
        if (n == 0)
            rc = check_leaf(e, 1, (pte_t){ table[i++] }, va);
        i += n;
    }
    return rc;
}

/*
 * At boot only the ends of the P2M are looked at, since there is an L1 table for
 * each GiB of memory, which has to be mapped to be read: does this one map an end?
 */
static bool has_p2m_end(const struct explorer *e, uintptr_t base)
{
    const uintptr_t last = e->p2m_va_end - 1;

    return base == ALIGN_DOWN(e->si->mfn_list, PT_ENTRIES * PAGE_SIZE) ||
           base == ALIGN_DOWN(last, PT_ENTRIES * PAGE_SIZE);
}

/* And of the tables that do, the first and the last page. */
static int explore_p2m_ends(const struct explorer *e,
                            const volatile uint64_t *table, uintptr_t base)
{
    const uintptr_t end = e->p2m_va_end - 1;
    const unsigned int last = MIN((end - base) >> PAGE_SHIFT, PT_ENTRIES - 1ul);
    int rc = 0;

    for (unsigned int i = 0; i <= last && rc == 0; i += MAX(last, 1u)) {
        const pte_t pte = { table[i] };
        const uintptr_t va = base + i * PAGE_SIZE;

        if (!pte_present(pte))
            return CONTRADICTION(e, "P2M page at %#lx is not mapped", va);
        rc = check_leaf(e, 1, pte, va);
    }
    return rc;
}

/*
 * A walk of its own beside walk_all(): it comes by every page of the region
 * at every boot, so it is made to be quick.
 */
static int explore(struct explorer *e, unsigned int level, mfn_t mfn,
                   uintptr_t base)
{
    const bool p2m_at_boot = is_in_p2m(e, base) && !kaddr_ready();
    const volatile uint64_t *table;
    int rc = check_table(e, level, mfn, base);

    if (rc != 0 || (level == 1 && p2m_at_boot && !has_p2m_end(e, base)))
        return rc;
    table = walk_table_ptr(mfn, level);
    if (table == NULL)
        return CONTRADICTION(e, "a page table cannot be read");
    if (level == 1)
        return p2m_at_boot ? explore_p2m_ends(e, table, base)
                           : explore_leaves(e, table, base);

    for (unsigned int i = pt_next_present(table, 0, PT_ENTRIES);
         i < PT_ENTRIES && rc == 0;
         i = pt_next_present(table, i + 1, PT_ENTRIES)) {
        const pte_t pte = { table[i] };
        uint64_t va;

        /* Xen's slots; and, after boot, the table itself (plinth/selfmap.h). */
        if (level == PT_LEVELS && ((i >= L4_XEN_FIRST && i <= L4_XEN_LAST) ||
                                   mfn_eq(pte_mfn(pte), mfn)))
            continue;
        /* Canonical: bit 47 spreads upward. */
        va = base | (uint64_t)i << pt_shift(level);
        va = (uint64_t)((int64_t)(va << 16) >> 16);
        if (is_made_since(va))
            continue;
        rc = pte.raw & PTE_PSE ? check_leaf(e, level, pte, va)
                               : explore(e, level - 1, pte_mfn(pte), va);
    }
    return rc;
}

/*
 * Naming.
 */
static void add_region(struct boot_map *map, const char *what, pfn_t start,
                       uint64_t nr)
{
    struct boot_region *r;
    unsigned int i;

    if (nr == 0)
        return;
    BUG_ON(map->nr_regions == BOOT_REGIONS);

    for (i = map->nr_regions++; i > 0; i--) {
        if (pfn_x(map->regions[i - 1].start) <= pfn_x(start))
            break;
        map->regions[i] = map->regions[i - 1];
    }
    r = &map->regions[i];
    *r = (struct boot_region){
        .what = what,
        .start = start,
        .nr_pages = nr,
    };
}

/* A region given by virtual addresses of the bootstrap region. */
static void add_linear(struct boot_map *map, const char *what, uintptr_t start,
                       uintptr_t end)
{
    const pfn_t first = linear_pfn(start);

    add_region(map, what, first,
               pfn_x(linear_pfn(end + PAGE_SIZE - 1)) - pfn_x(first));
}

static void add_image(struct boot_map *map)
{
    add_linear(map, "text", (uintptr_t)_text, (uintptr_t)_etext);
    add_linear(map, "rodata", (uintptr_t)_rodata, (uintptr_t)_erodata);
    add_linear(map, "data", (uintptr_t)_data, (uintptr_t)_edata);
    add_linear(map, "stacks", (uintptr_t)_stacks, (uintptr_t)_estacks);
    add_linear(map, "fixmap", (uintptr_t)_fixmap, (uintptr_t)_efixmap);
    add_linear(map, "bss", (uintptr_t)_efixmap, (uintptr_t)_ebss);
}

/* A domain may be without; then the builder says 0, which is no frame of ours. */
static void add_ring(struct boot_map *map, const char *what, mfn_t mfn)
{
    const pfn_t pfn = m2p_lookup(mfn);

    if (!pfn_eq(pfn, INVALID_PFN))
        add_region(map, what, pfn, 1);
}

static void add_rings(const struct explorer *e)
{
    if (is_dom0())
        return;
    add_ring(e->map, "xenstore ring", _mfn(e->si->store_mfn));
    add_ring(e->map, "console ring", _mfn(e->si->console.domU.mfn));
}

/* What nobody claimed: padding inside the bootstrap region, free above. */
static void add_gaps(const struct explorer *e)
{
    struct boot_map *map = e->map;
    const uint64_t nr_linear = map->nr_linear;
    uint64_t next = 0;
    unsigned int i = 0;

    while (next < e->si->nr_pages) {
        uint64_t end = i < map->nr_regions ? pfn_x(map->regions[i].start)
                                           : e->si->nr_pages;

        if (end <= next) {
            next = MAX(next, end + map->regions[i].nr_pages);
            i++;
            continue;
        }
        if (next < nr_linear)
            end = MIN(end, nr_linear);
        add_region(map, next < nr_linear ? "padding" : "free memory",
                   _pfn(next), end - next);
        map->regions[i].free = true;
        next = end;
        i++; /* past the gap, which now stands where we are */
    }
}

/* They are in order: the last one is the highest. */
static int check_regions(const struct explorer *e)
{
    const struct boot_map *map = e->map;
    const struct boot_region *last = &map->regions[map->nr_regions - 1];

    for (unsigned int i = 1; i < map->nr_regions; i++) {
        const struct boot_region *a = &map->regions[i - 1];
        const struct boot_region *b = &map->regions[i];

        if (pfn_x(a->start) + a->nr_pages > pfn_x(b->start))
            return CONTRADICTION(e, "%s, pfn %#lx, overlaps %s, pfn %#lx",
                                 a->what, pfn_x(a->start), b->what,
                                 pfn_x(b->start));
    }
    if (pfn_x(last->start) + last->nr_pages > e->si->nr_pages)
        return CONTRADICTION(e, "%s, pfn %#lx, goes beyond %#lx pages",
                             last->what, pfn_x(last->start), e->si->nr_pages);
    return 0;
}

static void note_rights(const struct explorer *e)
{
    struct boot_map *map = e->map;

    for (unsigned int i = 0; i < map->nr_regions; i++) {
        struct boot_region *r = &map->regions[i];
        struct walk w;

        if (pfn_x(r->start) < map->nr_linear) {
            r->va = _vaddr(linear_va(r->start));
            r->nr_mapped = r->nr_pages;
        } else if (pfn_x(r->start) == e->p2m_start) {
            /* Its own tables are among its pages, and mapped nowhere. */
            r->va = _vaddr(e->si->mfn_list);
            r->nr_mapped =
                ALIGN_UP(e->si->nr_pages * sizeof(uint64_t), PAGE_SIZE) /
                PAGE_SIZE;
        } else {
            continue;
        }
        if (is_fixmap(vaddr_x(r->va)))
            continue; /* shared_info is there already */
        walk_address(r->va, &w);
        strlcpy(r->given, walk_rights_name(&w), sizeof(r->given));
    }
}

static int name_regions(const struct explorer *e)
{
    struct boot_map *map = e->map;
    const struct start_info *si = e->si;
    const struct ramdisk rd = ramdisk();
    const uintptr_t info = (uintptr_t)start_info_page();
    const uintptr_t stack = si->pt_base + si->nr_pt_frames * PAGE_SIZE;

    add_image(map);
    add_region(map, "ramdisk", rd.start,
               (rd.size + PAGE_SIZE - 1) >> PAGE_SHIFT);
    if (p2m_is_outside(e))
        add_region(map, "P2M", _pfn(e->p2m_start), e->p2m_end - e->p2m_start);
    else
        add_linear(map, "P2M", si->mfn_list, e->p2m_va_end);
    add_linear(map, "start_info", info, info + PAGE_SIZE);
    add_rings(e);
    add_linear(map, "page tables", si->pt_base, stack);
    add_linear(map, "builder's stack", stack, stack + PAGE_SIZE);
    add_gaps(e);
    note_rights(e);
    return check_regions(e);
}

int boot_map_make(const struct start_info *si, struct boot_map *map, char *why,
                  size_t len)
{
    struct explorer e = {
        .si = si,
        .map = map,
        .pt_start = pfn_x(linear_pfn(si->pt_base)),
        .pt_end = pfn_x(linear_pfn(si->pt_base)) + si->nr_pt_frames,
        .p2m_start = si->first_p2m_pfn,
        .p2m_end = si->first_p2m_pfn + si->nr_p2m_frames,
        .p2m_va_end = si->mfn_list + si->nr_pages * sizeof(uint64_t),
        .why = why,
        .len = len,
    };
    const uint64_t *p2m = (const uint64_t *)si->mfn_list;
    uint64_t mfn;
    int rc;

    *map = (struct boot_map){ 0 };

    if (si->pt_base < VIRT_BASE || si->pt_base % PAGE_SIZE != 0)
        return CONTRADICTION(&e, "page tables at %#lx, outside the region",
                             si->pt_base);

    if (si->nr_pages == 0 || probe_read(&p2m[0], &mfn) != 0 ||
        probe_read(&p2m[si->nr_pages - 1], &mfn) != 0)
        return CONTRADICTION(&e, "no P2M of %lu pages at %#lx", si->nr_pages,
                             si->mfn_list);

    rc = explore(&e, PT_LEVELS, p2m_lookup(_pfn(e.pt_start)), 0);
    if (rc != 0)
        return rc;

    if (map->tables != si->nr_pt_frames)
        return CONTRADICTION(&e, "%u table pages found, %lu announced",
                             map->tables, si->nr_pt_frames);
    if (map->nr_linear < e.pt_end)
        return CONTRADICTION(&e, "%#lx pages mapped, tables end at pfn %#lx",
                             map->nr_linear, e.pt_end);

    return name_regions(&e);
}

void boot_map_init(void)
{
    const struct start_info *si = start_info();
    char why[120];

    /*
     * All up to the end of the tables is mapped, or the builder could not
     * have put them there; that much the walk itself reads through.
     */
    linear_set_size(pfn_x(linear_pfn(si->pt_base)) + si->nr_pt_frames);
    if (boot_map_make(si, &the_map, why, sizeof(why)) != 0)
        panic("the builder's page tables: %s", why);
    linear_set_size(the_map.nr_linear);
}

/* The rights all pages of @r have now, or "mix". */
static void rights_now(const struct boot_region *r, char *now, size_t len)
{
    for (uint64_t i = 0; i < r->nr_mapped; i++) {
        struct walk w;

        walk_address(vaddr_add(r->va, i * PAGE_SIZE), &w);
        if (i > 0 && strcmp(walk_rights_name(&w), now) != 0) {
            strlcpy(now, "mix", len);
            return;
        }
        strlcpy(now, walk_rights_name(&w), len);
    }
}

static void print_region(const struct boot_region *r)
{
    const uint64_t start = pfn_x(r->start);
    char range[40] = "not mapped", now[4] = "";
    mfn_t mfn = p2m_lookup(r->start);

    if (r->nr_mapped > 0) {
        struct walk w;

        /* The P2M's first frame need not be the one with its first entry. */
        if (!is_fixmap(vaddr_x(r->va)) && walk_address(r->va, &w))
            mfn = pte_mfn(w.entry[w.last]);
        snprintf(range, sizeof(range), "%016lx-%08lx", vaddr_x(r->va),
                 (vaddr_x(r->va) + r->nr_mapped * PAGE_SIZE) & 0xffffffff);
        rights_now(r, now, sizeof(now));
    }
    say("  %-15s %-25s %6lx-%-6lx %8lx", r->what, range, start,
        start + r->nr_pages, mfn_x(mfn));
    if (now[0] != '\0')
        say(" %-5s %s", r->given, now);
    say("\n");
}

void boot_map_print(void)
{
    const struct boot_map *map = &the_map;

    say("Memory as the domain builder left it, bottom to top:\n");
    say("  %-15s %-25s %13s %8s %-5s %s\n", "what", "virtual addresses",
        "pfns (hex)", "mfn", "given", "now");
    for (unsigned int i = 0; i < map->nr_regions; i++)
        print_region(&map->regions[i]);
    say("  %u page-table pages in the region, %u outside; %lu leaves "
        "looked at, %lu large\n",
        map->tables, map->tables_outside, map->leaves, map->large_leaves);
}

/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/spinlock.h>
#include <plinth/vmap.h>

#define GUARD 1 /* pages left unmapped behind each range */

/* Guards the range tree and the spares; not held while tables change. */
static struct spinlock lock;

/*
 * Nodes of the range tree come from the heap.  Giving a range back may need one,
 * and must not fail.  N ranges leave at most N + 1 free ones between them, so
 * that many nodes are there, in the tree or spare.
 */
struct spare {
    struct spare *next;
};
static struct spare *spares;
static uint64_t nr_spares, nr_nodes, nr_ranges;

static struct range_node *get_node(struct ranges *r __unused)
{
    struct spare *s = spares;
    struct range_node *node = (struct range_node *)s;

    if (s != NULL) {
        spares = s->next;
        nr_spares--;
    } else {
        node = malloc(sizeof(*node));
    }
    nr_nodes += node != NULL;
    return node;
}

static void put_node(struct ranges *r __unused, struct range_node *node)
{
    nr_nodes--;
    free(node);
}

static struct ranges area = { .get_node = get_node, .put_node = put_node };

/* For one range more. */
static int add_spares(void)
{
    while (nr_nodes + nr_spares < nr_ranges + 2) {
        struct spare *s = malloc(sizeof(struct range_node));

        if (s == NULL)
            return -ENOMEM;
        s->next = spares;
        spares = s;
        nr_spares++;
    }
    return 0;
}

static void drop_spares(void)
{
    while (nr_spares > 0 && nr_nodes + nr_spares > nr_ranges + 1) {
        struct spare *s = spares;

        spares = s->next;
        nr_spares--;
        free(s);
    }
}

/* Pages at the start of the area, at which nothing is ever mapped. */
#define KEPT 1

/*
 * Tables that become empty are given back, and making three of them costs as much
 * as ten stacks.  So the first page stays reserved, and with it the tables of the
 * first 2 MiB, where most of what comes and goes is.  Twice would do no harm.
 */
static int keep_tables(void)
{
    static bool kept;
    int rc = 0;

    if (!__atomic_load_n(&kept, __ATOMIC_RELAXED)) {
        rc = space_reserve(&kernel_space, _vaddr(VMAP_BASE), KEPT);
        __atomic_store_n(&kept, rc == 0, __ATOMIC_RELAXED);
    }
    return rc;
}

/* On first use: the area as one free range takes a node for good. */
static int init_once(void)
{
    return area.end != 0 ? 0
                         : ranges_init(&area, VMAP_BASE / PAGE_SIZE + KEPT,
                                       VMAP_END / PAGE_SIZE);
}

static int take_range_locked(uint64_t nr, uint64_t *start)
{
    int rc = nr == 0 || nr >= (VMAP_END - VMAP_BASE) / PAGE_SIZE ? -EINVAL : 0;

    if (rc == 0)
        rc = init_once();
    if (rc == 0)
        rc = add_spares();
    if (rc != 0)
        return rc;

    /* Large ranges lie on 2 MiB, so that whole tables can be hooked. */
    rc = ranges_alloc(&area, nr + GUARD, nr >= PT_ENTRIES ? PT_ENTRIES : 1,
                      start);
    nr_ranges += rc == 0;
    drop_spares();
    return rc;
}

static int take_range(uint64_t nr, uint64_t *start)
{
    int rc;

    spin_lock(&lock);
    rc = take_range_locked(nr, start);
    spin_unlock(&lock);
    return rc;
}

static void give_range(uint64_t start, uint64_t nr)
{
    int rc;

    spin_lock(&lock);
    rc = ranges_free(&area, start, nr + GUARD);
    if (rc != 0)
        panic("vmap: %#lx, %lu pages, is no range that was given: %s",
              start * PAGE_SIZE, nr, errno_name(rc));
    nr_ranges--;
    drop_spares();
    spin_unlock(&lock);
}

/*
 * An address for @nr pages; and what has become of mapping them there: it is the
 * caller's at *@p, or goes back.
 */
static int begin(uint64_t nr, vaddr_t *va)
{
    uint64_t start;
    int rc = keep_tables();

    if (rc == 0)
        rc = take_range(nr, &start);
    if (rc == 0)
        *va = _vaddr(start * PAGE_SIZE);
    return rc;
}

static int end(vaddr_t va, uint64_t nr, int rc, void **p)
{
    if (rc == 0)
        *p = vaddr_to_ptr(va);
    else
        give_range(vaddr_x(va) / PAGE_SIZE, nr);
    return rc;
}

int vmap_foreign(const mfn_t *frames, uint64_t nr, uint64_t flags,
                 domid_t owner, void **p)
{
    vaddr_t va;
    int rc = begin(nr, &va);

    if (rc != 0)
        return rc;
    rc = space_map_foreign(&kernel_space, va, frames, nr, flags, owner);
    return end(va, nr, rc, p);
}

int vmap(const mfn_t *frames, uint64_t nr, uint64_t flags, void **p)
{
    return vmap_foreign(frames, nr, flags, DOMID_SELF, p);
}

int vmap_run(mfn_t first, uint64_t nr, uint64_t flags, void **p)
{
    vaddr_t va;
    int rc = begin(nr, &va);

    if (rc != 0)
        return rc;
    rc = space_map_run(&kernel_space, va, first, nr, flags);
    return end(va, nr, rc, p);
}

int vmap_io(mfn_t first, uint64_t nr, uint64_t flags, void **p)
{
    vaddr_t va;
    int rc = begin(nr, &va);

    if (rc != 0)
        return rc;
    rc = space_map_io(&kernel_space, va, first, nr, flags);
    return end(va, nr, rc, p);
}

int vmap_reserve(uint64_t nr, void **p)
{
    vaddr_t va;
    int rc = begin(nr, &va);

    if (rc != 0)
        return rc;
    rc = space_reserve(&kernel_space, va, nr);
    return end(va, nr, rc, p);
}

/* @what has said @rc of taking the pages out. */
static void give_back(const char *what, void *p, uint64_t nr, int rc)
{
    if (rc != 0)
        panic("%s: %p, %lu pages: %s", what, p, nr, errno_name(rc));
    give_range((uintptr_t)p / PAGE_SIZE, nr);
}

void vunmap(void *p, uint64_t nr)
{
    give_back("vunmap", p, nr, space_unmap(&kernel_space, ptr_to_vaddr(p), nr));
}

void vmap_release(void *p, uint64_t nr)
{
    give_back("vmap_release", p, nr,
              space_release(&kernel_space, ptr_to_vaddr(p), nr));
}

struct ranges_stats vmap_stats(void)
{
    struct ranges_stats stats = { 0 };

    spin_lock(&lock);
    if (init_once() == 0)
        stats = ranges_stats(&area);
    spin_unlock(&lock);
    return stats;
}

/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/vmap.h>

#define GUARD 1 /* pages left unmapped behind each range */

/*
 * Nodes of the range tree come from the heap.  Giving a range back may need one,
 * and must not fail: so each range brings a spare one along when it is made.
 */
struct spare {
    struct spare *next;
};
static struct spare *spares;

static struct range_node *get_node(struct ranges *r __unused)
{
    struct spare *s = spares;

    if (s == NULL)
        return malloc(sizeof(struct range_node));
    spares = s->next;
    return (struct range_node *)s;
}

static void put_node(struct ranges *r __unused, struct range_node *node)
{
    free(node);
}

static struct ranges area = { .get_node = get_node, .put_node = put_node };

static int add_spare(void)
{
    struct spare *s = malloc(sizeof(struct range_node));

    if (s == NULL)
        return -ENOMEM;
    s->next = spares;
    spares = s;
    return 0;
}

static void drop_spare(void)
{
    struct spare *s = spares;

    if (s != NULL) {
        spares = s->next;
        free(s);
    }
}

/* On first use: the area as one free range takes a node for good. */
static int init_once(void)
{
    return area.end != 0 ? 0
                         : ranges_init(&area, VMAP_BASE / PAGE_SIZE,
                                       VMAP_END / PAGE_SIZE);
}

static int take_range(uint64_t nr, uint64_t *start)
{
    int rc = init_once();

    if (rc == 0)
        rc = add_spare();
    if (rc != 0)
        return rc;

    /* Large ranges lie on 2 MiB, so that whole tables can be hooked. */
    rc = ranges_alloc(&area, nr + GUARD, nr >= PT_ENTRIES ? PT_ENTRIES : 1,
                      start);
    if (rc != 0)
        drop_spare();
    return rc;
}

static void give_range(uint64_t start, uint64_t nr)
{
    const int rc = ranges_free(&area, start, nr + GUARD);

    if (rc != 0)
        panic("vunmap: %#lx, %lu pages, is no range of vmap's: %s",
              start * PAGE_SIZE, nr, errno_name(rc));
    drop_spare();
}

int vmap(const mfn_t *frames, uint64_t nr, uint64_t flags, void **p)
{
    uint64_t start;
    int rc = nr == 0 || nr >= (VMAP_END - VMAP_BASE) / PAGE_SIZE ? -EINVAL : 0;

    if (rc == 0)
        rc = take_range(nr, &start);
    if (rc != 0)
        return rc;

    rc = space_map(&kernel_space, _vaddr(start * PAGE_SIZE), frames, nr, flags);
    if (rc != 0) {
        give_range(start, nr);
        return rc;
    }
    *p = (void *)(start * PAGE_SIZE);
    return 0;
}

void vunmap(void *p, uint64_t nr)
{
    const int rc = space_unmap(&kernel_space, ptr_to_vaddr(p), nr);

    if (rc != 0)
        panic("vunmap: %p, %lu pages: %s", p, nr, errno_name(rc));
    give_range((uintptr_t)p / PAGE_SIZE, nr);
}

struct ranges_stats vmap_stats(void)
{
    if (init_once() != 0)
        return (struct ranges_stats){ 0 };
    return ranges_stats(&area);
}

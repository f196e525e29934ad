/* SPDX-License-Identifier: MIT */
#include <plinth/errno.h>
#include <plinth/ranges.h>

enum side {
    LEFT,
    RIGHT
};

/* What is asked for, and which steps can tell whether there is such a place. */
struct want {
    uint64_t size, align;
    unsigned int first, last; /* any of these suffices */
};

static uint64_t step(unsigned int k)
{
    return UINT64_C(1) << (k * RANGES_STEP_SHIFT);
}

static uint64_t end_of(const struct range_node *n)
{
    return n->start + n->size;
}

/* From @start up to the next multiple of @align; the sum might wrap. */
static uint64_t gap(uint64_t start, uint64_t align)
{
    return -start & (align - 1);
}

/* How much of @n itself is left behind its first multiple of step @k. */
static uint64_t room(const struct range_node *n, unsigned int k)
{
    const uint64_t lost = gap(n->start, step(k));

    return lost < n->size ? n->size - lost : 0;
}

/* What stands for a child that is not there: saves asking at every step. */
static const struct range_node nothing;

static const struct range_node *child(const struct range_node *n,
                                      enum side side)
{
    return n->child[side] == NULL ? &nothing : n->child[side];
}

/* What @n must know of its subtree, from what its children know of theirs. */
static __always_inline unsigned int new_height(const struct range_node *n)
{
    return 1 + MAX(child(n, LEFT)->height, child(n, RIGHT)->height);
}

static __always_inline uint64_t new_fit(const struct range_node *n,
                                        unsigned int k)
{
    const uint64_t below = MAX(child(n, LEFT)->fit[k], child(n, RIGHT)->fit[k]);

    return MAX(below, room(n, k));
}

/* Bring that up to date.  Was there any news? */
static bool update(struct range_node *n)
{
    const unsigned int h = new_height(n);
    uint64_t news = h ^ n->height;

    n->height = h;
#pragma GCC unroll 3
    for (unsigned int k = 0; k < RANGES_STEPS; k++) {
        const uint64_t fit = new_fit(n, k);

        news |= fit ^ n->fit[k];
        n->fit[k] = fit;
    }

    return news != 0;
}

/* The pointer that leads to @n. */
static struct range_node **link_to(struct ranges *r, const struct range_node *n)
{
    struct range_node *const p = n->parent;

    return p == NULL ? &r->root : &p->child[p->child[RIGHT] == n];
}

static void attach(struct range_node *parent, enum side side,
                   struct range_node *n)
{
    parent->child[side] = n;
    if (n != NULL)
        n->parent = parent;
}

/*
 * The child of @n on @side takes its place, and @n goes down on the other.
 *
 *          n             c
 *         / \           / \
 *        c   z   -->   x   n        (LEFT)
 *       / \               / \
 *      x   y             y   z
 */
static struct range_node *lift(struct ranges *r, struct range_node *n,
                               enum side side)
{
    struct range_node *const c = n->child[side];

    *link_to(r, n) = c;
    c->parent = n->parent;
    attach(n, side, c->child[!side]);
    attach(c, !side, n);
    update(n);
    update(c);

    return c;
}

static int lean(const struct range_node *n)
{
    return (int)child(n, RIGHT)->height - (int)child(n, LEFT)->height;
}

static struct range_node *balance(struct ranges *r, struct range_node *n)
{
    const enum side side = lean(n) > 0;
    struct range_node *const c = n->child[side];

    /* An inner grandchild that is the higher one has to get out first. */
    if (side == RIGHT ? lean(c) < 0 : lean(c) > 0)
        lift(r, c, !side);

    return lift(r, n, side);
}

/*
 * @n or what is below it has changed: put right @n and those above, as far up
 * as there is news.
 */
static void retrace(struct ranges *r, struct range_node *n)
{
    while (n != NULL) {
        bool news = update(n);

        if (lean(n) < -1 || lean(n) > 1) {
            n = balance(r, n);
            news = true;
        }
        if (!news)
            break;
        n = n->parent;
    }
}

/* The last range that starts at or before @at, the first that starts after. */
static void neighbours(const struct ranges *r, uint64_t at,
                       struct range_node **before, struct range_node **after)
{
    *before = *after = NULL;

    for (struct range_node *n = r->root; n != NULL;) {
        if (n->start <= at) {
            *before = n;
            n = n->child[RIGHT];
        } else {
            *after = n;
            n = n->child[LEFT];
        }
    }
}

static struct range_node *leftmost(struct range_node *n)
{
    while (n->child[LEFT] != NULL)
        n = n->child[LEFT];

    return n;
}

/* Link @n in as a leaf: to the right of @before or to the left of @after. */
static void insert(struct ranges *r, struct range_node *n,
                   struct range_node *before, struct range_node *after)
{
    n->child[LEFT] = n->child[RIGHT] = n->parent = NULL;
    n->height = 0; /* so that there is news */

    if (before != NULL && before->child[RIGHT] == NULL)
        attach(before, RIGHT, n);
    else if (after != NULL)
        attach(after, LEFT, n);
    else
        r->root = n;

    r->nr++;
    retrace(r, n);
}

/*
 * Take the range of @n out.  Nodes have no identity: with two children @n lives
 * on as its successor, whose node is the one to go.
 */
static void remove(struct ranges *r, struct range_node *n)
{
    struct range_node *gone = n, *only;

    if (n->child[LEFT] != NULL && n->child[RIGHT] != NULL) {
        gone = leftmost(n->child[RIGHT]);
        n->start = gone->start;
        n->size = gone->size;
    }

    only = gone->child[gone->child[LEFT] == NULL];
    *link_to(r, gone) = only;
    if (only != NULL)
        only->parent = gone->parent;

    r->nr--;
    retrace(r, gone->parent);
    if (gone != n)
        retrace(r, n);
    r->put_node(r, gone);
}

/* Allocate [start, start + size), which lies within @n. */
static int cut(struct ranges *r, struct range_node *n, uint64_t start,
               uint64_t size)
{
    const uint64_t head = start - n->start;
    const uint64_t tail = n->size - head - size;

    if (head > 0 && tail > 0) {
        struct range_node *const right = n->child[RIGHT];
        struct range_node *const t = r->get_node(r);

        if (t == NULL)
            return -ENOMEM;

        t->start = start + size;
        t->size = tail;
        n->size = head;
        insert(r, t, n, right == NULL ? NULL : leftmost(right));
        retrace(r, n);
    } else if (head > 0) {
        n->size = head;
        retrace(r, n);
    } else if (tail > 0) {
        n->start += size;
        n->size = tail;
        retrace(r, n);
    } else {
        remove(r, n);
    }

    r->free -= size;
    return 0;
}

/* Does @avail from a multiple of step @k on suffice, wherever that lies? */
static bool enough(const struct want *w, unsigned int k, uint64_t avail)
{
    const uint64_t lost = step(k) < w->align ? w->align - step(k) : 0;

    return avail >= w->size && avail - w->size >= lost;
}

static bool fits(const struct want *w, const struct range_node *n)
{
    for (unsigned int k = w->first; k <= w->last; k++)
        if (enough(w, k, room(n, k)))
            return true;

    return false;
}

/* Does it fit @n or a node below? */
static bool fits_below(const struct want *w, const struct range_node *n)
{
    for (unsigned int k = w->first; n != NULL && k <= w->last; k++)
        if (enough(w, k, n->fit[k]))
            return true;

    return false;
}

static struct range_node *lowest_fit(const struct ranges *r,
                                     const struct want *w)
{
    struct range_node *n = r->root;

    if (!fits_below(w, n))
        return NULL;

    for (;;) {
        if (fits_below(w, n->child[LEFT]))
            n = n->child[LEFT];
        else if (fits(w, n))
            return n;
        else
            n = n->child[RIGHT];
    }
}

static bool is_inside(const struct ranges *r, uint64_t start, uint64_t size)
{
    return size > 0 && start >= r->start && start < r->end &&
           size <= r->end - start;
}

/* The free range that holds all of it, or NULL. */
static struct range_node *holder(const struct ranges *r, uint64_t start,
                                 uint64_t size)
{
    struct range_node *n, *after;

    neighbours(r, start, &n, &after);
    if (n == NULL || start - n->start >= n->size ||
        size > n->size - (start - n->start))
        return NULL;

    return n;
}

int ranges_init(struct ranges *r, uint64_t start, uint64_t end)
{
    struct range_node *n = NULL;

    if (start > end)
        return -EINVAL;

    if (start < end) {
        n = r->get_node(r);
        if (n == NULL)
            return -ENOMEM;
        n->start = start;
        n->size = end - start;
    }

    r->root = NULL;
    r->start = start;
    r->end = end;
    r->free = end - start;
    r->nr = 0;
    if (n != NULL)
        insert(r, n, NULL, NULL);

    return 0;
}

void ranges_release(struct ranges *r)
{
    struct range_node *n = r->root;

    while (n != NULL) {
        struct range_node *const parent = n->parent;

        if (n->child[LEFT] != NULL) {
            n = n->child[LEFT];
        } else if (n->child[RIGHT] != NULL) {
            n = n->child[RIGHT];
        } else {
            *link_to(r, n) = NULL;
            r->put_node(r, n);
            n = parent;
        }
    }

    r->end = r->start;
    r->free = 0;
    r->nr = 0;
}

int ranges_alloc(struct ranges *r, uint64_t size, uint64_t align,
                 uint64_t *start)
{
    struct want w = { .size = size, .align = align };
    struct range_node *n;
    uint64_t at;
    int rc;

    if (size == 0 || align == 0 || (align & (align - 1)) != 0)
        return -EINVAL;

    /* The steps just below and just above @align, or the one that it is. */
    while (w.last < RANGES_STEPS - 1 && step(w.last) < align)
        w.last++;
    w.first = step(w.last) > align ? w.last - 1 : w.last;

    n = lowest_fit(r, &w);
    if (n == NULL)
        return -ENOSPC;

    at = n->start + gap(n->start, align);
    rc = cut(r, n, at, size);
    if (rc == 0)
        *start = at;

    return rc;
}

int ranges_take(struct ranges *r, uint64_t start, uint64_t size)
{
    struct range_node *n;

    if (!is_inside(r, start, size))
        return -EINVAL;

    n = holder(r, start, size);
    return n == NULL ? -EBUSY : cut(r, n, start, size);
}

int ranges_free(struct ranges *r, uint64_t start, uint64_t size)
{
    struct range_node *before, *after, *n;
    bool joins_before, joins_after;

    if (!is_inside(r, start, size))
        return -EINVAL;

    neighbours(r, start, &before, &after);
    if (before != NULL && end_of(before) > start)
        return -EINVAL;
    if (after != NULL && after->start - start < size)
        return -EINVAL;

    joins_before = before != NULL && end_of(before) == start;
    joins_after = after != NULL && after->start == start + size;

    if (joins_before && joins_after) {
        before->size += size + after->size;
        remove(r, after);
        retrace(r, before);
    } else if (joins_before) {
        before->size += size;
        retrace(r, before);
    } else if (joins_after) {
        after->start = start;
        after->size += size;
        retrace(r, after);
    } else {
        n = r->get_node(r);
        if (n == NULL)
            return -ENOMEM;
        n->start = start;
        n->size = size;
        insert(r, n, before, after);
    }

    r->free += size;
    return 0;
}

bool ranges_is_free(const struct ranges *r, uint64_t start, uint64_t size)
{
    return is_inside(r, start, size) && holder(r, start, size) != NULL;
}

struct ranges_stats ranges_stats(const struct ranges *r)
{
    return (struct ranges_stats){
        .free = r->free,
        .largest = r->root == NULL ? 0 : r->root->fit[0],
        .nr = r->nr,
    };
}

/* Is all right that @n says of itself and its children? */
static bool is_sound(const struct range_node *n)
{
    for (unsigned int side = LEFT; side <= RIGHT; side++)
        if (n->child[side] != NULL && n->child[side]->parent != n)
            return false;
    for (unsigned int k = 0; k < RANGES_STEPS; k++)
        if (n->fit[k] != new_fit(n, k))
            return false;

    return n->height == new_height(n) && lean(n) >= -1 && lean(n) <= 1;
}

/*
 * In the order of addresses, where each range must begin behind the end of the
 * one before.  A step down is taken only when the way up is right, so there is
 * no loop to get caught in.
 */
int ranges_check(const struct ranges *r)
{
    const struct range_node *n = r->root, *from = NULL;
    uint64_t end = r->start, free = 0;
    size_t nr = 0;

    if (n != NULL && n->parent != NULL)
        return -EINVAL;

    while (n != NULL) {
        const struct range_node *const came_from = from;

        from = n;
        if (came_from == n->parent) {
            if (!is_sound(n))
                return -EINVAL;
            if (n->child[LEFT] != NULL) {
                n = n->child[LEFT];
                continue;
            }
        }
        if (came_from != n->child[RIGHT] || came_from == NULL) {
            if (!is_inside(r, n->start, n->size) || n->start < end ||
                (n->start == end && nr > 0))
                return -EINVAL;
            end = end_of(n);
            free += n->size;
            nr++;
            if (n->child[RIGHT] != NULL) {
                n = n->child[RIGHT];
                continue;
            }
        }
        n = n->parent;
    }

    return nr == r->nr && free == r->free ? 0 : -EINVAL;
}

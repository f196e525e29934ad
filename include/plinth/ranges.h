/* SPDX-License-Identifier: MIT */
/*
 * ranges: which parts of a long row of numbers are free, and handing them out.
 *
 * For addresses, counted in pages: the kernel's vmap area is 2^33 of them.  The
 * free ranges lie in an AVL tree by address, neighbours joined, and each node
 * knows the most its subtree has to offer, so every operation takes at most
 * O(log n) steps for n free ranges.
 *
 * "The most" depends on the alignment asked for.  The tree knows it for those
 * of page tables, 1, 512 and 512 * 512; for these ranges_alloc() is a true
 * first fit.  For any other power of two it takes the lowest range of which
 * that knowledge says that it must fit, and may pass over a tighter one, or
 * fail though a tight one exists.
 *
 *   units     any, the same for starts, sizes and alignments; a range is
 *             [start, start + size).  2^64 - 1 is the highest end
 *   owns      nodes it got from get_node(), until put_node().  It needs one for
 *             each free range, that is at most one more than there are ranges
 *             allocated
 *   context   any that get_node() and put_node() stand; no recursion, no
 *             globals.  One caller at a time for one struct ranges
 *   failure   -EINVAL for arguments that make no sense, and see each function;
 *             after any failure all is as it was before the call
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>

#define RANGES_STEP_SHIFT 9 /* from one known alignment to the next */
#define RANGES_STEPS      3 /* 1, 512, 512 * 512 */

/* A free range.  Its owner may use the memory for itself outside the tree. */
struct range_node {
    uint64_t start, size;
    uint64_t fit[RANGES_STEPS]; /* most in one range of this subtree */
    struct range_node *parent, *child[2];
    unsigned int height; /* 1 for a leaf */
};

struct ranges {
    struct range_node *root;
    uint64_t start, end; /* the whole area */
    uint64_t free;
    size_t nr;

    /* A node of any content, or NULL; and one back, whichever came first. */
    struct range_node *(*get_node)(struct ranges *r);
    void (*put_node)(struct ranges *r, struct range_node *node);
};

struct ranges_stats {
    uint64_t free;    /* in all */
    uint64_t largest; /* in one piece */
    size_t nr;        /* free pieces */
};

/*
 * Make [start, end) one free range.  The caller has set get_node and put_node.
 * -ENOMEM without a node; an empty area needs none.
 */
int __must_check ranges_init(struct ranges *r, uint64_t start, uint64_t end);

/* Give all nodes back, whatever was allocated.  @r is then an empty area. */
void ranges_release(struct ranges *r);

/*
 * Allocate the lowest @size at a multiple of @align, a power of two; its start
 * goes to @start, which a failure leaves alone.  -ENOSPC if nothing fits,
 * -ENOMEM if a split got no node.
 */
int __must_check ranges_alloc(struct ranges *r, uint64_t size, uint64_t align,
                              uint64_t *start);

/*
 * Allocate just [start, start + size).  -EBUSY if any of it is allocated,
 * -EINVAL if any of it is outside the area, -ENOMEM if a split got no node.
 */
int __must_check ranges_take(struct ranges *r, uint64_t start, uint64_t size);

/*
 * Free [start, start + size): one allocation, a part of one, or several that
 * touch.  -EINVAL if any of it is free already or outside the area.  -ENOMEM if
 * it touches no free range and there is no node for it; then it stays
 * allocated.
 */
int __must_check ranges_free(struct ranges *r, uint64_t start, uint64_t size);

/* Is all of it free?  An empty range and one that leaves the area are not. */
bool ranges_is_free(const struct ranges *r, uint64_t start, uint64_t size);

struct ranges_stats ranges_stats(const struct ranges *r);

/*
 * For audits: is the tree sound?  0, or -EINVAL.  Visits every node, and ends
 * also on one that is damaged, as long as its pointers point to nodes.
 */
int __must_check ranges_check(const struct ranges *r);

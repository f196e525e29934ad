/* SPDX-License-Identifier: MIT */
/*
 * pheap: a pairing heap, for a queue whose smallest key comes first.
 *
 * A node is part of what it stands for, so nothing here can fail.  Adding costs
 * the same at any size; taking out, first or not, costs the logarithm of the
 * size on average over many operations.
 *
 *   units    keys are compared as numbers; among equal ones the order is open
 *   owns     the links of nodes that are in a heap.  The caller serialises
 *   context  any
 *   failure  none; adding a node twice, or removing one that is in no heap, is
 *            not noticed
 *   source   Fredman, Sedgewick, Sleator, Tarjan: The Pairing Heap (1986)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pheap_node {
    uint64_t key;
    struct pheap_node *child; /* the first; its siblings follow */
    struct pheap_node *next;  /* sibling */
    struct pheap_node *prev;  /* sibling before, or the parent of the first */
};

struct pheap {
    struct pheap_node *first; /* with the smallest key; NULL: empty */
};

/* @node->key is set. */
void pheap_add(struct pheap *heap, struct pheap_node *node);

void pheap_remove(struct pheap *heap, struct pheap_node *node);

/* SPDX-License-Identifier: MIT */
#include <plinth/pheap.h>

/* Two trees become one: the larger root is the first child of the other. */
static struct pheap_node *meld(struct pheap_node *a, struct pheap_node *b)
{
    struct pheap_node *t;

    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (b->key < a->key) {
        t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child != NULL)
        a->child->prev = b;
    a->child = b;
    return a;
}

/*
 * One tree of a row of siblings: pairs from left to right, which are stacked by
 * way of `next`, and then the pairs from right to left.
 */
static struct pheap_node *meld_row(struct pheap_node *row)
{
    struct pheap_node *pairs = NULL, *root = NULL;

    while (row != NULL) {
        struct pheap_node *a = row, *b = row->next, *pair;

        row = b != NULL ? b->next : NULL;
        a->next = NULL;
        if (b != NULL)
            b->next = NULL;
        pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs != NULL) {
        struct pheap_node *pair = pairs;

        pairs = pair->next;
        pair->next = NULL;
        root = meld(root, pair);
    }
    return root;
}

static void set_first(struct pheap *heap, struct pheap_node *root)
{
    heap->first = root;
    if (root != NULL)
        root->prev = root->next = NULL;
}

void pheap_add(struct pheap *heap, struct pheap_node *node)
{
    node->child = node->next = node->prev = NULL;
    set_first(heap, meld(heap->first, node));
}

void pheap_remove(struct pheap *heap, struct pheap_node *node)
{
    struct pheap_node *rest = meld_row(node->child);

    if (node == heap->first) {
        set_first(heap, rest);
        return;
    }
    if (node->prev->child == node)
        node->prev->child = node->next;
    else
        node->prev->next = node->next;
    if (node->next != NULL)
        node->next->prev = node->prev;
    if (rest != NULL)
        rest->next = NULL;
    set_first(heap, meld(heap->first, rest));
}

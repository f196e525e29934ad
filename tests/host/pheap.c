/* SPDX-License-Identifier: MIT */
/* pheap: against a plain array, with its structure checked on the way. */
#include <string.h>

#include "tap.h"

#include <plinth/pheap.h>

#define NODES 2000
#define STEPS 200000

static struct pheap_node *nodes;
static bool in[NODES];
static struct pheap heap;

static unsigned int smallest(void)
{
    unsigned int best = NODES;

    for (unsigned int i = 0; i < NODES; i++)
        if (in[i] && (best == NODES || nodes[i].key < nodes[best].key))
            best = i;
    return best;
}

/* How many nodes there are below @node, itself included; keys do not fall. */
static unsigned int count(const struct pheap_node *node, uint64_t least)
{
    unsigned int n = 1;

    CHECK(node->key >= least, "a child is smaller");
    for (const struct pheap_node *c = node->child, *before = node; c != NULL;
         before = c, c = c->next) {
        CHECK(c->prev == before, "the way back is wrong");
        n += count(c, node->key);
    }
    return n;
}

static void check(unsigned int want)
{
    unsigned int got = 0;

    if (heap.first != NULL) {
        CHECK(heap.first->prev == NULL && heap.first->next == NULL,
              "the root has siblings");
        got = count(heap.first, 0);
    }
    CHECK(got == want, "%u nodes, want %u", got, want);
}

static void like_an_array(void)
{
    unsigned int n = 0, want;

    nodes = malloc(NODES * sizeof(*nodes));
    memset(nodes, 0x5a, NODES * sizeof(*nodes));
    for (unsigned int step = 0; step < STEPS; step++) {
        const unsigned int i = rnd_below(NODES);

        if (!in[i]) {
            nodes[i].key = rnd_below(step % 3 ? 1000 : 4);
            pheap_add(&heap, &nodes[i]);
            n++;
        } else {
            pheap_remove(&heap, &nodes[i]);
            memset(&nodes[i], 0x5a, sizeof(nodes[i]));
            n--;
        }
        in[i] = !in[i];
        if (step % 500 == 0)
            check(n);
        if (step % 50 == 0) {
            want = smallest();
            CHECK((heap.first == NULL) == (want == NODES), "empty or not");
            CHECK(want == NODES || heap.first->key == nodes[want].key,
                  "the first is not the smallest");
        }
    }
    while (heap.first != NULL) {
        struct pheap_node *first = heap.first;

        want = smallest();
        CHECK(first->key == nodes[want].key, "out of order");
        pheap_remove(&heap, first);
        in[first - nodes] = false;
        n--;
    }
    CHECK(n == 0, "%u were lost", n);
    free(nodes);
}

/* The worst shape: all are children of one, which then goes. */
static void a_long_row(void)
{
    enum {
        MANY = 100000
    };
    struct pheap_node *row = malloc(MANY * sizeof(*row));
    uint64_t last = 0;

    for (unsigned int i = 0; i < MANY; i++) {
        row[i].key = i;
        pheap_add(&heap, &row[i]);
    }
    for (unsigned int i = 0; i < MANY; i++) {
        CHECK(heap.first != NULL && heap.first->key >= last, "out of order");
        last = heap.first->key;
        pheap_remove(&heap, heap.first);
    }
    CHECK(heap.first == NULL && last == MANY - 1, "not all came out");
    free(row);
}

TAP_MAIN({ "like an array", like_an_array }, { "a long row", a_long_row })

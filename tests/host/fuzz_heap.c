/* SPDX-License-Identifier: MIT */
/* Input: operations of four bytes each, on a few objects with known contents. */
#include "fake_pages.h"
#include "fuzz.h"

#include "rename.h"

#include <plinth/heap.h>

#include "rename.h"

#define STEP_LEN 4
#define OBJECTS  16

static struct {
    uint8_t *p;
    size_t size;
} live[OBJECTS];

static void fill(unsigned int k)
{
    memset(live[k].p, (int)(k + 1), live[k].size);
}

static void check(const uint8_t *p, size_t size, unsigned int k)
{
    for (size_t i = 0; i < size; i++)
        must(p[i] == k + 1);
}

static void drop(unsigned int k)
{
    if (live[k].p != NULL)
        check(live[k].p, live[k].size, k);
    plinth_free(live[k].p);
    live[k].p = NULL;
}

static void *make(unsigned int how, size_t size)
{
    const size_t align = (size_t)1 << how % 15;
    uint8_t *p;

    switch (how >> 6) {
    case 0:
        p = plinth_calloc(size, 1);
        for (size_t i = 0; p != NULL && i < size; i++)
            must(p[i] == 0);
        return p;
    case 1:
        p = plinth_aligned_alloc(align, size);
        must((uintptr_t)p % align == 0);
        return p;
    default:
        return plinth_malloc(size);
    }
}

static void step(const uint8_t *in)
{
    const unsigned int k = in[0] % OBJECTS;
    const size_t low = in[2] | (size_t)(in[3] & 15) << 8;
    const size_t size = in[3] < 128 ? low : low << (in[3] >> 4 & 3);
    uint8_t *p;

    pages_fail_after = (in[0] & 0xc0) == 0xc0 ? 0 : -1;
    if (live[k].p != NULL && !(in[0] & 0x10)) {
        drop(k);
    } else if (live[k].p != NULL) {
        p = plinth_realloc(live[k].p, size);
        if (p != NULL) {
            check(p, size < live[k].size ? size : live[k].size, k);
            live[k].p = p;
            live[k].size = size;
            fill(k);
        }
    } else {
        live[k].p = make(in[1], size);
        live[k].size = size;
        if (live[k].p != NULL)
            fill(k);
    }
    must((uintptr_t)live[k].p % HEAP_ALIGN == 0);

    if (in[0] & 0x20)
        heap_trim();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    for (; len >= STEP_LEN; data += STEP_LEN, len -= STEP_LEN)
        step(data);

    for (unsigned int k = 0; k < OBJECTS; k++)
        drop(k);
    must(heap_stats().bytes == 0 && heap_stats().objects == 0);
    heap_trim();
    must(pages_used == 0 && heap_stats().slabs == 0);

    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * heap: memory by the byte, under C's names and with C's meaning.
 *
 * Where C leaves room: malloc(0) gives a unique pointer, and so does
 * realloc(p, 0), which does not free.  Everything is aligned to 16 bytes.
 * Contents are undefined unless calloc() is asked.
 *
 * Up to about 2.6 KiB an object comes out of a slab that holds one size of
 * them; what is larger is whole pages, a power of two of them.
 *
 * A debug build adds 16 bytes to every request, which are checked, as is all
 * that is free and in a slab.  What it finds is a panic that names the pointer:
 * freed twice, not the start of an object, written past its end, written to
 * after it was freed.
 *
 *   units     bytes
 *   owns      the pages of its slabs.  One empty slab of each size is kept until
 *             heap_trim(), or until pages are short; all others go back to
 *             plinth/page.h at once
 *   context   threads and boot; not event handlers, which may have interrupted
 *             another call half way
 *   failure   NULL, and all is as before: no memory, or a request that can never
 *             be met (over 1 GiB, an overflow, a bad alignment)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>

#define HEAP_ALIGN     16u         /* of everything */
#define HEAP_ALIGN_MAX (1ul << 30) /* that aligned_alloc() takes */

void *__must_check malloc(size_t size);
void *__must_check calloc(size_t n, size_t size);

/*
 * Where @p is has room for @size, it stays, unless that wastes three quarters
 * of it.  Making it smaller does not fail.  @p is still valid after a NULL.
 */
void *__must_check realloc(void *p, size_t size);

/* @align is a power of two up to HEAP_ALIGN_MAX; @size need not be a multiple. */
void *__must_check aligned_alloc(size_t align, size_t size);

void free(void *p);

/* A copy of @s, to be freed. */
char *__must_check strdup(const char *s);

/* Give the empty slabs back as well.  Returns how many pages that were. */
size_t heap_trim(void);

/*
 * An object counts with all that it occupies.  @bytes and @objects are back
 * where they were once everything is freed that was allocated in between.
 */
struct heap_stats {
    uint64_t bytes;       /* in use */
    uint64_t objects;     /* in use, in slabs and blocks */
    uint64_t slabs;       /* that exist, of two pages each */
    uint64_t blocks;      /* of whole pages, in use */
    uint64_t allocations; /* since boot */
    uint64_t failures;    /* since boot: could not be met, or not as asked */
};

struct heap_stats heap_stats(void);

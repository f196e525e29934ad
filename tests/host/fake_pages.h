/* SPDX-License-Identifier: MIT */
/*
 * fake_pages: plinth/page.h over one large mapping.
 *
 *   units     pages
 *   owns      4 GiB of addresses; memory only where it was written to
 *   context   host, one thread, included by one file
 *   failure   on demand: pages_fail_after, pages_fail_once,
 *             pages_limit.  A call that breaks the
 *             contract of plinth/page.h panics
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <plinth/addr.h>
#include <plinth/bug.h>
#include <plinth/page.h>
#include <plinth/spinlock.h>

#include "panic.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#elif !defined(ASAN_POISON_MEMORY_REGION)
#define ASAN_POISON_MEMORY_REGION(p, len)   ((void)(p), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(p, len) ((void)(p), (void)(len))
#endif

#define PAGES_ALL     (1ul << 20)
#define PAGES_TOUCHED (1ul << 16) /* bytes at either end of a large block */

static char *pages_base;
static uint8_t pages_state[PAGES_ALL]; /* order + 1 where a block starts */
static bool pages_busy[PAGES_ALL];
static size_t pages_used;              /* now */
static size_t pages_calls;             /* of page_alloc */
static size_t pages_next;              /* where to look first */
static size_t pages_limit = PAGES_ALL; /* that may be used at a time */
static long pages_fail_after = -1;     /* calls that still succeed */
static long pages_fail_once = -1;      /* calls before one that fails */
static bool pages_trusting;            /* page_order() does not look */

extern struct spinlock heap_lock; /* mm/heap.c's */

/* The message of the panic that @op(@p, @size) ends in, or "". */
static __noinline __unused const char *
panic_of(void (*op)(void *p, size_t size), void *p, size_t size)
{
    panic_text[0] = '\0';
    panic_expected = true;
    if (setjmp(panic_out) == 0) {
        op(p, size);
    } else {
        /* The kernel would not come back, and so has not let go of it. */
        heap_lock.holder = 0;
        vcpus[0].preempt = PREEMPT_NOT_WANTED;
    }
    panic_expected = false;

    return panic_text;
}

static void pages_init(void)
{
    const size_t align = PAGE_SIZE << PAGE_MAX_ORDER;
    const size_t len = PAGES_ALL * PAGE_SIZE;
    void *p;

    if (pages_base != NULL)
        return;

    p = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        printf("Bail out! no address space\n");
        exit(2);
    }
    pages_base = (char *)(((uintptr_t)p + align - 1) & ~(align - 1));
}

static size_t pages_index(const void *p)
{
    return (size_t)((const char *)p - pages_base) / PAGE_SIZE;
}

static bool pages_is_block(const void *p)
{
    return (uintptr_t)p % PAGE_SIZE == 0 &&
           (uintptr_t)p - (uintptr_t)pages_base < PAGES_ALL * PAGE_SIZE &&
           pages_state[pages_index(p)] != 0 && pages_busy[pages_index(p)];
}

/* The first free place for @n pages in [from, to), or PAGES_ALL. */
static size_t pages_find(size_t n, size_t from, size_t to)
{
    for (size_t i = (from + n - 1) & ~(n - 1); i + n <= to; i += n) {
        size_t k = 0;

        while (k < n && !pages_busy[i + k])
            k++;
        if (k == n)
            return i;
    }

    return PAGES_ALL;
}

/* Nothing may rely on what was there. */
static void pages_spoil(char *p, size_t len)
{
    const size_t part = len < PAGES_TOUCHED ? len : PAGES_TOUCHED;

    memset(p, 0xe1, part);
    memset(p + len - part, 0xe1, part);
}

void *page_alloc(unsigned int order)
{
    const size_t n = (size_t)1 << order;
    size_t at;
    char *p;

    pages_init();
    if (order > PAGE_MAX_ORDER)
        panic("page_alloc(%u)", order);

    pages_calls++;
    if (pages_fail_once >= 0 && pages_fail_once-- == 0)
        return NULL;
    if (pages_fail_after == 0)
        return NULL;
    if (pages_fail_after > 0)
        pages_fail_after--;
    if (n > pages_limit || pages_used > pages_limit - n)
        return NULL;

    at = pages_find(n, pages_next, PAGES_ALL);
    if (at == PAGES_ALL)
        at = pages_find(n, 0, PAGES_ALL);
    if (at == PAGES_ALL)
        return NULL;

    pages_next = (at + n) % 4096; /* stay close */
    pages_used += n;
    memset(pages_state + at, 0, n);
    pages_state[at] = (uint8_t)(order + 1);
    memset(pages_busy + at, true, n);
    p = pages_base + at * PAGE_SIZE;
    ASAN_UNPOISON_MEMORY_REGION(p, n * PAGE_SIZE);
    pages_spoil(p, n * PAGE_SIZE);

    return p;
}

unsigned int page_order(const void *p)
{
    if (!pages_trusting && !pages_is_block(p))
        panic("page_order(%p): no block", p);

    return pages_state[pages_index(p)] - 1u;
}

void page_free(void *p, unsigned int order)
{
    const size_t n = (size_t)1 << order;

    if (!pages_is_block(p) || page_order(p) != order)
        panic("page_free(%p, %u): no such block", p, order);

    memset(pages_busy + pages_index(p), false, n);
    pages_used -= n;

    /* Trusting, one may look at it afterwards. */
    if (pages_trusting)
        return;
    pages_spoil(p, n * PAGE_SIZE);
    if (n * PAGE_SIZE <= PAGES_TOUCHED)
        ASAN_POISON_MEMORY_REGION(p, n * PAGE_SIZE);
    if (n > 256)
        madvise(p, n * PAGE_SIZE, MADV_DONTNEED);
}

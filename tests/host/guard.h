/* SPDX-License-Identifier: MIT */
/*
 * guard: memory between two pages that cannot be touched.
 *
 * The sanitizer does not see what inline assembly reads and writes.  The
 * processor does.
 *
 *   units     bytes
 *   owns      the memory, until the program ends
 *   context   host
 *   failure   exits
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GUARD_LEN 8192 /* usable */

/* The first usable byte; the last is GUARD_LEN - 1 further on. */
static inline char *guard_alloc(void)
{
    const size_t page = 4096;
    char *p = mmap(NULL, GUARD_LEN + 2 * page, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED ||
        mprotect(p + page, GUARD_LEN, PROT_READ | PROT_WRITE) != 0) {
        printf("Bail out! no memory\n");
        exit(2);
    }

    return p + page;
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz: what the fuzzers share.
 *
 *   units     bytes
 *   owns      nothing
 *   context   called by libFuzzer, one thread
 *   failure   a broken promise traps, which libFuzzer reports with its input
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline void must(int cond)
{
    if (!cond)
        __builtin_trap();
}

/*
 * A copy on the heap of the next text in the input, which ends at a zero or
 * with the input, cut to @most; just as long as it has to be.
 */
static inline char *next_text(const uint8_t **data, size_t *len, size_t most)
{
    const size_t whole = strnlen((const char *)*data, *len);
    const size_t kept = whole < most ? whole : most;
    const size_t used = whole < *len ? whole + 1 : whole;
    char *s = malloc(kept + 1);

    must(s != NULL);
    if (kept > 0)
        memcpy(s, *data, kept);
    s[kept] = '\0';

    *data += used;
    *len -= used;
    return s;
}

/* SPDX-License-Identifier: MIT */
/*
 * bug: when our own state is wrong, or nothing can go on.
 *
 *   panic()    running on is impossible: says why, the call trace, and ends
 *              the domain as crashed.  Needs no memory, no lock, no driver.
 *   BUG_ON()   an invariant of ours, cheap to check: in every build.
 *   ASSERT()   the same in a hot path: only in debug builds (DEBUG=1).
 *
 * What a caller can act on is a negative errno instead, never one of these.
 *
 *   context  any, also inside a trap handler and inside panic() itself
 */
#pragma once

#include <plinth/compiler.h>
#include <plinth/config.h>

void __noreturn __cold __printf(1, 2) panic(const char *fmt, ...);

/*
 * From here on no handler and no other thread of this vCPU runs: they would go on
 * as if nothing had happened.  For those who have much to say before they panic.
 */
void panic_begin(void);

/* The same without the call trace, for those who have printed a better one. */
void __noreturn __cold __printf(1, 2) panic_quiet(const char *fmt, ...);

/* Called with the message as panic()'s last act before the domain ends. */
extern void (*panic_hook)(const char *message);

#define BUG_ON(cond)                                                           \
    do {                                                                       \
        if (unlikely(cond))                                                    \
            panic("BUG at %s:%d: %s", __FILE__, __LINE__, #cond);              \
    } while (0)

#define ASSERT(cond)                                                           \
    do {                                                                       \
        if (CONFIG_DEBUG && unlikely(!(cond)))                                 \
            panic("assertion at %s:%d: %s", __FILE__, __LINE__, #cond);        \
    } while (0)

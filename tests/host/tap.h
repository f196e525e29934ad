/* SPDX-License-Identifier: MIT */
/*
 * tap: what a host test program needs.
 *
 * A program is a table of functions; each gives one line of TAP.  CHECK notes a
 * failure and goes on, so a loop over thousands of inputs is one test; the
 * first few failures are described.
 *
 *   units     none
 *   owns      the program's one random generator; the environment variable
 *             SEED starts it elsewhere
 *   context   host, one thread, included by one file
 *   failure   exit status 1 if any test failed
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct tap_test {
    const char *name;
    void (*fn)(void);
};

#define TAP_DEFAULT_SEED 20240229
#define TAP_MOST_SHOWN   5

static uint64_t tap_random;
static unsigned long tap_failures; /* of the test that runs */

/* An even 64-bit number: Marsaglia's xorshift, then a multiplication. */
static inline uint64_t rnd(void)
{
    tap_random ^= tap_random >> 12;
    tap_random ^= tap_random << 25;
    tap_random ^= tap_random >> 27;

    return tap_random * 0x2545f4914f6cdd1d;
}

/* A number below @n. */
static inline unsigned int rnd_below(unsigned int n)
{
    return (unsigned int)((rnd() >> 32) % n);
}

/* @len characters out of @set, and a zero. */
static inline void rnd_text(char *out, size_t len, const char *set)
{
    unsigned int n = 0;

    while (set[n] != '\0')
        n++;

    for (size_t i = 0; i < len; i++)
        out[i] = set[rnd_below(n)];

    out[len] = '\0';
}

__attribute__((format(printf, 4, 5))) static inline void
tap_check(bool good, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    if (good || tap_failures++ >= TAP_MOST_SHOWN)
        return;

    va_start(ap, fmt);
    printf("# %s:%d: ", file, line);
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

#define CHECK(cond, ...) tap_check((cond), __FILE__, __LINE__, __VA_ARGS__)

static int tap_main(const struct tap_test *tests, unsigned int n)
{
    const char *given = getenv("SEED");
    unsigned int failed = 0;

    tap_random = given ? strtoull(given, NULL, 0) : TAP_DEFAULT_SEED;
    if (tap_random == 0)
        tap_random = TAP_DEFAULT_SEED; /* zero would stay zero */

    setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not eat results */
    printf("# seed %llu\n", (unsigned long long)tap_random);
    printf("1..%u\n", n);

    for (unsigned int i = 0; i < n; i++) {
        tap_failures = 0;
        tests[i].fn();
        if (tap_failures > 0)
            printf("# %lu checks failed\n", tap_failures);
        printf("%s %u - %s\n", tap_failures ? "not ok" : "ok", i + 1,
               tests[i].name);
        failed += tap_failures > 0;
    }

    return failed > 0;
}

#define TAP_MAIN(...)                                                          \
    int main(void)                                                             \
    {                                                                          \
        static const struct tap_test tests[] = { __VA_ARGS__ };                \
        return tap_main(tests, sizeof(tests) / sizeof(tests[0]));              \
    }

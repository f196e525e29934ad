/* SPDX-License-Identifier: MIT */
/*
 * ref_fail: what a comparison with a reference has found.
 *
 *   owns      the text of the first failure; those after it follow from it
 *   context   host, one thread, included by one file
 *   failure   ref_failure, "" while there is none
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include <plinth/compiler.h>

static char ref_failure[200];

__printf(1, 2) static void ref_fail(const char *fmt, ...)
{
    va_list ap;

    if (ref_failure[0] != '\0')
        return;
    va_start(ap, fmt);
    vsnprintf(ref_failure, sizeof(ref_failure), fmt, ap);
    va_end(ap);
}

#define REF_MUST(cond, ...)                                                    \
    do {                                                                       \
        if (!(cond))                                                           \
            ref_fail(__VA_ARGS__);                                             \
    } while (0)

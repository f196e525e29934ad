/* SPDX-License-Identifier: MIT */
/*
 * panic: one to come back from.
 *
 * Who expects one sets panic_expected and panic_out (setjmp()), and finds the
 * message in panic_text.
 *
 *   context   host, one thread, included by one file
 *   failure   a panic that nobody expects ends the program
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <plinth/bug.h>

static jmp_buf panic_out;
static bool panic_expected;
static char panic_text[200];

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(panic_text, sizeof(panic_text), fmt, ap);
    va_end(ap);
    if (!panic_expected) {
        printf("Bail out! panic: %s\n", panic_text);
        fflush(stdout);
        abort();
    }
    longjmp(panic_out, 1);
}

/* SPDX-License-Identifier: MIT */
/*
 * printf: formatted text, to a buffer or piece by piece to a callback.
 *
 * Conversions  d i u x X o c s p %%
 * Flags        - + space # 0, width and precision as digits or *
 * Lengths      hh h l ll z t j
 *
 * They mean what they mean in C, except that
 *   - %p is always 0x and lower-case hex, also for NULL;
 *   - %s prints (null) for NULL;
 *   - anything else after a % is printed as it stands, and no argument is read
 *     for it;
 *   - padding stops at FORMAT_PAD_MAX characters a conversion.
 * There is no %n and no floating point.
 *
 *   units     lengths in characters, without the terminating zero
 *   owns      nothing: no state, no buffer kept between calls
 *   context   any; about 400 bytes of stack, beside what the sink needs
 *   failure   none; output that does not fit is counted and dropped
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include <plinth/compiler.h>

#define FORMAT_PAD_MAX 4095

/* What libc's <inttypes.h> has, for the types that need it. */
#ifndef PRIx64
#define PRId64 "ld"
#define PRIu64 "lu"
#define PRIx64 "lx"
#endif

/* Receives the next @len characters, at least one; not terminated. */
typedef void format_sink_t(void *ctx, const char *text, size_t len);

/* Hand the text to @sink in pieces.  Returns how many characters there were. */
size_t format(format_sink_t *sink, void *ctx, const char *fmt, va_list ap)
    __printf(3, 0);

/*
 * Write at most @size bytes, the terminating zero included; size 0 writes
 * nothing.  Returns the length the whole text has, cut or not.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
    __printf(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* The same, but return the length of what was stored. */
int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap)
    __printf(3, 0);
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

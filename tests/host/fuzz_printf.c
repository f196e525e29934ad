/* SPDX-License-Identifier: MIT */
/*
 * Input: the size of the buffer, then the format.
 *
 * Each argument is a pointer to a text, which every conversion can take: an
 * integer gets some of its bits.  A format of MOST characters cannot ask for
 * more than MOST of them.
 */
#include "fuzz.h"

#include "rename.h"

#include <plinth/printf.h>

#include "rename.h"

#define MOST 32

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

static void count(void *ctx, const char *text, size_t len)
{
    must(len > 0 && text != NULL);
    *(size_t *)ctx += len;
}

static void check(char *buf, size_t size, const char *fmt, ...)
{
    static char whole[MOST * 4096];
    size_t counted = 0, len;
    va_list ap;
    int rc;

    va_start(ap, fmt);
    len = format(count, &counted, fmt, ap);
    must(counted == len);
    rc = plinth_vsnprintf(whole, sizeof(whole), fmt, ap);
    must(rc >= 0 && (size_t)rc == len && len < sizeof(whole));
    must(whole[len] == '\0');

    rc = plinth_vsnprintf(buf, size, fmt, ap);
    must((size_t)rc == len);
    if (size > 0) {
        const size_t kept = len < size ? len : size - 1;

        must(memcmp(buf, whole, kept) == 0 && buf[kept] == '\0');
    }

    va_end(ap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char t[] = "text";
    size_t size;
    char *fmt, *buf;

    if (len == 0)
        return 0;

    size = *data++;
    len--;
    fmt = next_text(&data, &len, MOST);
    buf = malloc(size);

    check(buf, size, fmt, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t,
          t, t, t, t, t, t, t, t, t, t, t, t, t, t);

    free(fmt);
    free(buf);
    return 0;
}

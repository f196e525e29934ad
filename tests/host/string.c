/* SPDX-License-Identifier: MIT */
/* string: against libc, with every access past a buffer's end caught. */
#include <string.h>

#include "guard.h"
#include "tap.h"

#include "rename.h"

#include <plinth/string.h>

#include "rename.h"

#define LONGEST 150 /* well past the lengths handled without a loop */

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void fill(char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (char)rnd();
}

/* The three ways to lay @len bytes into guarded memory. */
static char *place(char *guarded, size_t len, unsigned int how)
{
    switch (how) {
    case 0:
        return guarded;
    case 1:
        return guarded + GUARD_LEN - len;
    default:
        return guarded + GUARD_LEN / 2 + rnd_below(16);
    }
}

/* True if all @len bytes at @p except @skip at @hole are @byte. */
static bool untouched(const char *p, size_t len, const char *hole, size_t skip,
                      char byte)
{
    for (const char *at = p; at < p + len; at++)
        if ((at < hole || at >= hole + skip) && *at != byte)
            return false;

    return true;
}

static size_t some_len(void)
{
    return rnd_below(8) ? rnd_below(LONGEST) : rnd_below(GUARD_LEN / 2 - 16);
}

static void copy_one(char *from, char *to, size_t len, unsigned int how)
{
    char *const src = place(from, len, how % 3);
    char *const dst = place(to, len, how / 3);

    fill(src, len);
    memset(to, 0x5a, GUARD_LEN);

    CHECK(plinth_memcpy(dst, src, len) == dst, "result, length %zu", len);
    CHECK(memcmp(dst, src, len) == 0, "content, length %zu", len);
    CHECK(untouched(to, GUARD_LEN, dst, len, 0x5a), "around, length %zu", len);
}

static void copies(void)
{
    char *const from = guard_alloc(), *const to = guard_alloc();

    for (unsigned int how = 0; how < 9; how++)
        for (size_t len = 0; len < LONGEST; len++)
            copy_one(from, to, len, how);

    for (unsigned int i = 0; i < 2000; i++)
        copy_one(from, to, some_len(), rnd_below(9));
}

static void move_one(char *ours, char *libcs, size_t dst, size_t src,
                     size_t len)
{
    fill(ours, GUARD_LEN);
    memcpy(libcs, ours, GUARD_LEN);

    memmove(libcs + dst, libcs + src, len);
    CHECK(plinth_memmove(ours + dst, ours + src, len) == ours + dst,
          "result, length %zu", len);
    CHECK(memcmp(ours, libcs, GUARD_LEN) == 0, "%zu bytes from %zu to %zu", len,
          src, dst);
}

static void moves(void)
{
    char *const ours = guard_alloc();
    char *const libcs = malloc(GUARD_LEN);

    for (size_t len = 0; len < LONGEST; len += 1 + rnd_below(2)) {
        for (size_t shift = 0; shift <= len + 1; shift += 1 + shift / 9) {
            const size_t end = GUARD_LEN - len;

            move_one(ours, libcs, 0, shift, len);
            move_one(ours, libcs, shift, 0, len);
            move_one(ours, libcs, end, end - shift, len);
            move_one(ours, libcs, end - shift, end, len);
        }
    }

    for (unsigned int i = 0; i < 5000; i++) {
        const size_t len = some_len();
        const size_t src = rnd_below(GUARD_LEN - (unsigned int)len + 1);
        const size_t dst = rnd_below(GUARD_LEN - (unsigned int)len + 1);

        move_one(ours, libcs, dst, src, len);
    }

    free(libcs);
}

static void sets(void)
{
    char *const mem = guard_alloc();

    for (unsigned int i = 0; i < 3 * LONGEST + 2000; i++) {
        const size_t len = i < 3 * LONGEST ? i / 3 : some_len();
        const int byte = (int)(rnd() & 0x1ff) - 128;
        char *const at = place(mem, len, i % 3);

        memset(mem, 0x5a, GUARD_LEN);
        CHECK(plinth_memset(at, byte, len) == at, "result, length %zu", len);
        CHECK(untouched(at, len, at, 0, (char)byte), "%zu bytes of %d", len,
              byte);
        CHECK(untouched(mem, GUARD_LEN, at, len, 0x5a), "around, length %zu",
              len);
    }
}

static void compares(void)
{
    for (unsigned int i = 0; i < 20000; i++) {
        const size_t len = rnd_below(64);
        char *const a = malloc(len), *const b = malloc(len);

        fill(a, len);
        memcpy(b, a, len);
        if (len > 0 && rnd_below(4))
            b[rnd_below((unsigned int)len)] ^= (char)rnd();

        CHECK(sign(plinth_memcmp(a, b, len)) == sign(memcmp(a, b, len)),
              "length %zu", len);
        free(a);
        free(b);
    }
}

static void byte_search(void)
{
    for (unsigned int i = 0; i < 20000; i++) {
        const size_t len = rnd_below(40);
        char *const a = malloc(len);
        const int byte = (int)rnd_below(8) + (rnd_below(2) ? 0x100 : -0x100);

        for (size_t k = 0; k < len; k++)
            a[k] = (char)rnd_below(16);

        CHECK(plinth_memchr(a, byte, len) == memchr(a, byte, len),
              "byte %d in %zu", byte, len);
        free(a);
    }
}

/* An exact-size copy of random text; few letters, so that things repeat. */
static char *text(size_t most)
{
    const size_t len = rnd_below((unsigned int)most + 1);
    char *s = malloc(len + 1);

    rnd_text(s, len, rnd_below(2) ? "ab" : "abc\x80\xff");
    return s;
}

static void lengths(void)
{
    for (unsigned int i = 0; i < 5000; i++) {
        const size_t len = rnd_below(40), max = rnd_below(50);
        char *s = malloc(len + 1);

        rnd_text(s, len, "xyz\xff");
        CHECK(plinth_strlen(s) == len, "strlen %zu", len);
        CHECK(plinth_strnlen(s, max) == strnlen(s, max), "strnlen %zu", max);
        CHECK(plinth_strnlen(s, SIZE_MAX) == len, "no limit");
        free(s);

        /* Without a zero, only the limit stops it. */
        s = malloc(len);
        memset(s, 'x', len);
        CHECK(plinth_strnlen(s, len) == len, "no zero, %zu", len);
        free(s);
    }
}

static void string_compares(void)
{
    for (unsigned int i = 0; i < 30000; i++) {
        char *const a = text(6), *const b = text(6);
        const size_t max = rnd_below(4) ? rnd_below(8) : SIZE_MAX;

        CHECK(sign(plinth_strcmp(a, b)) == sign(strcmp(a, b)), "%s, %s", a, b);
        CHECK(sign(plinth_strncmp(a, b, max)) == sign(strncmp(a, b, max)),
              "%s, %s, %zu", a, b, max);
        free(a);
        free(b);
    }
}

static void bounded_compare(void)
{
    char *const a = malloc(4), *const b = malloc(4);

    memcpy(a, "abcd", 4);
    memcpy(b, "abcd", 4);
    CHECK(plinth_strncmp(a, b, 4) == 0, "must not read a fifth");
    CHECK(plinth_strncmp(a, b, 0) == 0, "must not read any");
    free(a);
    free(b);
}

static void string_searches(void)
{
    for (unsigned int i = 0; i < 30000; i++) {
        char *const s = text(12), *const what = text(4);
        const int c = (int)rnd_below(5) ? "abcd\xff"[rnd_below(5)] : 0;

        CHECK(plinth_strchr(s, c) == strchr(s, c), "strchr %s, %d", s, c);
        CHECK(plinth_strchr(s, c + 256) == strchr(s, c), "strchr, high bits");
        CHECK(plinth_strrchr(s, c) == strrchr(s, c), "strrchr %s, %d", s, c);
        CHECK(plinth_strstr(s, what) == strstr(s, what), "strstr %s, %s", s,
              what);
        CHECK(plinth_strspn(s, what) == strspn(s, what), "strspn %s, %s", s,
              what);
        CHECK(plinth_strcspn(s, what) == strcspn(s, what), "strcspn %s, %s", s,
              what);
        free(s);
        free(what);
    }
}

static void bounded_copies(void)
{
    for (unsigned int i = 0; i < 10000; i++) {
        char *const s = text(20);
        const size_t size = rnd_below(24), len = strlen(s);
        char *const out = malloc(size);
        const size_t kept = len < size ? len : size - 1;

        CHECK(plinth_strlcpy(out, s, size) == len, "result for %s", s);
        if (size > 0)
            CHECK(memcmp(out, s, kept) == 0 && out[kept] == '\0', "%s into %zu",
                  s, size);
        free(out);
        free(s);
    }
}

TAP_MAIN({ "memcpy", copies }, { "memmove", moves }, { "memset", sets },
         { "memcmp", compares }, { "memchr", byte_search },
         { "strlen and strnlen", lengths },
         { "strcmp and strncmp", string_compares },
         { "strncmp stops at its limit", bounded_compare },
         { "string searches", string_searches }, { "strlcpy", bounded_copies })

/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/string.h>

/*
 * Costs are counted in instructions, and a repeated string instruction counts
 * once per round.  So: eight bytes a round where there are many, and a few plain
 * loads and stores, which may overlap each other, where there are not.
 */

/* Integers that may lie anywhere and alias anything. */
struct u16_any {
    uint16_t v;
} __packed __attribute__((may_alias));

struct u32_any {
    uint32_t v;
} __packed __attribute__((may_alias));

struct u64_any {
    uint64_t v;
} __packed __attribute__((may_alias));

static __always_inline uint16_t get16(const void *p)
{
    return ((const struct u16_any *)p)->v;
}

static __always_inline uint32_t get32(const void *p)
{
    return ((const struct u32_any *)p)->v;
}

static __always_inline uint64_t get64(const void *p)
{
    return ((const struct u64_any *)p)->v;
}

static __always_inline void put16(void *p, uint16_t v)
{
    ((struct u16_any *)p)->v = v;
}

static __always_inline void put32(void *p, uint32_t v)
{
    ((struct u32_any *)p)->v = v;
}

static __always_inline void put64(void *p, uint64_t v)
{
    ((struct u64_any *)p)->v = v;
}

#define SMALL 32 /* longest copy made without a loop */

/*
 * Copy up to SMALL bytes.  All loads come before the first store, so the two
 * may overlap in any way.
 */
static __always_inline void copy_small(char *dst, const char *src, size_t len)
{
    if (len > 16) {
        const uint64_t a = get64(src), b = get64(src + 8);
        const uint64_t c = get64(src + len - 16), d = get64(src + len - 8);

        put64(dst, a);
        put64(dst + 8, b);
        put64(dst + len - 16, c);
        put64(dst + len - 8, d);
    } else if (len >= 8) {
        const uint64_t a = get64(src), b = get64(src + len - 8);

        put64(dst, a);
        put64(dst + len - 8, b);
    } else if (len >= 4) {
        const uint32_t a = get32(src), b = get32(src + len - 4);

        put32(dst, a);
        put32(dst + len - 4, b);
    } else if (len >= 2) {
        const uint16_t a = get16(src), b = get16(src + len - 2);

        put16(dst, a);
        put16(dst + len - 2, b);
    } else if (len == 1) {
        *dst = *src;
    }
}

/*
 * Copy 8 bytes or more upwards.  Right also if @dst overlaps @src from below,
 * because the last eight bytes are read before any of them can be overwritten.
 */
static __always_inline void copy_up(char *dst, const char *src, size_t len)
{
    char *const last = dst + len - 8;
    const uint64_t tail = get64(src + len - 8);
    size_t words = len / 8;

    asm volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
    put64(last, tail);
}

/*
 * Copy more than SMALL bytes downwards, for @dst overlapping @src from above.
 * A loop rather than std and rep: an exception with the direction flag set
 * would run its handler that way.
 */
static __always_inline void copy_down(char *dst, const char *src, size_t len)
{
    while (len > SMALL) {
        len -= 32;
        put64(dst + len + 24, get64(src + len + 24));
        put64(dst + len + 16, get64(src + len + 16));
        put64(dst + len + 8, get64(src + len + 8));
        put64(dst + len, get64(src + len));
    }

    copy_small(dst, src, len);
}

void *memcpy(void *restrict dst, const void *restrict src, size_t len)
{
    if (len <= SMALL)
        copy_small(dst, src, len);
    else
        copy_up(dst, src, len);

    return dst;
}

void *memmove(void *dst, const void *src, size_t len)
{
    /* Wraps round, hence is large, if dst is the lower one. */
    const uintptr_t above = (uintptr_t)dst - (uintptr_t)src;

    if (len <= SMALL)
        copy_small(dst, src, len);
    else if (above >= len)
        copy_up(dst, src, len);
    else
        copy_down(dst, src, len);

    return dst;
}

void *memset(void *dst, int byte, size_t len)
{
    const uint64_t v = UINT64_C(0x0101010101010101) * (uint8_t)byte;
    char *const d = dst;

    if (len > 16) {
        void *at = dst;
        size_t words = len / 8;

        asm volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(v) : "memory");
        put64(d + len - 8, v);
    } else if (len >= 8) {
        put64(d, v);
        put64(d + len - 8, v);
    } else if (len >= 4) {
        put32(d, (uint32_t)v);
        put32(d + len - 4, (uint32_t)v);
    } else if (len >= 2) {
        put16(d, (uint16_t)v);
        put16(d + len - 2, (uint16_t)v);
    } else if (len == 1) {
        *d = (char)byte;
    }

    return dst;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *p = a, *q = b;

    /* Pass over what is equal; the bytes that differ are found below. */
    while (len >= 8 && get64(p) == get64(q)) {
        p += 8;
        q += 8;
        len -= 8;
    }

    for (; len > 0; p++, q++, len--)
        if (*p != *q)
            return *p - *q;

    return 0;
}

/* What C's searches do with their const argument, in one place. */
static __always_inline void *unconst(const void *p)
{
    return (void *)(uintptr_t)p;
}

void *memchr(const void *mem, int byte, size_t len)
{
    for (const uint8_t *p = mem; len > 0; p++, len--)
        if (*p == (uint8_t)byte)
            return unconst(p);

    return NULL;
}

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end != '\0')
        end++;

    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t len = 0;

    while (len < max && s[len] != '\0')
        len++;

    return len;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }

    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (; max > 0; a++, b++, max--)
        if (*a == '\0' || *a != *b)
            return (uint8_t)*a - (uint8_t)*b;

    return 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;

    return unconst(s);
}

char *strrchr(const char *s, int c)
{
    const char *found = NULL;

    do {
        if (*s == (char)c)
            found = s;
    } while (*s++ != '\0');

    return unconst(found);
}

char *strstr(const char *s, const char *what)
{
    const size_t len = strlen(what);

    for (;; s++) {
        if (strncmp(s, what, len) == 0)
            return unconst(s);
        if (*s == '\0')
            return NULL;
    }
}

/* Length of the start of @s in which each character's being in @set is @in. */
static __always_inline size_t span(const char *s, const char *set, bool in)
{
    size_t len = 0;

    while (s[len] != '\0' && (strchr(set, s[len]) != NULL) == in)
        len++;

    return len;
}

size_t strspn(const char *s, const char *accept)
{
    return span(s, accept, true);
}

size_t strcspn(const char *s, const char *reject)
{
    return span(s, reject, false);
}

size_t strlcpy(char *restrict dst, const char *restrict src, size_t size)
{
    const size_t len = strlen(src);

    if (size > 0) {
        const size_t kept = MIN(len, size - 1);

        memcpy(dst, src, kept);
        dst[kept] = '\0';
    }

    return len;
}

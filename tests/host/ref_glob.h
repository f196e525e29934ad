/* SPDX-License-Identifier: MIT */
/*
 * ref_glob: a second glob matcher, made the other way round.
 *
 * The pattern is first turned into a list of sets of characters, then all
 * places in it that the text can have led to are followed at once.  Slow and
 * simple; shared by the test and the fuzzer.
 *
 *   units     patterns of less than REF_GLOB_MAX characters
 *   owns      nothing
 *   context   host
 *   failure   none
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define REF_GLOB_MAX 256

struct ref_item {
    bool star;
    bool set[256];
};

/* Length of the bracket at @p up to and with its ], or 0 if it has none. */
static size_t ref_bracket(const char *p, size_t len, struct ref_item *item)
{
    const bool invert = len > 1 && p[1] == '!';
    size_t i = invert ? 2 : 1;
    const size_t first = i;

    while (i < len && (p[i] != ']' || i == first)) {
        unsigned int from, to;

        if (p[i] == '\\' && i + 1 < len)
            i++;
        from = to = (unsigned char)p[i++];

        if (i + 1 < len && p[i] == '-' && p[i + 1] != ']') {
            i++;
            if (p[i] == '\\' && i + 1 < len)
                i++;
            to = (unsigned char)p[i++];
        }

        for (unsigned int c = from; c <= to; c++)
            item->set[c] = true;
    }

    if (i >= len)
        return 0;

    for (unsigned int c = 0; c < 256; c++)
        item->set[c] ^= invert;

    return i + 1;
}

/* Turn one part of the pattern into an item; returns its length. */
static size_t ref_item(const char *p, size_t len, struct ref_item *item)
{
    size_t used;

    memset(item, 0, sizeof(*item));

    if (*p == '*') {
        item->star = true;
        return 1;
    }

    if (*p == '?') {
        memset(item->set, true, sizeof(item->set));
        return 1;
    }

    if (*p == '[') {
        used = ref_bracket(p, len, item);
        if (used > 0)
            return used;
        memset(item, 0, sizeof(*item));
    }

    used = *p == '\\' && len > 1 ? 2 : 1;
    item->set[(unsigned char)p[used - 1]] = true;
    return used;
}

static bool ref_match(const char *p, size_t len, const char *text)
{
    static struct ref_item items[REF_GLOB_MAX];
    bool here[REF_GLOB_MAX + 1] = { true };
    size_t n = 0;

    while (len > 0) {
        const size_t used = ref_item(p, len, &items[n++]);

        p += used;
        len -= used;
    }

    for (;; text++) {
        bool next[REF_GLOB_MAX + 1] = { false };

        for (size_t i = 0; i < n; i++)
            if (here[i] && items[i].star)
                here[i + 1] = true;

        if (*text == '\0')
            return here[n];

        for (size_t i = 0; i < n; i++) {
            if (here[i] && items[i].star)
                next[i] = true;
            else if (here[i] && items[i].set[(unsigned char)*text])
                next[i + 1] = true;
        }

        memcpy(here, next, sizeof(here));
    }
}

static inline bool ref_list_match(const char *list, const char *text)
{
    size_t start = 0;

    for (size_t i = 0;; i++) {
        if (list[i] == '\0' || list[i] == ',') {
            if (ref_match(list + start, i - start, text))
                return true;
            start = i + 1;
        }
        if (list[i] == '\\' && list[i + 1] != '\0')
            i++;
        if (list[i] == '\0')
            return false;
    }
}

/* SPDX-License-Identifier: MIT */
#include <plinth/errno.h>
#include <plinth/parse.h>
#include <plinth/string.h>

#define NO_DIGIT 16

/* The value of a digit of any base up to 16, else NO_DIGIT. */
static unsigned int digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned int)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned int)(c - 'A') + 10;

    return NO_DIGIT;
}

/*
 * Read the number that @text begins with and return its end, or NULL if there
 * is none.  @too_big goes to the caller apart from that, because the text must
 * be seen to its end to tell a number that is too big from no number.
 */
static const char *number(const char *text, uint64_t *value, bool *too_big)
{
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const unsigned int base = hex ? 16 : 10;
    const char *at = hex ? text + 2 : text;

    if (digit(*at) >= base)
        return NULL;

    *value = 0;
    *too_big = false;

    for (; digit(*at) < base; at++)
        if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
            __builtin_add_overflow(*value, (uint64_t)digit(*at), value))
            *too_big = true;

    return at;
}

int parse_u64(const char *text, uint64_t *out)
{
    uint64_t value;
    bool too_big;
    const char *end = number(text, &value, &too_big);

    if (end == NULL || *end != '\0')
        return -EINVAL;
    if (too_big)
        return -ERANGE;

    *out = value;
    return 0;
}

/* The power of two that a suffix stands for, or -1 if it is none. */
static int suffix_shift(char c)
{
    switch (c) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    case 't':
    case 'T':
        return 40;
    default:
        return -1;
    }
}

int parse_size(const char *text, uint64_t *out)
{
    uint64_t value;
    bool too_big;
    const char *end = number(text, &value, &too_big);
    int shift = 0;

    if (end == NULL)
        return -EINVAL;

    if (*end != '\0') {
        shift = suffix_shift(*end);
        if (shift < 0 || end[1] != '\0')
            return -EINVAL;
    }

    if (too_big || value > UINT64_MAX >> shift)
        return -ERANGE;

    *out = value << shift;
    return 0;
}

int parse_bool(const char *text, bool *out)
{
    static const struct {
        const char *name;
        bool value;
    } words[] = {
        { "1", true },  { "yes", true }, { "on", true },   { "true", true },
        { "0", false }, { "no", false }, { "off", false }, { "false", false },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(text, words[i].name) == 0) {
            *out = words[i].value;
            return 0;
        }
    }

    return -EINVAL;
}

int parse_hex_bytes(const char *text, uint8_t *out, size_t len)
{
    size_t digits = 0;

    /* Look at all of it first: nothing is written unless all of it is good. */
    while (digit(text[digits]) != NO_DIGIT)
        digits++;

    if (text[digits] != '\0' || digits % 2 != 0 || digits / 2 != len)
        return -EINVAL;

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));

    return 0;
}

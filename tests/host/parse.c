/* SPDX-License-Identifier: MIT */
/* parse: against a check written with 128-bit arithmetic, and by example. */
#include <ctype.h>
#include <string.h>

#include "tap.h"

#include <plinth/errno.h>
#include <plinth/parse.h>

#define ROUNDS 100000
#define MARK   0x1badcafe2badcafe /* stands where nothing may be written */

/* What parse_size() or, without @suffix, parse_u64() should say. */
static int want_number(const char *s, bool suffix, uint64_t *out)
{
    static const char letters[] = "kKmMgGtT";
    const bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    size_t len = strlen(s), start = hex ? 2 : 0;
    unsigned int shift = 0;
    unsigned __int128 v = 0;
    bool big = false;

    if (suffix && len > 0 && strchr(letters, s[len - 1]) != NULL) {
        shift =
            10 +
            10 * (unsigned int)((strchr(letters, s[len - 1]) - letters) / 2);
        len--;
    }

    if (start >= len)
        return -EINVAL;

    for (size_t i = start; i < len; i++) {
        const char digit[2] = { s[i], '\0' };

        if (!(hex ? isxdigit((unsigned char)s[i])
                  : isdigit((unsigned char)s[i])))
            return -EINVAL;

        v = v * (hex ? 16 : 10) + strtoul(digit, NULL, 16);
        big |= v > UINT64_MAX;
        v &= UINT64_MAX;
    }

    if (big || v << shift > UINT64_MAX)
        return -ERANGE;

    *out = (uint64_t)(v << shift);
    return 0;
}

/* A number, or nearly one. */
static void some_number(char *s, size_t size)
{
    static const char *const forms[] = {
        "%llu", "0x%llx", "%lluK", "%llug", "0x%llXM", "%lluT", "%llu0", "0%llu"
    };
    const unsigned long long v = rnd() >> rnd_below(64);

    switch (rnd_below(4)) {
    case 0:
        rnd_text(s, rnd_below(8), "0123456789abcxXkKMGT -+");
        break;
    case 1:
        s[0] = '0';
        s[1] = 'x';
        rnd_text(s + 2, rnd_below(18), "0f");
        break;
    default:
        snprintf(s, size, forms[rnd_below(8)], v);
        if (rnd_below(8) == 0)
            s[rnd_below((unsigned int)strlen(s))] = (char)rnd();
        break;
    }
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void numbers(void)
{
    unsigned int counts[3] = { 0 };

    for (unsigned int i = 0; i < ROUNDS; i++) {
        const bool suffix = i % 2;
        uint64_t want = MARK, got = MARK;
        char buf[40], *s;
        int want_rc, rc;

        some_number(buf, sizeof(buf));
        s = strdup(buf);
        want_rc = want_number(s, suffix, &want);
        rc = suffix ? parse_size(s, &got) : parse_u64(s, &got);

        CHECK(rc == want_rc && got == want, "%s: %d %#llx, want %d %#llx", s,
              rc, (unsigned long long)got, want_rc, (unsigned long long)want);
        counts[rc == 0 ? 0 : rc == -EINVAL ? 1 : 2]++;
        free(s);
    }

    for (unsigned int k = 0; k < 3; k++)
        CHECK(counts[k] > ROUNDS / 100, "only %u of kind %u", counts[k], k);
}

static void number_examples(void)
{
    static const struct {
        const char *text;
        int rc;
        uint64_t value;
    } t[] = {
        { "0", 0, 0 },
        { "00", 0, 0 },
        { "010", 0, 10 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "99999999999999999999999z", -EINVAL, 0 },
        { "0xffffffffffffffff", 0, UINT64_MAX },
        { "0x10000000000000000", -ERANGE, 0 },
        { "0xAbC", 0, 0xabc },
        { "0X1", 0, 1 },
        { "0x", -EINVAL, 0 },
        { "x1", -EINVAL, 0 },
        { "0xg", -EINVAL, 0 },
        { "", -EINVAL, 0 },
        { " 1", -EINVAL, 0 },
        { "1 ", -EINVAL, 0 },
        { "+1", -EINVAL, 0 },
        { "-1", -EINVAL, 0 },
        { "12a", -EINVAL, 0 },
        { "4K", 0, 4096 },
        { "0x10m", 0, 16 << 20 },
        { "16777215T", 0, 16777215ULL << 40 },
        { "16777216T", -ERANGE, 0 },
        { "0T", 0, 0 },
        { "K", -EINVAL, 0 },
        { "1KK", -EINVAL, 0 },
        { "1P", -EINVAL, 0 },
    };

    for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        uint64_t got = 0;
        const int rc = parse_size(t[i].text, &got);

        CHECK(rc == t[i].rc && got == t[i].value, "%s: %d %llu", t[i].text, rc,
              (unsigned long long)got);
    }

    uint64_t got = MARK;

    CHECK(parse_u64("4K", &got) == -EINVAL && got == MARK, "no suffixes");
}

static void bools(void)
{
    static const char *const words[] = { "0",   "1",  "no",    "yes",
                                         "off", "on", "false", "true" };
    static const char *const wrong[] = { "",     "2",   "y", "Yes",
                                         "yes ", "tru", "01" };

    for (unsigned int i = 0; i < 8; i++) {
        bool got = !(i % 2);

        CHECK(parse_bool(words[i], &got) == 0 && got == i % 2, "%s", words[i]);
    }

    for (unsigned int i = 0; i < 14; i++) {
        bool got = i % 2;

        CHECK(parse_bool(wrong[i / 2], &got) == -EINVAL && got == i % 2, "%s",
              wrong[i / 2]);
    }
}

static void hex_bytes(void)
{
    for (unsigned int i = 0; i < ROUNDS / 4; i++) {
        const size_t len = rnd_below(10);
        uint8_t *const want = malloc(len), *const got = malloc(len);
        char *const text = malloc(2 * len + 1);
        bool good;

        text[2 * len] = '\0';
        for (size_t k = 0; k < len; k++) {
            want[k] = (uint8_t)rnd();
            sprintf(text + 2 * k, rnd_below(2) ? "%02x" : "%02X", want[k]);
        }
        if (len > 0 && rnd_below(2))
            text[rnd_below(2 * (unsigned int)len)] = (char)rnd();

        good = strspn(text, "0123456789abcdefABCDEF") == 2 * len;
        for (size_t k = 0; good && k < len; k++)
            want[k] = (uint8_t)(strtoul(
                (char[]){ text[2 * k], text[2 * k + 1], '\0' }, NULL, 16));

        memset(got, 0x5a, len);
        CHECK(parse_hex_bytes(text, got, len) == (good ? 0 : -EINVAL), "%s",
              text);
        if (!good)
            memset(want, 0x5a, len);
        CHECK(memcmp(got, want, len) == 0, "bytes of %s", text);
        free(want);
        free(got);
        free(text);
    }
}

static void hex_lengths(void)
{
    uint8_t got[2] = { 7, 7 };

    CHECK(parse_hex_bytes("", got, 0) == 0, "none");
    CHECK(parse_hex_bytes("abc", got, 1) == -EINVAL, "odd");
    CHECK(parse_hex_bytes("ab", got, 2) == -EINVAL, "too few");
    CHECK(parse_hex_bytes("abcdef", got, 2) == -EINVAL, "too many");
    CHECK(parse_hex_bytes("0xab", got, 2) == -EINVAL, "prefix");
    CHECK(parse_hex_bytes("ab cd", got, 2) == -EINVAL, "blank");
    CHECK(got[0] == 7 && got[1] == 7, "untouched");
    CHECK(parse_hex_bytes("0", got, SIZE_MAX / 2 + 1) == -EINVAL, "huge");
}

TAP_MAIN({ "numbers", numbers }, { "number examples", number_examples },
         { "bools", bools }, { "hex bytes", hex_bytes },
         { "hex lengths", hex_lengths })

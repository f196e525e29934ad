/* SPDX-License-Identifier: MIT */
/* printf: against libc where both promise the same, and where ours differs. */
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "tap.h"

#include "rename.h"

#include <plinth/printf.h>

#include "rename.h"

#define ROUNDS  60000
#define LONGEST 512

/* A generated conversion and what goes with it. */
struct sample {
    char fmt[64];
    unsigned int stars;
    int star[2];
    char length[3];
    char type;
    uint64_t value;
    const char *text;
};

static uint64_t some_value(void)
{
    static const uint64_t edges[] = {
        0,          1,           7,         8,          9,
        10,         0x7f,        0x80,      0xff,       0x100,
        0x7fff,     0x8000,      0xffff,    0x10000,    INT32_MAX,
        UINT32_MAX, 0x80000000,  INT64_MAX, UINT64_MAX, (uint64_t)INT64_MIN,
        -1,         -2147483649, 1000000,   0xdeadbeef,
    };
    const unsigned int n = sizeof(edges) / sizeof(edges[0]);

    return rnd_below(2) ? edges[rnd_below(n)] : rnd() >> rnd_below(64);
}

/* Append a width or a precision: digits, or a star and its value. */
static void some_number(struct sample *s, int low)
{
    const int n = low + (int)rnd_below(rnd_below(3) ? 12 : 60);
    const size_t len = strlen(s->fmt);

    if (rnd_below(3) == 0) {
        s->star[s->stars++] = rnd_below(2) ? n : -n;
        strcat(s->fmt, "*");
    } else {
        snprintf(s->fmt + len, sizeof(s->fmt) - len, "%d", n);
    }
}

static void append(struct sample *s, char c)
{
    const char text[] = { c, '\0' };

    strcat(s->fmt, text);
}

static void some_flags(struct sample *s, const char *allowed)
{
    for (; *allowed != '\0'; allowed++)
        if (rnd_below(3) == 0)
            append(s, *allowed);
}

/* Only what C defines: libc is free to do anything with the rest. */
static const char *flags_for(char type)
{
    switch (type) {
    case 'd':
    case 'i':
        return "-+ 0";
    case 'u':
        return "-0";
    case 'x':
    case 'X':
    case 'o':
        return "#-0";
    default:
        return "-";
    }
}

static void generate(struct sample *s)
{
    static const char *const lengths[] = { "",   "",  "h", "hh", "l",
                                           "ll", "z", "t", "j" };
    static const char *const texts[] = { "", "a", "plinth", "%d%s",
                                         "a longer text, with \xff and \t" };

    *s = (struct sample){ .fmt = "<%", .value = some_value() };
    s->type = "diuxXocs"[rnd_below(8)];
    s->text = texts[rnd_below(5)];

    some_flags(s, flags_for(s->type));
    if (rnd_below(2))
        some_number(s, 1);
    if (rnd_below(2) && s->type != 'c') {
        strcat(s->fmt, ".");
        if (rnd_below(4))
            some_number(s, 0);
    }
    if (s->type != 'c' && s->type != 's')
        strcpy(s->length, lengths[rnd_below(9)]);

    strcat(s->fmt, s->length);
    append(s, s->type);
    strcat(s->fmt, "|%%>");
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

typedef int print_t(char *buf, size_t size, const char *fmt, ...);

/* Each kind of argument has to be passed as what it is. */
#define WITH_STARS(...)                                                        \
    (s->stars == 0 ? print(buf, size, s->fmt, __VA_ARGS__)                     \
     : s->stars == 1                                                           \
         ? print(buf, size, s->fmt, s->star[0], __VA_ARGS__)                   \
         : print(buf, size, s->fmt, s->star[0], s->star[1], __VA_ARGS__))

static int run(print_t *print, char *buf, size_t size, const struct sample *s)
{
    if (s->type == 's')
        return WITH_STARS(s->text);
    if (s->type == 'c')
        return WITH_STARS((int)(s->value % 255) + 1);
    if (s->length[0] == '\0' || s->length[0] == 'h')
        return WITH_STARS((int)s->value);

    return WITH_STARS(s->value);
}

static void like_libc(void)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        char want[LONGEST], got[LONGEST];
        struct sample s;
        int want_len, got_len;

        generate(&s);
        want_len = run(snprintf, want, sizeof(want), &s);
        got_len = run(plinth_snprintf, got, sizeof(got), &s);

        CHECK(want_len == got_len && strcmp(want, got) == 0,
              "%s, stars %d %d, value %#llx: got %s (%d), want %s (%d)", s.fmt,
              s.star[0], s.star[1], (unsigned long long)s.value, got, got_len,
              want, want_len);
    }
}

static void cut_short(void)
{
    for (unsigned int i = 0; i < ROUNDS / 4; i++) {
        char want[LONGEST];
        struct sample s;
        size_t size, kept;
        char *got;
        int len, stored;

        generate(&s);
        len = run(snprintf, want, sizeof(want), &s);
        size = rnd_below((unsigned int)len + 3);
        got = malloc(size);

        CHECK(run(plinth_snprintf, got, size, &s) == len, "length of %s",
              s.fmt);
        kept = (size_t)len < size ? (size_t)len : size - 1;
        if (size > 0)
            CHECK(memcmp(got, want, kept) == 0 && got[kept] == '\0',
                  "%s in %zu", s.fmt, size);

        stored = run(scnprintf, got, size, &s);
        CHECK(stored == (size > 0 ? (int)kept : 0), "stored %d of %s", stored,
              s.fmt);
        free(got);
    }
}

static void expect(const char *want, const char *fmt, ...)
{
    char got[LONGEST];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = plinth_vsnprintf(got, sizeof(got), fmt, ap);
    va_end(ap);

    CHECK(strcmp(got, want) == 0 && len == (int)strlen(want),
          "%s: got %s (%d), want %s", fmt, got, len, want);
}

static void pointers(void)
{
    expect("0x0", "%p", NULL);
    expect("0xffffffff80000000", "%p", (void *)0xffffffff80000000);
    expect("0x1000  |", "%-8p|", (void *)0x1000);
    expect("  0x1000", "%8p", (void *)0x1000);
    expect("0x00001000", "%010p", (void *)0x1000);
    expect("0x", "%.0p", NULL);
}

static void null_text(void)
{
    expect("(null)", "%s", NULL);
    expect("(nu", "%.3s", NULL);
    expect("  (null)", "%8s", NULL);
}

static void text_without_end(void)
{
    char *const s = malloc(3);

    memcpy(s, "abc", 3);
    expect("abc", "%.3s", s);
    expect("ab", "%.*s", 2, s);
    expect("", "%.0s", s);
    free(s);

    expect("", "%.0s", (char *)1);
}

static void zero_character(void)
{
    char got[8];

    CHECK(plinth_snprintf(got, sizeof(got), "a%cb", 0) == 3, "length");
    CHECK(memcmp(got, "a\0b", 4) == 0, "content");
}

/* What is no conversion stays, and the arguments stay for the next one. */
static void unknown(void)
{
    expect("%", "%");
    expect("50%", "50%");
    expect("%-08.3l", "%-08.3l");
    expect("%*", "%*", 1);
    expect("%.*", "%.*", 1);
    expect("%k 7", "%k %d", 7);
    expect("%*k 7", "%*k %d", 7);
    expect("%n 7", "%n %d", 7);
    expect("%f 7", "%f %d", 7);
    expect("%ls 7", "%ls %d", 7);
    expect("%hp 7", "%hp %d", 7);
    expect("%hhhd 7", "%hhhd %d", 7);
    expect("%lld 7", "%%lld %d", 7);
    expect("%5% 7", "%5% %d", 7);
    expect("%-7", "%-%d", 7);
    expect("", "%s", "");
    expect("", "");
}

/* Out of the compiler's sight, which would refuse these formats. */
static int into(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = plinth_vsnprintf(buf, size, fmt, ap);
    va_end(ap);

    return len;
}

static void lots_of_padding(void)
{
    static char got[10000];
    static char text[5001];
    int len;

    len = into(got, sizeof(got), "%5000d", 1);
    CHECK(len == FORMAT_PAD_MAX, "width %d", len);
    len = into(got, sizeof(got), "%.99999999999d", 1);
    CHECK(len == FORMAT_PAD_MAX, "precision %d", len);
    len = into(got, sizeof(got), "%0*d", INT_MIN, 1);
    CHECK(len == FORMAT_PAD_MAX && got[0] == '1' && got[1] == ' ',
          "least width %d", len);
    len = into(got, sizeof(got), "%.*d", INT_MIN, 1);
    CHECK(len == 1, "least precision %d", len);

    /* Text is not padding. */
    memset(text, 'x', sizeof(text) - 1);
    len = into(got, sizeof(got), "%s%.4999s", text, text);
    CHECK(len == 9999 && got[9998] == 'x', "text %d", len);
}

struct pieces {
    char text[256];
    size_t len, calls;
    bool empty;
};

static void collect(void *ctx, const char *text, size_t len)
{
    struct pieces *p = ctx;

    memcpy(p->text + p->len, text, len);
    p->len += len;
    p->calls++;
    p->empty |= len == 0;
}

static size_t to_pieces(struct pieces *p, const char *fmt, ...)
{
    va_list ap;
    size_t len;

    va_start(ap, fmt);
    len = format(collect, p, fmt, ap);
    va_end(ap);

    return len;
}

static void sinks(void)
{
    struct pieces p = { .len = 0 };
    const size_t len =
        to_pieces(&p, "%s: %040d%%%c%s%5s.", "a", 1, 'b', "", "c");

    CHECK(len == p.len && len == 3 + 40 + 2 + 5 + 1, "length %zu", len);
    CHECK(memcmp(p.text, "a: 0000", 7) == 0, "start");
    CHECK(memcmp(p.text + len - 9, "1%b    c.", 9) == 0, "end");
    CHECK(!p.empty, "no empty pieces");

    p = (struct pieces){ .len = 0 };
    CHECK(to_pieces(&p, "%s", "") == 0 && p.calls == 0, "nothing at all");
}

/* The caller's list is not moved: it may be used again. */
static void twice(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vscnprintf(buf, size, fmt, ap);
    vscnprintf(buf + len, size - (size_t)len, fmt, ap);
    va_end(ap);
}

static void same_list_again(void)
{
    char got[32];

    twice(got, sizeof(got), "%d%s%d ", 1, "x", 2);
    CHECK(strcmp(got, "1x2 1x2 ") == 0, "%s", got);
}

static void no_buffer(void)
{
    CHECK(plinth_snprintf(NULL, 0, "%d %s", 12, "ab") == 5, "length");
    CHECK(scnprintf(NULL, 0, "%d", 12) == 0, "stored");
}

static void many_arguments(void)
{
    expect("1 2 3 4 5 6 7 8 9 0xa b 12",
           "%d %u %ld %lu %hd %hhd %zu %td %jd "
           "%p %c %s",
           1, 2u, 3L, 4UL, 5, 6, (size_t)7, (ptrdiff_t)8, (intmax_t)9,
           (void *)10, 'b', "12");
}

TAP_MAIN({ "like libc", like_libc }, { "cut short", cut_short },
         { "pointers", pointers }, { "null text", null_text },
         { "text without end", text_without_end },
         { "zero character", zero_character }, { "unknown", unknown },
         { "lots of padding", lots_of_padding }, { "sinks", sinks },
         { "same list again", same_list_again }, { "no buffer", no_buffer },
         { "many arguments", many_arguments })

/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/printf.h>
#include <plinth/string.h>

/* Where the text goes, and how much of it has gone. */
struct out {
    format_sink_t *sink;
    void *ctx;
    size_t total;
};

/* A conversion as it is written, before any argument is looked at. */
struct spec {
    bool minus, plus, space, alternate, zero; /* - + space # 0 */
    bool star_width, star_precision;          /* the number is an argument */
    int width;                                /* 0 if not given */
    int precision;                            /* -1 if not given */
    char length; /* as written, H for hh, q for ll, 0 if not given */
    char type;
};

/* va_list may be an array; inside a struct it can be passed by address. */
struct args {
    va_list ap;
};

static void put(struct out *o, const char *text, size_t len)
{
    if (len > 0)
        o->sink(o->ctx, text, len);

    o->total += len;
}

static void pad(struct out *o, char c, int len)
{
    static const char blanks[] = "                ";
    static const char zeros[] = "0000000000000000";
    const int most = sizeof(blanks) - 1;

    for (; len > 0; len -= most)
        put(o, c == '0' ? zeros : blanks, (size_t)MIN(len, most));
}

/* Read digits.  Too many of them stay at INT_MAX. */
static const char *read_number(const char *s, int *value)
{
    *value = 0;

    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *s - '0', value))
            *value = INT_MAX;

    return s;
}

static const char *read_flags(const char *s, struct spec *spec)
{
    for (;; s++) {
        switch (*s) {
        case '-':
            spec->minus = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->space = true;
            break;
        case '#':
            spec->alternate = true;
            break;
        case '0':
            spec->zero = true;
            break;
        default:
            return s;
        }
    }
}

static const char *read_length(const char *s, struct spec *spec)
{
    switch (*s) {
    case 'h':
    case 'l':
        spec->length = *s++;
        if (*s != spec->length)
            return s;
        spec->length = *s == 'h' ? 'H' : 'q';
        return s + 1;

    case 'z':
    case 't':
    case 'j':
        spec->length = *s;
        return s + 1;

    default:
        return s;
    }
}

static bool known(const struct spec *spec)
{
    switch (spec->type) {
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        return true;
    case 'c':
    case 's':
    case 'p':
        return spec->length == 0;
    default:
        return false;
    }
}

/*
 * Read what stands behind a '%'.  Returns where it ends, or NULL if it is none
 * of ours.
 */
static const char *read_spec(const char *s, struct spec *spec)
{
    *spec = (struct spec){ .precision = -1 };

    s = read_flags(s, spec);

    if (*s == '*') {
        spec->star_width = true;
        s++;
    } else {
        s = read_number(s, &spec->width);
    }

    if (*s == '.') {
        s++;
        if (*s == '*') {
            spec->star_precision = true;
            s++;
        } else {
            s = read_number(s, &spec->precision);
        }
    }

    s = read_length(s, spec);
    spec->type = *s;

    return known(spec) ? s + 1 : NULL;
}

/* Fetch the numbers given by '*', and put both within their limits. */
static void settle(struct spec *spec, struct args *args)
{
    if (spec->star_width)
        spec->width = va_arg(args->ap, int);

    if (spec->width < 0) {
        spec->minus = true;
        spec->width = spec->width == INT_MIN ? INT_MAX : -spec->width;
    }

    if (spec->star_precision)
        spec->precision = va_arg(args->ap, int);

    spec->width = MIN(spec->width, FORMAT_PAD_MAX);
}

static uint64_t signed_arg(const struct spec *spec, struct args *args)
{
    switch (spec->length) {
    case 'H':
        return (uint64_t)(signed char)va_arg(args->ap, int);
    case 'h':
        return (uint64_t)(short)va_arg(args->ap, int);
    case 'l':
        return (uint64_t)va_arg(args->ap, long);
    case 'q':
        return (uint64_t)va_arg(args->ap, long long);
    case 'z':
    case 't':
        return (uint64_t)va_arg(args->ap, ptrdiff_t);
    case 'j':
        return (uint64_t)va_arg(args->ap, intmax_t);
    default:
        return (uint64_t)va_arg(args->ap, int);
    }
}

static uint64_t unsigned_arg(const struct spec *spec, struct args *args)
{
    switch (spec->length) {
    case 'H':
        return (unsigned char)va_arg(args->ap, unsigned int);
    case 'h':
        return (unsigned short)va_arg(args->ap, unsigned int);
    case 'l':
        return va_arg(args->ap, unsigned long);
    case 'q':
        return va_arg(args->ap, unsigned long long);
    case 'z':
    case 't':
        return va_arg(args->ap, size_t);
    case 'j':
        return va_arg(args->ap, uintmax_t);
    default:
        return va_arg(args->ap, unsigned int);
    }
}

/* Write the digits of @v so that they end at @end; returns their start. */
static char *digits(char *end, uint64_t v, unsigned int base, bool upper)
{
    const char *const set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (; v != 0; v /= base)
        *--end = set[v % base];

    return end;
}

/* One number: blanks, @prefix, zeros, digits, blanks. */
static void put_number(struct out *o, const struct spec *spec,
                       const char *prefix, uint64_t v, unsigned int base)
{
    char buf[24]; /* 22 octal digits */
    char *const end = buf + sizeof(buf);
    const char *const start = digits(end, v, base, spec->type == 'X');
    const int len = (int)(end - start), prefix_len = (int)strlen(prefix);
    const bool fill = spec->zero && !spec->minus;
    int precision = MIN(spec->precision, FORMAT_PAD_MAX);
    int zeros, blanks;

    /* A 0 flag fills the width, unless something else says how. */
    if (precision < 0)
        precision = fill ? MAX(1, spec->width - prefix_len) : 1;

    /* # means for octal: make it begin with a zero, if it does not yet. */
    if (base == 8 && spec->alternate)
        precision = MAX(precision, len + 1);

    zeros = MAX(0, precision - len);
    blanks = spec->width - prefix_len - zeros - len;

    if (!spec->minus)
        pad(o, ' ', blanks);
    put(o, prefix, (size_t)prefix_len);
    pad(o, '0', zeros);
    put(o, start, (size_t)len);
    if (spec->minus)
        pad(o, ' ', blanks);
}

static void put_signed(struct out *o, const struct spec *spec, uint64_t v)
{
    if ((int64_t)v < 0)
        put_number(o, spec, "-", -v, 10);
    else
        put_number(o, spec, spec->plus ? "+" : spec->space ? " " : "", v, 10);
}

static void put_hex(struct out *o, const struct spec *spec, uint64_t v)
{
    const char *const prefix = spec->type == 'X' ? "0X" : "0x";
    const bool prefixed = spec->alternate && v != 0;

    put_number(o, spec, prefixed ? prefix : "", v, 16);
}

static void put_text(struct out *o, const struct spec *spec, const char *text,
                     size_t len)
{
    const int blanks = spec->width - (int)MIN(len, (size_t)FORMAT_PAD_MAX);

    if (!spec->minus)
        pad(o, ' ', blanks);
    put(o, text, len);
    if (spec->minus)
        pad(o, ' ', blanks);
}

static void put_string(struct out *o, const struct spec *spec, const char *s)
{
    /* As a size_t, a precision not given is as good as no limit. */
    if (s == NULL)
        s = "(null)";

    put_text(o, spec, s, strnlen(s, (size_t)spec->precision));
}

static void convert(struct out *o, struct spec *spec, struct args *args)
{
    char c;

    settle(spec, args);

    switch (spec->type) {
    case 'd':
    case 'i':
        put_signed(o, spec, signed_arg(spec, args));
        break;
    case 'u':
        put_number(o, spec, "", unsigned_arg(spec, args), 10);
        break;
    case 'x':
    case 'X':
        put_hex(o, spec, unsigned_arg(spec, args));
        break;
    case 'o':
        put_number(o, spec, "", unsigned_arg(spec, args), 8);
        break;
    case 'p':
        put_number(o, spec, "0x", (uintptr_t)va_arg(args->ap, void *), 16);
        break;
    case 's':
        put_string(o, spec, va_arg(args->ap, const char *));
        break;
    case 'c':
        c = (char)va_arg(args->ap, int);
        put_text(o, spec, &c, 1);
        break;
    default:
        break;
    }
}

size_t format(format_sink_t *sink, void *ctx, const char *fmt, va_list ap)
{
    struct out o = { sink, ctx, 0 };
    struct args args;
    const char *plain = fmt; /* start of what is yet to be put out as it is */

    va_copy(args.ap, ap);

    for (const char *at = fmt; *at != '\0';) {
        struct spec spec;
        const char *end;

        if (*at != '%') {
            at++;
            continue;
        }

        if (at[1] == '%') {
            put(&o, plain, (size_t)(at - plain) + 1);
            at += 2;
            plain = at;
            continue;
        }

        end = read_spec(at + 1, &spec);
        if (end == NULL) {
            at++;
            continue;
        }

        put(&o, plain, (size_t)(at - plain));
        convert(&o, &spec, &args);
        plain = at = end;
    }

    put(&o, plain, strlen(plain));
    va_end(args.ap);
    return o.total;
}

struct buffer {
    char *to;
    size_t left; /* without the terminating zero */
};

static void to_buffer(void *ctx, const char *text, size_t len)
{
    struct buffer *b = ctx;

    if (b->left == 0)
        return; /* there may be no buffer at all */

    len = MIN(len, b->left);
    memcpy(b->to, text, len);
    b->to += len;
    b->left -= len;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct buffer b = { buf, size > 0 ? size - 1 : 0 };
    const size_t len = format(to_buffer, &b, fmt, ap);

    if (size > 0)
        *b.to = '\0';

    return (int)MIN(len, (size_t)INT_MAX);
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(buf, size, fmt, ap);
    va_end(ap);

    return len;
}

int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    const int len = vsnprintf(buf, size, fmt, ap);

    if (size == 0)
        return 0;

    return (size_t)len < size ? len : (int)(size - 1);
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vscnprintf(buf, size, fmt, ap);
    va_end(ap);

    return len;
}

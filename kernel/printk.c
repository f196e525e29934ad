/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include <plinth/compiler.h>
#include <plinth/hypercall.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/string.h>
#include <plinth/time.h>

static printk_sink_t *sink = printk_hypervisor_sink;
static enum log_level max_level = LOG_INFO;

/*
 * The log.  A writer reserves its part and then fills it, so that it needs no
 * lock, and works in a panic.  `printk_log` is a name to look for in a dump of
 * the domain's memory: first the count, then the text.
 */
struct printk_log printk_log;

BUILD_BUG_ON((PRINTK_LOG_SIZE & (PRINTK_LOG_SIZE - 1)) != 0);

static void log_add(const char *text, size_t len)
{
    uint64_t at = __atomic_fetch_add(&printk_log.end, len, __ATOMIC_RELAXED);

    while (len-- > 0)
        printk_log.text[at++ % PRINTK_LOG_SIZE] = *text++;
}

size_t printk_log_read(uint64_t *at, char *buf, size_t len)
{
    const uint64_t end = __atomic_load_n(&printk_log.end, __ATOMIC_RELAXED);
    size_t n = 0;

    if (end > PRINTK_LOG_SIZE && *at < end - PRINTK_LOG_SIZE) {
        /* What was there is gone, and the first line with its beginning. */
        *at = end - PRINTK_LOG_SIZE;
        while (*at < end && printk_log.text[(*at)++ % PRINTK_LOG_SIZE] != '\n')
            ;
    }
    while (n < len && *at < end)
        buf[n++] = printk_log.text[(*at)++ % PRINTK_LOG_SIZE];
    return n;
}

/* A line on its way: collected, so that it leaves in one write if it fits. */
struct line {
    bool shown, kept;
    size_t len;
    char text[200];
};

static void line_flush(struct line *line)
{
    if (line->len > 0 && line->kept)
        log_add(line->text, line->len);
    if (line->len > 0 && line->shown)
        sink(line->text, line->len);
    line->len = 0;
}

static void line_add(void *ctx, const char *text, size_t len)
{
    struct line *line = ctx;

    while (len > 0) {
        const size_t n = MIN(len, sizeof(line->text) - line->len);

        memcpy(line->text + line->len, text, n);
        line->len += n;
        text += n;
        len -= n;
        if (line->len == sizeof(line->text))
            line_flush(line);
    }
}

static void __printf(2, 3) line_printf(struct line *line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    format(line_add, line, fmt, ap);
    va_end(ap);
}

void printk_hypervisor_sink(const char *text, size_t len)
{
    /* Refused to a domU unless Xen is a debug build; nobody to tell. */
    (void)hypercall_console_write(text, len);
}

printk_sink_t *printk_set_sink(printk_sink_t *new)
{
    printk_sink_t *old = sink;

    sink = new;
    return old;
}

enum log_level printk_set_level(enum log_level level)
{
    const enum log_level old = max_level;

    max_level = level;
    return old;
}

void vprintk(enum log_level level, const char *fmt, va_list ap)
{
    static const char *const marks[] = {
        [LOG_EMERG] = "", [LOG_ERR] = "error: ",   [LOG_WARN] = "warning: ",
        [LOG_INFO] = "",  [LOG_DEBUG] = "debug: ",
    };
    struct line line;

    line.kept = true;
    line.shown = level <= max_level;
    line.len = 0;
    if (level != LOG_EMERG) {
        const uint64_t us = ktime_ns() / NSEC_PER_USEC;

        line_printf(&line, "[%5lu.%06lu] %s", us / 1000000, us % 1000000,
                    marks[level]);
    }
    format(line_add, &line, fmt, ap);
    line_add(&line, "\n", 1);
    line_flush(&line);
}

void printk(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintk(level, fmt, ap);
    va_end(ap);
}

void vsay(const char *fmt, va_list ap)
{
    struct line line;

    line.kept = false;
    line.shown = true;
    line.len = 0;
    format(line_add, &line, fmt, ap);
    line_flush(&line);
}

void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsay(fmt, ap);
    va_end(ap);
}

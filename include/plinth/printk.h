/* SPDX-License-Identifier: MIT */
/*
 * printk: lines for whoever watches the console.
 *
 * pr_*() prints a line of the kernel's log: a level, a timestamp, the text, a
 * newline.  say() prints its text as it is: reports and test results, whose
 * form others parse.  Each call goes out in as few writes as fit, so that a
 * line is not torn by what the hypervisor prints.
 *
 * The last PRINTK_LOG_SIZE bytes of the log are kept in memory, with the lines that
 * were not shown: those above the level, and those before there was a console.
 *
 *   context  any, from the first instruction of C on.  Until console_init() a
 *            line goes to the hypervisor's console, which a domU may only
 *            write when Xen is a debug build
 *   failure  none: what cannot be written is counted by the console
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>

enum log_level {
    LOG_EMERG,
    LOG_ERR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG
};

void __printf(2, 3) printk(enum log_level level, const char *fmt, ...);
void __printf(2, 0) vprintk(enum log_level level, const char *fmt, va_list ap);

/* Emergencies carry no timestamp and pass every level. */
#define pr_emerg(...) printk(LOG_EMERG, __VA_ARGS__)
#define pr_err(...)   printk(LOG_ERR, __VA_ARGS__)
#define pr_warn(...)  printk(LOG_WARN, __VA_ARGS__)
#define pr_info(...)  printk(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) printk(LOG_DEBUG, __VA_ARGS__)

void __printf(1, 2) say(const char *fmt, ...);
void __printf(1, 0) vsay(const char *fmt, va_list ap);

/* Lines above @level are not shown from now on; returns the level before. */
enum log_level printk_set_level(enum log_level level);

/*
 * Text goes to @sink from now on; returns the one before.  A sink takes any
 * number of bytes, never fails, and never calls printk.
 */
typedef void printk_sink_t(const char *text, size_t len);
printk_sink_t *printk_set_sink(printk_sink_t *sink);

/* The sink of the start: Xen's own console, by hypercall. */
void printk_hypervisor_sink(const char *text, size_t len);

#define PRINTK_LOG_SIZE 16384u

/* The log itself: @end counts what was ever written; its place is modulo. */
extern struct printk_log {
    uint64_t end;
    char text[PRINTK_LOG_SIZE];
} printk_log;

/*
 * At most @len bytes of the log from *@at on, which moves behind them; 0 at its
 * end.  Begin with 0.  What was overwritten meanwhile is skipped, to the next
 * whole line.
 */
size_t printk_log_read(uint64_t *at, char *buf, size_t len);

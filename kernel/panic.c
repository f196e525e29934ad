/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <plinth/backtrace.h>
#include <plinth/bug.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/shared_info.h>
#include <plinth/shutdown.h>
#include <plinth/upcall.h>

void (*panic_hook)(const char *message);

static unsigned int depth;

static void __noreturn last_words(const char *message)
{
    pr_emerg("panic: %s", message);
    if (panic_hook)
        panic_hook(message);
    shutdown_crash();
}

void panic_begin(void)
{
    if (shared_info_ready())
        (void)upcall_mask();
}

/*
 * A panic while panicking says less each time: the second has no call trace
 * and no hook, the third no words.
 */
static void __noreturn vpanic(const void *frame, const char *fmt, va_list ap)
{
    char message[160];

    panic_begin();
    if (++depth > 2)
        shutdown_crash();

    vscnprintf(message, sizeof(message), fmt, ap);

    if (depth > 1) {
        pr_emerg("panic while panicking: %s", message);
        shutdown_crash();
    }
    if (frame != NULL)
        backtrace_callers(frame);
    last_words(message);
}

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vpanic(__builtin_frame_address(0), fmt, ap);
}

void panic_quiet(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vpanic(NULL, fmt, ap);
}

/* SPDX-License-Identifier: MIT */
/*
 * The benchmarks, as an application: bench.elf runs the groups that the command
 * line names, or all that can be left alone, in the order of the table.  A group may use figures
 * of those before it as its floors.
 */
#include <stdbool.h>

#include <plinth/app.h>
#include <plinth/errno.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/string.h>

#include "bench.h"

#define EXIT_ERROR   4
#define EXIT_FAILURE 5

static const struct {
    const char *name;
    void (*run)(void);
    bool if_named; /* only then */
} groups[] = {
    { "bare_xenstore", bench_bare_xenstore, false }, /* before others wait */
    { "boot", bench_boot, false },
    { "hypercalls", bench_hypercalls, false },
    { "paths", bench_paths, false },
    { "walking", bench_walking, false },
    { "mapping", bench_mapping, false },
    { "spaces", bench_spaces, false },
    { "memory", bench_memory, false },
    { "traps", bench_traps, false },
    { "threads", bench_threads, false },
    { "events", bench_events, false },
    { "timers", bench_timers, false },
    { "user", bench_user, false },
    { "grants", bench_grants, false },
    { "xenstore", bench_xenstore, false },
    { "console", bench_console, false },
    { "idle", bench_idle, false },
    { "stay", bench_stay, true },
    { "answer", bench_answer, true },
};

#define FIGURES_MAX 400u

static struct {
    char name[56];
    uint64_t tenths;
} figures[FIGURES_MAX];
static unsigned int nr_figures, failures;

uint64_t main_tsc;

void ticks_note(struct ticks *t, unsigned int i, uint64_t ticks)
{
    if (i == 0)
        t->first = t->least = ticks;
    t->least = MIN(t->least, ticks);
}

void bench_fail(const char *fmt, ...)
{
    char text[120];
    va_list ap;

    failures++;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say("bench failed: %s\n", text);
}

void bench_check(int rc, const char *what)
{
    if (rc != 0)
        bench_fail("%s: %s", what, errno_name(rc));
}

static uint64_t tenths(uint64_t ticks, uint64_t n)
{
    return (ticks * 10 + n / 2) / n;
}

/* Names are short and few; too many would lose a floor, so that is a failure. */
static void remember(const char *name, uint64_t value)
{
    if (nr_figures == FIGURES_MAX) {
        bench_fail("no room for the figure %s", name);
        return;
    }
    strlcpy(figures[nr_figures].name, name, sizeof(figures[0].name));
    figures[nr_figures++].tenths = value;
}

void figure(const char *unit, uint64_t n, struct ticks t, uint64_t floor,
            const char *fmt, ...)
{
    const uint64_t warm = tenths(t.least, n), cold = tenths(t.first, n);
    char name[sizeof(figures[0].name)], above[40] = "";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    remember(name, warm);
    if (floor != 0)
        snprintf(above, sizeof(above), " floor %lu.%lu", floor / 10,
                 floor % 10);
    say("bench: %s %lu.%lu %s cold %lu.%lu%s\n", name, warm / 10, warm % 10,
        unit, cold / 10, cold % 10, above);
}

void figure_count(const char *unit, uint64_t value, const char *name)
{
    say("bench: %s %lu %s\n", name, value, unit);
}

uint64_t figure_of(const char *fmt, ...)
{
    char name[sizeof(figures[0].name)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    for (unsigned int i = 0; i < nr_figures; i++)
        if (strcmp(figures[i].name, name) == 0)
            return figures[i].tenths;
    return 0;
}

static bool chosen(unsigned int group, int argc, char *argv[])
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], groups[group].name) == 0)
            return true;
    return argc == 1 && !groups[group].if_named;
}

/* A word that names no group measures nothing, and that would not be noticed. */
static bool all_known(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        bool known = false;

        for (unsigned int g = 0; g < ARRAY_SIZE(groups); g++)
            known |= strcmp(groups[g].name, argv[i]) == 0;
        if (!known) {
            say("bench failed: there is no group %s\n", argv[i]);
            return false;
        }
    }
    return true;
}

/* repeat=NAME, alone: for a profile. */
static const char *to_repeat(int argc, char *argv[])
{
    return argc == 2 && strncmp(argv[1], "repeat=", 7) == 0 ? argv[1] + 7
                                                            : NULL;
}

/* between=DOMAIN,PORT, alone: two domains are needed. */
static bool between(int argc, char *argv[])
{
    char text[32];
    char *comma;
    uint64_t domain, port;

    if (argc != 2 || strncmp(argv[1], "between=", 8) != 0)
        return false;
    strlcpy(text, argv[1] + 8, sizeof(text));
    comma = strchr(text, ',');
    if (comma == NULL) {
        bench_fail("between=DOMAIN,PORT");
        return true;
    }
    *comma = '\0';
    if (parse_u64(text, &domain) != 0 || parse_u64(comma + 1, &port) != 0)
        bench_fail("between=DOMAIN,PORT");
    else
        bench_between(domain, port);
    return true;
}

int main(int argc, char *argv[])
{
    const char *name;

    main_tsc = rdtsc();
    if (between(argc, argv))
        return failures ? EXIT_FAILURE : 0;
    name = to_repeat(argc, argv);
    if (name != NULL)
        return !bench_repeat(name) ? EXIT_ERROR : failures ? EXIT_FAILURE : 0;
    if (!all_known(argc, argv))
        return EXIT_ERROR;
    for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++)
        if (chosen(i, argc, argv))
            groups[i].run();
    say("bench: end\n");
    return failures ? EXIT_FAILURE : 0;
}

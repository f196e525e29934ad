/* SPDX-License-Identifier: MIT */
#include <plinth/boot_report.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/glob.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/shell.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/time.h>

extern const struct test *const __start_plinth_tests[];
extern const struct test *const __stop_plinth_tests[];
extern const struct ledger *const __start_plinth_ledger[];
extern const struct ledger *const __stop_plinth_ledger[];

#define LEDGER_MAX 16
#define NAME_MAX   80

enum verdict {
    SUCCESS = 0,
    SKIPPED = 3,
    ERROR = 4,
    FAILURE = 5
};

static int nr_args;
static char **args;
static uint64_t seed = 1;
static uint64_t random_state;

/*
 * Options.
 */
const char *test_option(const char *name)
{
    const size_t len = strlen(name);

    for (int i = 1; i < nr_args; i++) {
        if (strncmp(args[i], name, len) != 0)
            continue;
        if (args[i][len] == '=')
            return args[i] + len + 1;
        if (args[i][len] == '\0')
            return args[i] + len;
    }
    return NULL;
}

static bool is_known(const char *word, const char *const known[])
{
    static const char *const own[] = { "tests", "seed", "list", "shell", NULL };
    const size_t len = strcspn(word, "=");

    for (unsigned int i = 0; own[i] != NULL; i++)
        if (strlen(own[i]) == len && strncmp(word, own[i], len) == 0)
            return true;
    for (unsigned int i = 0; known[i] != NULL; i++)
        if (strlen(known[i]) == len && strncmp(word, known[i], len) == 0)
            return true;
    return false;
}

static void warn_unknown(const char *const known[])
{
    for (int i = 1; i < nr_args; i++)
        if (!is_known(args[i], known))
            pr_warn("option %s is not known", args[i]);
}

/*
 * Choosing.
 */
static void full_name(const struct test *t, char *buf)
{
    snprintf(buf, NAME_MAX, "%s.%s", t->suite, t->name);
}

/* Does one @pattern of the list choose @t?  Fatal ones want their full name. */
static bool chosen_by(const struct test *t, const char *pattern)
{
    char name[NAME_MAX];

    full_name(t, name);
    return t->fatal ? strcmp(pattern, name) == 0 : glob_match(pattern, name);
}

static bool chosen(const struct test *t, const char *list)
{
    char pattern[NAME_MAX];

    if (list == NULL)
        return !t->fatal;

    for (;;) {
        const size_t len = strcspn(list, ",");

        strlcpy(pattern, list, MIN(sizeof(pattern), len + 1));
        if (chosen_by(t, pattern))
            return true;
        if (list[len] == '\0')
            return false;
        list += len + 1;
    }
}

static unsigned int count_chosen(const char *list)
{
    unsigned int n = 0;

    for (const struct test *const *t = __start_plinth_tests;
         t < __stop_plinth_tests; t++)
        n += chosen(*t, list);
    return n;
}

/* The first pattern of @list that chooses nothing goes to @bad. */
static bool all_choose(const char *list, char *bad, size_t size)
{
    while (list != NULL) {
        const size_t len = strcspn(list, ",");

        strlcpy(bad, list, MIN(size, len + 1));
        if (count_chosen(bad) == 0)
            return false;
        list = list[len] == '\0' ? NULL : list + len + 1;
    }
    return true;
}

/*
 * Results.
 */
static void __printf(3, 0)
    diagnose(const char *file, int line, const char *fmt, va_list ap)
{
    char text[160];

    vscnprintf(text, sizeof(text), fmt, ap);
    say("# %s:%d: %s\n", file, line, text);
}

void test_fail(struct test_run *run, const char *file, int line,
               const char *fmt, ...)
{
    va_list ap;

    run->failures++;
    va_start(ap, fmt);
    diagnose(file, line, fmt, ap);
    va_end(ap);
}

/* May @value be what a function returns that gives 0 or a negative errno? */
static bool is_result(uint64_t value)
{
    return value == 0 || ((int64_t)value < 0 && (int64_t)value > -256 &&
                          strcmp(errno_name((int)value), "E?") != 0);
}

void test_fail_eq(struct test_run *run, const char *file, int line,
                  const char *what, uint64_t got, uint64_t want)
{
    if (is_result(got) && is_result(want))
        test_fail(run, file, line, "%s is %s (%ld), want %s (%ld)", what,
                  errno_name((int)got), (long)got, errno_name((int)want),
                  (long)want);
    else
        test_fail(run, file, line, "%s is %#lx (%ld), want %#lx (%ld)", what,
                  got, (long)got, want, (long)want);
}

void test_fail_str(struct test_run *run, const char *file, int line,
                   const char *what, const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        test_fail(run, file, line, "%s is \"%s\", want \"%s\"", what, got,
                  want);
}

void test_check_trap(struct test_run *run, const char *file, int line,
                     const char *what, const struct trap *got,
                     unsigned int want)
{
    if (got->vector == want)
        return;
    if (got->vector == NO_TRAP)
        test_fail(run, file, line, "no trap, want %s: %s", trap_name(want),
                  what);
    else
        test_fail(run, file, line, "%s at %#lx, want %s: %s",
                  trap_name(got->vector), got->rip, trap_name(want), what);
}

/* xorshift64: plenty for picking pages, and the same everywhere. */
uint64_t test_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* From the seed and the name, so that a test alone sees the same numbers. */
static void random_start(const char *name)
{
    random_state = seed * 0x9e3779b97f4a7c15ull;
    while (*name)
        random_state = (random_state ^ *name++) * 0x100000001b3ull;
    random_state |= 1;
}

/*
 * Running.
 */
static void ledger_read(uint64_t *counts)
{
    BUG_ON(__stop_plinth_ledger - __start_plinth_ledger > LEDGER_MAX);

    /* What is kept for later is nobody's leak. */
    (void)page_reclaim();
    for (const struct ledger *const *l = __start_plinth_ledger;
         l < __stop_plinth_ledger; l++)
        *counts++ = (*l)->count();
}

static void ledger_compare(struct test_run *run, const struct test *t,
                           const uint64_t *before)
{
    uint64_t after[LEDGER_MAX];

    ledger_read(after);
    for (int i = 0; i < __stop_plinth_ledger - __start_plinth_ledger; i++)
        if (before[i] != after[i])
            test_fail(run, t->suite, 0, "leaves %ld %s behind",
                      (long)(after[i] - before[i]),
                      __start_plinth_ledger[i]->what);
}

static struct test_run run_one(const struct test *t, unsigned int number)
{
    struct test_run run = { 0 };
    uint64_t before[LEDGER_MAX];
    uint64_t start, us;
    char name[NAME_MAX];

    full_name(t, name);
    random_start(name);
    ledger_read(before);

    start = ktime_ns();
    t->fn(&run);
    us = (ktime_ns() - start) / NSEC_PER_USEC;

    ledger_compare(&run, t, before);

    say("# %s: %lu.%03lu ms\n", name, us / 1000, us % 1000);
    say("%s %u %s%s%s\n", run.failures ? "not ok" : "ok", number, name,
        run.skipped ? " # SKIP " : "", run.skipped ? run.skipped : "");
    return run;
}

static enum verdict run_chosen(const char *list)
{
    unsigned int number = 0, failed = 0, skipped = 0;
    uint64_t warm_up[LEDGER_MAX];

    /* A module may take something for good when it is first asked. */
    ledger_read(warm_up);

    say("KTAP version 1\n1..%u\n", count_chosen(list));

    for (const struct test *const *t = __start_plinth_tests;
         t < __stop_plinth_tests; t++) {
        struct test_run run;

        if (!chosen(*t, list))
            continue;
        run = run_one(*t, ++number);
        failed += run.failures != 0;
        skipped += run.failures == 0 && run.skipped != NULL;
    }

    say("# Totals: pass:%u fail:%u skip:%u error:0\n",
        number - failed - skipped, failed, skipped);
    return failed ? FAILURE : skipped == number ? SKIPPED : SUCCESS;
}

static enum verdict list_all(const char *list)
{
    for (const struct test *const *t = __start_plinth_tests;
         t < __stop_plinth_tests; t++)
        if (list == NULL || chosen(*t, list))
            say("%s.%s%s\n", (*t)->suite, (*t)->name,
                (*t)->fatal ? " (ends the domain)" : "");
    return SUCCESS;
}

static void bail_out(const char *message)
{
    say("Bail out! %s\n", message);
}

/*
 * By hand: the option shell gives a shell in place of a run.
 */
static enum verdict shell_verdict;

static int test_command(int argc, char *argv[])
{
    char bad[NAME_MAX];

    if (argc != 2)
        return SHELL_USAGE;
    if (!all_choose(argv[1], bad, sizeof(bad))) {
        say("%s matches no test\n", bad);
        return -ENOENT;
    }
    if (run_chosen(argv[1]) == FAILURE)
        shell_verdict = FAILURE;
    return 0;
}
SHELL_COMMAND(test, "GLOB[,GLOB]", "run self-tests", test_command);

static enum verdict run_shell(void)
{
    shell_verdict = SUCCESS;
    return shell("selftest> ") >= 0 ? shell_verdict : ERROR;
}

static enum verdict run_all(const char *const known[])
{
    const char *list = test_option("tests"), *s = test_option("seed");
    char bad[NAME_MAX], message[NAME_MAX + 40];

    warn_unknown(known);

    if (s != NULL && parse_u64(s, &seed) != 0) {
        snprintf(message, sizeof(message), "seed=%s is not a number", s);
        bail_out(message);
        return ERROR;
    }
    if (!all_choose(list, bad, sizeof(bad))) {
        snprintf(message, sizeof(message), "tests=%s matches no test", bad);
        bail_out(message);
        return ERROR;
    }
    if (test_option("list"))
        return list_all(list);
    if (test_option("shell"))
        return run_shell();

    say("seed=%lu\n# boot: %lu instructions, if the TSC counts such\n", seed,
        boot_cost());
    return run_chosen(list);
}

int test_main(int argc, char *argv[], const char *const known_options[])
{
    enum verdict verdict;

    nr_args = argc;
    args = argv;
    panic_hook = bail_out;

    verdict = run_all(known_options);

    panic_hook = NULL;
    return verdict;
}

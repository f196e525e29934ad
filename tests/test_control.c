/* SPDX-License-Identifier: MIT */
/* Watchdogs, and what the toolstack can ask of a domain (tests/control.t). */
#include <plinth/audit.h>
#include <plinth/balloon.h>
#include <plinth/control.h>
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/shutdown.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/watchdog.h>
#include <plinth/xenstore.h>

TEST(watchdog, two_of_them)
{
    unsigned int a = 0, b = 0, c = 77;

    REQUIRE(watchdog_start(1000, &a) == 0);
    REQUIRE(watchdog_start(1000, &b) == 0);
    EXPECT(a != 0 && b != 0 && a != b);
    EXPECT_EQ(watchdog_start(1000, &c), -ENOSPC);
    EXPECT_EQ(c, 77);
    EXPECT_EQ(watchdog_ping(a, 1000), 0);
    EXPECT_EQ(watchdog_stop(a), 0);
    EXPECT_EQ(watchdog_ping(a, 1000), -EINVAL);
    EXPECT_EQ(watchdog_stop(a), -EINVAL);
    EXPECT_EQ(watchdog_stop(b), 0);
}

/* Each of these would end the domain, or start one more. */
TEST(watchdog, misuse_is_refused)
{
    unsigned int id;

    EXPECT_EQ(watchdog_start(0, &id), -EINVAL);
    EXPECT_EQ(watchdog_stop(0), -EINVAL);
    EXPECT_EQ(watchdog_ping(0, 1000), -EINVAL);
    EXPECT_EQ(watchdog_ping(3, 1000), -EINVAL);
    REQUIRE(watchdog_start(1000, &id) == 0);
    EXPECT_EQ(watchdog_ping(id, 0), -EINVAL);
    EXPECT_EQ(watchdog_stop(id), 0);
}

/*
 * Pinged it lives beyond its time.  By one ping, for longer than any machine
 * stands still: nobody is late then.
 */
TEST(watchdog, ping_puts_it_off)
{
    unsigned int id;

    REQUIRE(watchdog_start(2, &id) == 0);
    EXPECT_EQ(watchdog_ping(id, 1000), 0);
    thread_sleep(3 * NSEC_PER_SEC);
    EXPECT_EQ(watchdog_stop(id), 0);
}

FATAL(watchdog, runs_out)
{
    unsigned int id;

    REQUIRE(watchdog_start(1, &id) == 0);
    thread_sleep(60 * NSEC_PER_SEC);
    EXPECT(false);
}

static void expect_advertised(struct test_run *run_, struct xs_connection *xs,
                              const char *path, const char *want)
{
    char *value = NULL;

    EXPECT_EQ(xs_read(xs, XS_NO_TX, path, &value, NULL), 0);
    EXPECT(value != NULL && strcmp(value, want) == 0);
    free(value);
}

/* libxl 4.17 has no nodes for halt and sysrq, and lets nobody make them. */
TEST(control, what_is_done_is_advertised)
{
    struct xs_connection *xs;

    if (is_dom0())
        SKIP("dom0 is nobody's to control");
    REQUIRE(control_settled(ktime_ns()) == 0);
    REQUIRE(xenstore(&xs) == 0);
    expect_advertised(run_, xs, "control/feature-poweroff", "1");
    expect_advertised(run_, xs, "control/feature-reboot", "1");
    expect_advertised(run_, xs, "control/feature-suspend", "0");
}

TEST(control, dom0_has_nobody)
{
    if (!is_dom0())
        SKIP("for dom0");
    EXPECT_EQ(control_settled(ktime_ns()), -ENODEV);
}

/* Everything small that can be had. */
static void **take_all_memory(void)
{
    void **taken = NULL, **p;

    for (size_t size = 4096; size >= sizeof(*p); size /= 2) {
        while ((p = malloc(size)) != NULL) {
            *p = taken;
            taken = p;
        }
    }
    return taken;
}

static void free_all_memory(void **taken)
{
    while (taken != NULL) {
        void **next = *taken;

        free(taken);
        taken = next;
    }
}

/* A read in a transaction has no memory, and the transaction is over all the same. */
static int read_domid(struct xs_connection *xs, xs_tx_t tx, void *arg __unused)
{
    char *value;
    const int rc = xs_read(xs, tx, "domid", &value, NULL);

    if (rc == 0)
        free(value);
    return rc;
}

TEST(control, transactions_end_without_memory)
{
    struct xs_connection *xs;
    unsigned int failed = 0;
    void **taken;

    if (is_dom0())
        SKIP("dom0 has no xenstore");
    REQUIRE(xenstore(&xs) == 0);
    (void)heap_trim();
    taken = take_all_memory();
    for (unsigned int i = 0; i < 20; i++)
        failed += xs_transaction(xs, read_domid, NULL) == -ENOMEM;
    free_all_memory(taken);
    (void)heap_trim();
    EXPECT_EQ(failed, 20);
    EXPECT_EQ(xs_transaction(xs, read_domid, NULL), 0);
}

/* Has the log a line with @text, from @at on? */
static bool is_logged(uint64_t at, const char *text)
{
    static char log[4096];

    log[printk_log_read(&at, log, sizeof(log) - 1)] = '\0';
    return strstr(log, text) != NULL;
}

/* An event that there was no memory for is seen to when there is some again. */
TEST(control, outlives_a_lack_of_memory)
{
    const uint64_t deadline = ktime_ns() + 120 * NSEC_PER_SEC;
    const uint64_t log = printk_log.end;
    struct xs_connection *xs;
    void **taken;

    if (is_dom0())
        SKIP("dom0 is nobody's to control");
    REQUIRE(xenstore(&xs) == 0);
    (void)heap_trim();
    taken = take_all_memory();
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, "control/shutdown", "hop"), 0);
    thread_sleep(NSEC_PER_SEC);
    free_all_memory(taken);
    while (!is_logged(log, "\"hop\" is asked for") && ktime_ns() < deadline)
        thread_sleep(10 * NSEC_PER_MSEC);
    EXPECT(is_logged(log, "\"hop\" is asked for"));
    (void)heap_trim();
}

/*
 * Guests that live until they are told to end, or for half an hour, and say what
 * becomes of their memory.
 */
#define LIFE_NS (1800 * NSEC_PER_SEC)

/* dom0 says so by a node. */
static bool dom0_is_ready(void)
{
    struct xs_connection *xs;
    char *value;

    if (xenstore(&xs) != 0 ||
        xs_read(xs, XS_NO_TX, "data/ready", &value, NULL) != 0)
        return false;
    free(value);
    return true;
}

static bool never(void)
{
    return false;
}

static bool live_until(bool (*told)(void))
{
    const uint64_t end = ktime_ns() + LIFE_NS;
    uint64_t had = balloon_current();
    bool over;

    say("# living\n");
    while (!(over = told()) && ktime_ns() < end) {
        const uint64_t has = balloon_current();

        if (has != had)
            say("# %lu pages\n", has);
        had = has;
        thread_sleep(50 * NSEC_PER_MSEC);
    }
    return over;
}

static void hook(unsigned int reason, void *arg)
{
    say("# hook: reason %u, %s\n", reason, (const char *)arg);
}

static void endless_hook(unsigned int reason __unused, void *arg __unused)
{
    say("# a hook without end\n");
    thread_sleep_until(KTIME_NEVER);
}

FATAL(life, wait)
{
    static char word[] = "well done";

    shutdown_set_hook(hook, word);
    EXPECT(live_until(never));
}

FATAL(life, wait_with_endless_hook)
{
    shutdown_set_hook(endless_hook, NULL);
    EXPECT(live_until(never));
}

/* What it has is the same at the end, however often that changed meanwhile. */
FATAL(life, memory_comes_and_goes)
{
    const uint64_t all = balloon_current();
    struct page_stats pages, now;
    uint64_t objects;
    char why[120] = "";

    /* Some is taken for good when memory is first mapped, or goes. */
    EXPECT_EQ(balloon_set(1), -ENOMEM);
    EXPECT_EQ(balloon_set(all), 0);
    (void)page_reclaim();
    pages = page_stats();
    objects = heap_stats().objects;

    EXPECT(live_until(dom0_is_ready));
    (void)page_reclaim();
    now = page_stats();
    EXPECT_EQ(balloon_current(), all);
    EXPECT_EQ(now.total, pages.total);
    EXPECT_EQ(now.free, pages.free);
    EXPECT_EQ(now.overhead, pages.overhead);
    EXPECT_EQ(heap_stats().objects, objects);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

/* dom0 has made a folder of 300 long names, and a value of 4000 bytes. */
FATAL(life, read_what_dom0_wrote)
{
    struct xs_connection *xs;
    const char *name = NULL;
    char *value = NULL;
    struct xs_list list;
    size_t len = 0;
    unsigned int n = 0;

    REQUIRE(xenstore(&xs) == 0);
    REQUIRE(live_until(dom0_is_ready));

    REQUIRE(xs_directory(xs, XS_NO_TX, "data/large", &list) == 0);
    say("# %u names, %lu bytes\n", list.nr, list.len);
    EXPECT_EQ(list.nr, 300);
    EXPECT(list.len > XENSTORE_PAYLOAD_MAX);
    while ((name = xs_list_next(&list, name)) != NULL)
        n += strncmp(name, "a-name-of-some-length-", 22) == 0;
    EXPECT_EQ(n, 300);
    free(list.text);

    value = NULL;
    REQUIRE(xs_read(xs, XS_NO_TX, "data/value", &value, &len) == 0);
    EXPECT_EQ(len, 4000);
    for (size_t i = 0; i < len; i++)
        n += value[i] == 'v';
    EXPECT_EQ(n, 300 + 4000);
    free(value);
}

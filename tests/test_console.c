/* SPDX-License-Identifier: MIT */
#include <plinth/console.h>
#include <plinth/errno.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/upcall.h>
#include <plinth/watch.h>
#include <plinth/xenstore.h>

/*
 * Write until a writer has found the ring full.  The other end may empty it as
 * fast as we write for a while.
 */
static bool found_it_full(uint64_t waits)
{
    for (unsigned int i = 0; i < 1000 && console_stats().waits == waits; i++)
        say("# more .....................................................\n");
    return console_stats().waits > waits;
}

/*
 * Five times what the ring holds, in lines that say their number: whoever
 * reads the console can see that none is missing (tests/console.t does).
 */
static void flood(void)
{
    static const char filler[] =
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (unsigned int i = 0; i < 128; i++)
        say("# flood %03u %s\n", i, filler);
}

TEST(console, more_than_the_ring_holds)
{
    const struct console_stats before = console_stats();

    flood();
    EXPECT_EQ(console_stats().lost, before.lost);
    EXPECT(console_stats().written - before.written > 5 * 2048 - 1024);
    if (!is_dom0())
        EXPECT(found_it_full(before.waits));
}

/*
 * Nobody reads, until dom0 has learnt from xenstore how far this is
 * (tests/console.sh): the ring is full, or the writer has given up.
 */
static int tell(const char *what)
{
    struct xs_connection *xs;
    int rc = xenstore(&xs);

    return rc != 0 ? rc : xs_write_string(xs, XS_NO_TX, "data/console", what);
}

static int tell_when_full(void *waits)
{
    while (console_stats().waits == *(uint64_t *)waits)
        thread_sleep(NSEC_PER_MSEC);
    return tell("full");
}

FATAL(console, nobody_reads_for_a_while)
{
    const struct console_stats before = console_stats();
    uint64_t waits = before.waits;
    struct thread *teller;
    int rc = -1;

    REQUIRE(thread_create("teller", tell_when_full, &waits, NULL, &teller) ==
            0);
    flood();
    EXPECT_EQ(thread_join(teller, ktime_ns() + 120 * NSEC_PER_SEC, &rc), 0);
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(console_stats().lost, before.lost);
}

FATAL(console, nobody_reads_for_long)
{
    const uint64_t give_up = ktime_ns() + 120 * NSEC_PER_SEC;
    const struct console_stats before = console_stats();

    flood();
    EXPECT(console_stats().lost > before.lost);
    EXPECT_EQ(tell("lost"), 0);
    while (console_drain() != 0 && ktime_ns() < give_up)
        continue;
    EXPECT_EQ(console_drain(), 0);
}

TEST(console, drains)
{
    say("# draining\n");
    EXPECT_EQ(console_drain(), 0);
}

/*
 * Input: a ring whose other end is the test.
 */
static struct xencons_interface fake;

static struct console_input fake_input(uint32_t start)
{
    memset(&fake, 0, sizeof(fake));
    fake.in_cons = fake.in_prod = start;
    return (struct console_input){ .ring = &fake, .cons = start };
}

static void type(const char *text)
{
    for (; *text != '\0'; text++)
        fake.in[fake.in_prod++ % sizeof(fake.in)] = *text;
}

/* Round the end of the ring, and of the index. */
TEST(console, input_arrives_in_order)
{
    struct console_input in = fake_input(0xfffffffd);
    char buf[16] = "";

    EXPECT_EQ(console_input_take(&in, buf, sizeof(buf)), 0);
    type("abcdef");
    EXPECT_EQ(console_input_take(&in, buf, 4), 4);
    EXPECT_EQ(fake.in_cons, 1);
    EXPECT(memcmp(buf, "abcd", 4) == 0);
    EXPECT_EQ(console_input_take(&in, buf, sizeof(buf)), 2);
    EXPECT(memcmp(buf, "ef", 2) == 0);
    EXPECT_EQ(fake.in_cons, fake.in_prod);
    EXPECT_EQ(in.nonsense, 0);
}

TEST(console, full_input_ring_wants_an_event)
{
    struct console_input in = fake_input(7);
    static char buf[sizeof(fake.in)];

    for (unsigned int i = 0; i < sizeof(fake.in) - 1; i++)
        type("x");
    EXPECT_EQ(console_input_take(&in, buf, 1), 1);
    EXPECT(!in.was_full);
    type("yz");
    EXPECT_EQ(console_input_take(&in, buf, sizeof(buf)), sizeof(buf));
    EXPECT(in.was_full);
    EXPECT(memcmp(buf + sizeof(buf) - 3, "xyz", 3) == 0);
    EXPECT_EQ(console_input_take(&in, buf, 1), 0);
    EXPECT(!in.was_full);
}

/* Whatever the indices say: no more than the ring is copied, and it goes on. */
TEST(console, input_indices_are_not_believed)
{
    struct console_input in = fake_input(0);
    static char buf[sizeof(fake.in) + 8];
    uint64_t nonsense;

    fake.in_prod = sizeof(fake.in) + 1;
    EXPECT_EQ(console_input_take(&in, buf, sizeof(buf)), 0);
    EXPECT_EQ(in.nonsense, 1);
    type("ok");
    EXPECT_EQ(console_input_take(&in, buf, sizeof(buf)), 2);

    fake.in_cons -= 1000; /* not theirs to change */
    type("still");
    EXPECT_EQ(console_input_take(&in, buf, sizeof(buf)), 5);
    EXPECT_EQ(fake.in_cons, fake.in_prod);

    fake.in_prod--; /* going back is 4 GiB too far */
    EXPECT_EQ(console_input_take(&in, buf, sizeof(buf)), 0);
    EXPECT_EQ(in.nonsense, 2);

    for (unsigned int i = 0; i < 10000; i++) {
        fake.in_prod = test_random() >> (test_random() % 32);
        fake.in_cons = test_random();
        memset(buf, '#', sizeof(buf));
        REQUIRE(console_input_take(&in, buf, sizeof(fake.in)) <=
                sizeof(fake.in));
        REQUIRE(buf[sizeof(fake.in)] == '#');
    }
    nonsense = in.nonsense;
    EXPECT(nonsense > 100);
}

/* Nobody types here; so a reader sleeps until its deadline, and others run. */
static volatile uint64_t others_ran;

static int count_turns(void *arg)
{
    const bool *stop = arg;

    while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
        others_ran++;
        thread_sleep(NSEC_PER_MSEC);
    }
    return 0;
}

TEST(console, reading_ends_at_the_deadline)
{
    const uint64_t give_up = ktime_ns() + 120 * NSEC_PER_SEC;
    struct thread *other;
    bool stop = false;
    char c;

    others_ran = 0;
    REQUIRE(thread_create("other", count_turns, &stop, NULL, &other) == 0);
    do {
        const uint64_t deadline = ktime_ns() + 50 * NSEC_PER_MSEC;

        EXPECT_EQ(console_read(&c, 1, deadline), -ETIMEDOUT);
        EXPECT(ktime_ns() >= deadline);
    } while (others_ran <= 1 && ktime_ns() < give_up);
    EXPECT(others_ran > 1);
    EXPECT_EQ(console_read(&c, 1, 0), -ETIMEDOUT);
    EXPECT_EQ(console_read(&c, 0, KTIME_NEVER), -EINVAL);
    stop = true;
    EXPECT_EQ(thread_join(other, KTIME_NEVER, NULL), 0);
}

/* A thread that waits for room does not stop the others.. */
TEST(console, others_run_while_a_writer_waits)
{
    struct thread *other;
    bool stop = false;

    if (is_dom0())
        SKIP("dom0's console has no ring");
    others_ran = 0;
    REQUIRE(thread_create("other", count_turns, &stop, NULL, &other) == 0);
    for (unsigned int i = 0; i < 64 || (i < 1000 && others_ran <= 1); i++)
        say("# others run %02u ............................................\n",
            i);
    EXPECT(others_ran > 1);
    stop = true;
    EXPECT_EQ(thread_join(other, KTIME_NEVER, NULL), 0);
}

/* ..and where no thread may wait, the vCPU does. */
TEST(console, writes_with_events_masked)
{
    const struct console_stats before = console_stats();
    const bool masked = upcall_mask();

    for (unsigned int i = 0; i < 64; i++)
        say("# masked %02u ...............................................\n",
            i);
    if (!is_dom0())
        EXPECT(found_it_full(before.waits));
    upcall_restore(masked);
    EXPECT_EQ(console_stats().lost, before.lost);
}

/* A trap's handler that prints may have interrupted a write of the same thread. */
static unsigned int interruptions;

static void print_once(const struct watch_hit *hit __unused, void *arg __unused)
{
    if (interruptions++ == 0)
        say("# in between\n");
}

TEST(console, writes_within_a_write)
{
    int slot;

    if (is_dom0())
        SKIP("dom0's console has no ring");
    interruptions = 0;
    slot = watch_set(ptr_to_vaddr((void *)(uintptr_t)mutex_unlock), 1,
                     WATCH_EXECUTE, print_once, NULL);
    REQUIRE(slot >= 0);
    say("# around it\n");
    EXPECT_EQ(watch_clear(slot), 0);
    EXPECT(interruptions > 0);
}

/* Lines of several threads, each longer than what fits, stay whole. */
static int write_lines(void *arg)
{
    for (unsigned int i = 0; i < 24; i++)
        say("# writer %s %02u %0150u end\n", (const char *)arg, i, i);
    return 0;
}

TEST(console, lines_of_threads_are_not_mixed)
{
    static char names[2][2] = { "a", "b" };
    struct thread *threads[2];

    for (unsigned int i = 0; i < 2; i++)
        REQUIRE(thread_create("writer", write_lines, names[i], NULL,
                              &threads[i]) == 0);
    for (unsigned int i = 0; i < 2; i++)
        EXPECT_EQ(thread_join(threads[i], KTIME_NEVER, NULL), 0);
}

/*
 * The kernel's log, as a sink sees it.
 */
static char captured[512];
static size_t captured_len, captured_writes;

static void capture(const char *text, size_t len)
{
    const size_t n = MIN(len, sizeof(captured) - 1 - captured_len);

    memcpy(captured + captured_len, text, n);
    captured_len += n;
    captured[captured_len] = '\0';
    captured_writes++;
}

static printk_sink_t *capture_start(void)
{
    captured_len = captured_writes = 0;
    captured[0] = '\0';
    return printk_set_sink(capture);
}

TEST(printk, line_has_a_timestamp_and_is_one_write)
{
    printk_sink_t *old = capture_start();

    pr_warn("answer %d", 42);
    printk_set_sink(old);

    EXPECT_EQ(captured_writes, 1);
    EXPECT_EQ(captured[0], '[');
    EXPECT_EQ(captured[6], '.');
    EXPECT_STR(strchr(captured, ']'), "] warning: answer 42\n");
}

TEST(printk, levels_above_the_chosen_one_are_dropped)
{
    enum log_level level = printk_set_level(LOG_ERR);
    printk_sink_t *old = capture_start();

    pr_warn("no");
    pr_info("no");
    pr_debug("no");
    EXPECT_EQ(captured_len, 0);
    pr_err("yes");
    EXPECT(strstr(captured, "error: yes") != NULL);
    pr_emerg("always");
    EXPECT(strstr(captured, "\nalways\n") != NULL);

    printk_set_sink(old);
    printk_set_level(level);
}

TEST(printk, long_line_arrives_whole)
{
    printk_sink_t *old = capture_start();

    say("%300s|", "x");
    printk_set_sink(old);

    EXPECT_EQ(captured_len, 301);
    EXPECT_EQ(captured[299], 'x');
    EXPECT_EQ(captured[300], '|');
}

/*
 * The log, as it is kept.
 */

/* The last bytes of the log, terminated. */
static const char *log_tail(void)
{
    uint64_t at = printk_log.end - MIN(printk_log.end, 200ul);

    captured[printk_log_read(&at, captured, sizeof(captured) - 1)] = '\0';
    return captured;
}

TEST(printk, log_keeps_lines_that_are_not_shown)
{
    enum log_level level = printk_set_level(LOG_ERR);
    printk_sink_t *old = capture_start();

    pr_debug("kept but not shown");
    printk_set_sink(old);
    printk_set_level(level);
    EXPECT_EQ(captured_len, 0);
    EXPECT(strstr(log_tail(), "] debug: kept but not shown\n") != NULL);

    say("# said, but no log\n");
    EXPECT(strstr(log_tail(), "said, but no log") == NULL);
}

TEST(printk, log_forgets_the_oldest_lines)
{
    enum log_level level = printk_set_level(LOG_ERR);
    uint64_t at = 0, bytes = 0;
    size_t n;

    for (unsigned int i = 0; i < 1000; i++)
        pr_debug("log line %03u", i);
    printk_set_level(level);

    /* The first one that is left is whole. */
    n = printk_log_read(&at, captured, 100);
    EXPECT_EQ(n, 100);
    captured[n] = '\0';
    EXPECT_EQ(captured[0], '[');
    EXPECT(strstr(captured, "] debug: log line ") != NULL);
    for (bytes = n; n > 0; bytes += n)
        n = printk_log_read(&at, captured, sizeof(captured) - 1);
    EXPECT(bytes <= PRINTK_LOG_SIZE && bytes > PRINTK_LOG_SIZE - 100);
    EXPECT_EQ(at, printk_log.end);
    EXPECT(strstr(log_tail(), "log line 999\n") != NULL);
}

/* SPDX-License-Identifier: MIT */
#include <plinth/console.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>

/*
 * Five times what the ring holds, in lines that say their number: whoever
 * reads the console can see that none is missing (tests/guest.t does).
 */
TEST(console, more_than_the_ring_holds)
{
    static const char filler[] =
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const struct console_stats before = console_stats();

    for (unsigned int i = 0; i < 128; i++)
        say("# flood %03u %s\n", i, filler);
    EXPECT_EQ(console_stats().lost, before.lost);
    EXPECT(console_stats().written - before.written > 5 * 2048 - 1024);
    if (!is_dom0())
        EXPECT(console_stats().waits > before.waits);
}

TEST(console, drains)
{
    say("# draining\n");
    EXPECT_EQ(console_drain(), 0);
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

/* SPDX-License-Identifier: MIT */
/* What the shell does with a line; tests/shell.t types some at a console. */
#include <plinth/errno.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/shell.h>
#include <plinth/string.h>
#include <plinth/test.h>

static int seen_argc;
static char seen[64]; /* the words, each in brackets */

static int probe(int argc, char *argv[])
{
    size_t len = 0;

    seen_argc = argc;
    for (int i = 0; i < argc; i++)
        len += scnprintf(seen + len, sizeof(seen) - len, "[%s]", argv[i]);
    if (argv[argc] != NULL)
        return -EINVAL;
    return argc == 2 && strcmp(argv[1], "wrong") == 0 ? SHELL_USAGE : -EBUSY;
}
SHELL_COMMAND(probe, "[WORD]...", "for the self-test", probe);

static char said[256];
static size_t said_len;

static void listen(const char *text, size_t len)
{
    const size_t n = MIN(len, sizeof(said) - 1 - said_len);

    memcpy(said + said_len, text, n);
    said_len += n;
    said[said_len] = '\0';
}

/* Run a line; what was printed is in @said. */
static int run(const char *text)
{
    char line[128];
    printk_sink_t *old;
    int rc;

    strlcpy(line, text, sizeof(line));
    said_len = 0;
    said[0] = seen[0] = '\0';
    seen_argc = 0;
    old = printk_set_sink(listen);
    rc = shell_run(line);
    printk_set_sink(old);
    return rc;
}

TEST(shell, a_command_gets_its_words)
{
    EXPECT_EQ(run("  probe a 'b  c' \"\" d\\ e"), -EBUSY);
    EXPECT_EQ(seen_argc, 5);
    EXPECT_STR(seen, "[probe][a][b  c][][d e]");
    EXPECT_STR(said, "");
}

TEST(shell, nothing_is_no_command)
{
    EXPECT_EQ(run(""), 0);
    EXPECT_EQ(run(" \t "), 0);
    EXPECT_STR(said, "");
}

TEST(shell, an_unknown_command_is_named_once)
{
    EXPECT_EQ(run("prob"), -ENOENT);
    EXPECT_STR(said, "prob: no such command; help lists them\n");
    EXPECT_EQ(run("'probe '"), -ENOENT);
    EXPECT_EQ(seen_argc, 0);
}

TEST(shell, a_bad_line_runs_nothing)
{
    EXPECT_EQ(run("probe 'a"), -EINVAL);
    EXPECT_STR(said, "a quote is not closed\n");
    EXPECT_EQ(run("probe 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), -EBUSY);
    EXPECT_EQ(seen_argc, 16);
    EXPECT_EQ(run("probe 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"), -EINVAL);
    EXPECT_STR(said, "a command has at most 16 words\n");
    EXPECT_EQ(seen_argc, 0);
}

TEST(shell, a_wrong_call_is_told_the_right_one)
{
    EXPECT_EQ(run("probe wrong"), -EINVAL);
    EXPECT_STR(said, "usage: probe [WORD]...\n");
    EXPECT_EQ(run("mem 1"), -EINVAL);
    EXPECT_STR(said, "usage: mem\n");
    EXPECT_EQ(run("exit now"), -EINVAL);
}

TEST(shell, help_tells_of_commands_of_others)
{
    EXPECT_EQ(run("help probe"), 0);
    EXPECT_STR(said, "usage: probe [WORD]...\nfor the self-test\n");
    EXPECT_EQ(run("help nothing"), -ENOENT);
}

TEST(shell, commands_that_look_succeed)
{
    static const char *const commands[] = { "mem",    "threads", "ports",
                                            "grants", "audit",   "time",
                                            "help" };

    for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
        EXPECT_EQ(run(commands[i]), 0);
        EXPECT(said_len > 10);
    }
    EXPECT_EQ(run("ptdump user"), -ENOENT);
}

/* SPDX-License-Identifier: MIT */
/* What the shell does with a line; tests/shell.t types some at a console. */
#include <plinth/errno.h>
#include <plinth/grant.h>
#include <plinth/kaddr.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/shell.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/xenstore.h>

#include "listen.h"

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

/* Something for `grants` to show, when tests/shell.t types. */
static int give(int argc __unused, char *argv[] __unused)
{
    grant_ref_t ref;

    return grant_access(0, kaddr_pfn(seen), true, &ref);
}
SHELL_COMMAND(give, "", "grant a page to dom0", give);

static const char *said;

/* Run a line; what was printed is in @said. */
static int run(const char *text)
{
    char line[128];
    int rc;

    strlcpy(line, text, sizeof(line));
    seen[0] = '\0';
    seen_argc = 0;
    listen_start();
    rc = shell_run(line);
    said = listen_end();
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
        EXPECT(strlen(said) > 10);
    }
    EXPECT_EQ(run("ptdump user"), -ENOENT);
}

/*
 * Xenstore.
 */
TEST(shell, xs_wants_to_be_told_what)
{
    EXPECT_EQ(run("xs"), -EINVAL);
    EXPECT_STR(said, "usage: xs ls [PATH] | read PATH\n");
    EXPECT_EQ(run("xs read"), -EINVAL);
    EXPECT_EQ(run("xs write a"), -EINVAL);
    EXPECT_EQ(run("xs ls a b"), -EINVAL);
}

TEST(shell, xs_says_when_there_is_no_xenstore)
{
    if (!is_dom0())
        SKIP("for dom0");
    EXPECT_EQ(run("xs ls /local"), -ENODEV);
    EXPECT_STR(said, "no xenstore: ENODEV\n");
    EXPECT_EQ(run("xs read domid"), -ENODEV);
}

#define ROOT "data/test"

TEST(shell, xs_lists_a_tree)
{
    static const char value[] = { 'a', '"', 0, '\n', '~', '\\' };
    struct xs_connection *xs;

    if (is_dom0())
        SKIP("dom0 has no xenstore");
    REQUIRE(xenstore(&xs) == 0);
    REQUIRE(xs_rm(xs, XS_NO_TX, ROOT) == 0);
    REQUIRE(xs_write_string(xs, XS_NO_TX, ROOT "/b/c/d", "deep") == 0);
    REQUIRE(xs_write_string(xs, XS_NO_TX, ROOT "/b/e", "") == 0);
    REQUIRE(xs_write(xs, XS_NO_TX, ROOT "/a", value, sizeof(value)) == 0);

    EXPECT_EQ(run("xs ls " ROOT), 0);
    /* In which order they come is xenstored's affair. */
    EXPECT(listen_has_line("a = \"a\\x22\\x00\\x0a~\\x5c\""));
    EXPECT(listen_has_line("b = \"\""));
    EXPECT(listen_has_line(" e = \"\""));
    EXPECT(strstr(said, "\n c = \"\"\n  d = \"deep\"\n") != NULL);
    EXPECT_EQ(strlen(said), 61);
    EXPECT_EQ(run("xs read " ROOT "/b/c/d"), 0);
    EXPECT_STR(said, "deep\n");
    EXPECT_EQ(run("xs ls " ROOT "/a"), 0);
    EXPECT_STR(said, "");
    EXPECT_EQ(run("xs ls"), 0);
    EXPECT(listen_has_line("   d = \"deep\"") ||
           listen_has_line("    d = \"deep\""));

    EXPECT_EQ(run("xs ls " ROOT "/nothing"), -ENOENT);
    EXPECT_STR(said, ROOT "/nothing: ENOENT\n");
    EXPECT_EQ(run("xs read /local/domain/0/name"), -EACCES);
    EXPECT_STR(said, "/local/domain/0/name: EACCES\n");
    EXPECT_EQ(run("xs ls a//b"), -EINVAL);

    EXPECT_EQ(xs_rm(xs, XS_NO_TX, ROOT), 0);
}

/* Deeper than a stack could follow, and values longer than a line's buffer. */
TEST(shell, xs_lists_deep_trees_and_long_values)
{
    static char path[800], value[700];
    size_t len = scnprintf(path, sizeof(path), ROOT);
    struct xs_connection *xs;

    if (is_dom0())
        SKIP("dom0 has no xenstore");
    REQUIRE(xenstore(&xs) == 0);
    REQUIRE(xs_rm(xs, XS_NO_TX, ROOT) == 0);
    for (unsigned int i = 0; i < 100; i++)
        len += scnprintf(path + len, sizeof(path) - len, "/n");
    memset(value, 'v', sizeof(value));
    REQUIRE(xs_write(xs, XS_NO_TX, path, value, sizeof(value)) == 0);

    EXPECT_EQ(run("xs ls " ROOT), 0);
    said = strstr(said, "\"vvv");
    REQUIRE(said != NULL);
    EXPECT_EQ(memcmp(said + 1, value, sizeof(value)), 0);
    EXPECT_STR(said + 1 + sizeof(value), "\"\n");
    EXPECT_EQ(xs_rm(xs, XS_NO_TX, ROOT), 0);
}

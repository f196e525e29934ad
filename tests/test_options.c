/* SPDX-License-Identifier: MIT */
#include <plinth/options.h>
#include <plinth/printk.h>
#include <plinth/string.h>
#include <plinth/test.h>

static struct options o;
static char storage[256];
static char said[512];

static void listen(const char *text, size_t len)
{
    const size_t at = strlen(said);
    const size_t n = MIN(len, sizeof(said) - 1 - at);

    memcpy(said + at, text, n);
    said[at + n] = '\0';
}

/* Parse @line; its warnings go to `said`. */
static void parse(const char *line)
{
    printk_sink_t *old;

    said[0] = '\0';
    old = printk_set_sink(listen);
    options_parse_line(line, &o, storage, sizeof(storage));
    printk_set_sink(old);
}

TEST(options, defaults)
{
    parse("");
    EXPECT_EQ(o.argc, 1);
    EXPECT_STR(o.argv[0], "plinth");
    EXPECT(o.argv[1] == NULL);
    EXPECT_EQ(o.log_level, LOG_INFO);
    EXPECT(o.report);
    EXPECT(!o.exit_qemu);
    EXPECT(!o.walk_selfmap);
    EXPECT_EQ(o.warnings, 0);
    EXPECT_STR(said, "");
}

TEST(options, ours_and_the_applications)
{
    parse("one plinth.loglevel=debug two=2 plinth.report=off "
          "plinth.exit=qemu plinth.audit=100 plinth.walk=selfmap "
          "plinth.grant=v2 three");
    EXPECT_EQ(o.argc, 4);
    EXPECT_STR(o.argv[1], "one");
    EXPECT_STR(o.argv[2], "two=2");
    EXPECT_STR(o.argv[3], "three");
    EXPECT(o.argv[4] == NULL);
    EXPECT_EQ(o.log_level, LOG_DEBUG);
    EXPECT(!o.report);
    EXPECT(o.exit_qemu);
    EXPECT_EQ(o.audit, 100);
    EXPECT(o.walk_selfmap);
    EXPECT_EQ(o.grant_version, 2);
    EXPECT_EQ(o.warnings, 0);
}

TEST(options, quotes)
{
    parse("a=\"b c\" 'd  e' f\\ g \"\"");
    REQUIRE(o.argc == 5);
    EXPECT_STR(o.argv[1], "a=b c");
    EXPECT_STR(o.argv[2], "d  e");
    EXPECT_STR(o.argv[3], "f g");
    EXPECT_STR(o.argv[4], "");
}

TEST(options, unknown_one_is_named_once)
{
    parse("plinth.nonsense=7");
    EXPECT_EQ(o.warnings, 1);
    EXPECT_EQ(o.argc, 1);
    EXPECT(strstr(said, "plinth.nonsense=7 is not known\n") != NULL);
    EXPECT(strchr(said, '\n') == said + strlen(said) - 1);
}

TEST(options, bad_value_is_named)
{
    parse("plinth.loglevel=loud");
    EXPECT_EQ(o.warnings, 1);
    EXPECT_EQ(o.log_level, LOG_INFO);
    EXPECT(strstr(said, "\"loud\" is not a value it takes") != NULL);

    parse("plinth.report=maybe plinth.exit=bochs plinth.loglevel "
          "plinth.audit=often plinth.grant=v3");
    EXPECT_EQ(o.warnings, 5);
    EXPECT_EQ(o.grant_version, 0);
    EXPECT_EQ(o.audit, 0);
    EXPECT(o.report);
    EXPECT(!o.exit_qemu);
}

TEST(options, unclosed_quote_ignores_the_line)
{
    parse("one 'two");
    EXPECT_EQ(o.warnings, 1);
    EXPECT_EQ(o.argc, 1);
    EXPECT(strstr(said, "a quote is not closed") != NULL);
}

TEST(options, prefix_alone_is_unknown)
{
    parse("plinth. plinth");
    EXPECT_EQ(o.warnings, 1);
    EXPECT_EQ(o.argc, 2);
    EXPECT_STR(o.argv[1], "plinth");
}

TEST(options, more_words_than_fit)
{
    char line[2 * OPTIONS_MAX_ARGS + 9];

    for (size_t i = 0; i < sizeof(line) - 1; i++)
        line[i] = i % 2 ? ' ' : 'w';
    line[sizeof(line) - 1] = '\0';
    parse(line);
    EXPECT_EQ(o.warnings, 1);
    EXPECT_EQ(o.argc, 1);
    EXPECT(strstr(said, "too many words") != NULL);
}

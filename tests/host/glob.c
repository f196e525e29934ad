/* SPDX-License-Identifier: MIT */
/* glob: against a second matcher, against libc's fnmatch, and by example. */
#include <fnmatch.h>
#include <string.h>

#include "ref_glob.h"
#include "tap.h"

#include <plinth/glob.h>

#define ROUNDS 100000

/* Exact-size copies, so that reading on behind the end is seen. */
static char *some_text(unsigned int most, const char *set)
{
    const size_t len = rnd_below(most + 1);
    char *s = malloc(len + 1);

    rnd_text(s, len, set);
    return s;
}

static void like_reference(void)
{
    unsigned int matched = 0;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        char *const p = some_text(10, "aabbc**?[[]]!-\\,\xff");
        char *const t = some_text(8, "aabbcc-]!\\\xff");
        const bool want = ref_match(p, strlen(p), t);

        matched += want;
        CHECK(glob_match(p, t) == want, "pattern %s, text %s, want %d", p, t,
              want);
        free(p);
        free(t);
    }

    CHECK(matched > ROUNDS / 100, "only %u samples match", matched);
}

/* Simple patterns match often, which the mixture above does not. */
static void stars(void)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        char *const p = some_text(10, "ab**?");
        char *const t = some_text(12, "ab");

        CHECK(glob_match(p, t) == (fnmatch(p, t, 0) == 0),
              "pattern %s, text %s", p, t);
        free(p);
        free(t);
    }
}

/* Only closed brackets: POSIX leaves open what the others mean. */
static void brackets(void)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        char inner[8], p[16], t[3];

        rnd_text(inner, 1 + rnd_below(6), "abcd--]!");
        snprintf(p, sizeof(p), "[%s]%s", inner, rnd_below(3) ? "" : "x");
        rnd_text(t, 1 + rnd_below(2), "abcdx-]!");

        CHECK(glob_match(p, t) == ref_match(p, strlen(p), t), "%s, %s", p, t);
        CHECK(glob_match(p, t) == (fnmatch(p, t, 0) == 0), "fnmatch %s, %s", p,
              t);
    }
}

static void lists(void)
{
    unsigned int matched = 0;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        char *const p = some_text(12, "aabb,,*?[]\\");
        char *const t = some_text(4, "aabb,");
        const bool want = ref_list_match(p, t);

        matched += want;
        CHECK(glob_list_match(p, t) == want, "list %s, text %s, want %d", p, t,
              want);
        free(p);
        free(t);
    }

    CHECK(matched > ROUNDS / 100, "only %u samples match", matched);
}

static void examples(void)
{
    static const struct {
        const char *pattern, *text;
        bool want;
    } t[] = {
        { "", "", true },
        { "", "a", false },
        { "*", "", true },
        { "mmu.*", "mmu.map", true },
        { "mmu.*", "mmu", false },
        { "*.map", "mmu.map", true },
        { "*a*b*", "xxaxxbxx", true },
        { "*a*b*", "xxbxxaxx", false },
        { "*aab", "aaaab", true },
        { "?", "", false },
        { "?", "\xff", true },
        { "[a-c]x", "bx", true },
        { "[a-c]x", "dx", false },
        { "[!a-c]x", "dx", true },
        { "[!a-c]x", "ax", false },
        { "[!a]", "", false },
        { "[c-a]", "b", false },
        { "[]]", "]", true },
        { "[!]]", "]", false },
        { "[!]]", "a", true },
        { "[-a]", "-", true },
        { "[a-]", "-", true },
        { "[\\]a]", "]", true },
        { "[a\\-z]", "b", false },
        { "[a\\-z]", "-", true },
        { "[\\!a]", "!", true },
        { "[\xfe-\xff]", "\xff", true },
        { "[abc", "[abc", true },
        { "[abc", "a", false },
        { "[]", "[]", true },
        { "[!]", "[!]", true },
        { "[a-", "[a-", true },
        { "[", "[", true },
        { "*[", "x[", true },
        { "[a\\", "[a\\", true },
        { "\\*", "*", true },
        { "\\*", "a", false },
        { "\\\\", "\\", true },
        { "\\", "\\", true },
        { "\\[a]", "[a]", true },
        { "a\\", "a\\", true },
    };

    for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        CHECK(glob_match(t[i].pattern, t[i].text) == t[i].want,
              "pattern %s, text %s", t[i].pattern, t[i].text);
}

static void list_examples(void)
{
    CHECK(glob_list_match("a,b", "b"), "second");
    CHECK(!glob_list_match("a,b", "a,b"), "a comma separates");
    CHECK(glob_list_match("a\\,b", "a,b"), "an escaped one does not");
    CHECK(glob_list_match("mmu.*,p2m.*", "p2m.x"), "with a star");
    CHECK(!glob_list_match("a,", "b"), "trailing");
    CHECK(glob_list_match("a,", ""), "empty last pattern");
    CHECK(glob_list_match("", ""), "empty list");
    CHECK(!glob_list_match("", "a"), "empty list matches only nothing");
    CHECK(glob_list_match("[a,b]", "[a"), "a comma ends a bracket too");
    CHECK(glob_list_match("a,\\", "\\"), "backslash at the end");
}

static void long_input(void)
{
    static char p[4001], t[20001];

    /* Enough stars that trying each against each would never end. */
    for (size_t i = 0; i + 1 < sizeof(p); i += 2) {
        p[i] = '*';
        p[i + 1] = 'a';
    }
    memset(t, 'a', sizeof(t) - 1);

    CHECK(glob_match(p, t), "matches");
    t[sizeof(t) - 2] = 'b';
    CHECK(!glob_match(p, t), "does not match");
}

TAP_MAIN({ "like the reference", like_reference },
         { "stars like fnmatch", stars }, { "brackets", brackets },
         { "lists", lists }, { "examples", examples },
         { "list examples", list_examples }, { "long input", long_input })

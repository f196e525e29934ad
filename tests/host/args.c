/* SPDX-License-Identifier: MIT */
/* args: against a second splitter, and by example. */
#include <string.h>

#include "ref_args.h"
#include "tap.h"

#include <plinth/args.h>
#include <plinth/errno.h>

#define ROUNDS 100000
#define LENGTH 24
#define MANY   (LENGTH + 2)

static void like_reference(void)
{
    unsigned int good = 0;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        const size_t len = rnd_below(LENGTH + 1);
        const int max = rnd_below(4) ? MANY : (int)rnd_below(8);
        char **const argv = malloc((size_t)max * sizeof(char *));
        char *const line = malloc(len + 1);
        char shown[LENGTH + 1];
        struct ref_args ref;
        const char *word = ref.text;
        int argc;

        rnd_text(line, len, "aab=   \t\"\"''\\");
        strcpy(shown, line);
        ref_args_split(line, &ref);

        argc = args_split(line, argv, max);
        CHECK(strnlen(line, len + 1) <= len, "not terminated: %s", shown);

        if (argc == -E2BIG) {
            /* Words up to the one too many; the rest may be malformed. */
            CHECK(max < 1 || ref.words + (ref.status < 0) >= max,
                  "%s fits into %d", shown, max);
        } else if (argc == -EINVAL) {
            CHECK(ref.status < 0, "%s is fine", shown);
        } else {
            good++;
            CHECK(ref.status == 0 && argc == ref.words && argc < max,
                  "%s: %d words, want %d", shown, argc, ref.words);
            CHECK(argv[argc] == NULL, "%s: no NULL", shown);
            for (int k = 0; k < argc && k < ref.words; k++) {
                CHECK(strcmp(argv[k], word) == 0, "%s: word %d is %s, want %s",
                      shown, k, argv[k], word);
                word += strlen(word) + 1;
            }
        }

        free(line);
        free(argv);
    }

    CHECK(good > ROUNDS / 10, "only %u samples are lines", good);
}

struct example {
    const char *line;
    int argc;
    const char *argv[6];
};

static void examples(void)
{
    static const struct example t[] = {
        { "", 0, { NULL } },
        { " \t\r\n ", 0, { NULL } },
        { "a", 1, { "a" } },
        { "  a   b\t", 2, { "a", "b" } },
        { "tests=* seed=7", 2, { "tests=*", "seed=7" } },
        { "a=\"b c\"", 1, { "a=b c" } },
        { "a='b \"c'd e", 2, { "a=b \"cd", "e" } },
        { "\"\"", 1, { "" } },
        { "'' \"\" x", 3, { "", "", "x" } },
        { "\"\"a''", 1, { "a" } },
        { "\"\\\"\\\\\\n\"", 1, { "\"\\\\n" } },
        { "'\\'", 1, { "\\" } },
        { "a\\ b \\\"c", 2, { "a b", "\"c" } },
        { "\\\\ \\a", 2, { "\\", "a" } },
        { "a\\", 1, { "a\\" } },
        { "\\", 1, { "\\" } },
        { "'a", -EINVAL, { NULL } },
        { "a \"b\\\"", -EINVAL, { NULL } },
        { "\"", -EINVAL, { NULL } },
        { "1 2 3 4 5", 5, { "1", "2", "3", "4", "5" } },
        { "1 2 3 4 5 6", -E2BIG, { NULL } },
    };

    for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char line[64], *argv[6];
        int argc;

        strcpy(line, t[i].line);
        argc = args_split(line, argv, 6);
        CHECK(argc == t[i].argc, "%s: %d, want %d", t[i].line, argc, t[i].argc);
        for (int k = 0; k < argc && argc == t[i].argc; k++)
            CHECK(strcmp(argv[k], t[i].argv[k]) == 0, "%s: %s, want %s",
                  t[i].line, argv[k], t[i].argv[k]);
    }
}

static void tight(void)
{
    char line[] = "a b", blank[] = " ", *argv[1] = { line };

    CHECK(args_split(line, argv, 0) == -E2BIG, "no room for NULL");
    CHECK(args_split(line, argv, -1) == -E2BIG, "negative");
    CHECK(args_split(line, argv, 1) == -E2BIG, "room for NULL only");
    CHECK(args_split(blank, argv, 1) == 0 && argv[0] == NULL, "no words");
}

TAP_MAIN({ "like the reference", like_reference }, { "examples", examples },
         { "little room", tight })

/* SPDX-License-Identifier: MIT */
/* lineedit: against a second editor and a terminal, and by example. */
#include <string.h>

#include "ref_lineedit.h"
#include "tap.h"

#define BYTES 400000

static struct ref_lineedit ref;

static void begin(void)
{
    memset(&ref, 0, sizeof(ref));
    ref.edit = (struct lineedit){ .echo = ref_screen, .ctx = &ref };
    ref_start(&ref);
}

/* Mostly what somebody types; lines get full, too. */
static void random_keys(char *keys, unsigned int i)
{
    static const char *const known[] = {
        "\b",      "\x7f",      "\x17",   "\x15",     "\x1b[A",
        "\x1b[B",  "\x1b[C",    "\x1b[D", "\x1bOD",   "\r",
        "\r\n",    "\n",        "\x03",   "\x04",     "\x1b",
        "\x1b[3~", "\x1b[1;5C", "\t",     "\xc3\xa4", "\x1b[D\x1b[D\x1b[D",
    };
    const bool typing = i / 1000 % 2;

    if (rnd_below(typing ? 300 : 3) != 0)
        rnd_text(keys, 1, "abc de  fg");
    else
        strcpy(keys, known[rnd_below(sizeof(known) / sizeof(known[0]))]);
}

static void like_reference(void)
{
    unsigned int full = 0, lines = 0;

    begin();
    for (unsigned int i = 0; i < BYTES; i++) {
        char keys[16];

        random_keys(keys, i);
        for (const char *k = keys; *k != '\0'; k++) {
            const char *wrong = ref_wrong(&ref, *k);

            CHECK(wrong == NULL, "key %u, %#x: %s differs", i,
                  (unsigned char)*k, wrong);
        }
        full += ref.edit.len == LINEEDIT_MAX - 1;
        lines += ref.edit.len == 0;
    }
    CHECK(lines > 1000 && full > 100, "%u lines, %u times full", lines, full);
}

static void any_bytes(void)
{
    begin();
    for (unsigned int i = 0; i < BYTES; i++) {
        const char *wrong = ref_wrong(&ref, (char)rnd());

        CHECK(wrong == NULL, "byte %u: %s differs", i, wrong);
    }
}

/* Keys, and the line that they are. */
static void examples(void)
{
    static const char *const t[][2] = {
        { "help\r", "help" },
        { "hepl\b\blp\r", "help" },
        { "hlp\x1b[D\x1b[D"
          "e\r",
          "help" },
        { "mem dump\x17threads\r", "mem threads" },
        { "nonsense\x15mem\r", "mem" },
        { "first\rsecond\r\x1b[A\x1b[A\r", "first" },
        { "first\rsec\x1b[A\x1b[Bond\r", "second" },
        { "a\ra\rb\r\x1b[A\x1b[A\x1b[A\r", "a" },
        { "caf\xc3\xa9\x01\x1b[15~!\r", "caf!" },
    };

    for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char last[LINEEDIT_MAX] = "";

        begin();
        for (const char *k = t[i][0]; *k != '\0'; k++)
            if (lineedit_feed(&ref.edit, *k) == LINEEDIT_LINE) {
                strcpy(last, ref.edit.line);
                lineedit_start(&ref.edit, "");
            }
        CHECK(strcmp(last, t[i][1]) == 0, "\"%s\", want \"%s\"", last, t[i][1]);
    }
}

TAP_MAIN({ "like the reference", like_reference }, { "any bytes", any_bytes },
         { "examples", examples })

/* SPDX-License-Identifier: MIT */
/*
 * lineedit: a line typed at a terminal, and corrected there.
 *
 * Bytes come in one by one, what the terminal is to show goes out.
 *
 *   backspace, DEL   take away the character before the cursor
 *   ^W, ^U           the word before it; all before it
 *   left, right      move it
 *   up, down         other lines: the LINEEDIT_HISTORY last ones that were not
 *                    empty and not like the one before
 *   ^C               give the line up
 *   ^D               on an empty line: the end of all input
 *   CR, LF, CR LF    the end of the line, each once
 *
 * Other control characters, other escape sequences, and what is not ASCII are
 * ignored.  When the line is full what else is typed only rings the bell.
 *
 * Going back is done by BS, which does not leave a row of the screen: a line
 * that is longer than that looks wrong while it is corrected, and is right.
 *
 *   units    bytes
 *   owns     nothing: struct lineedit is the caller's memory, zero when new but
 *            for @echo and @ctx
 *   context  any that @echo stands; no globals
 *   failure  none
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LINEEDIT_MAX     256u /* with the terminating zero */
#define LINEEDIT_HISTORY 8u

/* Show these @len bytes, at least one. */
typedef void lineedit_echo_t(void *ctx, const char *text, size_t len);

struct lineedit {
    lineedit_echo_t *echo;
    void *ctx;

    char line[LINEEDIT_MAX]; /* terminated */
    size_t len, at;          /* its length, and where the cursor is */

    char history[LINEEDIT_HISTORY][LINEEDIT_MAX];
    unsigned int nr_history; /* lines in there, the oldest first */
    unsigned int shown;      /* which of them; nr_history: the new one */
    char new_line[LINEEDIT_MAX];

    unsigned int escape; /* how far in an escape sequence */
    bool after_cr;
};

enum lineedit_state {
    LINEEDIT_MORE,  /* the line is not finished */
    LINEEDIT_LINE,  /* it is, in @line */
    LINEEDIT_BREAK, /* ^C */
    LINEEDIT_EOF    /* ^D */
};

/* A new line, empty; shows @prompt. */
void lineedit_start(struct lineedit *edit, const char *prompt);

/* The next byte.  After any other state than LINEEDIT_MORE: a new line, please. */
enum lineedit_state lineedit_feed(struct lineedit *edit, char c);

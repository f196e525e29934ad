/* SPDX-License-Identifier: MIT */
/*
 * ref_args: a second splitter of command lines, as a table of states.
 *
 * It writes the words into a buffer of its own, one behind the other, each with
 * its zero.  Shared by the test and the fuzzer.
 *
 *   units     lines of at most REF_ARGS_MAX characters
 *   owns      nothing
 *   context   host
 *   failure   -1 for a quote that is not closed; words are then those before it
 */
#pragma once

#include <string.h>

#define REF_ARGS_MAX 512

struct ref_args {
    int words, status;
    char text[REF_ARGS_MAX + 2];
    size_t len;
};

static inline void ref_args_split(const char *line, struct ref_args *out)
{
    enum {
        BETWEEN,
        WORD,
        ESCAPE,
        SINGLE,
        DOUBLE,
        DOUBLE_ESCAPE
    } state;

    memset(out, 0, sizeof(*out));
    state = BETWEEN;

    for (;; line++) {
        const char c = *line;
        const int blank = c != '\0' && strchr(" \t\r\n", c) != NULL;

        switch (state) {
        case BETWEEN:
        case WORD:
            if (blank || c == '\0') {
                if (state == WORD) {
                    out->text[out->len++] = '\0';
                    out->words++;
                }
                state = BETWEEN;
            } else if (c == '\\') {
                state = ESCAPE;
            } else if (c == '\'') {
                state = SINGLE;
            } else if (c == '"') {
                state = DOUBLE;
            } else {
                out->text[out->len++] = c;
                state = WORD;
            }
            break;

        case ESCAPE:
            if (c == '\0') {
                out->text[out->len++] = '\\';
                out->text[out->len++] = '\0';
                out->words++;
            } else {
                out->text[out->len++] = c;
            }
            state = WORD;
            break;

        case SINGLE:
            if (c == '\'')
                state = WORD;
            else
                out->text[out->len++] = c;
            break;

        case DOUBLE:
            if (c == '"')
                state = WORD;
            else if (c == '\\')
                state = DOUBLE_ESCAPE;
            else
                out->text[out->len++] = c;
            break;

        case DOUBLE_ESCAPE:
            if (c == '"' || c == '\\') {
                out->text[out->len++] = c;
            } else {
                out->text[out->len++] = '\\';
                out->text[out->len++] = c;
            }
            state = DOUBLE;
            break;
        }

        if (c == '\0')
            break;
    }

    out->status = state == SINGLE || state == DOUBLE ? -1 : 0;
}

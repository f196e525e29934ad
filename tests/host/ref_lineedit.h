/* SPDX-License-Identifier: MIT */
/*
 * ref_lineedit: lineedit's other end, and what it should do to a line.
 *
 * A terminal of one endless row, which knows BS, BEL, CR and LF and nothing else;
 * and a second editor that copies where the first one moves, and knows nothing of
 * the screen.  Both must agree with lineedit after each byte.
 *
 *   units     bytes
 *   owns      nothing
 *   context   host, included by one file
 *   failure   ref_wrong() says what differs, or NULL
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include <plinth/lineedit.h>

#define REF_ROW     2048
#define REF_HISTORY 64

struct ref_lineedit {
    struct lineedit edit;

    char row[REF_ROW]; /* the terminal */
    size_t cursor, end;
    bool strange; /* it was told something that it does not know */

    char before[LINEEDIT_MAX], behind[LINEEDIT_MAX]; /* of the cursor */
    char typed[LINEEDIT_MAX];                        /* the new line */
    char all[REF_HISTORY][LINEEDIT_MAX];
    int nr_all, up; /* how many; how many lines up we are */
    char sequence[4];
    bool in_sequence, cr;
};

static void ref_screen(void *ctx, const char *text, size_t len)
{
    struct ref_lineedit *r = ctx;

    for (; len > 0; text++, len--) {
        if (*text == '\b' && r->cursor > 0)
            r->cursor--;
        else if (*text == '\r')
            r->cursor = 0;
        else if (*text == '\n')
            r->end = 0, memset(r->row, 0, sizeof(r->row));
        else if (*text >= ' ' && *text < 0x7f && r->cursor < REF_ROW - 1)
            r->row[r->cursor++] = *text;
        else if (*text != '\a')
            r->strange = true;
        if (r->cursor > r->end)
            r->end = r->cursor;
    }
}

static void ref_start(struct ref_lineedit *r)
{
    r->before[0] = r->behind[0] = r->typed[0] = '\0';
    r->up = 0;
    r->in_sequence = false;
    lineedit_start(&r->edit, "> ");
}

static void ref_set(struct ref_lineedit *r, const char *text)
{
    char copy[LINEEDIT_MAX];

    strcpy(copy, text);
    strcpy(r->before, copy);
    r->behind[0] = '\0';
}

static void ref_whole(const struct ref_lineedit *r, char *whole)
{
    strcpy(whole, r->before);
    strcat(whole, r->behind);
}

static void ref_up(struct ref_lineedit *r, int by)
{
    const int most =
        r->nr_all < (int)LINEEDIT_HISTORY ? r->nr_all : (int)LINEEDIT_HISTORY;

    if (r->up + by < 0 || r->up + by > most)
        return;
    if (r->up == 0)
        ref_whole(r, r->typed);
    r->up += by;
    ref_set(r, r->up == 0 ? r->typed : r->all[r->nr_all - r->up]);
}

static void ref_arrow(struct ref_lineedit *r, char c)
{
    const size_t n = strlen(r->before);
    char behind[LINEEDIT_MAX];

    if (c == 'A' || c == 'B') {
        ref_up(r, c == 'A' ? 1 : -1);
    } else if (c == 'D' && n > 0) {
        strcpy(behind, r->behind);
        r->behind[0] = r->before[n - 1];
        strcpy(r->behind + 1, behind);
        r->before[n - 1] = '\0';
    } else if (c == 'C' && r->behind[0] != '\0') {
        r->before[n] = r->behind[0];
        r->before[n + 1] = '\0';
        strcpy(behind, r->behind + 1);
        strcpy(r->behind, behind);
    }
}

/* True while @c belongs to an escape sequence. */
static bool ref_sequence(struct ref_lineedit *r, char c)
{
    const size_t n = strlen(r->sequence);

    if (c == 0x1b) {
        r->in_sequence = true;
        r->sequence[0] = '\0';
        return true;
    }
    if (!r->in_sequence)
        return false;
    if (n == 0 && (c == '[' || c == 'O')) {
        strcpy(r->sequence, c == '[' ? "[" : "O");
    } else if (n == 1 && (r->sequence[0] == 'O' || (c >= '@' && c < 0x7f))) {
        r->in_sequence = false;
        ref_arrow(r, c);
    } else if (n == 0 || (c >= '@' && c < 0x7f)) {
        r->in_sequence = false;
    } else {
        strcpy(r->sequence, "[?");
    }
    return true;
}

static void ref_edit(struct ref_lineedit *r, char c)
{
    size_t n = strlen(r->before);

    if (c >= ' ' && c < 0x7f && n + strlen(r->behind) < LINEEDIT_MAX - 1) {
        r->before[n] = c;
        r->before[n + 1] = '\0';
    } else if ((c == '\b' || c == 0x7f) && n > 0) {
        r->before[n - 1] = '\0';
    } else if (c == 'U' - 0x40) {
        r->before[0] = '\0';
    } else if (c == 'W' - 0x40) {
        while (n > 0 && r->before[n - 1] == ' ')
            n--;
        while (n > 0 && r->before[n - 1] != ' ')
            n--;
        r->before[n] = '\0';
    }
}

static void ref_keep(struct ref_lineedit *r, const char *line)
{
    if (*line == '\0' ||
        (r->nr_all > 0 && strcmp(r->all[r->nr_all - 1], line) == 0))
        return;
    if (r->nr_all == REF_HISTORY) {
        r->nr_all /= 2;
        memcpy(r->all, r->all + r->nr_all, sizeof(r->all) / 2);
    }
    strcpy(r->all[r->nr_all++], line);
}

/* What the second editor says of @c. */
static enum lineedit_state ref_feed(struct ref_lineedit *r, char c)
{
    const bool cr = r->cr;

    r->cr = c == '\r';
    if (c == '\n' && cr)
        return LINEEDIT_MORE;
    if (c == '\r' || c == '\n')
        return LINEEDIT_LINE;
    if (c == 'C' - 0x40)
        return LINEEDIT_BREAK;
    if (ref_sequence(r, c))
        return LINEEDIT_MORE;
    if (c == 'D' - 0x40 && *r->before == '\0' && *r->behind == '\0')
        return LINEEDIT_EOF;
    ref_edit(r, c);
    return LINEEDIT_MORE;
}

static const char *ref_wrong_line(const struct ref_lineedit *r)
{
    char whole[LINEEDIT_MAX];

    ref_whole(r, whole);
    if (r->edit.len >= LINEEDIT_MAX || r->edit.at > r->edit.len ||
        strnlen(r->edit.line, LINEEDIT_MAX) != r->edit.len)
        return "its own lengths";
    if (strcmp(r->edit.line, whole) != 0)
        return "the line";
    return r->edit.at == strlen(r->before) ? NULL : "the cursor";
}

/* Behind what is shown there may be blanks. */
static const char *ref_wrong_screen(const struct ref_lineedit *r)
{
    if (r->strange || strncmp(r->row, "> ", 2) != 0 ||
        strncmp(r->row + 2, r->edit.line, r->edit.len) != 0)
        return "the screen";
    for (size_t i = r->edit.len + 2; i < r->end; i++)
        if (r->row[i] != ' ')
            return "what is left on the screen";
    return r->cursor == r->edit.at + 2 ? NULL : "the cursor on the screen";
}

/* Feed both; NULL if all agree. */
static const char *ref_wrong(struct ref_lineedit *r, char c)
{
    const enum lineedit_state want = ref_feed(r, c);
    const enum lineedit_state got = lineedit_feed(&r->edit, c);
    const char *wrong = ref_wrong_line(r);

    if (got != want)
        return "the state";
    if (wrong != NULL)
        return wrong;
    if (got == LINEEDIT_MORE)
        return ref_wrong_screen(r);
    if (r->strange)
        return "the screen at the end";
    if (got == LINEEDIT_LINE)
        ref_keep(r, r->edit.line);
    r->cursor = r->end = 0; /* ^D leaves the row as it is */
    memset(r->row, 0, sizeof(r->row));
    ref_start(r);
    return NULL;
}

/* SPDX-License-Identifier: MIT */
#include <plinth/compiler.h>
#include <plinth/lineedit.h>
#include <plinth/string.h>

#define CTRL(c) ((c)-0x40)
#define ESC     0x1b
#define DEL     0x7f

/* Values of @escape. */
enum {
    NO_ESCAPE,
    AFTER_ESC,
    AFTER_SS3,   /* ESC O: one more byte */
    AFTER_CSI,   /* ESC [: a final byte, or parameters first.. */
    IN_PARAMETER /* ..which make it none of those we know */
};

static void show(struct lineedit *e, const char *text, size_t len)
{
    if (len > 0)
        e->echo(e->ctx, text, len);
}

static void show_times(struct lineedit *e, char c, size_t times)
{
    char text[32];

    memset(text, c, sizeof(text));
    while (times > 0) {
        const size_t n = MIN(times, sizeof(text));

        show(e, text, n);
        times -= n;
    }
}

static void bell(struct lineedit *e)
{
    show(e, "\a", 1);
}

/* The cursor is at @at on the screen; show all from there, and come back. */
static void show_rest(struct lineedit *e, size_t blanks)
{
    show(e, e->line + e->at, e->len - e->at);
    show_times(e, ' ', blanks);
    show_times(e, '\b', e->len - e->at + blanks);
}

static void insert(struct lineedit *e, char c)
{
    if (e->len == LINEEDIT_MAX - 1) {
        bell(e);
        return;
    }
    memmove(e->line + e->at + 1, e->line + e->at, e->len - e->at + 1);
    e->line[e->at++] = c;
    e->len++;
    show(e, &c, 1);
    show_rest(e, 0);
}

/* The @n characters before the cursor go. */
static void erase(struct lineedit *e, size_t n)
{
    memmove(e->line + e->at - n, e->line + e->at, e->len - e->at + 1);
    e->at -= n;
    e->len -= n;
    show_times(e, '\b', n);
    show_rest(e, n);
}

static size_t word_before(const struct lineedit *e)
{
    size_t at = e->at;

    while (at > 0 && e->line[at - 1] == ' ')
        at--;
    while (at > 0 && e->line[at - 1] != ' ')
        at--;
    return e->at - at;
}

static void left(struct lineedit *e)
{
    if (e->at > 0) {
        e->at--;
        show(e, "\b", 1);
    }
}

static void right(struct lineedit *e)
{
    if (e->at < e->len)
        show(e, &e->line[e->at++], 1);
}

static void replace(struct lineedit *e, const char *text)
{
    const size_t old = e->len;

    show_times(e, '\b', e->at);
    strlcpy(e->line, text, sizeof(e->line));
    e->len = strlen(e->line);
    e->at = 0;
    show_rest(e, old > e->len ? old - e->len : 0);
    show(e, e->line, e->len);
    e->at = e->len;
}

static void go_to_history(struct lineedit *e, unsigned int to)
{
    if (to > e->nr_history) {
        bell(e);
        return;
    }
    if (e->shown == e->nr_history)
        strlcpy(e->new_line, e->line, sizeof(e->new_line));
    e->shown = to;
    replace(e, to == e->nr_history ? e->new_line : e->history[to]);
}

static void remember(struct lineedit *e)
{
    unsigned int n = e->nr_history;

    if (e->len == 0 || (n > 0 && strcmp(e->history[n - 1], e->line) == 0))
        return;
    if (n == LINEEDIT_HISTORY) {
        n--;
        memmove(e->history[0], e->history[1], n * sizeof(e->history[0]));
    }
    memcpy(e->history[n], e->line, sizeof(e->history[n]));
    e->nr_history = n + 1;
}

static void arrow(struct lineedit *e, char c)
{
    switch (c) {
    case 'A': /* up; below 0 it is no entry */
        go_to_history(e, e->shown - 1);
        break;
    case 'B':
        go_to_history(e, e->shown + 1);
        break;
    case 'C':
        right(e);
        break;
    case 'D':
        left(e);
        break;
    }
}

static bool is_final(char c)
{
    return c >= 0x40 && c <= 0x7e;
}

/* ESC begins a new sequence, wherever it comes. */
static void in_escape(struct lineedit *e, char c)
{
    const unsigned int before = e->escape;

    e->escape = NO_ESCAPE;
    if (c == ESC)
        e->escape = AFTER_ESC;
    else if (before == AFTER_ESC && c == '[')
        e->escape = AFTER_CSI;
    else if (before == AFTER_ESC && c == 'O')
        e->escape = AFTER_SS3;
    else if (before == AFTER_SS3 || (before == AFTER_CSI && is_final(c)))
        arrow(e, c);
    else if ((before == AFTER_CSI || before == IN_PARAMETER) && !is_final(c))
        e->escape = IN_PARAMETER;
}

static enum lineedit_state finish(struct lineedit *e)
{
    show(e, "\r\n", 2);
    remember(e);
    return LINEEDIT_LINE;
}

static enum lineedit_state give_up(struct lineedit *e)
{
    show(e, "^C\r\n", 4);
    return LINEEDIT_BREAK;
}

static enum lineedit_state control(struct lineedit *e, char c)
{
    switch (c) {
    case '\r':
    case '\n':
        return finish(e);
    case CTRL('C'):
        return give_up(e);
    case CTRL('D'):
        return e->len == 0 ? LINEEDIT_EOF : LINEEDIT_MORE;
    case '\b':
    case DEL:
        erase(e, e->at > 0);
        break;
    case CTRL('W'):
        erase(e, word_before(e));
        break;
    case CTRL('U'):
        erase(e, e->at);
        break;
    case ESC:
        e->escape = AFTER_ESC;
        break;
    }
    return LINEEDIT_MORE;
}

void lineedit_start(struct lineedit *e, const char *prompt)
{
    e->len = e->at = 0;
    e->line[0] = '\0';
    e->shown = e->nr_history;
    e->escape = NO_ESCAPE;
    show(e, prompt, strlen(prompt));
}

enum lineedit_state lineedit_feed(struct lineedit *e, char c)
{
    const bool after_cr = e->after_cr;

    e->after_cr = c == '\r';
    if (c == '\n' && after_cr)
        return LINEEDIT_MORE;
    /* The end of a line is that in the middle of a sequence, too. */
    if (e->escape != NO_ESCAPE && c != '\r' && c != '\n' && c != CTRL('C')) {
        in_escape(e, c);
        return LINEEDIT_MORE;
    }
    e->escape = NO_ESCAPE;
    if (c >= ' ' && c < DEL) {
        insert(e, c);
        return LINEEDIT_MORE;
    }
    return control(e, c);
}

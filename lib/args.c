/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stddef.h>

#include <plinth/args.h>
#include <plinth/errno.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Does the backslash at @s take away the meaning of the character behind it? */
static bool escapes(const char *s, char quote)
{
    if (s[0] != '\\')
        return false;
    if (quote == '"')
        return s[1] == '"' || s[1] == '\\';

    return quote == '\0' && s[1] != '\0';
}

/*
 * Move the word at @from down to @to without its quotes, and terminate it.
 * Returns where the next one may start, or NULL if a quote is left open.  A
 * word never gets longer, so @to does not overtake @from.
 */
static char *word(char *to, char *from)
{
    char quote = '\0'; /* the kind we are in */
    bool more;

    for (; *from != '\0' && (quote != '\0' || !is_blank(*from)); from++) {
        if (escapes(from, quote))
            *to++ = *++from;
        else if (quote != '\0' && *from == quote)
            quote = '\0';
        else if (quote == '\0' && (*from == '\'' || *from == '"'))
            quote = *from;
        else
            *to++ = *from;
    }

    if (quote != '\0')
        return NULL;

    /* Look before the zero is written: it may go where the blank is. */
    more = *from != '\0';
    *to = '\0';
    return from + more;
}

int args_split(char *line, char *argv[], int max)
{
    int argc = 0;

    if (max < 1)
        return -E2BIG;

    for (;;) {
        while (is_blank(*line))
            line++;

        if (*line == '\0')
            break;
        if (argc == max - 1)
            return -E2BIG;

        argv[argc++] = line;
        line = word(line, line);
        if (line == NULL)
            return -EINVAL;
    }

    argv[argc] = NULL;
    return argc;
}

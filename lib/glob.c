/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/glob.h>

/* One pattern, from here up to but not including end. */
struct pattern {
    const char *at, *end;
};

/* Take one possibly escaped character; there must be one. */
static uint8_t take(struct pattern *p)
{
    if (*p->at == '\\' && p->at + 1 < p->end)
        p->at++;

    return (uint8_t)*p->at++;
}

/*
 * With @p behind a '[': does the bracket hold @c?  Returns 1 or 0 with @p behind
 * its ']', or -1 if it is not closed.
 */
static int bracket(struct pattern *p, uint8_t c)
{
    bool invert = false, found = false;

    if (p->at < p->end && *p->at == '!') {
        invert = true;
        p->at++;
    }

    /* The first character belongs to the set whatever it is. */
    for (bool first = true; p->at < p->end; first = false) {
        uint8_t low, high;

        if (*p->at == ']' && !first) {
            p->at++;
            return found != invert;
        }

        low = high = take(p);

        if (p->end - p->at >= 2 && p->at[0] == '-' && p->at[1] != ']') {
            p->at++;
            high = take(p);
        }

        if (low <= c && c <= high)
            found = true;
    }

    return -1;
}

/* Match one character of the text; @p holds something other than a star. */
static bool one(struct pattern *p, uint8_t c)
{
    struct pattern set;
    int rc;

    switch (*p->at) {
    case '?':
        p->at++;
        return true;

    case '[':
        set = (struct pattern){ p->at + 1, p->end };
        rc = bracket(&set, c);
        if (rc < 0)
            break;
        *p = set;
        return rc;

    default:
        break;
    }

    return take(p) == c;
}

/*
 * A star is first taken to match nothing, then one character more each time the
 * rest fails.  Only the last star met needs this: whatever an earlier one could
 * take beyond its shortest match, the last one can take as well.  And once the
 * text is used up, giving that star more of it would leave the rest even less.
 */
static bool match(struct pattern p, const char *text)
{
    struct pattern star = { NULL, NULL }; /* behind the last star met */
    const char *taken = NULL;             /* end of what that star matches */

    while (*text != '\0' || p.at < p.end) {
        if (p.at < p.end && *p.at == '*') {
            p.at++;
            star = p;
            taken = text;
            continue;
        }

        if (*text != '\0' && p.at < p.end && one(&p, (uint8_t)*text)) {
            text++;
            continue;
        }

        if (star.at == NULL || *text == '\0')
            return false;

        text = ++taken;
        p = star;
    }

    return true;
}

/* The end of the pattern at @s: the end of the list, or a comma. */
static const char *pattern_end(const char *s)
{
    for (; *s != '\0' && *s != ','; s++)
        if (s[0] == '\\' && s[1] != '\0')
            s++;

    return s;
}

bool glob_match(const char *pattern, const char *text)
{
    const char *end = pattern;

    while (*end != '\0')
        end++;

    return match((struct pattern){ pattern, end }, text);
}

bool glob_list_match(const char *list, const char *text)
{
    for (;;) {
        const char *end = pattern_end(list);

        if (match((struct pattern){ list, end }, text))
            return true;
        if (*end == '\0')
            return false;

        list = end + 1;
    }
}

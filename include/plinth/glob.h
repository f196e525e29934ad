/* SPDX-License-Identifier: MIT */
/*
 * glob: match names against shell patterns.
 *
 *   *        any text, also none
 *   ?        any one character
 *   [a-z_]   one of these; ranges are by character code
 *   [!a-z_]  any one character but these
 *   \x       the character x itself, also within brackets
 *
 * A ] or - that stands first in a bracket means itself, and so does a - that
 * stands last.  A bracket that is not closed, and a backslash at the end, are
 * ordinary characters.  A pattern must match the whole text.
 *
 *   units     characters are bytes
 *   owns      nothing
 *   context   any; no recursion, time at most pattern length x text length
 *   failure   none; there is no wrong pattern
 */
#pragma once

#include <stdbool.h>

bool glob_match(const char *pattern, const char *text);

/*
 * True if one of several patterns matches.  A comma separates two of them
 * wherever it stands, unless a backslash comes before it.
 */
bool glob_list_match(const char *list, const char *text);

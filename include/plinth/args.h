/* SPDX-License-Identifier: MIT */
/*
 * args: split a command line into words.
 *
 * Words are separated by blanks: space, tab, newline, carriage return.
 *
 *   'text'   as it stands, blanks included
 *   "text"   the same, but \" is a quote and \\ a backslash
 *   \x       outside quotes: the character x itself
 *
 * Quotes may begin and end in the middle of a word, so a="b c" is the one word
 * a=b c, and "" alone is an empty word.  A backslash that ends the line means
 * itself.
 *
 *   units     words
 *   owns      nothing: the words lie in the caller's line, which is changed
 *   context   any
 *   failure   -E2BIG if there are more than @max - 1 words, -EINVAL if a quote
 *             is not closed, whichever is met first; argv and line are then
 *             unspecified, but the line is still terminated
 */
#pragma once

#include <plinth/compiler.h>

/*
 * Returns the number of words, with argv[that] = NULL; @max is the number of
 * elements of argv and so counts the NULL.
 */
int __must_check args_split(char *line, char *argv[], int max);

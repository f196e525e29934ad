/* SPDX-License-Identifier: MIT */
/*
 * listen: what is printed, for tests of it.
 *
 *   context  tests, one at a time
 */
#pragma once

#include <stdbool.h>

/* What is printed from now on is kept, as far as it fits, and not shown. */
void listen_start(void);

/* No longer; all that was printed. */
const char *listen_end(void);

/* Is @line, which ends in no newline, one of the lines of it? */
bool listen_has_line(const char *line);

/* SPDX-License-Identifier: MIT */
/*
 * options: the command line, parsed once.
 *
 * Words that start with "plinth." are for the kernel and fill `struct
 * options`; the rest are the application's arguments.  Quotes work as in a
 * shell.  A word of ours that is unknown or makes no sense gets one warning
 * that names it, and is otherwise ignored.
 *
 *     plinth.loglevel=emerg|..|debug        how much of the log is shown
 *     plinth.report=BOOL                    print the boot report (default on)
 *     plinth.mmu=sync                       send each MMU request by itself
 *     plinth.audit=N                        audit memory each N operations
 *     plinth.walk=selfmap                   walk page tables by the self-map
 *     plinth.events=2l                      no FIFO event channels
 *     plinth.grant=v1|v2                    version of the grant table
 *     plinth.exit=qemu                      dom0: end QEMU with a status
 *
 *   owns     a copy of the line; argv points into it
 *   context  boot; afterwards read-only
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/printk.h>

#define OPTIONS_MAX_ARGS 64

struct options {
    enum log_level log_level;
    bool report;
    bool exit_qemu;
    bool mmu_sync;
    bool events_2l;
    bool walk_selfmap;
    uint64_t audit;             /* 0: never */
    unsigned int grant_version; /* 0: as is right */

    int argc;
    char *argv[OPTIONS_MAX_ARGS + 1]; /* [0] is "plinth"; ends with NULL */
    unsigned int warnings;            /* words that were complained about */
};

/* Parse @line into @o; @line is copied, @storage (len bytes) holds the copy. */
void options_parse_line(const char *line, struct options *o, char *storage,
                        unsigned int len);

/* Parse the command line in start_info and put the kernel's part to work. */
void options_init(void);

/* The result. */
const struct options *options(void);

/* Its argv, for main(), which may change its words. */
char **options_argv(void);

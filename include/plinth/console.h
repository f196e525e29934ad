/* SPDX-License-Identifier: MIT */
/*
 * console: the domain's console.
 *
 * A domU writes to a ring shared with xenconsoled.  When it is full, a writer
 * waits for room, for CONSOLE_PATIENCE_NS without any progress at most; what
 * is lost after that is counted, and said in the console as soon as it moves
 * again.  dom0 has no ring and writes to Xen's console by hypercall.
 *
 *   context  threads and boot; panic
 *   source   public/io/console.h
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/time.h>

#define CONSOLE_PATIENCE_NS (5 * NSEC_PER_SEC)

/* Send printk's text to the right place from now on. */
void console_init(void);

/*
 * Wait until everything written has been taken by the other end.  0, or
 * -ETIMEDOUT when it made no progress for CONSOLE_PATIENCE_NS.
 */
int console_drain(void);

struct console_stats {
    uint64_t written; /* bytes */
    uint64_t lost;    /* bytes given up after the deadline */
    uint64_t waits;   /* how often a writer found the ring full */
};
struct console_stats console_stats(void);

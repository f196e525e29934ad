/* SPDX-License-Identifier: MIT */
/*
 * console: the domain's console.
 *
 * A domU writes to a ring shared with xenconsoled.  When it is full, a writer
 * waits for room, for CONSOLE_PATIENCE_NS without any progress at most; what
 * is lost after that is counted, and said in the console as soon as it moves
 * again.  While a thread waits for room others run; where one may not wait, the
 * vCPU sleeps.
 *
 * Input stays in the ring until somebody reads it.  When that is full,
 * xenconsoled takes no more from the terminal, so that nothing is lost, but
 * whoever types waits.  Indices that claim more than fits into the ring are
 * counted, and all that they claim is dropped.
 *
 * dom0 has no ring: it writes to Xen's console, and reads from it, by hypercall.
 * A domU without one writes there too, which only a debug build of Xen lets it,
 * and has nothing to read.
 *
 *   units    bytes; deadlines in nanoseconds of ktime
 *   context  writing: any.  Reading: threads
 *   source   public/io/console.h; CONSOLEIO_* in public/xen.h
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/lineedit.h>
#include <plinth/time.h>
#include <xen/io/console.h>

#define CONSOLE_PATIENCE_NS (5 * NSEC_PER_SEC)

/* Send printk's text to the right place from now on. */
void console_init(void);

/* Wait by the console's event from now on; there is input.  Before threads. */
void console_attach(void);

/* As it is, but LF becomes CR LF in a domU.  The log does not keep it. */
void console_write(const char *text, size_t len);

/*
 * What has been typed, @len bytes at most, waiting for the first one.  How many,
 * at least one; -ETIMEDOUT when nothing came by @deadline; -EINVAL for no @len;
 * -ENODEV when the console's event could not be had.
 */
int __must_check console_read(char *buf, size_t len, uint64_t deadline);

/*
 * A line, edited at the terminal.  0, and it is edit->line; -EAGAIN for ^C and
 * -ENODATA for ^D, with what there was of it; or what console_read() says.
 * @edit is the caller's, with its history; its echo is set here.
 */
int __must_check console_read_line(struct lineedit *edit, const char *prompt,
                                   uint64_t deadline);

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

/*
 * The ring's input side, apart from the console for its tests.  @cons is what we
 * have read: the copy in the ring is for the other end, and not believed.
 */
struct console_input {
    struct xencons_interface *ring;
    uint32_t cons;
    uint64_t nonsense; /* how often the indices could not be */
    bool was_full;     /* the other end wants an event, after the last take */
};

/* What is there, @len bytes at most; does not wait. */
size_t console_input_take(struct console_input *in, char *buf, size_t len);

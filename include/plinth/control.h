/* SPDX-License-Identifier: MIT */
/*
 * control: what the toolstack asks of this domain through xenstore, done by a
 * thread.
 *
 *   control/shutdown  "poweroff", "halt", "reboot": acknowledged by emptying the
 *                     node, then shutdown_domain().  Anything else, as "suspend",
 *                     is left as it is, with a line in the log: to acknowledge it
 *                     would promise that it follows, and there is no word for no
 *   control/sysrq     one letter: t threads, m memory, p the caller's registers and
 *                     trace, x address space, c crash; any other: this list
 *   memory/target     in KiB: balloon_set(), rounded down to pages
 *
 * What is done is advertised by "1" in control/feature-poweroff, -reboot, -halt,
 * -sysrq, and what is not by "0" in -suspend, as far as the toolstack lets the
 * domain write them; libxl 4.17 has no nodes for -halt and -sysrq.
 * A thread that never waits holds this one up, as it does all others, unless it
 * is THREAD_PREEMPTIVE.
 *
 *   units    deadlines in nanoseconds of ktime
 *   context  threads; control_start() boot
 *   failure  is logged; the domain goes on without
 *   source   Xen docs/misc/xenstore-paths; libxl
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>

/* Start the thread, if the domain has a xenstore. */
void control_start(void);

/*
 * Until it has set up its watches and seen to what was there before.  -ENODEV:
 * there is nobody to be controlled by; -ETIMEDOUT.
 */
int __must_check control_settled(uint64_t deadline);

/* How long control_report() takes at most. */
#define CONTROL_REPORT_NS 2000000000ull

/* Leave word of how this ends, in data/plinth/status, if that can be done. */
void control_report(const char *status);

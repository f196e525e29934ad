/* SPDX-License-Identifier: MIT */
/*
 * watchdog: Xen ends the domain unless it hears of us in time.
 *
 * A domain has two of them.  When one runs out Xen shuts the domain down as
 * SHUTDOWN_watchdog, and the toolstack does what on_watchdog= says.
 *
 *   units    seconds
 *   owns     a watchdog belongs to whoever started it, until watchdog_stop()
 *   context  any
 *   failure  -EINVAL for 0 seconds, and for an id that is not in use; -ENOSPC:
 *            there are two already
 *   source   public/sched.h: SCHEDOP_watchdog; xen/common/sched/core.c
 */
#pragma once

#include <plinth/compiler.h>

/* @id is for the other two. */
int __must_check watchdog_start(unsigned int seconds, unsigned int *id);

/* From now on it is @seconds again. */
int __must_check watchdog_ping(unsigned int id, unsigned int seconds);

int watchdog_stop(unsigned int id);

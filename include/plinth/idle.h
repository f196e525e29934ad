/* SPDX-License-Identifier: MIT */
/*
 * idle: giving the CPU back to Xen until there is something to do.
 *
 *     upcall_mask();
 *     while (!condition)
 *         idle_until_event();
 *     upcall_restore(...);
 *
 * Where only handlers change the condition none is missed: between the look and
 * the sleep events are masked, and Xen unmasks them in the same step in which it
 * looks for pending ones and lets the vCPU sleep (SCHEDOP_block).
 *
 *   context  threads, after timer_init(); not event handlers
 *   source   public/sched.h: SCHEDOP_block
 */
#pragma once

#include <stdint.h>

/*
 * Sleep until at least one upcall has run its handlers, or there was a reason to
 * look again.  Upcalls are masked before and after.
 */
void idle_until_event(void);

/* How often this vCPU has slept, since boot. */
uint64_t idle_count(void);

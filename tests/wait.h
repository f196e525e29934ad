/* SPDX-License-Identifier: MIT */
/*
 * wait: for tests of events and timers, which want the whole vCPU to sleep, with
 * no scheduler in between.  Other threads do not run meanwhile.
 *
 *   units    nanoseconds of ktime
 *   context  tests
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>

/*
 * Sleep until @done(@arg) is true, which a handler makes it: 0.  Or until
 * @deadline has come, if not KTIME_NEVER: -ETIMEDOUT, even if @done(@arg) was true
 * long before and this has not been woken for it.  @done runs with upcalls masked.
 */
int __must_check wait_until(bool (*done)(void *arg), void *arg,
                            uint64_t deadline);

/* SPDX-License-Identifier: MIT */
/*
 * time: the clocks.
 *
 * Xen keeps a record per vCPU that turns the TSC into nanoseconds since the
 * host came up; it is read under its version counter (arch/pvclock.h).  The
 * records of two vCPUs may differ a little: so ktime is never less than what
 * was read before, by any vCPU.
 *
 *   units    nanoseconds.  ktime counts from this domain's boot; system time is
 *            Xen's count, and the same instant; the wall clock counts from 1970
 *   context  any, after shared_info_init(); before that the time is 0
 *   failure  none
 *   source   public/xen.h: struct vcpu_time_info, struct shared_info
 */
#pragma once

#include <stdint.h>

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

/* A deadline that never comes. */
#define KTIME_NEVER UINT64_MAX

/* ktime is 0 from here on. */
void time_init(void);

uint64_t ktime_ns(void);

/* @ns from now; never, when that is beyond what can be said. */
uint64_t ktime_after(uint64_t ns);

/* Xen's word on what time it is, as dom0 has set it. */
uint64_t wallclock_ns(void);

/* System time, for hypercalls; deadlines beyond its range become its last. */
uint64_t system_time_ns(void);
uint64_t ktime_to_xen(uint64_t ktime);

/* Busy for so long.  A thread that may wait has thread_sleep(). */
void delay_ns(uint64_t ns);

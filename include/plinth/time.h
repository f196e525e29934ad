/* SPDX-License-Identifier: MIT */
/*
 * time: the clock.
 *
 * Xen keeps a record per vCPU that turns the TSC into nanoseconds since the
 * host came up; it is read under its version counter.
 *
 *   units    nanoseconds since this domain's boot
 *   context  any, after shared_info_init(); before that the time is 0
 *   source   public/xen.h: struct vcpu_time_info
 */
#pragma once

#include <stdint.h>

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

/* Now is 0 from here on. */
void time_init(void);

/* Nanoseconds since then. */
uint64_t time_ns(void);

/* The same instant in Xen's own count, for hypercalls that take a deadline. */
uint64_t time_xen_ns(void);

/* SPDX-License-Identifier: MIT */
/*
 * pvclock: system time from the TSC and what Xen says of it.
 *
 *   units    TSC ticks; nanoseconds of system time
 *   context  the record must be that of the vCPU whose TSC is read: so without
 *            preemption
 *   source   public/xen.h: struct vcpu_time_info
 */
#pragma once

#include <stdint.h>

#include <arch/cpu.h>
#include <xen/xen.h>

/*
 * @ticks * 2^shift * mul / 2^32.  With @ticks and 2^shift below 2^64 and 2^32
 * nothing is lost at the top.
 */
static inline uint64_t pvclock_scale(uint64_t ticks, uint32_t mul, int8_t shift)
{
    const unsigned __int128 shifted =
        shift < 0 ? ticks >> -shift : (unsigned __int128)ticks << shift;

    return (shifted * mul) >> 32;
}

/* System time by the record @t. */
uint64_t pvclock_read(const struct vcpu_time_info *t);

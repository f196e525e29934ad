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
#include <plinth/compiler.h>
#include <xen/xen.h>

/*
 * @ticks * 2^shift * mul / 2^32, with shift below 32: the product has 96 bits at
 * most, so nothing is lost at the top.
 */
static inline uint64_t pvclock_scale(uint64_t ticks, uint32_t mul, int8_t shift)
{
    unsigned __int128 product;
    uint64_t low;

    if (unlikely(shift < 0)) {
        ticks >>= -shift;
        shift = 0;
    }
    product = (unsigned __int128)ticks * mul;
    low = (uint64_t)product;
    asm("shrdq %%cl, %1, %0"
        : "+r"(low)
        : "r"((uint64_t)(product >> 64)), "c"(32 - shift)
        : "cc");
    return low;
}

/*
 * System time by the record @t.  Its version is odd while Xen writes, and has
 * changed when it has written meanwhile.
 */
static inline uint64_t pvclock_read(const struct vcpu_time_info *t)
{
    uint32_t version;
    int64_t ticks;
    uint64_t ns;

    do {
        while ((version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE)) & 1)
            cpu_relax();
        /*
         * A TSC that was read behind the CPU's back before the record was, or
         * that lags behind the one Xen took, is before the record's time.
         */
        ticks = rdtsc_ordered() - t->tsc_timestamp;
        ns = t->system_time + pvclock_scale(ticks > 0 ? ticks : 0,
                                            t->tsc_to_system_mul, t->tsc_shift);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (
        unlikely(__atomic_load_n(&t->version, __ATOMIC_RELAXED) != version));

    return ns;
}

/* SPDX-License-Identifier: MIT */
#include <arch/pvclock.h>

/* Odd while Xen writes; changed when it has written meanwhile. */
static uint32_t read_begin(const struct vcpu_time_info *t)
{
    uint32_t version;

    while ((version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE)) & 1)
        cpu_relax();
    return version;
}

uint64_t pvclock_read(const struct vcpu_time_info *t)
{
    uint32_t version;
    int64_t ticks;
    uint64_t ns;

    do {
        version = read_begin(t);
        /*
         * A TSC that was read behind the CPU's back before the record was, or
         * that lags behind the one Xen took, is before the record's time.
         */
        ticks = rdtsc_ordered() - t->tsc_timestamp;
        ns = t->system_time + pvclock_scale(ticks > 0 ? ticks : 0,
                                            t->tsc_to_system_mul, t->tsc_shift);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (__atomic_load_n(&t->version, __ATOMIC_RELAXED) != version);

    return ns;
}

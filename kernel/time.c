/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/pvclock.h>
#include <arch/vcpu.h>
#include <plinth/compiler.h>
#include <plinth/shared_info.h>
#include <plinth/time.h>

static uint64_t boot_ns; /* system time of ktime 0 */
static uint64_t latest;  /* system time, as anybody has read it; only grows */

/* What everybody has, or makes, the latest time there was. */
static inline uint64_t now(void)
{
    uint64_t ns, before;

    if (unlikely(!shared_info_ready()))
        return 0;

    vcpu_stay();
    ns = pvclock_read(&this_vcpu_info()->time);
    vcpu_leave();
    before = __atomic_load_n(&latest, __ATOMIC_RELAXED);
    do {
        if (unlikely(ns <= before))
            return before;
    } while (unlikely(!__atomic_compare_exchange_n(
        &latest, &before, ns, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)));
    return ns;
}

uint64_t system_time_ns(void)
{
    return now();
}

void time_init(void)
{
    boot_ns = system_time_ns();
}

uint64_t ktime_ns(void)
{
    return now() - boot_ns;
}

uint64_t ktime_after(uint64_t ns)
{
    const uint64_t now = ktime_ns();

    return ns < KTIME_NEVER - now ? now + ns : KTIME_NEVER;
}

/* Xen's times are signed: what is beyond would be long ago. */
uint64_t ktime_to_xen(uint64_t ktime)
{
    const uint64_t last = INT64_MAX;

    return ktime < last - boot_ns ? ktime + boot_ns : last;
}

/* The wall clock at system time 0, under its own version counter. */
uint64_t wallclock_ns(void)
{
    const volatile struct shared_info *s = shared_info();
    uint32_t version;
    uint64_t ns;

    if (!shared_info_ready())
        return 0;

    do {
        while ((version = s->wc_version) & 1)
            cpu_relax();
        barrier();
        ns = ((uint64_t)s->wc_sec_hi << 32 | s->wc_sec) * NSEC_PER_SEC +
             s->wc_nsec;
        barrier();
    } while (s->wc_version != version);

    return ns + system_time_ns();
}

void delay_ns(uint64_t ns)
{
    const uint64_t start = ktime_ns();

    while (ktime_ns() - start < ns)
        cpu_relax();
}

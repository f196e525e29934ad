/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/shared_info.h>
#include <plinth/time.h>

static uint64_t boot_ns;

/* tsc * 2^shift * mul / 2^32, as public/xen.h has it. */
static uint64_t scale(uint64_t delta, uint32_t mul, int8_t shift)
{
    if (shift < 0)
        delta >>= -shift;
    else
        delta <<= shift;
    return ((unsigned __int128)delta * mul) >> 32;
}

uint64_t time_xen_ns(void)
{
    const volatile struct vcpu_time_info *t;
    uint32_t version;
    uint64_t ns;

    if (!shared_info_ready())
        return 0;

    t = &shared_info()->vcpu_info[0].time;
    do {
        /* Odd while Xen writes; changed when it wrote meanwhile. */
        version = t->version;
        barrier();
        ns = t->system_time + scale(rdtsc() - t->tsc_timestamp,
                                    t->tsc_to_system_mul, t->tsc_shift);
        barrier();
    } while ((version & 1) || version != t->version);

    return ns;
}

void time_init(void)
{
    boot_ns = time_xen_ns();
}

uint64_t time_ns(void)
{
    return time_xen_ns() - boot_ns;
}

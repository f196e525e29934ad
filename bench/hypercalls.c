/* SPDX-License-Identifier: MIT */
/* What it takes to go to Xen and back: the part of every figure that is not ours. */
#include <plinth/hypercall.h>

#include "bench.h"

#define ROUNDS 100u

static void null_calls(void)
{
    struct ticks t;

    MEASURE_TICKS(t, ,
                  for (unsigned int n = 0; n < ROUNDS; n++)(void)
                      hypercall_xen_version(XENVER_version, NULL));
    figure("insn", ROUNDS, t, 0, "hypercall.null");
}

static void multicalls(unsigned int nr)
{
    static struct multicall_entry calls[32];
    struct ticks t;
    int rc = 0;

    MEASURE_TICKS(
        t,
        for (unsigned int i = 0; i < nr; i++) calls[i] =
            (struct multicall_entry){ .op = __HYPERVISOR_xen_version },
        rc |= hypercall_multicall(calls, nr));
    bench_check(rc, "multicall");
    figure("insn/call", nr, t, 0, "hypercall.multicall.%u", nr);
}

void bench_hypercalls(void)
{
    null_calls();
    multicalls(2);
    multicalls(8);
    multicalls(32);
}

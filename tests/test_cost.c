/* SPDX-License-Identifier: MIT */
/*
 * What operations cost, as TSC ticks; under the lab's instruction-counting
 * clock (lab/run --icount) these are instructions of guest and hypervisor.
 * Printed, not judged: on any other clock they mean nothing.
 */
#include <arch/cpu.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/test.h>

static void report(const char *what, uint64_t ticks, uint64_t n)
{
    if (n > 0)
        say("# cost: %s: %lu\n", what, ticks / n);
}

FATAL(cost, pages)
{
    struct page_stats before;
    uint64_t start, ticks;
    void *p;

    p = page_alloc(0);
    start = rdtsc();
    for (unsigned int i = 0; i < 1000; i++) {
        page_free(p, 0);
        p = page_alloc(0);
    }
    report("page_alloc + page_free", rdtsc() - start, 1000);

    before = page_stats();
    start = rdtsc();
    (void)page_alloc(12);
    ticks = rdtsc() - start;
    report("physmap growth, per page, order 12", ticks,
           before.unmapped - page_stats().unmapped);

    before = page_stats();
    start = rdtsc();
    while (page_stats().unmapped == before.unmapped)
        (void)page_alloc(9);
    ticks = rdtsc() - start;
    report("physmap growth, per page, order 9", ticks,
           before.unmapped - page_stats().unmapped);
}

/* SPDX-License-Identifier: MIT */
/* Events to ourselves, the clock, and timers. */
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/page.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/upcall.h>

#include "bench.h"

#define ROUNDS 100u
#define BURST  50u /* below the limit of a port, after a quiet time */

static unsigned int handled;

static void count(evtchn_port_t port __unused, void *arg __unused)
{
    handled++;
}

static void sends(evtchn_port_t port, bool masked, const char *name)
{
    struct ticks t;

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        uint64_t start;

        thread_sleep_until(ktime_ns() + 2 * EVENT_WINDOW_NS);
        handled = 0;
        if (masked)
            (void)upcall_mask();
        start = rdtsc();
        for (unsigned int n = 0; n < BURST; n++)
            (void)event_send(port);
        ticks_note(&t, i, rdtsc() - start);
        if (masked)
            upcall_unmask();
        if (handled != (masked ? 1 : BURST))
            bench_fail("%s: %u events arrived", name, handled);
    }
    figure("insn", BURST, t, 0, "event.%s", name);
}

static void masks(evtchn_port_t port)
{
    struct ticks t;

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            (void)event_mask(port);
            (void)event_unmask(port);
        });
    figure("insn", ROUNDS, t, 0, "event.mask_unmask");
}

void bench_events(void)
{
    evtchn_port_t ipi, a, b;
    struct ticks t;
    int rc = event_bind_ipi(0, count, NULL, &ipi);

    rc = rc ? rc : event_alloc_unbound(DOMID_SELF, count, NULL, &a);
    rc = rc ? rc : event_bind_interdomain(DOMID_SELF, a, count, NULL, &b);
    rc = rc ? rc : event_unmask(ipi) | event_unmask(a) | event_unmask(b);
    bench_check(rc, "ports");
    if (rc != 0)
        return;
    sends(ipi, false, "to_self.ipi");
    sends(b, false, "to_self.channel");
    sends(ipi, true, "to_self.while_masked");
    masks(ipi);
    bench_check(event_close(ipi) | event_close(a) | event_close(b), "close");

    MEASURE_TICKS(t, ,
                  for (unsigned int n = 0; n < ROUNDS; n++)(void) ktime_ns());
    figure("insn", ROUNDS, t, 0, "time.ktime_ns");
}

/*
 * Timers, beside others that are armed for later.
 */
#define LATER (1000 * NSEC_PER_SEC)

static unsigned int fired;

static void fire(struct timer *timer __unused, void *arg __unused)
{
    fired++;
}

/* Spread over a millisecond; 40503 is odd and large. */
static uint64_t later(unsigned int i)
{
    return LATER + i * 40503ul % 1000000;
}

static void timers_beside(struct timer *timers, unsigned int others)
{
    struct timer *one = &timers[others];
    struct ticks arm, cancel, firing;

    for (unsigned int i = 0; i <= others; i++)
        timer_setup(&timers[i], fire, NULL);
    for (unsigned int i = 0; i < others; i++)
        timer_arm(&timers[i], later(i));
    for (unsigned int i = 0; i < BENCH_TIMES * ROUNDS; i++) {
        uint64_t start = rdtsc();

        timer_arm(one, later(i));
        ticks_note(&arm, i, rdtsc() - start);
        start = rdtsc();
        (void)timer_cancel(one);
        ticks_note(&cancel, i, rdtsc() - start);
    }
    fired = 0;
    MEASURE_TICKS(firing, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) timer_arm(one, 0));
    if (fired != BENCH_TIMES * ROUNDS)
        bench_fail("%u timers fired", fired);
    figure("insn", 1, arm, 0, "timer.arm.beside_%u", others);
    figure("insn", 1, cancel, 0, "timer.cancel.beside_%u", others);
    figure("insn", ROUNDS, firing, 0, "timer.arm_and_fire.beside_%u", others);
    for (unsigned int i = 0; i < others; i++)
        (void)timer_cancel(&timers[i]);
}

void bench_timers(void)
{
    struct timer *timers = page_alloc(7);

    if (timers == NULL) {
        bench_fail("timers: no memory");
        return;
    }
    timers_beside(timers, 0);
    timers_beside(timers, 100);
    timers_beside(timers, 4096);
    timer_resync();
    page_free(timers, 7);
}

/* SPDX-License-Identifier: MIT */
/* Events to ourselves, the clock, and timers. */
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/hypercall.h>
#include <plinth/page.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/trap.h>
#include <plinth/upcall.h>

#include "bench.h"

#define ROUNDS 100u
#define BURST  50u /* below the limit of a port, after a quiet time */

static unsigned int handled;

static void count(evtchn_port_t port __unused, void *arg __unused)
{
    handled++;
}

void bench_bare_upcall(void);

/*
 * Xen's part in an event: a send by which the port becomes pending, and an upcall
 * to a handler that only goes back.
 */
static uint64_t bare_send(evtchn_port_t port, const char *name)
{
    struct evtchn_send send = { .port = port };
    struct ticks t;

    thread_sleep_until(ktime_ns() + 2 * EVENT_WINDOW_NS);
    for (unsigned int i = 0; i < BURST; i++) {
        uint64_t start;

        (void)upcall_mask();
        start = rdtsc();
        (void)hypercall_event_channel_op(EVTCHNOP_send, &send);
        ticks_note(&t, i, rdtsc() - start);
        upcall_unmask();
    }
    figure("insn", 1, t, 0, "bare.event_send.%s", name);
    return figure_of("bare.event_send.%s", name);
}

static uint64_t bare_upcall(void)
{
    struct callback_register cb = {
        .type = CALLBACKTYPE_event,
        .address = (unsigned long)bench_bare_upcall,
    };
    struct ticks t;

    bench_check(hypercall_callback_op(CALLBACKOP_register, &cb), "callback");
    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            this_vcpu_info()->evtchn_upcall_pending = 1;
            (void)hypercall_xen_version(XENVER_version, NULL);
        });
    trap_init();
    /* Nobody has looked what came meanwhile. */
    (void)upcall_mask();
    this_vcpu_info()->evtchn_upcall_pending = 1;
    upcall_unmask();
    figure("insn", ROUNDS, t, 0, "bare.upcall_and_null_hypercall");
    return figure_of("bare.upcall_and_null_hypercall") -
           figure_of("hypercall.null");
}

static void sends(evtchn_port_t port, bool masked, uint64_t floor,
                  const char *name)
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
    figure("insn", BURST, t, floor, "event.%s", name);
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
    uint64_t upcall, of_ipi = 0, of_channel = 0; /* floors */
    struct ticks t;
    int rc = event_bind_ipi(0, count, NULL, &ipi);

    rc = rc ? rc : event_alloc_unbound(DOMID_SELF, count, NULL, &a);
    rc = rc ? rc : event_bind_interdomain(DOMID_SELF, a, count, NULL, &b);
    rc = rc ? rc : event_unmask(ipi) | event_unmask(a) | event_unmask(b);
    bench_check(rc, "ports");
    if (rc != 0)
        return;
    if (figure_of("hypercall.null") != 0) {
        upcall = bare_upcall();
        of_ipi = upcall + bare_send(ipi, "ipi");
        of_channel = upcall + bare_send(b, "channel");
    }
    sends(ipi, false, of_ipi, "to_self.ipi");
    sends(b, false, of_channel, "to_self.channel");
    sends(ipi, true, 0, "to_self.while_masked");
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

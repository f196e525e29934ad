/* SPDX-License-Identifier: MIT */
/*
 * Events between two domains: one answers, and the other one, which is created
 * next, measures.  bench/guests.sh has both.
 */
#include <plinth/events.h>
#include <plinth/parse.h>
#include <plinth/printk.h>
#include <plinth/sync.h>
#include <plinth/thread.h>
#include <plinth/time.h>

#include "../tests/bare.h"
#include "bench.h"

#define ROUNDS 25u /* in a millisecond of the clock there may be 64 */

static struct completion answered;

static void answer(evtchn_port_t port, void *arg __unused)
{
    (void)event_send(port);
}

static void note_answer(evtchn_port_t port __unused, void *arg __unused)
{
    complete(&answered);
}

/* For the domain of the next number, until somebody ends us. */
void bench_answer(void)
{
    const unsigned int self = own_domid();
    evtchn_port_t port;
    int rc = event_alloc_unbound((domid_t)(self + 1), answer, NULL, &port);

    rc = rc ? rc : event_unmask(port);
    bench_check(rc, "a port for another domain");
    if (rc == 0)
        say("bench answers at %u,%u\n", self, port);
    for (;;)
        thread_sleep(3600 * NSEC_PER_SEC);
}

static int there_and_back(evtchn_port_t port, uint64_t deadline)
{
    completion_reset(&answered);
    (void)event_send(port);
    return completion_wait(&answered, deadline);
}

/*
 * There, where it wakes up an idle domain and is answered by the handler, and back,
 * where a thread waits.  Each way is one event and one switch between domains.
 */
void bench_between(unsigned int domain, evtchn_port_t remote)
{
    const uint64_t deadline = ktime_ns() + 60 * NSEC_PER_SEC;
    evtchn_port_t port;
    struct ticks t;
    int rc = event_bind_interdomain((domid_t)domain, remote, note_answer, NULL,
                                    &port);

    bench_check(rc, "a port of another domain");
    if (rc != 0)
        return;
    rc = event_unmask(port);
    MEASURE_TICKS(t, thread_sleep(4 * EVENT_WINDOW_NS),
                  for (unsigned int n = 0; n < ROUNDS && rc == 0; n++) rc =
                      there_and_back(port, deadline));
    bench_check(rc, "an answer");
    bench_check(event_close(port), "close");
    if (rc == 0)
        figure("insn", 2ul * ROUNDS, t, 0, "event.between_domains");
}

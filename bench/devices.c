/* SPDX-License-Identifier: MIT */
/* What a domain has beside memory: xenstore, a console, nothing to do; its boot. */
#include <plinth/boot_report.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/heap.h>
#include <plinth/idle.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/start_info.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/xenstore.h>
#include <xen/io/xs_wire.h>

#include "bench.h"

#define ROUNDS 20u

/*
 * The floor: a request put into the ring as it is, and its answer taken out.  Only
 * before the driver has the ring, that is before this thread has waited.
 */
struct exchange {
    struct xenstore_domain_interface *ring;
    evtchn_port_t port;
};

static bool ring_read(const struct exchange *x, void *to, uint32_t len)
{
    const uint64_t deadline = ktime_ns() + 10 * NSEC_PER_SEC;
    uint8_t *bytes = to;

    while (x->ring->rsp_prod - x->ring->rsp_cons < len) {
        if (ktime_ns() >= deadline)
            return false;
        event_clear(x->port);
        if (x->ring->rsp_prod - x->ring->rsp_cons < len)
            event_poll(x->port, deadline);
        barrier();
    }
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = x->ring->rsp[MASK_XENSTORE_IDX(x->ring->rsp_cons + i)];
    __atomic_store_n(&x->ring->rsp_cons, x->ring->rsp_cons + len,
                     __ATOMIC_RELEASE);
    return true;
}

static bool exchange_once(const struct exchange *x)
{
    static struct {
        struct xsd_sockmsg head;
        char path[5];
    } request = { { .type = XS_READ, .req_id = ~0u, .len = 5 }, "name" };
    const uint32_t len = sizeof(request.head) + sizeof(request.path);
    struct xsd_sockmsg head;
    char value[64];

    for (uint32_t i = 0; i < len; i++)
        x->ring->req[MASK_XENSTORE_IDX(x->ring->req_prod + i)] =
            ((const char *)&request)[i];
    __atomic_store_n(&x->ring->req_prod, x->ring->req_prod + len,
                     __ATOMIC_RELEASE);
    (void)event_send(x->port);
    if (!ring_read(x, &head, sizeof(head)) || head.type != XS_READ ||
        head.req_id != ~0u || head.len > sizeof(value) ||
        !ring_read(x, value, head.len))
        return false;
    (void)event_send(x->port);
    return true;
}

void bench_bare_xenstore(void)
{
    const struct exchange x = {
        .ring = linear_ptr(m2p_lookup(_mfn(start_info()->store_mfn))),
        .port = start_info()->store_evtchn,
    };
    struct ticks t;

    /* A port without a handler is not masked. */
    if (is_dom0() || event_mask(x.port) == 0) {
        say("bench skipped: the bare xenstore ring is not to be had\n");
        (void)event_unmask(x.port);
        return;
    }
    for (unsigned int i = 0; i < ROUNDS; i++) {
        const uint64_t start = rdtsc();

        if (!exchange_once(&x))
            bench_fail("xenstore: the bare exchange");
        ticks_note(&t, i, rdtsc() - start);
    }
    figure("insn", 1, t, 0, "bare.xenstore.read");
}

/* Of guest, Xen, dom0 and xenstored together: the least of many. */
void bench_xenstore(void)
{
    struct xs_connection *xs;
    struct ticks t;
    char *value;
    int rc = xenstore(&xs);

    if (rc == -ENODEV) {
        say("bench skipped: xenstore: this domain has none\n");
        return;
    }
    bench_check(rc, "xenstore");
    if (rc != 0)
        return;
    for (unsigned int i = 0; i < ROUNDS; i++) {
        const uint64_t start = rdtsc();

        rc = xs_read(xs, XS_NO_TX, "name", &value, NULL);
        ticks_note(&t, i, rdtsc() - start);
        bench_check(rc, "reading the name");
        if (rc == 0)
            free(value);
    }
    figure("insn", 1, t, figure_of("bare.xenstore.read"), "xenstore.read");
}

/* A line of 80 characters.  In place of dom0 it goes to the serial port, by Xen. */
void bench_console(void)
{
    struct ticks t;

    if (is_dom0()) {
        say("bench skipped: console: this domain has none of its own\n");
        return;
    }
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t start;

        thread_sleep(20 * NSEC_PER_MSEC); /* so that the last one is gone */
        start = rdtsc();
        say("a line of 80 characters: ......................................"
            "................\n");
        ticks_note(&t, i, rdtsc() - start);
    }
    figure("insn", 1, t, 0, "console.line_of_80");
}

/* After a sleep whose end a timer of Xen's brings, how late is it? */
static void wake_up(void)
{
    struct ticks t;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        const uint64_t deadline = ktime_ns() + 10 * NSEC_PER_MSEC;

        thread_sleep_until(deadline);
        ticks_note(&t, i, ktime_ns() - deadline);
    }
    figure("ns", 1, t, 0, "idle.late_by");
}

void bench_idle(void)
{
    const uint64_t before = idle_count();

    thread_sleep(10 * NSEC_PER_SEC);
    figure_count("wake-ups", idle_count() - before, "idle.wake_ups_in_10s");
    wake_up();
}

void bench_boot(void)
{
    const struct page_stats pages = page_stats();
    struct ticks t;

    ticks_note(&t, 0, boot_cost());
    figure("insn", 1, t, 0, "boot.entry_to_all_up");
    ticks_note(&t, 0, main_tsc - boot_tsc);
    figure("insn", 1, t, 0, "boot.entry_to_main");
    figure_count("pages", start_info()->nr_pages - pages.free,
                 "boot.pages_in_use");
}

/* Alive, with nothing to do, until somebody ends the domain. */
void bench_stay(void)
{
    say("bench stays\n");
    for (;;)
        thread_sleep(3600 * NSEC_PER_SEC);
}

/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/console.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/spinlock.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <xen/io/console.h>

#define POLL_NS (100 * NSEC_PER_MSEC)

static struct xencons_interface *ring;
static evtchn_port_t port;
static struct spinlock lock; /* guards out_prod and what is behind it */
static struct console_stats stats;
static uint64_t unsaid; /* bytes lost since that was last said */
static bool stuck;      /* the other end has used up our patience */

#define RING_SIZE (sizeof(ring->out))

static uint32_t consumer(void)
{
    return __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE);
}

/*
 * Bytes that may be written.  The consumer's index is the other end's word:
 * when it claims more than was ever in the ring, the ring counts as full, so
 * that nothing is written on its say-so.
 */
static uint32_t room(void)
{
    const uint32_t used = ring->out_prod - consumer();

    return used <= RING_SIZE ? RING_SIZE - used : 0;
}

static bool has_room(void)
{
    return room() > 0;
}

static bool is_empty(void)
{
    return ring->out_prod == consumer();
}

static void notify(void)
{
    (void)event_send(port);
}

/* Sleep until the other end sends an event, POLL_NS at most. */
static void sleep_for_event(bool (*done)(void))
{
    /* A pending port ends the poll at once; so clear it, then look again. */
    event_clear(port);
    if (!done())
        event_poll(port, ktime_ns() + POLL_NS);
}

/* Until @done, or nothing has moved for as long as we care to wait. */
static int wait_until(bool (*done)(void))
{
    uint64_t deadline = ktime_ns() + CONSOLE_PATIENCE_NS;
    uint32_t seen = consumer();

    while (!done()) {
        if (consumer() != seen) {
            seen = consumer();
            deadline = ktime_ns() + CONSOLE_PATIENCE_NS;
        } else if (ktime_ns() >= deadline) {
            return -ETIMEDOUT;
        }
        notify();
        sleep_for_event(done);
    }
    return 0;
}

/*
 * Copy what fits without going round the end of the ring; how much it was.
 * Under the lock, since event handlers print too.
 */
static size_t put_some(const char *text, size_t len)
{
    const bool masked = spin_lock_events(&lock);
    const uint32_t prod = ring->out_prod;
    const uint32_t at = MASK_XENCONS_IDX(prod, ring->out);
    const size_t n = MIN(len, MIN((size_t)room(), RING_SIZE - at));

    memcpy(&ring->out[at], text, n);
    /* The bytes are there before the index says so. */
    __atomic_store_n(&ring->out_prod, prod + n, __ATOMIC_RELEASE);
    stats.written += n;
    spin_unlock_events(&lock, masked);
    return n;
}

/* All of it, waiting for room; returns how much was given up. */
static size_t put(const char *text, size_t len)
{
    while (len > 0) {
        const size_t n = put_some(text, len);

        text += n;
        len -= n;
        if (n > 0) {
            stuck = false;
            continue;
        }

        /* Full.  Who has let us down once is not waited for again. */
        stats.waits++;
        if (stuck || wait_until(has_room) != 0) {
            stuck = true;
            break;
        }
    }
    return len;
}

static void own_up(void)
{
    char text[48];
    int len;

    if (unsaid == 0 || room() < sizeof(text))
        return;
    len = scnprintf(text, sizeof(text), "\r\n[console: %lu bytes lost]\r\n",
                    unsaid);
    unsaid = put(text, len);
}

/* printk's sink.  A terminal behind `xl console` wants CR and LF. */
static void ring_sink(const char *text, size_t len)
{
    size_t lost = 0;

    own_up();
    while (len > 0) {
        size_t n = 0;

        while (n < len && text[n] != '\n')
            n++;
        lost += put(text, n);
        if (n < len) {
            lost += put("\r\n", 2);
            n++;
        }
        text += n;
        len -= n;
    }
    stats.lost += lost;
    unsaid += lost;
    notify();
}

static void dom0_sink(const char *text, size_t len)
{
    printk_hypervisor_sink(text, len);
    stats.written += len;
}

void console_init(void)
{
    const struct start_info *si = start_info();
    const mfn_t mfn = _mfn(si->console.domU.mfn);

    if (is_dom0()) {
        printk_set_sink(dom0_sink);
        return;
    }

    ring = linear_ptr(m2p_lookup(mfn));
    if (ring == NULL)
        panic("console: its ring, mfn %#lx, is not mapped", mfn_x(mfn));
    port = si->console.domU.evtchn;
    printk_set_sink(ring_sink);
}

int console_drain(void)
{
    int rc;

    if (ring == NULL)
        return 0;
    rc = wait_until(is_empty);
    if (rc == 0 && unsaid > 0) {
        own_up();
        notify();
        rc = wait_until(is_empty);
    }
    return rc;
}

struct console_stats console_stats(void)
{
    return stats;
}

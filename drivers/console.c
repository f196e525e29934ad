/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/console.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/hypercall.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/spinlock.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/sync.h>
#include <plinth/thread.h>
#include <xen/io/console.h>

#define POLL_NS (100 * NSEC_PER_MSEC)
/* Where nobody clears the port: it may be pending, and then no event wakes. */
#define POLL_BLIND_NS (10 * NSEC_PER_MSEC)

static struct xencons_interface *ring;
static evtchn_port_t port;
static bool attached;        /* the port has our handler */
static struct spinlock lock; /* guards out_prod and what is behind it */
static struct mutex writer;  /* threads write one after the other */
static struct mutex reader;  /* and read so; guards @input */
static struct console_input input;
static struct wait_queue waiters; /* for any event */
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

/*
 * Waiting.  The port is masked but while a thread waits, so that nobody is
 * interrupted for what nobody waits for.
 */
static void console_event(evtchn_port_t p, void *arg __unused)
{
    const bool masked = spin_lock_events(&waiters.lock);

    (void)event_mask(p);
    while (wait_queue_wake(&waiters) != NULL)
        ;
    spin_unlock_events(&waiters.lock, masked);
}

/*
 * Until an event or @deadline, unless @done already.  An event from before, when
 * the port was masked, has not been forgotten and ends it, too.
 */
static int thread_wait(bool (*done)(void), uint64_t deadline)
{
    const bool masked = spin_lock_events(&waiters.lock);
    int rc = 0;

    if (!done()) {
        (void)event_unmask(port);
        rc = wait_queue_sleep(&waiters, deadline);
    }
    spin_unlock_events(&waiters.lock, masked);
    return rc;
}

/* Before there are threads, with events masked, and in a panic. */
static void poll_wait(bool (*done)(void))
{
    if (attached) {
        event_poll_any(ktime_ns() + POLL_BLIND_NS);
        return;
    }
    /* A pending port ends the poll at once; so clear it, then look again. */
    event_clear(port);
    if (!done())
        event_poll(port, ktime_ns() + POLL_NS);
}

/* Until the other end sends an event, POLL_NS at most. */
static void wait_for_event(bool (*done)(void))
{
    if (attached && thread_may_wait())
        (void)thread_wait(done, ktime_ns() + POLL_NS);
    else
        poll_wait(done);
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
        wait_for_event(done);
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

/* A terminal behind `xl console` wants CR and LF. */
static void put_lines(const char *text, size_t len)
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

/*
 * printk's sink.  Others may write while a thread waits for room: other threads
 * take turns, and who cannot wait goes first; so does a trap's handler that has
 * come in between a write.
 */
static void ring_sink(const char *text, size_t len)
{
    const bool turns = thread_may_wait() && !mutex_is_mine(&writer);

    if (turns)
        mutex_lock(&writer);
    put_lines(text, len);
    if (turns)
        mutex_unlock(&writer);
}

/* Of dom0, and a domU without a ring; Xen hears that one in debug builds only. */
static void xen_sink(const char *text, size_t len)
{
    printk_hypervisor_sink(text, len);
    stats.written += len;
}

/*
 * Input.
 */
size_t console_input_take(struct console_input *in, char *buf, size_t len)
{
    struct xencons_interface *r = in->ring;
    const uint32_t cons = in->cons;
    const uint32_t used = __atomic_load_n(&r->in_prod, __ATOMIC_ACQUIRE) - cons;
    size_t n = 0;

    if (used > sizeof(r->in)) {
        in->cons = cons + used;
        in->nonsense++;
    } else {
        for (; n < len && n < used; n++)
            buf[n] = r->in[MASK_XENCONS_IDX(cons + n, r->in)];
        in->cons = cons + n;
    }

    /*
     * They are copied before the index says so.  The other end, should it have
     * seen a full ring before that, waits to be told.
     */
    __atomic_store_n(&r->in_cons, in->cons, __ATOMIC_SEQ_CST);
    in->was_full =
        in->cons != cons &&
        __atomic_load_n(&r->in_prod, __ATOMIC_SEQ_CST) - cons >= sizeof(r->in);
    return n;
}

static bool has_input(void)
{
    return __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE) != input.cons;
}

static int take_from_ring(char *buf, size_t len)
{
    const size_t n = console_input_take(&input, buf, len);

    if (input.was_full)
        notify();
    return (int)n;
}

/* Xen does not tell whether there is any but by handing it out. */
static bool never(void)
{
    return false;
}

static int take_from_xen(char *buf, size_t len)
{
    return hypercall_console_read(buf, len);
}

static int read_until(char *buf, size_t len, uint64_t deadline)
{
    bool (*const done)(void) = ring != NULL ? has_input : never;
    int n, rc = 0;

    for (;;) {
        n = ring != NULL ? take_from_ring(buf, len) : take_from_xen(buf, len);
        if (n != 0 || rc != 0)
            break;
        rc = thread_wait(done, deadline);
    }
    return n != 0 ? n : rc;
}

int console_read(char *buf, size_t len, uint64_t deadline)
{
    int rc;

    if (len == 0)
        return -EINVAL;
    if (!attached)
        return -ENODEV;
    rc = mutex_lock_until(&reader, deadline);
    if (rc != 0)
        return rc;
    rc = read_until(buf, MIN(len, (size_t)INT_MAX), deadline);
    mutex_unlock(&reader);
    return rc;
}

void console_write(const char *text, size_t len)
{
    if (ring != NULL)
        ring_sink(text, len);
    else
        xen_sink(text, len);
}

static void echo(void *ctx __unused, const char *text, size_t len)
{
    console_write(text, len);
}

int console_read_line(struct lineedit *edit, const char *prompt,
                      uint64_t deadline)
{
    enum lineedit_state state = LINEEDIT_MORE;

    edit->echo = echo;
    lineedit_start(edit, prompt);
    while (state == LINEEDIT_MORE) {
        char c;
        const int rc = console_read(&c, 1, deadline);

        if (rc < 0)
            return rc;
        state = lineedit_feed(edit, c);
    }
    return state == LINEEDIT_LINE    ? 0
           : state == LINEEDIT_BREAK ? -EAGAIN
                                     : -ENODATA;
}

void console_init(void)
{
    const struct start_info *si = start_info();
    const mfn_t mfn = _mfn(si->console.domU.mfn);

    printk_set_sink(xen_sink);
    if (is_dom0())
        return;

    ring = linear_ptr(m2p_lookup(mfn));
    if (ring == NULL) {
        pr_warn("console: its ring, mfn %#lx, is not mapped", mfn_x(mfn));
        return;
    }
    port = si->console.domU.evtchn;
    input = (struct console_input){ .ring = ring, .cons = ring->in_cons };
    printk_set_sink(ring_sink);
}

void console_attach(void)
{
    int rc;

    if (ring != NULL)
        rc = event_attach(port, console_event, NULL);
    else if (!is_dom0())
        rc = -ENODEV;
    else
        rc = event_bind_virq(VIRQ_CONSOLE, 0, console_event, NULL, &port);
    if (rc != 0)
        pr_warn("console: no input: port %u: %s", port, errno_name(rc));
    attached = rc == 0;
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

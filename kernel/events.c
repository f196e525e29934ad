/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/hypercall.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/shared_info.h>
#include <plinth/spinlock.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/trap.h>
#include <plinth/upcall.h>

#include "events_abi.h"

_Static_assert(FIX_SHARED_INFO == 0 &&
                   offsetof(struct shared_info, vcpu_info) == 0,
               "as THIS_VCPU_INFO() has it");
_Static_assert(offsetof(struct vcpu_info, evtchn_upcall_pending) ==
                       VCPU_INFO_PENDING &&
                   offsetof(struct vcpu_info, evtchn_upcall_mask) ==
                       VCPU_INFO_MASK,
               "as THIS_VCPU_INFO() has it");

static const struct event_abi *abi = &event_abi_2l;

/*
 * Why a port is masked.  It is unmasked for Xen when no reason is left.  A port
 * that fires all the same, because two vCPUs differ for a moment, is put back.
 */
#define BY_OWNER  (1u << 0)
#define RUNNING   (1u << 1) /* its handler */
#define THROTTLED (1u << 2) /* until the window ends */

struct port {
    event_handler_t *fn; /* NULL: nobody's */
    void *arg;
    uint32_t total;           /* how often it was handled, modulo 2^32 */
    uint32_t window;          /* the last one in which it was.. */
    evtchn_port_t next;       /* throttled port of this vCPU; 0: no more */
    uint16_t vcpu : 12;       /* that Xen notifies, and that calls @fn */
    uint16_t not_default : 4; /* the priority, xor that of a new port */
    uint8_t reasons;          /* atomic */
    uint8_t count;            /* ..and how often; EVENT_PORT_BURST at most */
};
BUILD_BUG_ON(EVENT_PORT_BURST > UINT8_MAX || MAX_VCPUS > 1u << 12);

#define CHUNK     (PAGE_SIZE / sizeof(struct port))
#define NR_CHUNKS (EVTCHN_FIFO_NR_CHANNELS / CHUNK)
BUILD_BUG_ON(PAGE_SIZE % sizeof(struct port) != 0);

/*
 * Grows by a page at a time under @lock, and never shrinks, so that handlers
 * read it without.  @lock guards who has a handler, too.
 */
static struct port *chunks[NR_CHUNKS];
static struct spinlock lock;
static uint64_t nr_chunks, nr_attached;

/* Of each vCPU, written in its upcalls only. */
static struct event_vcpu {
    uint64_t window_end;
    uint32_t window; /* its number */
    uint32_t handled;
    evtchn_port_t throttled; /* the first of them */
    struct timer release;
    struct event_stats stats;
} event_vcpus[MAX_VCPUS];

void events_upcall(struct regs *regs);

/* Xen looks at the mask when it returns to the guest, from any hypercall. */
void upcall_force(void)
{
    (void)hypercall_xen_version(XENVER_version, NULL);
}

/*
 * Ports.
 */
static struct port *lookup(evtchn_port_t port)
{
    struct port *chunk;

    if (port >= EVTCHN_FIFO_NR_CHANNELS)
        return NULL;
    chunk = __atomic_load_n(&chunks[port / CHUNK], __ATOMIC_ACQUIRE);
    return chunk != NULL ? &chunk[port % CHUNK] : NULL;
}

static struct port *lookup_attached(evtchn_port_t port)
{
    struct port *p = lookup(port);

    return p != NULL && p->fn != NULL ? p : NULL;
}

static void add_reason(struct port *p, uint8_t reason)
{
    __atomic_fetch_or(&p->reasons, reason, __ATOMIC_SEQ_CST);
}

static void __noinline unmask_by_xen(evtchn_port_t port)
{
    struct evtchn_unmask arg = { .port = port };

    (void)hypercall_event_channel_op(EVTCHNOP_unmask, &arg);
}

/* Without @reason, and any other, Xen may deliver the port's events. */
static inline void drop_reason(evtchn_port_t port, struct port *p,
                               uint8_t reason)
{
    if (__atomic_and_fetch(&p->reasons, (uint8_t)~reason, __ATOMIC_SEQ_CST) ==
            0 &&
        abi->unmask(port))
        unmask_by_xen(port);
}

int event_mask(evtchn_port_t port)
{
    struct port *p = lookup_attached(port);

    if (p == NULL)
        return -EINVAL;
    add_reason(p, BY_OWNER);
    abi->mask(port);
    return 0;
}

int event_unmask(evtchn_port_t port)
{
    struct port *p = lookup_attached(port);

    if (p == NULL)
        return -EINVAL;
    drop_reason(port, p, BY_OWNER);
    return 0;
}

int event_send(evtchn_port_t port)
{
    struct evtchn_send arg = { .port = port };

    return hypercall_event_channel_op(EVTCHNOP_send, &arg);
}

/* Xen does not tell it, so it is kept for the report. */
static void note_priority(evtchn_port_t port, unsigned int priority)
{
    struct port *p;

    spin_lock(&lock);
    p = lookup(port);
    if (p != NULL)
        p->not_default = priority ^ EVTCHN_FIFO_PRIORITY_DEFAULT;
    spin_unlock(&lock);
}

int event_set_priority(evtchn_port_t port, unsigned int priority)
{
    struct evtchn_set_priority arg = { .port = port, .priority = priority };
    const int rc = hypercall_event_channel_op(EVTCHNOP_set_priority, &arg);

    if (rc == 0)
        note_priority(port, priority);
    return rc;
}

void event_look(evtchn_port_t port, struct event_view *view)
{
    const struct port *p = lookup(port);

    *view = (struct event_view){
        .priority = EVTCHN_FIFO_PRIORITY_DEFAULT,
        .state = abi->state(port),
    };
    if (p != NULL) {
        view->fn = __atomic_load_n(&p->fn, __ATOMIC_ACQUIRE);
        view->total = p->total;
        view->priority ^= p->not_default;
        view->throttled = p->reasons & THROTTLED;
    }
}

/*
 * Storms.
 */
static bool next_window(struct event_vcpu *v)
{
    const uint64_t now = ktime_ns();

    if (now < v->window_end)
        return false;
    v->window_end = now + EVENT_WINDOW_NS;
    v->window++;
    v->handled = 0;
    return true;
}

static void release_throttled(struct timer *timer __unused, void *arg)
{
    struct event_vcpu *v = arg;
    evtchn_port_t port = v->throttled;

    (void)next_window(v);
    v->throttled = 0;
    while (port != 0) {
        struct port *p = lookup(port);
        const evtchn_port_t next = p->next;

        drop_reason(port, p, THROTTLED);
        port = next;
    }
}

/*
 * The first one makes the window end a whole length from now: however long the
 * handlers have taken, as much time is left to the interrupted code.
 */
static void throttle(struct event_vcpu *v, evtchn_port_t port, struct port *p)
{
    if (v->throttled == 0) {
        v->window_end = ktime_ns() + EVENT_WINDOW_NS;
        timer_arm(&v->release, v->window_end);
    }
    add_reason(p, THROTTLED);
    p->next = v->throttled;
    v->throttled = port;
    v->stats.throttled++;
}

/*
 * Count one more event of @p; is that too many?  The clock is looked at only
 * then, and if the window is over there is a new one, with new counts.
 */
static bool is_storm(struct event_vcpu *v, struct port *p)
{
    if (p->window != v->window) {
        p->window = v->window;
        p->count = 0;
    }
    p->count++;
    v->handled++;
    if (p->count < EVENT_PORT_BURST && v->handled < EVENT_BURST)
        return false;
    return !next_window(v);
}

/*
 * Delivery.
 */
static void deliver_stray(struct event_vcpu *v, evtchn_port_t port)
{
    if (v->stats.stray++ == 0)
        pr_warn("events: port %u has no handler; masked, and so will be "
                "others, in silence",
                port);
}

unsigned int event_vcpu(evtchn_port_t port)
{
    const struct port *p = lookup(port);

    return p != NULL ? p->vcpu : 0;
}

/* The event stays for later; if no reason is left by now, that is at once. */
static void put_back(evtchn_port_t port, struct port *p)
{
    add_reason(p, RUNNING);
    abi->set(port);
    drop_reason(port, p, RUNNING);
}

void event_deliver(evtchn_port_t port)
{
    struct event_vcpu *v = &event_vcpus[vcpu_id()];
    struct port *p = lookup(port);
    uint8_t none = 0;

    if (p == NULL || p->fn == NULL) {
        abi->set(port);
        deliver_stray(v, port);
        return;
    }
    if (!__atomic_compare_exchange_n(&p->reasons, &none, RUNNING, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        put_back(port, p);
        return;
    }

    v->stats.handled++;
    p->total++;
    p->fn(port, p->arg);

    if (p->fn != timer_event && is_storm(v, p))
        throttle(v, port, p);
    drop_reason(port, p, RUNNING);
}

/*
 * From entry.S, on the event stack, with upcalls masked.  The flag is cleared
 * before there is a look at the ports; one that fires behind it sets the flag
 * again, and if that is not seen here, it is on the way back.
 */
void events_upcall(struct regs *regs __unused)
{
    struct vcpu_info *info = this_vcpu_info();
    struct event_vcpu *v = &event_vcpus[vcpu_id()];
    /* Of a page fault that we may have come in front of the handler of. */
    const uint64_t cr2 = info->arch.cr2;

    this_vcpu()->in_event = true;
    v->stats.upcalls++;
    do {
        __atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
        abi->scan();
    } while (__atomic_load_n(&info->evtchn_upcall_pending, __ATOMIC_RELAXED) !=
             0);
    this_vcpu()->in_event = false;

    info->arch.cr2 = cr2;
}

/*
 * Binding.
 */
static int close(evtchn_port_t port)
{
    struct evtchn_close arg = { .port = port };

    return hypercall_event_channel_op(EVTCHNOP_close, &arg);
}

static int grow(evtchn_port_t port)
{
    int rc = abi->grow(port);

    if (rc == 0 && chunks[port / CHUNK] == NULL) {
        void *page = page_alloc_zeroed(0);

        if (page == NULL)
            return -ENOMEM;
        __atomic_store_n(&chunks[port / CHUNK], page, __ATOMIC_RELEASE);
        nr_chunks++;
    }
    return rc;
}

static int attach(evtchn_port_t port, unsigned int vcpu, event_handler_t *fn,
                  void *arg)
{
    struct port *p;
    int rc;

    spin_lock(&lock);
    rc = grow(port);
    p = rc == 0 ? lookup(port) : NULL;
    if (p != NULL && p->fn != NULL) {
        rc = -EEXIST;
    } else if (p != NULL) {
        add_reason(p, BY_OWNER);
        abi->mask(port);
        p->arg = arg;
        p->vcpu = vcpu;
        p->total = 0;
        __atomic_store_n(&p->fn, fn, __ATOMIC_RELEASE);
        nr_attached++;
    }
    spin_unlock(&lock);
    return rc;
}

int event_attach(evtchn_port_t port, event_handler_t *fn, void *arg)
{
    struct evtchn_status status = { .dom = DOMID_SELF, .port = port };
    int rc;

    if (fn == NULL)
        return -EINVAL;
    rc = hypercall_event_channel_op(EVTCHNOP_status, &status);
    if (rc == 0 && status.status == EVTCHNSTAT_closed)
        rc = -EINVAL;
    return rc != 0 ? rc : attach(port, status.vcpu, fn, arg);
}

int event_detach(evtchn_port_t port)
{
    struct port *p;

    spin_lock(&lock);
    p = lookup_attached(port);
    if (p != NULL) {
        (void)event_mask(port);
        /* Another vCPU may be in the handler: then until it is through. */
        while (__atomic_load_n(&p->reasons, __ATOMIC_SEQ_CST) & RUNNING)
            cpu_relax();
        p->fn = NULL;
        nr_attached--;
    }
    spin_unlock(&lock);
    return p != NULL ? 0 : -EINVAL;
}

int event_close(evtchn_port_t port)
{
    const int rc = event_detach(port);

    return rc != 0 ? rc : close(port);
}

/* Xen has bound @port for us; without a handler it is not kept. */
static int bound(evtchn_port_t port, unsigned int vcpu, event_handler_t *fn,
                 void *arg, evtchn_port_t *out)
{
    const int rc = attach(port, vcpu, fn, arg);

    if (rc != 0) {
        BUG_ON(close(port) != 0);
        return rc;
    }
    note_priority(port, EVTCHN_FIFO_PRIORITY_DEFAULT);
    *out = port;
    return 0;
}

int event_alloc_unbound(domid_t remote, event_handler_t *fn, void *arg,
                        evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {
        .dom = DOMID_SELF,
        .remote_dom = remote,
    };
    int rc;

    if (fn == NULL)
        return -EINVAL;
    rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);
    return rc != 0 ? rc : bound(op.port, 0, fn, arg, port);
}

int event_bind_interdomain(domid_t remote, evtchn_port_t remote_port,
                           event_handler_t *fn, void *arg, evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = {
        .remote_dom = remote,
        .remote_port = remote_port,
    };
    int rc;

    if (fn == NULL)
        return -EINVAL;
    rc = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);
    return rc != 0 ? rc : bound(op.local_port, 0, fn, arg, port);
}

int event_bind_virq(unsigned int virq, unsigned int vcpu, event_handler_t *fn,
                    void *arg, evtchn_port_t *port)
{
    struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
    int rc;

    if (fn == NULL)
        return -EINVAL;
    rc = hypercall_event_channel_op(EVTCHNOP_bind_virq, &op);
    return rc != 0 ? rc : bound(op.port, vcpu, fn, arg, port);
}

int event_bind_ipi(unsigned int vcpu, event_handler_t *fn, void *arg,
                   evtchn_port_t *port)
{
    struct evtchn_bind_ipi op = { .vcpu = vcpu };
    int rc;

    if (fn == NULL)
        return -EINVAL;
    rc = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op);
    return rc != 0 ? rc : bound(op.port, vcpu, fn, arg, port);
}

/*
 * Polling.
 */
void event_clear(evtchn_port_t port)
{
    ASSERT(lookup_attached(port) == NULL);
    abi->clear(port);
}

void event_poll(evtchn_port_t port, uint64_t deadline)
{
    struct sched_poll poll = {
        .nr_ports = 1,
        .timeout = ktime_to_xen(deadline),
    };

    ASSERT(lookup_attached(port) == NULL);
    set_xen_guest_handle(poll.ports, &port);
    (void)hypercall_sched_op(SCHEDOP_poll, &poll);
}

void event_poll_any(uint64_t deadline)
{
    struct sched_poll poll = { .timeout = ktime_to_xen(deadline) };

    (void)hypercall_sched_op(SCHEDOP_poll, &poll);
}

void events_init(bool two_level)
{
    for (unsigned int i = 0; i < MAX_VCPUS; i++)
        timer_setup(&event_vcpus[i].release, release_throttled,
                    &event_vcpus[i]);

    if (!two_level && event_fifo_init() == 0)
        abi = &event_abi_fifo;
}

const char *events_abi(void)
{
    return abi->name;
}

struct event_stats event_stats(void)
{
    struct event_stats all = {
        .attached = nr_attached,
        .pages = nr_chunks + event_fifo_pages(),
    };

    for (unsigned int i = 0; i < MAX_VCPUS; i++) {
        all.upcalls += event_vcpus[i].stats.upcalls;
        all.handled += event_vcpus[i].stats.handled;
        all.stray += event_vcpus[i].stats.stray;
        all.throttled += event_vcpus[i].stats.throttled;
    }
    return all;
}

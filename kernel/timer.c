/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/spinlock.h>
#include <plinth/time.h>
#include <plinth/timer.h>

/* @lock guards all of it, and is taken by spin_lock_events(). */
static struct queue {
    struct spinlock lock;
    struct pheap heap;
    uint64_t set_for;            /* what Xen's timer is set for, or never */
    uint64_t now;                /* of the round of callbacks, when one is on */
    const struct timer *running; /* whose callback that is */
    evtchn_port_t port;
    struct timer_stats stats;
} queues[MAX_VCPUS];

static struct timer *first_of(const struct queue *q)
{
    return q->heap.first != NULL
               ? container_of(q->heap.first, struct timer, node)
               : NULL;
}

/* The first deadline in the queue; KTIME_NEVER when it is empty. */
static uint64_t first_deadline(const struct queue *q)
{
    const struct timer *first = first_of(q);

    return first != NULL ? first->node.key : KTIME_NEVER;
}

/*
 * Xen's timer, which only the vCPU itself may set.  Without VCPU_SSHOTTMR_future
 * a deadline in the past is no error: it fires at once.
 */
static void set(struct queue *q, uint64_t deadline)
{
    struct vcpu_set_singleshot_timer arg = {
        .timeout_abs_ns = ktime_to_xen(deadline),
    };
    const unsigned int op = deadline == KTIME_NEVER
                                ? VCPUOP_stop_singleshot_timer
                                : VCPUOP_set_singleshot_timer;
    const int rc = hypercall_vcpu_op(op, vcpu_id(), &arg);

    BUG_ON(rc != 0);
    q->set_for = deadline;
    q->stats.set++;
}

void timer_setup(struct timer *timer, timer_fn_t *fn, void *arg)
{
    *timer = (struct timer){ .fn = fn, .arg = arg };
}

static void remove(struct queue *q, struct timer *timer)
{
    pheap_remove(&q->heap, &timer->node);
    timer->armed = false;
    q->stats.armed--;
}

void timer_arm(struct timer *timer, uint64_t deadline)
{
    const bool masked = upcall_mask();
    struct queue *q = &queues[vcpu_id()];

    (void)timer_cancel(timer);
    spin_lock_events(&q->lock);

    /* What callbacks arm is for a later round than this one. */
    timer->node.key =
        q->running != NULL && deadline <= q->now ? q->now + 1 : deadline;
    timer->vcpu = vcpu_id();
    timer->armed = true;
    pheap_add(&q->heap, &timer->node);
    q->stats.armed++;
    if (q->running == NULL && timer->node.key < q->set_for)
        set(q, timer->node.key);

    spin_unlock_events(&q->lock, true);
    upcall_restore(masked);
}

bool timer_cancel(struct timer *timer)
{
    struct queue *q = &queues[timer->vcpu];
    const bool masked = spin_lock_events(&q->lock);
    const bool was_armed = timer->armed;

    if (was_armed)
        remove(q, timer);
    spin_unlock_events(&q->lock, masked);

    /* Another vCPU may be calling it: then until that is through. */
    while (timer->vcpu != vcpu_id() &&
           __atomic_load_n(&q->running, __ATOMIC_ACQUIRE) == timer)
        cpu_relax();
    return was_armed;
}

/* @always: what Xen's timer is set for may not be what is noted here. */
static void sync(bool always)
{
    const bool masked = upcall_mask();
    struct queue *q = &queues[vcpu_id()];
    uint64_t deadline;

    spin_lock_events(&q->lock);
    deadline = first_deadline(q);
    if (always || q->set_for != deadline)
        set(q, deadline);
    spin_unlock_events(&q->lock, true);
    upcall_restore(masked);
}

void timer_sync(void)
{
    sync(false);
}

void timer_resync(void)
{
    sync(true);
}

/*
 * One round: all that is due at its start.  Nobody touches a timer once its
 * callback has begun, since it may be gone.
 */
static void run(struct queue *q)
{
    struct timer *t;

    while ((t = first_of(q)) != NULL && t->node.key <= q->now) {
        remove(q, t);
        q->running = t;
        spin_unlock_events(&q->lock, true);
        t->fn(t, t->arg);
        spin_lock_events(&q->lock);
        __atomic_store_n(&q->running, NULL, __ATOMIC_RELEASE);
    }
}

void timer_event(evtchn_port_t port __unused, void *arg)
{
    struct queue *q = arg;
    uint64_t deadline;

    spin_lock_events(&q->lock);
    q->stats.interrupts++;
    q->set_for = KTIME_NEVER;
    q->now = ktime_ns();
    run(q);
    deadline = first_deadline(q);
    if (deadline != KTIME_NEVER)
        set(q, MAX(deadline, ktime_ns() + TIMER_GAP_NS));
    spin_unlock_events(&q->lock, true);
}

void timer_init(void)
{
    const unsigned int vcpu = vcpu_id();
    struct queue *q = &queues[vcpu];
    int rc;

    q->set_for = KTIME_NEVER;
    rc = hypercall_vcpu_op(VCPUOP_stop_periodic_timer, vcpu, NULL);
    if (rc == 0)
        rc = event_bind_virq(VIRQ_TIMER, vcpu, timer_event, q, &q->port);
    if (rc != 0)
        panic("timer: Xen refuses it: %s", errno_name(rc));

    /* The first of events, where there is an order. */
    (void)event_set_priority(q->port, EVTCHN_FIFO_PRIORITY_MAX);
    (void)event_unmask(q->port);
}

struct timer_stats timer_stats(void)
{
    struct timer_stats all = { 0 };

    for (unsigned int i = 0; i < MAX_VCPUS; i++) {
        all.armed += queues[i].stats.armed;
        all.set += queues[i].stats.set;
        all.interrupts += queues[i].stats.interrupts;
    }
    return all;
}

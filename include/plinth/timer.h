/* SPDX-License-Identifier: MIT */
/*
 * timer: a function called when a time has come.
 *
 * Each vCPU has a queue, and sets Xen's one-shot timer to the first deadline in
 * it.  There is no tick: without a timer nothing happens.
 *
 * A callback is called once for each timer_arm(), not before the deadline, as
 * an event handler (plinth/events.h says what that may do), in the order of the
 * deadlines.  It may arm any timer again, its own too, and cancel any; and
 * free the timer it is called for.  What it arms for a time that has come fires
 * not at once, but after TIMER_GAP_NS, so that the interrupted code goes on.
 *
 *   units    nanoseconds of ktime (plinth/time.h)
 *   owns     a timer is the caller's memory, and stays there while it is armed
 *   context  any, after timer_init().  One timer is armed and cancelled by one
 *            vCPU at a time
 *   failure  none
 *   source   public/vcpu.h: VCPUOP_set_singleshot_timer
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/events.h>
#include <plinth/pheap.h>

/* Between two interrupts by timers that were armed by callbacks. */
#define TIMER_GAP_NS 20000ull

struct timer;
typedef void timer_fn_t(struct timer *timer, void *arg);

struct timer {
    struct pheap_node node; /* key: the deadline */
    timer_fn_t *fn;
    void *arg;
    unsigned int vcpu; /* whose queue it is in.. */
    bool armed;        /* ..when it is in one */
};

/* Stop Xen's 100 Hz and take its timer interrupt.  Panics when Xen refuses. */
void timer_init(void);

/* Before all others, once. */
void timer_setup(struct timer *timer, timer_fn_t *fn, void *arg);

/* Call it at @deadline or soon after, on this vCPU; not at any former one. */
void timer_arm(struct timer *timer, uint64_t deadline);

/*
 * Was it armed?  It will not be called now, and is not being called, unless by
 * whom this was called.
 */
bool timer_cancel(struct timer *timer);

static inline bool timer_armed(const struct timer *timer)
{
    return timer->armed;
}

/*
 * Have Xen's timer say what the queue of this vCPU does.  Cancelling leaves it
 * set, because often another timer follows; whoever is about to sleep calls
 * this.
 */
void timer_sync(void);

/* The same after somebody else has set Xen's timer, as tests do. */
void timer_resync(void);

/* The handler of VIRQ_TIMER. */
void timer_event(evtchn_port_t port, void *arg);

/* Timers armed now; times that Xen's timer was set, stopped, and has fired. */
struct timer_stats {
    uint64_t armed;
    uint64_t set;
    uint64_t interrupts;
};
struct timer_stats timer_stats(void);

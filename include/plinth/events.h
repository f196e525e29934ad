/* SPDX-License-Identifier: MIT */
/*
 * events: event channels, and who handles what arrives by them.
 *
 * A port is this domain's end of a channel, or where a virtual interrupt of
 * Xen's or an event of one vCPU for another arrives.  Whoever binds a port gives
 * a handler; the port starts masked, and event_unmask() lets events in.
 *
 * An event is one bit: sent again before it was handled, it is still one.  So a
 * handler looks for all there is to do.  While it runs its port is masked, and
 * an event that arrives meanwhile is handled afterwards.
 *
 * Handlers run on a stack of their own, with this vCPU's upcalls masked.  They
 * are short; do not sleep, allocate, or change page tables; take no lock but by
 * spin_lock_events(); and have no `__thread` variables, as FS may be user mode's.
 * They may send, mask, arm timers, print.
 *
 * So that nobody can keep us busy by sending: when a port has fired
 * EVENT_PORT_BURST times, or all ports of a vCPU EVENT_BURST times, in less than
 * EVENT_WINDOW_NS, it stays masked, and so does each that fires then, until
 * EVENT_WINDOW_NS have gone by.  Only the timer's own port, which ends that, does
 * not count.
 *
 *   units    ports, as Xen numbers them
 *   owns     a port belongs to whoever has bound it, until event_close()
 *   context  event_mask(), event_unmask(), event_send(): any; all others threads
 *            and boot, unless they say otherwise
 *   failure  what Xen says (-EINVAL: no such port, or not so bound; -EEXIST: the
 *            VIRQ is bound already; -ENOSPC: no more ports; -ESRCH: no such
 *            domain; -ENOENT: no such vCPU), or -ENOMEM; nothing is bound then.
 *            -EINVAL for a port that has no handler where one is needed
 *   source   public/event_channel.h; Xen common/event_channel.c, event_fifo.c
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <xen/event_channel.h>

#define EVENT_WINDOW_NS  1000000ull
#define EVENT_PORT_BURST 64u
#define EVENT_BURST      256u

typedef void event_handler_t(evtchn_port_t port, void *arg);

/*
 * FIFO channels if Xen has them and @two_level is false.  Panics when Xen takes
 * the FIFO's pages and then will not use them: there is no way back.
 */
void events_init(bool two_level);

/* "FIFO" or "2-level". */
const char *events_abi(void);

/* An end that domain @remote may bind the other end to. */
int __must_check event_alloc_unbound(domid_t remote, event_handler_t *fn,
                                     void *arg, evtchn_port_t *port);

/*
 * The other end of @remote's unbound port, which is for us.  One event is
 * pending at once, on our side: the remote may have sent before.
 */
int __must_check event_bind_interdomain(domid_t remote,
                                        evtchn_port_t remote_port,
                                        event_handler_t *fn, void *arg,
                                        evtchn_port_t *port);

int __must_check event_bind_virq(unsigned int virq, unsigned int vcpu,
                                 event_handler_t *fn, void *arg,
                                 evtchn_port_t *port);

/* event_send() to it makes @vcpu call @fn. */
int __must_check event_bind_ipi(unsigned int vcpu, event_handler_t *fn,
                                void *arg, evtchn_port_t *port);

/*
 * A handler for a port that others have bound for us: the console's, xenstore's.
 * -EEXIST when it has one.  event_detach() takes the handler away, masked, and
 * leaves the port bound.
 */
int __must_check event_attach(evtchn_port_t port, event_handler_t *fn,
                              void *arg);
int event_detach(evtchn_port_t port);

/* No handler of @port runs any more when this returns, and none will. */
int event_close(evtchn_port_t port);

/*
 * A masked port remembers one event.  Unmasking has it handled.  They do not
 * nest.
 */
int event_mask(evtchn_port_t port);
int event_unmask(evtchn_port_t port);

/* Tell the other end.  Sending to an end that nobody has bound is no error. */
int event_send(evtchn_port_t port);

/*
 * Events of @priority are handled before those of a larger number: 0 to 15, at
 * first 7.  -ENOSYS by the 2-level ABI, which has none.
 */
int event_set_priority(evtchn_port_t port, unsigned int priority);

/*
 * Waiting without a handler, for a port that has none: forget what is pending,
 * look whether there is still need to wait, and poll.  Polling ends when the
 * port becomes pending, at @deadline (ktime), or early.  Works masked, at boot
 * and in a panic.
 */
void event_clear(evtchn_port_t port);
void event_poll(evtchn_port_t port, uint64_t deadline);

/*
 * The same without a port, where handlers cannot run: sleep until some port
 * becomes pending that was not, until @deadline, or less.
 */
void event_poll_any(uint64_t deadline);

/*
 * Print a line for each port that is bound, for the first @max of them, and how
 * many more there are: its other end, which vCPU is told, priority, whether it
 * is pending (P), masked (M), throttled (T), how many events its handler got
 * since it has it, and the handler's name.  Returns how many are bound.
 *
 * Context: any.  One hypercall for each port number that Xen has room for.
 */
unsigned int events_report(unsigned int max);

struct event_stats {
    uint64_t upcalls;
    uint64_t handled;   /* calls of handlers */
    uint64_t stray;     /* events on ports without a handler, now masked */
    uint64_t throttled; /* times a port was over the limit */
    uint64_t attached;  /* ports with a handler, now */
    uint64_t pages;     /* taken for good, as ports grew in number */
};
struct event_stats event_stats(void);

/* SPDX-License-Identifier: MIT */
/*
 * events_abi: what differs between the two forms in which Xen and the guest
 * share the state of ports.
 *
 *   context  grow(): threads and boot, under the lock of events.c.  scan(): an
 *            upcall.  All others, event_vcpu() and event_look(): any
 */
#pragma once

#include <stdbool.h>

#include <plinth/compiler.h>
#include <plinth/events.h>

struct event_abi {
    const char *name;

    /* Make room for the state of @port: 0, -ENOMEM, -ENOSPC, or what Xen says. */
    int __must_check (*grow)(evtchn_port_t port);

    void (*mask)(evtchn_port_t port);

    /* True: an event is pending, and only EVTCHNOP_unmask makes it arrive. */
    bool (*unmask)(evtchn_port_t port);

    void (*clear)(evtchn_port_t port);

    /* Undo that. */
    void (*set)(evtchn_port_t port);

    /* EVENT_PENDING, EVENT_MASKED; for a port without state the latter. */
    unsigned int (*state)(evtchn_port_t port);

    /*
     * Each port of this vCPU that is pending and not masked: mask it, clear its
     * event, and event_deliver().
     */
    void (*scan)(void);
};

#define EVENT_PENDING 1u
#define EVENT_MASKED  2u

extern const struct event_abi event_abi_2l, event_abi_fifo;

/*
 * 0 if Xen has FIFO channels, and from now on uses them.  Panics when it has
 * switched but not taken the array: there is no way back.
 */
int __must_check event_fifo_init(void);

/* Pages that the FIFO has taken. */
unsigned int event_fifo_pages(void);

/* From scan(): @port had an event, and is masked. */
void event_deliver(evtchn_port_t port);

/* The vCPU that Xen notifies of @port. */
unsigned int event_vcpu(evtchn_port_t port);

/* What is known here of a port; another vCPU may be changing it. */
struct event_view {
    event_handler_t *fn; /* NULL: none */
    uint32_t total;      /* events handled, since it has its handler */
    unsigned int priority, state;
    bool throttled;
};
void event_look(evtchn_port_t port, struct event_view *view);

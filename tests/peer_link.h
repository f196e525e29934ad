/* SPDX-License-Identifier: MIT */
/*
 * peer_link: messages between two domains, through a page and an event channel that
 * they agree on by xenstore, as PV drivers do.
 *
 * The front owns the page and grants it; the back maps it.  Each writes to
 * data/link in its own folder, which the other one may read:
 *
 *     front                                 back
 *                                           state InitWait
 *     ring-ref, event-channel,
 *     state Initialised                     maps, binds
 *                                           state Connected
 *     state Connected           messages
 *     state Closing, or the other way round:
 *                                           unmaps, state Closed
 *     ends the grant, state Closed          state InitWait, or no more
 *
 * Nothing that the peer wrote is believed.  What is wrong is said once for each
 * connection, by a warning that names the peer.
 *
 *   units    nanoseconds of ktime
 *   owns     struct link is the caller's, who zeroes it
 *   context  threads; one of them uses a link
 *   failure  -EIO: the peer did something wrong, or is gone: `wrong` is set;
 *            -ENOTCONN: it has closed; others are our own
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/sync.h>
#include <plinth/time.h>
#include <plinth/xenstore.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/xenbus.h>
#include <xen/xen.h>

/* With a peer that does what it should: only a failure takes so long. */
#define LINK_PATIENCE (300 * NSEC_PER_SEC)

#define LINK_SLOTS       16u
#define LINK_MESSAGE_MAX 60u

/* The first index; so soon after it they wrap. */
#define LINK_START (uint32_t)(0u - LINK_SLOTS)

struct link_slot {
    uint32_t len;
    char data[LINK_MESSAGE_MAX];
};

/* Who sends writes prod, who receives cons. */
struct link_lane {
    uint32_t prod, cons;
    struct link_slot slots[LINK_SLOTS];
};

struct link_page {
    struct link_lane lane[2]; /* [0]: from the front */
};

BUILD_BUG_ON(sizeof(struct link_page) > 4096);

/* What a peer's state can be besides enum xenbus_state. */
#define LINK_NOT_YET 9u  /* it has not said any */
#define LINK_GONE    10u /* it had one */
#define LINK_GARBAGE 11u

#define LINK_STATE(name) (1u << XenbusState##name)
#define LINK_NO_MORE                                                           \
    (LINK_STATE(Unknown) | 1u << LINK_GONE | 1u << LINK_GARBAGE)

struct link {
    bool front;
    domid_t peer;
    uint64_t patience; /* with a peer that does nothing */
    bool wrong;
    uint64_t messages, events;

    struct xs_connection *xs;
    struct xs_queue queue;
    struct xs_watch *watches[2]; /* of the peer's state, and of ours */
    struct thread *watcher;
    unsigned int state; /* written by the watcher: link_state() */
    bool stop;
    struct completion kick;

    struct link_page *page; /* NULL: not connected */
    evtchn_port_t port;
    grant_ref_t ref;                /* of the front */
    struct gnttab_map_grant_ref op; /* of the back */
    uint32_t sent, received;        /* our indices; the page has copies */
};

/* Begin with @peer.  -EIO also if our xenstore is of no use. */
int __must_check link_open(struct link *l, bool front, domid_t peer);

/* Not connected. */
void link_close(struct link *l);

/* Our nodes below data/link. */
int __must_check link_publish(struct link *l, const char *name,
                              const char *text);
int __must_check link_set_state(struct link *l, enum xenbus_state state);

/* The peer's: enum xenbus_state, or one of those above. */
unsigned int link_state(const struct link *l);

/* Until that is one of @states, bits; -ETIMEDOUT when it is not within patience. */
int __must_check link_await(struct link *l, unsigned int states);

/*
 * The front: the page, its grant, and the port, both published.  The back: what
 * the front has published, mapped and bound.
 */
int __must_check link_offer(struct link *l);
int __must_check link_accept(struct link *l);

/*
 * -EBUSY of the front: the peer has the page mapped; it is freed some time after
 * it has unmapped it (grant_retry()).
 */
int __must_check link_disconnect(struct link *l);

/* @len is LINK_MESSAGE_MAX at most; @buf has room for so many. */
int __must_check link_send(struct link *l, const void *data, size_t len);
int __must_check link_receive(struct link *l, void *buf, size_t *len);

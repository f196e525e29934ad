/* SPDX-License-Identifier: MIT */
/*
 * xenstore: the tree of names and values that xenstored keeps for all domains.
 *
 * A connection is a page shared with xenstored and an event channel.  Any number
 * of threads may use one at a time: each request has a number, and the answer is
 * given to who asked.  See docs/xenstore.md.
 *
 * A path that does not begin with "/" is below this domain's own folder,
 * /local/domain/N.  A value is bytes, not a string.
 *
 *   units    bytes; deadlines and time-outs in nanoseconds
 *   owns     what a call gives in a `char **` or `struct xs_list` is the caller's,
 *            to be freed by free().  The ring page stays its owner's
 *   context  threads
 *   failure  what xenstored says, of xs_wire.h's list: -ENOENT, -EACCES, -EINVAL
 *            (a bad path), -ENOSPC (over a quota), -EAGAIN (a transaction), ...
 *            -ETIMEDOUT  no answer, or no room for the request, in time: whether
 *                        it was done is not known.  The connection goes on
 *            -EIO        the answer is not one to that request; or the connection
 *                        is broken, as each call says from then on
 *            -E2BIG      more than XENSTORE_PAYLOAD_MAX of path and value
 *            -ENOMEM     no memory for the answer to a question; what only has
 *                        something done needs none
 *   source   public/io/xs_wire.h; Xen docs/misc/xenstore.txt, xenstore-ring.txt
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/sync.h>
#include <plinth/time.h>
#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

/* How long a request may take, if xs_set_timeout() says nothing else. */
#define XS_TIMEOUT_NS (10 * NSEC_PER_SEC)

struct xs_connection;

/* A transaction's number, by xenstored. */
typedef uint32_t xs_tx_t;
#define XS_NO_TX 0u

/*
 * The connection of this domain, which the first call makes.  -ENODEV if the
 * domain has none, as dom0; -EIO if the ring is not fit.
 */
int __must_check xenstore(struct xs_connection **xs);

/*
 * A connection by @ring and @port, which others have bound.  Takes a thread of
 * its own and 16 KiB.  -EEXIST if @port has a handler.
 */
int __must_check xs_open(struct xenstore_domain_interface *ring,
                         evtchn_port_t port, struct xs_connection **xs);

/* Nobody uses @xs any more, and it has no watches. */
void xs_close(struct xs_connection *xs);

/* For requests made from now on; KTIME_NEVER: none. */
void xs_set_timeout(struct xs_connection *xs, uint64_t ns);

/* @len may be NULL.  One zero, which does not count, follows the value. */
int __must_check xs_read(struct xs_connection *xs, xs_tx_t tx, const char *path,
                         char **value, size_t *len);

/* Makes the folders on the way, too. */
int __must_check xs_write(struct xs_connection *xs, xs_tx_t tx,
                          const char *path, const void *value, size_t len);
int __must_check xs_write_until(struct xs_connection *xs, xs_tx_t tx,
                                const char *path, const void *value, size_t len,
                                uint64_t deadline);
int __must_check xs_write_string(struct xs_connection *xs, xs_tx_t tx,
                                 const char *path, const char *value);

/* 0 as well if it is there already. */
int __must_check xs_mkdir(struct xs_connection *xs, xs_tx_t tx,
                          const char *path);

/* With all below.  0 as well if only its parent is there; else -ENOENT. */
int __must_check xs_rm(struct xs_connection *xs, xs_tx_t tx, const char *path);

/* Strings, each with its zero, one after the other.  @text is to be freed. */
struct xs_list {
    char *text;
    size_t len;
    unsigned int nr;
};

/* The string after @s, the first one after NULL; NULL at the end. */
const char *xs_list_next(const struct xs_list *list, const char *s);

/*
 * The names right below @path.  When they do not fit into one answer they are
 * asked for by parts; -E2BIG if xenstored cannot do that, -EAGAIN if they kept
 * changing meanwhile.
 */
int __must_check xs_directory(struct xs_connection *xs, xs_tx_t tx,
                              const char *path, struct xs_list *list);

/*
 * Who may do what: 'n'othing, 'r'ead, 'w'rite or 'b'oth.  The first entry is
 * the owner, who may do all, with what holds for domains not in the list.
 */
struct xs_perm {
    domid_t domain;
    char access;
};

/* As many as there are, @max at most; more are -E2BIG. */
int __must_check xs_get_perms(struct xs_connection *xs, xs_tx_t tx,
                              const char *path, struct xs_perm *perms,
                              unsigned int max, unsigned int *nr);
int __must_check xs_set_perms(struct xs_connection *xs, xs_tx_t tx,
                              const char *path, const struct xs_perm *perms,
                              unsigned int nr);

int __must_check xs_get_domain_path(struct xs_connection *xs, domid_t domain,
                                    char **path);

/*
 * Between the two, all with @tx is seen by others at once or not at all.
 * -EAGAIN of the end: something changed that was used here; nothing is done, and
 * it has to be tried again.  After any end the number is void.
 */
int __must_check xs_transaction_start(struct xs_connection *xs, xs_tx_t *tx);
int __must_check xs_transaction_end(struct xs_connection *xs, xs_tx_t tx,
                                    bool commit);

/*
 * Call @fn in a transaction, and again while the end says -EAGAIN, XS_TX_TRIES
 * times.  When @fn returns an error nothing is done, and that is returned.
 */
#define XS_TX_TRIES 16
typedef int xs_tx_fn_t(struct xs_connection *xs, xs_tx_t tx, void *arg);
int __must_check xs_transaction(struct xs_connection *xs, xs_tx_fn_t *fn,
                                void *arg);

/*
 * Watches.  Events of any number of watches go to a queue, on which a thread of
 * the owner's waits.  So it can send requests, sleep and take locks, and hold up
 * nobody else.
 *
 * Xenstored sends one event at once for a new watch, then one for each change at
 * or below its path.  Beyond XS_WATCH_MAX events of one watch that nobody has
 * fetched there is a single one more, with the watch's own path: so if that is
 * what the event names, look at everything below.
 */
#define XS_WATCH_MAX 64u

struct xs_watch;
struct xs_event;

/* New when zero; the caller's.  No watch uses it when it goes. */
struct xs_queue {
    struct mutex lock;
    struct condition arrived;
    struct xs_event *first, *last;
    bool broken; /* a connection of one of its watches is */
};

int __must_check xs_watch(struct xs_connection *xs, const char *path,
                          struct xs_queue *queue, struct xs_watch **watch);

/*
 * No event of @watch is in the queue when this returns, and none will come.
 * @watch is gone, whatever is returned.
 */
int xs_unwatch(struct xs_watch *watch);

/*
 * What happened where: *@path begins as the path given to xs_watch() does, with
 * "/" or not.  -ETIMEDOUT; -EIO when the queue is empty and the connection broken;
 * -ENOMEM, and the event stays in the queue.
 */
int __must_check xs_queue_wait(struct xs_queue *queue, uint64_t deadline,
                               struct xs_watch **watch, char **path);

struct xs_stats {
    uint64_t requests;
    uint64_t events;
    uint64_t late;    /* answers to who had given up */
    uint64_t strange; /* events nobody watches for, or that make no sense */
    uint64_t dropped; /* events nobody fetched */
    bool broken;
};
struct xs_stats xs_stats(const struct xs_connection *xs);

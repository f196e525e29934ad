/* SPDX-License-Identifier: MIT */
/*
 * Two domains that meet by xenstore (tests/peer.sh).  Whoever is at data/peer-id of
 * a domain is its peer: a number, written by dom0, and "bad" behind it if that is
 * one from test_peer_bad.c.  Then, at the end, "end".
 */
#include <plinth/audit.h>
#include <plinth/balloon.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/grant.h>
#include <plinth/heap.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/vmap.h>

#include "peer.h"
#include "peer_link.h"

#define PEER_ID "data/peer-id"

/*
 * Introductions.
 */
static bool parse_peer(char *text, struct peer *peer)
{
    char *blank = strchr(text, ' ');
    uint64_t n;

    peer->bad = blank != NULL;
    if (blank != NULL)
        *blank = '\0';
    if (parse_u64(text, &n) != 0 || n >= DOMID_FIRST_RESERVED)
        return false;
    peer->domid = (domid_t)n;
    return true;
}

bool peer_introduced(struct xs_connection *xs, struct peer *peer)
{
    const uint64_t deadline = ktime_ns() + 2 * LINK_PATIENCE;
    struct xs_queue queue = { 0 };
    struct xs_watch *watch, *fired;
    bool known = false, end = false;
    char *text;

    if (xs_watch(xs, PEER_ID, &queue, &watch) != 0)
        return false;
    while (!known && !end &&
           xs_queue_wait(&queue, deadline, &fired, &text) == 0) {
        free(text);
        if (xs_read(xs, XS_NO_TX, PEER_ID, &text, NULL) != 0)
            continue;
        end = strcmp(text, "end") == 0;
        known = parse_peer(text, peer);
        free(text);
    }
    (void)xs_unwatch(watch);
    return known;
}

/* dom0 waits for that. */
void peer_forget(struct xs_connection *xs)
{
    (void)!xs_write(xs, XS_NO_TX, PEER_ID, "", 0);
}

/*
 * What must be the same after each peer.
 */
struct figures {
    uint64_t grants, waiting, mapped, ports, threads, objects, vmap, free;
};

static struct figures figures(void)
{
    const struct grant_stats grants = grant_stats();

    (void)page_reclaim();
    return (struct figures){
        .grants = grants.used,
        .waiting = grants.waiting,
        .mapped = grants.mapped,
        .ports = event_stats().attached,
        .threads = thread_stats().threads,
        .objects = heap_stats().objects,
        .vmap = vmap_stats().free,
        .free = page_stats().free,
    };
}

static void expect_figures(struct test_run *run_, const struct figures *want)
{
    const struct figures got = figures();
    char why[120] = "";

    EXPECT_EQ(got.grants, want->grants);
    EXPECT_EQ(got.waiting, want->waiting);
    EXPECT_EQ(got.mapped, want->mapped);
    EXPECT_EQ(got.ports, want->ports);
    EXPECT_EQ(got.threads, want->threads);
    EXPECT_EQ(got.objects, want->objects);
    EXPECT_EQ(got.vmap, want->vmap);
    EXPECT_EQ(got.free, want->free);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

static void tell(const struct link *l, int rc)
{
    say("# peer %u: %lu messages, %lu events, ended by %s\n", l->peer,
        l->messages, l->events, errno_name(rc));
}

/* Meet one peer after another with @meet; each leaves all as it was. */
static void meet_all(struct test_run *run_,
                     void (*meet)(struct test_run *run_, struct peer peer))
{
    struct figures before = { 0 };
    struct xs_connection *xs;
    struct peer peer;

    REQUIRE(xenstore(&xs) == 0);
    for (unsigned int n = 0; peer_introduced(xs, &peer); n++) {
        meet(run_, peer);
        /* The first one has us take some things for good. */
        if (n == 0)
            before = figures();
        expect_figures(run_, &before);
        peer_forget(xs);
    }
    (void)!xs_rm(xs, XS_NO_TX, PEER_ID);
}

/*
 * The back: sends each message back, with one added to each byte, until the front
 * closes or says "bye".  After "hush", a second's silence is too long for it.
 */
struct ticker {
    struct link *l;
    struct thread *thread;
    bool stop;
};

/* Another thread goes on meanwhile, and shows it to the peer. */
static int tick(void *arg)
{
    struct ticker *t = arg;
    char text[12];

    for (unsigned int n = 0; !__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE);
         n++) {
        snprintf(text, sizeof(text), "%u", n);
        (void)!link_publish(t->l, "ticks", text);
        thread_sleep(100 * NSEC_PER_MSEC);
    }
    return 0;
}

static int echo(struct link *l)
{
    char text[LINK_MESSAGE_MAX];
    size_t len;

    for (;;) {
        int rc = link_receive(l, text, &len);

        if (rc != 0)
            return rc;
        if (len == 3 && memcmp(text, "bye", 3) == 0)
            return 0;
        if (len == 4 && memcmp(text, "hush", 4) == 0) {
            l->patience = NSEC_PER_SEC;
            continue;
        }
        for (size_t i = 0; i < len; i++)
            text[i]++;
        rc = link_send(l, text, len);
        if (rc != 0)
            return rc;
    }
}

/* One connection; false if there is none to be had any more. */
static bool serve_link(struct test_run *run_, struct link *l, bool bad)
{
    const unsigned int over =
        LINK_STATE(Closed) | LINK_STATE(Unknown) | 1u << LINK_GONE;
    int rc;

    EXPECT_EQ(link_set_state(l, XenbusStateInitWait), 0);
    rc = link_await(l, LINK_STATE(Initialised) | LINK_NO_MORE);
    EXPECT_EQ(rc, 0);
    if (rc != 0 || link_state(l) != XenbusStateInitialised)
        return false;

    rc = link_accept(l);
    if (rc == 0) {
        EXPECT_EQ(link_set_state(l, XenbusStateConnected), 0);
        rc = echo(l);
        l->patience = LINK_PATIENCE;
        EXPECT_EQ(link_disconnect(l), 0);
    }
    EXPECT(rc == 0 || rc == -ENOTCONN || (bad && l->wrong));
    tell(l, rc);
    EXPECT_EQ(link_set_state(l, XenbusStateClosed), 0);
    return link_await(l, over) == 0;
}

static void serve(struct test_run *run_, struct peer peer)
{
    struct link l = { .patience = LINK_PATIENCE };
    struct ticker ticker = { .l = &l };
    const struct event_stats before = event_stats();

    REQUIRE(link_open(&l, false, peer.domid) == 0);
    EXPECT_EQ(thread_create("ticker", tick, &ticker, NULL, &ticker.thread), 0);
    while (serve_link(run_, &l, peer.bad))
        ;
    __atomic_store_n(&ticker.stop, true, __ATOMIC_RELEASE);
    EXPECT_EQ(thread_join(ticker.thread, ktime_ns() + LINK_PATIENCE, NULL), 0);
    say("# peer %u: throttled %lu times\n", peer.domid,
        event_stats().throttled - before.throttled);
    link_close(&l);
}

FATAL(peer, serves)
{
    meet_all(run_, serve);
    EXPECT_EQ(grant_stop(), 0); /* the addresses it keeps */
}

/*
 * The front.
 */

/* A message of @len bytes, each @c; and the answer to it. */
static int ask(struct link *l, char c, size_t len)
{
    char text[LINK_MESSAGE_MAX];

    memset(text, c, len);
    return link_send(l, text, len);
}

static int expect_answer(struct test_run *run_, struct link *l, char c,
                         size_t want)
{
    char text[LINK_MESSAGE_MAX];
    size_t len;
    int rc = link_receive(l, text, &len);

    if (rc != 0)
        return rc;
    EXPECT_EQ(len, want);
    for (size_t i = 0; i < len; i++)
        if (text[i] != c + 1) {
            EXPECT_EQ(text[i], c + 1);
            break;
        }
    return 0;
}

int peer_talk(struct test_run *run_, struct link *l, unsigned int bursts,
              unsigned int burst)
{
    int rc = 0;

    for (unsigned int n = 0; n < bursts && rc == 0; n++) {
        for (unsigned int i = 0; i < burst && rc == 0; i++)
            rc = ask(l, (char)('a' + i), (n * burst + i) % LINK_MESSAGE_MAX);
        for (unsigned int i = 0; i < burst && rc == 0; i++)
            rc = expect_answer(run_, l, (char)('a' + i),
                               (n * burst + i) % LINK_MESSAGE_MAX);
    }
    return rc;
}

int peer_connect(struct link *l)
{
    int rc = link_await(l, LINK_STATE(InitWait) | LINK_NO_MORE);

    if (rc == 0)
        rc = link_state(l) == XenbusStateInitWait ? link_offer(l) : -ENOTCONN;
    return rc != 0 ? rc : link_set_state(l, XenbusStateInitialised);
}

int peer_connected(struct link *l)
{
    int rc = link_await(l, LINK_STATE(Connected) | LINK_STATE(Closed) |
                               LINK_NO_MORE);

    if (rc == 0 && link_state(l) != XenbusStateConnected)
        rc = -ENOTCONN;
    return rc != 0 ? rc : link_set_state(l, XenbusStateConnected);
}

static bool none_waits(void)
{
    for (unsigned int i = 0; i < 3000 && grant_retry() > 0; i++)
        thread_sleep(100 * NSEC_PER_MSEC);
    return grant_stats().waiting == 0;
}

/*
 * The connection may be closed by us first, by the peer first, or by us while the
 * peer has our page.
 */
enum order {
    WE_FIRST,
    PEER_FIRST,
    UNDER_ITS_HANDS,
    NR_ORDERS
};

static void part(struct test_run *run_, struct link *l, enum order order)
{
    const unsigned int over = LINK_STATE(Closed) | LINK_NO_MORE;

    if (order == UNDER_ITS_HANDS) {
        EXPECT_EQ(link_disconnect(l), -EBUSY);
        EXPECT_EQ(grant_stats().waiting, 1);
    }
    if (order == PEER_FIRST)
        EXPECT_EQ(link_send(l, "bye", 3), 0);
    else
        EXPECT_EQ(link_set_state(l, XenbusStateClosing), 0);
    EXPECT_EQ(link_await(l, over), 0);
    if (order == UNDER_ITS_HANDS)
        EXPECT_EQ(grant_retry(), 0);
    else
        EXPECT_EQ(link_disconnect(l), 0);
}

static bool ask_link(struct test_run *run_, struct link *l, bool bad,
                     enum order order)
{
    int rc = peer_connect(l);

    if (rc == 0)
        rc = peer_connected(l);
    if (rc == 0)
        rc = peer_talk(run_, l, 4, LINK_SLOTS);
    EXPECT(rc == 0 || (bad && l->wrong));
    if (rc == 0) {
        part(run_, l, order);
    } else if (l->page != NULL && link_disconnect(l) == -EBUSY) {
        say("# peer %u: our page waits for it\n", l->peer);
    }
    tell(l, rc);
    return link_set_state(l, XenbusStateClosed) == 0 &&
           !(LINK_NO_MORE & 1u << link_state(l));
}

static void ask_all(struct test_run *run_, struct peer peer)
{
    struct link l = { .patience = LINK_PATIENCE };

    REQUIRE(link_open(&l, true, peer.domid) == 0);
    for (unsigned int order = 0; order < NR_ORDERS; order++)
        if (!ask_link(run_, &l, peer.bad, order))
            break;
    link_close(&l);
    EXPECT(none_waits());
}

FATAL(peer, asks)
{
    meet_all(run_, ask_all);
    EXPECT_EQ(grant_stop(), 0);
}

/* Until it is destroyed. */
FATAL(peer, asks_without_end)
{
    struct link l = { .patience = LINK_PATIENCE };
    struct xs_connection *xs;
    struct peer peer;
    int rc;

    REQUIRE(xenstore(&xs) == 0 && peer_introduced(xs, &peer));
    REQUIRE(link_open(&l, true, peer.domid) == 0);
    rc = peer_connect(&l);
    if (rc == 0)
        rc = peer_connected(&l);
    if (rc == 0)
        rc = peer_talk(run_, &l, 1, LINK_SLOTS);
    say("# asking\n");
    while (rc == 0)
        rc = peer_talk(run_, &l, 1, LINK_SLOTS);
    EXPECT_EQ(rc, 0);
}

/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/grant.h>
#include <plinth/heap.h>
#include <plinth/kaddr.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/string.h>
#include <plinth/thread.h>
#include <plinth/time.h>

#include "abi.h"
#include "peer_link.h"

#define FOLDER "data/link"

/* The first thing that is wrong with a connection is said, and no other. */
static int __printf(2, 3) complain(struct link *l, const char *fmt, ...)
{
    char text[100];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!l->wrong)
        pr_warn("peer %u: %s", l->peer, text);
    l->wrong = true;
    return -EIO;
}

/* The beginning of what somebody else wrote, fit for our console. */
static const char *fit(const char *text, char buf[24])
{
    size_t i;

    for (i = 0; i < 20 && text[i] != '\0'; i++)
        buf[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    strlcpy(buf + i, text[i] != '\0' ? "..." : "", 4);
    return buf;
}

/*
 * Xenstore.
 */
static int read_of_peer(struct link *l, const char *name, char **value)
{
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u/" FOLDER "/%s", l->peer,
             name);
    return xs_read(l->xs, XS_NO_TX, path, value, NULL);
}

static int read_number(struct link *l, const char *name, uint32_t *number)
{
    char *value, buf[24];
    uint64_t n;
    int rc = read_of_peer(l, name, &value);

    if (rc != 0)
        return complain(l, "%s: %s", name, errno_name(rc));
    if (parse_u64(value, &n) != 0 || n > UINT32_MAX)
        rc = complain(l, "%s is \"%s\", and no number of 32 bits", name,
                      fit(value, buf));
    else
        *number = (uint32_t)n;
    free(value);
    return rc;
}

static unsigned int read_state(struct link *l)
{
    unsigned int state = LINK_GARBAGE;
    char *value;
    uint64_t n;
    int rc = read_of_peer(l, "state", &value);

    /* Who may not read what is not there is told the former. */
    if (rc == -ENOENT || rc == -EACCES)
        return l->state == LINK_NOT_YET ? LINK_NOT_YET : LINK_GONE;
    if (rc != 0)
        return LINK_GARBAGE;
    if (parse_u64(value, &n) == 0 && n <= XenbusStateReconfigured)
        state = (unsigned int)n;
    free(value);
    return state;
}

int link_publish(struct link *l, const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), FOLDER "/%s", name);
    return xs_write_string(l->xs, XS_NO_TX, path, text);
}

static int publish_number(struct link *l, const char *name, uint32_t number)
{
    char text[12];

    snprintf(text, sizeof(text), "%u", number);
    return link_publish(l, name, text);
}

int link_set_state(struct link *l, enum xenbus_state state)
{
    return publish_number(l, "state", state);
}

unsigned int link_state(const struct link *l)
{
    return __atomic_load_n(&l->state, __ATOMIC_ACQUIRE);
}

/* Looks at the peer's state when it changes.  That ours did is only to stop it. */
static int watcher(void *arg)
{
    struct link *l = arg;
    struct xs_watch *watch;
    char *path;

    while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE) &&
           xs_queue_wait(&l->queue, KTIME_NEVER, &watch, &path) == 0) {
        free(path);
        __atomic_store_n(&l->state, read_state(l), __ATOMIC_RELEASE);
        complete(&l->kick);
    }
    return 0;
}

int link_await(struct link *l, unsigned int states)
{
    const uint64_t deadline = ktime_ns() + l->patience;
    int rc = 0;

    for (;;) {
        completion_reset(&l->kick);
        if (states & 1u << link_state(l))
            return 0;
        if (rc != 0)
            return rc;
        rc = completion_wait(&l->kick, deadline);
    }
}

static int make_folder(struct link *l)
{
    const struct xs_perm perms[] = { { own_domid(), 'n' }, { l->peer, 'r' } };
    int rc = xs_rm(l->xs, XS_NO_TX, FOLDER);

    if (rc == 0)
        rc = xs_mkdir(l->xs, XS_NO_TX, FOLDER);
    /* What is made in a folder has its permissions. */
    return rc != 0 ? rc : xs_set_perms(l->xs, XS_NO_TX, FOLDER, perms, 2);
}

int link_open(struct link *l, bool front, domid_t peer)
{
    char path[64];
    int rc;

    l->front = front;
    l->peer = peer;
    l->state = LINK_NOT_YET;
    rc = xenstore(&l->xs);
    if (rc == 0)
        rc = make_folder(l);
    if (rc != 0)
        return rc;

    snprintf(path, sizeof(path), "/local/domain/%u/" FOLDER "/state", peer);
    rc = xs_watch(l->xs, path, &l->queue, &l->watches[0]);
    if (rc != 0)
        goto out_folder;
    rc = xs_watch(l->xs, FOLDER "/state", &l->queue, &l->watches[1]);
    if (rc != 0)
        goto out_first;
    rc = thread_create("watcher", watcher, l, NULL, &l->watcher);
    if (rc == 0)
        return 0;

    (void)xs_unwatch(l->watches[1]);
out_first:
    (void)xs_unwatch(l->watches[0]);
out_folder:
    (void)!xs_rm(l->xs, XS_NO_TX, FOLDER);
    return rc;
}

void link_close(struct link *l)
{
    int rc;

    ASSERT(l->page == NULL);
    __atomic_store_n(&l->stop, true, __ATOMIC_RELEASE);
    (void)!link_set_state(l, XenbusStateUnknown);
    rc = thread_join(l->watcher, ktime_ns() + LINK_PATIENCE, NULL);
    BUG_ON(rc != 0);
    (void)xs_unwatch(l->watches[1]);
    (void)xs_unwatch(l->watches[0]);
    (void)!xs_rm(l->xs, XS_NO_TX, FOLDER);
}

/*
 * Connecting.
 */
static void on_event(evtchn_port_t port __unused, void *arg)
{
    struct link *l = arg;

    l->events++;
    complete(&l->kick);
}

static void start(struct link *l)
{
    l->wrong = false;
    l->messages = l->events = 0;
    l->sent = l->received = LINK_START;
}

int link_offer(struct link *l)
{
    struct link_page *page = page_alloc_zeroed(0);
    int rc;

    if (page == NULL)
        return -ENOMEM;
    start(l);
    for (unsigned int i = 0; i < 2; i++)
        page->lane[i].prod = page->lane[i].cons = LINK_START;
    rc = grant_access(l->peer, kaddr_pfn(page), false, &l->ref);
    if (rc != 0)
        goto out_free;
    rc = event_alloc_unbound(l->peer, on_event, l, &l->port);
    if (rc != 0)
        goto out_end;
    rc = event_unmask(l->port);
    if (rc == 0)
        rc = publish_number(l, "ring-ref", l->ref);
    if (rc == 0)
        rc = publish_number(l, "event-channel", l->port);
    if (rc != 0)
        goto out_close;
    l->page = page;
    return 0;

out_close:
    (void)event_close(l->port);
out_end:
    if (grant_end_access(l->ref) != 0)
        return rc; /* somebody has guessed it: the page is lost */
out_free:
    page_free(page, 0);
    return rc;
}

int link_accept(struct link *l)
{
    uint32_t ref, port;
    void *page;
    int rc;

    start(l);
    rc = read_number(l, "ring-ref", &ref);
    if (rc == 0)
        rc = read_number(l, "event-channel", &port);
    if (rc != 0)
        return rc;

    l->op = (struct gnttab_map_grant_ref){ .dom = l->peer, .ref = ref };
    rc = grant_map(&l->op, 1, &page);
    if (rc != 0)
        return complain(l, "grant %u cannot be mapped: %s", ref,
                        errno_name(rc));
    rc = event_bind_interdomain(l->peer, port, on_event, l, &l->port);
    if (rc != 0) {
        rc = complain(l, "event channel %u cannot be bound: %s", port,
                      errno_name(rc));
        BUG_ON(grant_unmap(&l->op, 1) != 0);
        return rc;
    }
    l->page = page;
    return event_unmask(l->port);
}

int link_disconnect(struct link *l)
{
    struct link_page *page = l->page;
    int rc = event_close(l->port);

    l->page = NULL;
    BUG_ON(rc != 0);
    return l->front ? grant_end_access_and_free(l->ref, page)
                    : grant_unmap(&l->op, 1);
}

/*
 * Messages.
 */
static int check_state(struct link *l)
{
    switch (link_state(l)) {
    case XenbusStateInitialised: /* the back was quicker */
    case XenbusStateConnected:
        return 0;
    case LINK_GONE:
        return complain(l, "is gone");
    case LINK_GARBAGE:
        return complain(l, "its state is none that there is");
    default:
        return -ENOTCONN;
    }
}

/* Something may have changed, or -EIO, -ENOTCONN. */
static int wait_for_peer(struct link *l, uint64_t deadline)
{
    int rc = check_state(l);

    if (rc != 0)
        return rc;
    if (completion_wait(&l->kick, deadline) != 0)
        return complain(l, "says nothing for %llu s",
                        l->patience / NSEC_PER_SEC);
    return 0;
}

/* Until there is room in @lane. */
static int wait_for_room(struct link *l, const struct link_lane *lane)
{
    const uint64_t deadline = ktime_ns() + l->patience;

    for (;;) {
        uint32_t cons;
        int rc;

        completion_reset(&l->kick);
        /* It has read a slot before it says so, and we write it after. */
        cons = __atomic_load_n(&lane->cons, __ATOMIC_ACQUIRE);
        if (l->sent - cons < LINK_SLOTS)
            return 0;
        if (l->sent - cons > LINK_SLOTS)
            return complain(l, "it has taken up to %#x of what ends at %#x",
                            cons, l->sent);
        rc = wait_for_peer(l, deadline);
        if (rc != 0)
            return rc;
    }
}

int link_send(struct link *l, const void *data, size_t len)
{
    struct link_lane *lane = &l->page->lane[l->front ? 0 : 1];
    struct link_slot *slot = &lane->slots[l->sent % LINK_SLOTS];
    int rc = wait_for_room(l, lane);

    if (rc != 0)
        return rc;
    slot->len = (uint32_t)len;
    memcpy(slot->data, data, len);
    __atomic_store_n(&lane->prod, ++l->sent, __ATOMIC_RELEASE);
    return event_send(l->port);
}

/* Until there is a message in @lane. */
static int wait_for_message(struct link *l, const struct link_lane *lane)
{
    const uint64_t deadline = ktime_ns() + l->patience;

    for (;;) {
        uint32_t prod;
        int rc;

        completion_reset(&l->kick);
        prod = __atomic_load_n(&lane->prod, __ATOMIC_ACQUIRE);
        if (prod - l->received > LINK_SLOTS)
            return complain(l, "it has sent up to %#x, and we have read to %#x",
                            prod, l->received);
        if (prod != l->received)
            return 0;
        rc = wait_for_peer(l, deadline);
        if (rc != 0)
            return rc;
    }
}

int link_receive(struct link *l, void *buf, size_t *len)
{
    struct link_lane *lane = &l->page->lane[l->front ? 1 : 0];
    const struct link_slot *slot = &lane->slots[l->received % LINK_SLOTS];
    uint32_t n;
    int rc = wait_for_message(l, lane);

    if (rc != 0)
        return rc;
    /* Read once: the peer can change it while we look. */
    n = __atomic_load_n(&slot->len, __ATOMIC_RELAXED);
    if (n > LINK_MESSAGE_MAX)
        return complain(l, "a message of %u bytes", n);
    memcpy(buf, slot->data, n);
    *len = n;
    __atomic_store_n(&lane->cons, ++l->received, __ATOMIC_RELEASE);
    l->messages++;
    return event_send(l->port);
}

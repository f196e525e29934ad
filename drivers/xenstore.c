/* SPDX-License-Identifier: MIT */
#include <plinth/errno.h>

/* xs_wire.h has its table of errors only where this is a macro. */
#define EINVAL EINVAL

#include <plinth/bug.h>
#include <plinth/events.h>
#include <plinth/heap.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/thread.h>
#include <plinth/xenstore.h>
#include <xen/io/xs_wire.h>

#define HEADER sizeof(struct xsd_sockmsg)

/* Room for a number of 64 bits, as text. */
#define NUMBER_MAX 24

/* A message as it is on the ring. */
struct message {
    struct xsd_sockmsg head;
    char payload[XENSTORE_PAYLOAD_MAX];
};

struct request {
    struct request *next;
    uint32_t id, type;
    struct completion done;
    int rc;
    char *data; /* the answer's; a zero follows */
    size_t len;
    size_t room; /* at @data, for an answer that must not want memory; or 0 */
};

struct xs_event {
    struct xs_event *next;
    struct xs_watch *watch;
    char *path; /* NULL: the watch's own */
};

struct xs_watch {
    struct xs_watch *next;
    struct xs_connection *xs;
    struct xs_queue *queue;
    uint64_t token;
    unsigned int nr_queued;   /* under the queue's lock */
    struct xs_event overflow; /* in the queue if its watch is set */
    char path[];
};

/*
 * Indices that are ours are kept here and only copied to the ring: the other end
 * could change them there.  Locks, from the outer to the inner: sender, lock, a
 * queue's.
 */
struct xs_connection {
    struct xenstore_domain_interface *ring;
    evtchn_port_t port;
    uint64_t timeout;
    struct thread *receiver;
    struct completion kick; /* there may be something to do on the ring */
    bool closing;

    struct mutex sender; /* who writes a request; guards what is out */
    struct message out;
    size_t out_len, out_done; /* rest of a message somebody gave up on */
    uint32_t next_id;

    struct mutex lock; /* guards all below, and the ring */
    struct condition room;
    uint32_t req_prod, rsp_cons;
    struct request *pending;
    struct xs_watch *watches;
    uint64_t next_token;
    struct message in;
    size_t in_len;
    struct xs_stats stats;
};

static uint64_t deadline_of(const struct xs_connection *xs)
{
    return ktime_after(xs->timeout);
}

/*
 * The ring.
 */

/* Nothing on the ring can be believed any more.  Locked. */
static void break_connection(struct xs_connection *xs, const char *why,
                             uint32_t value)
{
    if (xs->stats.broken)
        return;
    xs->stats.broken = true;
    pr_err("xenstore: %s (%#x): the connection is given up", why, value);

    while (xs->pending != NULL) {
        struct request *r = xs->pending;

        xs->pending = r->next;
        r->rc = -EIO;
        complete(&r->done);
    }
    for (struct xs_watch *w = xs->watches; w != NULL; w = w->next) {
        mutex_lock(&w->queue->lock);
        w->queue->broken = true;
        condition_broadcast(&w->queue->arrived);
        mutex_unlock(&w->queue->lock);
    }
    condition_broadcast(&xs->room);
}

/* Write what fits of @xs->out; how much it was.  Locked. */
static size_t put_some(struct xs_connection *xs)
{
    struct xenstore_domain_interface *ring = xs->ring;
    /* Xenstored has read what its index says before we write there. */
    const uint32_t cons = __atomic_load_n(&ring->req_cons, __ATOMIC_ACQUIRE);
    const uint32_t used = xs->req_prod - cons;
    const uint32_t at = MASK_XENSTORE_IDX(xs->req_prod);
    size_t n = MIN(xs->out_len - xs->out_done, sizeof(ring->req) - at);

    if (used > sizeof(ring->req)) {
        break_connection(xs, "its index of requests is wrong", cons);
        return 0;
    }
    n = MIN(n, sizeof(ring->req) - used);
    memcpy(&ring->req[at], (const char *)&xs->out + xs->out_done, n);
    xs->out_done += n;
    xs->req_prod += n;
    /* The bytes are there before the index says so. */
    __atomic_store_n(&ring->req_prod, xs->req_prod, __ATOMIC_RELEASE);
    return n;
}

/* Read what there is of the message that comes, not beyond.  Locked. */
static size_t get_some(struct xs_connection *xs)
{
    struct xenstore_domain_interface *ring = xs->ring;
    const uint32_t prod = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE);
    const uint32_t used = prod - xs->rsp_cons;
    const uint32_t at = MASK_XENSTORE_IDX(xs->rsp_cons);
    const size_t whole = HEADER + (xs->in_len < HEADER ? 0 : xs->in.head.len);
    size_t n = MIN(whole - xs->in_len, sizeof(ring->rsp) - at);

    if (used > sizeof(ring->rsp)) {
        break_connection(xs, "its index of answers is wrong", prod);
        return 0;
    }
    n = MIN(n, (size_t)used);
    memcpy((char *)&xs->in + xs->in_len, &ring->rsp[at], n);
    xs->in_len += n;
    xs->rsp_cons += n;
    /* We have read the bytes before the index says so. */
    __atomic_store_n(&ring->rsp_cons, xs->rsp_cons, __ATOMIC_RELEASE);
    return n;
}

/*
 * What comes in.
 */
static int error_of(const char *data, size_t len)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(xsd_errors); i++)
        if (len == strlen(xsd_errors[i].errstring) + 1 &&
            memcmp(data, xsd_errors[i].errstring, len) == 0)
            return -xsd_errors[i].errnum;
    return -EIO;
}

static struct request *take_pending(struct xs_connection *xs, uint32_t id)
{
    for (struct request **at = &xs->pending; *at != NULL; at = &(*at)->next) {
        struct request *r = *at;

        if (r->id == id) {
            *at = r->next;
            return r;
        }
    }
    return NULL;
}

/* At @r->data, for @len bytes and a zero.  What should fit and does not is wrong. */
static int make_room(struct request *r, size_t len)
{
    if (r->room > 0)
        return len < r->room ? 0 : -EIO;
    r->data = malloc(len + 1);
    return r->data != NULL ? 0 : -ENOMEM;
}

static void answer(struct xs_connection *xs)
{
    const struct xsd_sockmsg *head = &xs->in.head;
    struct request *r = take_pending(xs, head->req_id);

    if (r == NULL) {
        xs->stats.late++;
        return;
    }
    if (head->type == XS_ERROR) {
        r->rc = error_of(xs->in.payload, head->len);
    } else if (head->type != r->type) {
        pr_warn("xenstore: request %u is %u, the answer %u", r->id, r->type,
                head->type);
        r->rc = -EIO;
    } else if ((r->rc = make_room(r, head->len)) == 0) {
        memcpy(r->data, xs->in.payload, head->len);
        r->data[head->len] = '\0';
        r->len = head->len;
    }
    complete(&r->done);
}

/* The queue is locked. */
static void append(struct xs_queue *queue, struct xs_event *event)
{
    event->next = NULL;
    if (queue->first == NULL)
        queue->first = event;
    else
        queue->last->next = event;
    queue->last = event;
    condition_signal(&queue->arrived);
}

static struct xs_event *new_event(struct xs_watch *watch, const char *path)
{
    struct xs_event *event = malloc(sizeof(*event));

    if (event == NULL)
        return NULL;
    event->path = strdup(path);
    if (event->path == NULL) {
        free(event);
        return NULL;
    }
    event->watch = watch;
    return event;
}

static void deliver(struct xs_connection *xs, struct xs_watch *watch,
                    const char *path)
{
    struct xs_queue *queue = watch->queue;
    struct xs_event *event = NULL;

    mutex_lock(&queue->lock);
    if (watch->nr_queued < XS_WATCH_MAX)
        event = new_event(watch, path);
    if (event != NULL) {
        watch->nr_queued++;
        append(queue, event);
    } else {
        xs->stats.dropped++;
        if (watch->overflow.watch == NULL) {
            watch->overflow.watch = watch;
            append(queue, &watch->overflow);
        }
    }
    mutex_unlock(&queue->lock);
}

static struct xs_watch *watch_of(struct xs_connection *xs, const char *token)
{
    uint64_t number;

    if (parse_u64(token, &number) != 0)
        return NULL;
    for (struct xs_watch *w = xs->watches; w != NULL; w = w->next)
        if (w->token == number)
            return w;
    return NULL;
}

/* Path and token, each with its zero. */
static void watch_event(struct xs_connection *xs)
{
    const char *path = xs->in.payload;
    const size_t len = xs->in.head.len;
    const size_t token = strnlen(path, len) + 1;
    struct xs_watch *watch = NULL;

    xs->stats.events++;
    if (token < len && path[len - 1] == '\0')
        watch = watch_of(xs, path + token);
    if (watch == NULL)
        xs->stats.strange++;
    else
        deliver(xs, watch, path);
}

/* Locked. */
static void receive(struct xs_connection *xs)
{
    while (!xs->stats.broken && get_some(xs) > 0) {
        if (xs->in_len < HEADER)
            continue;
        if (xs->in.head.len > XENSTORE_PAYLOAD_MAX) {
            break_connection(xs, "an answer is too long", xs->in.head.len);
            return;
        }
        if (xs->in_len < HEADER + xs->in.head.len)
            continue;
        if (xs->in.head.type == XS_WATCH_EVENT)
            watch_event(xs);
        else
            answer(xs);
        xs->in_len = 0;
    }
}

static void xenstore_event(evtchn_port_t port __unused, void *arg)
{
    struct xs_connection *xs = arg;

    complete(&xs->kick);
}

/*
 * The receiver.  It alone waits for the event channel, and wakes who waits for
 * an answer, for a watch, or for room.
 */
static int receiver(void *arg)
{
    struct xs_connection *xs = arg;

    while (!__atomic_load_n(&xs->closing, __ATOMIC_ACQUIRE)) {
        uint32_t before;
        int rc;

        /* First this, so that an event from here on is seen. */
        completion_reset(&xs->kick);
        mutex_lock(&xs->lock);
        before = xs->rsp_cons;
        receive(xs);
        condition_broadcast(&xs->room);
        mutex_unlock(&xs->lock);
        if (xs->rsp_cons != before)
            (void)event_send(xs->port); /* there is room for more */

        /* Whoever fills the ring as fast as we read does not keep us busy. */
        thread_yield();
        rc = completion_wait(&xs->kick, KTIME_NEVER);
        BUG_ON(rc != 0);
    }
    return 0;
}

static const struct thread_options receiver_options = {
    .flags = THREAD_NO_FPU,
    .priority = THREAD_NORMAL,
};

/*
 * Requests.
 */
struct part {
    const void *data;
    size_t len;
};

/* What is in @xs->out goes to the ring.  The sender's lock is held. */
static int flush(struct xs_connection *xs, uint64_t deadline)
{
    int rc = 0;

    mutex_lock(&xs->lock);
    while (xs->out_done < xs->out_len) {
        if (xs->stats.broken)
            rc = -EIO;
        else if (put_some(xs) > 0)
            (void)event_send(xs->port);
        else if (!xs->stats.broken)
            rc = condition_wait(&xs->room, &xs->lock, deadline);
        if (rc != 0)
            break;
    }
    if (xs->stats.broken)
        rc = -EIO;
    mutex_unlock(&xs->lock);
    return rc;
}

static void compose(struct xs_connection *xs, struct request *r, xs_tx_t tx,
                    const struct part *parts, unsigned int nr)
{
    size_t len = 0;

    for (unsigned int i = 0; i < nr; i++) {
        memcpy(xs->out.payload + len, parts[i].data, parts[i].len);
        len += parts[i].len;
    }
    /* Events have the number 0. */
    if (++xs->next_id == 0)
        xs->next_id = 1;
    r->id = xs->next_id;
    xs->out.head = (struct xsd_sockmsg){
        .type = r->type, .req_id = r->id, .tx_id = tx, .len = (uint32_t)len
    };
    xs->out_len = HEADER + len;
    xs->out_done = 0;
}

/*
 * A request that is begun has to be ended, or the next one would be taken for the
 * rest of it.  So what somebody gave up in the middle the next sender sends first.
 */
static int send(struct xs_connection *xs, struct request *r, xs_tx_t tx,
                const struct part *parts, unsigned int nr, uint64_t deadline)
{
    int rc = mutex_lock_until(&xs->sender, deadline);

    if (rc != 0)
        return rc;
    rc = flush(xs, deadline);
    if (rc == 0) {
        compose(xs, r, tx, parts, nr);
        mutex_lock(&xs->lock);
        xs->stats.requests++;
        r->next = xs->pending;
        xs->pending = r;
        mutex_unlock(&xs->lock);

        rc = flush(xs, deadline);
        if (rc == -ETIMEDOUT && xs->out_done == 0)
            xs->out_len = 0; /* nothing of it is out */
    }
    mutex_unlock(&xs->sender);
    return rc;
}

/* The answer, or -errno.  There is nothing to be freed after an error. */
static int ask(struct xs_connection *xs, struct request *r, xs_tx_t tx,
               const struct part *parts, unsigned int nr, uint64_t deadline)
{
    size_t len = 0;
    int rc;

    for (unsigned int i = 0; i < nr; i++)
        len += parts[i].len;
    if (len > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;

    rc = send(xs, r, tx, parts, nr, deadline);
    if (rc == 0)
        rc = completion_wait(&r->done, deadline);

    /* The answer may have come after all, until it is not wanted any more. */
    mutex_lock(&xs->lock);
    if (r->done.done)
        rc = r->rc;
    else
        (void)take_pending(xs, r->id);
    mutex_unlock(&xs->lock);
    return rc;
}

/* For what is answered "OK". */
static int order_until(struct xs_connection *xs, uint32_t type, xs_tx_t tx,
                       const struct part *parts, unsigned int nr,
                       uint64_t deadline)
{
    char text[sizeof("OK") + 1];
    struct request r = { .type = type, .data = text, .room = sizeof(text) };
    int rc = ask(xs, &r, tx, parts, nr, deadline);

    if (rc == 0 && (r.len != sizeof("OK") || strcmp(text, "OK") != 0))
        rc = -EIO;
    return rc;
}

static int order(struct xs_connection *xs, uint32_t type, xs_tx_t tx,
                 const struct part *parts, unsigned int nr)
{
    return order_until(xs, type, tx, parts, nr, deadline_of(xs));
}

/* A string with its zero. */
static struct part string_part(const char *s)
{
    return (struct part){ s, strlen(s) + 1 };
}

/* For what is answered by strings, each with its zero; maybe none. */
static int ask_strings(struct xs_connection *xs, uint32_t type, xs_tx_t tx,
                       const struct part *parts, unsigned int nr,
                       struct xs_list *list)
{
    struct request r = { .type = type };
    int rc = ask(xs, &r, tx, parts, nr, deadline_of(xs));

    if (rc != 0)
        return rc;
    if (r.len > 0 && r.data[r.len - 1] != '\0') {
        free(r.data);
        return -EIO;
    }
    *list = (struct xs_list){ .text = r.data, .len = r.len };
    for (size_t i = 0; i < r.len; i++)
        list->nr += r.data[i] == '\0';
    return 0;
}

int xs_read(struct xs_connection *xs, xs_tx_t tx, const char *path,
            char **value, size_t *len)
{
    const struct part part = string_part(path);
    struct request r = { .type = XS_READ };
    int rc = ask(xs, &r, tx, &part, 1, deadline_of(xs));

    if (rc != 0)
        return rc;
    *value = r.data;
    if (len != NULL)
        *len = r.len;
    return 0;
}

int xs_write_until(struct xs_connection *xs, xs_tx_t tx, const char *path,
                   const void *value, size_t len, uint64_t deadline)
{
    const struct part parts[] = { string_part(path), { value, len } };

    return order_until(xs, XS_WRITE, tx, parts, 2, deadline);
}

int xs_write(struct xs_connection *xs, xs_tx_t tx, const char *path,
             const void *value, size_t len)
{
    return xs_write_until(xs, tx, path, value, len, deadline_of(xs));
}

int xs_write_string(struct xs_connection *xs, xs_tx_t tx, const char *path,
                    const char *value)
{
    return xs_write(xs, tx, path, value, strlen(value));
}

int xs_mkdir(struct xs_connection *xs, xs_tx_t tx, const char *path)
{
    const struct part part = string_part(path);

    return order(xs, XS_MKDIR, tx, &part, 1);
}

int xs_rm(struct xs_connection *xs, xs_tx_t tx, const char *path)
{
    const struct part part = string_part(path);

    return order(xs, XS_RM, tx, &part, 1);
}

/*
 * Folders.
 */
const char *xs_list_next(const struct xs_list *list, const char *s)
{
    s = s == NULL ? list->text : s + strlen(s) + 1;
    return s < list->text + list->len ? s : NULL;
}

/* Add @part, all after its first string, to @list. */
static int add_part(struct xs_list *list, const struct xs_list *part)
{
    const size_t skip = strlen(part->text) + 1;
    const size_t more = part->len - skip;
    char *text = realloc(list->text, list->len + more);

    if (text == NULL)
        return -ENOMEM;
    memcpy(text + list->len, part->text + skip, more);
    list->text = text;
    list->len += more;
    list->nr += part->nr - 1;
    return 0;
}

/* The last string of a part is empty: there is no more. */
static bool is_last(const struct xs_list *part)
{
    return part->len >= 2 && part->text[part->len - 2] == '\0';
}

/*
 * One part.  It begins with a count that is another one after each change; what
 * was got so far is then of no use, and that is -EAGAIN.
 */
static int ask_part(struct xs_connection *xs, xs_tx_t tx, const char *path,
                    struct xs_list *list, char count[NUMBER_MAX], bool *last)
{
    char offset[NUMBER_MAX];
    const struct part parts[] = {
        string_part(path),
        { offset,
          (size_t)snprintf(offset, sizeof(offset), "%zu", list->len) + 1 },
    };
    struct xs_list part;
    int rc = ask_strings(xs, XS_DIRECTORY_PART, tx, parts, 2, &part);

    if (rc != 0)
        return rc == -ENOSYS ? -E2BIG : rc;
    if (part.nr < 2 || part.text[0] == '\0')
        rc = -EIO;
    else if (list->len == 0)
        strlcpy(count, part.text, NUMBER_MAX);
    else if (strcmp(count, part.text) != 0)
        rc = -EAGAIN;
    *last = is_last(&part);
    if (rc == 0)
        rc = add_part(list, &part);
    free(part.text);
    return rc;
}

/* All parts; the empty string at the end does not count. */
static int ask_parts(struct xs_connection *xs, xs_tx_t tx, const char *path,
                     struct xs_list *list)
{
    bool last = false;
    char count[NUMBER_MAX];
    int rc = 0;

    *list = (struct xs_list){ 0 };
    while (rc == 0 && !last)
        rc = ask_part(xs, tx, path, list, count, &last);
    if (rc != 0) {
        free(list->text);
        return rc;
    }
    list->len--;
    list->nr--;
    return 0;
}

int xs_directory(struct xs_connection *xs, xs_tx_t tx, const char *path,
                 struct xs_list *list)
{
    const struct part part = string_part(path);
    int rc = ask_strings(xs, XS_DIRECTORY, tx, &part, 1, list);

    if (rc != -E2BIG)
        return rc;
    rc = -EAGAIN;
    for (unsigned int i = 0; i < XS_TX_TRIES && rc == -EAGAIN; i++)
        rc = ask_parts(xs, tx, path, list);
    return rc;
}

/*
 * Permissions: a letter and a domain's number.
 */
static int parse_perm(const char *text, struct xs_perm *perm)
{
    uint64_t domain;

    if (text[0] == '\0' || strchr("nrwb", text[0]) == NULL ||
        parse_u64(text + 1, &domain) != 0 || domain > UINT16_MAX)
        return -EIO;
    *perm = (struct xs_perm){ .domain = (domid_t)domain, .access = text[0] };
    return 0;
}

int xs_get_perms(struct xs_connection *xs, xs_tx_t tx, const char *path,
                 struct xs_perm *perms, unsigned int max, unsigned int *nr)
{
    const struct part part = string_part(path);
    const char *text = NULL;
    struct xs_list list;
    unsigned int n = 0;
    int rc = ask_strings(xs, XS_GET_PERMS, tx, &part, 1, &list);

    if (rc != 0)
        return rc;
    if (list.nr > max)
        rc = -E2BIG;
    while (rc == 0 && (text = xs_list_next(&list, text)) != NULL)
        rc = parse_perm(text, &perms[n++]);
    free(list.text);
    if (rc == 0)
        *nr = n;
    return rc;
}

int xs_set_perms(struct xs_connection *xs, xs_tx_t tx, const char *path,
                 const struct xs_perm *perms, unsigned int nr)
{
    char *text;
    size_t len = 0;
    int rc;

    if (nr == 0 || nr > XENSTORE_PAYLOAD_MAX / 8)
        return -EINVAL;
    text = malloc(nr * 8);
    if (text == NULL)
        return -ENOMEM;
    for (unsigned int i = 0; i < nr; i++)
        len += (size_t)scnprintf(text + len, 8, "%c%u", perms[i].access,
                                 perms[i].domain) +
               1;

    const struct part parts[] = { string_part(path), { text, len } };

    rc = order(xs, XS_SET_PERMS, tx, parts, 2);
    free(text);
    return rc;
}

int xs_get_domain_path(struct xs_connection *xs, domid_t domain, char **path)
{
    char text[8];
    const struct part part = {
        text, (size_t)scnprintf(text, sizeof(text), "%u", domain) + 1
    };
    struct xs_list list;
    int rc = ask_strings(xs, XS_GET_DOMAIN_PATH, XS_NO_TX, &part, 1, &list);

    if (rc != 0)
        return rc;
    if (list.nr != 1) {
        free(list.text);
        return -EIO;
    }
    *path = list.text;
    return 0;
}

/*
 * Transactions.
 */
int xs_transaction_start(struct xs_connection *xs, xs_tx_t *tx)
{
    const struct part part = string_part("");
    char text[NUMBER_MAX];
    struct request r = {
        .type = XS_TRANSACTION_START,
        .data = text,
        .room = sizeof(text),
    };
    uint64_t number;
    int rc = ask(xs, &r, XS_NO_TX, &part, 1, deadline_of(xs));

    if (rc != 0)
        return rc;
    if (r.len != strlen(text) + 1 || parse_u64(text, &number) != 0 ||
        number == XS_NO_TX || number > UINT32_MAX)
        return -EIO;
    *tx = (xs_tx_t)number;
    return 0;
}

int xs_transaction_end(struct xs_connection *xs, xs_tx_t tx, bool commit)
{
    const struct part part = string_part(commit ? "T" : "F");

    return order(xs, XS_TRANSACTION_END, tx, &part, 1);
}

int xs_transaction(struct xs_connection *xs, xs_tx_fn_t *fn, void *arg)
{
    for (unsigned int i = 0; i < XS_TX_TRIES; i++) {
        xs_tx_t tx;
        int rc = xs_transaction_start(xs, &tx);

        if (rc != 0)
            return rc;
        rc = fn(xs, tx, arg);
        if (rc != 0) {
            const int end = xs_transaction_end(xs, tx, false);

            return end == -ETIMEDOUT ? end : rc;
        }
        rc = xs_transaction_end(xs, tx, true);
        if (rc != -EAGAIN)
            return rc;
    }
    return -EAGAIN;
}

/*
 * Watches.  The token is a number that is never used again, so that a late event
 * of a watch that is gone is nobody's.
 */
static int order_watch(uint32_t type, const struct xs_watch *watch)
{
    char token[NUMBER_MAX];
    const struct part parts[] = {
        string_part(watch->path),
        { token,
          (size_t)scnprintf(token, sizeof(token), "%lu", watch->token) + 1 },
    };

    return order(watch->xs, type, XS_NO_TX, parts, 2);
}

/* Take the events of @watch out of its queue, which is locked. */
static void drop_events(struct xs_watch *watch)
{
    struct xs_queue *queue = watch->queue;
    struct xs_event *event = queue->first;

    queue->first = queue->last = NULL;
    while (event != NULL) {
        struct xs_event *next = event->next;

        if (event->watch != watch) {
            append(queue, event);
        } else if (event != &watch->overflow) {
            free(event->path);
            free(event);
        }
        event = next;
    }
}

static void forget_watch(struct xs_watch *watch)
{
    struct xs_connection *xs = watch->xs;
    struct xs_watch **at = &xs->watches;

    mutex_lock(&xs->lock);
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    mutex_lock(&watch->queue->lock);
    drop_events(watch);
    mutex_unlock(&watch->queue->lock);
    mutex_unlock(&xs->lock);
}

int xs_watch(struct xs_connection *xs, const char *path, struct xs_queue *queue,
             struct xs_watch **watch)
{
    const size_t size = strlen(path) + 1;
    struct xs_watch *w = calloc(1, sizeof(*w) + size);
    int rc;

    if (w == NULL)
        return -ENOMEM;
    w->xs = xs;
    w->queue = queue;
    memcpy(w->path, path, size);

    /* The first event may come before the answer. */
    mutex_lock(&xs->lock);
    w->token = ++xs->next_token;
    w->next = xs->watches;
    xs->watches = w;
    mutex_unlock(&xs->lock);

    rc = order_watch(XS_WATCH, w);
    if (rc != 0) {
        forget_watch(w);
        free(w);
        return rc;
    }
    *watch = w;
    return 0;
}

int xs_unwatch(struct xs_watch *watch)
{
    int rc;

    forget_watch(watch);
    rc = order_watch(XS_UNWATCH, watch);
    free(watch);
    return rc;
}

/* The first event of the queue, which is locked. */
static int fetch(struct xs_queue *queue, struct xs_watch **watch, char **path)
{
    struct xs_event *event = queue->first;
    struct xs_watch *w = event->watch;

    if (event == &w->overflow) {
        *path = strdup(w->path);
        if (*path == NULL)
            return -ENOMEM;
        w->overflow.watch = NULL;
        queue->first = event->next;
    } else {
        *path = event->path;
        w->nr_queued--;
        queue->first = event->next;
        free(event);
    }
    *watch = w;
    return 0;
}

int xs_queue_wait(struct xs_queue *queue, uint64_t deadline,
                  struct xs_watch **watch, char **path)
{
    int rc = 0;

    mutex_lock(&queue->lock);
    while (rc == 0 && queue->first == NULL)
        rc = queue->broken
                 ? -EIO
                 : condition_wait(&queue->arrived, &queue->lock, deadline);
    if (queue->first != NULL)
        rc = fetch(queue, watch, path);
    mutex_unlock(&queue->lock);
    return rc;
}

struct xs_stats xs_stats(const struct xs_connection *xs)
{
    return xs->stats;
}

/*
 * Connections.
 */
void xs_set_timeout(struct xs_connection *xs, uint64_t ns)
{
    xs->timeout = ns;
}

int xs_open(struct xenstore_domain_interface *ring, evtchn_port_t port,
            struct xs_connection **xs)
{
    struct xs_connection *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL)
        return -ENOMEM;
    c->ring = ring;
    c->port = port;
    c->timeout = XS_TIMEOUT_NS;
    /* Somebody may have used it before us: another kernel that loaded this. */
    c->req_prod = ring->req_prod;
    c->rsp_cons = ring->rsp_cons;

    rc = event_attach(port, xenstore_event, c);
    if (rc != 0)
        goto out_free;
    rc =
        thread_create("xenstore", receiver, c, &receiver_options, &c->receiver);
    if (rc != 0)
        goto out_detach;
    rc = event_unmask(port);
    BUG_ON(rc != 0);
    *xs = c;
    return 0;

out_detach:
    (void)event_detach(port);
out_free:
    free(c);
    return rc;
}

void xs_close(struct xs_connection *xs)
{
    int rc;

    ASSERT(xs->pending == NULL && xs->watches == NULL);
    (void)event_detach(xs->port);
    __atomic_store_n(&xs->closing, true, __ATOMIC_RELEASE);
    complete(&xs->kick);
    rc = thread_join(xs->receiver, KTIME_NEVER, NULL);
    BUG_ON(rc != 0);
    free(xs);
}

int xenstore(struct xs_connection **xs)
{
    static struct mutex lock;
    static struct xs_connection *ours;
    const struct start_info *si = start_info();
    struct xenstore_domain_interface *ring;
    int rc = 0;

    if (is_dom0() || si->store_mfn == 0 || si->store_evtchn == 0)
        return -ENODEV;
    ring = linear_ptr(m2p_lookup(_mfn(si->store_mfn)));
    if (ring == NULL)
        return -EIO;

    mutex_lock(&lock);
    if (ours == NULL)
        rc = xs_open(ring, si->store_evtchn, &ours);
    mutex_unlock(&lock);
    if (rc == 0)
        *xs = ours;
    return rc;
}

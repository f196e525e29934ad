/* SPDX-License-Identifier: MIT */
/*
 * Xenstore's protocol against a xenstored that does as the test wants: a ring in
 * a page of ours, and both ends of an event channel.  Requests are made by a
 * thread, and the test answers them.
 */
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/heap.h>
#include <plinth/hypercall.h>
#include <plinth/page.h>
#include <plinth/printf.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/xenstore.h>

#define PATIENCE_NS (120 * NSEC_PER_SEC)
#define SHORT_NS    (50 * NSEC_PER_MSEC)

static struct fake {
    struct xenstore_domain_interface *ring;
    evtchn_port_t ours, theirs;
    struct xs_connection *xs;
    struct thread *client;
} fake;

static struct xsd_sockmsg head;                /* of the last request */
static char payload[XENSTORE_PAYLOAD_MAX + 1]; /* and what followed */

static void ignore(evtchn_port_t port __unused, void *arg __unused)
{
}

/* A port of ours that others seem to have bound. */
static bool start(void)
{
    struct evtchn_alloc_unbound alloc = {
        .dom = DOMID_SELF,
        .remote_dom = DOMID_SELF,
    };

    fake = (struct fake){ 0 };
    fake.ring = page_alloc_zeroed(0);
    if (fake.ring == NULL)
        return false;
    if (hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &alloc) != 0)
        return false;
    fake.ours = alloc.port;
    if (event_bind_interdomain(DOMID_SELF, fake.ours, ignore, NULL,
                               &fake.theirs) != 0)
        return false;
    if (xs_open(fake.ring, fake.ours, &fake.xs) != 0)
        return false;
    xs_set_timeout(fake.xs, PATIENCE_NS);
    return true;
}

static void stop(void)
{
    struct evtchn_close close = { .port = fake.ours };

    xs_close(fake.xs);
    (void)event_close(fake.theirs);
    (void)hypercall_event_channel_op(EVTCHNOP_close, &close);
    page_free(fake.ring, 0);
}

/* The other end's work on the ring, as far as there is any. */
static bool get(void *to, size_t len)
{
    const uint64_t deadline = ktime_ns() + PATIENCE_NS;
    char *out = to;

    while (len > 0) {
        const uint32_t cons = fake.ring->req_cons;

        if (fake.ring->req_prod == cons) {
            if (ktime_ns() > deadline)
                return false;
            thread_sleep(NSEC_PER_MSEC);
            continue;
        }
        *out++ = fake.ring->req[MASK_XENSTORE_IDX(cons)];
        fake.ring->req_cons = cons + 1;
        len--;
        if (fake.ring->req_prod == fake.ring->req_cons)
            (void)event_send(fake.theirs);
    }
    return true;
}

static bool put(const void *from, size_t len)
{
    const uint64_t deadline = ktime_ns() + PATIENCE_NS;
    const char *in = from;

    while (len > 0) {
        const uint32_t prod = fake.ring->rsp_prod;

        if (prod - fake.ring->rsp_cons == XENSTORE_RING_SIZE) {
            (void)event_send(fake.theirs);
            if (ktime_ns() > deadline)
                return false;
            thread_sleep(NSEC_PER_MSEC);
            continue;
        }
        fake.ring->rsp[MASK_XENSTORE_IDX(prod)] = *in++;
        fake.ring->rsp_prod = prod + 1;
        len--;
    }
    return event_send(fake.theirs) == 0;
}

static bool get_request(void)
{
    memset(payload, 0, sizeof(payload));
    return get(&head, sizeof(head)) && head.len <= XENSTORE_PAYLOAD_MAX &&
           get(payload, head.len);
}

static bool put_answer(uint32_t type, uint32_t id, const void *data, size_t len)
{
    const struct xsd_sockmsg answer = {
        .type = type,
        .req_id = id,
        .len = (uint32_t)len,
    };

    return put(&answer, sizeof(answer)) && put(data, len);
}

static bool put_string(uint32_t type, const char *s)
{
    return put_answer(type, head.req_id, s, strlen(s) + 1);
}

/*
 * Clients.
 */
static char *value;
static size_t value_len;

static int reads(void *arg)
{
    value = NULL;
    return xs_read(fake.xs, XS_NO_TX, arg, &value, &value_len);
}

static char big[XENSTORE_PAYLOAD_MAX];

static int writes_big(void *arg __unused)
{
    return xs_write(fake.xs, XS_NO_TX, "big", big, sizeof(big) - 4);
}

static struct xs_list list;

static int lists(void *arg __unused)
{
    return xs_directory(fake.xs, XS_NO_TX, "dir", &list);
}

static int transacts(void *arg __unused)
{
    xs_tx_t tx;

    return xs_transaction_start(fake.xs, &tx);
}

static int removes(void *arg __unused)
{
    return xs_rm(fake.xs, XS_NO_TX, "x");
}

static int gets_perms(void *arg __unused)
{
    struct xs_perm perms[2];
    unsigned int nr;

    return xs_get_perms(fake.xs, XS_NO_TX, "x", perms, 2, &nr);
}

static int commits(void *arg __unused)
{
    return xs_transaction_end(fake.xs, 7, true);
}

static void client(struct test_run *run_, thread_fn_t *fn, const char *path)
{
    static char copy[64];

    strlcpy(copy, path, sizeof(copy));
    EXPECT_EQ(thread_create("client", fn, copy, NULL, &fake.client), 0);
}

static void result(struct test_run *run_, int want)
{
    int rc = 0;

    EXPECT_EQ(thread_join(fake.client, ktime_ns() + 2 * PATIENCE_NS, &rc), 0);
    EXPECT_EQ(rc, want);
}

/* One request of @fn, answered by @len bytes of @data: what it returns. */
static void exchange(struct test_run *run_, thread_fn_t *fn, uint32_t type,
                     const void *data, size_t len, int want)
{
    client(run_, fn, "x");
    EXPECT(get_request());
    EXPECT(put_answer(type, head.req_id, data, len));
    result(run_, want);
}

#define EXCHANGE(fn, type, text, want)                                         \
    exchange(run_, fn, type, text, sizeof(text) - 1, want)

TEST(xs_ring, request_and_answer)
{
    REQUIRE(start());
    client(run_, reads, "a/path");
    EXPECT(get_request());
    EXPECT_EQ(head.type, XS_READ);
    EXPECT_EQ(head.tx_id, 0);
    EXPECT(head.req_id != 0);
    EXPECT_EQ(head.len, sizeof("a/path"));
    EXPECT_STR(payload, "a/path");
    EXPECT(put_answer(XS_READ, head.req_id, "x\0y", 3));
    result(run_, 0);
    EXPECT_EQ(value_len, 3);
    EXPECT(value != NULL && memcmp(value, "x\0y", 4) == 0);
    free(value);
    stop();
}

TEST(xs_ring, errors_are_made_of_strings)
{
    REQUIRE(start());
    EXCHANGE(reads, XS_ERROR, "ENOENT\0", -ENOENT);
    EXCHANGE(reads, XS_ERROR, "EPERM\0", -EPERM);
    EXCHANGE(reads, XS_ERROR, "E2BIG\0", -E2BIG);
    EXCHANGE(commits, XS_ERROR, "EAGAIN\0", -EAGAIN);
    EXCHANGE(reads, XS_ERROR, "EWHATEVER\0", -EIO);
    EXCHANGE(reads, XS_ERROR, "ENOENT", -EIO); /* not ended */
    EXCHANGE(reads, XS_ERROR, "", -EIO);
    EXPECT(!xs_stats(fake.xs).broken);
    stop();
}

TEST(xs_ring, strange_answers_are_refused)
{
    REQUIRE(start());
    EXCHANGE(reads, XS_WRITE, "OK\0", -EIO);
    EXCHANGE(reads, XS_INVALID, "OK\0", -EIO);
    EXCHANGE(removes, XS_RM, "", -EIO);
    EXCHANGE(removes, XS_RM, "OK", -EIO);
    EXCHANGE(removes, XS_RM, "KO\0", -EIO);
    EXCHANGE(removes, XS_RM, "OK\0\0", -EIO);
    EXCHANGE(lists, XS_DIRECTORY, "a\0b", -EIO);
    EXCHANGE(transacts, XS_TRANSACTION_START, "", -EIO);
    EXCHANGE(transacts, XS_TRANSACTION_START, "12", -EIO);
    EXCHANGE(transacts, XS_TRANSACTION_START, "0\0", -EIO);
    EXCHANGE(transacts, XS_TRANSACTION_START, "4294967296\0", -EIO);
    EXCHANGE(transacts, XS_TRANSACTION_START, "one\0", -EIO);
    EXCHANGE(gets_perms, XS_GET_PERMS, "x1\0", -EIO);
    EXCHANGE(gets_perms, XS_GET_PERMS, "r65536\0", -EIO);
    EXCHANGE(gets_perms, XS_GET_PERMS, "r1\0r2\0r3\0", -E2BIG);
    EXCHANGE(gets_perms, XS_GET_PERMS, "n1\0b2\0", 0);
    EXCHANGE(removes, XS_RM, "OK\0", 0);
    EXPECT(!xs_stats(fake.xs).broken);
    stop();
}

/* Both ways through a ring of a quarter the size. */
TEST(xs_ring, messages_larger_than_the_ring)
{
    REQUIRE(start());
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + i / 256);
    client(run_, writes_big, "");
    EXPECT(get_request());
    EXPECT_EQ(head.len, XENSTORE_PAYLOAD_MAX);
    EXPECT(memcmp(payload + 4, big, sizeof(big) - 4) == 0);
    EXPECT(put_string(XS_WRITE, "OK"));
    result(run_, 0);

    exchange(run_, reads, XS_READ, big, sizeof(big), 0);
    EXPECT_EQ(value_len, sizeof(big));
    EXPECT(value != NULL && memcmp(value, big, sizeof(big)) == 0);
    free(value);

    EXPECT_EQ(xs_write(fake.xs, XS_NO_TX, "big", big, sizeof(big) - 3), -E2BIG);
    stop();
}

TEST(xs_ring, indices_wrap)
{
    REQUIRE(start());
    xs_close(fake.xs);
    fake.ring->req_prod = fake.ring->req_cons = 0xfffffff0;
    fake.ring->rsp_prod = fake.ring->rsp_cons = 0xfffffffd;
    EXPECT_EQ(xs_open(fake.ring, fake.ours, &fake.xs), 0);
    EXCHANGE(reads, XS_ERROR, "EROFS\0", -EROFS);
    EXPECT(fake.ring->req_prod < 100);
    EXPECT(fake.ring->rsp_cons < 100);
    EXCHANGE(removes, XS_RM, "OK\0", 0);
    stop();
}

TEST(xs_ring, no_answer_is_a_time_out)
{
    uint64_t before;

    REQUIRE(start());
    xs_set_timeout(fake.xs, SHORT_NS);
    before = ktime_ns();
    client(run_, reads, "nobody");
    result(run_, -ETIMEDOUT);
    EXPECT(ktime_ns() - before >= SHORT_NS);
    EXPECT(!xs_stats(fake.xs).broken);
    stop();
}

TEST(xs_ring, time_out_of_never)
{
    REQUIRE(start());
    xs_set_timeout(fake.xs, KTIME_NEVER);
    EXCHANGE(removes, XS_RM, "OK\0", 0);
    stop();
}

TEST(xs_ring, late_answer_is_thrown_away)
{
    struct xsd_sockmsg first;

    REQUIRE(start());
    xs_set_timeout(fake.xs, SHORT_NS);
    client(run_, reads, "first");
    EXPECT(get_request());
    first = head;
    result(run_, -ETIMEDOUT);

    xs_set_timeout(fake.xs, PATIENCE_NS);
    client(run_, reads, "second");
    EXPECT(get_request());
    EXPECT(head.req_id != first.req_id);
    EXPECT(put_answer(XS_READ, first.req_id, "late", 4));
    EXPECT(put_answer(XS_READ, head.req_id, "right", 5));
    result(run_, 0);
    EXPECT(value != NULL);
    EXPECT_STR(value, "right");
    EXPECT_EQ(xs_stats(fake.xs).late, 1);
    free(value);
    stop();
}

/*
 * Who gives up in the middle of a request leaves the rest of it to the next one,
 * and the other end sees whole requests only.
 */
TEST(xs_ring, half_a_request_is_ended_by_the_next)
{
    REQUIRE(start());
    xs_set_timeout(fake.xs, SHORT_NS);
    client(run_, writes_big, "");
    result(run_, -ETIMEDOUT);
    EXPECT_EQ(fake.ring->req_prod, XENSTORE_RING_SIZE);

    /* No room, and nothing of it is out: it will never be. */
    client(run_, reads, "unsent");
    result(run_, -ETIMEDOUT);

    xs_set_timeout(fake.xs, PATIENCE_NS);
    client(run_, reads, "next");
    EXPECT(get_request());
    EXPECT_EQ(head.type, XS_WRITE);
    EXPECT_EQ(head.len, XENSTORE_PAYLOAD_MAX);
    EXPECT(put_string(XS_WRITE, "OK"));
    EXPECT(get_request());
    EXPECT_STR(payload, "next");
    EXPECT(put_string(XS_READ, "v"));
    result(run_, 0);
    free(value);
    stop();
}

TEST(xs_ring, answers_in_another_order)
{
    struct thread *clients[3];
    uint32_t ids[3];
    static const char *const errors[] = { "EBUSY", "EROFS", "ENOSPC" };
    static const int numbers[] = { -EBUSY, -EROFS, -ENOSPC };

    REQUIRE(start());
    for (unsigned int i = 0; i < 3; i++) {
        client(run_, reads, "x");
        clients[i] = fake.client;
        EXPECT(get_request());
        ids[i] = head.req_id;
    }
    for (int i = 2; i >= 0; i--)
        EXPECT(put_answer(XS_ERROR, ids[i], errors[i], strlen(errors[i]) + 1));
    for (unsigned int i = 0; i < 3; i++) {
        int rc = 0;

        EXPECT_EQ(thread_join(clients[i], ktime_ns() + PATIENCE_NS, &rc), 0);
        EXPECT_EQ(rc, numbers[i]);
    }
    stop();
}

/* The connection is given up, for who waits and for all who come. */
static void expect_broken(struct test_run *run_)
{
    result(run_, -EIO);
    EXPECT(xs_stats(fake.xs).broken);
    client(run_, reads, "again");
    result(run_, -EIO);
    stop();
}

TEST(xs_ring, bad_index_of_answers)
{
    REQUIRE(start());
    client(run_, reads, "x");
    EXPECT(get_request());
    fake.ring->rsp_prod = fake.ring->rsp_cons + XENSTORE_RING_SIZE + 1;
    EXPECT_EQ(event_send(fake.theirs), 0);
    expect_broken(run_);
}

TEST(xs_ring, bad_index_of_requests)
{
    REQUIRE(start());
    fake.ring->req_cons = fake.ring->req_prod + 1;
    client(run_, reads, "x");
    expect_broken(run_);
}

TEST(xs_ring, answer_without_end)
{
    const struct xsd_sockmsg answer = { .type = XS_READ, .len = 4097 };

    REQUIRE(start());
    client(run_, reads, "x");
    EXPECT(get_request());
    EXPECT(put(&answer, sizeof(answer)));
    expect_broken(run_);
}

/* Our own indices are not read back from where the other end can write. */
TEST(xs_ring, our_indices_are_ours)
{
    REQUIRE(start());
    EXCHANGE(removes, XS_RM, "OK\0", 0);
    fake.ring->rsp_cons = 77777;
    client(run_, removes, "x");
    EXPECT(get_request());
    EXPECT(put_string(XS_RM, "OK"));
    result(run_, 0);
    EXPECT_EQ(fake.ring->rsp_cons, fake.ring->rsp_prod);
    stop();
}

TEST(xs_ring, rest_of_an_answer_never_comes)
{
    struct xsd_sockmsg answer = { .type = XS_READ, .len = 100 };

    REQUIRE(start());
    xs_set_timeout(fake.xs, SHORT_NS);
    client(run_, reads, "x");
    EXPECT(get_request());
    answer.req_id = head.req_id;
    EXPECT(put(&answer, sizeof(answer)) && put("short", 5));
    result(run_, -ETIMEDOUT);
    stop();
}

/*
 * A folder by parts.
 */
TEST(xs_ring, large_directory_by_parts)
{
    const char *name = NULL;
    unsigned int n = 0;

    REQUIRE(start());
    client(run_, lists, "");
    EXPECT(get_request());
    EXPECT_EQ(head.type, XS_DIRECTORY);
    EXPECT(put_string(XS_ERROR, "E2BIG"));
    EXPECT(get_request());
    EXPECT_EQ(head.type, XS_DIRECTORY_PART);
    EXPECT_EQ(head.len, 6);
    EXPECT(memcmp(payload, "dir\0000", 6) == 0);
    EXPECT(put_answer(XS_DIRECTORY_PART, head.req_id, "9\0a\0bc\0", 7));
    EXPECT(get_request());
    EXPECT(memcmp(payload, "dir\0005", 6) == 0);
    /* It has changed: from the beginning. */
    EXPECT(put_answer(XS_DIRECTORY_PART, head.req_id, "10\0d\0\0", 6));
    EXPECT(get_request());
    EXPECT(memcmp(payload, "dir\0000", 6) == 0);
    EXPECT(put_answer(XS_DIRECTORY_PART, head.req_id, "10\0n0\0n1\0", 9));
    EXPECT(get_request());
    EXPECT(memcmp(payload, "dir\0006", 6) == 0);
    EXPECT(put_answer(XS_DIRECTORY_PART, head.req_id, "10\0n2\0\0", 7));
    result(run_, 0);
    EXPECT_EQ(list.nr, 3);
    while ((name = xs_list_next(&list, name)) != NULL) {
        char want[8];

        snprintf(want, sizeof(want), "n%u", n++);
        EXPECT_STR(name, want);
    }
    EXPECT_EQ(n, 3);
    free(list.text);
    stop();
}

TEST(xs_ring, parts_that_make_no_sense)
{
    static const struct {
        const char *text;
        size_t len;
        int rc;
    } parts[] = {
        { "", 0, -EIO },
        { "9", 2, -EIO },
        { "\0a", 3, -EIO },
        { "9\0a", 3, -EIO },
    };

    REQUIRE(start());
    for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
        client(run_, lists, "");
        EXPECT(get_request());
        EXPECT(put_string(XS_ERROR, "E2BIG"));
        EXPECT(get_request());
        EXPECT(put_answer(XS_DIRECTORY_PART, head.req_id, parts[i].text,
                          parts[i].len));
        result(run_, parts[i].rc);
    }
    /* A xenstored that does not know parts. */
    client(run_, lists, "");
    EXPECT(get_request());
    EXPECT(put_string(XS_ERROR, "E2BIG"));
    EXPECT(get_request());
    EXPECT(put_string(XS_ERROR, "ENOSYS"));
    result(run_, -E2BIG);
    stop();
}

/*
 * Watches.
 */
static struct xs_watch *watch;
static struct xs_queue queue;

static int watches(void *arg)
{
    return xs_watch(fake.xs, arg, &queue, &watch);
}

static int unwatches(void *arg __unused)
{
    return xs_unwatch(watch);
}

static char token[32];

static void begin_watch(struct test_run *run_)
{
    queue = (struct xs_queue){ 0 };
    client(run_, watches, "w");
    EXPECT(get_request());
    EXPECT_EQ(head.type, XS_WATCH);
    strlcpy(token, payload + 2, sizeof(token));
    EXPECT(put_string(XS_WATCH, "OK"));
    result(run_, 0);
}

static void end_watch(struct test_run *run_)
{
    client(run_, unwatches, "");
    EXPECT(get_request());
    EXPECT_EQ(head.type, XS_UNWATCH);
    EXPECT_STR(payload + 2, token);
    EXPECT(put_string(XS_UNWATCH, "OK"));
    result(run_, 0);
}

static bool put_event(const char *path, const char *of)
{
    char text[64];
    const int n = snprintf(text, sizeof(text), "%s%c%s", path, '\0', of);

    return put_answer(XS_WATCH_EVENT, 0, text, (size_t)n + 1);
}

static bool have_come(uint64_t events)
{
    const uint64_t deadline = ktime_ns() + PATIENCE_NS;

    while (xs_stats(fake.xs).events < events && ktime_ns() < deadline)
        thread_sleep(NSEC_PER_MSEC);
    return xs_stats(fake.xs).events >= events;
}

static void expect_event(struct test_run *run_, const char *path)
{
    struct xs_watch *w = NULL;
    char *got = NULL;

    EXPECT_EQ(xs_queue_wait(&queue, ktime_ns() + PATIENCE_NS, &w, &got), 0);
    EXPECT(w == watch);
    if (got != NULL)
        EXPECT_STR(got, path);
    free(got);
}

TEST(xs_ring, events_nobody_fetches_are_one)
{
    struct xs_watch *w;
    char *path;

    REQUIRE(start());
    begin_watch(run_);
    for (unsigned int i = 0; i < 3 * XS_WATCH_MAX; i++)
        EXPECT(put_event("w/below", token));
    EXPECT(have_come(3 * XS_WATCH_MAX));
    for (unsigned int i = 0; i < XS_WATCH_MAX; i++)
        expect_event(run_, "w/below");
    expect_event(run_, "w");
    EXPECT_EQ(xs_queue_wait(&queue, ktime_ns(), &w, &path), -ETIMEDOUT);
    EXPECT_EQ(xs_stats(fake.xs).dropped, 2 * XS_WATCH_MAX);

    /* And then as before; what is left is freed. */
    EXPECT(put_event("w/more", token));
    expect_event(run_, "w/more");
    for (unsigned int i = 0; i < 2 * XS_WATCH_MAX; i++)
        EXPECT(put_event("w/left", token));
    EXPECT(have_come(5 * XS_WATCH_MAX + 1));
    end_watch(run_);
    EXPECT_EQ(xs_queue_wait(&queue, ktime_ns(), &w, &path), -ETIMEDOUT);
    stop();
}

TEST(xs_ring, events_that_make_no_sense)
{
    struct xs_watch *w;
    char *path;

    REQUIRE(start());
    begin_watch(run_);
    EXPECT(put_event("w", "77"));
    EXPECT(put_event("w", "no number"));
    EXPECT(put_answer(XS_WATCH_EVENT, 0, "", 0));
    EXPECT(put_answer(XS_WATCH_EVENT, 0, "w", 2));
    EXPECT(put_answer(XS_WATCH_EVENT, 0, "w\0001", 3)); /* not ended */
    EXPECT(put_event("w/right", token));
    expect_event(run_, "w/right");
    EXPECT_EQ(xs_stats(fake.xs).strange, 5);
    end_watch(run_);
    EXPECT(put_event("w/late", token));
    EXCHANGE(removes, XS_RM, "OK\0", 0);
    EXPECT_EQ(xs_queue_wait(&queue, ktime_ns(), &w, &path), -ETIMEDOUT);
    EXPECT_EQ(xs_stats(fake.xs).strange, 6);
    stop();
}

TEST(xs_ring, watch_that_is_refused)
{
    REQUIRE(start());
    client(run_, watches, "w");
    EXPECT(get_request());
    strlcpy(token, payload + 2, sizeof(token));
    EXPECT(put_event("w", token)); /* before the answer */
    EXPECT(put_string(XS_ERROR, "EEXIST"));
    result(run_, -EEXIST);
    stop();
}

TEST(xs_ring, who_waits_for_events_learns_of_the_break)
{
    struct xs_watch *w;
    char *path;

    REQUIRE(start());
    begin_watch(run_);
    fake.ring->rsp_prod += 5000;
    EXPECT_EQ(event_send(fake.theirs), 0);
    EXPECT_EQ(xs_queue_wait(&queue, ktime_ns() + PATIENCE_NS, &w, &path), -EIO);
    client(run_, unwatches, "");
    result(run_, -EIO);
    stop();
}

/* A transaction that never works ends all the same. */
static int nothing(struct xs_connection *xs __unused, xs_tx_t tx __unused,
                   void *arg __unused)
{
    return 0;
}

static int tries(void *arg __unused)
{
    return xs_transaction(fake.xs, nothing, NULL);
}

TEST(xs_ring, transaction_is_tried_so_often)
{
    REQUIRE(start());
    client(run_, tries, "");
    for (unsigned int i = 0; i < XS_TX_TRIES; i++) {
        EXPECT(get_request());
        EXPECT_EQ(head.type, XS_TRANSACTION_START);
        EXPECT(put_string(XS_TRANSACTION_START, "5"));
        EXPECT(get_request());
        EXPECT_EQ(head.type, XS_TRANSACTION_END);
        EXPECT_EQ(head.tx_id, 5);
        EXPECT_STR(payload, "T");
        EXPECT(put_string(XS_ERROR, "EAGAIN"));
    }
    result(run_, -EAGAIN);
    stop();
}

TEST(xs_ring, port_that_is_taken)
{
    struct xs_connection *xs;

    REQUIRE(start());
    EXPECT_EQ(xs_open(fake.ring, fake.ours, &xs), -EEXIST);
    stop();
}

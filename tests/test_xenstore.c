/* SPDX-License-Identifier: MIT */
/*
 * The real xenstored, as a domU has it.  All that is made is below data/test,
 * which the toolstack lets the domain write to.
 */
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/xenstore.h>

#include "abi.h"

#define ROOT "data/test"

static struct xs_connection *xs;

static uint64_t soon(void)
{
    return ktime_ns() + 120 * NSEC_PER_SEC;
}

#define XENSTORE_OR_SKIP()                                                     \
    do {                                                                       \
        if (is_dom0())                                                         \
            SKIP("dom0 has no xenstore");                                      \
        REQUIRE(xenstore(&xs) == 0);                                           \
        EXPECT_EQ(xs_rm(xs, XS_NO_TX, ROOT), 0);                               \
    } while (0)

static void clean_up(struct test_run *run_)
{
    EXPECT_EQ(xs_rm(xs, XS_NO_TX, ROOT), 0);
}

static void expect_value(struct test_run *run_, xs_tx_t tx, const char *path,
                         const void *want, size_t want_len)
{
    char *value = NULL;
    size_t len = 0;
    int rc = xs_read(xs, tx, path, &value, &len);

    EXPECT_EQ(rc, 0);
    if (rc != 0)
        return;
    EXPECT_EQ(len, want_len);
    EXPECT(len == want_len && memcmp(value, want, len) == 0);
    EXPECT_EQ(value[len], '\0');
    free(value);
}

static void expect_no_value(struct test_run *run_, const char *path, int want)
{
    char *value = NULL;

    EXPECT_EQ(xs_read(xs, XS_NO_TX, path, &value, NULL), want);
    EXPECT(value == NULL);
}

TEST(xenstore, dom0_has_none)
{
    if (!is_dom0())
        SKIP("for dom0");
    EXPECT_EQ(xenstore(&xs), -ENODEV);
}

TEST(xenstore, write_and_read)
{
    static const char binary[] = { 'a', 0, 1, '\n', -1, 0 };

    XENSTORE_OR_SKIP();
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/a/b", "text"), 0);
    expect_value(run_, XS_NO_TX, ROOT "/a/b", "text", 4);
    expect_value(run_, XS_NO_TX, ROOT "/a", "", 0); /* made on the way */
    EXPECT_EQ(xs_write(xs, XS_NO_TX, ROOT "/a/b", "", 0), 0);
    expect_value(run_, XS_NO_TX, ROOT "/a/b", "", 0);
    EXPECT_EQ(xs_write(xs, XS_NO_TX, ROOT "/a/b", binary, sizeof(binary)), 0);
    expect_value(run_, XS_NO_TX, ROOT "/a/b", binary, sizeof(binary));
    EXPECT_EQ(xs_rm(xs, XS_NO_TX, ROOT "/a"), 0);
    expect_no_value(run_, ROOT "/a/b", -ENOENT);
    clean_up(run_);
}

TEST(xenstore, wrong_paths)
{
    struct xs_list list;

    XENSTORE_OR_SKIP();
    expect_no_value(run_, ROOT "/nothing", -ENOENT);
    expect_no_value(run_, "a//b", -EINVAL);
    expect_no_value(run_, "/", -EACCES);
    expect_no_value(run_, "", -EINVAL);
    expect_no_value(run_, "trailing/", -EINVAL);
    expect_no_value(run_, "white space", -EINVAL);
    EXPECT_EQ(xs_directory(xs, XS_NO_TX, ROOT "/nothing", &list), -ENOENT);
    EXPECT_EQ(xs_mkdir(xs, XS_NO_TX, "a b"), -EINVAL);
    EXPECT_EQ(xs_rm(xs, XS_NO_TX, ROOT "/no/thing"), -ENOENT);
}

TEST(xenstore, paths_of_others_are_refused)
{
    XENSTORE_OR_SKIP();
    expect_no_value(run_, "/local/domain/0/name", -EACCES);
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, "/local/domain/0/x", "y"), -EACCES);
    EXPECT_EQ(xs_mkdir(xs, XS_NO_TX, "/tool/x"), -EACCES);
    EXPECT_EQ(xs_rm(xs, XS_NO_TX, "/local/domain/0"), -EACCES);
    /* Ours, but the toolstack's to write. */
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, "name", "me"), -EACCES);
}

/*
 * Longer than the ring both ways.  A domU may have 2 KiB in a node at most
 * (xenstored's quota), and a request has no more than 4 KiB.
 */
TEST(xenstore, large_values)
{
    static char value[XENSTORE_PAYLOAD_MAX];
    const size_t most = sizeof(value) - sizeof(ROOT "/v");

    XENSTORE_OR_SKIP();
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = (char)test_random();
    for (size_t len = 1000; len <= 1900; len += 90) {
        EXPECT_EQ(xs_write(xs, XS_NO_TX, ROOT "/v", value, len), 0);
        expect_value(run_, XS_NO_TX, ROOT "/v", value, len);
    }
    EXPECT_EQ(xs_write(xs, XS_NO_TX, ROOT "/v", value, most), -ENOSPC);
    EXPECT_EQ(xs_write(xs, XS_NO_TX, ROOT "/v", value, most + 1), -E2BIG);
    expect_value(run_, XS_NO_TX, ROOT "/v", value, 1900);
    clean_up(run_);
}

TEST(xenstore, directory)
{
    struct xs_list list;
    const char *name = NULL;
    unsigned int seen = 0;
    char path[40];

    XENSTORE_OR_SKIP();
    EXPECT_EQ(xs_mkdir(xs, XS_NO_TX, ROOT "/d"), 0);
    EXPECT_EQ(xs_mkdir(xs, XS_NO_TX, ROOT "/d"), 0);
    REQUIRE(xs_directory(xs, XS_NO_TX, ROOT "/d", &list) == 0);
    EXPECT_EQ(list.nr, 0);
    EXPECT(xs_list_next(&list, NULL) == NULL);
    free(list.text);

    for (unsigned int i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), ROOT "/d/n%u", i);
        EXPECT_EQ(xs_write(xs, XS_NO_TX, path, "", 0), 0);
    }
    REQUIRE(xs_directory(xs, XS_NO_TX, ROOT "/d", &list) == 0);
    EXPECT_EQ(list.nr, 20);
    while ((name = xs_list_next(&list, name)) != NULL) {
        uint64_t number = 31;

        EXPECT_EQ(parse_u64(name + 1, &number), 0);
        seen |= 1u << number;
    }
    EXPECT_EQ(seen, (1u << 20) - 1);
    free(list.text);
    clean_up(run_);
}

TEST(xenstore, permissions)
{
    struct xs_perm perms[4];
    unsigned int nr = 0;
    domid_t me;
    int rc;

    XENSTORE_OR_SKIP();
    EXPECT_EQ(xs_write(xs, XS_NO_TX, ROOT "/p", "", 0), 0);
    REQUIRE(xs_get_perms(xs, XS_NO_TX, ROOT "/p", perms, 4, &nr) == 0);
    EXPECT_EQ(nr, 1);
    EXPECT_EQ(perms[0].access, 'n');
    me = perms[0].domain;
    EXPECT(me != 0);

    perms[0].access = 'r';
    perms[1] = (struct xs_perm){ .domain = 0, .access = 'b' };
    perms[2] = (struct xs_perm){ .domain = 77, .access = 'w' };
    EXPECT_EQ(xs_set_perms(xs, XS_NO_TX, ROOT "/p", perms, 3), 0);
    memset(perms, 0, sizeof(perms));
    REQUIRE(xs_get_perms(xs, XS_NO_TX, ROOT "/p", perms, 4, &nr) == 0);
    EXPECT_EQ(nr, 3);
    EXPECT(perms[0].domain == me && perms[0].access == 'r');
    EXPECT(perms[1].domain == 0 && perms[1].access == 'b');
    EXPECT(perms[2].domain == 77 && perms[2].access == 'w');
    EXPECT_EQ(xs_get_perms(xs, XS_NO_TX, ROOT "/p", perms, 2, &nr), -E2BIG);
    EXPECT_EQ(xs_set_perms(xs, XS_NO_TX, ROOT "/p", perms, 0), -EINVAL);
    /* Nobody gives away what he owns.  Not each xenstored has a word for it. */
    perms[0].domain = 0;
    rc = xs_set_perms(xs, XS_NO_TX, ROOT "/p", perms, 1);
    EXPECT(rc == -EPERM || (rc == -EINVAL && !xen_since(17)));
    clean_up(run_);
}

TEST(xenstore, domain_path)
{
    struct xs_perm owner;
    unsigned int nr;
    char *path = NULL;
    char want[32];

    XENSTORE_OR_SKIP();
    REQUIRE(xs_write(xs, XS_NO_TX, ROOT, "", 0) == 0);
    REQUIRE(xs_get_perms(xs, XS_NO_TX, ROOT, &owner, 1, &nr) == 0);
    EXPECT_EQ(xs_get_domain_path(xs, 0, &path), 0);
    EXPECT_STR(path, "/local/domain/0");
    free(path);
    EXPECT_EQ(xs_get_domain_path(xs, owner.domain, &path), 0);
    snprintf(want, sizeof(want), "/local/domain/%u", owner.domain);
    EXPECT_STR(path, want);
    free(path);
    clean_up(run_);
}

/*
 * Transactions.
 */
TEST(xenstore, transaction_is_all_or_nothing)
{
    xs_tx_t tx;

    XENSTORE_OR_SKIP();
    REQUIRE(xs_transaction_start(xs, &tx) == 0);
    EXPECT_EQ(xs_write_string(xs, tx, ROOT "/t", "new"), 0);
    expect_no_value(run_, ROOT "/t", -ENOENT);
    expect_value(run_, tx, ROOT "/t", "new", 3);
    EXPECT_EQ(xs_transaction_end(xs, tx, true), 0);
    expect_value(run_, XS_NO_TX, ROOT "/t", "new", 3);

    REQUIRE(xs_transaction_start(xs, &tx) == 0);
    EXPECT_EQ(xs_write_string(xs, tx, ROOT "/t", "never"), 0);
    EXPECT_EQ(xs_transaction_end(xs, tx, false), 0);
    expect_value(run_, XS_NO_TX, ROOT "/t", "new", 3);
    EXPECT_EQ(xs_transaction_end(xs, tx, true), -ENOENT);
    clean_up(run_);
}

TEST(xenstore, conflict_is_eagain)
{
    xs_tx_t tx;

    XENSTORE_OR_SKIP();
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/t", "1"), 0);
    REQUIRE(xs_transaction_start(xs, &tx) == 0);
    expect_value(run_, tx, ROOT "/t", "1", 1);
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/t", "2"), 0);
    EXPECT_EQ(xs_write_string(xs, tx, ROOT "/t", "3"), 0);
    EXPECT_EQ(xs_transaction_end(xs, tx, true), -EAGAIN);
    expect_value(run_, XS_NO_TX, ROOT "/t", "2", 1);
    clean_up(run_);
}

/* Read in the transaction, be disturbed @arg times, write. */
static int disturbed(struct xs_connection *c, xs_tx_t tx, void *arg)
{
    unsigned int *times = arg;
    char *value;
    int rc = xs_read(c, tx, ROOT "/t", &value, NULL);

    if (rc != 0)
        return rc;
    free(value);
    if (*times > 0) {
        (*times)--;
        rc = xs_write_string(c, XS_NO_TX, ROOT "/t", "disturbed");
        if (rc != 0)
            return rc;
    }
    return xs_write_string(c, tx, ROOT "/t", "done");
}

static int fails(struct xs_connection *c, xs_tx_t tx, void *arg __unused)
{
    int rc = xs_write_string(c, tx, ROOT "/t", "failed");

    return rc == 0 ? -EDOM : rc;
}

TEST(xenstore, transaction_is_tried_again)
{
    unsigned int times = 3;

    XENSTORE_OR_SKIP();
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/t", "1"), 0);
    EXPECT_EQ(xs_transaction(xs, disturbed, &times), 0);
    EXPECT_EQ(times, 0);
    expect_value(run_, XS_NO_TX, ROOT "/t", "done", 4);
    times = 1000;
    EXPECT_EQ(xs_transaction(xs, disturbed, &times), -EAGAIN);
    EXPECT_EQ(times, 1000 - XS_TX_TRIES);
    EXPECT_EQ(xs_transaction(xs, fails, NULL), -EDOM);
    expect_value(run_, XS_NO_TX, ROOT "/t", "disturbed", 9);
    clean_up(run_);
}

/*
 * Watches.
 */
static void expect_event(struct test_run *run_, struct xs_queue *queue,
                         struct xs_watch *watch, const char *path)
{
    struct xs_watch *w = NULL;
    char *got = NULL;
    int rc = xs_queue_wait(queue, soon(), &w, &got);

    EXPECT_EQ(rc, 0);
    if (rc != 0)
        return;
    EXPECT(w == watch);
    EXPECT_STR(got, path);
    free(got);
}

static void expect_no_event(struct test_run *run_, struct xs_queue *queue)
{
    struct xs_watch *w;
    char *path;

    EXPECT_EQ(xs_queue_wait(queue, ktime_ns() + 20 * NSEC_PER_MSEC, &w, &path),
              -ETIMEDOUT);
}

TEST(xenstore, watch_tells_of_changes_below)
{
    static struct xs_queue queue;
    struct xs_watch *w = NULL;

    XENSTORE_OR_SKIP();
    REQUIRE(xs_watch(xs, ROOT "/w", &queue, &w) == 0);
    expect_event(run_, &queue, w, ROOT "/w");
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/w", "1"), 0);
    expect_event(run_, &queue, w, ROOT "/w");
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/w/b", "1"), 0);
    expect_event(run_, &queue, w, ROOT "/w/b");
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/other", "1"), 0);
    expect_no_event(run_, &queue);

    /* Nothing more afterwards, not even of what was there before. */
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/w", "2"), 0);
    EXPECT_EQ(xs_unwatch(w), 0);
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/w", "3"), 0);
    expect_no_event(run_, &queue);
    clean_up(run_);
}

TEST(xenstore, watch_of_a_wrong_path)
{
    static struct xs_queue queue;
    struct xs_watch *w = NULL;

    XENSTORE_OR_SKIP();
    EXPECT_EQ(xs_watch(xs, "a//b", &queue, &w), -EINVAL);
    EXPECT(w == NULL);
}

/* In several queues, each event to its own watch. */
TEST(xenstore, many_watches)
{
    static struct xs_queue queues[3];
    struct xs_watch *w[60] = { NULL };
    char path[40];

    XENSTORE_OR_SKIP();
    for (unsigned int i = 0; i < ARRAY_SIZE(w); i++) {
        snprintf(path, sizeof(path), ROOT "/w%u", i);
        REQUIRE(xs_watch(xs, path, &queues[i % 3], &w[i]) == 0);
        expect_event(run_, &queues[i % 3], w[i], path);
    }
    for (unsigned int i = ARRAY_SIZE(w); i-- > 0;) {
        snprintf(path, sizeof(path), ROOT "/w%u", i);
        EXPECT_EQ(xs_write(xs, XS_NO_TX, path, "", 0), 0);
        expect_event(run_, &queues[i % 3], w[i], path);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
        EXPECT_EQ(xs_unwatch(w[i]), 0);
    for (unsigned int i = 0; i < 3; i++)
        EXPECT(queues[i].first == NULL);
    clean_up(run_);
}

/*
 * Several threads.  Each has a node of its own, and one they all count in.
 */
static int counts(struct xs_connection *c, xs_tx_t tx, void *arg __unused)
{
    char text[16], *value;
    int rc = xs_read(c, tx, ROOT "/count", &value, NULL);

    if (rc != 0)
        return rc;
    snprintf(text, sizeof(text), "%c%c", value[0] + (value[1] == '9'),
             value[1] == '9' ? '0' : value[1] + 1);
    free(value);
    return xs_write_string(c, tx, ROOT "/count", text);
}

static int hammers(void *arg)
{
    char path[40], text[16], *value;
    int rc = 0;

    snprintf(path, sizeof(path), ROOT "/h%lu", (unsigned long)arg);
    for (unsigned int i = 0; i < 25 && rc == 0; i++) {
        snprintf(text, sizeof(text), "%lu.%u", (unsigned long)arg, i);
        rc = xs_write_string(xs, XS_NO_TX, path, text);
        if (rc == 0)
            rc = xs_read(xs, XS_NO_TX, path, &value, NULL);
        if (rc != 0)
            break;
        if (strcmp(value, text) != 0)
            rc = -EDOM;
        free(value);
        if (rc == 0 && i % 5 == 0)
            rc = xs_transaction(xs, counts, NULL);
    }
    return rc;
}

TEST(xenstore, several_threads)
{
    static const struct thread_options o = {
        .flags = THREAD_PREEMPTIVE,
        .priority = THREAD_NORMAL,
    };
    struct thread *t[6] = { NULL };

    XENSTORE_OR_SKIP();
    EXPECT_EQ(xs_write_string(xs, XS_NO_TX, ROOT "/count", "00"), 0);
    for (unsigned long i = 0; i < ARRAY_SIZE(t); i++)
        EXPECT_EQ(thread_create("hammer", hammers, (void *)i, &o, &t[i]), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
        int rc = 0;

        EXPECT_EQ(thread_join(t[i], soon(), &rc), 0);
        EXPECT_EQ(rc, 0);
    }
    expect_value(run_, XS_NO_TX, ROOT "/count", "30", 2);
    EXPECT_EQ(xs_stats(xs).late, 0);
    clean_up(run_);
}

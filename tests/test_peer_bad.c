/* SPDX-License-Identifier: MIT */
/*
 * Peers that do what they should not (tests/peer.sh), each deed by a connection of
 * its own.  They know no more of the other end than that it closes the connection,
 * or goes on as if nothing had happened.
 */
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/grant.h>
#include <plinth/heap.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/vmap.h>

#include "abi.h"
#include "peer.h"
#include "peer_link.h"

static void publish(struct test_run *run_, struct link *l, const char *name,
                    const char *text)
{
    EXPECT_EQ(link_publish(l, name, text), 0);
}

static void publish_number(struct test_run *run_, struct link *l,
                           const char *name, unsigned int number)
{
    char text[12];

    snprintf(text, sizeof(text), "%u", number);
    publish(run_, l, name, text);
}

/*
 * Before the peer looks: nodes that lead nowhere.
 */
static void *spare; /* a page to grant in other ways */
static grant_ref_t spare_ref;
static evtchn_port_t spare_port;

static void give_spare(struct test_run *run_, struct link *l, domid_t domid,
                       bool readonly)
{
    REQUIRE(grant_access(domid, kaddr_pfn(spare), readonly, &spare_ref) == 0);
    publish_number(run_, l, "ring-ref", spare_ref);
}

static void end_spare(struct test_run *run_)
{
    if (spare_ref != 0)
        EXPECT_EQ(grant_end_access(spare_ref), 0);
    if (spare_port != 0)
        EXPECT_EQ(event_close(spare_port), 0);
    spare_ref = spare_port = 0;
}

static void long_ref(struct test_run *run_, struct link *l)
{
    static char digits[2000];

    memset(digits, '9', sizeof(digits) - 1);
    publish(run_, l, "ring-ref", digits);
}

static void ref_never_given(struct test_run *run_, struct link *l)
{
    publish_number(run_, l, "ring-ref", grant_stats().refs - 1);
}

static void ref_of_the_toolstack(struct test_run *run_, struct link *l)
{
    publish_number(run_, l, "ring-ref", GNTTAB_RESERVED_XENSTORE);
}

static void ref_for_another(struct test_run *run_, struct link *l)
{
    give_spare(run_, l, 0, false);
}

static void ref_for_reading(struct test_run *run_, struct link *l)
{
    give_spare(run_, l, l->peer, true);
}

static void ended_ref(struct test_run *run_, struct link *l)
{
    give_spare(run_, l, l->peer, false);
    end_spare(run_);
}

static void nothing(evtchn_port_t port __unused, void *arg __unused)
{
}

static void port_for_another(struct test_run *run_, struct link *l)
{
    REQUIRE(event_alloc_unbound(0, nothing, NULL, &spare_port) == 0);
    publish_number(run_, l, "event-channel", spare_port);
}

/*
 * While connected.  A front sends in lane 0 and receives in lane 1.
 */
static struct link_lane *sends(struct link *l)
{
    return &l->page->lane[l->front ? 0 : 1];
}

static struct link_lane *receives(struct link *l)
{
    return &l->page->lane[l->front ? 1 : 0];
}

static void set_prod(struct test_run *run_, struct link *l, uint32_t prod)
{
    __atomic_store_n(&sends(l)->prod, prod, __ATOMIC_RELEASE);
    EXPECT_EQ(event_send(l->port), 0);
}

static void far_ahead(struct test_run *run_, struct link *l)
{
    set_prod(run_, l, l->sent + 0x1000);
}

static void one_too_many(struct test_run *run_, struct link *l)
{
    set_prod(run_, l, l->sent + LINK_SLOTS + 1);
}

static void backwards(struct test_run *run_, struct link *l)
{
    set_prod(run_, l, l->sent - 1);
}

static void half_way_round(struct test_run *run_, struct link *l)
{
    set_prod(run_, l, l->sent + 0x80000000u);
}

static void takes_what_was_not_sent(struct test_run *run_, struct link *l)
{
    receives(l)->cons += 5;
    EXPECT_EQ(link_send(l, "x", 1), 0);
}

static void gives_back_what_it_took(struct test_run *run_, struct link *l)
{
    receives(l)->cons -= LINK_SLOTS + 1;
    EXPECT_EQ(link_send(l, "x", 1), 0);
}

static void send_of_length(struct test_run *run_, struct link *l, uint32_t len)
{
    sends(l)->slots[l->sent % LINK_SLOTS].len = len;
    set_prod(run_, l, l->sent + 1);
}

static void a_byte_too_long(struct test_run *run_, struct link *l)
{
    send_of_length(run_, l, LINK_MESSAGE_MAX + 1);
}

static void endless_message(struct test_run *run_, struct link *l)
{
    send_of_length(run_, l, UINT32_MAX);
}

/* However slow the machine is, it has the time for all before. */
static void silence(struct test_run *run_, struct link *l)
{
    EXPECT_EQ(link_send(l, "hush", 4), 0);
}

static void word_for_state(struct test_run *run_, struct link *l)
{
    publish(run_, l, "state", "better than ever");
}

static void no_state(struct test_run *run_, struct link *l)
{
    EXPECT_EQ(xs_rm(l->xs, XS_NO_TX, "data/link/state"), 0);
}

/*
 * What the peer has to stand.
 */

/* Its indices in the page, which it has to have elsewhere as well. */
static void writes_its_indices(struct test_run *run_, struct link *l)
{
    const uint64_t end = ktime_ns() + LINK_PATIENCE;
    struct link_slot *slot = &sends(l)->slots[l->sent % LINK_SLOTS];

    slot->len = 1;
    slot->data[0] = 'x';
    sends(l)->cons = 0xdead;
    receives(l)->prod = 0xbeef;
    set_prod(run_, l, ++l->sent);
    while (__atomic_load_n(&receives(l)->prod, __ATOMIC_ACQUIRE) !=
               l->received + 1 &&
           ktime_ns() < end)
        thread_sleep(10 * NSEC_PER_MSEC);
    EXPECT_EQ(receives(l)->prod, ++l->received);
    receives(l)->cons = l->received;
}

static uint64_t ticks_of(struct link *l)
{
    char path[64], *text;
    uint64_t n = 0;

    snprintf(path, sizeof(path), "/local/domain/%u/data/link/ticks", l->peer);
    if (xs_read(l->xs, XS_NO_TX, path, &text, NULL) != 0)
        return 0;
    if (parse_u64(text, &n) != 0)
        n = 0;
    free(text);
    return n;
}

/*
 * As many events as we can send, until the peer's other thread has gone on by five
 * steps and the link has answered as often.
 */
static void storm(struct test_run *run_, struct link *l)
{
    const uint64_t first = ticks_of(l), end = ktime_ns() + LINK_PATIENCE;
    unsigned int sent = 0;
    int rc = 0;

    while (rc == 0 && ticks_of(l) < first + 5 && ktime_ns() < end) {
        for (unsigned int i = 0; i < 5000 && rc == 0; i++, sent++)
            rc = event_send(l->port);
        if (rc == 0)
            rc = peer_talk(run_, l, 1, 1);
    }
    EXPECT_EQ(rc, 0);
    EXPECT(ticks_of(l) >= first + 5);
    say("# %u events\n", sent);
}

/* The entry itself, which Xen lends us: as no sound table of grants would do it. */
static grant_entry_v1_t *raw_table(struct test_run *run_)
{
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = 1 };
    xen_pfn_t frame = 0;
    void *p = NULL;

    set_xen_guest_handle(op.frame_list, &frame);
    EXPECT_EQ(hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(vmap_run(_mfn(frame), 1, MAP_RW, &p), 0);
    return p;
}

static void revoke(struct test_run *run_, struct link *l)
{
    grant_entry_v1_t *table;

    REQUIRE(grant_stats().version == 1 && l->ref < PAGE_SIZE / sizeof(*table));
    table = raw_table(run_);
    REQUIRE(table != NULL);
    EXPECT(table[l->ref].flags & GTF_writing);
    table[l->ref].flags = 0;
    vunmap(table, 1);
}

/* Xen has forgotten nothing; for our own table it is a grant again. */
static void undo_revoke(struct test_run *run_, struct link *l)
{
    grant_entry_v1_t *table = raw_table(run_);

    REQUIRE(table != NULL);
    EXPECT_EQ(table[l->ref].flags, 0);
    table[l->ref].flags = GTF_permit_access;
    vunmap(table, 1);
}

static const struct deed {
    const char *name;
    const char *node, *text; /* what is in it; NULL: it is not there */
    /* Before the peer looks; connected; the same, and the peer has to stand it. */
    void (*spoil)(struct test_run *run_, struct link *l);
    void (*act)(struct test_run *run_, struct link *l);
    void (*stand)(struct test_run *run_, struct link *l);
    void (*undo)(struct test_run *run_,
                 struct link *l); /* when it has closed */
} front_deeds[] = {
    { "no ref", .node = "ring-ref" },
    { "empty ref", .node = "ring-ref", .text = "" },
    { "word for ref", .node = "ring-ref", .text = "a \033[31mred\n word that is long" },
    { "negative ref", .node = "ring-ref", .text = "-1" },
    { "huge ref", .node = "ring-ref", .text = "4294967296" },
    { "long ref", .spoil = long_ref },
    { "ref beyond the table", .node = "ring-ref", .text = "4294967295" },
    { "ref never given", .spoil = ref_never_given },
    { "ref of the toolstack", .spoil = ref_of_the_toolstack },
    { "ref for another", .spoil = ref_for_another },
    { "ref for reading", .spoil = ref_for_reading },
    { "ended ref", .spoil = ended_ref },
    { "no port", .node = "event-channel" },
    { "word for port", .node = "event-channel", .text = "four" },
    { "port zero", .node = "event-channel", .text = "0" },
    { "port beyond all", .node = "event-channel", .text = "4000000000" },
    { "port for another", .spoil = port_for_another },
    { "far ahead", .act = far_ahead },
    { "one too many", .act = one_too_many },
    { "backwards", .act = backwards },
    { "half way round", .act = half_way_round },
    { "takes what was not sent", .act = takes_what_was_not_sent },
    { "gives back what it took", .act = gives_back_what_it_took },
    { "a byte too long", .act = a_byte_too_long },
    { "endless message", .act = endless_message },
    { "silence", .act = silence },
    { "word for state", .act = word_for_state },
    { "writes its indices", .stand = writes_its_indices },
    { "storm", .stand = storm },
    { "revoke", .stand = revoke, .undo = undo_revoke },
    { "no state", .act = no_state }, /* after which we are gone */
}, back_deeds[] = {
    { "far ahead", .act = far_ahead },
    { "gives back what it took", .act = gives_back_what_it_took },
};

static void spoil_node(struct test_run *run_, struct link *l,
                       const struct deed *deed)
{
    char path[40];

    snprintf(path, sizeof(path), "data/link/%s", deed->node);
    if (deed->text != NULL)
        publish(run_, l, deed->node, deed->text);
    else
        EXPECT_EQ(xs_rm(l->xs, XS_NO_TX, path), 0);
}

/* Connected, and it has been seen to work. */
static void do_deed(struct test_run *run_, struct link *l,
                    const struct deed *deed)
{
    EXPECT_EQ(peer_talk(run_, l, 1, 2), 0);
    if (deed->act != NULL) {
        deed->act(run_, l);
        return;
    }
    REQUIRE(deed->stand != NULL); /* or it should not have been accepted */
    deed->stand(run_, l);
    EXPECT_EQ(peer_talk(run_, l, 2, LINK_SLOTS), 0);
    EXPECT_EQ(link_set_state(l, XenbusStateClosing), 0);
}

static void do_in_front(struct test_run *run_, struct link *l,
                        const struct deed *deed)
{
    say("# deed: %s\n", deed->name);
    REQUIRE(link_await(l, LINK_STATE(InitWait)) == 0);
    REQUIRE(link_offer(l) == 0);
    if (deed->node != NULL)
        spoil_node(run_, l, deed);
    if (deed->spoil != NULL)
        deed->spoil(run_, l);
    EXPECT_EQ(link_set_state(l, XenbusStateInitialised), 0);
    if (peer_connected(l) == 0)
        do_deed(run_, l, deed);
    EXPECT_EQ(link_await(l, LINK_STATE(Closed) | LINK_NO_MORE), 0);
    if (deed->undo != NULL)
        deed->undo(run_, l);
    EXPECT_EQ(link_disconnect(l), 0);
    end_spare(run_);
    EXPECT_EQ(link_set_state(l, XenbusStateClosed), 0);
}

FATAL(peer, misbehaves_in_front)
{
    struct link l = { .patience = LINK_PATIENCE };
    struct xs_connection *xs;
    struct peer peer;

    spare = page_alloc_zeroed(0);
    REQUIRE(spare != NULL);
    REQUIRE(xenstore(&xs) == 0 && peer_introduced(xs, &peer));
    REQUIRE(link_open(&l, true, peer.domid) == 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(front_deeds); i++)
        do_in_front(run_, &l, &front_deeds[i]);
    link_close(&l);
    page_free(spare, 0);
    EXPECT_EQ(grant_stop(), 0);
    peer_forget(xs);
}

/* The front sees it as soon as it is connected. */
static void do_behind(struct test_run *run_, struct link *l,
                      const struct deed *deed)
{
    say("# deed: %s\n", deed->name);
    EXPECT_EQ(link_set_state(l, XenbusStateInitWait), 0);
    REQUIRE(link_await(l, LINK_STATE(Initialised)) == 0);
    REQUIRE(link_accept(l) == 0);
    deed->act(run_, l);
    EXPECT_EQ(link_set_state(l, XenbusStateConnected), 0);
    EXPECT_EQ(link_await(l, LINK_STATE(Closed)), 0);
    EXPECT_EQ(link_disconnect(l), 0);
    EXPECT_EQ(link_set_state(l, XenbusStateClosed), 0);
}

/* It does not let go of the page at the end, until it is destroyed. */
FATAL(peer, misbehaves_behind)
{
    struct link l = { .patience = LINK_PATIENCE };
    struct xs_connection *xs;
    struct peer peer;
    uint64_t end;

    REQUIRE(xenstore(&xs) == 0 && peer_introduced(xs, &peer));
    REQUIRE(link_open(&l, false, peer.domid) == 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(back_deeds); i++)
        do_behind(run_, &l, &back_deeds[i]);
    EXPECT_EQ(link_set_state(&l, XenbusStateInitWait), 0);
    REQUIRE(link_await(&l, LINK_STATE(Initialised)) == 0);
    REQUIRE(link_accept(&l) == 0);
    EXPECT_EQ(link_set_state(&l, XenbusStateConnected), 0);
    end = ktime_ns() + LINK_PATIENCE;
    /* By then it waits for an answer. */
    while (__atomic_load_n(&receives(&l)->prod, __ATOMIC_ACQUIRE) !=
               l.received + LINK_SLOTS &&
           ktime_ns() < end)
        thread_sleep(10 * NSEC_PER_MSEC);
    say("# keeps the page\n");
    thread_sleep(LINK_PATIENCE);
    EXPECT(false);
}

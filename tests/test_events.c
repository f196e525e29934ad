/* SPDX-License-Identifier: MIT */
/*
 * Event channels, by both of Xen's forms: whichever the option plinth.events
 * has chosen.
 */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/hypercall.h>
#include <plinth/idle.h>
#include <plinth/page.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/shared_info.h>
#include <plinth/spinlock.h>
#include <plinth/stack.h>
#include <plinth/string.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/trap.h>
#include <plinth/upcall.h>
#include <plinth/watch.h>

#include "abi.h"
#include "listen.h"
#include "recurse.h"
#include "wait.h"

static uint64_t attached(void)
{
    return event_stats().attached;
}

static uint64_t unmasked(void)
{
    return !upcall_masked();
}

LEDGER(event_handlers, attached);
LEDGER(upcalls_unmasked, unmasked);

static bool is_fifo(void)
{
    return strcmp(events_abi(), "FIFO") == 0;
}

/* Handlers count in a word of their caller's. */
static void count(evtchn_port_t port __unused, void *arg)
{
    (*(volatile uint64_t *)arg)++;
}

/* Far too many, but no end of the test if nobody stops them. */
#define STORM 200000u

static void count_and_send(evtchn_port_t port, void *arg)
{
    count(port, arg);
    if (*(uint64_t *)arg < STORM)
        (void)event_send(port);
}

static bool is_nonzero(void *arg)
{
    return *(volatile uint64_t *)arg != 0;
}

/* When something that must come has not: only a failure takes so long. */
#define PATIENCE_NS (120 * NSEC_PER_SEC)

static int wait_for(uint64_t *word)
{
    return wait_until(is_nonzero, word, ktime_ns() + PATIENCE_NS);
}

static evtchn_port_t new_ipi(event_handler_t *fn, void *arg)
{
    evtchn_port_t port = 0;

    return event_bind_ipi(0, fn, arg, &port) == 0 ? port : 0;
}

/* One that lets events in. */
static evtchn_port_t open_ipi(event_handler_t *fn, void *arg)
{
    const evtchn_port_t port = new_ipi(fn, arg);

    (void)event_unmask(port);
    return port;
}

/*
 * Right and wrong use.
 */
TEST(events, abi_is_the_chosen_one)
{
    const char *option =
        strstr((const char *)start_info()->cmd_line, "plinth.events=2l");

    EXPECT_STR(events_abi(), option != NULL ? "2-level" : "FIFO");
}

TEST(events, ipi_to_ourselves)
{
    uint64_t hits = 0;
    const evtchn_port_t port = new_ipi(count, &hits);

    REQUIRE(port != 0);
    EXPECT_RC(event_send(port), 0);
    EXPECT_EQ(hits, 0);
    EXPECT_RC(event_unmask(port), 0);
    EXPECT_EQ(hits, 1);
    for (unsigned int i = 0; i < 1000; i++) {
        EXPECT_RC(event_send(port), 0);
        REQUIRE(hits == i + 2);
        if (i % 32 == 31) /* not to look like a storm */
            thread_sleep_until(ktime_ns() + 2 * EVENT_WINDOW_NS);
    }
    EXPECT_RC(event_close(port), 0);
}

TEST(events, channel_to_ourselves)
{
    uint64_t here = 0, there = 0;
    evtchn_port_t a = 0, b = 0, c = 0;

    REQUIRE(event_alloc_unbound(DOMID_SELF, count, &here, &a) == 0);
    EXPECT_RC(event_send(a), 0); /* to nobody */
    REQUIRE(event_bind_interdomain(DOMID_SELF, a, count, &there, &b) == 0);
    EXPECT_RC(event_bind_interdomain(DOMID_SELF, a, count, NULL, &c), -EINVAL);
    EXPECT_EQ(c, 0);
    EXPECT_RC(event_unmask(a), 0);
    EXPECT_RC(event_unmask(b), 0);
    EXPECT_EQ(here, 0);
    EXPECT_EQ(there, 1); /* pending from the start */

    EXPECT_RC(event_send(b), 0);
    EXPECT_EQ(here, 1);
    EXPECT_RC(event_send(a), 0);
    EXPECT_EQ(there, 2);

    /* One end gone, the other is unbound again, and may be bound again. */
    EXPECT_RC(event_close(b), 0);
    EXPECT_RC(event_send(a), 0);
    REQUIRE(event_bind_interdomain(DOMID_SELF, a, count, &there, &b) == 0);
    EXPECT_RC(event_close(b), 0);
    EXPECT_RC(event_close(a), 0);
}

TEST(events, what_cannot_be_bound)
{
    evtchn_port_t port = 12345;
    uint64_t hits = 0;

    EXPECT_RC(event_bind_virq(VIRQ_TIMER, 0, count, &hits, &port), -EEXIST);
    EXPECT_RC(event_bind_virq(NR_VIRQS, 0, count, &hits, &port), -EINVAL);
    EXPECT_RC(event_bind_virq(VIRQ_DEBUG, 1000, count, &hits, &port), -ENOENT);
    EXPECT_RC(event_bind_ipi(1000, count, &hits, &port), -ENOENT);
    EXPECT_RC(event_bind_interdomain(DOMID_NOBODY, 1, count, &hits, &port),
              -ESRCH);
    EXPECT_RC(event_bind_interdomain(DOMID_SELF, 0, count, &hits, &port),
              -EINVAL);
    EXPECT_RC(event_bind_ipi(0, NULL, &hits, &port), -EINVAL);
    EXPECT_RC(event_bind_virq(VIRQ_DEBUG, 0, NULL, &hits, &port), -EINVAL);
    EXPECT_RC(event_alloc_unbound(DOMID_SELF, NULL, &hits, &port), -EINVAL);
    EXPECT_EQ(port, 12345);
}

TEST(events, ports_that_are_not_bound)
{
    static const evtchn_port_t bad[] = { 0, 1000000, ~0u };
    uint64_t hits = 0;
    evtchn_port_t port = new_ipi(count, &hits);

    REQUIRE(port != 0);
    EXPECT_RC(event_close(port), 0);
    for (unsigned int i = 0; i <= ARRAY_SIZE(bad); i++) {
        EXPECT_RC(event_close(port), -EINVAL);
        EXPECT_RC(event_detach(port), -EINVAL);
        EXPECT_RC(event_mask(port), -EINVAL);
        EXPECT_RC(event_unmask(port), -EINVAL);
        EXPECT_RC(event_send(port), -EINVAL);
        EXPECT(event_set_priority(port, 7) < 0);
        EXPECT_RC(event_attach(port, count, &hits), -EINVAL);
        if (i < ARRAY_SIZE(bad))
            port = bad[i];
    }
}

TEST(events, port_bound_by_others)
{
    struct evtchn_bind_ipi op = { .vcpu = 0 };
    struct evtchn_close close;
    uint64_t hits = 0;

    REQUIRE(hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op) == 0);
    EXPECT_RC(event_send(op.port), 0);
    EXPECT_RC(event_attach(op.port, NULL, NULL), -EINVAL);
    EXPECT_RC(event_attach(op.port, count, &hits), 0);
    EXPECT_RC(event_attach(op.port, count, &hits), -EEXIST);
    EXPECT_RC(event_unmask(op.port), 0);
    EXPECT_EQ(hits, 1); /* what had come before there was a handler */
    EXPECT_RC(event_send(op.port), 0);
    EXPECT_EQ(hits, 2);

    EXPECT_RC(event_detach(op.port), 0);
    EXPECT_RC(event_send(op.port), 0);
    EXPECT_EQ(hits, 2);
    close.port = op.port;
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_close, &close), 0);
}

/* A number is used again, and what was pending under it is not. */
TEST(events, closing_forgets_what_is_pending)
{
    uint64_t old = 0, new = 0;
    evtchn_port_t a, b;

    for (unsigned int i = 0; i < 10; i++) {
        a = new_ipi(count, &old);
        REQUIRE(a != 0);
        EXPECT_RC(event_send(a), 0);
        EXPECT_RC(event_close(a), 0);
        b = open_ipi(count, &new);
        EXPECT_EQ(b, a);
        EXPECT_EQ(new, 0);
        EXPECT_RC(event_close(b), 0);
    }
    EXPECT_EQ(old, 0);

    /*
     * The same while upcalls wait.  By FIFO the old port is then in a queue
     * still, and Xen does not use its number again until it has been taken off.
     */
    for (unsigned int i = 0; i < 10; i++) {
        a = open_ipi(count, &old);
        (void)upcall_mask();
        EXPECT_RC(event_send(a), 0);
        EXPECT_RC(event_close(a), 0);
        b = open_ipi(count, &new);
        if (!is_fifo())
            EXPECT_EQ(b, a);
        upcall_unmask();
        EXPECT_EQ(new, 0);
        EXPECT_RC(event_send(b), 0);
        EXPECT_EQ(new, 1);
        new = 0;
        EXPECT_RC(event_close(b), 0);
    }
    EXPECT_EQ(old, 0);
}

/*
 * Masks.
 */
TEST(events, masked_port_remembers_one)
{
    uint64_t hits = 0;
    const evtchn_port_t port = open_ipi(count, &hits);

    EXPECT_RC(event_mask(port), 0);
    EXPECT_RC(event_mask(port), 0);
    for (unsigned int i = 0; i < 5; i++)
        EXPECT_RC(event_send(port), 0);
    EXPECT_EQ(hits, 0);
    EXPECT_RC(event_unmask(port), 0);
    EXPECT_EQ(hits, 1);
    EXPECT_RC(event_unmask(port), 0);
    EXPECT_EQ(hits, 1);
    EXPECT_RC(event_close(port), 0);
}

TEST(events, masked_upcalls_wait)
{
    uint64_t hits = 0;
    const evtchn_port_t port = open_ipi(count, &hits);

    EXPECT(!upcall_mask());
    EXPECT(upcall_mask());
    EXPECT(upcall_masked());
    EXPECT_RC(event_send(port), 0);
    EXPECT_EQ(hits, 0);
    upcall_restore(true);
    EXPECT_EQ(hits, 0);
    upcall_restore(false);
    EXPECT_EQ(hits, 1);
    EXPECT(!upcall_masked());
    EXPECT_RC(event_close(port), 0);
}

static void mask_self(evtchn_port_t port, void *arg)
{
    count(port, arg);
    (void)event_mask(port);
}

/* The end of the handler does not undo what the handler has wanted. */
TEST(events, handler_masks_its_own_port)
{
    uint64_t hits = 0;
    const evtchn_port_t port = open_ipi(mask_self, &hits);

    EXPECT_RC(event_send(port), 0);
    EXPECT_RC(event_send(port), 0);
    EXPECT_EQ(hits, 1);
    EXPECT_RC(event_unmask(port), 0);
    EXPECT_EQ(hits, 2);
    EXPECT_RC(event_send(port), 0);
    EXPECT_EQ(hits, 2);
    EXPECT_RC(event_close(port), 0);
}

/*
 * Where a handler runs.
 */
struct place {
    uintptr_t frame;
    uint64_t upcalls;
    bool masked, in_event, direction;
    volatile uint64_t runs, nested;
    evtchn_port_t other;
};

static void note_place(evtchn_port_t port __unused, void *arg)
{
    struct place *p = arg;
    const uint64_t runs = ++p->runs;

    p->frame = (uintptr_t)__builtin_frame_address(0);
    p->upcalls = event_stats().upcalls;
    p->masked = upcall_masked();
    p->in_event = this_vcpu()->in_event;
    p->direction = read_rflags() & RFLAGS_DF;
    /* Neither port's handler may start before this one has ended. */
    if (runs < 3) {
        (void)event_send(port);
        (void)event_send(p->other);
        delay_ns(10000);
    }
    p->nested += p->runs != runs;
}

TEST(events, handler_runs_on_its_own_stack_and_alone)
{
    static struct place p;
    const struct stack *s;
    evtchn_port_t port;

    p = (struct place){ 0 };
    port = new_ipi(note_place, &p);
    p.other = new_ipi(note_place, &p);
    REQUIRE(port != 0 && p.other != 0);
    EXPECT_RC(event_unmask(p.other), 0);
    EXPECT_RC(event_unmask(port), 0);
    EXPECT_RC(event_send(port), 0);
    EXPECT(p.runs >= 4 && p.runs <= 5);
    EXPECT_EQ(p.nested, 0);
    EXPECT(p.masked);
    EXPECT(p.in_event);
    EXPECT(!p.direction);
    EXPECT(!this_vcpu()->in_event);
    s = stack_find(p.frame);
    REQUIRE(s != NULL);
    EXPECT_STR(s->name, "event");
    EXPECT_RC(event_close(port), 0);
    EXPECT_RC(event_close(p.other), 0);
}

/* All of them, and DF, in the middle of code that does not expect an upcall. */
TEST(events, registers_survive)
{
    struct evtchn_send arg;
    uint64_t hits = 0;
    const evtchn_port_t port = open_ipi(count, &hits);
    uint64_t in[8], out[8];
    uint64_t rflags;

    arg.port = port;
    for (unsigned int i = 0; i < 8; i++)
        in[i] = test_random();
    /*
     * Masked, the send leaves the event pending; the store to the mask and the
     * next hypercall let it come in between instructions of ours.
     */
    (void)upcall_mask();
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_send, &arg), 0);
    asm volatile("movq 0x00(%[in]), %%rbx\n\t"
                 "movq 0x08(%[in]), %%r12\n\t"
                 "movq 0x10(%[in]), %%r13\n\t"
                 "movq 0x18(%[in]), %%r14\n\t"
                 "movq 0x20(%[in]), %%r15\n\t"
                 "movq 0x28(%[in]), %%r9\n\t"
                 "movb $0, (%[mask])\n\t"
                 "std\n\t"
                 "movl %[op], %%eax\n\t"
                 "xorl %%edi, %%edi\n\t"
                 "xorl %%esi, %%esi\n\t"
                 "call hypercall_slot_xen_version\n\t"
                 "pushfq\n\t"
                 "popq %[flags]\n\t"
                 "cld\n\t"
                 "movq %%rbx, 0x00(%[out])\n\t"
                 "movq %%r12, 0x08(%[out])\n\t"
                 "movq %%r13, 0x10(%[out])\n\t"
                 "movq %%r14, 0x18(%[out])\n\t"
                 "movq %%r15, 0x20(%[out])\n\t"
                 "movq %%r9, 0x28(%[out])\n\t"
                 : [flags] "=&r"(rflags)
                 : [in] "r"(in), [out] "r"(out),
                   [mask] "r"(&this_vcpu_info()->evtchn_upcall_mask),
                   [op] "i"(XENVER_version)
                 : "rax", "rbx", "rdi", "rsi", "r9", "r12", "r13", "r14", "r15",
                   "memory", "cc");
    EXPECT_EQ(hits, 1);
    EXPECT(rflags & RFLAGS_DF);
    for (unsigned int i = 0; i < 6; i++)
        EXPECT_EQ(out[i], in[i]);
    EXPECT_RC(event_close(port), 0);
}

/* Asynchronously: the timer's interrupt hits a loop wherever it is. */
TEST(events, loop_goes_on_as_if_nothing_had_happened)
{
    const uint64_t before = timer_stats().interrupts;
    const uint64_t start = ktime_ns();
    uint64_t wrong = 0, next = 0, sums = 0, armed = 0;

    while (ktime_ns() - start < 20 * NSEC_PER_MSEC ||
           (ktime_ns() - start < PATIENCE_NS &&
            (sums <= 100 || timer_stats().interrupts <= before + 10))) {
        struct timer_stats s;
        uint64_t a = 1, b = ~0ull, c = 0;

        for (unsigned int i = 0; i < 500; i++) {
            a = a * 6364136223846793005ull + 1;
            b = b * 6364136223846793005ull - 1;
            c += a + b;
            asm volatile("" : "+r"(a), "+r"(b), "+r"(c));
        }
        wrong += c != 0;
        sums++;
        s = timer_stats();
        /* Again after a while: some other timer may have changed Xen's. */
        if (s.interrupts != next || ktime_ns() > armed + NSEC_PER_MSEC) {
            next = s.interrupts;
            armed = ktime_ns();
            (void)hypercall_set_timer_op(system_time_ns() + 30000);
        }
    }
    EXPECT_EQ(wrong, 0);
    EXPECT(sums > 100);
    EXPECT(timer_stats().interrupts > before + 10);
    timer_resync();
}

/* A fault in a handler is its own, though the interrupted code has a catch. */
static void fault_and_catch(evtchn_port_t port, void *arg)
{
    const struct trap t = CATCH_TRAP(*(volatile int *)0x1000 = 1);
    uint64_t value;

    if (t.vector == TRAP_PF && t.address == 0x1000 &&
        probe_read((void *)0x2000, &value) == -EFAULT)
        count(port, arg);
}

TEST(events, faults_of_a_handler)
{
    uint64_t hits = 0;
    const evtchn_port_t port = open_ipi(fault_and_catch, &hits);
    struct trap t;

    shared_info_set_cr2(0x1234);
    EXPECT_RC(event_send(port), 0);
    EXPECT_EQ(hits, 1);
    EXPECT_EQ(shared_info_cr2(), 0x1234);
    t = CATCH_TRAP(EXPECT_RC(event_send(port), 0));
    EXPECT_EQ(t.vector, NO_TRAP);
    EXPECT_EQ(hits, 2);
    EXPECT_RC(event_close(port), 0);
}

/*
 * No wake-up is lost.
 */

/* Whatever happens around masks and edges, a sent event is handled. */
TEST(events, none_is_lost_among_masks)
{
    uint64_t hits = 0;
    const evtchn_port_t port = open_ipi(count, &hits);
    uint64_t want = 0;
    bool pending = false, masked = false, upcalls_masked = false;

    for (unsigned int i = 0; i < 3000; i++) {
        switch (test_random() % 6) {
        case 0:
        case 1:
            EXPECT_RC(event_send(port), 0);
            pending = true;
            break;
        case 2:
            (void)event_mask(port);
            masked = true;
            break;
        case 3:
            (void)event_unmask(port);
            masked = false;
            break;
        case 4:
            (void)upcall_mask();
            upcalls_masked = true;
            break;
        case 5:
            upcall_unmask();
            upcalls_masked = false;
            break;
        }
        if (pending && !masked && !upcalls_masked) {
            want++;
            pending = false;
        }
        REQUIRE(hits == want);
        if (i % 48 == 47 && !upcalls_masked)
            thread_sleep_until(ktime_ns() + 2 * EVENT_WINDOW_NS);
    }
    upcall_unmask();
    EXPECT_RC(event_close(port), 0);
}

static void send_by_timer(struct timer *timer __unused, void *arg)
{
    (void)event_send(*(evtchn_port_t *)arg);
}

/*
 * The same with an event whose moment nobody knows: a timer sends it while this
 * code masks, looks and sleeps.  Each time it has to arrive.
 */
TEST(events, none_is_lost_asynchronously)
{
    uint64_t hits = 0;
    evtchn_port_t port = open_ipi(count, &hits);
    struct timer t;

    timer_setup(&t, send_by_timer, &port);
    for (unsigned int i = 0; i < 300; i++) {
        hits = 0;
        timer_arm(&t, ktime_ns() + test_random() % 100000);
        for (unsigned int n = test_random() % 20; n > 0; n--) {
            (void)event_mask(port);
            delay_ns(test_random() % 2000);
            (void)event_unmask(port);
            (void)upcall_mask();
            upcall_unmask();
        }
        REQUIRE(wait_for(&hits) == 0);
        REQUIRE(hits == 1);
    }
    EXPECT_RC(event_close(port), 0);
}

/* In case it is lost after all. */
static void wake_up(struct timer *timer __unused, void *arg __unused)
{
}

/* Sleep returns for an event that came after the look but before the sleep. */
TEST(events, sleep_is_not_entered_with_an_event_pending)
{
    uint64_t hits = 0;
    const evtchn_port_t port = open_ipi(count, &hits);
    struct timer alarm;

    timer_setup(&alarm, wake_up, NULL);
    for (unsigned int i = 0; i < 50; i++) {
        timer_arm(&alarm, ktime_ns() + PATIENCE_NS);
        (void)upcall_mask();
        EXPECT_RC(event_send(port), 0);
        EXPECT_EQ(hits, i);
        idle_until_event();
        EXPECT(upcall_masked());
        EXPECT_EQ(hits, i + 1);
        upcall_unmask();
        REQUIRE(timer_cancel(&alarm));
    }
    EXPECT_RC(event_close(port), 0);
}

/*
 * Storms.
 */
TEST(events, storm_does_not_starve_us)
{
    const uint64_t before = event_stats().throttled;
    uint64_t hits = 0, rounds = 0;
    const evtchn_port_t port = open_ipi(count_and_send, &hits);
    const uint64_t start = ktime_ns();
    uint64_t windows;

    EXPECT_RC(event_send(port), 0);
    while (ktime_ns() - start < 50 * NSEC_PER_MSEC ||
           (ktime_ns() - start < PATIENCE_NS &&
            (rounds <= 10 || hits <= EVENT_PORT_BURST)))
        rounds++;
    EXPECT_RC(event_mask(port), 0);
    windows = (ktime_ns() - start) / EVENT_WINDOW_NS + 2;

    say("# storm: %lu events, %lu rounds of main\n", hits, rounds);
    EXPECT(rounds > 10);
    EXPECT(hits > EVENT_PORT_BURST);
    EXPECT(hits <= windows * EVENT_PORT_BURST);
    EXPECT(event_stats().throttled > before);

    /* Over, and all is as before. */
    EXPECT_RC(event_close(port), 0);
    thread_sleep_until(ktime_ns() + 2 * EVENT_WINDOW_NS);
}

/* Many at once have a common budget; others get through again afterwards. */
TEST(events, storm_from_many_ports)
{
    enum {
        PORTS = 12
    };
    static uint64_t hits[PORTS];
    uint64_t innocent = 0;
    evtchn_port_t ports[PORTS], quiet;
    const uint64_t start = ktime_ns();
    uint64_t windows, total = 0, rounds = 0;

    quiet = open_ipi(count, &innocent);
    for (unsigned int i = 0; i < PORTS; i++) {
        hits[i] = 0;
        ports[i] = open_ipi(count_and_send, &hits[i]);
        EXPECT_RC(event_send(ports[i]), 0);
    }
    while (ktime_ns() - start < 30 * NSEC_PER_MSEC ||
           (ktime_ns() - start < PATIENCE_NS && rounds <= 10))
        rounds++;
    EXPECT_RC(event_send(quiet), 0);
    EXPECT_RC(wait_for(&innocent), 0);
    windows = (ktime_ns() - start) / EVENT_WINDOW_NS + 2;
    for (unsigned int i = 0; i < PORTS; i++) {
        EXPECT_RC(event_close(ports[i]), 0);
        EXPECT(hits[i] > 0);
        total += hits[i];
    }
    EXPECT(rounds > 10);
    /* Each port has one more, when it is over the limit already. */
    EXPECT(total <= windows * (EVENT_BURST + PORTS + 1));
    EXPECT_RC(event_close(quiet), 0);
    thread_sleep_until(ktime_ns() + 2 * EVENT_WINDOW_NS);
}

/* What fired while throttled is not lost, nor is a new owner of the number. */
TEST(events, throttled_port_goes_on)
{
    uint64_t hits = 0, fresh = 0;
    evtchn_port_t port = open_ipi(count_and_send, &hits), again;

    EXPECT_RC(event_send(port), 0);
    EXPECT_RC(event_close(port), 0);
    again = open_ipi(count, &fresh);
    EXPECT_EQ(again, port);
    EXPECT_RC(event_send(again), 0);
    EXPECT_RC(wait_for(&fresh), 0);
    EXPECT_EQ(fresh, 1);
    EXPECT_RC(event_close(again), 0);
    thread_sleep_until(ktime_ns() + 2 * EVENT_WINDOW_NS);
}

static int unmask_behind_our_back(evtchn_port_t port)
{
    struct evtchn_unmask arg = { .port = port };

    return hypercall_event_channel_op(EVTCHNOP_unmask, &arg);
}

/* Unmasked behind our back: one line, and silence. */
TEST(events, stray_event_is_masked_and_counted)
{
    struct evtchn_bind_ipi op = { .vcpu = 0 };
    struct evtchn_close close;
    const struct event_stats before = event_stats();

    REQUIRE(hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op) == 0);
    close.port = op.port;
    EXPECT_RC(unmask_behind_our_back(op.port), 0);
    for (unsigned int i = 0; i < 100; i++)
        EXPECT_RC(event_send(op.port), 0);
    EXPECT_EQ(event_stats().stray, before.stray + 1);
    EXPECT_EQ(event_stats().handled, before.handled);
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_close, &close), 0);
}

/* It is kept for who attaches later. */
TEST(events, stray_event_is_there_for_its_handler)
{
    struct evtchn_bind_ipi op = { .vcpu = 0 };
    uint64_t hits = 0;

    REQUIRE(hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op) == 0);
    EXPECT_RC(unmask_behind_our_back(op.port), 0);
    EXPECT_RC(event_send(op.port), 0);
    EXPECT_RC(event_attach(op.port, count, &hits), 0);
    EXPECT_EQ(hits, 0);
    EXPECT_RC(event_unmask(op.port), 0);
    EXPECT_EQ(hits, 1);
    EXPECT_RC(event_close(op.port), 0);
}

/* Xen delivers it, and still it waits for its owner's unmasking. */
TEST(events, masked_port_is_masked_whatever_xen_thinks)
{
    uint64_t hits = 0;
    const evtchn_port_t port = new_ipi(count, &hits);

    REQUIRE(port != 0);
    for (unsigned int i = 1; i < 4; i++) {
        const uint64_t upcalls = event_stats().upcalls;

        EXPECT_RC(unmask_behind_our_back(port), 0);
        EXPECT_RC(event_send(port), 0);
        EXPECT(event_stats().upcalls > upcalls);
        EXPECT_EQ(hits, i - 1);
        EXPECT_RC(event_unmask(port), 0);
        EXPECT_EQ(hits, i);
        EXPECT_RC(event_mask(port), 0);
    }
    EXPECT_RC(event_close(port), 0);
}

/*
 * Priorities.
 */
static unsigned int order[16], nr_order;

static void note_order(evtchn_port_t port __unused, void *arg)
{
    if (nr_order < ARRAY_SIZE(order))
        order[nr_order++] = (uintptr_t)arg;
}

TEST(events, priorities)
{
    static const unsigned int priorities[] = { 9, 15, 0, 7, 3, 15, 0, 8 };
    static const unsigned int want[] = { 2, 6, 4, 3, 7, 0, 1, 5 };
    evtchn_port_t ports[ARRAY_SIZE(priorities)];

    for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++)
        ports[i] = open_ipi(note_order, (void *)(uintptr_t)i);

    if (!is_fifo()) {
        EXPECT_RC(event_set_priority(ports[0], 3), -ENOSYS);
    } else {
        EXPECT_RC(event_set_priority(ports[0], 16), -EINVAL);
        nr_order = 0;
        for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++)
            EXPECT_RC(event_set_priority(ports[i], priorities[i]), 0);
        (void)upcall_mask();
        for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++)
            EXPECT_RC(event_send(ports[i]), 0);
        upcall_unmask();
        EXPECT_EQ(nr_order, ARRAY_SIZE(want));
        for (unsigned int i = 0; i < nr_order; i++)
            EXPECT_EQ(order[i], want[i]);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++)
        EXPECT_RC(event_close(ports[i]), 0);
}

/*
 * The report.
 */
static void reported(evtchn_port_t port __unused, void *arg __unused)
{
}

/* The report has this line of @port, with two words of the caller's. */
static bool reports(evtchn_port_t port, const char *kind, unsigned int priority,
                    const char *flags, unsigned int total, const char *handler)
{
    char line[120];

    snprintf(line, sizeof(line), "%6u  %-22s %4u %4u  %s %10u  %s", port, kind,
             0u, priority, flags, total, handler);
    listen_start();
    (void)events_report(~0u);
    (void)listen_end();
    return listen_has_line(line);
}

TEST(events, report_names_each)
{
    evtchn_port_t ipi, open, bound;
    char kind[32];

    REQUIRE(event_bind_ipi(0, reported, NULL, &ipi) == 0);
    EXPECT(reports(ipi, "ipi", 7, "-M-", 0, "reported"));
    EXPECT_RC(event_send(ipi), 0);
    EXPECT(reports(ipi, "ipi", 7, "PM-", 0, "reported"));
    EXPECT_RC(event_unmask(ipi), 0);
    EXPECT(reports(ipi, "ipi", 7, "---", 1, "reported"));
    if (is_fifo()) {
        EXPECT_RC(event_set_priority(ipi, 3), 0);
        EXPECT(reports(ipi, "ipi", 3, "---", 1, "reported"));
    }
    EXPECT_RC(event_detach(ipi), 0);
    EXPECT(reports(ipi, "ipi", is_fifo() ? 3 : 7, "-M-", 1, "no handler"));
    EXPECT_RC(event_attach(ipi, reported, NULL), 0);
    EXPECT_RC(event_close(ipi), 0);
    EXPECT(!reports(ipi, "ipi", is_fifo() ? 3 : 7, "-M-", 0, "no handler"));

    /* A new port begins with the usual priority, whatever the last one had. */
    REQUIRE(event_bind_ipi(0, reported, NULL, &ipi) == 0);
    EXPECT(reports(ipi, "ipi", 7, "-M-", 0, "reported"));
    EXPECT_RC(event_close(ipi), 0);

    REQUIRE(event_alloc_unbound(own_domid(), reported, NULL, &open) == 0);
    snprintf(kind, sizeof(kind), "for domain %u", own_domid());
    EXPECT(reports(open, kind, 7, "-M-", 0, "reported"));
    REQUIRE(event_bind_interdomain(own_domid(), open, reported, NULL, &bound) ==
            0);
    snprintf(kind, sizeof(kind), "domain %u port %u", own_domid(), bound);
    EXPECT(reports(open, kind, 7, "-M-", 0, "reported"));
    EXPECT_RC(event_close(bound), 0);
    EXPECT_RC(event_close(open), 0);
}

TEST(events, report_of_few)
{
    char line[32];
    unsigned int nr;

    listen_start();
    nr = events_report(1);
    (void)listen_end();
    REQUIRE(nr > 2); /* the timer's, the debug report's, the console's */
    snprintf(line, sizeof(line), "%u more", nr - 1);
    EXPECT(listen_has_line(line));
}

/*
 * Many ports: more than one page of words, several pages of records.  What a
 * domU may have is for its toolstack to say (xl.cfg: event_channels).
 */
#define MANY       2200u
#define MANY_ORDER 3u

struct numbered {
    evtchn_port_t port;
    uint32_t hits;
};
BUILD_BUG_ON(MANY * sizeof(struct numbered) > PAGE_SIZE << MANY_ORDER);

static void note_one(evtchn_port_t port, void *arg)
{
    struct numbered *one = arg;

    one->hits += one->port == port;
}

TEST(events, many_ports)
{
    const uint64_t pages = event_stats().pages;
    struct numbered *many = page_alloc_zeroed(MANY_ORDER);
    unsigned int n, good = 0;
    int rc = 0;

    REQUIRE(many != NULL);
    for (n = 0; n < MANY; n++) {
        rc = event_bind_ipi(0, note_one, &many[n], &many[n].port);
        if (rc != 0)
            break;
    }
    say("# %u ports, up to number %u, %lu more pages\n", n,
        n > 0 ? many[n - 1].port : 0, event_stats().pages - pages);
    if (test_option("ports") != NULL || is_dom0())
        EXPECT_EQ(n, MANY);
    EXPECT(n > 900);
    EXPECT_RC(rc, n < MANY ? -ENOSPC : 0);

    for (unsigned int i = 0; i < n; i++)
        (void)event_unmask(many[i].port);
    (void)upcall_mask();
    for (unsigned int i = 0; i < n; i++)
        EXPECT_RC(event_send(many[i].port), 0);
    upcall_unmask();
    thread_sleep_until(ktime_ns() +
                       (n / EVENT_BURST + 2) * 2 * EVENT_WINDOW_NS);
    for (unsigned int i = 0; i < n; i++) {
        good += many[i].hits == 1;
        EXPECT_RC(event_close(many[i].port), 0);
    }
    EXPECT_EQ(good, n);
    page_free(many, MANY_ORDER);
}

/*
 * What is not allowed in a handler is noticed in debug builds.
 */
static void take_a_lock(evtchn_port_t port __unused, void *arg)
{
    spin_lock(arg);
}

FATAL(events, handler_takes_a_lock)
{
    static struct spinlock lock;

    (void)event_send(open_ipi(take_a_lock, &lock));
}

static void fault(evtchn_port_t port __unused, void *arg __unused)
{
    volatile int *volatile nothing = NULL;

    *nothing = 1;
}

/*
 * The way back from an upcall may be interrupted by the next one, at each of its
 * instructions.  So a debug trap steps along it, and at the one whose turn it is
 * has an event pending when it goes back there, by the iret hypercall.
 */
extern const char upcall_leave[], upcall_left[];
extern volatile bool spin_over;
bool spin_with_registers_full(void);

#define MAX_STEPS 64u

static struct {
    evtchn_port_t port;
    unsigned int steps, turn; /* the first is step 0 */
    unsigned int handled;
    uint64_t interrupted; /* RIP, as entry.S has put it on the event stack */
    bool raised;
} way_back;

static void end_spin(struct timer *timer __unused, void *arg __unused)
{
    spin_over = true;
}

static void on_way_back(evtchn_port_t port __unused, void *arg __unused)
{
    way_back.handled++;
    way_back.interrupted = ((const uint64_t *)this_vcpu()->event_stack)[-1];
}

static bool is_way_back(uint64_t rip)
{
    return rip >= (uintptr_t)upcall_leave && rip < (uintptr_t)upcall_left;
}

static bool step(struct regs *regs, uint64_t address __unused)
{
    (void)hypercall_set_debugreg(7, 0);
    (void)hypercall_set_debugreg(6, 0xffff0ff0);
    regs->rflags &= ~(uint64_t)RFLAGS_TF;
    if (!is_way_back(regs->rip) || way_back.raised ||
        way_back.steps == MAX_STEPS)
        return true;
    if (way_back.steps++ != way_back.turn) {
        regs->rflags |= RFLAGS_TF;
        return true;
    }
    (void)upcall_mask();
    way_back.raised = event_send(way_back.port) == 0;
    regs->vector = TRAP_NMI; /* for entry.S: by the hypercall, which unmasks */
    return true;
}

static void go_that_way(struct test_run *run_, unsigned int turn)
{
    struct timer timer;
    int slot;

    way_back.steps = way_back.handled = 0;
    way_back.turn = turn;
    way_back.raised = spin_over = false;
    timer_setup(&timer, end_spin, NULL);
    timer_arm(&timer, ktime_ns() + NSEC_PER_MSEC);
    slot = watch_set(_vaddr((uintptr_t)upcall_leave), 1, WATCH_EXECUTE, NULL,
                     NULL);
    EXPECT(slot >= 0);
    EXPECT(spin_with_registers_full());
    EXPECT_EQ(watch_clear(slot), 0);
    EXPECT_EQ(way_back.handled, way_back.raised);
    /* The newer frame was dropped: it would be on the stack with the older. */
    if (way_back.raised)
        EXPECT(!is_way_back(way_back.interrupted));
    EXPECT(!upcall_masked());
}

/* Again if the timer was quicker than the watchpoint. */
static bool interrupt_way_back(struct test_run *run_, unsigned int turn)
{
    unsigned int tries = 0;

    do
        go_that_way(run_, turn);
    while (way_back.steps == 0 && ++tries < 100);
    EXPECT(way_back.steps != 0);
    return way_back.raised;
}

TEST(events, way_back_can_be_interrupted_anywhere)
{
    trap_handler_t *before = trap_set_handler(TRAP_DB, step);
    unsigned int turn = 1; /* at step 0 upcalls are masked yet */

    way_back.port = open_ipi(on_way_back, NULL);
    while (interrupt_way_back(run_, turn) && run_->failures == 0)
        turn++;
    (void)trap_set_handler(TRAP_DB, before);
    /* The store, a test, a jump, 15 loads, an addition, iretq. */
    EXPECT_EQ(turn, 20);
    EXPECT_EQ(event_close(way_back.port), 0);
}

/* The call trace goes on in what was interrupted. */
FATAL(events, handler_faults)
{
    EXPECT_RC(event_send(open_ipi(fault, NULL)), 0);
}

static void overflow(evtchn_port_t port __unused, void *arg __unused)
{
    (void)recurse(0);
}

FATAL(events, handler_overflows_its_stack)
{
    (void)event_send(open_ipi(overflow, NULL));
}

/*
 * Without the check, as foreign code may be compiled: from the lowest bytes of
 * the stack on downward, but no further than the page below it.
 */
static void overflow_unchecked(evtchn_port_t port __unused, void *arg __unused)
{
    const struct stack *s = stack_find((uintptr_t)__builtin_frame_address(0));

    asm volatile("movq %%rsp, %%rbx\n\t"
                 "movq %0, %%rsp\n\t"
                 ".rept 16\n\t"
                 "pushq $0\n\t"
                 ".endr\n\t"
                 "movq %%rbx, %%rsp"
                 :
                 : "r"(s->start + 64)
                 : "rbx", "memory");
    say("# nothing has stopped it\n");
}

FATAL(events, handler_overflows_its_stack_unchecked)
{
    (void)event_send(open_ipi(overflow_unchecked, NULL));
}

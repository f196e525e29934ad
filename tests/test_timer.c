/* SPDX-License-Identifier: MIT */
/*
 * The clocks, the timers, and sleeping.
 *
 * The machine may stand still at any moment, and all deadlines come at once; and
 * an interrupt may come late, when the clock has long shown its time.  So it is
 * the order of things that decides, and no length of time.
 */
#include <arch/cpu.h>
#include <arch/pvclock.h>
#include <arch/vcpu.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/idle.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/printk.h>
#include <plinth/shared_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/upcall.h>

#include "wait.h"

static uint64_t armed(void)
{
    return timer_stats().armed;
}

LEDGER(armed_timers, armed);

/* When something that must come has not: only a failure takes so long. */
#define PATIENCE_NS (120 * NSEC_PER_SEC)

/*
 * Clocks.
 */
TEST(time, scale)
{
    static const struct {
        uint64_t ticks;
        uint32_t mul;
        int8_t shift;
        uint64_t want;
    } cases[] = {
        { 0, ~0u, 31, 0 },
        { 1000, 1u << 31, 0, 500 },
        { 1000, 1u << 31, 1, 1000 },
        { 1000, 1u << 31, -1, 250 },
        { 1001, 1u << 31, -1, 250 },
        { 3, 0x80000000u, -2, 0 },
        /* 64 bits are not enough for these on the way. */
        { 1ull << 40, 0xffffffffu, 0, (1ull << 40) - 256 },
        { ~0ull, 1u << 31, 0, ~0ull >> 1 },
        { ~0ull, 1u << 31, 1, ~0ull },
        { 1ull << 60, 1u << 28, 4, 1ull << 60 },
        { 1ull << 63, 1u << 1, 31, 1ull << 63 },
        { ~0ull, ~0u, -63, 0 },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
        EXPECT_EQ(pvclock_scale(cases[i].ticks, cases[i].mul, cases[i].shift),
                  cases[i].want);
}

/* A record that Xen is writing: a timer's callback writes its end. */
static struct vcpu_time_info record;
static volatile bool written;

static void end_writing(struct timer *timer __unused, void *arg __unused)
{
    written = true;
    __atomic_store_n(&record.system_time, 2000000, __ATOMIC_RELEASE);
    __atomic_store_n(&record.version, record.version + 1, __ATOMIC_RELEASE);
}

TEST(time, record_is_not_read_while_it_is_written)
{
    struct timer t;
    uint64_t ns;

    written = false;
    record = (struct vcpu_time_info){ .version = 7, .system_time = 1000000 };
    timer_setup(&t, end_writing, NULL);
    timer_arm(&t, ktime_ns() + NSEC_PER_MSEC);
    ns = pvclock_read(&record);
    EXPECT(written);
    EXPECT_EQ(ns, 2000000);
}

/* The TSC stood still behind the record's own, as it may on another CPU. */
TEST(time, tsc_that_lags_is_no_long_time)
{
    struct vcpu_time_info r = {
        .version = 2,
        .system_time = 5000,
        .tsc_timestamp = rdtsc() + (1ull << 40),
        .tsc_to_system_mul = 1u << 31,
    };

    uint64_t ns;

    EXPECT_EQ(pvclock_read(&r), 5000);
    r.tsc_timestamp = rdtsc();
    delay_ns(NSEC_PER_MSEC);
    ns = pvclock_read(&r);
    EXPECT(ns >= 5000);
    EXPECT(ns <= 5000 + (rdtsc_ordered() - r.tsc_timestamp) / 2);
}

static uint64_t seen_last, backwards;
static volatile unsigned int looks;

static void look_at_clock(struct timer *timer, void *arg)
{
    const uint64_t now = ktime_ns();

    backwards += now < seen_last;
    seen_last = now;
    looks++;
    if (*(volatile bool *)arg)
        timer_arm(timer, now + 50000);
}

static void move_to(int cpu)
{
    struct sched_pin_override pin = { .pcpu = cpu };

    (void)hypercall_sched_op(SCHEDOP_pin_override, &pin);
}

/*
 * Between CPUs, where we may move between them, and handlers read it too.  The
 * wall clock is dom0's to set, which changes its version.
 */
TEST(time, clock_never_runs_backwards)
{
    const volatile struct shared_info *s = shared_info();
    bool on = true;
    uint32_t version = s->wc_version;
    uint64_t before = ktime_ns(), wall = wallclock_ns();
    const uint64_t end = before + 50 * NSEC_PER_MSEC;
    const uint64_t give_up = before + PATIENCE_NS;
    unsigned int wrong = 0, n = 0;
    struct timer t;

    backwards = looks = 0;
    seen_last = before;
    timer_setup(&t, look_at_clock, &on);
    timer_arm(&t, before);
    while (before < end || (before < give_up && (n <= 1000 || looks <= 10))) {
        const uint64_t now = ktime_ns(), w = wallclock_ns();

        wrong += now < before || (w < wall && s->wc_version == version);
        version = s->wc_version;
        before = now;
        wall = wallclock_ns();
        if (n++ % 200 == 0)
            move_to(n / 200 % 2);
    }
    on = false;
    move_to(-1);
    (void)timer_cancel(&t);
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(backwards, 0);
    EXPECT(n > 1000);
    EXPECT(looks > 10);
}

/*
 * As on a CPU whose record is behind: this vCPU's is set back for a moment.  Not
 * if Xen writes it just then, or the moment was so long that the clock would
 * have got on all the same.
 */
TEST(time, clock_stands_rather_than_run_backwards)
{
    struct vcpu_time_info *t = &this_vcpu_info()->time;
    uint64_t before, during, low, after, high, back;
    unsigned int tries = 0;
    uint32_t version;

    do {
        const bool masked = upcall_mask();
        const uint64_t was = t->system_time;

        version = t->version;
        back = was / 2;
        before = system_time_ns();
        (void)__sync_bool_compare_and_swap(&t->system_time, was, was - back);
        during = system_time_ns();
        (void)__sync_bool_compare_and_swap(&t->system_time, was - back, was);
        low = pvclock_read(t);
        after = system_time_ns();
        high = pvclock_read(t);
        upcall_restore(masked);
    } while ((t->version != version || high - before >= back) &&
             ++tries < 1000);
    REQUIRE(tries < 1000);
    EXPECT_EQ(during, before);
    EXPECT(after >= low && after <= MAX(high, before));
}

/* Both are the same count, from different beginnings. */
TEST(time, wall_clock_goes_with_the_other)
{
    const volatile struct shared_info *s = shared_info();
    uint64_t before, wall, after, zero;
    unsigned int tries = 0;
    uint32_t version;

    do {
        version = s->wc_version;
        zero = ((uint64_t)s->wc_sec_hi << 32 | s->wc_sec) * NSEC_PER_SEC +
               s->wc_nsec;
        before = system_time_ns();
        wall = wallclock_ns();
        after = system_time_ns();
    } while ((version & 1 || s->wc_version != version) && ++tries < 1000);
    REQUIRE(tries < 1000);
    EXPECT(wall - zero >= before && wall - zero <= after);
    /* The lab's clock is that of the machine: later than 2024. */
    EXPECT(wall / NSEC_PER_SEC > 1700000000);
}

TEST(time, deadlines_for_xen)
{
    EXPECT(ktime_to_xen(0) <= system_time_ns());
    EXPECT_EQ(ktime_to_xen(1000) - ktime_to_xen(0), 1000);
    EXPECT_EQ(ktime_to_xen(INT64_MAX), INT64_MAX);
    EXPECT_EQ(ktime_to_xen(KTIME_NEVER), INT64_MAX);
}

TEST(time, delay_is_not_short)
{
    const uint64_t start = ktime_ns();

    delay_ns(3 * NSEC_PER_MSEC);
    EXPECT(ktime_ns() - start >= 3 * NSEC_PER_MSEC);
}

/*
 * Timers.
 */
struct probe {
    struct timer timer;
    uint64_t deadline;
    volatile uint64_t fired, early, when;
    unsigned int order;
};

static unsigned int fired_in_all;

static void note(struct timer *timer __unused, void *arg)
{
    struct probe *p = arg;

    p->when = ktime_ns();
    p->fired++;
    p->early += p->when < p->deadline;
    p->order = fired_in_all++;
}

static void arm(struct probe *p, uint64_t deadline)
{
    p->deadline = deadline;
    timer_arm(&p->timer, deadline);
}

static void setup(struct probe *p)
{
    *p = (struct probe){ 0 };
    timer_setup(&p->timer, note, p);
}

static bool has_fired(void *arg)
{
    return ((struct probe *)arg)->fired != 0;
}

static int wait_for(struct probe *p)
{
    return wait_until(has_fired, p, ktime_ns() + PATIENCE_NS);
}

/*
 * Until all timers with a deadline up to @when have been called: those whose
 * time has come need not have been, but this one's turn is after theirs.
 */
static int wait_past(uint64_t when)
{
    struct probe last;
    int rc;

    setup(&last);
    arm(&last, when + 1);
    rc = wait_for(&last);
    (void)timer_cancel(&last.timer);
    return rc;
}

TEST(timer, fires_once_and_not_early)
{
    struct probe p;

    setup(&p);
    EXPECT(!timer_armed(&p.timer));
    for (unsigned int i = 0; i < 200; i++) {
        p.fired = 0;
        arm(&p, ktime_ns() + test_random() % 200000);
        REQUIRE(wait_for(&p) == 0);
        EXPECT(!timer_armed(&p.timer));
        REQUIRE(p.fired == 1);
        REQUIRE(p.early == 0);
    }
    EXPECT_EQ(wait_past(ktime_ns() + NSEC_PER_MSEC), 0);
    EXPECT_EQ(p.fired, 1);
}

/* At once: before the next thing that the code does which armed it. */
TEST(timer, deadline_in_the_past)
{
    static const uint64_t past[] = { 0, 1, 1000 };
    struct probe p;

    setup(&p);
    for (unsigned int i = 0; i < ARRAY_SIZE(past); i++) {
        p.fired = 0;
        arm(&p, past[i]);
        EXPECT_EQ(p.fired, 1);
        EXPECT(!timer_cancel(&p.timer));
    }
}

TEST(timer, in_order)
{
    static const unsigned int ms[] = { 5, 1, 4, 2, 3, 0 };
    static struct probe p[ARRAY_SIZE(ms)];
    const uint64_t start = ktime_ns() + NSEC_PER_MSEC;

    fired_in_all = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(p); i++)
        setup(&p[i]);
    /* None fires before all are armed, however long we are kept waiting. */
    (void)upcall_mask();
    for (unsigned int i = 0; i < ARRAY_SIZE(p); i++)
        arm(&p[i], start + ms[i] * NSEC_PER_MSEC);
    upcall_unmask();
    EXPECT_EQ(wait_past(start + 5 * NSEC_PER_MSEC), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
        EXPECT_EQ(p[i].fired, 1);
        EXPECT_EQ(p[i].early, 0);
        EXPECT_EQ(p[i].order, ms[i]);
    }
}

TEST(timer, cancelled_does_not_fire)
{
    struct probe p;

    setup(&p);
    EXPECT(!timer_cancel(&p.timer));
    (void)upcall_mask(); /* so that it does not, before it is cancelled */
    arm(&p, ktime_ns() + NSEC_PER_MSEC);
    EXPECT(timer_armed(&p.timer));
    EXPECT(timer_cancel(&p.timer));
    EXPECT(!timer_cancel(&p.timer));
    upcall_unmask();
    EXPECT_EQ(wait_past(p.deadline), 0);
    EXPECT_EQ(p.fired, 0);

    /* Cancelled when it is due, and upcalls wait. */
    (void)upcall_mask();
    arm(&p, ktime_ns());
    delay_ns(NSEC_PER_MSEC);
    EXPECT(timer_cancel(&p.timer));
    upcall_unmask();
    EXPECT_EQ(wait_past(ktime_ns()), 0);
    EXPECT_EQ(p.fired, 0);
}

TEST(timer, armed_again_has_one_deadline)
{
    uint64_t former;
    struct probe p;

    setup(&p);
    (void)upcall_mask(); /* so that the former one does not come first */
    former = ktime_ns() + NSEC_PER_MSEC;
    arm(&p, former);
    arm(&p, former + 1000 * NSEC_PER_SEC);
    upcall_unmask();
    EXPECT_EQ(wait_past(former), 0);
    EXPECT_EQ(p.fired, 0);
    arm(&p, ktime_ns());
    EXPECT_EQ(wait_for(&p), 0);
    EXPECT_EQ(wait_past(ktime_ns()), 0);
    EXPECT_EQ(p.fired, 1);
    EXPECT_EQ(p.early, 0);
}

static struct probe first, second, third;

static void cancel_second(struct timer *timer, void *arg)
{
    note(timer, arg);
    (void)timer_cancel(&second.timer);
    arm(&third, ktime_ns());
}

TEST(timer, callback_cancels_and_arms_others)
{
    const uint64_t when = ktime_ns() + NSEC_PER_MSEC;

    setup(&first);
    setup(&second);
    setup(&third);
    first.timer.fn = cancel_second;
    (void)upcall_mask(); /* so that both are due in one round */
    arm(&second, when + 1);
    arm(&first, when);
    delay_ns(2 * NSEC_PER_MSEC);
    upcall_unmask();
    EXPECT_EQ(wait_for(&third), 0);
    EXPECT_EQ(first.fired, 1);
    EXPECT_EQ(second.fired, 0);
    EXPECT_EQ(third.fired, 1);
    EXPECT_EQ(third.early, 0);
}

/* By a callback, for a time that has come: over and over, and yet we go on. */
static void again(struct timer *timer, void *arg)
{
    note(timer, arg);
    /* Not for ever, if nobody holds it back. */
    if (((struct probe *)arg)->fired < 100000)
        timer_arm(timer, 0);
}

TEST(timer, callback_arms_itself_for_the_past)
{
    const uint64_t start = ktime_ns();
    uint64_t rounds = 0, passed;
    struct probe p;

    setup(&p);
    p.timer.fn = again;
    arm(&p, 0);
    do {
        rounds++;
        passed = ktime_ns() - start;
    } while (passed < 20 * NSEC_PER_MSEC ||
             (passed < PATIENCE_NS && (rounds <= 100 || p.fired <= 10)));
    EXPECT(timer_cancel(&p.timer));
    passed = ktime_ns() - start;
    EXPECT(rounds > 100);
    EXPECT(p.fired > 10);
    EXPECT(p.fired <= passed / TIMER_GAP_NS + 2);
}

/* The memory of a timer may go when its callback has begun. */
static void scribble(struct timer *timer, void *arg)
{
    memset(timer, 0xa5, sizeof(*timer));
    *(volatile bool *)arg = true;
}

static bool is_true(void *arg)
{
    return *(volatile bool *)arg;
}

TEST(timer, callback_gives_up_its_timer)
{
    bool done = false;
    struct timer t;

    timer_setup(&t, scribble, &done);
    timer_arm(&t, ktime_ns() + 100000);
    EXPECT_EQ(wait_until(is_true, &done, ktime_ns() + PATIENCE_NS), 0);
}

/*
 * Thousands, against a model that knows of each when it must fire.  What was
 * armed must fire once, and not before its time.
 */
#define MANY 4096u

struct model {
    struct timer timer;
    uint64_t deadline; /* 0: not armed */
    unsigned int armed, fired, cancelled;
};

static struct model *models;
static uint64_t previous;
static unsigned int early, disorder, not_armed;

static void check_model(struct timer *timer __unused, void *arg)
{
    struct model *m = arg;

    early += ktime_ns() < m->deadline;
    not_armed += m->deadline == 0;
    disorder += m->deadline < previous;
    previous = m->deadline;
    m->deadline = 0;
    m->fired++;
}

TEST(timer, thousands)
{
    const unsigned int order = 7;
    const uint64_t start = ktime_ns();
    unsigned int wrong = 0, left = 0;

    BUILD_BUG_ON(MANY * sizeof(struct model) > PAGE_SIZE << 7);
    models = page_alloc_zeroed(order);
    if (models == NULL)
        SKIP("needs more memory");
    early = not_armed = 0;
    for (unsigned int i = 0; i < MANY; i++)
        timer_setup(&models[i].timer, check_model, &models[i]);

    for (unsigned int step = 0; step < 20000; step++) {
        struct model *m = &models[test_random() % MANY];
        const bool masked = upcall_mask();
        const bool was = m->deadline != 0;

        wrong += timer_armed(&m->timer) != was;
        if (test_random() % 4 == 0) {
            wrong += timer_cancel(&m->timer) != was;
            m->cancelled += was;
            m->deadline = 0;
        } else {
            m->cancelled += was;
            m->deadline = ktime_ns() + test_random() % (30 * NSEC_PER_MSEC);
            timer_arm(&m->timer, m->deadline);
            m->armed++;
        }
        upcall_restore(masked);
    }
    EXPECT_EQ(wait_past(ktime_ns() + 30 * NSEC_PER_MSEC), 0);

    for (unsigned int i = 0; i < MANY; i++) {
        const struct model *m = &models[i];

        wrong += m->armed != m->fired + m->cancelled;
        left += m->deadline != 0 || timer_armed(&m->timer);
        (void)timer_cancel(&models[i].timer);
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(left, 0);
    EXPECT_EQ(early, 0);
    EXPECT_EQ(not_armed, 0);
    say("# %u timers in %llu ms\n", MANY, (ktime_ns() - start) / NSEC_PER_MSEC);
    page_free(models, order);
}

/* All are due before the first is called. */
TEST(timer, thousands_at_once_in_order)
{
    const unsigned int order = 7;
    const uint64_t start = ktime_ns();
    unsigned int fired = 0;

    models = page_alloc_zeroed(order);
    if (models == NULL)
        SKIP("needs more memory");
    early = disorder = not_armed = 0;
    previous = 0;
    (void)upcall_mask();
    for (unsigned int i = 0; i < MANY; i++) {
        models[i].deadline = start + test_random() % NSEC_PER_MSEC;
        timer_setup(&models[i].timer, check_model, &models[i]);
        timer_arm(&models[i].timer, models[i].deadline);
    }
    delay_ns(NSEC_PER_MSEC);
    upcall_unmask();
    EXPECT_EQ(wait_past(ktime_ns()), 0);
    for (unsigned int i = 0; i < MANY; i++)
        fired += models[i].fired == 1;
    EXPECT_EQ(fired, MANY);
    EXPECT_EQ(early, 0);
    EXPECT_EQ(disorder, 0);
    EXPECT_EQ(not_armed, 0);
    page_free(models, order);
}

/* Xen's timer is one for the vCPU, and knows only what was said last. */
TEST(timer, resync_undoes_what_others_have_set)
{
    uint64_t give_up;
    struct probe p;

    setup(&p);
    arm(&p, ktime_ns() + 20 * NSEC_PER_MSEC);
    EXPECT_EQ(hypercall_vcpu_op(VCPUOP_stop_singleshot_timer, vcpu_id(), NULL),
              0);
    timer_resync();
    give_up = ktime_ns() + PATIENCE_NS;
    while (timer_armed(&p.timer) && ktime_ns() < give_up)
        cpu_relax();
    EXPECT_EQ(p.fired, 1);
    (void)timer_cancel(&p.timer);
}

/*
 * Sleeping.
 */
static bool never(void *arg __unused)
{
    return false;
}

TEST(idle, waiting_ends_at_the_deadline)
{
    const uint64_t deadline = ktime_ns() + 5 * NSEC_PER_MSEC;

    EXPECT_EQ(wait_until(never, NULL, deadline), -ETIMEDOUT);
    EXPECT(ktime_ns() >= deadline);
    EXPECT_EQ(wait_until(never, NULL, 0), -ETIMEDOUT);
    EXPECT(!upcall_masked());
}

/*
 * Nothing but its deadline wakes a guest.  Now and then something may, as an
 * event of what was before: so one quiet time of several is wanted.  A tick or a
 * timer that should be gone would be there each time.
 */
#define QUIET_TRIES 5u

/*
 * Without a tick: in all that time we are woken for the deadline, and at most
 * once for something else.  The option idle= says how many seconds.
 */
TEST(idle, nothing_wakes_an_idle_guest)
{
    const char *option = test_option("idle");
    uint64_t seconds = 1, slept = ~0ull, upcalls = ~0ull;

    if (option != NULL)
        REQUIRE(parse_u64(option, &seconds) == 0);
    for (unsigned int i = 0; i < QUIET_TRIES && (slept > 2 || upcalls > 2);
         i++) {
        const uint64_t deadline = ktime_ns() + seconds * NSEC_PER_SEC;

        slept = idle_count();
        upcalls = event_stats().upcalls;
        thread_sleep_until(deadline);
        slept = idle_count() - slept;
        upcalls = event_stats().upcalls - upcalls;
        EXPECT(ktime_ns() >= deadline);
        say("# %lu s idle: slept %lu times, %lu upcalls\n", seconds, slept,
            upcalls);
    }
    EXPECT(slept <= 2);
    EXPECT(upcalls <= 2);
}

/* Xen's tick comes to a vCPU that runs, and so would not be seen above. */
TEST(idle, nothing_interrupts_a_busy_guest)
{
    uint64_t upcalls = ~0ull;

    for (unsigned int i = 0; i < QUIET_TRIES && upcalls > 0; i++) {
        upcalls = event_stats().upcalls;
        delay_ns(100 * NSEC_PER_MSEC);
        upcalls = event_stats().upcalls - upcalls;
    }
    EXPECT_EQ(upcalls, 0);
}

/* A timer that was cancelled wakes nobody either. */
TEST(idle, cancelled_timer_does_not_wake)
{
    uint64_t upcalls = ~0ull;
    struct probe p;

    setup(&p);
    for (unsigned int i = 0; i < QUIET_TRIES && upcalls > 1; i++) {
        const uint64_t deadline = ktime_ns() + 100 * NSEC_PER_MSEC;

        (void)upcall_mask();
        arm(&p, ktime_ns() + 50 * NSEC_PER_MSEC);
        EXPECT(timer_cancel(&p.timer));
        upcall_unmask();
        upcalls = event_stats().upcalls;
        thread_sleep_until(deadline);
        upcalls = event_stats().upcalls - upcalls;
    }
    EXPECT(upcalls <= 1);
}

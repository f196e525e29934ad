/* SPDX-License-Identifier: MIT */
/*
 * Mutexes, semaphores, conditions, completions: right use and wrong use.  The
 * machine may stand still at any moment, and all deadlines come at once then; so
 * it is the order of things that decides, and no length of time.
 */
#include <plinth/errno.h>
#include <plinth/string.h>
#include <plinth/sync.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/timer.h>

static uint64_t in_ms(uint64_t ms)
{
    return ktime_ns() + ms * NSEC_PER_MSEC;
}

/* When something that must come has not: only a failure takes so long. */
#define PATIENCE_MS 120000u

static struct thread *start(struct test_run *run_, thread_fn_t *fn, void *arg)
{
    const struct thread_options o = {
        .flags = THREAD_PREEMPTIVE,
        .priority = THREAD_NORMAL,
    };
    struct thread *t = NULL;

    EXPECT_EQ(thread_create("sync", fn, arg, &o, &t), 0);
    return t;
}

static void join(struct test_run *run_, struct thread *t, int want)
{
    int result = 0;

    EXPECT_EQ(thread_join(t, in_ms(2 * PATIENCE_MS), &result), 0);
    EXPECT_EQ(result, want);
}

/*
 * Mutexes.
 */
static struct mutex mutex;
static volatile uint64_t counter;

/* Read, let others run, write: without the mutex, additions get lost. */
static int adds(void *arg __unused)
{
    for (unsigned int i = 0; i < 100; i++) {
        uint64_t n;

        mutex_lock(&mutex);
        n = counter;
        if (i % 3 == 0)
            thread_yield();
        counter = n + 1;
        mutex_unlock(&mutex);
        if (i % 7 == 0)
            thread_yield();
    }
    return 0;
}

TEST(sync, mutex_excludes)
{
    struct thread *t[5];

    counter = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = start(run_, adds, NULL);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        join(run_, t[i], 0);
    EXPECT_EQ(counter, 500);
    EXPECT_EQ(mutex.word, 0);
}

static char order[16];
static unsigned int nr_order;

static int locks_and_notes(void *arg)
{
    mutex_lock(&mutex);
    order[nr_order++] = (char)(uintptr_t)arg;
    mutex_unlock(&mutex);
    return 0;
}

TEST(sync, mutex_goes_in_the_order_of_asking)
{
    struct thread *t[4];

    nr_order = 0;
    memset(order, 0, sizeof(order));
    mutex_lock(&mutex);
    EXPECT(mutex_is_mine(&mutex));
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
        t[i] = start(run_, locks_and_notes, (void *)(uintptr_t)('a' + i));
        thread_yield();
    }
    mutex_unlock(&mutex);
    /* It is somebody else's by now, even if that one has not run yet. */
    EXPECT_EQ(mutex_trylock(&mutex), -EBUSY);
    mutex_lock(&mutex);
    mutex_unlock(&mutex);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        join(run_, t[i], 0);
    EXPECT_STR(order, "abcd");
}

static int tries(void *arg __unused)
{
    const uint64_t before = ktime_ns();

    if (mutex_trylock(&mutex) != -EBUSY || mutex_is_mine(&mutex))
        return -1;
    if (mutex_lock_until(&mutex, before + 2 * NSEC_PER_MSEC) != -ETIMEDOUT)
        return -2;
    if (ktime_ns() - before < 2 * NSEC_PER_MSEC)
        return -3;
    return mutex_lock_until(&mutex, 0) == -ETIMEDOUT ? 0 : -4;
}

TEST(sync, mutex_times_out)
{
    struct thread *t;

    mutex_lock(&mutex);
    t = start(run_, tries, NULL);
    join(run_, t, 0);
    mutex_unlock(&mutex);
    EXPECT_EQ(mutex_trylock(&mutex), 0);
    mutex_unlock(&mutex);
    EXPECT(mutex.queue.waiters.first == NULL);
}

FATAL(sync, lock_twice)
{
    mutex_lock(&mutex);
    mutex_lock(&mutex);
}

static int unlocks(void *arg __unused)
{
    mutex_unlock(&mutex);
    return 0;
}

FATAL(sync, unlock_by_a_stranger)
{
    mutex_lock(&mutex);
    join(run_, start(run_, unlocks, NULL), 0);
}

FATAL(sync, unlock_of_nothing)
{
    mutex_unlock(&mutex);
}

static void locks(struct timer *timer __unused, void *arg __unused)
{
    mutex_lock(&mutex);
    mutex_unlock(&mutex);
}

FATAL(sync, lock_in_a_handler)
{
    struct timer timer;

    timer_setup(&timer, locks, NULL);
    timer_arm(&timer, ktime_ns());
    thread_sleep(NSEC_PER_SEC);
}

FATAL(sync, sleep_with_a_spinlock)
{
    struct spinlock lock = { 0 };

    spin_lock(&lock);
    thread_yield();
}

/*
 * Semaphores.
 */
static struct semaphore items, slots;
static uint64_t ring[4], put_at, got_at, sum;

static int produces(void *arg)
{
    for (uint64_t i = 1; i <= (uintptr_t)arg; i++) {
        if (semaphore_down(&slots, KTIME_NEVER) != 0)
            return -1;
        ring[put_at++ % ARRAY_SIZE(ring)] = i;
        semaphore_up(&items);
    }
    return 0;
}

static int consumes(void *arg)
{
    for (uint64_t i = 1; i <= (uintptr_t)arg; i++) {
        if (semaphore_down(&items, KTIME_NEVER) != 0)
            return -1;
        sum += ring[got_at++ % ARRAY_SIZE(ring)];
        semaphore_up(&slots);
    }
    return 0;
}

TEST(sync, semaphores_pass_items)
{
    struct thread *a, *b;

    semaphore_init(&items, 0);
    semaphore_init(&slots, ARRAY_SIZE(ring));
    put_at = got_at = sum = 0;
    a = start(run_, produces, (void *)1000);
    b = start(run_, consumes, (void *)1000);
    join(run_, a, 0);
    join(run_, b, 0);
    EXPECT_EQ(sum, 1000 * 1001 / 2);
    EXPECT_EQ(items.permits, 0);
    EXPECT_EQ(slots.permits, ARRAY_SIZE(ring));
}

TEST(sync, semaphore_times_out)
{
    struct semaphore s;

    semaphore_init(&s, 1);
    EXPECT_EQ(semaphore_trydown(&s), 0);
    EXPECT_EQ(semaphore_trydown(&s), -EBUSY);
    EXPECT_EQ(semaphore_down(&s, in_ms(1)), -ETIMEDOUT);
    semaphore_up(&s);
    EXPECT_EQ(semaphore_down(&s, 0), 0);
}

/* Events may give permits. */
static void ups(struct timer *timer __unused, void *arg)
{
    semaphore_up(arg);
}

TEST(sync, semaphore_from_an_event)
{
    struct semaphore s;
    struct timer timer;

    semaphore_init(&s, 0);
    timer_setup(&timer, ups, &s);
    for (unsigned int i = 0; i < 10; i++) {
        timer_arm(&timer, ktime_ns() + NSEC_PER_MSEC / 4);
        EXPECT_EQ(semaphore_down(&s, in_ms(PATIENCE_MS)), 0);
    }
}

/*
 * A deadline and what is waited for come at the same time, over and over: the
 * permit is either taken or still there.
 */
TEST(sync, permit_at_the_deadline_is_not_lost)
{
    uint64_t timeouts = 0, taken = 0;
    struct semaphore s;
    struct timer timer;

    semaphore_init(&s, 0);
    timer_setup(&timer, ups, &s);
    for (unsigned int i = 0; i < 300; i++) {
        const uint64_t when = ktime_ns() + 200000;
        const uint64_t jitter = test_random() % 40000;
        int rc;

        timer_arm(&timer, when + jitter);
        rc = semaphore_down(&s, when + 20000);
        if (rc == 0) {
            taken++;
        } else {
            EXPECT_EQ(rc, -ETIMEDOUT);
            timeouts++;
            EXPECT_EQ(semaphore_down(&s, in_ms(PATIENCE_MS)), 0);
        }
        REQUIRE(s.permits == 0 && s.queue.waiters.first == NULL);
    }
    EXPECT_EQ(timeouts + taken, 300);
}

/*
 * One whose deadline has come is ready, and still in the wait queue until it has
 * run.  Who waits behind it is not forgotten.
 */
static struct semaphore shared;

static int waits_for(void *arg)
{
    return semaphore_down(&shared, in_ms((uintptr_t)arg));
}

TEST(sync, time_out_leaves_the_others_waiting)
{
    static const uint64_t ms[] = { PATIENCE_MS, 3, PATIENCE_MS + 1, 5,
                                   PATIENCE_MS + 2 };
    struct thread *t[ARRAY_SIZE(ms)];

    semaphore_init(&shared, 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(ms); i++)
        t[i] = start(run_, waits_for, (void *)ms[i]);
    join(run_, t[1], -ETIMEDOUT);
    join(run_, t[3], -ETIMEDOUT);
    for (unsigned int i = 0; i < 3; i++)
        semaphore_up(&shared);
    for (unsigned int i = 0; i < ARRAY_SIZE(ms); i += 2)
        join(run_, t[i], 0);
    EXPECT(shared.queue.waiters.first == NULL);
    EXPECT_EQ(shared.permits, 0);
}

/*
 * Conditions.
 */
static struct condition condition;
static unsigned int ready, waiting, woken;

static int waits(void *arg __unused)
{
    mutex_lock(&mutex);
    waiting++;
    while (ready == 0)
        if (condition_wait(&condition, &mutex, in_ms(PATIENCE_MS)) != 0)
            break;
    if (!mutex_is_mine(&mutex))
        return -1;
    woken += ready > 0;
    ready -= ready > 0;
    mutex_unlock(&mutex);
    return 0;
}

/* Let others run until they have made it @n, each step under the mutex. */
static void wait_for_count(struct test_run *run_, const unsigned int *count,
                           unsigned int n)
{
    const uint64_t give_up = in_ms(PATIENCE_MS);
    unsigned int seen;

    do {
        thread_yield();
        mutex_lock(&mutex);
        seen = *count;
        mutex_unlock(&mutex);
    } while (seen < n && ktime_ns() < give_up);
    EXPECT_EQ(seen, n);
}

TEST(sync, condition_wakes_one_or_all)
{
    struct thread *t[4];

    ready = waiting = woken = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = start(run_, waits, NULL);
    wait_for_count(run_, &waiting, 4);

    mutex_lock(&mutex);
    ready = 1;
    condition_signal(&condition);
    mutex_unlock(&mutex);
    wait_for_count(run_, &woken, 1);

    mutex_lock(&mutex);
    ready = 3;
    condition_broadcast(&condition);
    mutex_unlock(&mutex);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        join(run_, t[i], 0);
    EXPECT_EQ(woken, 4);
}

TEST(sync, condition_times_out_with_the_mutex)
{
    mutex_lock(&mutex);
    EXPECT_EQ(condition_wait(&condition, &mutex, in_ms(1)), -ETIMEDOUT);
    EXPECT(mutex_is_mine(&mutex));
    mutex_unlock(&mutex);
}

/*
 * Completions.
 */
static struct completion completion;

static int awaits(void *arg __unused)
{
    return completion_wait(&completion, in_ms(PATIENCE_MS));
}

TEST(sync, completion_wakes_all_and_stays)
{
    struct thread *t[3];

    completion_reset(&completion);
    EXPECT_EQ(completion_wait(&completion, in_ms(1)), -ETIMEDOUT);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = start(run_, awaits, NULL);
    thread_yield();
    complete(&completion);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        join(run_, t[i], 0);
    EXPECT_EQ(completion_wait(&completion, 0), 0);
    completion_reset(&completion);
    EXPECT_EQ(completion_wait(&completion, 0), -ETIMEDOUT);
}

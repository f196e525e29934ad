/* SPDX-License-Identifier: MIT */
/* Threads: switch, come and go, mutex, and waking who waits. */
#include <plinth/errno.h>
#include <plinth/sync.h>
#include <plinth/thread.h>
#include <plinth/time.h>

#include "bench.h"

#define ROUNDS 100u

static volatile bool stop;
static struct semaphore there, back;
static struct mutex mutex;
static uint64_t deadline; /* of all waiting */

static int yielder(void *arg __unused)
{
    while (!stop)
        thread_yield();
    return 0;
}

static int nothing(void *arg __unused)
{
    return 0;
}

static int answer(void *arg __unused)
{
    int rc = 0;

    while (rc == 0 && !stop) {
        rc = semaphore_down(&there, deadline);
        semaphore_up(&back);
    }
    return rc;
}

static int taker(void *arg __unused)
{
    while (!stop) {
        mutex_lock(&mutex);
        mutex_unlock(&mutex);
        thread_yield();
    }
    return 0;
}

static struct thread *start(thread_fn_t *fn)
{
    struct thread *thread = NULL;

    stop = false;
    bench_check(thread_create("bench", fn, NULL, NULL, &thread), "a thread");
    return thread;
}

static void end(struct thread *thread)
{
    int result = 0;

    stop = true;
    bench_check(thread_join(thread, deadline, &result), "a thread's end");
    bench_check(result, "a thread");
}

static void switches(void)
{
    struct thread *other = start(yielder);
    struct ticks t;

    if (other == NULL)
        return;
    MEASURE_TICKS(t, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) thread_yield());
    end(other);
    figure("insn", 2ul * ROUNDS, t, 0, "thread.switch");
}

static void come_and_go(void)
{
    struct ticks t;

    MEASURE_TICKS(t, , {
        struct thread *other = start(nothing);

        if (other != NULL)
            end(other);
    });
    figure("insn", 1, t, 0, "thread.create_run_join");
}

static void mutexes(void)
{
    struct thread *other;
    struct ticks t;

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            mutex_lock(&mutex);
            mutex_unlock(&mutex);
        });
    figure("insn", ROUNDS, t, 0, "mutex.lock_unlock");

    /* It waits for the mutex, gets it at the unlock, and runs at the yield. */
    other = start(taker);
    if (other == NULL)
        return;
    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            mutex_lock(&mutex);
            thread_yield();
            mutex_unlock(&mutex);
            thread_yield();
        });
    end(other);
    figure("insn", ROUNDS, t, 0, "mutex.handed_over");
}

/* Until @until each time, for which a timer is armed. */
static void wake_ups(uint64_t until, const char *name)
{
    struct thread *other;
    struct ticks t;
    int rc = 0;

    deadline = until;
    other = start(answer);
    if (other == NULL)
        return;
    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            semaphore_up(&there);
            rc |= semaphore_down(&back, deadline);
        });
    bench_check(rc, "semaphore");
    stop = true;
    semaphore_up(&there);
    end(other);
    rc = semaphore_trydown(&back); /* of its last round */
    bench_check(rc, "semaphore");
    figure("insn", 2ul * ROUNDS, t, 0, "%s", name);
}

void bench_threads(void)
{
    deadline = ktime_ns() + 60 * NSEC_PER_SEC;
    switches();
    come_and_go();
    mutexes();
    wake_ups(KTIME_NEVER, "thread.wake_up");
    wake_ups(ktime_ns() + 60 * NSEC_PER_SEC, "thread.wake_up.with_a_deadline");
}

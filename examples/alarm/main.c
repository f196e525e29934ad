/* SPDX-License-Identifier: MIT */
/*
 * An alarm clock that is set through xenstore: a watch, a timer and two threads.
 *
 *     xenstore-write /local/domain/N/data/alarm 5    # to ring in 5 seconds
 *     xenstore-read /local/domain/N/data/rings       # how often it rang
 *     xl shutdown N
 *
 * A timer's callback may not wait, and a request to xenstore does.  So the
 * callback only wakes a thread that may.
 */
#include <plinth/app.h>
#include <plinth/compiler.h>
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/shutdown.h>
#include <plinth/sync.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/xenstore.h>

#define SECONDS_MAX 1000000u

static struct timer timer;
static struct semaphore due; /* a permit for each time that the timer fired */

static void fire(struct timer *t __unused, void *arg __unused)
{
    semaphore_up(&due);
}

/* The thread "bell". */
static int ring(void *arg)
{
    struct xs_connection *xs = arg;
    char text[24];
    int rc = 0;

    for (unsigned long n = 1; rc == 0; n++) {
        rc = semaphore_down(&due, KTIME_NEVER);
        if (rc != 0)
            break;
        say("alarm: ring %lu\n", n);
        snprintf(text, sizeof(text), "%lu", n);
        rc = xs_write_string(xs, XS_NO_TX, "data/rings", text);
    }
    say("alarm: the bell ends: %s\n", errno_name(rc));
    return rc;
}

/* As data/alarm says, if it is there. */
static void set(struct xs_connection *xs)
{
    uint64_t seconds;
    char *value;

    if (xs_read(xs, XS_NO_TX, "data/alarm", &value, NULL) != 0)
        return;
    if (parse_u64(value, &seconds) == 0 && seconds <= SECONDS_MAX) {
        timer_arm(&timer, ktime_ns() + seconds * NSEC_PER_SEC);
        say("alarm: set to %lu s\n", seconds);
    } else {
        say("alarm: \"%s\" is no number of seconds\n", value);
    }
    free(value);
}

/* The first event comes at once: what was there before is seen, too. */
static int watch_for_ever(struct xs_connection *xs)
{
    static struct xs_queue queue;
    struct xs_watch *watch;
    char *path;
    int rc = xs_watch(xs, "data/alarm", &queue, &watch);

    while (rc == 0) {
        rc = xs_queue_wait(&queue, KTIME_NEVER, &watch, &path);
        if (rc != 0)
            break;
        free(path);
        set(xs);
    }
    return rc;
}

/* xl shutdown, xl reboot: a thread of its own comes here before the end. */
static void switched_off(unsigned int reason __unused, void *arg __unused)
{
    say("alarm: switched off, %s\n", timer_cancel(&timer) ? "set" : "not set");
}

int main(int argc __unused, char *argv[] __unused)
{
    const struct thread_options bell = { .flags = THREAD_DETACHED,
                                         .priority = THREAD_NORMAL };
    struct xs_connection *xs;
    int rc = xenstore(&xs);

    timer_setup(&timer, fire, NULL);
    shutdown_set_hook(switched_off, NULL);
    if (rc == 0)
        rc = thread_create("bell", ring, xs, &bell, NULL);
    if (rc == 0)
        rc = watch_for_ever(xs);
    say("alarm: %s\n", errno_name(rc));
    return 4;
}

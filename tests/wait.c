/* SPDX-License-Identifier: MIT */
#include <plinth/compiler.h>
#include <plinth/errno.h>
#include <plinth/idle.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/upcall.h>

#include "wait.h"

/* Its interrupt is all that is wanted of it. */
static void wake(struct timer *timer __unused, void *arg __unused)
{
}

int wait_until(bool (*done)(void *arg), void *arg, uint64_t deadline)
{
    const bool masked = upcall_mask();
    struct timer alarm;
    int rc = 0;

    timer_setup(&alarm, wake, NULL);
    if (deadline != KTIME_NEVER)
        timer_arm(&alarm, deadline);
    while (!done(arg)) {
        if (ktime_ns() >= deadline) {
            rc = -ETIMEDOUT;
            break;
        }
        idle_until_event();
    }
    /* Or @done is true, and its wake-up was lost. */
    if (deadline != KTIME_NEVER && !timer_cancel(&alarm))
        rc = -ETIMEDOUT;
    upcall_restore(masked);
    return rc;
}

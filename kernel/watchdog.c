/* SPDX-License-Identifier: MIT */
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/watchdog.h>

static int watchdog(unsigned int id, unsigned int seconds)
{
    struct sched_watchdog arg = { .id = id, .timeout = seconds };

    return (int)hypercall_sched_op(SCHEDOP_watchdog, &arg);
}

/* Xen takes id 0 for "a new one", and lets one of 0 seconds run out at once. */
int watchdog_start(unsigned int seconds, unsigned int *id)
{
    int rc;

    if (seconds == 0)
        return -EINVAL;
    rc = watchdog(0, seconds);
    if (rc < 0)
        return rc;
    *id = (unsigned int)rc;
    return 0;
}

int watchdog_ping(unsigned int id, unsigned int seconds)
{
    return id == 0 || seconds == 0 ? -EINVAL : watchdog(id, seconds);
}

int watchdog_stop(unsigned int id)
{
    return id == 0 ? -EINVAL : watchdog(id, 0);
}

/* SPDX-License-Identifier: MIT */
/* errno: Xen took its numbers from Linux, so libc knows the names. */
#define _GNU_SOURCE
#include <limits.h>
#include <string.h>

#include "tap.h"

#include <plinth/errno.h>

static void like_libc(void)
{
    unsigned int known = 0;

    for (int err = 1; err < 200; err++) {
        const char *const got = errno_name(err), *want;

        CHECK(strcmp(got, errno_name(-err)) == 0, "sign of %d", err);
        if (strcmp(got, "E?") == 0)
            continue;

        known++;
        want = strerrorname_np(err);
        CHECK(want != NULL && (strcmp(got, want) == 0 || err == EOPNOTSUPP),
              "%d is %s, want %s", err, got, want ? want : "nothing");
    }

    CHECK(known > 40, "only %u names", known);
}

/* Each name Xen has is found, save for the second names of a number. */
static void each_of_xens(void)
{
    static const struct {
        int number;
        const char *name;
    } all[] = {
#define XEN_ERRNO(name, value) { value, #name },
#include <xen/errno.h>
    };

    for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const int n = all[i].number;

        CHECK(strcmp(errno_name(n), all[i].name) == 0 ||
                  strcmp(all[i].name, "EWOULDBLOCK") == 0 ||
                  strcmp(all[i].name, "EDEADLOCK") == 0,
              "%d is %s, want %s", n, errno_name(n), all[i].name);
    }
}

static void edges(void)
{
    CHECK(-EINVAL == -22 && EOPNOTSUPP == 95, "constants");
    CHECK(strcmp(errno_name(0), "0") == 0, "no error");
    CHECK(strcmp(errno_name(INT_MAX), "E?") == 0, "greatest");
    CHECK(strcmp(errno_name(INT_MIN), "E?") == 0, "least");
    CHECK(strcmp(errno_name(EAGAIN), "EAGAIN") == 0, "first of two names");
    CHECK(strcmp(errno_name(EDEADLK), "EDEADLK") == 0, "first of two names");
}

TAP_MAIN({ "like libc", like_libc }, { "each of Xen's", each_of_xens },
         { "edges", edges })

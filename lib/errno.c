/* SPDX-License-Identifier: MIT */
#include <plinth/compiler.h>
#include <plinth/errno.h>

/* In Xen's order, so that of two names for a number the main one comes first. */
static const struct {
    int number;
    const char *name;
} names[] = {
#define XEN_ERRNO(name, value) { value, #name },
#include <xen/errno.h>
};

const char *errno_name(int err)
{
    /* Compare negated: unlike the other way round, that fits for any int. */
    const int minus = err > 0 ? -err : err;

    if (minus == 0)
        return "0";

    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
        if (-names[i].number == minus)
            return names[i].name;

    return "E?";
}

/* SPDX-License-Identifier: MIT */
/*
 * errno: Xen's error numbers under their usual names.
 *
 * A function that can fail returns 0 or a negative one of these, so what a
 * hypercall returned can be handed on as it is.  The list comes from Xen's
 * public header; nothing is numbered here.
 *
 *   units     positive constants; results carry them negated
 *   owns      nothing: there is no variable errno
 *   context   any
 *   failure   none
 *
 * Not to be mixed with libc's <errno.h>, which has macros of the same names.
 */
#pragma once

#ifdef EPERM
#error "plinth/errno.h and libc's errno.h exclude each other"
#endif

#define XEN_ERRNO(name, value) name = (value),
enum error_number {
#include <xen/errno.h>
};

/*
 * The name of @err, which may be positive or negative: "EINVAL".  Where two
 * names share a number, the commoner one.  "0" for 0, "E?" for a number that
 * Xen does not define.
 */
const char *errno_name(int err);

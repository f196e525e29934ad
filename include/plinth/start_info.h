/* SPDX-License-Identifier: MIT */
/*
 * start_info: what the domain builder told us, copied and checked.
 *
 *   owns     the copy; the builder's page stays where it is, untouched
 *   context  any, once start_info_take() is through
 *   source   public/xen.h: struct start_info
 */
#pragma once

#include <stdbool.h>

#include <xen/xen.h>

/*
 * Copy @si.  Panics when its magic is not that of a 64-bit PV guest: then
 * nothing in it can be believed.
 */
void start_info_take(const struct start_info *si);

/* Where the original is. */
const struct start_info *start_info_page(void);

/* The copy; written by start_info_take() and by nobody else. */
extern struct start_info start_info_copy;

static inline const struct start_info *start_info(void)
{
    return &start_info_copy;
}

/* Is this the hardware domain?  It has no console ring and no xenstore. */
static inline bool is_dom0(void)
{
    return start_info()->flags & SIF_INITDOMAIN;
}

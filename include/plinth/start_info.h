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

/* The copy; and where the original is. */
const struct start_info *start_info(void);
const struct start_info *start_info_page(void);

/* Is this the hardware domain?  It has no console ring and no xenstore. */
bool is_dom0(void);

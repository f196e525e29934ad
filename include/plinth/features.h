/* SPDX-License-Identifier: MIT */
/*
 * features: which Xen this is and what it offers.
 *
 *   context  any, after features_init()
 *   source   public/version.h, public/features.h
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define XEN_FEATURES 64u /* two words of 32 */

struct xen_identity {
    unsigned int major, minor;
    char extra[16]; /* ".7-pre" */
    char changeset[64];
    char compiler[64];
};

/* Ask Xen. */
void features_init(void);

const struct xen_identity *xen_identity(void);

/* Is feature @n (XENFEAT_*) there? */
bool xen_feature(unsigned int n);

/* "writable_page_tables" for 0; NULL when its name is not known here. */
const char *xen_feature_name(unsigned int n);

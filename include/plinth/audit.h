/* SPDX-License-Identifier: MIT */
/*
 * audit: is everything that must hold of our memory true?
 *
 * Walks the live tables and checks
 *   - each table is a frame of ours, and no leaf maps it writable;
 *   - nothing is writable and executable;
 *   - the frames of the bootstrap region and the physmap are those that P2M and
 *     M2P agree on, each at its own address;
 *   - the page allocator's lists and records agree (page_check()).
 *
 *   context  threads and boot; takes a bit per page of memory for itself
 *   failure  -EINVAL with @why saying what is wrong; -ENOMEM
 */
#pragma once

#include <stddef.h>

#include <plinth/compiler.h>

int __must_check audit(char *why, size_t len);

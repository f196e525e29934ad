/* SPDX-License-Identifier: MIT */
/*
 * block: pages to be mapped, each of which tells which one it is.
 *
 *   owns     the block is the caller's, for page_free()
 *   context  tests
 */
#pragma once

#include <plinth/addr.h>

/*
 * 2^@order pages; each begins with its number, as 64 bits.  @frames[0..nr) are
 * theirs, over and over.  NULL when memory is out.
 */
uint64_t *block_get(unsigned int order, mfn_t *frames, unsigned int nr);

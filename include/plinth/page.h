/* SPDX-License-Identifier: MIT */
/*
 * page: whole pages of memory.
 *
 *   units     an order n is 2^n pages of 4096 bytes
 *   owns      every page that is not handed out
 *   context   threads and boot; not event handlers
 *   failure   page_alloc() returns NULL; a pointer that does not come from it
 *             is our own bug and panics where that is noticed
 */
#pragma once

#include <plinth/compiler.h>

#define PAGE_MAX_ORDER 18

/*
 * 2^@order contiguous pages, aligned to their own size, contents undefined;
 * NULL when memory is out.  @order is at most PAGE_MAX_ORDER.
 */
void *__must_check page_alloc(unsigned int order);

/* Give them back, all 2^@order that one page_alloc() returned. */
void page_free(void *p, unsigned int order);

/* The order of the allocated block that starts at @p. */
unsigned int page_order(const void *p);

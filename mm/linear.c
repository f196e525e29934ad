/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <plinth/linear.h>

static uint64_t size;

void linear_set_size(uint64_t nr_pages)
{
    size = nr_pages;
}

uint64_t linear_size(void)
{
    return size;
}

void *linear_ptr(pfn_t pfn)
{
    return pfn_x(pfn) < size ? (void *)linear_va(pfn) : NULL;
}

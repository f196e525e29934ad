/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <plinth/linear.h>

uint64_t linear_nr_pages;

void linear_set_size(uint64_t nr_pages)
{
    linear_nr_pages = nr_pages;
}

void *linear_ptr(pfn_t pfn)
{
    return pfn_x(pfn) < linear_size() ? (void *)linear_va(pfn) : NULL;
}

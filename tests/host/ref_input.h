/* SPDX-License-Identifier: MIT */
/*
 * ref_input: bytes, a fuzzer's or random ones, from which calls are made.
 *
 *   owns      nothing; the bytes are the caller's
 *   context   host
 *   failure   none: behind the end are zeroes
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ref_input {
    const uint8_t *data;
    size_t len;
};

static unsigned int ref_byte(struct ref_input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

/* SPDX-License-Identifier: MIT */
/*
 * sha256: the SHA-256 digest of FIPS 180-4, for checking what was loaded.
 *
 *   units     bytes
 *   owns      nothing: all state is in the caller's struct
 *   context   any; about 400 bytes of stack
 *   failure   none
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32

struct sha256 {
    uint32_t state[8];
    uint64_t total;    /* bytes taken so far */
    uint8_t block[64]; /* the last total % 64 of them */
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t len);

/* Write the digest; @s then needs sha256_init() before it is used again. */
void sha256_final(struct sha256 *s, uint8_t digest[SHA256_LEN]);

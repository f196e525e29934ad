/* SPDX-License-Identifier: MIT */
#include <plinth/compiler.h>
#include <plinth/sha256.h>
#include <plinth/string.h>

#define BLOCK 64

/* First 32 bits of the fractions of the cube roots of the first 64 primes. */
/* clang-format off */
static const uint32_t round_constant[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
    0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
    0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
/* clang-format on */

static uint32_t rotate(uint32_t x, unsigned int right)
{
    return x >> right | x << (32 - right);
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void put_be(uint8_t *p, uint64_t v, unsigned int bytes)
{
    while (bytes-- > 0) {
        p[bytes] = (uint8_t)v;
        v >>= 8;
    }
}

static void expand(uint32_t w[64], const uint8_t *block)
{
    for (unsigned int i = 0; i < 16; i++)
        w[i] = get_be32(block + 4 * i);

    for (unsigned int i = 16; i < 64; i++) {
        const uint32_t x = w[i - 15], y = w[i - 2];
        const uint32_t s0 = rotate(x, 7) ^ rotate(x, 18) ^ x >> 3;
        const uint32_t s1 = rotate(y, 17) ^ rotate(y, 19) ^ y >> 10;

        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
}

static void take_block(struct sha256 *s, const uint8_t *block)
{
    uint32_t w[64];
    uint32_t a = s->state[0], b = s->state[1], c = s->state[2];
    uint32_t d = s->state[3], e = s->state[4], f = s->state[5];
    uint32_t g = s->state[6], h = s->state[7];

    expand(w, block);

    for (unsigned int i = 0; i < 64; i++) {
        const uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        const uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        const uint32_t choice = (e & f) ^ (~e & g);
        const uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        const uint32_t t = h + s1 + choice + round_constant[i] + w[i];

        h = g;
        g = f;
        f = e;
        e = d + t;
        d = c;
        c = b;
        b = a;
        a = t + s0 + majority;
    }

    s->state[0] += a;
    s->state[1] += b;
    s->state[2] += c;
    s->state[3] += d;
    s->state[4] += e;
    s->state[5] += f;
    s->state[6] += g;
    s->state[7] += h;
}

void sha256_init(struct sha256 *s)
{
    /* As above, of the square roots of the first eight. */
    *s = (struct sha256){
        .state = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                   0x9b05688c, 0x1f83d9ab, 0x5be0cd19 },
    };
}

void sha256_update(struct sha256 *s, const void *data, size_t len)
{
    const uint8_t *at = data;
    const size_t held = s->total % BLOCK;

    s->total += len;

    if (held > 0) {
        const size_t part = MIN(len, BLOCK - held);

        memcpy(s->block + held, at, part);
        at += part;
        len -= part;

        if (held + part < BLOCK)
            return;
        take_block(s, s->block);
    }

    for (; len >= BLOCK; at += BLOCK, len -= BLOCK)
        take_block(s, at);

    memcpy(s->block, at, len);
}

void sha256_final(struct sha256 *s, uint8_t digest[SHA256_LEN])
{
    const uint64_t bits = s->total * 8;
    size_t held = s->total % BLOCK;

    s->block[held++] = 0x80;

    /* The length needs the last eight bytes of a block. */
    if (held > BLOCK - 8) {
        memset(s->block + held, 0, BLOCK - held);
        take_block(s, s->block);
        held = 0;
    }

    memset(s->block + held, 0, BLOCK - 8 - held);
    put_be(s->block + BLOCK - 8, bits, 8);
    take_block(s, s->block);

    for (unsigned int i = 0; i < 8; i++)
        put_be(digest + 4 * i, s->state[i], 4);
}

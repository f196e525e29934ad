/* SPDX-License-Identifier: MIT */
/* sha256: published digests, every short length, and data in random pieces. */
#include <string.h>

#include "tap.h"

#include <plinth/sha256.h>

#define LONGEST 300

static void digest_of(const void *data, size_t len, uint8_t *digest)
{
    struct sha256 s;

    sha256_init(&s);
    sha256_update(&s, data, len);
    sha256_final(&s, digest);
}

static void check(const char *what, const uint8_t *digest, const char *want)
{
    char got[2 * SHA256_LEN + 1];

    for (unsigned int i = 0; i < SHA256_LEN; i++)
        sprintf(got + 2 * i, "%02x", digest[i]);

    CHECK(strcmp(got, want) == 0, "%s: %s", what, got);
}

/* The examples of FIPS 180. */
static void published(void)
{
    static const char two_blocks[] =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t d[SHA256_LEN];
    struct sha256 s;

    digest_of("", 0, d);
    check("nothing", d,
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_of("abc", 3, d);
    check("abc", d,
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_of(two_blocks, strlen(two_blocks), d);
    check("two blocks", d,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");

    sha256_init(&s);
    for (unsigned int i = 0; i < 100000; i++)
        sha256_update(&s, "aaaaaaaaaa", 10);
    sha256_final(&s, d);
    check("a million", d,
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/*
 * The digest of all digests of 7i + 3, for i below 0 to 300, computed with
 * Python's hashlib: each way in which the end can lie in a block is among them.
 */
static void each_length(void)
{
    uint8_t d[SHA256_LEN];
    struct sha256 all;

    sha256_init(&all);
    for (size_t len = 0; len <= LONGEST; len++) {
        uint8_t *const data = malloc(len);

        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)(7 * i + 3);
        digest_of(data, len, d);
        sha256_update(&all, d, sizeof(d));
        free(data);
    }

    sha256_final(&all, d);
    check("all lengths", d,
          "7d917fbd2cf49ddff9ad0a8706bba32d204e92e71d2e369c5a03d6af29278c9f");
}

static void pieces(void)
{
    for (unsigned int i = 0; i < 2000; i++) {
        const size_t len = rnd_below(600);
        uint8_t *const data = malloc(len);
        uint8_t want[SHA256_LEN], got[SHA256_LEN];
        struct sha256 s;

        for (size_t k = 0; k < len; k++)
            data[k] = (uint8_t)rnd();

        digest_of(data, len, want);
        sha256_init(&s);
        for (size_t at = 0; at < len;) {
            size_t part = rnd_below(rnd_below(2) ? 200 : 5);

            part = part < len - at ? part : len - at;
            sha256_update(&s, data + at, part);
            at += part;
        }
        sha256_final(&s, got);

        CHECK(memcmp(want, got, sizeof(got)) == 0, "length %zu", len);
        free(data);
    }
}

TAP_MAIN({ "published", published }, { "each length", each_length },
         { "pieces", pieces })

/* SPDX-License-Identifier: MIT */
/*
 * lib/ is tested at length on the host (tests/host).  Here it shows that it
 * does the same when compiled for, and running in, the guest.
 */
#include <plinth/args.h>
#include <plinth/errno.h>
#include <plinth/glob.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/sha256.h>
#include <plinth/string.h>
#include <plinth/test.h>

TEST(lib, formats)
{
    char buf[64];

    EXPECT_EQ(snprintf(buf, sizeof(buf), "%d %5u|%-5x|%#lx %c%s %p", -1, 42u,
                       0xabcu, 0xfful, 'z', "end", (void *)0x10),
              29);
    EXPECT_STR(buf, "-1    42|abc  |0xff zend 0x10");
    EXPECT_EQ(snprintf(buf, 4, "%s", "truncated"), 9);
    EXPECT_STR(buf, "tru");
    snprintf(buf, sizeof(buf), "%.3s|%*d|%lld", "abcdef", 4, 7,
             -9223372036854775807ll - 1);
    EXPECT_STR(buf, "abc|   7|-9223372036854775808");
}

TEST(lib, strings)
{
    char buf[16];

    EXPECT_EQ(strlcpy(buf, "0123456789abcdefgh", sizeof(buf)), 18);
    EXPECT_STR(buf, "0123456789abcde");
    EXPECT_EQ(strlen(buf), 15);
    EXPECT_EQ(strcspn("name=value", "="), 4);
    EXPECT_STR(strstr("haystack", "st"), "stack");
    EXPECT(strcmp("a", "b") < 0);
    EXPECT_EQ(strncmp("abc", "abd", 2), 0);
}

TEST(lib, memory)
{
    uint8_t a[300], b[300];

    for (unsigned int i = 0; i < sizeof(a); i++)
        a[i] = test_random();
    memcpy(b, a, sizeof(a));
    EXPECT_EQ(memcmp(a, b, sizeof(a)), 0);

    /* Overlapping, both ways. */
    memmove(b + 1, b, sizeof(b) - 1);
    EXPECT_EQ(memcmp(b + 1, a, sizeof(a) - 1), 0);
    memmove(b, b + 1, sizeof(b) - 1);
    EXPECT_EQ(memcmp(b, a, sizeof(a) - 1), 0);

    memset(b, 0x5a, sizeof(b));
    for (unsigned int i = 0; i < sizeof(b); i++)
        EXPECT_EQ(b[i], 0x5a);
}

TEST(lib, globs)
{
    EXPECT(glob_match("boot.*", "boot.layout"));
    EXPECT(!glob_match("boot.*", "boots"));
    EXPECT(glob_match("*.[a-c]?", "x.bz"));
    EXPECT(glob_list_match("a*,b*", "banana"));
    EXPECT(!glob_list_match("a*,b*", "cherry"));
}

TEST(lib, numbers)
{
    uint64_t n = 1;

    EXPECT_EQ(parse_u64("0x10", &n), 0);
    EXPECT_EQ(n, 16);
    EXPECT_EQ(parse_u64("18446744073709551616", &n), -ERANGE);
    EXPECT_EQ(parse_u64("12x", &n), -EINVAL);
    EXPECT_EQ(n, 16);
    EXPECT_EQ(parse_size("2M", &n), 0);
    EXPECT_EQ(n, 2 << 20);
}

TEST(lib, words)
{
    char line[] = "a 'b c' d";
    char *argv[8];

    EXPECT_EQ(args_split(line, argv, 8), 3);
    EXPECT_STR(argv[1], "b c");
}

TEST(lib, error_names)
{
    EXPECT_STR(errno_name(-EINVAL), "EINVAL");
    EXPECT_STR(errno_name(EBUSY), "EBUSY");
}

TEST(lib, sha256)
{
    static const uint8_t abc[SHA256_LEN] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
        0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
        0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    };
    uint8_t digest[SHA256_LEN];
    struct sha256 s;

    sha256_init(&s);
    sha256_update(&s, "abc", 3);
    sha256_final(&s, digest);
    EXPECT_EQ(memcmp(digest, abc, sizeof(abc)), 0);
}

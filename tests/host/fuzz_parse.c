/* SPDX-License-Identifier: MIT */
/* Input: one text, given to every parser. */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>

#include <plinth/errno.h>
#include <plinth/parse.h>

#define MARK 0x1badcafe2badcafe

/* What was read must give the same value when it is written and read again. */
static void check_again(uint64_t value)
{
    char text[24];
    uint64_t again;

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    must(parse_u64(text, &again) == 0 && again == value);
    snprintf(text, sizeof(text), "%#llx", (unsigned long long)value);
    must(value == 0 || (parse_size(text, &again) == 0 && again == value));
}

static void check_number(int rc, uint64_t value)
{
    must(rc == 0 || rc == -EINVAL || rc == -ERANGE);

    if (rc == 0)
        check_again(value);
    else
        must(value == MARK);
}

static void check_hex(const char *text)
{
    const size_t digits = strlen(text), len = digits / 2;
    uint8_t *const bytes = malloc(len);

    if (parse_hex_bytes(text, bytes, len) == 0) {
        must(digits % 2 == 0);
        for (size_t i = 0; i < len; i++)
            must(bytes[i] ==
                 strtoul((char[]){ text[2 * i], text[2 * i + 1], '\0' }, NULL,
                         16));
    }

    must(parse_hex_bytes(text, bytes, len + 1) == -EINVAL);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *const text = next_text(&data, &len, 200);
    uint64_t plain = MARK, size = MARK;
    int plain_rc, size_rc;
    bool flag;

    plain_rc = parse_u64(text, &plain);
    check_number(plain_rc, plain);
    size_rc = parse_size(text, &size);
    check_number(size_rc, size);
    /* A number is a size. */
    must(plain_rc == -EINVAL || (size_rc == plain_rc && size == plain));

    must(parse_bool(text, &flag) == 0 || plain_rc != 0 || plain > 1 ||
         strlen(text) > 1);
    check_hex(text);

    free(text);
    return 0;
}

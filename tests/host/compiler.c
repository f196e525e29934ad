/* SPDX-License-Identifier: MIT */
/* compiler: the macros; that misuse is refused is checked by host.t. */
#include "tap.h"

#include <plinth/compiler.h>

struct holder {
    long before;
    int value[3];
    char last;
};

static const short table[7];

BUILD_BUG_ON(ARRAY_SIZE(table) != 7);
BUILD_BUG_ON(BUILD_BUG_ON_ZERO(0) != 0);
BUILD_BUG_ON(ALIGN_UP(4097, 4096) != 8192);
BUILD_BUG_ON(ALIGN_DOWN(8191UL, 4096) != 4096);
BUILD_BUG_ON(!IS_ALIGNED(0, 8));

static void array_size(void)
{
    char text[] = "four";

    CHECK(ARRAY_SIZE(text) == 5, "characters");
    CHECK(ARRAY_SIZE(table) * sizeof(table[0]) == sizeof(table), "shorts");
}

static void container(void)
{
    struct holder h;

    CHECK(container_of(&h.value, struct holder, value) == &h, "array");
    CHECK(container_of(&h.last, struct holder, last) == &h, "char");
    CHECK(container_of((const char *)&h.last, struct holder, last) == &h,
          "const");
}

static void min_max(void)
{
    int a = 1, b = 5;

    CHECK(MIN(a++, b++) == 1 && a == 2 && b == 6, "MIN evaluates once");
    CHECK(MAX(a++, b++) == 6 && a == 3 && b == 7, "MAX evaluates once");
    CHECK(MIN(MAX(a, 4), MIN(b, 9)) == 4, "nested");
    CHECK(MAX(-1L, 3L) == 3, "signs");
}

/* The wide address must stay wide though the alignment is narrow. */
static void alignment(void)
{
    const uint64_t address = 0xffffffff80000fff;
    unsigned int calls = 0;

    CHECK(ALIGN_DOWN(address, 4096U) == 0xffffffff80000000, "down");
    CHECK(ALIGN_UP(address, 4096U) == 0xffffffff80001000, "up");
    CHECK(ALIGN_UP(address + 1, 4096) == address + 1, "up, aligned");
    CHECK(!IS_ALIGNED(address, 2) && IS_ALIGNED(address + 1, 4096), "asked");
    CHECK(ALIGN_UP((uint8_t)255, 8) == 256, "result is an int");
    CHECK(IS_ALIGNED(calls++, 8) && calls == 1, "evaluates once");
    CHECK(ALIGN_UP(calls++, 8) == 8 && calls == 2, "evaluates once");
}

TAP_MAIN({ "array size", array_size }, { "container_of", container },
         { "MIN and MAX", min_max }, { "alignment", alignment })

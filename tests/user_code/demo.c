/* SPDX-License-Identifier: MIT */
#include "demo.h"

#define PAGES 3u
#define WORDS (PAGES * 4096 / 8)

static long call(enum demo_call number, uint64_t a, uint64_t b)
{
    long ret;

    asm volatile("syscall"
                 : "=a"(ret)
                 : "a"(number), "D"(a), "S"(b)
                 : "rcx", "r11", "memory");
    return ret;
}

static void say(const char *text)
{
    uint64_t len = 0;

    while (text[len] != '\0')
        len++;
    (void)call(DEMO_WRITE, (uint64_t)text, len);
}

static void exit_with(uint64_t status)
{
    for (;;)
        (void)call(DEMO_EXIT, status, 0);
}

void demo_main(void)
{
    char line[] = "user ? has the sum\n";
    uint64_t sum = 0, *words;

    say("hello from user mode\n");
    words = (uint64_t *)call(DEMO_MAP, PAGES, 0);
    if ((long)words < 0)
        exit_with(1);
    for (unsigned int i = 0; i < WORDS; i++)
        words[i] += i;
    (void)call(DEMO_YIELD, 0, 0);
    for (unsigned int i = 0; i < WORDS; i++)
        sum += words[i];
    if (sum != (uint64_t)WORDS * (WORDS - 1) / 2)
        exit_with(2);
    line[5] = '0' + call(DEMO_SELF, 0, 0);
    say(line);
    exit_with(7);
}

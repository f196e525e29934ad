/* SPDX-License-Identifier: MIT */
#include <plinth/compiler.h>
#include <plinth/printk.h>
#include <plinth/string.h>

#include "listen.h"

/* Cleared by listen_start(), and so not at each boot. */
static char heard[12288] __section(".bss.noinit");
static size_t len;
static printk_sink_t *before;

static void listen(const char *text, size_t n)
{
    n = MIN(n, sizeof(heard) - 1 - len);
    memcpy(heard + len, text, n);
    len += n;
    heard[len] = '\0';
}

void listen_start(void)
{
    len = 0;
    heard[0] = '\0';
    before = printk_set_sink(listen);
}

const char *listen_end(void)
{
    printk_set_sink(before);
    return heard;
}

bool listen_has_line(const char *line)
{
    const size_t n = strlen(line);

    for (const char *at = heard; (at = strstr(at, line)) != NULL; at++)
        if ((at == heard || at[-1] == '\n') && at[n] == '\n')
            return true;
    return false;
}

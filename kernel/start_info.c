/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/start_info.h>
#include <plinth/string.h>

/* domU and dom0 builders agree on it; 4.17 and older may add a "p" in dom0. */
#define MAGIC "xen-3.0-x86_64"

struct start_info start_info_copy;
static const struct start_info *original;

void start_info_take(const struct start_info *si)
{
    if (memcmp(si->magic, MAGIC, sizeof(MAGIC) - 1) != 0)
        panic("start_info at %p has the magic \"%.*s\", not \"%s\"", si,
              (int)sizeof(si->magic), si->magic, MAGIC);

    original = si;
    start_info_copy = *si;
    /* The builder ends it; but who knows which builder. */
    start_info_copy.cmd_line[sizeof(si->cmd_line) - 1] = '\0';
}

const struct start_info *start_info_page(void)
{
    return original;
}

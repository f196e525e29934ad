/* SPDX-License-Identifier: MIT */
/* The self-tests, as an application: what `build/selftest.elf` runs. */
#include <plinth/app.h>
#include <plinth/control.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/printk.h>
#include <plinth/test.h>
#include <plinth/time.h>
#include <plinth/trap.h>
#include <plinth/vmap.h>
#include <plinth/walk.h>

#include "leaves.h"

static uint64_t handlers(void)
{
    return trap_handlers_set();
}

LEDGER(trap_handlers, handlers);
LEDGER(mapped_pages, leaves_present);
LEDGER(executable_pages, leaves_executable);

/* What is taken for good at the first use would count as a test's. */
static int use_first(void)
{
    void *p;

    fixmap_clear(FIX_TEST);
    fixmap_clear(FIX_WINDOW);
    if (vmap_reserve(1, &p) == 0)
        vmap_release(p, 1);
    return control_settled(ktime_ns() + 120 * NSEC_PER_SEC);
}

int main(int argc, char *argv[])
{
    static const char *const options[] = {
        "ramdisk.sha256", /* what the ramdisk's content must hash to */
        "ramdisk.size",   /* and its size in bytes */
        "steps",          /* of random tests */
        "idle",           /* how many seconds nothing may wake us */
        "ports",          /* a domU may have more than 1023 of them */
        "expect",         /* "notes" or "legacy": how the image was loaded */
        "peer",           /* the domain to share with */
        NULL,
    };
    const int rc = use_first();

    say("--- Plinth self-test ---\n");
    say("Environment: PV 64bit (Long mode 4 levels)\n");
    if (rc != 0 && rc != -ENODEV)
        say("# control: %s\n", errno_name(rc));
    return test_main(argc, argv, options);
}

/* SPDX-License-Identifier: MIT */
/* The commands every shell has: looking at the kernel, and ending it. */
#include <plinth/audit.h>
#include <plinth/balloon.h>
#include <plinth/console.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/grant.h>
#include <plinth/heap.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/ptdump.h>
#include <plinth/shell.h>
#include <plinth/shutdown.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/vmap.h>

static uint64_t kib(uint64_t pages)
{
    return pages * (PAGE_SIZE / 1024);
}

static int count_space(void *ctx, struct space *space __unused)
{
    ++*(unsigned int *)ctx;
    return 0;
}

static int mem(int argc, char *argv[] __unused)
{
    const struct page_stats pages = page_stats();
    const struct heap_stats heap = heap_stats();
    const struct ranges_stats vmaps = vmap_stats();
    unsigned int spaces = 0;

    if (argc > 1)
        return SHELL_USAGE;
    (void)space_each(count_space, &spaces);
    say("domain  %lu KiB, of at most %lu\n", kib(balloon_current()),
        kib(balloon_max()));
    say("pages   %lu KiB, %lu free, of these %lu never touched; "
        "%lu overhead; %lu failures\n",
        kib(pages.total), kib(pages.free), kib(pages.unmapped),
        kib(pages.overhead), pages.failures);
    say("heap    %lu bytes in %lu objects; %lu slabs, %lu blocks; "
        "%lu allocations, %lu failures\n",
        heap.bytes, heap.objects, heap.slabs, heap.blocks, heap.allocations,
        heap.failures);
    say("vmap    %lu MiB free in %lu pieces\n", kib(vmaps.free) / 1024,
        vmaps.nr);
    say("spaces  %u\n", spaces);
    say("stacks  %lu kept of threads that have ended\n",
        thread_stats().kept_stacks);
    return 0;
}
SHELL_COMMAND(mem, "", "memory: pages, heap, vmap, spaces, stacks", mem);

static int dump(int argc, char *argv[])
{
    struct space *space = space_current();

    if (argc == 1) {
        ptdump(kernel_space.l4);
        return 0;
    }
    if (argc > 2 || strcmp(argv[1], "user") != 0)
        return SHELL_USAGE;
    if (mfn_x(space->user_l4) == 0) {
        say("the space loaded now has no user half\n");
        return -ENOENT;
    }
    ptdump(space->user_l4);
    return 0;
}
SHELL_COMMAND(ptdump, "[user]", "what is mapped, and how", dump);

static int threads(int argc, char *argv[] __unused)
{
    const struct thread_stats stats = thread_stats();

    if (argc > 1)
        return SHELL_USAGE;
    thread_report(~0u);
    say("%lu threads, %lu switches, %lu preemptions\n", stats.threads,
        stats.switches, stats.preemptions);
    return 0;
}
SHELL_COMMAND(threads, "", "each thread, and where it is", threads);

static int ports(int argc, char *argv[] __unused)
{
    const struct event_stats stats = event_stats();

    if (argc > 1)
        return SHELL_USAGE;
    (void)events_report(~0u);
    say("%s events: %lu ports with a handler, in %lu pages\n", events_abi(),
        stats.attached, stats.pages);
    say("%lu upcalls, %lu handled, %lu stray, %lu throttled\n", stats.upcalls,
        stats.handled, stats.stray, stats.throttled);
    return 0;
}
SHELL_COMMAND(ports, "", "event channels", ports);

static int grants(int argc, char *argv[] __unused)
{
    const struct grant_stats stats = grant_stats();

    if (argc > 1)
        return SHELL_USAGE;
    if (stats.version == 0) {
        say("no grant table yet\n");
        return 0;
    }
    (void)grants_report(~0u);
    say("version %u, %u frames of at most %u\n", stats.version, stats.frames,
        stats.max_frames);
    say("%u references, %u used, of these %u wait for the other end; "
        "%u pages of others mapped\n",
        stats.refs, stats.used, stats.waiting, stats.mapped);
    return 0;
}
SHELL_COMMAND(grants, "", "the grant table", grants);

static int dmesg(int argc, char *argv[] __unused)
{
    uint64_t at = 0;
    char text[256];
    size_t n;

    if (argc > 1)
        return SHELL_USAGE;
    while ((n = printk_log_read(&at, text, sizeof(text))) > 0)
        console_write(text, n);
    return 0;
}
SHELL_COMMAND(dmesg, "", "the kernel's log, of all levels", dmesg);

static int run_audit(int argc, char *argv[] __unused)
{
    char why[128];
    int rc;

    if (argc > 1)
        return SHELL_USAGE;
    rc = audit(why, sizeof(why));
    if (rc == 0)
        say("all is as it must be\n");
    else
        say("%s: %s\n", errno_name(rc), rc == -EINVAL ? why : "not audited");
    return rc;
}
SHELL_COMMAND(audit, "", "check all page tables and records", run_audit);

static int show_time(int argc, char *argv[] __unused)
{
    const uint64_t up = ktime_ns() / NSEC_PER_MSEC;
    const uint64_t wall = wallclock_ns() / NSEC_PER_MSEC;

    if (argc > 1)
        return SHELL_USAGE;
    say("up %lu.%03lu s; %lu.%03lu s since 1970\n", up / 1000, up % 1000,
        wall / 1000, wall % 1000);
    return 0;
}
SHELL_COMMAND(time, "", "the clocks", show_time);

static int leave(int argc, char *argv[])
{
    uint64_t status = 0;

    if (argc > 2 || (argc == 2 && parse_u64(argv[1], &status) != 0) ||
        status > INT_MAX)
        return SHELL_USAGE;
    shell_exit((int)status);
    return 0;
}
SHELL_COMMAND(exit, "[STATUS]", "end the shell", leave);

static int poweroff(int argc, char *argv[] __unused)
{
    if (argc > 1)
        return SHELL_USAGE;
    shutdown_exit(0);
}
SHELL_COMMAND(poweroff, "", "end the domain", poweroff);

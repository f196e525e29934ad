/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/backtrace.h>
#include <plinth/balloon.h>
#include <plinth/debug_report.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/heap.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/thread.h>
#include <plinth/upcall.h>
#include <xen/xen.h>

/* A thread has 27 lines or so at most, a port one. */
#define MAX_THREADS 32u
#define MAX_PORTS   64u

static void report_memory(void)
{
    const struct heap_stats heap = heap_stats();
    struct page_stats pages;

    say("memory: %lu pages of %lu", balloon_current(), balloon_max());
    if (page_stats_try(&pages) == 0)
        say(", %lu free", pages.free);
    else
        say(", the free ones not to be counted now");
    say("; heap: %lu objects, %lu bytes\n", heap.objects, heap.bytes);
}

void debug_report(void)
{
    const bool masked = upcall_mask();

    say("--- debug report ---\n");
    say("here: thread \"%s\"%s\n", thread_name(thread_current()),
        preempt_is_off() ? ", not to be preempted" : "");
    backtrace_callers(__builtin_frame_address(0));
    thread_report(MAX_THREADS);
    (void)events_report(MAX_PORTS);
    report_memory();
    say("--- end of the debug report ---\n");
    upcall_restore(masked);
}

static void on_debug(evtchn_port_t port __unused, void *arg __unused)
{
    debug_report();
}

void debug_report_init(void)
{
    evtchn_port_t port;
    const int rc = event_bind_virq(VIRQ_DEBUG, 0, on_debug, NULL, &port);

    if (rc == 0)
        (void)event_unmask(port);
    else
        pr_warn("debug: no VIRQ_DEBUG: %s", errno_name(rc));
}

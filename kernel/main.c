/* SPDX-License-Identifier: MIT */
/*
 * The boot, in order.  xen-head.S comes here on the main stack with the BSS
 * cleared, events masked, and everything mapped writable and executable.
 */
#include <arch/cpu.h>
#include <plinth/app.h>
#include <plinth/boot_map.h>
#include <plinth/boot_report.h>
#include <plinth/console.h>
#include <plinth/control.h>
#include <plinth/debug_report.h>
#include <plinth/events.h>
#include <plinth/features.h>
#include <plinth/options.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printf.h>
#include <plinth/printk.h>
#include <plinth/protect.h>
#include <plinth/shared_info.h>
#include <plinth/shutdown.h>
#include <plinth/space.h>
#include <plinth/stack.h>
#include <plinth/start_info.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/trap.h>
#include <plinth/upcall.h>
#include <plinth/user.h>
#include <plinth/watch.h>

void __noreturn kernel_main(const struct start_info *si);

uint64_t boot_tsc;        /* at the entry point, by xen-head.S */
static uint64_t cost_tsc; /* from there to main(), without the report */

uint64_t boot_cost(void)
{
    return cost_tsc;
}

static const char *verdict_name(int status)
{
    switch (status) {
    case 0:
        return "SUCCESS";
    case 3:
        return "SKIP";
    case 4:
        return "ERROR";
    default:
        return "FAILURE";
    }
}

/* The application's verdict is the last line, where XTF's runner looks. */
static void __noreturn end(int status)
{
    char text[12];

    snprintf(text, sizeof(text), "%d", status);
    control_report(text);
    say("Test result: %s (exit status %d)\n", verdict_name(status), status);
    shutdown_exit(status);
}

void kernel_main(const struct start_info *si)
{
    stack_init();        /* backtraces, and the overflow check */
    start_info_take(si); /* nothing is believed before its magic */
    trap_init();         /* from here on a fault says what it was */
    user_init();         /* and `syscall` in user mode has an entry */
    watch_init();
    shared_info_init(); /* needs no page tables of ours */
    time_init();
    boot_map_init(); /* walk and check what the builder made */
    protect_init();  /* W^X */
    space_init();
    page_init();    /* from here on there is memory to be had */
    p2m_publish();  /* for the toolstack's dumps */
    console_init(); /* from here on a domU is heard */
    features_init();
    options_init(); /* the command line; may complain */
    events_init(options()->events_2l);
    timer_init();  /* no tick any more, but deadlines */
    thread_init(); /* this becomes the thread "main" */
    console_attach();
    debug_report_init(); /* `xl debug-keys q` */
    upcall_unmask();     /* from here on handlers run */
    control_start();     /* a thread, for what the toolstack asks */
    cost_tsc = rdtsc() - boot_tsc;
    boot_report();
    pr_debug("up: Xen %u.%u%s, %lu pages, %s events", xen_identity()->major,
             xen_identity()->minor, xen_identity()->extra, si->nr_pages,
             events_abi());

    end(main(options()->argc, options_argv()));
}

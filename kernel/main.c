/* SPDX-License-Identifier: MIT */
/*
 * The boot, in order.  xen-head.S comes here on the boot stack with the BSS
 * cleared, events masked, and everything mapped writable and executable.
 */
#include <plinth/app.h>
#include <plinth/boot_map.h>
#include <plinth/boot_report.h>
#include <plinth/console.h>
#include <plinth/features.h>
#include <plinth/options.h>
#include <plinth/protect.h>
#include <plinth/shared_info.h>
#include <plinth/shutdown.h>
#include <plinth/stack.h>
#include <plinth/start_info.h>
#include <plinth/time.h>
#include <plinth/trap.h>

void __noreturn kernel_main(const struct start_info *si);

void kernel_main(const struct start_info *si)
{
    stack_init();        /* backtraces, and the overflow check */
    start_info_take(si); /* nothing is believed before its magic */
    trap_init();         /* from here on a fault says what it was */
    shared_info_init();  /* needs no page tables of ours */
    time_init();
    boot_map_init(); /* walk and check what the builder made */
    protect_init();  /* W^X */
    console_init();  /* from here on a domU is heard */
    features_init();
    options_init(); /* the command line; may complain */
    boot_report();

    shutdown_exit(main(options()->argc, options_argv()));
}

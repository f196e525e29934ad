/* SPDX-License-Identifier: MIT */
/*
 * shutdown: the ends of the domain.
 *
 *   context  any
 *   source   public/sched.h: SCHEDOP_shutdown
 */
#pragma once

#include <plinth/compiler.h>

/*
 * Orderly end with the application's exit status: drain the console, power
 * off.  With the option plinth.exit=qemu in dom0, first offer the status to
 * QEMU's isa-debug-exit device: QEMU then ends with 2 * (16 + status) + 1.
 */
void __noreturn shutdown_exit(int status);

/* The end of panic(): drain what can be drained, tell Xen of a crash. */
void __noreturn shutdown_crash(void);

/* Exit status that says "crashed" to QEMU. */
#define EXIT_CRASH 6

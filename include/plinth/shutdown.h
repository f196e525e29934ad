/* SPDX-License-Identifier: MIT */
/*
 * shutdown: the ends of the domain.
 *
 *   context  any, unless stated
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

/*
 * Somebody else wants this domain to end, for @reason (SHUTDOWN_*): call the
 * application's hook, wait for it SHUTDOWN_HOOK_NS at most, drain the console,
 * and go down.  Threads only.
 */
void __noreturn shutdown_domain(unsigned int reason);

/*
 * @fn(@reason, @arg) is called then, by a thread of its own with 16 KiB of stack.
 * NULL: nothing is.  Threads and boot.
 */
#define SHUTDOWN_HOOK_NS 5000000000ull
typedef void shutdown_hook_t(unsigned int reason, void *arg);
void shutdown_set_hook(shutdown_hook_t *fn, void *arg);

/* The end of panic(): drain what can be drained, tell Xen of a crash. */
void __noreturn shutdown_crash(void);

/* Exit status that says "crashed" to QEMU. */
#define EXIT_CRASH 6

/* SPDX-License-Identifier: MIT */
/*
 * debug_report: what this domain is doing, when the operator of the host asks.
 *
 * On the key q (`xl debug-keys q`) Xen describes each domain on its own console
 * and sends VIRQ_DEBUG to each vCPU.  The answer here, on the domain's console:
 * where the vCPU was, the threads and where each is, event ports, memory.
 *
 * It is printed by the event handler and not by a thread.  It is wanted when a
 * domain does not answer, and then a thread may not get the vCPU: another one
 * may hold it.  `xl sysrq t` is answered by a thread; this works as long as
 * upcalls are not masked.  The price is that no other event is handled until it is
 * out.  So it has an end: 32 threads and 64 ports, and a console that takes nothing
 * is waited for once (CONSOLE_PATIENCE_NS).
 *
 *   source   public/xen.h: VIRQ_DEBUG; Xen common/keyhandler.c
 */
#pragma once

/* Boot, when there are threads. */
void debug_report_init(void);

/* Print it.  Any context. */
void debug_report(void);

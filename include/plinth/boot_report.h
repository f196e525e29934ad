/* SPDX-License-Identifier: MIT */
/*
 * boot_report: the start of day at a glance: memory map, memory, Xen, features,
 * command line.  Switched off by plinth.report=off.
 *
 *   context  boot, after options_init()
 */
#pragma once

#include <stdint.h>

void boot_report(void);

/*
 * TSC ticks from the entry point to the report.  Under an instruction-counting
 * clock that is instructions, of guest and hypervisor together.
 */
uint64_t boot_cost(void);

/* The TSC at the entry point. */
extern uint64_t boot_tsc;

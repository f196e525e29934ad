/* SPDX-License-Identifier: MIT */
/*
 * boot_report: the start of day at a glance: memory map, memory, Xen, features,
 * command line.  Switched off by plinth.report=off.
 *
 *   context  boot, after options_init()
 */
#pragma once

void boot_report(void);

/* SPDX-License-Identifier: MIT */
/*
 * backtrace: who called whom, by frame pointers, with symbol names.
 *
 * Reads only inside known stacks (plinth/stack.h), so a broken chain ends the
 * trace and nothing else.
 *
 *   context  any
 */
#pragma once

#include <stdint.h>

/* Print the trace of code interrupted at @rip with frame pointer @rbp. */
void backtrace_from(uint64_t rip, uint64_t rbp);

/* Print the trace of whoever called the function whose frame this is. */
void backtrace_callers(const void *frame);

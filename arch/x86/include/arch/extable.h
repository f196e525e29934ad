/* SPDX-License-Identifier: MIT */
/*
 * extable: where to go on after a fault that was to be expected.
 *
 * The table is made by ASM_EXTABLE() (arch/asm.h), each entry where its code is.
 *
 *   units    addresses of instructions
 *   failure  none
 */
#pragma once

#include <stdint.h>

/*
 * Put the table in order, which the linker nearly always has done.  Boot, before
 * rodata is read-only.
 */
void extable_init(void);

/* Where the instruction at @rip goes on when it faults; 0 if nobody says so. */
uint64_t extable_find(uint64_t rip);

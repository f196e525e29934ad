/* SPDX-License-Identifier: MIT */
/*
 * ptdump: an address space as people draw it: ranges, rights, whose they are.
 *
 *   context  threads and boot
 */
#pragma once

#include <plinth/addr.h>

/* Print what is mapped under @l4, neighbours with the same rights as one. */
void ptdump(mfn_t l4);

/* Which part of the kernel's layout @va belongs to: "physmap", "text", ... */
const char *ptdump_owner(vaddr_t va);

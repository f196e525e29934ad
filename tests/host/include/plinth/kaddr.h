/* SPDX-License-Identifier: MIT */
/* kaddr: the kernel's header, with addresses that a process may have. */
#pragma once

#define PHYSMAP_BASE 0x200000000000ul
#define PHYSMAP_END  0x210000000000ul
#define PAGES_BASE   0x280000000000ul
#define PAGES_END    0x290000000000ul

#include_next <plinth/kaddr.h>

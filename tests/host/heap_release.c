/* SPDX-License-Identifier: MIT */
/* heap, as it is with DEBUG=0. */
#define CONFIG_DEBUG 0
#include "heap.c"

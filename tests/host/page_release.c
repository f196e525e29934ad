/* SPDX-License-Identifier: MIT */
/* page, as it is with DEBUG=0. */
#define CONFIG_DEBUG 0
#include "page.c"

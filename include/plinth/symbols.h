/* SPDX-License-Identifier: MIT */
/*
 * symbols: the names of our functions, from a table inside the image, so that
 * a backtrace has names even when the ELF file is stripped.
 *
 * The table is made from the first link of the image (tools/symbols.awk);
 * text does not move between the first link and the last.
 *
 *   context  any
 */
#pragma once

#include <stdint.h>

/*
 * The function that holds @address and the offset into it; NULL when @address
 * is not in text.
 */
const char *symbol_lookup(uint64_t address, uint64_t *offset);

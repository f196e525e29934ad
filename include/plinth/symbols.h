/* SPDX-License-Identifier: MIT */
/*
 * symbols: the names of our functions, from a table inside the image, so that
 * a backtrace has names even when the ELF file is stripped.
 *
 * The image is linked again and again (Makefile), the table made from the link
 * before by tools/symbols.awk: its size moves text, so the second link has a table
 * of the right size, and the third one right addresses.
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

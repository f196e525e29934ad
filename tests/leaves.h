/* SPDX-License-Identifier: MIT */
/* leaves: how many pages are mapped now, and with which rights. */
#pragma once

#include <stdint.h>

uint64_t leaves_present(void);
uint64_t leaves_executable(void);
uint64_t leaves_writable_and_executable(void);

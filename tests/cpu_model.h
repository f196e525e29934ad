/* SPDX-License-Identifier: MIT */
/* cpu_model: for tests of what an emulated CPU is known not to do. */
#pragma once

#include <stdbool.h>

/* Does the CPU call itself QEMU's, in the brand string? */
bool cpu_is_qemu_tcg(void);

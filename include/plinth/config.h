/* SPDX-License-Identifier: MIT */
/*
 * config: what the build decides, as constants that always exist, so that the
 * code tests them by a plain `if` and both branches always compile.
 */
#pragma once

#ifndef CONFIG_DEBUG
#define CONFIG_DEBUG 1
#endif

#ifndef CONFIG_STACK_CHECK
#define CONFIG_STACK_CHECK 1
#endif

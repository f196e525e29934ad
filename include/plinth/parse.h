/* SPDX-License-Identifier: MIT */
/*
 * parse: values out of text that somebody else wrote.
 *
 * The whole text must be the value: no blanks around it, no sign, nothing left
 * over.
 *
 *   units     sizes in bytes, K M G T being powers of 1024
 *   owns      nothing
 *   context   any
 *   failure   -EINVAL if it is no such value, -ERANGE if it is one but does not
 *             fit; what @out points to is then untouched
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>

/* Decimal, or hexadecimal after 0x. */
int __must_check parse_u64(const char *text, uint64_t *out);

/* The same with an optional K, M, G or T, in either case, at the end. */
int __must_check parse_size(const char *text, uint64_t *out);

/* 1 yes on true, 0 no off false; lower case only. */
int __must_check parse_bool(const char *text, bool *out);

/* Exactly @len bytes, each as two hexadecimal digits, with no separators. */
int __must_check parse_hex_bytes(const char *text, uint8_t *out, size_t len);

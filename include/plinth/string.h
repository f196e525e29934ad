/* SPDX-License-Identifier: MIT */
/*
 * string: the memory and string functions of C, with C's meaning, and BSD's
 * strlcpy.
 *
 * gcc itself calls memcpy, memmove, memset and memcmp.
 *
 *   units     sizes in bytes, without the terminating zero unless said
 *   owns      nothing
 *   context   any, also before anything is set up: no state, no calls, no locks
 *   failure   none; NULL from a search means not found
 */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
void *memset(void *dst, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
void *memchr(const void *mem, int byte, size_t len);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);

/*
 * Copy as much of @src as fits into @size bytes and terminate it; size 0 writes
 * nothing.  Returns strlen(@src): a result of @size or more means it was cut.
 */
size_t strlcpy(char *restrict dst, const char *restrict src, size_t size);

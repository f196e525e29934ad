/* SPDX-License-Identifier: MIT */
/*
 * rename: lets our functions live beside libc's in one program.
 *
 * Force-included into the sources of lib/.  A test includes it before the
 * headers of include/plinth/ and once more behind them: the second time takes
 * the names back, so that memcpy is libc's and plinth_memcpy is ours.
 *
 * Without include guard, on purpose.
 */
#ifndef PLINTH_RENAMED
#define PLINTH_RENAMED

#define memcpy        plinth_memcpy
#define memmove       plinth_memmove
#define memset        plinth_memset
#define memcmp        plinth_memcmp
#define memchr        plinth_memchr
#define strlen        plinth_strlen
#define strnlen       plinth_strnlen
#define strcmp        plinth_strcmp
#define strncmp       plinth_strncmp
#define strchr        plinth_strchr
#define strrchr       plinth_strrchr
#define strstr        plinth_strstr
#define strspn        plinth_strspn
#define strcspn       plinth_strcspn
#define strlcpy       plinth_strlcpy
#define vsnprintf     plinth_vsnprintf
#define snprintf      plinth_snprintf
#define malloc        plinth_malloc
#define calloc        plinth_calloc
#define realloc       plinth_realloc
#define aligned_alloc plinth_aligned_alloc
#define free          plinth_free
#define strdup        plinth_strdup

#else
#undef PLINTH_RENAMED

#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strspn
#undef strcspn
#undef strlcpy
#undef vsnprintf
#undef snprintf
#undef malloc
#undef calloc
#undef realloc
#undef aligned_alloc
#undef free
#undef strdup

#endif

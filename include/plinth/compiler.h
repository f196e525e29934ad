/* SPDX-License-Identifier: MIT */
/*
 * compiler: short names for what gcc offers beyond C, and the few macros every
 * file wants.
 *
 *   units     alignments are powers of two, in whatever unit the value has
 *   owns      nothing
 *   context   any
 *   failure   misuse does not compile
 *
 * Host tests include this after libc's headers, some of which define a few of
 * these names with the same meaning; theirs then stay.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define __must_check    __attribute__((warn_unused_result))
#define __noreturn      __attribute__((noreturn))
#define __unused        __attribute__((unused))
#define __used          __attribute__((used))
#define __packed        __attribute__((packed))
#define __printf(f, a)  __attribute__((format(printf, f, a)))
#define __section(name) __attribute__((section(name)))
#define __aligned(n)    __attribute__((aligned(n)))
#define __cold          __attribute__((cold))
#define __noinline      __attribute__((noinline))

/*
 * A function without the check of the stack at its entry.  For what is called
 * often and has a small frame; what it calls must check or do without as well,
 * so that it fits into STACK_RESERVE (plinth/stack.h).
 */
#define __no_stack_check __attribute__((no_instrument_function))

/* A variable of undefined content: boot clears all others of the BSS. */
#define __noinit __section(".bss.noinit")

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define likely(cond)   __builtin_expect(!!(cond), 1)
#define unlikely(cond) __builtin_expect(!!(cond), 0)

/* Stops the compilation if @cond, a constant, is true. */
#define BUILD_BUG_ON(cond) _Static_assert(!(cond), "not allowed: " #cond)

/* The same as an expression of value 0, for use inside other macros. */
#define BUILD_BUG_ON_ZERO(cond) (sizeof(struct { BUILD_BUG_ON(cond); }))

#define SAME_TYPE(a, b) __builtin_types_compatible_p(typeof(a), typeof(b))

/* Number of elements; a pointer in place of an array does not compile. */
#define ARRAY_SIZE(array)                                                      \
    (sizeof(array) / sizeof((array)[0]) +                                      \
     BUILD_BUG_ON_ZERO(SAME_TYPE(array, &(array)[0])))

/* The @type whose member @member is at @ptr. */
#define container_of(ptr, type, member)                                        \
    ((type *)(((uintptr_t)(ptr)) - offsetof(type, member) +                    \
              BUILD_BUG_ON_ZERO(!SAME_TYPE(*(ptr), ((type *)0)->member))))

/*
 * Each argument is evaluated once.  The numbered names let one MIN stand inside
 * another without shadowing it.
 */
#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

#define PICK_(a, op, b, an, bn)                                                \
    ({                                                                         \
        __auto_type an = (a);                                                  \
        __auto_type bn = (b);                                                  \
        an op bn ? an : bn;                                                    \
    })
#define PICK(a, op, b, n) PICK_(a, op, b, PASTE(pick_a_, n), PASTE(pick_b_, n))

#ifndef MIN
#define MIN(a, b) PICK(a, <, b, __COUNTER__)
#endif
#ifndef MAX
#define MAX(a, b) PICK(a, >, b, __COUNTER__)
#endif

/*
 * @x is an integer and gives the type of the result; @a is a power of two and
 * is evaluated twice.  All three work in constant expressions.
 */
#define ALIGN_MASK_(x, a) (((typeof((x) + 0))(a)) - 1)
#define ALIGN_UP(x, a)    (((x) + ALIGN_MASK_(x, a)) & ~ALIGN_MASK_(x, a))
#define ALIGN_DOWN(x, a)  ((x) & ~ALIGN_MASK_(x, a))
#define IS_ALIGNED(x, a)  ((ALIGN_MASK_(x, a) & (x)) == 0)

/* gcc's own <limits.h> wants a libc's behind it. */
#ifndef INT_MAX
#define INT_MAX __INT_MAX__
#define INT_MIN (-INT_MAX - 1)
#endif

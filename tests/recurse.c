/* SPDX-License-Identifier: MIT */
#include <plinth/compiler.h>

#include "recurse.h"

unsigned int __noinline recurse(unsigned int n)
{
    volatile unsigned int frame[16];

    frame[n % 16] = n;
    if (n == ~0u) /* never got to */
        return 0;
    return recurse(n + 1) + frame[n % 16];
}

/* SPDX-License-Identifier: MIT */
/* What bench/user.c runs in user mode. */
#define __ASSEMBLY__ 1
#include <arch/asm.h>

    .text

FUNCTION(bench_syscalls)
1:  syscall
    jmp 1b
END_FUNCTION(bench_syscalls)

FUNCTION(bench_faults)
1:  ud2
    jmp 1b
END_FUNCTION(bench_faults)

/* SPDX-License-Identifier: MIT */
/* An entry that spoils start_info, for an image that must refuse to run. */
#define __ASSEMBLY__ 1
#include <arch/asm.h>

    .section .text.head, "ax", @progbits
FUNCTION(xen_entry)
    movb    $'X', (%rsi)
    jmp     _start
END_FUNCTION(xen_entry)

    .section .note.GNU-stack, "", @progbits

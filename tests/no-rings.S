/* SPDX-License-Identifier: MIT */
/* An entry that takes the rings out of start_info: no console, no xenstore. */
#define __ASSEMBLY__ 1
#include <arch/asm.h>

/* public/xen.h: struct start_info. */
#define STORE_MFN      0x38
#define STORE_EVTCHN   0x40
#define CONSOLE_MFN    0x48
#define CONSOLE_EVTCHN 0x50

    .section .text.head, "ax", @progbits
FUNCTION(xen_entry)
    movq    $0, STORE_MFN(%rsi)
    movl    $0, STORE_EVTCHN(%rsi)
    movq    $0, CONSOLE_MFN(%rsi)
    movl    $0, CONSOLE_EVTCHN(%rsi)
    jmp     _start
END_FUNCTION(xen_entry)

    .section .note.GNU-stack, "", @progbits

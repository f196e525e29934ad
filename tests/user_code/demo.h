/* SPDX-License-Identifier: MIT */
/*
 * demo: what runs in user mode for the tests.
 *
 * Objects of a folder `user_code` are linked into pages of their own, between
 * user_text and user_text_end (linker.ld), which are mapped a second time where
 * user mode sees them.  They are position-independent and have no data; what
 * they need they ask for.
 *
 * A system call: number in RAX, arguments in RDI and RSI, result in RAX.
 */
#pragma once

#include <stdint.h>

enum demo_call {
    DEMO_WRITE, /* a text, its length: how much of it */
    DEMO_SELF,  /* who am I */
    DEMO_MAP,   /* a number of pages: where they are, zeroed; or -errno */
    DEMO_YIELD, /* let others run */
    DEMO_EXIT,  /* a status; does not return */
};

extern const char user_text[], user_text_end[];

/* A small program: speaks, computes in memory it has asked for, exits with 7. */
void demo_main(void);

/*
 * One deed each, RDI and RSI as it says; then a system call with the result in
 * RAX.
 */
void deed_read(void);      /* RAX = [RDI] */
void deed_write(void);     /* [RDI] = RSI */
void deed_jump(void);      /* to RDI */
void deed_push(void);      /* on whatever stack there is */
void deed_syscall(void);   /* all registers as they are; then once more */
void deed_call_32(void);   /* the same from 32-bit code */
void deed_invert(void);    /* all registers change; #UD */
void deed_flags(void);     /* RAX = RFLAGS */
void deed_fs(void);        /* RAX = FS:[0] */
void deed_gs(void);        /* RAX = GS:[0] */
void deed_set_ds(void);    /* DS = ES = FS = GS = RDI */
void deed_selectors(void); /* RAX = DS, ES, FS, GS, 16 bits each */
void deed_count(void);     /* FS:[0]++, until [RDI] is not 0 */
void deed_spin(void);      /* for ever */
void deed_int3(void);
void deed_int4(void);
void deed_int13(void);
void deed_int18(void);
void deed_int80(void);
void deed_int82(void);
void deed_sysenter(void);
void deed_divide(void);
void deed_ud2(void);
void deed_hlt(void);
void deed_cli(void);
void deed_in(void);
void deed_out(void);
void deed_rdmsr(void);
void deed_wrmsr(void);
void deed_get_cr3(void);
void deed_set_cr3(void);
void deed_set_cr4(void);
void deed_set_dr7(void);
void deed_invlpg(void);
void deed_lgdt(void);
void deed_lidt(void);
void deed_ltr(void);
void deed_swapgs(void);
void deed_wbinvd(void);

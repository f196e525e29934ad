/* SPDX-License-Identifier: MIT */
/*
 * fpu: the x87, SSE and AVX registers of a thread.
 *
 * With XSAVE, where CPUID shows it: all that CPUID offers is then enabled in XCR0.
 * With FXSAVE otherwise, which is x87 and SSE.
 *
 *   owns     an area is the caller's until fpu_free()
 *   context  fpu_init(): boot; fpu_alloc(), fpu_free(): threads and boot; saving
 *            and restoring: any
 *   source   Intel SDM vol. 1 §13; Xen arch/x86/pv/emul-priv-op.c: xsetbv
 */
#pragma once

#include <stddef.h>

#include <plinth/compiler.h>

void fpu_init(void);

/* Registers as after FNINIT, exceptions masked; NULL when memory is out. */
void *fpu_alloc(void);
void fpu_free(void *area);

void fpu_save(void *area);
void fpu_restore(const void *area);

/* "XSAVE" or "FXSAVE", and the bytes of an area. */
const char *fpu_method(void);
size_t fpu_size(void);

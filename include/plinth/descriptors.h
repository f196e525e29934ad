/* SPDX-License-Identifier: MIT */
/*
 * descriptors: a GDT and an LDT of one's own.
 *
 * A 64-bit guest needs neither: Xen has flat segments in its part of the GDT,
 * which is what the kernel and user mode run on.  Who runs 32-bit code, or wants
 * segments with a limit, makes a table here and loads it.
 *
 * Xen lets a guest load no table that it can write, so its pages are read-only
 * from creation on, and entries change by hypercall.  It lets in code and data
 * segments of privilege level 3, which are all that can be made here.
 *
 *   units    entries of 8 bytes, counted from 0; a limit is the last byte's offset
 *   owns     struct descriptor_table is the caller's memory from create to
 *            destroy; its pages come from page_alloc()
 *   context  threads and boot.  One caller at a time for one table
 *   failure  -EINVAL: no such entry, too many, or a limit that no descriptor can
 *            say; -ENOMEM; -EBUSY: loaded (destroy); else what Xen says.  All is
 *            then as before
 *   source   Intel SDM vol. 3 §3.4.5; public/xen.h: set_gdt, update_descriptor,
 *            MMUEXT_SET_LDT
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>

#define GDT_ENTRIES_MAX 7168u /* behind these are Xen's */
#define LDT_ENTRIES_MAX 8192u

/* What selects entry @i for code that runs in user mode, or here: level 3. */
#define GDT_SELECTOR(i) ((i) << 3 | 3)
#define LDT_SELECTOR(i) ((i) << 3 | 4 | 3)

/* What page_note() says of the pages. */
#define DESCRIPTORS_NOTE 0x2000u

struct descriptor_table {
    uint64_t *entries; /* read-only */
    unsigned int nr;
    unsigned int users; /* vCPUs that have it loaded, as GDT or LDT */
};

enum segment_kind {
    SEGMENT_DATA_RO,
    SEGMENT_DATA,
    SEGMENT_CODE32,
    SEGMENT_CODE64, /* base and limit mean nothing there */
};

struct segment {
    enum segment_kind kind;
    uint32_t base;
    uint32_t limit; /* below 1 MiB, or else the last byte of a page */
    bool absent;    /* using it is #NP */
};

/* A table of @nr entries, all empty. */
int __must_check descriptors_create(struct descriptor_table *t,
                                    unsigned int nr);
int __must_check descriptors_destroy(struct descriptor_table *t);

int __must_check descriptor_set(struct descriptor_table *t, unsigned int index,
                                const struct segment *s);
int __must_check descriptor_clear(struct descriptor_table *t,
                                  unsigned int index);

/*
 * This vCPU's GDT, or LDT, is @t; NULL: none.  A register that holds a selector
 * of the former one keeps it until it is loaded again, which Xen may do any time
 * (plinth/trap.h: failsafe).
 */
int __must_check gdt_load(struct descriptor_table *t);
int __must_check ldt_load(struct descriptor_table *t);

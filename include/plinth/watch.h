/* SPDX-License-Identifier: MIT */
/*
 * watch: who writes there?  The CPU's four watchpoints.
 *
 *     watch_set(&counter, sizeof(counter), WATCH_WRITE, NULL, NULL);
 *
 * prints at each write which function it was, and the value before and after.
 * The CPU looks at each access by its linear address, so code runs at full speed
 * meanwhile, and an access by another mapping of the same page is not seen.  Nor
 * is one that Xen makes for us in a hypercall.
 *
 *   units    bytes
 *   owns     a slot, from watch_set() to watch_clear()
 *   context  threads and boot; the function is called in the interrupted context,
 *            which is any, with all watches off until it returns
 *   failure  -EINVAL: not 1, 2, 4 or 8 bytes, not aligned to that, or not 1 to
 *            execute; no such slot; -ENOSPC: all four are in use; -EPERM: an
 *            address of Xen's; -ENOENT: a slot that is free
 *   source   Intel SDM vol. 3 §17.2; public/xen.h: set_debugreg
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>

#define WATCH_SLOTS 4u

/* As in DR7. */
enum watch_kind {
    WATCH_EXECUTE = 0, /* before the instruction is executed */
    WATCH_WRITE = 1,   /* behind the instruction that has written */
    WATCH_ACCESS = 3,  /* the same for reads and writes */
};

struct watch_hit {
    vaddr_t address; /* what is watched */
    unsigned int len;
    enum watch_kind kind;
    uint64_t rip; /* of the next instruction */
    bool user;    /* user mode it was */
    uint64_t old; /* the value when it was last looked at.. */
    uint64_t now; /* ..and now; 0 if it cannot be read */
};

typedef void watch_fn_t(const struct watch_hit *hit, void *arg);

/* Before the first.  From then on, debug traps are offered to it. */
void watch_init(void);

/* The slot it got, 0 to 3.  @fn NULL: print it. */
int __must_check watch_set(vaddr_t address, unsigned int len,
                           enum watch_kind kind, watch_fn_t *fn, void *arg);
int watch_clear(int slot);

/* How many slots are in use; for the ledger of the tests. */
unsigned int watches_set(void);

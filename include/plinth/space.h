/* SPDX-License-Identifier: MIT */
/*
 * space: address spaces.
 *
 * A space is an L4 table.  Its upper half is the kernel's and the same in all of
 * them: the entries name the same L3 tables, so what is mapped there is seen
 * everywhere.  The lower half, the user half, is its own.
 *
 * A space made with SPACE_USER has a second L4 table, with the same user half
 * and nothing of the kernel's.  Xen loads it for user mode, which then has no
 * mapping of the kernel.
 *
 * A new space is plain memory, and changing it costs no hypercall.  Its tables
 * become Xen's to guard when it is pinned, which the first switch to it does
 * (late pin): Xen then checks them whole, which is cheaper than entry by entry.
 * Destroying it unpins it first (early unpin).
 *
 * Where a range covers 2 MiB or 1 GiB without a table, new ones are filled as
 * plain memory and hooked as one; elsewhere the entries of the live tables are
 * written.  Tables that become empty go back.
 *
 *   units    va and nr in whole pages
 *   owns     struct space is the caller's memory, from space_create() to
 *            space_destroy(); tables come from page_alloc(); the frames that
 *            are mapped stay whose they were
 *   context  threads and boot; a space's lock is held meanwhile
 *   failure  each call happens as a whole or not at all:
 *              -EINVAL  not page-aligned, wraps, page 0, Xen's part or the
 *                       self-map's, the kernel's half by any other than
 *                       kernel_space; writable and executable at once
 *              -EEXIST  a page of the range is mapped already
 *              -ENOENT  a page is not mapped
 *              -ENOMEM  no page for a table
 *              -EBUSY   the space is in use (destroy, unpin); a frame is a table,
 *                       or not ours
 *              else     what Xen says
 *   source   public/xen.h: MMUEXT_NEW_BASEPTR, MMUEXT_NEW_USER_BASEPTR,
 *            MMUEXT_PIN_L4_TABLE
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>
#include <plinth/spinlock.h>
#include <xen/xen.h>

/* Rights of a mapping. */
#define MAP_R  PTE_DATA_RO
#define MAP_RW PTE_DATA
#define MAP_RX (PTE_P | PTE_A)
/* In addition: not through the CPU's caches.  Xen allows it for devices. */
#define MAP_UC (PTE_PCD | PTE_PWT)

struct space {
    struct spinlock lock; /* guards all below and the user half's tables */
    mfn_t l4;
    mfn_t user_l4;      /* 0: none */
    bool live;          /* pinned: its tables are Xen's to write */
    unsigned int users; /* vCPUs that have it loaded; kernel_space: one more */
    struct space *next; /* in the list of all */
};

/* The one the domain came with; the kernel's half is changed by way of it. */
extern struct space kernel_space;
void space_init(void);

#define SPACE_USER 1u /* for user mode: with an L4 of its own for that */

int __must_check space_create(struct space *space, unsigned int flags);

/* Also frees its tables.  -EBUSY while it is loaded, and for kernel_space. */
int __must_check space_destroy(struct space *space);

/*
 * Hand its tables to Xen, or take them back to change a lot.  Pinning says what
 * Xen has against them; the space stays as it was.  Both do nothing when that is
 * how it is.  -EBUSY for taking back a space that is loaded, or kernel_space.
 */
int __must_check space_pin(struct space *space);
int __must_check space_unpin(struct space *space);

/* Load it on this vCPU; pins it first. */
int __must_check space_switch(struct space *space);

/* The space loaded on this vCPU. */
struct space *space_current(void);

/* Map @frames[0..nr), ours, at @va with @flags, one of MAP_*. */
int __must_check space_map(struct space *space, vaddr_t va, const mfn_t *frames,
                           uint64_t nr, uint64_t flags);

/* The same for @nr frames side by side, from @first on. */
int __must_check space_map_run(struct space *space, vaddr_t va, mfn_t first,
                               uint64_t nr, uint64_t flags);

/*
 * Frames of domain @owner, which this one is privileged over; and the memory of
 * devices from @first on (DOMID_IO).  Into a live space only, -EINVAL otherwise.
 * -EPERM for devices this domain may not use, -ESRCH for no such @owner.
 */
int __must_check space_map_foreign(struct space *space, vaddr_t va,
                                   const mfn_t *frames, uint64_t nr,
                                   uint64_t flags, domid_t owner);
int __must_check space_map_io(struct space *space, vaddr_t va, mfn_t first,
                              uint64_t nr, uint64_t flags);

int __must_check space_unmap(struct space *space, vaddr_t va, uint64_t nr);

/*
 * Make the L1 tables for @nr pages at @va and keep them: entries that others
 * write, as Xen does those of grants, need one that stays.  The entries are
 * empty.  Release says -EBUSY while one is not, -ENOENT where there is no table.
 */
int __must_check space_reserve(struct space *space, vaddr_t va, uint64_t nr);
int __must_check space_release(struct space *space, vaddr_t va, uint64_t nr);

/* Other rights for what is mapped; the A and D bits stay as the CPU left them. */
int __must_check space_protect(struct space *space, vaddr_t va, uint64_t nr,
                               uint64_t flags);

/* The leaf entry of @va; not present where nothing is mapped. */
pte_t space_query(struct space *space, vaddr_t va);

/* Call @f for each space there is, until one answers other than 0; that. */
int space_each(int (*f)(void *ctx, struct space *space), void *ctx);

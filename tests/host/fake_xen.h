/* SPDX-License-Identifier: MIT */
/*
 * fake_xen: a machine of a few frames, whose page tables only hypercalls write.
 *
 * It keeps Xen's rules for a PV domain's frames: an owner, a reference count, a
 * type with a count of its own; tables are looked at as a whole when they become
 * such, and entry by entry from then on.  Its answers are those that Xen's
 * source gives, as far as they are modelled.
 *
 * It is there to put what sends hypercalls under load: two machines that should
 * have got the same requests can be compared.  It says nothing about Xen.  What
 * Xen does is shown by the guest's tests, under Xen.
 *
 * Not modelled: device memory, cacheability, grants, linear page tables, 32-bit
 * domains, preemption, what is pending after it, other vCPUs, tables of another
 * domain.
 *
 *   units     mfns; a frame's place in the arrays is its mfn - FAKE_FIRST
 *   owns      nothing beyond the struct
 *   context   host
 *   failure   as the hypercall that is faked; `done` counts as Xen's does
 *   source    Xen arch/x86/mm.c: do_mmu_update(), do_mmuext_op(),
 *             mod_l1_entry(), get_page_from_l1e(), _get_page_type()
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plinth/pte.h>
#include <xen/xen.h>

#define FAKE_FIRST  0x12340u
#define FAKE_FRAMES 40u

/* Domains: ourselves, one that we are privileged over, and nobody. */
#define FAKE_SELF   3u
#define FAKE_OTHER  7u
#define FAKE_NOBODY 0xffffu

enum fake_type {
    FAKE_NONE,
    FAKE_L1,
    FAKE_L2,
    FAKE_L3,
    FAKE_L4,
    FAKE_WRITABLE,
    FAKE_DESC
};

struct fake_frame {
    uint16_t owner;
    uint8_t type;
    bool pinned;
    uint16_t refs;  /* one more than its uses: whose it is counts as well */
    uint16_t types; /* of the uses, those as a @type */
};

/*
 * The machine as fake_xen_reset() leaves it.  The tables 0 to 3, of level 4 to 1
 * and pinned at the top, map frame n of ours at FAKE_VA(n).
 */
#define FAKE_TABLES    0u  /* L4, L3, L2, L1; mapped read-only */
#define FAKE_SPARE     4u  /* fit to become tables: read-only and empty */
#define FAKE_TREE      8u  /* the same, filled as an L1, an L2, an L3, an L4 */
#define FAKE_DATA      12u /* mapped writable */
#define FAKE_THEIRS    32u /* of the other domain */
#define FAKE_FREE      36u /* nobody's */
#define FAKE_GDT       38u /* ours, with descriptors in it */
#define FAKE_UNMAPPED  39u /* ours, and nowhere mapped */
#define FAKE_VA(frame) ((uint64_t)(frame) << PAGE_SHIFT)

struct fake_xen {
    struct fake_frame frames[FAKE_FRAMES];
    uint64_t words[FAKE_FRAMES][PT_ENTRIES];
    uint64_t m2p[FAKE_FRAMES];
    unsigned int base, user_base; /* L4 tables in use; user_base 0: none */
    uint64_t ldt, ldt_entries;
    /* Flushes asked for: how many, and a sum that depends on their order. */
    uint64_t nr_flushes, flushes;
};

void fake_xen_reset(struct fake_xen *x);

int fake_mmu_update(struct fake_xen *x, const struct mmu_update *req,
                    unsigned int count, unsigned int *done, unsigned int owner);
int fake_mmuext_op(struct fake_xen *x, const struct mmuext_op *op,
                   unsigned int count, unsigned int *done, domid_t owner);
int fake_update_va_mapping(struct fake_xen *x, uint64_t va, uint64_t entry,
                           unsigned long flags, domid_t owner);

/* As a debug build's: afterwards only the results are left in @calls. */
int fake_multicall(struct fake_xen *x, struct multicall_entry *calls,
                   unsigned int nr);

/* The same state, whatever it took to get there? */
bool fake_xen_same(const struct fake_xen *a, const struct fake_xen *b);

/*
 * Count all references and types anew, from the tables.  NULL, or what is wrong.
 */
const char *fake_xen_check(const struct fake_xen *x);

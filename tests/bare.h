/* SPDX-License-Identifier: MIT */
/*
 * bare: page-table hypercalls with nothing of the kernel's around them, for tests
 * of Xen's rules and for the floors of bench/.
 *
 *   units    entries by machine address, frames by mfn
 *   owns     nothing
 *   context  any
 *   failure  what Xen returned
 */
#pragma once

#include <stdint.h>

#include <plinth/pte.h>
#include <xen/xen.h>

/* A kernel leaf, writable or not, and an upper entry, as one writes them. */
#define LEAF_RO   (PTE_P | PTE_A | PTE_NX)
#define LEAF_RW   (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define UPPER     (PTE_P | PTE_RW | PTE_USER | PTE_A)
#define UPPER_RO  (PTE_P | PTE_USER | PTE_A)
#define UPPER_BAD (PTE_PSE | PTE_GLOBAL | PTE_PCD | PTE_PWT)

/* The number by which others know us. */
domid_t own_domid(void);

/* One mmu_update, of the entry at @entry; with another owner of the data. */
int set_at(maddr_t entry, uint64_t value);
int set_at_owned(maddr_t entry, uint64_t value, unsigned int owner);

/* One mmuext_op on a frame, and one on an address. */
int ext_frame(unsigned int cmd, mfn_t mfn);
int ext_va(unsigned int cmd, uintptr_t va);

/* The operation that pins a table of @level. */
unsigned int pin_op(unsigned int level);

/* The L4 table in use, to be read. */
const volatile uint64_t *live_l4(void);

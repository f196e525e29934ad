/* SPDX-License-Identifier: MIT */
/*
 * hypercall: in place of the kernel's header of this name, for sources that are
 * built for the host.  The hypercalls are functions, which the test provides.
 *
 *   units     as in Xen's public headers
 *   owns      nothing
 *   context   host
 *   failure   as the test wants
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>
#include <xen/xen.h>

int hypercall_mmu_update(const struct mmu_update *req, unsigned int count,
                         unsigned int *done, unsigned int owner);
int hypercall_mmuext_op(const struct mmuext_op *op, unsigned int count,
                        unsigned int *done, domid_t owner);
int hypercall_update_va_mapping(vaddr_t va, pte_t pte, unsigned long flags);
int hypercall_update_va_mapping_otherdomain(vaddr_t va, pte_t pte,
                                            unsigned long flags, domid_t owner);
int hypercall_multicall(struct multicall_entry *calls, unsigned int nr);

/* SPDX-License-Identifier: MIT */
/*
 * upcall: whether Xen may interrupt this vCPU to have events handled.
 *
 * While upcalls are masked events wait; none is lost.  They are masked at boot
 * until all handlers are in place, and in event handlers.  The CPU's own
 * interrupt flag is no business of a PV guest.
 *
 *   owns     evtchn_upcall_mask of this vCPU
 *   context  any, once shared_info is mapped
 *   source   public/xen.h: struct vcpu_info
 */
#pragma once

#include <stdbool.h>

/* Mask them; were they masked before? */
bool upcall_mask(void);

/* Unmask them, and have handled what is pending.  Not in event handlers. */
void upcall_unmask(void);

bool upcall_masked(void);

/* Undo an upcall_mask() that has returned @masked. */
static inline void upcall_restore(bool masked)
{
    if (!masked)
        upcall_unmask();
}

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

#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/shared_info.h>

/* Mask them; were they masked before? */
static inline bool upcall_mask(void)
{
    bool masked;

    vcpu_stay();
    masked = this_vcpu_info()->evtchn_upcall_mask;
    this_vcpu_info()->evtchn_upcall_mask = 1;
    barrier();
    vcpu_leave();
    return masked;
}

/* Have Xen deliver what is pending. */
void upcall_force(void);

/* Unmask them, and have handled what is pending.  Not in event handlers. */
static inline void upcall_unmask(void)
{
    ASSERT(!this_vcpu()->in_event);
    preempt_disable();
    barrier();
    this_vcpu_info()->evtchn_upcall_mask = 0;
    barrier();
    if (unlikely(__atomic_load_n(&this_vcpu_info()->evtchn_upcall_pending,
                                 __ATOMIC_RELAXED)))
        upcall_force();
    preempt_enable();
}

static inline bool upcall_masked(void)
{
    bool masked;

    vcpu_stay();
    masked = this_vcpu_info()->evtchn_upcall_mask;
    vcpu_leave();
    return masked;
}

/* Undo an upcall_mask() that has returned @masked. */
static inline void upcall_restore(bool masked)
{
    if (!masked)
        upcall_unmask();
}

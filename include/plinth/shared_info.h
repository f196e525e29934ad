/* SPDX-License-Identifier: MIT */
/*
 * shared_info: the page Xen and the domain share.
 *
 *   owns     the mapping, in the fixmap
 *   context  any
 *   source   public/xen.h: struct shared_info
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/fixmap.h>
#include <xen/xen.h>

/* Map it and mask all event channels.  Panics when it cannot be mapped. */
void shared_info_init(void);

/* Is it mapped yet?  Set by shared_info_init() and by nobody else. */
extern bool shared_info_is_mapped;

static inline bool shared_info_ready(void)
{
    return shared_info_is_mapped;
}

/* The page.  Only once it is ready. */
static inline struct shared_info *shared_info(void)
{
    return fixmap_ptr(FIX_SHARED_INFO);
}

/* What Xen shares with this vCPU.  Only once the page is ready. */
static inline struct vcpu_info *this_vcpu_info(void)
{
    return &shared_info()->vcpu_info[vcpu_id()];
}

/* The address of the last page fault; works before the page is mapped too. */
static inline uint64_t shared_info_cr2(void)
{
    /* Reading the register is emulated: right, but slow. */
    return shared_info_ready() ? this_vcpu_info()->arch.cr2 : read_cr2();
}

/* Put an address back there, as if that fault had been the last. */
static inline void shared_info_set_cr2(uint64_t address)
{
    if (shared_info_ready())
        this_vcpu_info()->arch.cr2 = address;
}

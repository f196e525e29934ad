/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/shared_info.h>
#include <plinth/start_info.h>
#include <plinth/string.h>

static struct shared_info *mapped;

void shared_info_init(void)
{
    const maddr_t where = _maddr(start_info()->shared_info);
    const int rc = fixmap_set(FIX_SHARED_INFO, maddr_to_mfn(where), PTE_RW);

    if (rc != 0)
        panic("shared_info at machine address %#lx cannot be mapped: %s",
              maddr_x(where), errno_name(rc));

    mapped = fixmap_ptr(FIX_SHARED_INFO);

    /* Until somebody binds a port, none may raise an upcall. */
    memset(mapped->evtchn_mask, 0xff, sizeof(mapped->evtchn_mask));
}

bool shared_info_ready(void)
{
    return mapped != NULL;
}

struct shared_info *shared_info(void)
{
    return mapped;
}

uint64_t shared_info_cr2(void)
{
    /* Reading the register is emulated: right, but slow. */
    return mapped ? mapped->vcpu_info[0].arch.cr2 : read_cr2();
}

void shared_info_set_cr2(uint64_t address)
{
    if (mapped)
        mapped->vcpu_info[0].arch.cr2 = address;
}

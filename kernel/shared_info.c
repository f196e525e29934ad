/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/shared_info.h>
#include <plinth/start_info.h>
#include <plinth/string.h>

bool shared_info_is_mapped;

void shared_info_init(void)
{
    const maddr_t where = _maddr(start_info()->shared_info);
    const int rc = fixmap_set(FIX_SHARED_INFO, maddr_to_mfn(where), PTE_RW);

    if (rc != 0)
        panic("shared_info at machine address %#lx cannot be mapped: %s",
              maddr_x(where), errno_name(rc));

    shared_info_is_mapped = true;

    /* Until somebody binds a port, none may raise an upcall. */
    memset(shared_info()->evtchn_mask, 0xff,
           sizeof(shared_info()->evtchn_mask));
}

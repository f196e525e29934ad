/* SPDX-License-Identifier: MIT */
#include <plinth/hypercall.h>
#include <plinth/start_info.h>

#include "bare.h"

/* An unbound port made for "self" tells who that is. */
domid_t own_domid(void)
{
    struct evtchn_alloc_unbound alloc = {
        .dom = DOMID_SELF,
        .remote_dom = DOMID_SELF,
    };
    struct evtchn_status status = { .dom = DOMID_SELF };
    struct evtchn_close close;
    domid_t domid = DOMID_INVALID;

    if (hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &alloc) != 0)
        return domid;
    status.port = close.port = alloc.port;
    if (hypercall_event_channel_op(EVTCHNOP_status, &status) == 0)
        domid = status.u.unbound.dom;
    hypercall_event_channel_op(EVTCHNOP_close, &close);
    return domid;
}

int set_at_owned(maddr_t entry, uint64_t value, unsigned int owner)
{
    const struct mmu_update req = { .ptr = maddr_x(entry), .val = value };

    return hypercall_mmu_update(&req, 1, NULL, owner);
}

int set_at(maddr_t entry, uint64_t value)
{
    return set_at_owned(entry, value, DOMID_SELF);
}

int ext_frame(unsigned int cmd, mfn_t mfn)
{
    const struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn_x(mfn) };

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

int ext_va(unsigned int cmd, uintptr_t va)
{
    const struct mmuext_op op = { .cmd = cmd, .arg1.linear_addr = va };

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

unsigned int pin_op(unsigned int level)
{
    return MMUEXT_PIN_L1_TABLE + level - 1;
}

const volatile uint64_t *live_l4(void)
{
    return (const volatile uint64_t *)start_info()->pt_base;
}

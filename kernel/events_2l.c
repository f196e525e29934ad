/* SPDX-License-Identifier: MIT */
/*
 * The 2-level form: two bits for each of 4096 ports in shared_info, pending and
 * masked, in words of 64; and for each vCPU a word that says which words of
 * pending bits to look at.
 */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/errno.h>
#include <plinth/shared_info.h>

#include "events_abi.h"

#define WORD_BITS 64u

static uint64_t *word(xen_ulong_t *words, evtchn_port_t port)
{
    return &words[port / WORD_BITS];
}

static uint64_t bit(evtchn_port_t port)
{
    return 1ul << port % WORD_BITS;
}

static int grow(evtchn_port_t port)
{
    return port < EVTCHN_2L_NR_CHANNELS ? 0 : -ENOSPC;
}

static void mask(evtchn_port_t port)
{
    __atomic_fetch_or(word(shared_info()->evtchn_mask, port), bit(port),
                      __ATOMIC_SEQ_CST);
}

/*
 * What became pending while the port was masked has set no bit of the first
 * level.  EVTCHNOP_unmask does that, on the right vCPU, if it finds the port
 * masked; so it becomes that again.
 */
static bool unmask(evtchn_port_t port)
{
    struct shared_info *s = shared_info();

    __atomic_fetch_and(word(s->evtchn_mask, port), ~bit(port),
                       __ATOMIC_SEQ_CST);
    if (!(__atomic_load_n(word(s->evtchn_pending, port), __ATOMIC_SEQ_CST) &
          bit(port)))
        return false;
    mask(port);
    return true;
}

static void clear(evtchn_port_t port)
{
    __atomic_fetch_and(word(shared_info()->evtchn_pending, port), ~bit(port),
                       __ATOMIC_SEQ_CST);
}

static void set(evtchn_port_t port)
{
    __atomic_fetch_or(word(shared_info()->evtchn_pending, port), bit(port),
                      __ATOMIC_SEQ_CST);
}

static bool is_set(const xen_ulong_t *words, evtchn_port_t port)
{
    return __atomic_load_n(&words[port / WORD_BITS], __ATOMIC_SEQ_CST) &
           bit(port);
}

static unsigned int state(evtchn_port_t port)
{
    const struct shared_info *s = shared_info();

    if (port >= EVTCHN_2L_NR_CHANNELS)
        return EVENT_MASKED;
    return (is_set(s->evtchn_pending, port) ? EVENT_PENDING : 0) |
           (is_set(s->evtchn_mask, port) ? EVENT_MASKED : 0);
}

/*
 * The words have ports of other vCPUs in them as well; and a handler may have
 * masked one since they were read.
 */
static void take(evtchn_port_t port)
{
    if (event_vcpu(port) != vcpu_id() || state(port) != EVENT_PENDING)
        return;
    mask(port);
    clear(port);
    event_deliver(port);
}

/*
 * Each port once: what fires again meanwhile sets its bit of the first level
 * again, for the next round.
 */
static void scan(void)
{
    struct shared_info *s = shared_info();
    uint64_t sel = __atomic_exchange_n(&this_vcpu_info()->evtchn_pending_sel, 0,
                                       __ATOMIC_SEQ_CST);

    while (sel != 0) {
        const unsigned int w = __builtin_ctzl(sel);
        uint64_t ports =
            __atomic_load_n(&s->evtchn_pending[w], __ATOMIC_SEQ_CST) &
            ~__atomic_load_n(&s->evtchn_mask[w], __ATOMIC_SEQ_CST);

        for (; ports != 0; ports &= ports - 1)
            take(w * WORD_BITS + __builtin_ctzl(ports));
        sel &= sel - 1;
    }
}

const struct event_abi event_abi_2l = {
    .name = "2-level",
    .grow = grow,
    .mask = mask,
    .unmask = unmask,
    .clear = clear,
    .set = set,
    .state = state,
    .scan = scan,
};

/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/printk.h>
#include <plinth/spinlock.h>
#include <plinth/symbols.h>
#include <plinth/trap.h>
#include <plinth/watch.h>

#define DR6 6
#define DR7 7

#define DR6_NONE 0xffff0ff0u /* what it shows when nothing has happened */
#define DR6_BS   (1u << 14)  /* a single step */

/* Debug registers belong to a vCPU; others would have to load theirs. */
_Static_assert(MAX_VCPUS == 1, "watches are set on one vCPU only");

static struct spinlock lock; /* of the slots, against others who set one */
static struct watch {
    vaddr_t address;
    unsigned int len; /* 0: free */
    enum watch_kind kind;
    watch_fn_t *fn;
    void *arg;
    uint64_t last;
} watches[WATCH_SLOTS];

unsigned int watches_set(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < WATCH_SLOTS; i++)
        n += watches[i].len != 0;
    return n;
}

/* DR7: enabled, the kind, and the length, which 8 bytes have out of order. */
static uint64_t control(void)
{
    uint64_t dr7 = 0;

    for (unsigned int i = 0; i < WATCH_SLOTS; i++) {
        const struct watch *w = &watches[i];
        const uint64_t len = w->len == 8 ? 2 : w->len - 1;

        if (w->len != 0)
            dr7 |= 1ull << (2 * i) | (len << 2 | w->kind) << (16 + 4 * i);
    }
    return dr7;
}

static uint64_t value_of(const struct watch *w)
{
    const uintptr_t va = vaddr_x(w->address);
    uint64_t word;

    if (probe_read((const void *)ALIGN_DOWN(va, 8ul), &word) != 0)
        return 0;
    word >>= va % 8 * 8;
    return w->len == 8 ? word : word & ((1ull << (8 * w->len)) - 1);
}

static void print_hit(const struct watch_hit *hit)
{
    /* Behind a write is the next instruction; that one is no part of it. */
    const unsigned int back = hit->kind != WATCH_EXECUTE;
    uint64_t offset = 0;
    const char *name = symbol_lookup(hit->rip - back, &offset);

    pr_warn("watch: %s of %#lx by %s+%#lx (%#lx): %#lx -> %#lx",
            hit->kind == WATCH_EXECUTE ? "execution"
            : hit->kind == WATCH_WRITE ? "write"
                                       : "access",
            vaddr_x(hit->address),
            hit->user      ? "user mode"
            : name != NULL ? name
                           : "no function of ours",
            offset, hit->rip, hit->old, hit->now);
}

static void report(struct watch *w, const struct regs *regs)
{
    const struct watch_hit hit = {
        .address = w->address,
        .len = w->len,
        .kind = w->kind,
        .rip = regs->rip,
        .user = (regs->cs & 3) == 3,
        .old = w->last,
        .now = value_of(w),
    };

    w->last = hit.now;
    if (w->fn != NULL)
        w->fn(&hit, w->arg);
    else
        print_hit(&hit);
}

/* Off meanwhile, since what is watched may be read, or called, here. */
static bool debug_trap(struct regs *regs, uint64_t address __unused)
{
    const uint64_t dr6 = hypercall_get_debugreg(DR6);
    bool ours = false;

    (void)hypercall_set_debugreg(DR7, 0);
    for (unsigned int i = 0; i < WATCH_SLOTS; i++) {
        if (!(dr6 >> i & 1) || watches[i].len == 0)
            continue;
        ours = true;
        report(&watches[i], regs);
        if (watches[i].kind == WATCH_EXECUTE)
            regs->rflags |= RFLAGS_RF; /* or it would not get past it */
    }
    (void)hypercall_set_debugreg(DR6, DR6_NONE);
    (void)hypercall_set_debugreg(DR7, control());
    return ours && !(dr6 & DR6_BS);
}

void watch_init(void)
{
    (void)trap_set_handler(TRAP_DB, debug_trap);
}

static bool is_allowed(vaddr_t address, unsigned int len, enum watch_kind kind)
{
    if (len != 1 && len != 2 && len != 4 && len != 8)
        return false;
    if (kind != WATCH_WRITE && kind != WATCH_ACCESS &&
        (kind != WATCH_EXECUTE || len != 1))
        return false;
    return IS_ALIGNED(vaddr_x(address), (uint64_t)len);
}

/*
 * Slot @i becomes @w, as far as Xen allows.  What DR6 says of former traps it
 * says until it is cleared, which others may not have done.
 */
static int set_slot(unsigned int i, const struct watch *w)
{
    int rc = hypercall_set_debugreg(i, vaddr_x(w->address));

    if (rc == 0)
        rc = hypercall_set_debugreg(DR6, DR6_NONE);
    if (rc != 0)
        return rc;
    watches[i] = *w;
    watches[i].last = value_of(w);
    rc = hypercall_set_debugreg(DR7, control());
    if (rc != 0)
        watches[i].len = 0;
    return rc;
}

int watch_set(vaddr_t address, unsigned int len, enum watch_kind kind,
              watch_fn_t *fn, void *arg)
{
    const struct watch w = {
        .address = address,
        .len = len,
        .kind = kind,
        .fn = fn,
        .arg = arg,
    };
    unsigned int i;
    int rc = -ENOSPC;

    if (!is_allowed(address, len, kind))
        return -EINVAL;
    spin_lock(&lock);
    for (i = 0; i < WATCH_SLOTS && watches[i].len != 0; i++)
        ;
    if (i < WATCH_SLOTS)
        rc = set_slot(i, &w);
    spin_unlock(&lock);
    return rc == 0 ? (int)i : rc;
}

int watch_clear(int slot)
{
    int rc = -ENOENT;

    if (slot < 0 || slot >= (int)WATCH_SLOTS)
        return -EINVAL;
    spin_lock(&lock);
    if (watches[slot].len != 0) {
        watches[slot].len = 0;
        rc = hypercall_set_debugreg(DR7, control());
    }
    spin_unlock(&lock);
    return rc;
}

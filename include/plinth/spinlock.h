/* SPDX-License-Identifier: MIT */
/*
 * spinlock: one vCPU at a time.
 *
 * For state that vCPUs share and hold for a short while.  Who holds one is not
 * preempted and does not sleep.  No event handler takes a lock that threads take
 * with these.
 *
 *   owns     nothing; a lock is part of what it guards
 *   context  threads and boot
 *   failure  none.  In debug builds a vCPU that takes a lock it holds, or lets go
 *            of one it does not hold, is a panic
 *
 * Order, from the outer to the inner: grants, space, vmap, heap, page allocator,
 * list of spaces.  The balloon's is held with none of them.  The queue of
 * page-table changes (plinth/mmu.h) is per vCPU.
 */
#pragma once

#include <arch/vcpu.h>
#include <plinth/bug.h>

struct spinlock {
    uint32_t holder; /* vcpu_id() + 1, or 0 */
};

/* With one vCPU nobody else can hold it, and not to be preempted is enough. */
static inline void spin_lock(struct spinlock *lock)
{
    const uint32_t me = vcpu_id() + 1;

    preempt_disable();
    ASSERT(lock->holder != me);
    while (MAX_VCPUS > 1 &&
           __sync_val_compare_and_swap(&lock->holder, 0, me) != 0)
        cpu_relax();
    if (MAX_VCPUS == 1 && CONFIG_DEBUG)
        lock->holder = me;
}

static inline void spin_unlock(struct spinlock *lock)
{
    ASSERT(lock->holder == vcpu_id() + 1);
    if (MAX_VCPUS > 1 || CONFIG_DEBUG)
        __atomic_store_n(&lock->holder, 0, __ATOMIC_RELEASE);
    preempt_enable();
}

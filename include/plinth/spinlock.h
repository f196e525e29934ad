/* SPDX-License-Identifier: MIT */
/*
 * spinlock: one vCPU at a time.
 *
 * For state that vCPUs share and hold for a short while.  Who holds one is not
 * preempted and does not sleep.
 *
 * Event handlers take only locks that everybody takes by spin_lock_events(),
 * which masks the events of this vCPU meanwhile: otherwise a handler could wait
 * for the very code it has interrupted.
 *
 *   owns     nothing; a lock is part of what it guards
 *   context  threads and boot; spin_lock_events() event handlers too
 *   failure  none.  In debug builds a vCPU that takes a lock it holds, or lets go
 *            of one it does not hold, is a panic
 *
 * Order, from the outer to the inner: grants, space, vmap, heap, page allocator,
 * list of spaces.  The balloon's and that of kept stacks are taken with none of
 * them.  Those of events: event ports, over the page allocator; wait queues, over
 * run queues, over timers; list of threads, over wait queues and the console, over
 * nothing.  The queue of page-table changes (plinth/mmu.h) is per vCPU.
 */
#pragma once

#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/upcall.h>

struct spinlock {
    uint32_t holder; /* vcpu_id() + 1, or 0 */
};

/* With one vCPU nobody else can hold it, and not to be interrupted is enough. */
static inline void spin_acquire(struct spinlock *lock)
{
    const uint32_t me = vcpu_id() + 1;

    ASSERT(lock->holder != me);
    while (MAX_VCPUS > 1 &&
           __sync_val_compare_and_swap(&lock->holder, 0, me) != 0)
        cpu_relax();
    if (MAX_VCPUS == 1 && CONFIG_DEBUG)
        lock->holder = me;
}

static inline void spin_lock(struct spinlock *lock)
{
    ASSERT(!this_vcpu()->in_event);
    preempt_disable();
    spin_acquire(lock);
}

static inline void spin_release(struct spinlock *lock)
{
    ASSERT(lock->holder == vcpu_id() + 1);
    if (MAX_VCPUS > 1 || CONFIG_DEBUG)
        __atomic_store_n(&lock->holder, 0, __ATOMIC_RELEASE);
}

static inline void spin_unlock(struct spinlock *lock)
{
    spin_release(lock);
    preempt_enable();
}

/* Returns what spin_unlock_events() wants to know: were events masked? */
static inline bool spin_lock_events(struct spinlock *lock)
{
    const bool masked = upcall_mask();

    spin_acquire(lock);
    return masked;
}

static inline void spin_unlock_events(struct spinlock *lock, bool masked)
{
    spin_release(lock);
    upcall_restore(masked);
}

/*
 * With upcalls masked, as in a handler: take a lock that is not one of events,
 * unless somebody has it, or the code interrupted here may.  Let go by
 * spin_release().
 */
static inline bool spin_try_acquire(struct spinlock *lock)
{
    const uint32_t me = vcpu_id() + 1;

    if (preempt_is_off() || (MAX_VCPUS > 1 && __sync_val_compare_and_swap(
                                                  &lock->holder, 0, me) != 0))
        return false;
    if (MAX_VCPUS == 1 && CONFIG_DEBUG)
        lock->holder = me;
    return true;
}

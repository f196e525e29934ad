/* SPDX-License-Identifier: MIT */
/*
 * sync: threads that wait for each other.
 *
 *   mutex       one thread at a time, in the order of their asking
 *   semaphore   a number of permits
 *   condition   wait, with a mutex let go, until told to look again
 *   completion  wait until something is over; it stays so
 *   wait queue  what the others are made of
 *
 * All of them are zero when new, but a semaphore with permits and a completion
 * of a finished thing.  Who is woken has what it waited for: nobody can take it
 * away on the way.
 *
 *   units    deadlines in nanoseconds of ktime, KTIME_NEVER for none
 *   owns     the caller's memory; nobody may wait on it when it goes
 *   context  waiting, and mutexes: threads.  semaphore_up(), semaphore_trydown(),
 *            condition_signal(), condition_broadcast(), complete(),
 *            wait_queue_wake(): any
 *   failure  -ETIMEDOUT when the deadline has come: nothing was taken.
 *            -EBUSY of the try functions.  Misuse - to unlock what another thread
 *            holds, to lock what one holds oneself, or where one may not wait - is
 *            a panic that names who and what, in debug builds
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/spinlock.h>
#include <plinth/time.h>

struct thread;

struct thread_link {
    struct thread_link *next, *prev;
};

struct thread_list {
    struct thread_link *first, *last;
};

struct wait_queue {
    struct spinlock lock;
    struct thread_list waiters;
};

/*
 * Sleep on @queue, which the caller has locked by spin_lock_events(); it is
 * locked again on return.  0: woken by wait_queue_wake().
 */
int __must_check wait_queue_sleep(struct wait_queue *queue, uint64_t deadline);

/* Wake the thread that has waited longest; NULL if there is none.  Locked. */
struct thread *wait_queue_wake(struct wait_queue *queue);

struct mutex {
    struct wait_queue queue;
    uintptr_t word; /* who holds it; kernel/sync.c */
};

void mutex_lock(struct mutex *mutex);
int __must_check mutex_lock_until(struct mutex *mutex, uint64_t deadline);
int __must_check mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
bool mutex_is_mine(const struct mutex *mutex);

struct semaphore {
    struct wait_queue queue;
    uint64_t permits;
};

void semaphore_init(struct semaphore *semaphore, uint64_t permits);
int __must_check semaphore_down(struct semaphore *semaphore, uint64_t deadline);
int __must_check semaphore_trydown(struct semaphore *semaphore);
void semaphore_up(struct semaphore *semaphore);

struct condition {
    struct wait_queue queue;
};

/*
 * Let go of @mutex and wait, in one step; @mutex is held again on return, in any
 * case.  There are no wake-ups without a cause, but what was waited for may have
 * been undone by others, so look again.
 */
int __must_check condition_wait(struct condition *condition,
                                struct mutex *mutex, uint64_t deadline);
void condition_signal(struct condition *condition);
void condition_broadcast(struct condition *condition);

struct completion {
    struct wait_queue queue;
    bool done;
};

int __must_check completion_wait(struct completion *completion,
                                 uint64_t deadline);
void complete(struct completion *completion);

/* As when it was new.  Nobody waits on it. */
void completion_reset(struct completion *completion);

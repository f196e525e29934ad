/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/config.h>
#include <plinth/errno.h>
#include <plinth/upcall.h>

#include "sched.h"

/*
 * Wait queues.  A thread that is woken by the queue has been taken out of it
 * under its lock; one that finds itself still in there was woken by its timer.
 */
int wait_queue_sleep(struct wait_queue *queue, uint64_t deadline)
{
    struct thread *me = current_thread();
    int rc = 0;

    me->queue = queue;
    thread_list_push(&queue->waiters, &me->waiting);
    while (me->queue != NULL) {
        if (deadline != KTIME_NEVER && ktime_ns() >= deadline) {
            thread_list_remove(&queue->waiters, &me->waiting);
            me->queue = NULL;
            rc = -ETIMEDOUT;
            break;
        }
        if (deadline != KTIME_NEVER)
            timer_arm(&me->timer, deadline);
        sched_park(&queue->lock);
        spin_acquire(&queue->lock);
    }
    if (deadline != KTIME_NEVER)
        (void)timer_cancel(&me->timer);
    return rc;
}

struct thread *wait_queue_wake(struct wait_queue *queue)
{
    struct thread_link *link = queue->waiters.first;
    struct thread *thread;

    if (link == NULL)
        return NULL;
    thread = container_of(link, struct thread, waiting);
    thread_list_remove(&queue->waiters, link);
    thread->queue = NULL;
    sched_wake(thread);
    return thread;
}

/*
 * Mutexes.  The word is the owner, and whether others may wait; without that it
 * changes by one instruction, and else under the queue's lock.  The next owner is
 * named by the former one, so nobody overtakes.
 */
#define WAITED_FOR 1ul

static uintptr_t mutex_word(const struct mutex *mutex)
{
    return __atomic_load_n(&mutex->word, __ATOMIC_RELAXED);
}

static struct thread *owner_of(const struct mutex *mutex)
{
    return (struct thread *)(mutex_word(mutex) & ~WAITED_FOR);
}

static bool change(struct mutex *mutex, uintptr_t from, uintptr_t to)
{
    return __atomic_compare_exchange_n(&mutex->word, &from, to, false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Not where one may not wait, even if there is nothing to wait for now. */
static bool take(struct mutex *mutex)
{
    ASSERT(thread_may_wait());
    return change(mutex, 0, (uintptr_t)current_thread());
}

bool mutex_is_mine(const struct mutex *mutex)
{
    return owner_of(mutex) == current_thread();
}

/* Locked, so only the owner changes the word meanwhile, and only to 0. */
static int lock_slowly(struct mutex *mutex, uint64_t deadline)
{
    const uintptr_t me = (uintptr_t)current_thread();

    for (;;) {
        const uintptr_t word = mutex_word(mutex);

        if (word == 0 && change(mutex, 0, me))
            return 0;
        if (word != 0 && change(mutex, word, word | WAITED_FOR))
            return wait_queue_sleep(&mutex->queue, deadline);
    }
}

int mutex_lock_until(struct mutex *mutex, uint64_t deadline)
{
    struct thread *me = current_thread();
    bool masked;
    int rc;

    if (likely(take(mutex)))
        return 0;
    if (CONFIG_DEBUG && unlikely(owner_of(mutex) == me))
        panic("mutex %p: thread \"%s\" holds it already", mutex, me->name);
    masked = spin_lock_events(&mutex->queue.lock);
    rc = lock_slowly(mutex, deadline);
    spin_unlock_events(&mutex->queue.lock, masked);
    return rc;
}

void mutex_lock(struct mutex *mutex)
{
    if (unlikely(!take(mutex)))
        BUG_ON(mutex_lock_until(mutex, KTIME_NEVER) != 0);
}

int mutex_trylock(struct mutex *mutex)
{
    return take(mutex) ? 0 : -EBUSY;
}

/* Somebody waits, or has waited. */
static void __noinline release_slowly(struct mutex *mutex)
{
    const bool masked = spin_lock_events(&mutex->queue.lock);
    struct thread *next;

    next = wait_queue_wake(&mutex->queue);
    __atomic_store_n(&mutex->word, next ? (uintptr_t)next | WAITED_FOR : 0,
                     __ATOMIC_RELEASE);
    spin_unlock_events(&mutex->queue.lock, masked);
}

static void check_owner(const struct mutex *mutex)
{
    const struct thread *owner = owner_of(mutex);

    if (unlikely(owner != current_thread()))
        panic("mutex %p: thread \"%s\" unlocks what %s%s%s holds", mutex,
              current_thread()->name, owner ? "\"" : "nobody",
              owner ? owner->name : "", owner ? "\"" : "");
}

void mutex_unlock(struct mutex *mutex)
{
    if (CONFIG_DEBUG)
        check_owner(mutex);
    if (unlikely(!change(mutex, (uintptr_t)current_thread(), 0)))
        release_slowly(mutex);
}

/*
 * Semaphores.
 */
void semaphore_init(struct semaphore *semaphore, uint64_t permits)
{
    *semaphore = (struct semaphore){ .permits = permits };
}

int semaphore_down(struct semaphore *semaphore, uint64_t deadline)
{
    const bool masked = spin_lock_events(&semaphore->queue.lock);
    int rc = 0;

    if (semaphore->permits > 0)
        semaphore->permits--;
    else
        rc = wait_queue_sleep(&semaphore->queue, deadline);
    spin_unlock_events(&semaphore->queue.lock, masked);
    return rc;
}

int semaphore_trydown(struct semaphore *semaphore)
{
    const bool masked = spin_lock_events(&semaphore->queue.lock);
    const int rc = semaphore->permits > 0 ? 0 : -EBUSY;

    if (rc == 0)
        semaphore->permits--;
    spin_unlock_events(&semaphore->queue.lock, masked);
    return rc;
}

void semaphore_up(struct semaphore *semaphore)
{
    const bool masked = spin_lock_events(&semaphore->queue.lock);

    if (wait_queue_wake(&semaphore->queue) == NULL)
        semaphore->permits++;
    spin_unlock_events(&semaphore->queue.lock, masked);
}

/*
 * Conditions.
 */
int condition_wait(struct condition *condition, struct mutex *mutex,
                   uint64_t deadline)
{
    bool masked;
    int rc;

    masked = spin_lock_events(&condition->queue.lock);
    mutex_unlock(mutex);
    rc = wait_queue_sleep(&condition->queue, deadline);
    spin_unlock_events(&condition->queue.lock, masked);
    mutex_lock(mutex);
    return rc;
}

void condition_signal(struct condition *condition)
{
    const bool masked = spin_lock_events(&condition->queue.lock);

    (void)wait_queue_wake(&condition->queue);
    spin_unlock_events(&condition->queue.lock, masked);
}

void condition_broadcast(struct condition *condition)
{
    const bool masked = spin_lock_events(&condition->queue.lock);

    while (wait_queue_wake(&condition->queue) != NULL)
        ;
    spin_unlock_events(&condition->queue.lock, masked);
}

/*
 * Completions.
 */
int completion_wait(struct completion *completion, uint64_t deadline)
{
    const bool masked = spin_lock_events(&completion->queue.lock);
    int rc = 0;

    if (!completion->done)
        rc = wait_queue_sleep(&completion->queue, deadline);
    spin_unlock_events(&completion->queue.lock, masked);
    return rc;
}

void complete(struct completion *completion)
{
    const bool masked = spin_lock_events(&completion->queue.lock);

    completion->done = true;
    while (wait_queue_wake(&completion->queue) != NULL)
        ;
    spin_unlock_events(&completion->queue.lock, masked);
}

void completion_reset(struct completion *completion)
{
    *completion = (struct completion){ 0 };
}

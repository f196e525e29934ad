/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/fpu.h>
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/hypercall.h>
#include <plinth/idle.h>
#include <plinth/segments.h>
#include <plinth/shared_info.h>
#include <plinth/upcall.h>

#include "sched.h"

_Static_assert(offsetof(struct thread, rsp) == 0x00, "as in switch.S");
_Static_assert(offsetof(struct thread, stack_limit) == 0x08, "as in switch.S");

struct runq runqs[MAX_VCPUS];

struct thread *thread_current(void)
{
    return current_thread();
}

bool thread_may_wait(void)
{
    const struct runq *rq = this_runq();

    return rq->current != rq->idle && !this_vcpu()->in_event &&
           !upcall_masked() && !preempt_is_off();
}

/*
 * Lists of threads.
 */
void thread_list_push(struct thread_list *list, struct thread_link *link)
{
    link->next = NULL;
    link->prev = list->last;
    if (list->last != NULL)
        list->last->next = link;
    else
        list->first = link;
    list->last = link;
}

void thread_list_remove(struct thread_list *list, struct thread_link *link)
{
    if (link->prev != NULL)
        link->prev->next = link->next;
    else
        list->first = link->next;
    if (link->next != NULL)
        link->next->prev = link->prev;
    else
        list->last = link->prev;
}

/*
 * Ready threads.
 */
static void make_ready(struct runq *rq, struct thread *thread)
{
    thread->state = THREAD_READY;
    if (thread == rq->idle)
        return;
    thread_list_push(&rq->queues[thread->priority], &thread->ready);
    rq->ready |= 1u << thread->priority;
}

static void unready(struct runq *rq, struct thread *thread)
{
    struct thread_list *queue = &rq->queues[thread->priority];

    thread_list_remove(queue, &thread->ready);
    if (queue->first == NULL)
        rq->ready &= ~(1u << thread->priority);
}

/* The idle thread is ready always, and last. */
static struct thread *take_next(struct runq *rq)
{
    struct thread *thread = rq->idle;

    if (rq->ready != 0) {
        thread = container_of(rq->queues[31 - __builtin_clz(rq->ready)].first,
                              struct thread, ready);
        unready(rq, thread);
    }
    return thread;
}

/* Is a thread ready that @thread would have to let pass, or take turns with? */
static bool has_rival(const struct runq *rq, const struct thread *thread)
{
    return thread == rq->idle || rq->ready >> thread->priority != 0;
}

static bool is_preemptible(const struct runq *rq, const struct thread *thread)
{
    return thread == rq->idle || thread->flags & THREAD_PREEMPTIVE;
}

/*
 * Time slices: only while somebody waits for the CPU.
 */
static void slice_over(struct timer *timer __unused, void *arg __unused)
{
    preempt_request();
}

static void arm_slice(struct runq *rq)
{
    const bool wanted = rq->current != rq->idle &&
                        is_preemptible(rq, rq->current) &&
                        has_rival(rq, rq->current);

    if (wanted && !timer_armed(&rq->slice))
        timer_arm(&rq->slice, ktime_ns() + THREAD_SLICE_NS);
}

/* A thread of @priority has become ready. */
static void notice_rival(struct runq *rq, unsigned int priority)
{
    if (!is_preemptible(rq, rq->current))
        return;
    if (rq->current == rq->idle || priority > rq->current->priority)
        preempt_request();
    else
        arm_slice(rq);
}

/*
 * Switching.
 */

/* In the thread that runs now.  The lock goes, which the former one took. */
static void finish_switch(struct thread *previous)
{
    struct runq *rq = this_runq();
    const struct thread *me = rq->current;

    spin_release(&rq->lock);
    this_vcpu()->catch = me->catch;
    if (me->fpu != NULL)
        fpu_restore(me->fpu);
    if ((me->fs_base | previous->fs_base) != 0)
        segment_base_for_thread(me->fs_base);
    if (previous->state == THREAD_EXITED)
        thread_gone(previous);
}

/*
 * The state of the running thread says what becomes of it.  Locked and masked;
 * not locked on return.
 */
static void switch_to_next(struct runq *rq)
{
    struct thread *me = rq->current, *next = take_next(rq);

    next->state = THREAD_RUNNING;
    preempt_request_done();
    if (timer_armed(&rq->slice))
        (void)timer_cancel(&rq->slice);
    rq->current = next;
    arm_slice(rq);
    if (next == me) {
        spin_release(&rq->lock);
        return;
    }
    rq->stats.switches++;
    me->catch = this_vcpu()->catch;
    if (me->fpu != NULL)
        fpu_save(me->fpu);
    finish_switch(switch_context(me, next));
}

static void assert_may_wait(const struct runq *rq)
{
    ASSERT(upcall_masked());
    ASSERT(!this_vcpu()->in_event);
    ASSERT(!preempt_is_off());
    ASSERT(rq->current != rq->idle);
}

void sched_park(struct spinlock *held)
{
    struct runq *rq = this_runq();

    assert_may_wait(rq);
    spin_acquire(&rq->lock);
    rq->current->state = THREAD_BLOCKED;
    if (held != NULL)
        spin_release(held);
    switch_to_next(rq);
}

void sched_exit(void)
{
    struct runq *rq = this_runq();

    assert_may_wait(rq);
    spin_acquire(&rq->lock);
    rq->current->state = THREAD_EXITED;
    switch_to_next(rq);
    panic("thread \"%s\" runs after its end", rq->current->name);
}

/* Others first, from here on @priority. */
static void step_back(struct runq *rq)
{
    spin_acquire(&rq->lock);
    if (has_rival(rq, rq->current)) {
        make_ready(rq, rq->current);
        switch_to_next(rq);
    } else {
        preempt_request_done();
        spin_release(&rq->lock);
    }
}

void thread_yield(void)
{
    const bool masked = upcall_mask();
    struct runq *rq = this_runq();

    assert_may_wait(rq);
    step_back(rq);
    upcall_restore(masked);
}

void sched_wake(struct thread *thread)
{
    struct runq *rq = &runqs[thread->vcpu];
    const bool masked = spin_lock_events(&rq->lock);

    if (thread->state == THREAD_BLOCKED) {
        make_ready(rq, thread);
        notice_rival(rq, thread->priority);
    }
    spin_unlock_events(&rq->lock, masked);
}

/*
 * Preemption.
 */

/* The last reason not to has gone, and a switch was asked for. */
void preempt_now(void)
{
    bool masked;

    /* Counted, so that what follows does not come here again. */
    preempt_disable();
    masked = upcall_mask();
    preempt_enable_quietly();
    /* If so, the end of the upcall, or of the masking, comes here again. */
    if (masked)
        return;
    this_runq()->stats.preemptions++;
    step_back(this_runq());
    upcall_unmask();
}

void sched_upcall_end(void);

/*
 * The end of an upcall, on the stack of the interrupted thread, masked.  What a
 * fault has left in CR2 may not have been looked at yet.
 */
void sched_upcall_end(void)
{
    struct runq *rq = this_runq();

    if (preempt_wanted()) {
        const uint64_t cr2 = shared_info_cr2();

        rq->stats.preemptions++;
        step_back(rq);
        shared_info_set_cr2(cr2);
    }
}

/*
 * Beginning.
 */
void sched_init(struct thread *me, struct thread *idle)
{
    struct runq *rq = this_runq();

    me->state = THREAD_RUNNING;
    me->vcpu = vcpu_id();
    idle->state = THREAD_READY;
    idle->vcpu = vcpu_id();
    rq->idle = idle;
    rq->current = me;
    timer_setup(&rq->slice, slice_over, NULL);
}

void sched_start(struct thread *thread)
{
    thread->vcpu = vcpu_id();
    thread->state = THREAD_BLOCKED;
    sched_wake(thread);
}

void sched_begin(struct thread *previous)
{
    finish_switch(previous);
    upcall_unmask();
}

int sched_idle(void *arg __unused)
{
    struct runq *rq = this_runq();

    for (;;) {
        (void)upcall_mask();
        if (rq->ready != 0)
            step_back(rq);
        else
            idle_until_event();
        upcall_unmask();
        thread_reap();
    }
}

int thread_set_priority(struct thread *thread, unsigned int priority)
{
    struct runq *rq = &runqs[thread->vcpu];
    bool masked;

    if (priority >= THREAD_PRIORITIES)
        return -EINVAL;
    masked = spin_lock_events(&rq->lock);
    if (thread->state == THREAD_READY && thread != rq->idle) {
        unready(rq, thread);
        thread->priority = priority;
        make_ready(rq, thread);
    } else {
        thread->priority = priority;
    }
    if (rq->ready != 0)
        notice_rival(rq, 31 - __builtin_clz(rq->ready));
    spin_unlock_events(&rq->lock, masked);
    return 0;
}

struct thread_stats sched_stats(void)
{
    return this_runq()->stats;
}

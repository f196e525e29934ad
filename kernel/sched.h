/* SPDX-License-Identifier: MIT */
/*
 * sched: which thread runs.  What thread.c and sync.c need of each other.
 *
 *   context  as stated; "masked" means that upcalls are
 */
#pragma once

#include <plinth/page.h>
#include <plinth/sync.h>
#include <plinth/thread.h>
#include <plinth/timer.h>
#include <plinth/trap.h>

enum thread_state {
    THREAD_RUNNING,
    THREAD_READY,
    THREAD_BLOCKED,
    THREAD_EXITED
};

struct thread {
    uintptr_t rsp;         /* while another one runs; switch.S knows.. */
    uintptr_t stack_limit; /* ..these two */

    /*
     * A thread that its timer has woken is ready, and still in the wait queue
     * until it has run.
     */
    struct thread_link ready;   /* in a run queue */
    struct thread_link waiting; /* in a wait queue.. */
    struct wait_queue *queue;   /* ..this one */
    enum thread_state state;
    unsigned int priority, flags, vcpu;
    struct timer timer; /* of a wait's deadline */

    void *fpu; /* registers, while another one runs; NULL: it has none */
    uint64_t fs_base;
    struct trap_catch *catch;

    thread_fn_t *fn;
    void *arg;
    int result;
    bool joined; /* or detached, or somebody is about to */
    bool over;   /* and off its stack */
    struct completion exited;

    struct stack stack;
    struct page_list pages; /* of the stack */
    bool image_stack;       /* then @stack is a copy, and there are none */
    void *tls;
    struct thread *all_next;  /* of all threads */
    struct thread *dead_next; /* of those to be freed */
    char name[24];
};

/*
 * Of each vCPU.  Held from the choice of the next thread until that one runs
 * and the former is off its stack; masked, because handlers wake threads.
 */
struct runq {
    struct spinlock lock;
    uint32_t ready; /* a bit for each priority that has threads */
    struct thread *current;
    struct thread *idle;
    struct thread_list queues[THREAD_PRIORITIES];
    struct timer slice;
    struct thread_stats stats;
};
extern struct runq runqs[MAX_VCPUS];

static inline struct runq *this_runq(void)
{
    return &runqs[vcpu_id()];
}

static inline struct thread *current_thread(void)
{
    return this_runq()->current;
}

void thread_list_push(struct thread_list *list, struct thread_link *link);
void thread_list_remove(struct thread_list *list, struct thread_link *link);

/*
 * The running thread waits: it lets go of @held, if not NULL, and the next one
 * runs.  Comes back when the thread was woken.  Masked.
 */
void sched_park(struct spinlock *held);

/* @thread is ready, if it was parked.  Any context. */
void sched_wake(struct thread *thread);

/* The running thread has ended.  Masked. */
void __noreturn sched_exit(void);

/* What runs now is @me; @idle is this vCPU's, and has not run yet. */
void sched_init(struct thread *me, struct thread *idle);

/* What the idle thread does: gives the vCPU to the others. */
int __noreturn sched_idle(void *arg);

/* A new thread, whose stack is prepared. */
void sched_start(struct thread *thread);

/* The first thing that a thread does. */
void sched_begin(struct thread *previous);

struct thread_stats sched_stats(void);

/* A thread that has ended is off its stack.  Masked. */
void thread_gone(struct thread *thread);

/* Free detached threads that have ended.  Threads, also the idle one. */
void thread_reap(void);

/*
 * Give @thread a stack of @size bytes, 0: THREAD_STACK_SIZE; and take it back, also
 * where that was refused.  Those of the usual size may be kept for the next threads;
 * thread_stacks_kept() are.
 */
int __must_check thread_stack_make(struct thread *thread, size_t size);
void thread_stack_free(struct thread *thread);
unsigned int thread_stacks_kept(void);

/* Lay out the stack of a new thread so that switching to it calls thread_main. */
void switch_prepare(struct thread *thread);

/* Where @thread is, which does not run. */
void switch_backtrace(const struct thread *thread);

/* Returns, to whom @next was when it last called this, whom it was. */
struct thread *switch_context(struct thread *previous, struct thread *next);

/* Called by switch.S; never returns. */
void __noreturn thread_main(struct thread *previous);

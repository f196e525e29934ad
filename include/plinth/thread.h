/* SPDX-License-Identifier: MIT */
/*
 * thread: several activities, each with a stack of its own.
 *
 * A thread runs until it waits, sleeps, yields or ends; then the next one of the
 * highest priority that is ready runs, those of one priority in turn.  Choosing
 * takes the same time however many there are.
 *
 * A thread made with THREAD_PREEMPTIVE can be interrupted as well: by a thread
 * of higher priority that becomes ready, and by one of its own priority after
 * THREAD_SLICE_NS.  All other threads give the CPU away only by themselves.
 *
 * Each thread has its own x87, SSE and AVX registers, FS base (`__thread`
 * variables), and armed trap_catch.  The kernel's own code uses no vector
 * registers.
 *
 *   units    nanoseconds of ktime; KTIME_NEVER: for ever
 *   owns     a thread's memory is the scheduler's.  It is freed by the join, or
 *            when a detached thread ends
 *   context  threads, not with a spinlock held and not with upcalls masked.
 *            thread_current(): any, after thread_init()
 *   failure  -ENOMEM; -EINVAL for a bad argument; others as stated.  To wait
 *            where that is not allowed is a panic in debug builds
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/stack.h>
#include <plinth/time.h>

#define THREAD_PRIORITIES 8u /* 0 to 7; the higher one runs first */
#define THREAD_NORMAL     3u

#define THREAD_STACK_SIZE 16384u
#define THREAD_SLICE_NS   (10 * NSEC_PER_MSEC)

/* Flags of a thread. */
#define THREAD_PREEMPTIVE 1u
#define THREAD_DETACHED   2u
#define THREAD_NO_FPU     4u /* uses no vector registers: saves their memory */

struct thread;
typedef int thread_fn_t(void *arg);

struct thread_options {
    unsigned int flags;
    unsigned int priority; /* 0, if nothing is set, is the lowest */
    size_t stack_size;     /* in bytes; 0: THREAD_STACK_SIZE */

    /* Instead: one of the image's (DEFINE_STACK), which no other thread has. */
    const struct stack *stack;
};

/*
 * What runs now, on the main stack, becomes the thread "main"; and this vCPU has
 * an idle thread, which runs when no other is ready.
 */
void thread_init(void);

/*
 * A thread that calls @fn(@arg), and ends with what that returns.  @options
 * NULL: none of the flags, THREAD_NORMAL.  @thread may be NULL if it is
 * detached.  @name is copied, as far as it fits.
 */
int __must_check thread_create(const char *name, thread_fn_t *fn, void *arg,
                               const struct thread_options *options,
                               struct thread **thread);

/* End the calling thread; @result is for who joins it. */
void __noreturn thread_exit(int result);

/*
 * Wait for the end of @thread, which is then gone, and tell its result.
 * -ETIMEDOUT at @deadline, and it is still there; -EDEADLK for the caller
 * itself; -EINVAL if it is detached or another one joins it.
 */
int __must_check thread_join(struct thread *thread, uint64_t deadline,
                             int *result);

/* Nobody will join @thread; -EINVAL if it is so already, or somebody does. */
int __must_check thread_detach(struct thread *thread);

/* Let others of the same or a higher priority run, if any is ready. */
void thread_yield(void);

/* Not before @deadline, or @ns from now, but maybe some time later. */
void thread_sleep_until(uint64_t deadline);
void thread_sleep(uint64_t ns);

struct thread *thread_current(void);

/*
 * Is this a context in which one may wait?  For what is called from others as
 * well.  Any context.
 */
bool thread_may_wait(void);

/* The thread's own memory. */
const char *thread_name(const struct thread *thread);

/* Setting it takes effect at once.  -EINVAL for THREAD_PRIORITIES and above. */
unsigned int thread_priority(const struct thread *thread);
int __must_check thread_set_priority(struct thread *thread,
                                     unsigned int priority);

/*
 * Print the state of each thread and where it is, for the @max newest ones, and
 * how many more there are.  Any context; events are masked meanwhile.
 */
void thread_report(unsigned int max);

struct thread_stats {
    uint64_t threads;  /* there are now, idle ones apart */
    uint64_t switches; /* from one to another */
    uint64_t preemptions;
    uint64_t kept_stacks; /* of threads that have ended, for the next ones */
};
struct thread_stats thread_stats(void);

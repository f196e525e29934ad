/* SPDX-License-Identifier: MIT */
#include <arch/fpu.h>
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/printk.h>
#include <plinth/segments.h>
#include <plinth/string.h>
#include <plinth/upcall.h>

#include "sched.h"

/* All threads, newest first; and those that are to be freed. */
static struct spinlock list_lock;
static struct thread *all, *dead;
static uint64_t nr_threads;

/* An event handler walks the list, too: the debug report. */
static bool lock_list(void)
{
    return spin_lock_events(&list_lock);
}

static void unlock_list(bool masked)
{
    spin_unlock_events(&list_lock, masked);
}

static struct thread idle[MAX_VCPUS];
DEFINE_STACK(idle_stack, "idle", 4); /* vCPU 0's */

/*
 * `__thread` variables (linker.ld): the block ends where FS points, at a word
 * that holds its own address (System V ABI, x86-64: TLS variant II).
 */
extern const uint8_t _tls_image[], _tls_image_end[];
extern const uint8_t _tls_size[], _tls_align[]; /* numbers, not addresses */

static int make_tls(struct thread *t)
{
    const size_t align = MAX((size_t)(uintptr_t)_tls_align, 16ul);
    const size_t size = ALIGN_UP((size_t)(uintptr_t)_tls_size, align);
    const size_t given = _tls_image_end - _tls_image;
    uint8_t *block;

    if (size == 0)
        return 0;
    block = aligned_alloc(align, size + sizeof(uint64_t));
    if (block == NULL)
        return -ENOMEM;
    memset(block, 0, size);
    memcpy(block, _tls_image, given);
    t->tls = block;
    t->fs_base = (uintptr_t)block + size;
    *(uint64_t *)t->fs_base = t->fs_base;
    return 0;
}

static void alarm(struct timer *timer, void *arg);

/*
 * Life.
 */
static void free_thread(struct thread *t)
{
    if (!t->image_stack)
        thread_stack_free(t);
    fpu_free(t->fpu);
    free(t->tls);
    free(t);
}

static int make_parts(struct thread *t, const struct thread_options *o)
{
    int rc = 0;

    t->image_stack = o->stack != NULL;
    if (t->image_stack)
        t->stack = *o->stack;
    else
        rc = thread_stack_make(t, o->stack_size);
    t->stack_limit = stack_limit_of(&t->stack);
    if (rc == 0)
        rc = make_tls(t);
    if (rc == 0 && !(o->flags & THREAD_NO_FPU)) {
        t->fpu = fpu_alloc();
        rc = t->fpu != NULL ? 0 : -ENOMEM;
    }
    return rc;
}

/* A thread that is known, and does not run yet. */
static int make_thread(const char *name, thread_fn_t *fn, void *arg,
                       const struct thread_options *o, struct thread **thread)
{
    struct thread *t = calloc(1, sizeof(*t));
    bool masked;
    int rc;

    if (t == NULL)
        return -ENOMEM;
    strlcpy(t->name, name, sizeof(t->name));
    t->fn = fn;
    t->arg = arg;
    t->flags = o->flags;
    t->priority = o->priority;
    t->joined = o->flags & THREAD_DETACHED;
    timer_setup(&t->timer, alarm, t);
    rc = make_parts(t, o);
    if (rc != 0) {
        free_thread(t);
        return rc;
    }

    masked = lock_list();
    if (!t->image_stack)
        stack_register(&t->stack);
    t->all_next = all;
    all = t;
    nr_threads++;
    unlock_list(masked);
    *thread = t;
    return 0;
}

int thread_create(const char *name, thread_fn_t *fn, void *arg,
                  const struct thread_options *options, struct thread **thread)
{
    const struct thread_options normal = { .priority = THREAD_NORMAL };
    const struct thread_options *o = options ? options : &normal;
    struct thread *t;
    int rc;

    if (o->priority >= THREAD_PRIORITIES ||
        o->flags & ~(THREAD_PREEMPTIVE | THREAD_DETACHED | THREAD_NO_FPU) ||
        (thread == NULL && !(o->flags & THREAD_DETACHED)))
        return -EINVAL;
    thread_reap();
    rc = make_thread(name, fn, arg, o, &t);
    if (rc != 0)
        return rc;
    switch_prepare(t);
    if (thread != NULL)
        *thread = t;
    sched_start(t);
    return 0;
}

void thread_main(struct thread *previous)
{
    struct thread *me = thread_current();

    sched_begin(previous);
    thread_exit(me->fn(me->arg));
}

void thread_exit(int result)
{
    struct thread *me = thread_current();

    me->result = result;
    (void)upcall_mask();
    sched_exit();
}

/*
 * Ending.  What becomes of a thread is settled under the lock: who ends, joins
 * or detaches it finds what the others have said before.
 */
static void forget(struct thread *t)
{
    struct thread **link = &all;
    const bool masked = lock_list();

    if (!t->image_stack)
        stack_unregister(&t->stack);
    while (*link != t)
        link = &(*link)->all_next;
    *link = t->all_next;
    nr_threads--;
    unlock_list(masked);
    free_thread(t);
}

/* In the next thread, masked; so it can only be put where it is freed later. */
void thread_gone(struct thread *t)
{
    spin_acquire(&list_lock);
    t->over = true;
    if (t->flags & THREAD_DETACHED) {
        t->dead_next = dead;
        dead = t;
    } else {
        /* Still locked: or who finds it over frees it meanwhile. */
        complete(&t->exited);
    }
    spin_release(&list_lock);
}

void thread_reap(void)
{
    const bool masked = lock_list();
    struct thread *t = dead, *next;

    dead = NULL;
    unlock_list(masked);
    for (; t != NULL; t = next) {
        next = t->dead_next;
        forget(t);
    }
}

int thread_join(struct thread *t, uint64_t deadline, int *result)
{
    bool masked;
    int rc = 0;

    if (t == thread_current())
        return -EDEADLK;
    masked = lock_list();
    if (t->joined)
        rc = -EINVAL;
    t->joined = true;
    unlock_list(masked);
    if (rc != 0)
        return rc;

    rc = completion_wait(&t->exited, deadline);
    if (rc != 0) {
        masked = lock_list();
        t->joined = false;
        unlock_list(masked);
        return rc;
    }
    if (result != NULL)
        *result = t->result;
    forget(t);
    return 0;
}

int thread_detach(struct thread *t)
{
    const bool masked = lock_list();
    bool over;

    if (t->joined) {
        unlock_list(masked);
        return -EINVAL;
    }
    t->joined = true;
    t->flags |= THREAD_DETACHED;
    over = t->over;
    unlock_list(masked);
    if (over)
        forget(t);
    return 0;
}

/*
 * Sleeping.
 */
static void alarm(struct timer *timer __unused, void *arg)
{
    sched_wake(arg);
}

void thread_sleep_until(uint64_t deadline)
{
    struct thread *me = thread_current();
    const bool masked = upcall_mask();

    while (ktime_ns() < deadline) {
        if (deadline != KTIME_NEVER)
            timer_arm(&me->timer, deadline);
        sched_park(NULL);
    }
    upcall_restore(masked);
}

void thread_sleep(uint64_t ns)
{
    thread_sleep_until(ktime_after(ns));
}

/*
 * About threads.
 */
const char *thread_name(const struct thread *thread)
{
    return thread->name;
}

unsigned int thread_priority(const struct thread *thread)
{
    return thread->priority;
}

static void report_one(const struct thread *t)
{
    static const char *const states[] = {
        [THREAD_RUNNING] = "running",
        [THREAD_READY] = "ready",
        [THREAD_BLOCKED] = "waiting",
        [THREAD_EXITED] = "ended",
    };

    say("thread \"%s\": %s, priority %u%s\n", t->name, states[t->state],
        t->priority, t->flags & THREAD_PREEMPTIVE ? ", preemptive" : "");
    if (t->state == THREAD_READY || t->state == THREAD_BLOCKED)
        switch_backtrace(t);
}

void thread_report(unsigned int max)
{
    const bool masked = lock_list();
    unsigned int nr = 0;

    for (const struct thread *t = all; t != NULL; t = t->all_next)
        if (nr++ < max)
            report_one(t);
    if (nr > max)
        say("%u more threads\n", nr - max);
    for (unsigned int i = 0; i < MAX_VCPUS; i++)
        report_one(&idle[i]);
    unlock_list(masked);
}

struct thread_stats thread_stats(void)
{
    struct thread_stats stats = sched_stats();

    stats.threads = nr_threads;
    stats.kept_stacks = thread_stacks_kept();
    return stats;
}

static void init_idle(struct thread *t, const struct stack *stack)
{
    strlcpy(t->name, "idle", sizeof(t->name));
    t->fn = sched_idle;
    t->image_stack = true;
    t->stack = *stack;
    t->stack_limit = stack_limit_of(stack);
    switch_prepare(t);
    timer_setup(&t->timer, alarm, t);
}

void thread_init(void)
{
    static const struct thread_options o = {
        .flags = THREAD_DETACHED,
        .priority = THREAD_NORMAL,
        .stack = &main_stack,
    };
    struct thread *me;

    fpu_init();
    if (make_thread("main", NULL, NULL, &o, &me) != 0)
        panic("no memory for the main thread");
    init_idle(&idle[vcpu_id()], &idle_stack);
    sched_init(me, &idle[vcpu_id()]);
    if (me->fs_base != 0)
        segment_base_for_thread(me->fs_base);
}

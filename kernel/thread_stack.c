/* SPDX-License-Identifier: MIT */
/*
 * The stacks of threads: pages side by side, with one below and one above them
 * that are not there.
 */
#include <plinth/bug.h>
#include <plinth/config.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/page.h>
#include <plinth/spinlock.h>
#include <plinth/vmap.h>

#include "sched.h"

#define STACK_MAX (64 * PAGE_SIZE)

/*
 * Those of the usual size are kept for the next threads, as mapping and unmapping
 * costs more than all else of a thread.  They hold whatever was on them, as the
 * pages of a new one do.
 */
#define MAX_KEPT 2u

static struct {
    struct spinlock lock;
    unsigned int nr;
    struct kept_stack {
        uintptr_t start;
        struct page_list pages;
    } stacks[MAX_KEPT];
} kept;

/* What a debug build writes over them, to see who still does when they are used. */
#define POISON 0xdeadfee1deadfee1ul

static void poison(uintptr_t start)
{
    uint64_t *word = (uint64_t *)start;

    for (unsigned int i = 0; i < THREAD_STACK_SIZE / sizeof(*word); i++)
        word[i] = POISON;
}

static void check_poison(uintptr_t start)
{
    const uint64_t *word = (const uint64_t *)start;

    for (unsigned int i = 0; i < THREAD_STACK_SIZE / sizeof(*word); i++)
        if (word[i] != POISON)
            panic("thread: %p was written after the end of the thread whose "
                  "stack it was: %#lx",
                  word + i, word[i]);
}

static bool keep(const struct kept_stack *stack)
{
    bool room;

    if (CONFIG_DEBUG)
        poison(stack->start);
    spin_lock(&kept.lock);
    room = kept.nr < MAX_KEPT;
    if (room)
        kept.stacks[kept.nr++] = *stack;
    spin_unlock(&kept.lock);
    return room;
}

static bool take_kept(struct kept_stack *stack)
{
    bool any;

    spin_lock(&kept.lock);
    any = kept.nr > 0;
    if (any)
        *stack = kept.stacks[--kept.nr];
    spin_unlock(&kept.lock);
    if (CONFIG_DEBUG && any)
        check_poison(stack->start);
    return any;
}

static void free_pages(struct page_list *pages)
{
    void *page;

    while ((page = page_list_pop(pages)) != NULL)
        page_free(page, 0);
}

static bool give_back_kept(void)
{
    struct kept_stack stack;
    bool any = false;

    while (take_kept(&stack)) {
        vunmap((void *)stack.start, THREAD_STACK_SIZE / PAGE_SIZE);
        free_pages(&stack.pages);
        any = true;
    }
    return any;
}
PAGE_KEEPER(give_back_kept);

unsigned int thread_stacks_kept(void)
{
    return __atomic_load_n(&kept.nr, __ATOMIC_RELAXED);
}

static int map_new(struct thread *t, unsigned int nr)
{
    mfn_t frames[STACK_MAX / PAGE_SIZE];
    void *p;
    int rc;

    for (unsigned int i = 0; i < nr; i++) {
        void *page = page_alloc(0);

        if (page == NULL)
            return -ENOMEM;
        page_list_push(&t->pages, page);
        frames[i] = kaddr_mfn(page);
    }
    rc = vmap(frames, nr, MAP_RW, &p);
    if (rc == 0)
        t->stack.start = (uintptr_t)p;
    return rc;
}

int thread_stack_make(struct thread *t, size_t size)
{
    struct kept_stack stack;
    int rc = 0;

    size = size ? ALIGN_UP(size, PAGE_SIZE) : THREAD_STACK_SIZE;
    if (size < 2 * PAGE_SIZE || size > STACK_MAX)
        return -EINVAL;
    if (size == THREAD_STACK_SIZE && take_kept(&stack)) {
        t->stack.start = stack.start;
        t->pages = stack.pages;
    } else {
        rc = map_new(t, size / PAGE_SIZE);
    }
    t->stack.name = t->name;
    t->stack.end = t->stack.start + size;
    return rc;
}

void thread_stack_free(struct thread *t)
{
    const struct kept_stack stack = { t->stack.start, t->pages };
    const size_t size = t->stack.end - t->stack.start;

    if (stack.start != 0) {
        if (size == THREAD_STACK_SIZE && keep(&stack))
            return;
        vunmap((void *)stack.start, size / PAGE_SIZE);
    }
    free_pages(&t->pages);
}

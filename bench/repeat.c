/* SPDX-License-Identifier: MIT */
/*
 * One operation again and again, for a profile: QEMU's plugin (bench/hot.c) counts
 * what runs between the two marks.  By the name of its figure, where it has one.
 */
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/grant.h>
#include <plinth/heap.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/sync.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/trap.h>
#include <plinth/user.h>
#include <plinth/walk.h>

#include "../tests/bare.h"
#include "bench.h"

#define ROUNDS 100u
#define PAGES  512u

/* As in mapping.c: a page at KEEP keeps the tables of LIVE, the L2 of FRESH. */
#define KEEP  0xffffd00000000000ul
#define LIVE  (KEEP + PAGE_SIZE)
#define FRESH (KEEP + 2 * PAGES * PAGE_SIZE)

static void *block;
static mfn_t frames[PAGES];
static struct gnttab_map_grant_ref grants[PAGES];
static struct space space;

void __noinline bench_begin(void)
{
    barrier();
}

void __noinline bench_end(void)
{
    barrier();
}

static int map(uint64_t nr)
{
    return space_map(&kernel_space, _vaddr(nr == PAGES ? FRESH : LIVE), frames,
                     nr, MAP_RW);
}

static int unmap(uint64_t nr)
{
    return space_unmap(&kernel_space, _vaddr(nr == PAGES ? FRESH : LIVE), nr);
}

static int map_readonly(uint64_t nr)
{
    return space_map(&kernel_space, _vaddr(LIVE), frames, nr, MAP_R);
}

static int protect(uint64_t nr)
{
    return space_protect(&kernel_space, _vaddr(LIVE), nr, MAP_RW);
}

static int create(uint64_t nr __unused)
{
    return space_create(&space, SPACE_USER);
}

static int create_pinned(uint64_t nr)
{
    const int rc = create(nr);

    return rc ? rc : space_pin(&space);
}

static int change(uint64_t nr __unused)
{
    const int rc = space_switch(&space);

    return rc ? rc : space_switch(&kernel_space);
}

static int first_switch(uint64_t nr __unused)
{
    return space_switch(&space);
}

static int leave_and_destroy(uint64_t nr __unused)
{
    const int rc = space_switch(&kernel_space);

    return rc ? rc : space_destroy(&space);
}

static int destroy(uint64_t nr __unused)
{
    return space_destroy(&space);
}

/* @nr pages are granted to ourselves. */
static int give(uint64_t nr)
{
    const domid_t self = own_domid();
    int rc = 0;

    for (uint64_t i = 0; i < nr && rc == 0; i++) {
        rc = grant_access(self, pfn_add(kaddr_pfn(block), i), false,
                          &grants[i].ref);
        grants[i].dom = self;
        grants[i].flags = 0;
    }
    return rc;
}

static int take_back(uint64_t nr)
{
    int rc = 0;

    for (uint64_t i = 0; i < nr; i++)
        rc |= grant_end_access(grants[i].ref);
    return rc;
}

static int grants_map(uint64_t nr)
{
    void *p;

    return grant_map(grants, nr, &p);
}

static int grants_unmap(uint64_t nr)
{
    return grant_unmap(grants, nr);
}

static int give_and_map(uint64_t nr)
{
    const int rc = give(nr);

    return rc ? rc : grants_map(nr);
}

static int unmap_and_take_back(uint64_t nr)
{
    const int rc = grants_unmap(nr);

    return rc ? rc : take_back(nr);
}

static int yield_while(void *there)
{
    while (there)
        thread_yield();
    return 0;
}

static int make_other(uint64_t nr __unused)
{
    static struct thread *other;

    return other ? 0
                 : thread_create("other", yield_while, &other, NULL, &other);
}

static int yield(uint64_t nr __unused)
{
    thread_yield();
    return 0;
}

static int lock_unlock(uint64_t nr __unused)
{
    static struct mutex mutex;

    mutex_lock(&mutex);
    mutex_unlock(&mutex);
    return 0;
}

static int no_work(void *arg __unused)
{
    return 0;
}

static int thread(uint64_t nr __unused)
{
    struct thread *t;
    const int rc = thread_create("bench", no_work, NULL, NULL, &t);

    return rc ? rc : thread_join(t, ktime_ns() + 10 * NSEC_PER_SEC, NULL);
}

static int page(uint64_t nr __unused)
{
    page_free(page_alloc(0), 0);
    return 0;
}

static int bytes(uint64_t nr)
{
    free(malloc(nr));
    return 0;
}

static evtchn_port_t port;

static void no_handler(evtchn_port_t p __unused, void *arg __unused)
{
}

/* Far enough from the last one to be no storm. */
static int make_port(uint64_t nr __unused)
{
    int rc = 0;

    thread_sleep_until(ktime_ns() + EVENT_WINDOW_NS / 32);
    if (port == 0)
        rc = event_bind_ipi(0, no_handler, NULL, &port);
    return rc ? rc : event_unmask(port);
}

static int send(uint64_t nr __unused)
{
    return event_send(port);
}

static int fault(uint64_t nr __unused)
{
    uint64_t value;

    return probe_read((const void *)8, &value) == -EFAULT ? 0 : -EINVAL;
}

static int walk(uint64_t nr __unused)
{
    struct walk w;

    return walk_address(ptr_to_vaddr(_text), &w) ? 0 : -EINVAL;
}

static int user_enter(uint64_t nr __unused)
{
    static bool entered;

    if (entered)
        return 0;
    entered = true;
    return bench_user_enter();
}

static int user_syscall(uint64_t nr __unused)
{
    return bench_user_syscall() == USER_SYSCALL ? 0 : -EINVAL;
}

static int nothing(uint64_t nr __unused)
{
    return 0;
}

static const struct {
    const char *name;
    uint64_t nr;
    int (*before)(uint64_t nr), (*run)(uint64_t nr), (*after)(uint64_t nr);
} operations[] = {
    { "map.live.1", 1, nothing, map, unmap },
    { "unmap.live.1", 1, map, unmap, nothing },
    { "map.live.8", 8, nothing, map, unmap },
    { "unmap.live.8", 8, map, unmap, nothing },
    { "map.live.64", 64, nothing, map, unmap },
    { "unmap.live.64", 64, map, unmap, nothing },
    { "map.fresh.512", PAGES, nothing, map, unmap },
    { "unmap.fresh.512", PAGES, map, unmap, nothing },
    { "protect.R_to_RW.1", 1, map_readonly, protect, unmap },
    { "protect.R_to_RW.64", 64, map_readonly, protect, unmap },
    { "space.create.0MiB", 0, nothing, create, destroy },
    { "space.destroy.0MiB", 0, create_pinned, destroy, nothing },
    { "space.first_switch.0MiB", 0, create, first_switch, leave_and_destroy },
    { "space.switch_and_back", 0, create_pinned, change, destroy },
    { "grant.map.v1.1", 1, give, grants_map, unmap_and_take_back },
    { "grant.unmap.v1.1", 1, give_and_map, grants_unmap, take_back },
    { "grant.map.v1.512", PAGES, give, grants_map, unmap_and_take_back },
    { "grant.unmap.v1.512", PAGES, give_and_map, grants_unmap, take_back },
    { "thread.switch_and_back", 0, make_other, yield, nothing },
    { "thread.create_run_join", 0, nothing, thread, nothing },
    { "mutex.lock_unlock", 0, nothing, lock_unlock, nothing },
    { "event.to_self.ipi", 0, make_port, send, nothing },
    { "trap.probe_read", 0, nothing, fault, nothing },
    { "walk.windows.text", 0, nothing, walk, nothing },
    { "user.syscall", 0, user_enter, user_syscall, nothing },
    { "page.alloc_free.at_rest.order_0", 0, nothing, page, nothing },
    { "heap.malloc_free.at_rest.64_bytes", 64, nothing, bytes, nothing },
};

static int repeat(unsigned int i)
{
    const uint64_t nr = operations[i].nr;
    int rc = 0;

    for (unsigned int n = 0; n < ROUNDS && rc == 0; n++) {
        rc = operations[i].before(nr);
        if (rc == 0) {
            bench_begin();
            rc = operations[i].run(nr);
            bench_end();
        }
        if (rc == 0)
            rc = operations[i].after(nr);
    }
    return rc;
}

bool bench_repeat(const char *name)
{
    block = page_alloc(9);
    if (block == NULL) {
        bench_fail("repeat: no memory");
        return true;
    }
    for (unsigned int i = 0; i < PAGES; i++)
        frames[i] = p2m_lookup(pfn_add(kaddr_pfn(block), i));
    bench_check(space_map(&kernel_space, _vaddr(KEEP), frames, 1, MAP_RW),
                "keep");
    for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++) {
        if (strcmp(operations[i].name, name) != 0)
            continue;
        bench_check(repeat(i), name);
        return true;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++)
        say("bench: can repeat %s\n", operations[i].name);
    return false;
}

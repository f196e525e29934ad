/* SPDX-License-Identifier: MIT */
/*
 * The application of a Mini-OS, to measure what Mini-OS does.  It is no part of
 * any image of ours: bench/peers/run boots one that has been linked with it.
 *
 * Figures are as bench/bench.h says, by the same names: TSC ticks, which under the
 * lab's clock are instructions of guest and hypervisor; an operation BENCH_TIMES
 * times, the first one cold, the least one warm.  Nothing is printed before all is
 * measured, as that wakes dom0's console daemon.
 *
 * With "boot" on the command line it measures nothing and powers off at once.
 */
/* Others of its headers need these. */
#include <mini-os/os.h>

#include <mini-os/hypervisor.h>

#include <mini-os/events.h>
#include <mini-os/gntmap.h>
#include <mini-os/gnttab.h>
#include <mini-os/kernel.h>
#include <mini-os/lib.h>
#include <mini-os/mm.h>
#include <mini-os/sched.h>
#include <mini-os/semaphore.h>
#include <mini-os/time.h>
#include <mini-os/xenbus.h>
#include <mini-os/xmalloc.h>
#include <xen/version.h>

#define BENCH_TIMES 5u
#define ROUNDS      100u
#define FIGURES_MAX 80u
#define PAGES       4096ul
#define TABLE       512ul /* entries of one */

/* Addresses that nothing else of Mini-OS uses: a page at AREA keeps L3 and L2. */
#define AREA  0x0000180000000000ul
#define LIVE  (AREA + PAGE_SIZE)
#define FRESH (AREA + 16 * TABLE * PAGE_SIZE)

struct ticks {
    uint64_t first, least;
};

static struct {
    char name[40];
    const char *unit;
    uint64_t warm, cold; /* tenths */
} figures[FIGURES_MAX];
static unsigned int nr_figures, failures;

static unsigned long frames[PAGES];
static char *home; /* those pages, where they belong */

static inline uint64_t now_tsc(void)
{
    uint32_t low, high;

    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void note(struct ticks *t, unsigned int i, uint64_t ticks)
{
    if (i == 0)
        t->first = t->least = ticks;
    if (ticks < t->least)
        t->least = ticks;
}

#define MEASURE(ticks, prepare, run)                                           \
    do {                                                                       \
        for (unsigned int t_ = 0; t_ < BENCH_TIMES; t_++) {                    \
            uint64_t start_;                                                   \
            prepare;                                                           \
            start_ = now_tsc();                                                \
            run;                                                               \
            note(&(ticks), t_, now_tsc() - start_);                            \
        }                                                                      \
    } while (0)

#define REPEAT(what)                                                           \
    do {                                                                       \
        for (unsigned int n_ = 0; n_ < ROUNDS; n_++)                           \
            what;                                                              \
    } while (0)

static void check(int ok, const char *what)
{
    if (ok)
        return;
    failures++;
    printk("bench failed: %s\n", what);
}

/* To be printed at the end: @t for @n of what @unit names. */
static void figure(const char *unit, unsigned long n, struct ticks t,
                   const char *fmt, unsigned long arg)
{
    if (nr_figures == FIGURES_MAX) {
        check(0, "no room for a figure");
        return;
    }
    snprintf(figures[nr_figures].name, sizeof(figures[0].name), fmt, arg);
    figures[nr_figures].unit = unit;
    figures[nr_figures].warm = (t.least * 10 + n / 2) / n;
    figures[nr_figures].cold = (t.first * 10 + n / 2) / n;
    nr_figures++;
}

static void print_figures(void)
{
    for (unsigned int i = 0; i < nr_figures; i++) {
        printk("bench: %s %lu.%lu %s cold %lu.%lu\n", figures[i].name,
               figures[i].warm / 10, figures[i].warm % 10, figures[i].unit,
               figures[i].cold / 10, figures[i].cold % 10);
        msleep(5); /* the console's ring drops what finds it full */
    }
    if (failures == 0)
        printk("bench: end\n");
}

static void hypercalls(void)
{
    struct ticks t;

    MEASURE(t, , REPEAT((void)HYPERVISOR_xen_version(XENVER_version, NULL)));
    figure("insn", ROUNDS, t, "hypercall.null", 0);
}

/*
 * Memory.
 */
static int map(unsigned long va, unsigned long nr)
{
    return do_map_frames(va, frames, nr, 1, 0, DOMID_SELF, NULL, L1_PROT);
}

/* Frames that are mapped writable elsewhere, into tables that are there. */
static void map_live(unsigned long nr)
{
    struct ticks mapping, unmapping;
    int rc = map(LIVE, nr);

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        uint64_t start;

        rc |= unmap_frames(LIVE, nr);
        start = now_tsc();
        rc |= map(LIVE, nr);
        note(&mapping, i, now_tsc() - start);
        check(memcmp((char *)LIVE + (nr - 1) * PAGE_SIZE,
                     home + (nr - 1) * PAGE_SIZE, PAGE_SIZE) == 0,
              "what is mapped");
    }
    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        uint64_t start = now_tsc();

        rc |= unmap_frames(LIVE, nr);
        note(&unmapping, i, now_tsc() - start);
        rc |= map(LIVE, nr);
    }
    rc |= unmap_frames(LIVE, nr);
    check(rc == 0, "map.live");
    figure("insn/page", nr, mapping, "map.live.%lu", nr);
    figure("insn/page", nr, unmapping, "unmap.live.%lu", nr);
}

/* The same where no L1 table is.  It never goes again, so each time elsewhere. */
static void map_fresh(unsigned long nr)
{
    static unsigned long va = FRESH;
    struct ticks t;
    int rc = 0;

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        uint64_t start = now_tsc();

        rc |= map(va, nr);
        note(&t, i, now_tsc() - start);
        rc |= unmap_frames(va, nr);
        va += (nr + TABLE - 1) / TABLE * TABLE * PAGE_SIZE;
    }
    check(rc == 0, "map.fresh");
    figure("insn/page", nr, t, "map.fresh.%lu", nr);
}

static void mapping(void)
{
    static const unsigned long sizes[] = { 1, 8, 64, 512, 4096 };

    home = (char *)alloc_pages(12);
    check(home != NULL, "memory");
    for (unsigned long i = 0; i < PAGES; i++) {
        frames[i] = virt_to_mfn(home + i * PAGE_SIZE);
        *(unsigned long *)(home + i * PAGE_SIZE) = i;
    }
    check(map(AREA, 1) == 0, "the page that keeps the tables");
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
        map_live(sizes[i]);
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
        map_fresh(sizes[i]);
}

/* A page of zeros that is mapped read-only, and gets a frame by the first write. */
static void copy_on_write(void)
{
    struct ticks t;

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        volatile char *p = map_zero(1, 1);
        uint64_t start = now_tsc();

        *p = 1;
        note(&t, i, now_tsc() - start);
        check(*p == 1, "a page of zeros");
    }
    figure("insn", 1, t, "fault.gets_a_page", 0);
}

static struct ticks free_and_alloc(void **page)
{
    struct ticks t;

    MEASURE(t, , REPEAT({
                free_page(*page);
                *page = (void *)alloc_page();
            }));
    return t;
}

/*
 * A page given back becomes one with its neighbour if that is free too, and so on
 * up.  So with the neighbour taken, and with it free.
 */
static void allocators(void)
{
    struct ticks alone, merged, bytes;
    void *page, *neighbour, *p = xmalloc_array(char, 64);

    do { /* others that are free come first */
        page = (void *)alloc_page();
        neighbour = (void *)alloc_page();
        check(page != NULL && neighbour != NULL, "pages");
    } while (((unsigned long)page ^ (unsigned long)neighbour) != PAGE_SIZE &&
             failures == 0);
    alone = free_and_alloc(&page);
    free_page(neighbour);
    merged = free_and_alloc(&page);
    free_page(page);
    MEASURE(bytes, , REPEAT({
                xfree(p);
                p = xmalloc_array(char, 64);
            }));
    check(p != NULL, "allocators");
    xfree(p);
    figure("insn", ROUNDS, alone, "page.alloc_free.at_rest.order_0", 0);
    figure("insn", ROUNDS, merged, "page.alloc_free.merging.order_0", 0);
    figure("insn", ROUNDS, bytes, "heap.malloc_free.at_rest.64_bytes", 0);
}

/* Mini-OS maps grants only where an L1 table is: of 512 some have none. */
#define GRANTS 32u

/* Given to ourselves, and mapped at an address that Mini-OS looks for. */
static void grants_of(struct gntmap *maps, uint32_t *refs, unsigned long nr)
{
    uint32_t self = get_domid();
    struct ticks mapping, unmapping;

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        uint64_t start = now_tsc();
        void *p = gntmap_map_grant_refs(maps, nr, &self, 0, refs, 1);

        note(&mapping, i, now_tsc() - start);
        check(p != NULL, "mapping grants");
        if (p == NULL)
            return;
        start = now_tsc();
        check(gntmap_munmap(maps, (unsigned long)p, nr) == 0, "unmapping");
        note(&unmapping, i, now_tsc() - start);
    }
    figure("insn/page", nr, mapping, "grant.map.v1.%lu", nr);
    figure("insn/page", nr, unmapping, "grant.unmap.v1.%lu", nr);
}

static void grants(void)
{
    uint32_t refs[GRANTS];
    const domid_t self = get_domid();
    struct gntmap maps;
    struct ticks t;
    int ended = 1;

    MEASURE(t, , REPEAT({
                grant_ref_t ref = gnttab_grant_access(self, frames[0], 0);

                ended &= gnttab_end_access(ref);
            }));
    figure("insn", ROUNDS, t, "grant.access_end.v1", 0);
    for (unsigned int i = 0; i < GRANTS; i++)
        refs[i] = gnttab_grant_access(self, frames[i], 0);
    gntmap_init(&maps);
    grants_of(&maps, refs, 1);
    grants_of(&maps, refs, GRANTS);
    gntmap_fini(&maps);
    for (unsigned int i = 0; i < GRANTS; i++)
        ended &= gnttab_end_access(refs[i]);
    check(ended, "ending grants");
}

/*
 * Events, and the clock.
 */
static unsigned int handled;

static void count(evtchn_port_t port, struct pt_regs *regs, void *data)
{
    handled++;
}

static void events(void)
{
    const domid_t self = get_domid();
    struct ticks send, mask, clock;
    evtchn_port_t a, b;

    check(evtchn_alloc_unbound(self, count, NULL, &a) == 0 &&
              evtchn_bind_interdomain(self, a, count, NULL, &b) == 0,
          "ports");
    unmask_evtchn(a);
    unmask_evtchn(b);
    handled = 0; /* the binding itself makes events */
    MEASURE(send, , REPEAT(notify_remote_via_evtchn(b)));
    check(handled == BENCH_TIMES * ROUNDS, "events to oneself");
    MEASURE(mask, , REPEAT({
                mask_evtchn(a);
                unmask_evtchn(a);
            }));
    unbind_evtchn(a);
    unbind_evtchn(b);
    MEASURE(clock, , REPEAT((void)monotonic_clock()));
    figure("insn", ROUNDS, send, "event.to_self.channel", 0);
    figure("insn", ROUNDS, mask, "event.mask_unmask", 0);
    figure("insn", ROUNDS, clock, "time.ktime_ns", 0);
}

/*
 * Threads.  Nobody else runs: those of Mini-OS itself are blocked.
 */
static volatile int stop;
static unsigned int turns;
static struct semaphore there, back, mutex;

static void yielder(void *arg)
{
    while (!stop) {
        turns++;
        schedule();
    }
}

static void answerer(void *arg)
{
    for (;;) {
        down(&there);
        if (stop)
            return;
        turns++;
        up(&back);
    }
}

static void nothing(void *arg)
{
    turns++;
}

static void threads(void)
{
    struct ticks change, wake, lock, life;

    turns = stop = 0;
    create_thread("yielder", yielder, NULL);
    while (turns == 0) /* it comes after us at first */
        schedule();
    turns = 0;
    MEASURE(change, , REPEAT(schedule()));
    check(turns == BENCH_TIMES * ROUNDS, "switches");
    stop = 1;
    schedule();

    turns = stop = 0;
    init_SEMAPHORE(&there, 0);
    init_SEMAPHORE(&back, 0);
    create_thread("answerer", answerer, NULL);
    MEASURE(wake, , REPEAT({
                up(&there);
                down(&back);
            }));
    check(turns == BENCH_TIMES * ROUNDS, "wake-ups");
    stop = 1;
    up(&there);
    schedule();

    init_MUTEX(&mutex);
    MEASURE(lock, , REPEAT({
                down(&mutex);
                up(&mutex);
            }));

    /* It prints when it is made and when it ends; nobody joins it. */
    turns = 0;
    MEASURE(life, msleep(50), {
        create_thread("short", nothing, NULL);
        while (turns == t_)
            schedule();
    });
    figure("insn", 2 * ROUNDS, change, "thread.switch", 0);
    figure("insn", 2 * ROUNDS, wake, "thread.wake_up", 0);
    figure("insn", ROUNDS, lock, "mutex.lock_unlock", 0);
    figure("insn", 1, life, "thread.create_run_join", 0);
}

/*
 * Devices: of guest, Xen and dom0 together.
 */
static void xenstore(void)
{
    struct ticks t;

    for (unsigned int i = 0; i < 20; i++) {
        char *value = NULL;
        uint64_t start = now_tsc();
        char *error = xenbus_read(XBT_NIL, "name", &value);

        note(&t, i, now_tsc() - start);
        check(error == NULL && value != NULL, "xenstore");
        free(value);
    }
    figure("insn", 1, t, "xenstore.read", 0);
}

static void console(void)
{
    struct ticks t;

    for (unsigned int i = 0; i < 20; i++) {
        uint64_t start;

        msleep(20); /* so that the last one is gone */
        start = now_tsc();
        printk("a line of 80 characters: "
               "......................................................\n");
        note(&t, i, now_tsc() - start);
    }
    figure("insn", 1, t, "console.line_of_80", 0);
}

static void power_off(void)
{
    struct sched_shutdown off = { .reason = SHUTDOWN_poweroff };

    HYPERVISOR_sched_op(SCHEDOP_shutdown, &off);
}

static void bench(void *arg)
{
    msleep(500); /* dom0 has printed what the boot said */
    hypercalls();
    mapping();
    copy_on_write();
    allocators();
    grants();
    events();
    threads();
    xenstore();
    console();
    print_figures();
    msleep(500); /* for dom0 to read it */
    power_off();
}

int app_main(void *p)
{
    if (strstr(cmdline, "boot") != NULL)
        power_off();
    create_thread("bench", bench, NULL);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What Linux does for a program that it does what Plinth's figure of the same name
 * is for.  Static, for the dom0 of the lab; bench/peers.md says what is compared.
 *
 * Figures are as bench/bench.h says: TSC ticks, which under the lab's clock are
 * instructions of program, Linux and hypervisor; an operation BENCH_TIMES times,
 * the first one cold, the least one warm.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BENCH_TIMES 9u /* more than of a guest: dom0 has daemons */
#define ROUNDS      100u
#define PAGE_SIZE   4096ul
#define TABLE       (512 * PAGE_SIZE) /* what one L1 table maps */
#define PAGES       4096ul

/* Addresses of our own: a page at AREA keeps the tables of LIVE, the L2 of FRESH. */
#define AREA  0x200000000000ul
#define LIVE  (AREA + PAGE_SIZE)
#define FRESH (AREA + 4 * TABLE)

struct ticks {
    uint64_t first, least;
};

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void check(int ok, const char *what)
{
    if (ok)
        return;
    printf("bench failed: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void note(struct ticks *t, unsigned int i, uint64_t ticks)
{
    if (i == 0)
        t->first = t->least = ticks;
    if (ticks < t->least)
        t->least = ticks;
}

#define MEASURE(ticks, run)                                                    \
    do {                                                                       \
        for (unsigned int t_ = 0; t_ < BENCH_TIMES; t_++) {                    \
            const uint64_t start_ = rdtsc();                                   \
            run;                                                               \
            note(&(ticks), t_, rdtsc() - start_);                              \
        }                                                                      \
    } while (0)

#define REPEAT(what)                                                           \
    do {                                                                       \
        for (unsigned int n_ = 0; n_ < ROUNDS; n_++)                           \
            what;                                                              \
    } while (0)

static void figure(const char *unit, unsigned long n, struct ticks t,
                   const char *name)
{
    printf("bench: %s %.1f %s cold %.1f\n", name, (double)t.least / n, unit,
           (double)t.first / n);
}

static void figure_of(const char *unit, unsigned long n, struct ticks t,
                      const char *name)
{
    char whole[40];

    snprintf(whole, sizeof(whole), "%s.%lu", name, n);
    figure(unit, n, t, whole);
}

/*
 * Mappings of pages that are there already: those of a file in memory.
 */
static int file;

static void *map(uintptr_t va, unsigned long nr)
{
    void *p = mmap((void *)va, nr * PAGE_SIZE, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_POPULATE | MAP_FIXED_NOREPLACE, file, 0);

    check(p == (void *)va, "mmap");
    return p;
}

static void map_and_unmap(uintptr_t va, unsigned long nr, const char *map_name,
                          const char *unmap_name)
{
    struct ticks mapping, unmapping;

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        uint64_t start = rdtsc();
        unsigned char *p = map(va, nr);

        note(&mapping, i, rdtsc() - start);
        check(p[(nr - 1) * PAGE_SIZE] == (nr - 1) % 251, "what is mapped");
        start = rdtsc();
        check(munmap(p, nr * PAGE_SIZE) == 0, "munmap");
        note(&unmapping, i, rdtsc() - start);
    }
    figure_of("insn/page", nr, mapping, map_name);
    figure_of("insn/page", nr, unmapping, unmap_name);
}

static void protect(unsigned long nr)
{
    struct ticks r, rw;
    volatile unsigned char *p = map(LIVE, nr);

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        uint64_t start;

        for (unsigned long n = 0; n < nr; n++)
            p[n * PAGE_SIZE] = n % 251;
        start = rdtsc();
        check(mprotect((void *)p, nr * PAGE_SIZE, PROT_READ) == 0, "mprotect");
        note(&r, i, rdtsc() - start);
        start = rdtsc();
        check(mprotect((void *)p, nr * PAGE_SIZE, PROT_READ | PROT_WRITE) == 0,
              "mprotect");
        note(&rw, i, rdtsc() - start);
    }
    check(munmap((void *)p, nr * PAGE_SIZE) == 0, "munmap");
    figure_of("insn/page", nr, r, "protect.RW_to_R");
    figure_of("insn/page", nr, rw, "protect.R_to_RW");
}

static void mapping(void)
{
    static const unsigned long sizes[] = { 1, 8, 64, 512, 4096 };
    unsigned char page[PAGE_SIZE];

    file = memfd_create("bench", 0);
    for (unsigned long i = 0; i < PAGES; i++) {
        memset(page, i % 251, sizeof(page));
        check(write(file, page, sizeof(page)) == sizeof(page), "a file");
    }
    map(AREA, 1);
    map(AREA + TABLE + PAGE_SIZE, 1); /* of 512 pages one is of a next table */
    for (unsigned int i = 0; i < 4; i++)
        map_and_unmap(LIVE, sizes[i], "map.live", "unmap.live");
    for (unsigned int i = 0; i < 4; i++)
        protect(sizes[i]);
    for (unsigned int i = 0; i < 5; i++)
        map_and_unmap(FRESH, sizes[i], "map.fresh", "unmap.fresh");
}

/* The first write to a page that was promised. */
static void first_touch(void)
{
    struct ticks t;

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        volatile char *p =
            mmap((void *)LIVE, PAGE_SIZE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        uint64_t start;

        check(p == (void *)LIVE, "mmap");
        start = rdtsc();
        *p = 1;
        note(&t, i, rdtsc() - start);
        check(munmap((void *)p, PAGE_SIZE) == 0, "munmap");
    }
    figure("insn", 1, t, "fault.gets_a_page");
}

static void small_things(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct ticks call, clock, bytes, lock;
    struct timespec now;
    void *volatile p = malloc(64);

    MEASURE(call, REPEAT(syscall(SYS_getppid)));
    MEASURE(clock, REPEAT(clock_gettime(CLOCK_MONOTONIC, &now)));
    MEASURE(bytes, REPEAT({
                free(p);
                p = malloc(64);
            }));
    MEASURE(lock, REPEAT({
                pthread_mutex_lock(&mutex);
                pthread_mutex_unlock(&mutex);
            }));
    check(p != NULL, "malloc");
    free(p);
    figure("insn", ROUNDS, call, "user.syscall");
    figure("insn", ROUNDS, clock, "time.ktime_ns");
    figure("insn", ROUNDS, bytes, "heap.malloc_free.at_rest.64_bytes");
    figure("insn", ROUNDS, lock, "mutex.lock_unlock");
}

/*
 * Threads, and processes.
 */
static void *nothing(void *arg)
{
    return arg;
}

static uint32_t turn; /* whose: 0 ours, 1 the other's, 2 the end */

static void turn_to(uint32_t whose)
{
    __atomic_store_n(&turn, whose, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static uint32_t wait_while(uint32_t whose)
{
    uint32_t now;

    while ((now = __atomic_load_n(&turn, __ATOMIC_SEQ_CST)) == whose)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, whose, NULL, NULL, 0);
    return now;
}

static void *answer(void *arg)
{
    while (wait_while(0) != 2)
        turn_to(0);
    return arg;
}

static void threads(void)
{
    struct ticks life, wake;
    pthread_t thread;

    MEASURE(life, {
        check(pthread_create(&thread, NULL, nothing, NULL) == 0, "a thread");
        check(pthread_join(thread, NULL) == 0, "a thread's end");
    });
    check(pthread_create(&thread, NULL, answer, NULL) == 0, "a thread");
    MEASURE(wake, REPEAT({
                turn_to(1);
                wait_while(1);
            }));
    turn_to(2);
    check(pthread_join(thread, NULL) == 0, "a thread's end");
    figure("insn", 1, life, "thread.create_run_join");
    figure("insn", 2 * ROUNDS, wake, "thread.wake_up");
}

static void processes(void)
{
    struct ticks life, pipes;
    int there[2], back[2];
    char c = 0;
    pid_t child;

    MEASURE(life, {
        child = fork();
        if (child == 0)
            _exit(0);
        check(child > 0 && waitpid(child, NULL, 0) == child, "fork");
    });
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
    child = fork();
    if (child == 0) {
        close(there[1]);
        while (read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1)
            ;
        _exit(0);
    }
    check(child > 0, "fork");
    MEASURE(pipes, REPEAT(check(write(there[1], &c, 1) == 1 &&
                                    read(back[0], &c, 1) == 1,
                                "a pipe")));
    close(there[1]);
    check(waitpid(child, NULL, 0) == child, "the end of a process");
    figure("insn", 1, life, "process.fork_exit_wait");
    figure("insn", 2 * ROUNDS, pipes, "process.wake_up_by_pipe");
}

int main(void)
{
    alarm(100); /* whatever comes, it ends */
    mapping();
    first_touch();
    small_things();
    threads();
    processes();
    printf("bench: end\n");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * bench: measuring what operations cost, and saying so.
 *
 * A measurement is a number of TSC ticks.  Under the lab's instruction-counting
 * clock (lab/run --icount) these are instructions of guest and hypervisor; on any
 * other clock the figures mean nothing.
 *
 * An operation is measured BENCH_TIMES times.  The first time is cold: nothing
 * that is made on first use is there.  The least of all is warm: nothing else,
 * as Xen's own timers, has come between.
 *
 * A figure is one line, which bench/collect reads:
 *
 *     bench: map.fresh.512 274.1 insn/page cold 291.0 floor 265.3
 *
 * that is name, warm, unit, cold, and the floor: what the same would cost by
 * prepared hypercalls with nothing of ours around them, measured in the same run.
 * A number that ends the name says how many pages or entries one call was for.
 *
 *   units    ticks; figures in tenths of their unit
 *   context  the application's thread
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <arch/cpu.h>
#include <plinth/compiler.h>
#include <plinth/pte.h>
#include <xen/event_channel.h>

#define BENCH_TIMES 5u

struct ticks {
    uint64_t first, least;
};

/* Note that the @i-th time took @ticks. */
void ticks_note(struct ticks *t, unsigned int i, uint64_t ticks);

/* @prepare is not measured; both may use t_, which counts from 0. */
#define MEASURE_TICKS(ticks, prepare, run)                                     \
    do {                                                                       \
        for (unsigned int t_ = 0; t_ < BENCH_TIMES; t_++) {                    \
            uint64_t ticks_;                                                   \
            prepare;                                                           \
            ticks_ = rdtsc();                                                  \
            run;                                                               \
            ticks_note(&(ticks), t_, rdtsc() - ticks_);                        \
        }                                                                      \
    } while (0)

/*
 * Print the figure @fmt: @t for @n of what @unit names, with @floor if it is not
 * 0.  It is remembered.
 */
void figure(const char *unit, uint64_t n, struct ticks t, uint64_t floor,
            const char *fmt, ...) __printf(5, 6);

/* One that is no time: a count, a size. */
void figure_count(const char *unit, uint64_t value, const char *name);

/* The warm figure that was printed as @fmt, in tenths; 0 if none was. */
uint64_t figure_of(const char *fmt, ...) __printf(1, 2);

/* Something measured did not happen: the run fails. */
void bench_fail(const char *fmt, ...) __printf(1, 2);

/* The same if @rc, an errno, is not 0. */
void bench_check(int rc, const char *what);

/*
 * Do what is measured as @name a hundred times, each between a call of
 * bench_begin() and one of bench_end(); false if that cannot be repeated.
 */
bool bench_repeat(const char *name);
void bench_begin(void);
void bench_end(void);

/*
 * Switch to a space whose user mode makes system calls; that is bench_user_syscall(),
 * there and back, which returns USER_SYSCALL.
 */
int bench_user_enter(void);
int bench_user_syscall(void);

/* Exceptions of @vector enter the kernel at @entry; trap_init() undoes it. */
void bench_enter(unsigned int vector, void (*entry)(void));

/* Of the entry that maps the kernel's @p: for requests that are made by hand. */
maddr_t pte_address(const void *p);

/* The TSC when main() was called. */
extern uint64_t main_tsc;

/* What there is to measure: a group of figures each.  Those of main.c's table. */
void bench_bare_xenstore(void);
void bench_hypercalls(void);
void bench_paths(void);
void bench_memory(void);
void bench_mapping(void);
void bench_spaces(void);
void bench_walking(void);
void bench_traps(void);
void bench_threads(void);
void bench_events(void);
void bench_timers(void);
void bench_user(void);
void bench_grants(void);
void bench_xenstore(void);
void bench_console(void);
void bench_idle(void);
void bench_boot(void);
void bench_stay(void);
void bench_answer(void);

/* By the port of a domain that runs bench_answer(). */
void bench_between(unsigned int domain, evtchn_port_t remote);

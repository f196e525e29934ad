/* SPDX-License-Identifier: MIT */
/*
 * The ends of a domain that are no orderly ones, for tests of what is said
 * then and of the tools around.  Each runs only when named in full.
 */
#include <stddef.h>

#include <arch/cpu.h>
#include <plinth/bug.h>
#include <plinth/printk.h>
#include <plinth/stack.h>
#include <plinth/test.h>
#include <plinth/time.h>
#include <plinth/timer.h>

#include "recurse.h"

FATAL(fatal, panic)
{
    panic("as told to");
}

FATAL(fatal, bug)
{
    BUG_ON(run_ != NULL);
}

FATAL(fatal, null_dereference)
{
    volatile int *volatile nothing = NULL;

    *nothing = 1;
}

FATAL(fatal, undefined_instruction)
{
    asm volatile("ud2");
}

FATAL(fatal, hang)
{
    say("# hanging\n");
    for (;;)
        cpu_relax();
}

/* A panic whose report faults: the second one must still end the domain. */
static void panic_in_hook(const char *message __unused)
{
    asm volatile("movl $1, 8");
}

FATAL(fatal, panic_in_panic)
{
    panic_hook = panic_in_hook;
    panic("the first");
}

FATAL(fatal, stack_overflow)
{
    (void)recurse(0);
}

/*
 * What is said of an end is said by nobody else's leave: no handler runs while it
 * is.  One that does finds more in the log than there was.
 */
static uint64_t log_end;
static bool interrupted;

static void look_at_log(struct timer *timer, void *arg __unused)
{
    interrupted |= printk_log.end != log_end;
    timer_arm(timer, ktime_ns() + 100 * NSEC_PER_USEC);
}

static void tell(const char *message __unused)
{
    say("# %s\n", interrupted ? "interrupted" : "alone");
}

static void start_looking(void)
{
    static struct timer timer;

    panic_hook = tell;
    timer_setup(&timer, look_at_log, NULL);
    log_end = printk_log.end;
    timer_arm(&timer, ktime_ns());
}

FATAL(fatal, trap_is_told_alone)
{
    start_looking();
    asm volatile("ud2");
}

FATAL(fatal, stack_overflow_is_told_alone)
{
    start_looking();
    (void)recurse(0);
}

/*
 * Without the check, as foreign code may be compiled: the guard page stops it,
 * Xen cannot deliver the fault, and the domain ends without a word.
 */
FATAL(fatal, stack_overflow_unchecked)
{
    asm volatile("1: pushq $0\n\tjmp 1b");
}

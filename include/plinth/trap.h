/* SPDX-License-Identifier: MIT */
/*
 * trap: exceptions, from the table given to Xen to whoever deals with them.
 *
 * An exception is offered, in this order, to
 *   1. the fix-up table: an instruction that was marked as allowed to fault
 *      (probe_read() and its kin);
 *   2. the handler set for its vector by trap_set_handler();
 *   3. the innermost armed trap_catch: control returns to where it was armed;
 *   4. the report: registers, page-table walk, call trace; then panic.
 * NMI, machine check and debug traps skip 1 and 3: they are no answer to the
 * instruction they interrupt.
 *
 * That is so in the kernel.  Exceptions of user mode make user_run() return
 * (plinth/user.h); only these three are offered to a handler before.
 *
 *   units    vectors 0-31 as in the Intel SDM; error codes as Xen shows them
 *   owns     a trap_catch stays with the caller, on its stack
 *   context  handlers run on the interrupted stack, in the interrupted context,
 *            with events as they were
 *   source   Xen arch/x86/pv/traps.c, public/xen.h (set_trap_table)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <arch/asm.h>
#include <arch/regs.h>
#include <plinth/compiler.h>
#include <plinth/errno.h>

enum trap_vector {
    TRAP_DE = 0,
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_OF = 4,
    TRAP_BR = 5,
    TRAP_UD = 6,
    TRAP_NM = 7,
    TRAP_DF = 8,
    TRAP_TS = 10,
    TRAP_NP = 11,
    TRAP_SS = 12,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAP_MF = 16,
    TRAP_AC = 17,
    TRAP_MC = 18,
    TRAP_XM = 19,
    TRAP_VE = 20,
    TRAP_CP = 21,
    TRAP_VECTORS = 32,
};

/* Page-fault error code (Intel SDM vol. 3 §4.7). */
#define PF_PRESENT (1u << 0)
#define PF_WRITE   (1u << 1)
#define PF_USER    (1u << 2)
#define PF_RSVD    (1u << 3)
#define PF_FETCH   (1u << 4)

/* What happened, for those who catch it. */
struct trap {
    unsigned int vector;
    uint32_t error;
    uint64_t address; /* of a page fault */
    uint64_t rip;
};

/* Give Xen the trap table and the callbacks.  Panics when Xen refuses. */
void trap_init(void);

/*
 * Called with the interrupted registers; may change them.  True: dealt with,
 * go on from @regs.
 */
typedef bool trap_handler_t(struct regs *regs, uint64_t address);

/* Ask the handler of @regs->vector, as above; false when there is none. */
bool trap_offer(struct regs *regs, uint64_t address);

/* The handler of @vector becomes @fn (NULL: none); returns the one before. */
trap_handler_t *trap_set_handler(enum trap_vector vector, trap_handler_t *fn);

/* How many vectors have a handler; for the ledger of the tests. */
unsigned int trap_handlers_set(void);

/* How often Xen took the failsafe callback, and the last bad selectors. */
struct trap_failsafe_info {
    unsigned int count;
    uint16_t ds, es, fs, gs;
};
struct trap_failsafe_info trap_failsafe_info(void);

/*
 * Run a statement that may trap:
 *
 *     struct trap_catch c;
 *     if (trap_catch_begin(&c) == 0) {
 *         statement;
 *         trap_catch_end(&c);
 *     } else {
 *         ... c.trap tells what happened; no need to end
 *     }
 *
 * Nests.  Locals changed between begin and the trap must be volatile, as with
 * setjmp().  Kernel mode only: a trap from user mode is not caught.  What an
 * event handler does is not caught by the code it has interrupted.
 */
struct trap_catch {
    uint64_t rip, rsp, rbx, rbp, r12, r13, r14, r15; /* offsets: entry.S */
    struct trap_catch *outer;
    bool in_event; /* armed by an event handler */
    struct trap trap;
};

int __attribute__((returns_twice)) trap_catch_begin(struct trap_catch *c);
void trap_catch_end(struct trap_catch *c);

/*
 * Loads and stores that may fault.  Return 0, or -EFAULT with nothing written.
 * @p is aligned to 8.
 */
static inline int __must_check probe_read(const volatile void *p,
                                          uint64_t *value)
{
    int rc = -EFAULT;
    uint64_t v = 0;

    asm volatile("1: movq (%[p]), %[v]\n\t"
                 "   xorl %[rc], %[rc]\n\t"
                 "2:\n\t" ASM_EXTABLE("1b", "2b")
                 : [v] "+r"(v), [rc] "+r"(rc)
                 : [p] "r"(p)
                 : "memory", "cc");
    if (rc == 0)
        *value = v;
    return rc;
}

/* The same for loops: @otherwise if it faults. */
static inline uint64_t probe_read_or(const volatile void *p, uint64_t otherwise)
{
    asm volatile("1: movq (%[p]), %[v]\n\t"
                 "2:\n\t" ASM_EXTABLE("1b", "2b")
                 : [v] "+r"(otherwise)
                 : [p] "r"(p)
                 : "memory");
    return otherwise;
}

static inline int __must_check probe_write(volatile void *p, uint64_t value)
{
    int rc = -EFAULT;

    asm volatile("1: movq %[v], (%[p])\n\t"
                 "   xorl %[rc], %[rc]\n\t"
                 "2:\n\t" ASM_EXTABLE("1b", "2b")
                 : [rc] "+r"(rc)
                 : [p] "r"(p), [v] "r"(value)
                 : "memory", "cc");
    return rc;
}

/* Say all there is to say of an unexpected trap, and panic. */
void __noreturn __cold trap_report(const struct regs *regs, uint64_t address);

/* "page fault (#PF)" for 14. */
const char *trap_name(unsigned int vector);

/* SPDX-License-Identifier: MIT */
/*
 * From an instruction that faults to a handler, and back behind it.  The floor is
 * the same with a handler that only goes back: what is Xen's.
 */
#include <plinth/bug.h>
#include <plinth/hypercall.h>
#include <plinth/trap.h>

#include "bench.h"

#define ROUNDS 100u

#define LOAD_BYTES 2u /* of mov (%rax), %al */
#define UD2_BYTES  2u

void bench_bare_trap(void);
void bench_bare_fault(void);

static void load_from_page_0(void)
{
    unsigned long at = 8; /* never mapped */

    asm volatile("movb (%%rax), %%al" : "+a"(at)::"memory");
}

static void ud2(void)
{
    asm volatile("ud2");
}

void bench_enter(unsigned int vector, void (*entry)(void))
{
    const struct trap_info table[2] = {
        { .vector = vector,
          .cs = FLAT_KERNEL_CS,
          .address = (unsigned long)entry },
    };

    bench_check(hypercall_set_trap_table(table), "a bare handler");
}

/* @fault is handled by @entry alone. */
static void bare(enum trap_vector vector, void (*entry)(void),
                 void (*fault)(void), const char *name)
{
    struct ticks t;

    bench_enter(vector, entry);
    MEASURE_TICKS(t, , for (unsigned int n = 0; n < ROUNDS; n++) fault());
    trap_init();
    figure("insn", ROUNDS, t, 0, "bare.%s", name);
}

static bool skip_load(struct regs *regs, uint64_t address __unused)
{
    regs->rip += LOAD_BYTES;
    return true;
}

static bool skip_ud2(struct regs *regs, uint64_t address __unused)
{
    regs->rip += UD2_BYTES;
    return true;
}

static void page_faults(void)
{
    trap_handler_t *before = trap_set_handler(TRAP_PF, skip_load);
    struct ticks t;

    MEASURE_TICKS(t, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) load_from_page_0());
    (void)trap_set_handler(TRAP_PF, before);
    figure("insn", ROUNDS, t, figure_of("bare.page_fault"), "trap.page_fault");
}

static void undefined_instructions(void)
{
    trap_handler_t *before = trap_set_handler(TRAP_UD, skip_ud2);
    struct ticks t;

    MEASURE_TICKS(t, , for (unsigned int n = 0; n < ROUNDS; n++) ud2());
    (void)trap_set_handler(TRAP_UD, before);
    figure("insn", ROUNDS, t, figure_of("bare.undefined_instruction"),
           "trap.undefined_instruction");
}

/* One that the fix-up table answers. */
static void probes(void)
{
    struct ticks t;
    uint64_t value;
    int found = 0;

    MEASURE_TICKS(t, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) found +=
                  probe_read((void *)8ul, &value) == 0);
    if (found != 0)
        bench_fail("page 0 can be read");
    figure("insn", ROUNDS, t, figure_of("bare.page_fault"), "trap.probe_read");
}

void bench_traps(void)
{
    bare(TRAP_PF, bench_bare_fault, load_from_page_0, "page_fault");
    bare(TRAP_UD, bench_bare_trap, ud2, "undefined_instruction");
    page_faults();
    undefined_instructions();
    probes();
}

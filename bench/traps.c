/* SPDX-License-Identifier: MIT */
/* From an instruction that faults to a handler, and back behind it. */
#include <plinth/trap.h>

#include "bench.h"

#define ROUNDS 100u

#define LOAD_BYTES 2u /* of mov (%rax), %al */
#define UD2_BYTES  2u

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

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            unsigned long at = 8; /* page 0 is never mapped */

            asm volatile("movb (%%rax), %%al" : "+a"(at)::"memory");
        });
    (void)trap_set_handler(TRAP_PF, before);
    figure("insn", ROUNDS, t, 0, "trap.page_fault");
}

static void undefined_instructions(void)
{
    trap_handler_t *before = trap_set_handler(TRAP_UD, skip_ud2);
    struct ticks t;

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) asm volatile("ud2"));
    (void)trap_set_handler(TRAP_UD, before);
    figure("insn", ROUNDS, t, 0, "trap.undefined_instruction");
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
    figure("insn", ROUNDS, t, 0, "trap.probe_read");
}

void bench_traps(void)
{
    page_faults();
    undefined_instructions();
    probes();
}

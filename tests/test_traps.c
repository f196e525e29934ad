/* SPDX-License-Identifier: MIT */
/*
 * Every vector that a PV kernel can provoke by itself, the fix-up table, the
 * failsafe callback, the NMI.  Not here, because only others can raise them:
 * 5 (`bound` is not 64-bit), 8 (Xen keeps double faults), 9 (no such CPU), 10 (no
 * task switch), 15, 20 (HVM only), 21 (CET is not for PV).  18 is hardware's, but
 * `int $18` makes the same frame: see test_user.c.
 */
#include <arch/cpu.h>
#include <arch/extable.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/shared_info.h>
#include <plinth/stack.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/symbols.h>
#include <plinth/test.h>
#include <plinth/time.h>

#include "cpu_model.h"

#define NON_CANONICAL 0x8000000000000000ul

/*
 * Exceptions by what causes them.
 */
TEST(traps, de_divide_by_zero)
{
    EXPECT_FAULT(TRAP_DE, asm volatile("divl %0" ::"r"(0), "a"(1), "d"(0)));
}

static volatile unsigned int hits;
static uint64_t last_rip;

static bool count_hit(struct regs *regs, uint64_t address __unused)
{
    hits++;
    last_rip = regs->rip;
    return true;
}

/* A handler that steps over the instruction, of a known length. */
static unsigned int skip_bytes;
static bool skip_insn(struct regs *regs, uint64_t address __unused)
{
    hits++;
    regs->rip += skip_bytes;
    return true;
}

static bool stop_stepping(struct regs *regs, uint64_t address __unused)
{
    hits++;
    regs->rflags &= ~RFLAGS_TF;
    return true;
}

TEST(traps, db_single_step)
{
    trap_handler_t *old = trap_set_handler(TRAP_DB, stop_stepping);

    hits = 0;
    asm volatile("pushfq\n\t"
                 "orq %0, (%%rsp)\n\t"
                 "popfq\n\t"
                 "nop" ::"i"(RFLAGS_TF)
                 : "cc", "memory");
    trap_set_handler(TRAP_DB, old);
    EXPECT_EQ(hits, 1);
}

TEST(traps, db_hardware_watchpoint)
{
    static volatile uint64_t watched;
    trap_handler_t *old;

    /* DR7: L0, write, 8 bytes. */
    EXPECT_EQ(hypercall_set_debugreg(0, (uintptr_t)&watched), 0);
    EXPECT_EQ(hypercall_set_debugreg(7, 0x1 | 0x9 << 16), 0);
    old = trap_set_handler(TRAP_DB, count_hit);
    hits = 0;
    watched = 1;
    EXPECT_EQ(hits, 1);
    watched = 2;
    EXPECT_EQ(hits, 2);
    trap_set_handler(TRAP_DB, old);
    EXPECT_EQ(hypercall_set_debugreg(7, 0), 0);
    EXPECT_EQ(hypercall_set_debugreg(0, 0), 0);
    watched = 3;
}

TEST(traps, bp_goes_on_behind_the_breakpoint)
{
    trap_handler_t *old = trap_set_handler(TRAP_BP, count_hit);

    hits = 0;
    asm volatile("int3");
    trap_set_handler(TRAP_BP, old);
    EXPECT_EQ(hits, 1);
}

TEST(traps, of_by_int_4)
{
    trap_handler_t *old = trap_set_handler(TRAP_OF, count_hit);

    hits = 0;
    asm volatile("int $4");
    trap_set_handler(TRAP_OF, old);
    EXPECT_EQ(hits, 1);
}

TEST(traps, ud_undefined_instruction)
{
    trap_handler_t *old;

    EXPECT_FAULT(TRAP_UD, asm volatile("ud2"));

    /* And with a handler that goes on behind it. */
    old = trap_set_handler(TRAP_UD, skip_insn);
    hits = 0;
    skip_bytes = 2;
    asm volatile("ud2");
    trap_set_handler(TRAP_UD, old);
    EXPECT_EQ(hits, 1);
}

TEST(traps, nm_fpu_with_task_switched_set)
{
    EXPECT_EQ(hypercall_fpu_taskswitch(1), 0);
    EXPECT_FAULT(TRAP_NM, asm volatile("fnop"));
    /* Xen cleared TS when it delivered the exception. */
    asm volatile("fnop");
    EXPECT_EQ(hypercall_fpu_taskswitch(0), 0);
}

TEST(traps, ss_non_canonical_stack_address)
{
    const struct trap t = CATCH_TRAP(asm volatile("pushq %%rbp\n\t"
                                                  "movq %0, %%rbp\n\t"
                                                  "movq (%%rbp), %%rax\n\t"
                                                  "popq %%rbp"
                                                  :
                                                  : "r"(NON_CANONICAL)
                                                  : "rax", "memory"));

    if (t.vector == TRAP_GP && cpu_is_qemu_tcg())
        SKIP("QEMU's TCG raises #GP for every non-canonical address");
    EXPECT_EQ(t.vector, TRAP_SS);
    EXPECT_EQ(t.error, 0);
}

TEST(traps, gp_non_canonical_address)
{
    const struct trap t =
        CATCH_TRAP(asm volatile("movq (%0), %%rax" ::"r"(NON_CANONICAL)
                                : "rax"));

    EXPECT_EQ(t.vector, TRAP_GP);
    EXPECT_EQ(t.error, 0);
}

TEST(traps, gp_privileged_instructions)
{
    EXPECT_FAULT(TRAP_GP, asm volatile("hlt"));
    EXPECT_FAULT(TRAP_GP, asm volatile("invlpg (%0)" ::"r"(0)));
    EXPECT_FAULT(TRAP_GP, asm volatile("lldt %w0" ::"r"(0)));
    EXPECT_FAULT(TRAP_GP, asm volatile("swapgs"));
}

TEST(traps, gp_selector_outside_the_gdt)
{
    /* Xen's part of the GDT ends there: entry 8191. */
    const struct trap t =
        CATCH_TRAP(asm volatile("movw %w0, %%ds" ::"r"(0xfffb)));

    EXPECT_EQ(t.vector, TRAP_GP);
    EXPECT_EQ(t.error, 0xfff8);
}

TEST(traps, pf_says_address_and_cause)
{
    volatile uint64_t *nowhere = (volatile uint64_t *)0x123456789000;
    struct trap t = CATCH_TRAP(*nowhere);

    EXPECT_EQ(t.vector, TRAP_PF);
    EXPECT_EQ(t.address, (uintptr_t)nowhere);
    EXPECT_EQ(t.error & (PF_PRESENT | PF_WRITE | PF_FETCH), 0);

    t = CATCH_TRAP(*nowhere = 1);
    EXPECT_EQ(t.vector, TRAP_PF);
    EXPECT_EQ(t.error & (PF_PRESENT | PF_WRITE | PF_FETCH), PF_WRITE);
    /* Xen hides that the kernel runs in ring 3. */
    EXPECT_EQ(t.error & PF_USER, 0);
}

TEST(traps, mf_x87_division_unmasked)
{
    const uint16_t unmasked = 0x37b; /* zero divide not masked */

    EXPECT_FAULT(TRAP_MF, asm volatile("fninit\n\t"
                                       "fldcw %0\n\t"
                                       "fldz\n\t"
                                       "fld1\n\t"
                                       "fdivp\n\t"
                                       "fwait" ::"m"(unmasked)));
    asm volatile("fninit");
}

TEST(traps, ac_misaligned_with_ac_set)
{
    static uint64_t words[2];
    struct trap t;

    t = CATCH_TRAP(asm volatile("pushfq\n\t"
                                "orq %0, (%%rsp)\n\t"
                                "popfq\n\t"
                                "movq 1(%1), %%rax" ::"i"(RFLAGS_AC),
                                "r"(words)
                                : "rax", "cc", "memory"));
    if (t.vector == NO_TRAP && cpu_is_qemu_tcg())
        SKIP("QEMU's TCG does not check alignment");
    EXPECT_EQ(t.vector, TRAP_AC);
}

TEST(traps, xm_sse_division_unmasked)
{
    const uint32_t unmasked = 0x1f80 & ~(1u << 9), usual = 0x1f80;
    const uint64_t one = 0x3ff0000000000000ul, zero = 0;
    struct trap t;

    t = CATCH_TRAP(asm volatile("ldmxcsr %0\n\t"
                                "movsd %1, %%xmm0\n\t"
                                "divsd %2, %%xmm0" ::"m"(unmasked),
                                "m"(one), "m"(zero)));
    asm volatile("ldmxcsr %0" ::"m"(usual));
    if (t.vector == NO_TRAP && cpu_is_qemu_tcg())
        SKIP("QEMU's TCG does not raise SSE exceptions");
    EXPECT_EQ(t.vector, TRAP_XM);
}

/*
 * An NMI we send ourselves.  It is delivered on the way out of the hypercall,
 * and must be left by the iret hypercall, or no second one would come.
 */
TEST(traps, nmi_twice)
{
    trap_handler_t *old = trap_set_handler(TRAP_NMI, count_hit);

    hits = 0;
    EXPECT_EQ(hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(hits, 1);
    EXPECT_EQ(hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(hits, 2);
    trap_set_handler(TRAP_NMI, old);
}

/*
 * Registers survive an exception and the way back, whatever the handler does
 * with those that C lets it use.
 */
static bool clobber(struct regs *regs __unused, uint64_t address __unused)
{
    asm volatile("movq $-1, %%rax\n\t"
                 "movq $-2, %%rcx\n\t"
                 "movq $-3, %%rdx\n\t"
                 "movq $-4, %%rsi\n\t"
                 "movq $-5, %%rdi\n\t"
                 "movq $-6, %%r8\n\t"
                 "movq $-7, %%r9\n\t"
                 "movq $-8, %%r10\n\t"
                 "movq $-9, %%r11" ::
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
                       "r11");
    return true;
}

TEST(traps, registers_survive)
{
    trap_handler_t *old = trap_set_handler(TRAP_BP, clobber);
    uint64_t in[13], out[13];
    uint64_t *from = in, *to = out;

    for (unsigned int i = 0; i < ARRAY_SIZE(in); i++)
        in[i] = test_random();

    /* r15 holds the arrays' addresses, rbp is the frame pointer: by use. */
    asm volatile("movq %0, %%r15\n\t"
                 "movq 0(%%r15), %%rax\n\t"
                 "movq 8(%%r15), %%rbx\n\t"
                 "movq 16(%%r15), %%rcx\n\t"
                 "movq 24(%%r15), %%rdx\n\t"
                 "movq 32(%%r15), %%rsi\n\t"
                 "movq 40(%%r15), %%rdi\n\t"
                 "movq 48(%%r15), %%r8\n\t"
                 "movq 56(%%r15), %%r9\n\t"
                 "movq 64(%%r15), %%r10\n\t"
                 "movq 72(%%r15), %%r11\n\t"
                 "movq 80(%%r15), %%r12\n\t"
                 "movq 88(%%r15), %%r13\n\t"
                 "movq 96(%%r15), %%r14\n\t"
                 "pushq %1\n\t"
                 "int3\n\t"
                 "popq %%r15\n\t"
                 "movq %%rax, 0(%%r15)\n\t"
                 "movq %%rbx, 8(%%r15)\n\t"
                 "movq %%rcx, 16(%%r15)\n\t"
                 "movq %%rdx, 24(%%r15)\n\t"
                 "movq %%rsi, 32(%%r15)\n\t"
                 "movq %%rdi, 40(%%r15)\n\t"
                 "movq %%r8, 48(%%r15)\n\t"
                 "movq %%r9, 56(%%r15)\n\t"
                 "movq %%r10, 64(%%r15)\n\t"
                 "movq %%r11, 72(%%r15)\n\t"
                 "movq %%r12, 80(%%r15)\n\t"
                 "movq %%r13, 88(%%r15)\n\t"
                 "movq %%r14, 96(%%r15)\n\t"
                 :
                 : "m"(from), "m"(to)
                 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
                   "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    trap_set_handler(TRAP_BP, old);
    for (unsigned int i = 0; i < ARRAY_SIZE(in); i++)
        EXPECT_EQ(out[i], in[i]);
}

/* The handler is C and wants DF clear; the interrupted code keeps its own. */
static uint64_t flags_in_handler;
static bool note_flags(struct regs *regs __unused, uint64_t address __unused)
{
    flags_in_handler = read_rflags();
    return true;
}

TEST(traps, direction_flag_is_cleared_and_restored)
{
    trap_handler_t *old = trap_set_handler(TRAP_BP, note_flags);
    uint64_t flags;

    asm volatile("std\n\t"
                 "int3\n\t"
                 "pushfq\n\t"
                 "popq %0\n\t"
                 "cld"
                 : "=r"(flags)::"cc", "memory");
    trap_set_handler(TRAP_BP, old);
    EXPECT(flags & RFLAGS_DF);
    EXPECT(!(flags_in_handler & RFLAGS_DF));
}

TEST(traps, unset_handler_is_none)
{
    trap_handler_t *old = trap_set_handler(TRAP_UD, count_hit);

    EXPECT(trap_set_handler(TRAP_UD, old) == count_hit);
    EXPECT_FAULT(TRAP_UD, asm volatile("ud2"));
}

/* An `int n` whose gate is not for the kernel: #GP with the IDT's entry. */
TEST(traps, int_n_without_the_right)
{
    const struct trap t = CATCH_TRAP(asm volatile("int $13"));

    /* QEMU before 8.0 scales the index by 16 and not by 8. */
    if (t.vector == TRAP_GP && t.error == 13 * 16 + 2 && cpu_is_qemu_tcg())
        SKIP("this QEMU reports the wrong IDT entry for int n");
    EXPECT_EQ(t.vector, TRAP_GP);
    EXPECT_EQ(t.error, 13 * 8 + 2);
}

/*
 * Catching.
 */
TEST(catch, inner_one_first_then_outer)
{
    struct trap_catch outer;
    volatile unsigned int order = 0;

    if (trap_catch_begin(&outer) == 0) {
        EXPECT_FAULT(TRAP_UD, asm volatile("ud2"));
        order = 1;
        asm volatile("int3");
        trap_catch_end(&outer);
        EXPECT(!"reached");
    }
    EXPECT_EQ(order, 1);
    EXPECT_EQ(outer.trap.vector, TRAP_BP);
}

static void __noinline deeper(unsigned int n)
{
    volatile char here[64];

    here[0] = n;
    if (n == 0)
        asm volatile("ud2");
    else
        deeper(n - 1);
    here[1] = here[0];
}

/* Flags that C wants clear are so again behind a catch. */
TEST(catch, flags_are_clean_afterwards)
{
    EXPECT_FAULT(TRAP_UD, asm volatile("std\n\t"
                                       "ud2" ::
                                           : "cc", "memory"));
    EXPECT(!(read_rflags() & (RFLAGS_DF | RFLAGS_AC | RFLAGS_TF)));
}

/*
 * An NMI while a catch is armed, and at an instruction that may fault, goes to
 * its handler and to nobody else; and leaves the last fault's address alone.
 */
static bool fault_in_nmi(struct regs *regs __unused, uint64_t address __unused)
{
    uint64_t value;

    hits += probe_read((void *)0x2000, &value) == -EFAULT;
    return true;
}

TEST(catch, nmi_is_not_caught)
{
    trap_handler_t *old = trap_set_handler(TRAP_NMI, fault_in_nmi);
    uint64_t value;

    hits = 0;
    EXPECT_EQ(probe_read((void *)0x1000, &value), -EFAULT);
    EXPECT_EQ(CATCH_TRAP(hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL)).vector,
              NO_TRAP);
    EXPECT_EQ(hits, 1);
    EXPECT_EQ(shared_info_cr2(), 0x1000);
    trap_set_handler(TRAP_NMI, old);
}

TEST(catch, from_deep_inside)
{
    EXPECT_FAULT(TRAP_UD, deeper(20));
}

TEST(catch, probes_read_and_write_what_is_there)
{
    volatile uint64_t word = 0x1122334455667788;
    uint64_t value = 0;

    EXPECT_EQ(probe_read(&word, &value), 0);
    EXPECT_EQ(value, 0x1122334455667788);
    EXPECT_EQ(probe_read_or(&word, 7), 0x1122334455667788);
    EXPECT_EQ(probe_write(&word, 42), 0);
    EXPECT_EQ(word, 42);
}

TEST(catch, probes_fail_without_a_trap)
{
    uint64_t value = 7;

    EXPECT_EQ(probe_read((void *)0x1000, &value), -EFAULT);
    EXPECT_EQ(value, 7);
    EXPECT_EQ(probe_read_or((void *)0x1000, 7), 7);
    EXPECT_EQ(probe_write((void *)0x1000, 1), -EFAULT);
    EXPECT_EQ(probe_read((void *)NON_CANONICAL, &value), -EFAULT);
}

/* Two loads that fault, with their fix-ups given in the wrong order. */
TEST(catch, fix_ups_in_any_order)
{
    unsigned int found = 0;

    asm volatile("1: movq (%[p]), %%rax\n\t"
                 "   jmp 3f\n\t"
                 "2: orl $1, %[found]\n\t"
                 "3: movq (%[p]), %%rax\n\t"
                 "   jmp 5f\n\t"
                 "4: orl $2, %[found]\n\t"
                 "5:\n\t" ASM_EXTABLE("3b", "4b") ASM_EXTABLE("1b", "2b")
                 : [found] "+r"(found)
                 : [p] "r"(0x1000ul)
                 : "rax", "memory", "cc");
    EXPECT_EQ(found, 3);
}

/* Each is found, and what is beside it is not. */
TEST(catch, every_fix_up_is_found)
{
    extern const uint64_t __start_ex_table[][2], __stop_ex_table[][2];
    const uint64_t(*e)[2];

    for (e = __start_ex_table; e < __stop_ex_table; e++) {
        EXPECT_EQ(extable_find((*e)[0]), (*e)[1]);
        EXPECT_EQ(extable_find((*e)[0] + 1), 0);
        EXPECT_EQ(extable_find((*e)[0] - 1), 0);
    }
    EXPECT(e - __start_ex_table > 2);
}

/*
 * Failsafe: a selector that was good goes bad while we hold it, and Xen finds
 * out when it next switches to this vCPU.  For that the vCPU has to be switched
 * away: by sleeping while dom0 runs on the same CPU, or, in dom0, by being
 * moved to another CPU.
 */
static uint64_t gdt[PAGE_SIZE / 8] __aligned(PAGE_SIZE);

#define GDT_ENTRY    1
#define GDT_SELECTOR (GDT_ENTRY << 3 | 3)
#define DATA_DPL3    0x00cff3000000ffffull

static void sleep_ms(unsigned int ms)
{
    struct sched_poll poll = {
        .timeout = system_time_ns() + ms * NSEC_PER_MSEC,
    };

    (void)hypercall_sched_op(SCHEDOP_poll, &poll);
}

/* Run on @cpu for a moment, and perhaps longer; only dom0 may ask for that. */
static int run_on(int cpu)
{
    struct sched_pin_override pin = { .pcpu = cpu };
    const int rc = hypercall_sched_op(SCHEDOP_pin_override, &pin);

    sleep_ms(1);
    pin.pcpu = -1;
    (void)hypercall_sched_op(SCHEDOP_pin_override, &pin);
    return rc;
}

/* Hand @gdt to Xen with one good data segment, or take it back. */
static int own_gdt(bool on)
{
    const mfn_t mfn = p2m_lookup(linear_pfn((uintptr_t)gdt));
    uint64_t frame = mfn_x(mfn);
    int rc;

    if (on) {
        gdt[GDT_ENTRY] = DATA_DPL3;
        rc = hypercall_update_va_mapping(
            ptr_to_vaddr(gdt), pte_make(mfn, PTE_P | PTE_NX), UVMF_INVLPG);
        return rc ? rc : hypercall_set_gdt(&frame, 512);
    }
    rc = hypercall_set_gdt(NULL, 0);
    return rc ? rc
              : hypercall_update_va_mapping(
                    ptr_to_vaddr(gdt),
                    pte_make(mfn, PTE_P | PTE_RW | PTE_A | PTE_D), UVMF_INVLPG);
}

static maddr_t gdt_entry_maddr(void)
{
    const mfn_t mfn = p2m_lookup(linear_pfn((uintptr_t)gdt));

    return maddr_add(mfn_to_maddr(mfn), GDT_ENTRY * 8);
}

static void load_ds(unsigned int selector)
{
    asm volatile("movw %w0, %%ds" ::"r"(selector) : "memory");
}

TEST(traps, np_segment_not_present)
{
    struct trap t;

    REQUIRE(own_gdt(true) == 0);
    EXPECT_EQ(hypercall_update_descriptor(gdt_entry_maddr(),
                                          DATA_DPL3 & ~(1ull << 47)),
              0);
    t = CATCH_TRAP(load_ds(GDT_SELECTOR));
    load_ds(0);
    EXPECT_EQ(own_gdt(false), 0);
    EXPECT_EQ(t.vector, TRAP_NP);
    EXPECT_EQ(t.error, GDT_ENTRY << 3);
}

TEST(traps, failsafe_by_a_selector_gone_bad)
{
    const unsigned int before = trap_failsafe_info().count;
    const uint64_t deadline = ktime_ns() + NSEC_PER_SEC;
    uint16_t ds;

    REQUIRE(own_gdt(true) == 0);
    load_ds(GDT_SELECTOR);
    EXPECT_EQ(hypercall_update_descriptor(gdt_entry_maddr(), 0), 0);

    while (trap_failsafe_info().count == before && ktime_ns() < deadline) {
        (void)run_on(0);
        (void)run_on(1);
    }
    asm volatile("movw %%ds, %0" : "=r"(ds));
    load_ds(0);
    EXPECT_EQ(own_gdt(false), 0);

    /* Loaded still: nobody has tried to load it again. */
    if (trap_failsafe_info().count == before && ds == GDT_SELECTOR)
        SKIP("Xen did not switch away from this vCPU for a second");
    EXPECT_EQ(trap_failsafe_info().count, before + 1);
    EXPECT_EQ(trap_failsafe_info().ds, GDT_SELECTOR);
    EXPECT_EQ(ds, 0);
}

/*
 * Names and stacks.
 */
TEST(symbols, function_and_offset)
{
    const uint64_t address = (uintptr_t)test_random + 3;
    uint64_t offset = 0;

    EXPECT_STR(symbol_lookup(address, &offset), "test_random");
    EXPECT_EQ(offset, 3);
    EXPECT_STR(symbol_lookup(address - 3, &offset), "test_random");
    EXPECT_EQ(offset, 0);
    EXPECT(symbol_lookup((uintptr_t)gdt, &offset) == NULL);
    EXPECT(symbol_lookup(0, &offset) == NULL);
}

TEST(symbols, hypercall_slots_have_names)
{
    extern const char hypercall_slot_iret[];
    uint64_t offset = 1;
    const char *name =
        symbol_lookup((uintptr_t)hypercall_slot_iret + 7, &offset);

    REQUIRE(name != NULL);
    EXPECT_STR(name, "hypercall_slot_iret");
    EXPECT_EQ(offset, 7);
}

TEST(stack, this_one_is_known)
{
    const struct stack *s = stack_find((uintptr_t)__builtin_frame_address(0));

    REQUIRE(s != NULL);
    EXPECT_STR(s->name, "main");
    EXPECT(stack_find((uintptr_t)gdt) == NULL);
}

/* SPDX-License-Identifier: MIT */
/* What is said of a trap that nobody expected; the last thing before panic. */
#include <arch/cpu.h>
#include <plinth/backtrace.h>
#include <plinth/bug.h>
#include <plinth/printk.h>
#include <plinth/trap.h>
#include <plinth/walk.h>

static void print_error_code(const struct regs *regs)
{
    const uint32_t e = regs->error;

    switch (regs->vector) {
    case TRAP_PF:
        pr_emerg("  error code %#x: %s, %s, from %s mode%s", e,
                 e & PF_FETCH   ? "instruction fetch"
                 : e & PF_WRITE ? "write"
                                : "read",
                 e & PF_PRESENT ? "page present but not so permitted"
                                : "page not present",
                 e & PF_USER ? "user" : "kernel",
                 e & PF_RSVD ? ", reserved bit set" : "");
        break;
    case TRAP_TS:
    case TRAP_NP:
    case TRAP_SS:
    case TRAP_GP:
        if (e == 0)
            pr_emerg("  error code 0: no selector involved");
        else
            pr_emerg("  error code %#x: %s entry %u%s", e,
                     e & 2   ? "IDT"
                     : e & 4 ? "LDT"
                             : "GDT",
                     e >> 3, e & 1 ? ", external" : "");
        break;
    case TRAP_DF:
    case TRAP_AC:
    case TRAP_CP:
        pr_emerg("  error code %#x", e);
        break;
    default:
        break;
    }
}

static void print_regs(const struct regs *r)
{
    pr_emerg("  rip %016lx  cs %04x  rflags %08lx  upcall mask %u", r->rip,
             r->cs & 0xffff, r->rflags, r->saved_upcall_mask & 0xff);
    pr_emerg("  rsp %016lx  ss %04lx  cr3 %016lx", r->rsp, r->ss & 0xffff,
             read_cr3());
    pr_emerg("  rax %016lx  rbx %016lx  rcx %016lx", r->rax, r->rbx, r->rcx);
    pr_emerg("  rdx %016lx  rsi %016lx  rdi %016lx", r->rdx, r->rsi, r->rdi);
    pr_emerg("  rbp %016lx  r8  %016lx  r9  %016lx", r->rbp, r->r8, r->r9);
    pr_emerg("  r10 %016lx  r11 %016lx  r12 %016lx", r->r10, r->r11, r->r12);
    pr_emerg("  r13 %016lx  r14 %016lx  r15 %016lx", r->r13, r->r14, r->r15);
}

/* Page-table walk of a faulting address, one line a level. */
static void print_walk(uint64_t address)
{
    struct walk w;
    int level;

    walk_address(_vaddr(address), &w);
    pr_emerg("  page tables of %016lx:", address);
    for (level = PT_LEVELS; level >= (int)w.last; level--) {
        const pte_t pte = w.entry[level];

        pr_emerg("    L%d[%3u] = %016lx %s", level,
                 pt_index(_vaddr(address), level), pte.raw,
                 !pte_present(pte)  ? "not present"
                 : pte.raw & PTE_NX ? (pte.raw & PTE_RW ? "RW-" : "R--")
                                    : (pte.raw & PTE_RW ? "RWX" : "R-X"));
    }
    if (w.unreadable)
        pr_emerg("    (the next table cannot be read)");
}

void trap_report(const struct regs *regs, uint64_t address)
{
    panic_begin();
    pr_emerg("Unexpected trap: vector %lu, %s", regs->vector,
             trap_name(regs->vector));
    print_error_code(regs);
    print_regs(regs);
    if (regs->vector == TRAP_PF)
        print_walk(address);

    backtrace_from(regs->rip, regs->rbp);
    if (regs->vector == TRAP_PF)
        panic_quiet("unexpected %s at %p on 0x%lx", trap_name(regs->vector),
                    (void *)regs->rip, address);
    panic_quiet("unexpected %s at %p", trap_name(regs->vector),
                (void *)regs->rip);
}

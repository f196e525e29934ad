/* SPDX-License-Identifier: MIT */
#include <arch/asm.h>
#include <arch/cpu.h>
#include <plinth/backtrace.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/printk.h>
#include <plinth/shared_info.h>
#include <plinth/stack.h>
#include <plinth/trap.h>
#include <plinth/walk.h>

/* In entry.S. */
void trap_entry_de(void);
void trap_entry_db(void);
void trap_entry_nmi(void);
void trap_entry_bp(void);
void trap_entry_of(void);
void trap_entry_br(void);
void trap_entry_ud(void);
void trap_entry_nm(void);
void trap_entry_df(void);
void trap_entry_cso(void);
void trap_entry_ts(void);
void trap_entry_np(void);
void trap_entry_ss(void);
void trap_entry_gp(void);
void trap_entry_pf(void);
void trap_entry_spv(void);
void trap_entry_mf(void);
void trap_entry_ac(void);
void trap_entry_mc(void);
void trap_entry_xm(void);
void trap_entry_ve(void);
void trap_entry_cp(void);
void trap_entry_upcall(void);
void failsafe_callback(void);

/* Called from there. */
void trap_dispatch(struct regs *regs);
void trap_failsafe(const struct failsafe_frame *frame);
int trap_catch_arm(struct trap_catch *c);

#define VECTOR_UPCALL 0x100 /* as in entry.S */

/* May be raised by `int n`; 3 and 4 by their own instructions from anywhere. */
#define DPL0 0
#define DPL3 3

#define KERNEL_CS FLAT_KERNEL_CS

/* clang-format off */
static const struct {
    const char *name;
    void (*entry)(void);
    uint8_t dpl;
} vectors[] = {
    [0]  = { "divide error (#DE)",              trap_entry_de,  DPL0 },
    [1]  = { "debug (#DB)",                     trap_entry_db,  DPL0 },
    [2]  = { "NMI",                             trap_entry_nmi, DPL0 },
    [3]  = { "breakpoint (#BP)",                trap_entry_bp,  DPL3 },
    [4]  = { "overflow (#OF)",                  trap_entry_of,  DPL3 },
    [5]  = { "bound range (#BR)",               trap_entry_br,  DPL0 },
    [6]  = { "invalid opcode (#UD)",            trap_entry_ud,  DPL0 },
    [7]  = { "device not available (#NM)",      trap_entry_nm,  DPL0 },
    [8]  = { "double fault (#DF)",              trap_entry_df,  DPL0 },
    [9]  = { "coprocessor segment overrun",     trap_entry_cso, DPL0 },
    [10] = { "invalid TSS (#TS)",               trap_entry_ts,  DPL0 },
    [11] = { "segment not present (#NP)",       trap_entry_np,  DPL0 },
    [12] = { "stack fault (#SS)",               trap_entry_ss,  DPL0 },
    [13] = { "general protection (#GP)",        trap_entry_gp,  DPL0 },
    [14] = { "page fault (#PF)",                trap_entry_pf,  DPL0 },
    [15] = { "spurious interrupt",              trap_entry_spv, DPL0 },
    [16] = { "x87 error (#MF)",                 trap_entry_mf,  DPL0 },
    [17] = { "alignment check (#AC)",           trap_entry_ac,  DPL0 },
    [18] = { "machine check (#MC)",             trap_entry_mc,  DPL0 },
    [19] = { "SIMD error (#XM)",                trap_entry_xm,  DPL0 },
    [20] = { "virtualization exception (#VE)",  trap_entry_ve,  DPL0 },
    [21] = { "control protection (#CP)",        trap_entry_cp,  DPL0 },
};
/* clang-format on */

static trap_handler_t *handlers[TRAP_VECTORS];
static struct trap_catch *innermost;
static struct trap_failsafe_info failsafe;

struct extable_entry {
    int32_t insn, fixup; /* relative to themselves */
};
extern const struct extable_entry __start_ex_table[], __stop_ex_table[];

const char *trap_name(unsigned int vector)
{
    return vector < ARRAY_SIZE(vectors) ? vectors[vector].name
                                        : "unknown vector";
}

static void register_callback(unsigned int type, void (*fn)(void))
{
    struct callback_register cb = {
        .type = type,
        .address = (unsigned long)fn,
    };
    const int rc = hypercall_callback_op(CALLBACKOP_register, &cb);

    if (rc != 0)
        panic("trap: Xen refuses callback %u: %s", type, errno_name(rc));
}

void trap_init(void)
{
    struct trap_info table[ARRAY_SIZE(vectors) + 1] = { 0 };
    int rc;

    for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++)
        table[i] = (struct trap_info){
            .vector = i,
            .flags = vectors[i].dpl,
            .cs = KERNEL_CS,
            .address = (unsigned long)vectors[i].entry,
        };

    rc = hypercall_set_trap_table(table);
    if (rc != 0)
        panic("trap: Xen refuses the trap table: %s", errno_name(rc));

    register_callback(CALLBACKTYPE_event, trap_entry_upcall);
    register_callback(CALLBACKTYPE_failsafe, failsafe_callback);
}

trap_handler_t *trap_set_handler(enum trap_vector vector, trap_handler_t *fn)
{
    trap_handler_t *before = handlers[vector];

    handlers[vector] = fn;
    return before;
}

unsigned int trap_handlers_set(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < TRAP_VECTORS; i++)
        n += handlers[i] != NULL;
    return n;
}

struct trap_failsafe_info trap_failsafe_info(void)
{
    return failsafe;
}

void trap_failsafe(const struct failsafe_frame *frame)
{
    failsafe.count++;
    failsafe.ds = frame->ds;
    failsafe.es = frame->es;
    failsafe.fs = frame->fs;
    failsafe.gs = frame->gs;
}

int trap_catch_arm(struct trap_catch *c)
{
    c->outer = innermost;
    innermost = c;
    return 0;
}

void trap_catch_end(struct trap_catch *c)
{
    BUG_ON(innermost != c);
    innermost = c->outer;
}

int probe_read(const volatile void *p, uint64_t *value)
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

int probe_write(volatile void *p, uint64_t value)
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

static uint64_t here(const int32_t *field)
{
    return (uint64_t)field + (int64_t)*field;
}

static bool fixed_up(struct regs *regs)
{
    const struct extable_entry *e;

    for (e = __start_ex_table; e < __stop_ex_table; e++) {
        if (here(&e->insn) == regs->rip) {
            regs->rip = here(&e->fixup);
            return true;
        }
    }
    return false;
}

static bool caught(struct regs *regs, uint64_t address)
{
    struct trap_catch *c = innermost;

    if (c == NULL)
        return false;

    innermost = c->outer;
    c->trap = (struct trap){
        .vector = regs->vector,
        .error = regs->error,
        .address = address,
        .rip = regs->rip,
    };
    regs->rip = c->rip;
    regs->rsp = c->rsp;
    regs->rbx = c->rbx;
    regs->rbp = c->rbp;
    regs->r12 = c->r12;
    regs->r13 = c->r13;
    regs->r14 = c->r14;
    regs->r15 = c->r15;
    regs->rax = 1;
    return true;
}

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
                 !pte_present(pte)     ? "not present"
                 : pte.raw & PTE_NX ? (pte.raw & PTE_RW ? "RW-" : "R--")
                                    : (pte.raw & PTE_RW ? "RWX" : "R-X"));
    }
    if (w.unreadable)
        pr_emerg("    (the next table cannot be read)");
}

static void __noreturn unexpected(struct regs *regs, uint64_t address)
{
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

void trap_dispatch(struct regs *regs)
{
    const uint64_t address =
        regs->vector == TRAP_PF ? shared_info_cr2() : 0;
    const bool from_kernel = (regs->cs & 3) == 0;

    if (regs->vector == VECTOR_UPCALL)
        panic("event upcall although events are masked");

    if (from_kernel && fixed_up(regs))
        return;

    if (handlers[regs->vector] != NULL &&
        handlers[regs->vector](regs, address))
        return;

    if (from_kernel && caught(regs, address))
        return;

    unexpected(regs, address);
}

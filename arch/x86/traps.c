/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/extable.h>
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/shared_info.h>
#include <plinth/trap.h>

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

#define TI_MASK_EVENTS 4 /* public arch-x86/xen.h: TI_SET_IF() */

/* clang-format off */
static const struct {
    const char *name;
    void (*entry)(void);
} vectors[] = {
    [0]  = { "divide error (#DE)",              trap_entry_de },
    [1]  = { "debug (#DB)",                     trap_entry_db },
    [2]  = { "NMI",                             trap_entry_nmi },
    [3]  = { "breakpoint (#BP)",                trap_entry_bp },
    [4]  = { "overflow (#OF)",                  trap_entry_of },
    [5]  = { "bound range (#BR)",               trap_entry_br },
    [6]  = { "invalid opcode (#UD)",            trap_entry_ud },
    [7]  = { "device not available (#NM)",      trap_entry_nm },
    [8]  = { "double fault (#DF)",              trap_entry_df },
    [9]  = { "coprocessor segment overrun",     trap_entry_cso },
    [10] = { "invalid TSS (#TS)",               trap_entry_ts },
    [11] = { "segment not present (#NP)",       trap_entry_np },
    [12] = { "stack fault (#SS)",               trap_entry_ss },
    [13] = { "general protection (#GP)",        trap_entry_gp },
    [14] = { "page fault (#PF)",                trap_entry_pf },
    [15] = { "spurious interrupt",              trap_entry_spv },
    [16] = { "x87 error (#MF)",                 trap_entry_mf },
    [17] = { "alignment check (#AC)",           trap_entry_ac },
    [18] = { "machine check (#MC)",             trap_entry_mc },
    [19] = { "SIMD error (#XM)",                trap_entry_xm },
    [20] = { "virtualization exception (#VE)",  trap_entry_ve },
    [21] = { "control protection (#CP)",        trap_entry_cp },
};
/* clang-format on */

static trap_handler_t *handlers[TRAP_VECTORS];
static struct trap_failsafe_info failsafe;

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

    extable_init();
    /*
     * Flags 0: no vector may be raised by `int n`; 3 and 4 may all the same.
     * Events stay masked during an NMI or a machine check: an upcall may lead to
     * a thread that goes to user mode, and its iret hypercall would end the
     * blocking of others too early.
     */
    for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++)
        table[i] = (struct trap_info){
            .vector = i,
            .flags = i == TRAP_NMI || i == TRAP_MC ? TI_MASK_EVENTS : 0,
            .cs = FLAT_KERNEL_CS,
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
    c->outer = this_vcpu()->catch;
    c->in_event = this_vcpu()->in_event;
    this_vcpu()->catch = c;
    return 0;
}

void trap_catch_end(struct trap_catch *c)
{
    BUG_ON(this_vcpu()->catch != c);
    this_vcpu()->catch = c->outer;
}

/*
 * Faults of the instruction at RIP.  An NMI, a machine check or a debug trap
 * only happens to arrive there, and is no answer to what was tried.
 */
static bool is_fault(const struct regs *regs)
{
    return regs->vector != TRAP_NMI && regs->vector != TRAP_MC &&
           regs->vector != TRAP_DB;
}

static bool fixed_up(struct regs *regs)
{
    const uint64_t fixup = is_fault(regs) ? extable_find(regs->rip) : 0;

    if (fixup != 0)
        regs->rip = fixup;
    return fixup != 0;
}

static bool caught(struct regs *regs, uint64_t address)
{
    struct trap_catch *c = this_vcpu()->catch;

    /* A fault of an event handler is not the interrupted code's to catch. */
    if (c == NULL || !is_fault(regs) || c->in_event != this_vcpu()->in_event)
        return false;

    this_vcpu()->catch = c->outer;
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
    /* Whoever armed the catch had these clear, as the ABI wants. */
    regs->rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
    return true;
}

bool trap_offer(struct regs *regs, uint64_t address)
{
    trap_handler_t *fn = handlers[regs->vector];

    return fn != NULL && fn(regs, address);
}

static void dispatch(struct regs *regs, uint64_t address)
{
    if (fixed_up(regs))
        return;

    if (trap_offer(regs, address))
        return;

    if (caught(regs, address))
        return;

    trap_report(regs, address);
}

void trap_dispatch(struct regs *regs)
{
    const uint64_t cr2 = shared_info_cr2();

    dispatch(regs, regs->vector == TRAP_PF ? cr2 : 0);

    /*
     * One of these may come between a page fault and the line that reads its
     * address.  A fault of their handlers must not change it.
     */
    if (!is_fault(regs))
        shared_info_set_cr2(cr2);
}

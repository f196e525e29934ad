/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/segments.h>
#include <plinth/shared_info.h>
#include <plinth/space.h>
#include <plinth/trap.h>
#include <plinth/upcall.h>
#include <plinth/user.h>

/* In user_entry.S. */
unsigned int user_enter(struct user_context *u);
void user_unblock_nmis(void);
void user_syscall_entry(void);

/* Called from there. */
unsigned int user_prepare(struct user_context *u, uintptr_t sp);

/* What user mode may have in RFLAGS; the rest is the kernel's and Xen's. */
#define RFLAGS_USER                                                            \
    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF |   \
     RFLAGS_DF | RFLAGS_OF | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

/* What Xen was last told by stack_switch. */
static uintptr_t stack[MAX_VCPUS];

void user_init(void)
{
    struct callback_register cb = {
        .type = CALLBACKTYPE_syscall,
        .address = (unsigned long)user_syscall_entry,
    };
    const int rc = hypercall_callback_op(CALLBACKOP_register, &cb);

    if (rc != 0)
        panic("user: Xen refuses the syscall callback: %s", errno_name(rc));
}

void user_context_init(struct user_context *u, vaddr_t entry, vaddr_t sp)
{
    static uint64_t ids;

    *u = (struct user_context){
        .regs.rip = vaddr_x(entry),
        .regs.rsp = vaddr_x(sp),
        .regs.cs = FLAT_USER_CS64,
        .regs.ss = FLAT_USER_SS64,
        .id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED),
    };
}

void user_interrupt(void)
{
    this_vcpu()->user_interrupt = true;
}

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/*
 * A CS of privilege level 0 to 2 tells the iret hypercall to stay in kernel mode,
 * and the others but the two flat ones are Xen's or nobody's.  For a RIP that is
 * not canonical the CPU would raise #GP in Xen's own iret; it does not come to
 * that.
 */
static bool cannot_be(struct user_context *u)
{
    const uint32_t cs = u->regs.cs & 0xffff;
    const bool bad_cs = cs != FLAT_USER_CS64 && cs != FLAT_USER_CS32;

    if (likely(!bad_cs && is_canonical(u->regs.rip)))
        return false;
    u->regs.vector = TRAP_GP;
    u->regs.error = bad_cs ? cs & 0xfffc : 0;
    return true;
}

/*
 * Last things before user mode: events are masked, and stay so.  0, or a vector
 * if it is not to be entered at all.
 */
unsigned int user_prepare(struct user_context *u, uintptr_t sp)
{
    struct regs *regs = &u->regs;

    if (unlikely(this_vcpu()->user_interrupt)) {
        regs->vector = VECTOR_UPCALL;
        return VECTOR_UPCALL;
    }
    if (unlikely(cannot_be(u)))
        return TRAP_GP;
    regs->rflags = (regs->rflags & RFLAGS_USER) | RFLAGS_FIXED |
                   (regs->rflags & RFLAGS_IF);
    regs->cs &= 0xffff;
    regs->saved_upcall_mask = 0;
    regs->ss = FLAT_USER_SS64;
    if (unlikely(stack[vcpu_id()] != sp)) {
        BUG_ON(hypercall_stack_switch(FLAT_KERNEL_SS, sp) != 0);
        stack[vcpu_id()] = sp;
    }
    return 0;
}

/* What it came back for is for the caller, or else the kernel's own affair. */
static bool is_callers(struct user_context *u, unsigned int vector)
{
    switch (vector) {
    case VECTOR_UPCALL: {
        const bool asked = this_vcpu()->user_interrupt;

        this_vcpu()->user_interrupt = false;
        return asked;
    }

    case TRAP_PF:
        u->address = shared_info_cr2();
        return true;

    case TRAP_DB:
        return !trap_offer(&u->regs, 0);

    case TRAP_NMI:
    case TRAP_MC:
        if (!trap_offer(&u->regs, 0))
            trap_report(&u->regs, 0);
        /* The run may end before the next iret hypercall. */
        user_unblock_nmis();
        return false;

    default:
        return true;
    }
}

/* Masks of events end here as they were: Xen masks them on some ways out. */
int user_run(struct user_context *u)
{
    const bool masked = upcall_mask();
    unsigned int vector;
    int rc;

    ASSERT(!this_vcpu()->in_event);
    for (;;) {
        rc = mfn_x(space_current()->user_l4) == 0
                 ? -EINVAL
                 : segment_bases_for_user(u->id, u->fs_base, u->gs_base);
        if (unlikely(rc != 0))
            break;
        u->regs.rflags &= ~(uint64_t)RFLAGS_IF;
        u->regs.rflags |= masked ? 0 : RFLAGS_IF;
        vector = user_enter(u);
        rc = vector == VECTOR_SYSCALL  ? USER_SYSCALL
             : vector == VECTOR_UPCALL ? USER_INTERRUPTED
                                       : USER_FAULT;
        if (likely(rc == USER_SYSCALL) || is_callers(u, vector))
            break;
        (void)upcall_mask();
    }
    (void)upcall_mask();
    segment_base_for_kernel();
    upcall_restore(masked);
    return rc;
}

/*
 * Copying.
 */
static bool in_user_half(vaddr_t va, size_t n)
{
    return vaddr_x(va) <= USER_END && n <= USER_END - vaddr_x(va);
}

/* Words, then bytes.  A fault stops it with a count in RCX. */
static int copy(void *to, const void *from, size_t n)
{
    size_t left = n / 8;

    asm volatile("1: rep movsq\n\t"
                 "   movq %[tail], %%rcx\n\t"
                 "2: rep movsb\n\t"
                 "3:\n\t" ASM_EXTABLE("1b", "3b") ASM_EXTABLE("2b", "3b")
                 : "+c"(left), "+D"(to), "+S"(from)
                 : [tail] "r"(n % 8)
                 : "memory");
    return left == 0 ? 0 : -EFAULT;
}

int user_copy_in(void *to, vaddr_t from, size_t n)
{
    return in_user_half(from, n) ? copy(to, vaddr_to_ptr(from), n) : -EFAULT;
}

int user_copy_out(vaddr_t to, const void *from, size_t n)
{
    return in_user_half(to, n) ? copy(vaddr_to_ptr(to), from, n) : -EFAULT;
}

/* SPDX-License-Identifier: MIT */
/*
 * user: running code in user mode.
 *
 *     user_context_init(&u, entry, stack);
 *     for (;;) {
 *         why = user_run(&u);
 *         ... do what a system call asks for, mend or end what has faulted
 *     }
 *
 * user_run() goes to user mode and is back when that code wants something or
 * must be stopped: it is a call that returns, so whoever runs user code has its
 * system calls and faults in its own loop, on its own stack, with its own locals.
 * There is no table of system calls and no handler to register.
 *
 * User mode sees the user half of the loaded space (plinth/space.h), and nothing
 * of the kernel's: Xen has other page tables loaded meanwhile.  A hypercall of
 * its own is not possible: `syscall` there ends in USER_SYSCALL.
 *
 * An event that arrives in user mode is handled on the event stack, and user
 * mode goes on, unless a handler has called user_interrupt().
 *
 * The registers of FPU and SSE belong to user code: the kernel uses none, and
 * they stay as they are.  They change with the thread; who runs several contexts
 * on one thread saves and loads them between (XSAVE).
 *
 *   units    addresses of the user half
 *   owns     a context is the caller's memory
 *   context  threads, one for a context at a time; not event handlers
 *   failure  -EINVAL: the space that is loaded has no user mode; a base that is
 *            not canonical
 *   source   public/arch-x86/xen-x86_64.h: struct iret_context; callback.h:
 *            CALLBACKTYPE_syscall; xen.h: stack_switch
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/regs.h>
#include <plinth/compiler.h>
#include <plinth/pte.h>

/* The user half ends here; the page at 0 is never mapped. */
#define USER_END 0x0000800000000000ul

struct user_context {
    /*
     * All registers.  Any may be changed between two runs; what is no state for
     * user mode to be in becomes a fault of it (RIP, CS) or is put right (the
     * privileged bits of RFLAGS; SS).  After USER_FAULT also says which vector,
     * and the error code.
     */
    struct regs regs;
    uint64_t address; /* of a page fault */
    uint64_t fs_base; /* for thread-local storage.. */
    uint64_t gs_base; /* ..or what user code likes */
    uint64_t id;      /* of no other context, ever */
};

enum user_exit {
    USER_SYSCALL,     /* `syscall`: RCX and R11 are RIP and RFLAGS */
    USER_FAULT,       /* an exception: regs.vector, regs.error, address */
    USER_INTERRUPTED, /* user_interrupt(); nothing happened, run it again */
};

/* Tell Xen where `syscall` in user mode enters.  Panics when Xen refuses. */
void user_init(void);

/* Start at @entry with RSP = @stack and all else 0. */
void user_context_init(struct user_context *u, vaddr_t entry, vaddr_t stack);

/*
 * Run @u until it leaves user mode: enum user_exit.  A fault leaves RIP at the
 * instruction that faulted.  Events are as the caller had them, in user mode
 * too; if it had them masked, nothing but @u itself ends the run.
 */
int __must_check user_run(struct user_context *u);

/*
 * The user_run() of this vCPU is to return with USER_INTERRUPTED; if none goes
 * on, the next one at once.  Context: any; a timer's callback ends a time slice
 * with it.
 */
void user_interrupt(void);

/*
 * Copy @n bytes from and to user memory of the loaded space.  -EFAULT when not
 * all of it lies in the user half and is mapped with the right; some of it may
 * then have been copied.  Other threads of that space may change it meanwhile,
 * so what is checked must be a copy.
 */
int __must_check user_copy_in(void *to, vaddr_t from, size_t n);
int __must_check user_copy_out(vaddr_t to, const void *from, size_t n);

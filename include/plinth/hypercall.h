/* SPDX-License-Identifier: MIT */
/*
 * hypercall: one typed function per hypercall that is used.
 *
 * Each jumps into its 32-byte slot of the hypercall page, which the domain
 * builder filled (the HYPERCALL_PAGE note); the slots are symbols, so that a
 * disassembly and a backtrace show their names.  Xen may clobber the argument
 * registers; RCX and R11 are saved by the slot.
 *
 *   units    as in Xen's public headers
 *   owns     nothing; pointers are read or written during the call only, and
 *            must be mapped: Xen takes no page fault for us but says -EFAULT
 *   context  any; events masked or not
 *   failure  what Xen returned: 0 or positive, or a negative errno
 *   source   xen/include/public/xen.h and the header of each operation
 */
#pragma once

#include <stdint.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/xen.h>

#define HYPERCALL(name, inputs, ...)                                           \
    ({                                                                         \
        long ret_;                                                             \
        register long r10_ asm("r10");                                         \
        register long r8_ asm("r8");                                           \
        long rdi_, rsi_, rdx_;                                                 \
        HYPERCALL_ARGS_##inputs(__VA_ARGS__);                                  \
        asm volatile("call hypercall_slot_" #name                              \
                     : "=a"(ret_), "+D"(rdi_), "+S"(rsi_), "+d"(rdx_),         \
                       "+r"(r10_), "+r"(r8_)                                   \
                     :                                                         \
                     : "memory");                                              \
        ret_;                                                                  \
    })

#define HYPERCALL_ARGS_1(a)          HYPERCALL_ARGS_5(a, 0, 0, 0, 0)
#define HYPERCALL_ARGS_2(a, b)       HYPERCALL_ARGS_5(a, b, 0, 0, 0)
#define HYPERCALL_ARGS_3(a, b, c)    HYPERCALL_ARGS_5(a, b, c, 0, 0)
#define HYPERCALL_ARGS_4(a, b, c, d) HYPERCALL_ARGS_5(a, b, c, d, 0)
#define HYPERCALL_ARGS_5(a, b, c, d, e)                                        \
    (rdi_ = (long)(a), rsi_ = (long)(b), rdx_ = (long)(c), r10_ = (long)(d),   \
     r8_ = (long)(e))

/* Trap handlers of this vCPU; the array ends with an address of 0. */
static inline int hypercall_set_trap_table(const struct trap_info *table)
{
    return HYPERCALL(set_trap_table, 1, table);
}

/* @owner: whose the data is; above bit 16, whose the tables are, plus 1. */
static inline int hypercall_mmu_update(const struct mmu_update *req,
                                       unsigned int count, unsigned int *done,
                                       unsigned int owner)
{
    return HYPERCALL(mmu_update, 4, req, count, done, owner);
}

static inline int hypercall_mmuext_op(const struct mmuext_op *op,
                                      unsigned int count, unsigned int *done,
                                      domid_t owner)
{
    return HYPERCALL(mmuext_op, 4, op, count, done, owner);
}

/* Needs an L1 table for @va; @flags are UVMF_*. */
static inline int hypercall_update_va_mapping(vaddr_t va, pte_t pte,
                                              unsigned long flags)
{
    return HYPERCALL(update_va_mapping, 3, vaddr_x(va), pte.raw, flags);
}

/* The same, where @pte may name a frame of @owner. */
static inline int hypercall_update_va_mapping_otherdomain(vaddr_t va, pte_t pte,
                                                          unsigned long flags,
                                                          domid_t owner)
{
    return HYPERCALL(update_va_mapping_otherdomain, 4, vaddr_x(va), pte.raw,
                     flags, owner);
}

static inline int hypercall_set_gdt(const uint64_t *frames,
                                    unsigned int entries)
{
    return HYPERCALL(set_gdt, 2, frames, entries);
}

/* Where Xen pushes frames of user mode: below @sp, and @ss there. */
static inline int hypercall_stack_switch(unsigned long ss, unsigned long sp)
{
    return HYPERCALL(stack_switch, 2, ss, sp);
}

static inline int hypercall_update_descriptor(maddr_t entry, uint64_t desc)
{
    return HYPERCALL(update_descriptor, 2, maddr_x(entry), desc);
}

/* Each call's result is in its entry; Xen may change the rest of it. */
static inline int hypercall_multicall(struct multicall_entry *calls,
                                      unsigned int nr)
{
    return HYPERCALL(multicall, 2, calls, nr);
}

static inline int hypercall_fpu_taskswitch(int set)
{
    return HYPERCALL(fpu_taskswitch, 1, set);
}

static inline int hypercall_set_debugreg(int reg, unsigned long value)
{
    return HYPERCALL(set_debugreg, 2, reg, value);
}

/* The register's value, or a negative errno; no register is that large. */
static inline long hypercall_get_debugreg(int reg)
{
    return HYPERCALL(get_debugreg, 1, reg);
}

/* SEGBASE_*: the base of FS or GS, or the selector of the user's GS. */
static inline int hypercall_set_segment_base(unsigned int which,
                                             unsigned long base)
{
    return HYPERCALL(set_segment_base, 2, which, base);
}

/* VMASST_CMD_*, VMASST_TYPE_*. */
static inline int hypercall_vm_assist(unsigned int cmd, unsigned int type)
{
    return HYPERCALL(vm_assist, 2, cmd, type);
}

/* VIRQ_TIMER at that system time; 0 stops it. */
static inline int hypercall_set_timer_op(uint64_t when_ns)
{
    return HYPERCALL(set_timer_op, 1, when_ns);
}

static inline long hypercall_memory_op(unsigned int cmd, void *arg)
{
    return HYPERCALL(memory_op, 2, cmd, arg);
}

static inline long hypercall_xen_version(unsigned int cmd, void *arg)
{
    return HYPERCALL(xen_version, 2, cmd, arg);
}

/* 0 or a negative errno; -EPERM for a domU unless Xen is a debug build. */
static inline int hypercall_console_write(const char *text, unsigned int len)
{
    return HYPERCALL(console_io, 3, CONSOLEIO_write, len, text);
}

/* How many bytes were there, @len at most; -EPERM as above. */
static inline int hypercall_console_read(char *text, unsigned int len)
{
    return HYPERCALL(console_io, 3, CONSOLEIO_read, len, text);
}

static inline int hypercall_sched_op(unsigned int cmd, void *arg)
{
    return HYPERCALL(sched_op, 2, cmd, arg);
}

static inline int hypercall_callback_op(unsigned int cmd, void *arg)
{
    return HYPERCALL(callback_op, 2, cmd, arg);
}

static inline int hypercall_event_channel_op(unsigned int cmd, void *arg)
{
    return HYPERCALL(event_channel_op, 2, cmd, arg);
}

/* @args is an array of @count structures; each has a status of its own. */
static inline int hypercall_grant_table_op(unsigned int cmd, void *args,
                                           unsigned int count)
{
    return HYPERCALL(grant_table_op, 3, cmd, args, count);
}

static inline int hypercall_physdev_op(unsigned int cmd, void *arg)
{
    return HYPERCALL(physdev_op, 2, cmd, arg);
}

static inline int hypercall_vcpu_op(unsigned int cmd, unsigned int vcpu,
                                    void *arg)
{
    return HYPERCALL(vcpu_op, 3, cmd, vcpu, arg);
}

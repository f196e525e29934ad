/* SPDX-License-Identifier: MIT */
/*
 * The hypercall page.  The domain builder overwrites it with 128 slots of 32
 * bytes; until then each slot is `int3`s, so that a builder which ignored the
 * HYPERCALL_PAGE note is noticed at the first call.  Each slot in use is a
 * symbol of its own.
 *
 * Source: xen/include/public/arch-x86/xen.h (HYPERCALL_PAGE), xen.h (numbers).
 */
#define __ASSEMBLY__ 1
#include <xen/xen.h>

    .section .text.hypercall_page, "ax", @progbits
    .balign 4096

#define SLOT(name)                                                             \
    .globl hypercall_slot_##name;                                              \
    .type hypercall_slot_##name, @function;                                    \
    .size hypercall_slot_##name, 32;                                           \
    .set hypercall_slot_##name, hypercall_page + __HYPERVISOR_##name * 32

    .globl hypercall_page
    .type  hypercall_page, @object
hypercall_page:
    .fill 4096, 1, 0xcc
    .size hypercall_page, 4096

    SLOT(set_trap_table)
    SLOT(mmu_update)
    SLOT(set_gdt)
    SLOT(stack_switch)
    SLOT(fpu_taskswitch)
    SLOT(set_debugreg)
    SLOT(get_debugreg)
    SLOT(update_descriptor)
    SLOT(memory_op)
    SLOT(multicall)
    SLOT(update_va_mapping)
    SLOT(set_timer_op)
    SLOT(xen_version)
    SLOT(console_io)
    SLOT(grant_table_op)
    SLOT(vm_assist)
    SLOT(update_va_mapping_otherdomain)
    SLOT(vcpu_op)
    SLOT(set_segment_base)
    SLOT(mmuext_op)
    SLOT(sched_op)
    SLOT(callback_op)
    SLOT(event_channel_op)
    SLOT(physdev_op)
    SLOT(iret)

    .section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
/*
 * The rules of vm_assist: what a guest may ask Xen to do for it.  All is off
 * at the start, and off again after each test.
 */
#include <arch/cpu.h>

#include "abi.h"

static int enable(unsigned int type)
{
    return hypercall_vm_assist(VMASST_CMD_enable, type);
}

static int disable(unsigned int type)
{
    return hypercall_vm_assist(VMASST_CMD_disable, type);
}

/* The trap of storing @value, by one instruction. */
static struct trap store(volatile uint64_t *entry, uint64_t value)
{
    return CATCH_TRAP(asm volatile("movq %1, %0" : "=m"(*entry) : "r"(value)));
}

/* xen/common/domain.c: do_vm_assist(), PV64_VM_ASSIST_MASK. */
RULE(abi_assist, known_types_are_switched)
{
    static const unsigned int known[] = { 0,
                                          1,
                                          VMASST_TYPE_writable_pagetables,
                                          3,
                                          VMASST_TYPE_architectural_iopl,
                                          VMASST_TYPE_runstate_update_flag,
                                          VMASST_TYPE_m2p_strict };

    for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
        EXPECT_RC(enable(known[i]), 0);
        EXPECT_RC(enable(known[i]), 0); /* it is a switch, not a counter */
        EXPECT_RC(disable(known[i]), 0);
        EXPECT_RC(disable(known[i]), 0);
    }
    EXPECT_RC(enable(6), -EINVAL);
}

RULE(abi_assist, unknown_type_is_refused)
{
    static const unsigned int unknown[] = { 6, 31, 33, 63, 64, ~0u };

    EXPECT_RC(disable(VMASST_TYPE_writable_pagetables), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
        EXPECT_RC(enable(unknown[i]), -EINVAL);
        EXPECT_RC(disable(unknown[i]), -EINVAL);
    }
}

/* The type is looked at first. */
RULE(abi_assist, unknown_command_is_not_there)
{
    EXPECT_RC(hypercall_vm_assist(VMASST_CMD_disable, 2), 0);
    EXPECT_RC(hypercall_vm_assist(2, 2), -ENOSYS);
    EXPECT_RC(hypercall_vm_assist(~0u, 2), -ENOSYS);
    EXPECT_RC(hypercall_vm_assist(2, 6), -EINVAL);
}

/*
 * xen/arch/x86/traps.c: fixup_page_fault(), pv/ro-page-fault.c.  In dom0 Xen
 * emulates the store without being asked, see test_protection.c.
 */
RULE(abi_assist, store_to_an_l1_is_emulated_on_demand)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    const uint64_t good = scratch_pte(page, LEAF_RW);

    EXPECT_EQ(store(&l1[0], good).vector, is_dom0() ? NO_TRAP : TRAP_PF);

    EXPECT_RC(enable(VMASST_TYPE_writable_pagetables), 0);
    EXPECT_EQ(store(&l1[1], good).vector, NO_TRAP);
    EXPECT_RC(disable(VMASST_TYPE_writable_pagetables), 0);

    EXPECT_EQ(store(&l1[2], good).vector, is_dom0() ? NO_TRAP : TRAP_PF);
    EXPECT_EQ(l1[1] & PTE_P, PTE_P);
    EXPECT_EQ(l1[2] & PTE_P, is_dom0() ? PTE_P : 0);
}

/* It is an update like any other: judged, adjusted and counted. */
RULE(abi_assist, emulated_store_obeys_the_rules)
{
    uint64_t *l1 = new_table(1), *page = new_readonly();

    EXPECT_RC(enable(VMASST_TYPE_writable_pagetables), 0);
    EXPECT_EQ(store(&l1[0], scratch_pte(page, LEAF_RW)).vector, NO_TRAP);
    EXPECT_EQ(l1[0] & (PTE_USER | PTE_GUEST_KERNEL),
              PTE_USER | PTE_GUEST_KERNEL);
    EXPECT_RC(pin(2, page), -EINVAL); /* mapped writable now */
    EXPECT_EQ(store(&l1[0], 0).vector, NO_TRAP);
    EXPECT_RC(pin(2, page), 0);

    EXPECT_EQ(store(&l1[1], scratch_pte(l1, LEAF_RW)).vector, TRAP_PF);
    EXPECT_EQ(store(&l1[1], pte_make(frame_of_xen(), LEAF_RO).raw).vector,
              TRAP_PF);
    EXPECT_EQ(l1[1], 0);
    EXPECT_RC(disable(VMASST_TYPE_writable_pagetables), 0);
}

/* L1 tables and nothing else. */
RULE(abi_assist, store_to_an_upper_table_is_not_emulated)
{
    uint64_t *l1 = new_table(1), *l2 = new_table(2), *plain = new_readonly();

    EXPECT_RC(enable(VMASST_TYPE_writable_pagetables), 0);
    EXPECT_EQ(store(&l1[0], 0).vector, NO_TRAP);
    EXPECT_EQ(store(&l2[0], 0).vector, TRAP_PF);
    EXPECT_EQ(store(&plain[0], 0).vector, TRAP_PF);
    EXPECT_RC(disable(VMASST_TYPE_writable_pagetables), 0);
}

/* Half an entry is one too, if it stays within the entry. */
RULE(abi_assist, emulated_store_may_be_narrow)
{
    uint64_t *l1 = new_table(1), *page = scratch_page();
    volatile uint32_t *half = (uint32_t *)&l1[0];
    const uint64_t soft = 5ull << 9;

    EXPECT_RC(set_entry(l1, 0, scratch_pte(page, LEAF_RW)), 0);
    EXPECT_RC(enable(VMASST_TYPE_writable_pagetables), 0);
    EXPECT_FAULT(NO_TRAP, asm volatile("orl %1, %0"
                                       : "+m"(half[0])
                                       : "r"((uint32_t)soft)));
    EXPECT_EQ(l1[0] & soft, soft);
    EXPECT_EQ(l1[0] & PTE_ADDR, scratch_pte(page, 0));

    /* Across two entries it is none. */
    EXPECT_FAULT(TRAP_PF, asm volatile("movq %1, 4(%0)" ::"r"(&l1[3]), "r"(0ul)
                                       : "memory"));
    EXPECT_RC(disable(VMASST_TYPE_writable_pagetables), 0);
}

/*
 * xen/arch/x86/mm.c: init_xen_l4_slots(), fill_ro_mpt(): in the slot of the
 * M2P, or not before the table is the kernel's.
 */
RULE(abi_assist, m2p_strict_fills_the_slot_of_the_m2p_early)
{
    uint64_t *lax = new_table(4), *strict = new_readonly();

    EXPECT_EQ(lax[L4_XEN_FIRST], 0);
    EXPECT_RC(enable(VMASST_TYPE_m2p_strict), 0);
    EXPECT_RC(pin(4, strict), 0);
    EXPECT_EQ(strict[L4_XEN_FIRST] & PTE_ADDR,
              live_l4()[L4_XEN_FIRST] & PTE_ADDR);

    /* And takes it away when it is to be the user's. */
    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, scratch_mfn(strict)), 0);
    EXPECT_EQ(strict[L4_XEN_FIRST], 0);
    EXPECT_RC(ext_frame(MMUEXT_NEW_USER_BASEPTR, _mfn(0)), 0);
    EXPECT_RC(disable(VMASST_TYPE_m2p_strict), 0);
}

/*
 * xen/arch/x86/x86_64/entry.S: create_bounce_frame(): the IOPL that
 * PHYSDEVOP_set_iopl has set shows in a trap's frame only on demand.
 */

static uint64_t seen_rflags;

static bool note_rflags(struct regs *regs, uint64_t address __unused)
{
    seen_rflags = regs->rflags;
    return true;
}

static uint64_t iopl_in_a_frame(void)
{
    trap_handler_t *old = trap_set_handler(TRAP_BP, note_rflags);

    asm volatile("int3" ::: "memory");
    trap_set_handler(TRAP_BP, old);
    return seen_rflags & RFLAGS_IOPL;
}

RULE(abi_assist, iopl_shows_on_demand)
{
    struct physdev_set_iopl iopl = { .iopl = 1 };

    EXPECT_RC(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    EXPECT_EQ(iopl_in_a_frame(), 0);
    EXPECT_RC(enable(VMASST_TYPE_architectural_iopl), 0);
    EXPECT_EQ(iopl_in_a_frame(), 1u << 12);
    EXPECT_RC(disable(VMASST_TYPE_architectural_iopl), 0);
    EXPECT_EQ(iopl_in_a_frame(), 0);
    iopl.iopl = 0;
    EXPECT_RC(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
}

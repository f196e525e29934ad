/* SPDX-License-Identifier: MIT */
/* W^X, page 0, and page tables: each right that is not there, tried. */
#include <arch/cpu.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/shared_info.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/walk.h>

#include "leaves.h"

static uint8_t in_data[16] = { 0xc3 }; /* ret */
static const uint8_t in_rodata[16] = { 0xc3 };

/* The fault of calling @p as a function. */
static struct trap call(const void *p)
{
    return CATCH_TRAP(((void (*)(void))(uintptr_t)p)());
}

static void __noinline store(uintptr_t va)
{
    *(volatile uint8_t *)va = 0;
}

static void __noinline load(uintptr_t va)
{
    (void)*(volatile uint8_t *)va;
}

static void expect_no_write(struct test_run *run_, uintptr_t va)
{
    const uint8_t before = *(volatile uint8_t *)va;
    const struct trap t = CATCH_TRAP(store(va));

    EXPECT_EQ(t.vector, TRAP_PF);
    EXPECT_EQ(t.address, va);
    EXPECT_EQ(t.error & (PF_PRESENT | PF_WRITE), PF_PRESENT | PF_WRITE);
    EXPECT_EQ(*(volatile uint8_t *)va, before);
}

static void expect_no_execute(struct test_run *run_, const void *p)
{
    const struct trap t = call(p);

    EXPECT_EQ(t.vector, TRAP_PF);
    EXPECT_EQ(t.address, (uintptr_t)p);
    EXPECT_EQ(t.error & (PF_PRESENT | PF_FETCH), PF_PRESENT | PF_FETCH);
}

TEST(protection, text_cannot_be_written)
{
    expect_no_write(run_, (uintptr_t)_text);
    expect_no_write(run_, (uintptr_t)_etext - 1);
    expect_no_write(run_, (uintptr_t)test_random);
}

TEST(protection, rodata_cannot_be_written)
{
    expect_no_write(run_, (uintptr_t)_rodata);
    expect_no_write(run_, (uintptr_t)_erodata - 1);
    expect_no_write(run_, (uintptr_t)in_rodata);
}

/*
 * Tables of L2 and above: any store faults.  L1 tables have a story of their
 * own, see below.
 */
struct tables {
    struct test_run *run;
    mfn_t l1; /* one L1 table of the bootstrap region */
};

static int try_table(void *ctx, unsigned int level, mfn_t mfn,
                     vaddr_t va __unused)
{
    struct tables *t = ctx;
    const uint8_t *table = linear_ptr(m2p_lookup(mfn));

    if (table == NULL)
        return 0;
    if (level > 1)
        expect_no_write(t->run, (uintptr_t)table + 8 * (test_random() % 512));
    else
        t->l1 = mfn;
    return 0;
}

TEST(protection, upper_page_tables_cannot_be_written)
{
    struct tables t = { .run = run_ };
    const struct walk_visitor v = { .table = try_table, .ctx = &t };

    EXPECT_EQ(walk_all(maddr_to_mfn(_maddr(read_cr3())), &v), 0);
    EXPECT(mfn_x(t.l1) != 0);
}

/* The L1 entry that maps @va, where it can be read. */
static volatile uint64_t *l1_entry(vaddr_t va)
{
    struct walk w;
    uint64_t *table;

    if (!walk_address(va, &w))
        return NULL;
    table = linear_ptr(m2p_lookup(w.table[1]));
    return table ? &table[pt_index(va, 1)] : NULL;
}

static void __noinline store_entry(volatile uint64_t *entry, uint64_t value)
{
    *entry = value;
}

/*
 * Storing to an L1 table faults in a domU.  In dom0 Xen emulates the store as
 * a checked update, without being asked to by vm_assist: the hardware domain's
 * write faults on present pages all go to pv_ro_page_fault(), for its read-only
 * MMIO, and what that does for L1 tables comes along.
 */
TEST(protection, l1_store_faults_or_is_checked)
{
    volatile uint64_t *entry = l1_entry(ptr_to_vaddr(in_data));
    uint64_t before;
    struct trap t;

    REQUIRE(entry != NULL);
    before = *entry;
    t = CATCH_TRAP(store_entry(entry, before));
    EXPECT_EQ(t.vector, is_dom0() ? NO_TRAP : TRAP_PF);
    EXPECT_EQ(*entry, before);
}

/* Emulated or not: an entry that breaks the rules is refused by a fault. */
TEST(protection, l1_store_that_breaks_the_rules_faults)
{
    const vaddr_t table = _vaddr(start_info()->pt_base);
    volatile uint64_t *entry = l1_entry(table);
    uint64_t before;

    REQUIRE(entry != NULL);
    before = *entry;
    EXPECT_FAULT(TRAP_PF, store_entry(entry, before | PTE_RW));
    EXPECT_EQ(*entry, before);
}

TEST(protection, page_table_cannot_be_made_writable)
{
    const vaddr_t va = _vaddr(start_info()->pt_base);
    struct walk w;

    REQUIRE(walk_address(va, &w));
    EXPECT_EQ(hypercall_update_va_mapping(
                  va, (pte_t){ w.entry[1].raw | PTE_RW }, UVMF_INVLPG),
              -EBUSY);
    EXPECT(!(w.entry[1].raw & PTE_RW));
}

TEST(protection, data_cannot_be_executed)
{
    expect_no_execute(run_, in_data);
}

TEST(protection, rodata_cannot_be_executed)
{
    expect_no_execute(run_, in_rodata);
}

TEST(protection, stack_cannot_be_executed)
{
    const volatile uint8_t on_stack[16] = { 0xc3 };

    expect_no_execute(run_, (const void *)(uintptr_t)on_stack);
}

TEST(protection, start_info_cannot_be_executed)
{
    expect_no_execute(run_, start_info_page());
}

TEST(protection, p2m_cannot_be_executed)
{
    expect_no_execute(run_, (const void *)start_info()->mfn_list);
}

TEST(protection, shared_info_cannot_be_executed)
{
    expect_no_execute(run_, (const void *)shared_info());
}

TEST(protection, padding_cannot_be_executed)
{
    expect_no_execute(run_, linear_ptr(_pfn(linear_size() - 1)));
}

TEST(protection, page_0_is_not_there)
{
    EXPECT_FAULT(TRAP_PF, load(0));
    EXPECT_FAULT(TRAP_PF, store(0));
    EXPECT_FAULT(TRAP_PF, load(PAGE_SIZE - 1));
    EXPECT_EQ(call(NULL).vector, TRAP_PF);
}

TEST(protection, nothing_is_writable_and_executable)
{
    EXPECT_EQ(leaves_writable_and_executable(), 0);
    EXPECT(leaves_executable() > 0);
}

/* Only text may be executed, page by page. */
TEST(protection, executable_is_text_and_nothing_else)
{
    EXPECT_EQ(leaves_executable(), (_etext - _text) / PAGE_SIZE);
}

/* A write to rodata went nowhere, one to data arrives. */
TEST(protection, data_can_be_written)
{
    in_data[1] = 0x5a;
    EXPECT_EQ(in_data[1], 0x5a);
    in_data[1] = 0;
}

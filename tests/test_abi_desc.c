/* SPDX-License-Identifier: MIT */
/*
 * The rules for descriptors: the pages of a GDT, what may stand in them, and
 * the LDT.  Xen's flat segments lie above the guest's 14 pages and are all
 * that Plinth uses, so these tests may have the guest's part for themselves.
 */
#include <plinth/string.h>

#include "abi.h"

#define GDT_ENTRIES_MAX 7168u /* public/arch-x86/xen.h: FIRST_RESERVED_... */

/* Flat 32-bit segments, marked as used; the DPL is in bits 45 and 46. */
#define DESC_DPL(n)   ((uint64_t)(n) << 45)
#define DESC_P        (1ull << 47)
#define DESC_DATA     (0x00cf13000000ffffull | DESC_P)
#define DESC_CODE     (0x00cf1b000000ffffull | DESC_P)
#define DESC_DATA_OFF (DESC_DATA & ~DESC_P)

/* System descriptors by type: LDT 2, TSS 9, call gate 12, interrupt gate 14. */
#define DESC_SYSTEM(type) ((uint64_t)(type) << 40 | DESC_P)

/* To Xen's code segment, of which a call gate may tell. */
#define DESC_GATE (DESC_SYSTEM(12) | (uint64_t)FLAT_KERNEL_CS << 16)

#define SELECTOR(i)     ((i) << 3 | 3)
#define LDT_SELECTOR(i) ((i) << 3 | 4 | 3)

static int set_gdt(const volatile void *page, unsigned int entries)
{
    const uint64_t frame = mfn_x(scratch_mfn(page));

    return hypercall_set_gdt(&frame, entries);
}

static int set_ldt(uintptr_t va, unsigned int entries)
{
    const struct mmuext_op op = {
        .cmd = MMUEXT_SET_LDT,
        .arg1.linear_addr = va,
        .arg2.nr_ents = entries,
    };

    return hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* The trap of loading @selector into %es, which nobody uses; it ends as 0. */
static struct trap load_es(unsigned int selector)
{
    const struct trap t =
        CATCH_TRAP(asm volatile("mov %0, %%es" ::"r"(selector)));

    asm volatile("mov %0, %%es" ::"r"(0));
    return t;
}

/*
 * The GDT.
 */

/* xen/arch/x86/pv/descriptor-tables.c: pv_set_gdt(): PGT_seg_desc_page. */
RULE(abi_desc, gdt_page_has_no_writable_mapping)
{
    uint64_t *page = scratch_page();

    EXPECT_RC(set_gdt(page, 512), -EINVAL);
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(set_gdt(page, 512), 0);
    EXPECT_RC(scratch_writable(page), -EBUSY);
    EXPECT_RC(hypercall_set_gdt(NULL, 0), 0);
    EXPECT_RC(scratch_writable(page), 0);
}

RULE(abi_desc, gdt_page_is_no_page_table)
{
    EXPECT_RC(set_gdt(new_readonly(), 512), 0);
    EXPECT_RC(set_gdt(new_table(1), 512), -EINVAL);
}

RULE(abi_desc, gdt_page_of_another_is_refused)
{
    const uint64_t xen = mfn_x(frame_of_xen());
    const uint64_t none = mfn_x(frame_beyond_memory());

    EXPECT_RC(set_gdt(new_readonly(), 512), 0);
    EXPECT_RC(hypercall_set_gdt(&xen, 512), -EINVAL);
    EXPECT_RC(hypercall_set_gdt(&none, 512), -EINVAL);
}

/* One page may serve several times; more than 14 there cannot be. */
RULE(abi_desc, gdt_has_at_most_14_pages)
{
    uint64_t frames[15], *page = new_readonly();

    for (unsigned int i = 0; i < ARRAY_SIZE(frames); i++)
        frames[i] = mfn_x(scratch_mfn(page));
    EXPECT_RC(hypercall_set_gdt(frames, GDT_ENTRIES_MAX), 0);
    EXPECT_RC(hypercall_set_gdt(frames, GDT_ENTRIES_MAX + 1), -EINVAL);
    EXPECT_RC(hypercall_set_gdt(frames, ~0u), -EINVAL);
    EXPECT_RC(scratch_writable(page), -EBUSY); /* the former one is in use */
    EXPECT_RC(hypercall_set_gdt(frames, 1), 0);
}

RULE(abi_desc, list_of_gdt_pages_must_be_readable)
{
    EXPECT_RC(set_gdt(new_readonly(), 512), 0);
    EXPECT_RC(hypercall_set_gdt(UNMAPPED, 512), -EFAULT);
    EXPECT_RC(hypercall_set_gdt(IN_HOLE, 512), -EFAULT);

    /* Of none, no list is read. */
    EXPECT_RC(hypercall_set_gdt(UNMAPPED, 0), 0);
}

/* If one page is refused, the others are let go of and nothing has changed. */
RULE(abi_desc, gdt_is_set_as_a_whole)
{
    uint64_t *old = new_readonly(), *good = new_readonly();
    const uint64_t frames[2] = { mfn_x(scratch_mfn(good)),
                                 mfn_x(scratch_mfn(scratch_page())) };

    EXPECT_RC(set_gdt(old, 512), 0);
    EXPECT_RC(hypercall_set_gdt(frames, 1024), -EINVAL);
    EXPECT_RC(scratch_writable(good), 0);
    EXPECT_RC(scratch_writable(old), -EBUSY);
}

/*
 * xen/arch/x86/pv/descriptor-tables.c: check_descriptor(): of the system
 * descriptors only call gates are let in.
 */
static void gdt_with(struct test_run *run_, uint64_t desc, int answer)
{
    uint64_t *page = scratch_page();

    page[511] = desc;
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(set_gdt(page, 1), answer);
}

RULE(abi_desc, gdt_page_holds_no_system_segment)
{
    gdt_with(run_, DESC_GATE, 0);
    for (unsigned int type = 1; type < 16; type++)
        if (type != 12)
            gdt_with(run_, DESC_SYSTEM(type), -EINVAL);
}

/* It would fault whatever else it says. */
RULE(abi_desc, absent_descriptor_may_be_anything)
{
    gdt_with(run_, DESC_SYSTEM(9), -EINVAL);
    gdt_with(run_, DESC_SYSTEM(9) & ~DESC_P, 0);
    gdt_with(run_, ~0ull & ~DESC_P, 0);
}

/* guest_gate_selector_okay(): a gate leads to the guest's code or Xen's flat. */
RULE(abi_desc, call_gate_leads_to_known_code)
{
    gdt_with(run_, DESC_GATE, 0);
    gdt_with(run_, DESC_GATE | 1ull << 32, -EINVAL); /* reserved: IST */

    /* Into Xen's own part of the GDT, 0xe000 and up, past the flat ones. */
    gdt_with(run_, DESC_SYSTEM(12) | 0xe040ull << 16, -EINVAL);
}

/* The guest runs in ring 3: a more privileged segment would be of no use. */
RULE(abi_desc, privilege_of_segments_is_lowered)
{
    uint64_t *page = scratch_page();

    page[1] = DESC_DATA | DESC_DPL(0);
    page[2] = DESC_CODE | DESC_DPL(1);
    page[3] = DESC_DATA | DESC_DPL(3);
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(set_gdt(page, 512), 0);
    EXPECT_EQ(page[1], DESC_DATA | DESC_DPL(3));
    EXPECT_EQ(page[2], DESC_CODE | DESC_DPL(3));
    EXPECT_EQ(page[3], DESC_DATA | DESC_DPL(3));
    EXPECT_RC(set_gdt(page, GDT_ENTRIES_MAX + 1), -EINVAL);
}

/* ... and a gate may not be taken without Xen: its DPL becomes 0. */
RULE(abi_desc, privilege_of_gates_is_raised)
{
    uint64_t *page = scratch_page();

    page[1] = DESC_GATE | DESC_DPL(3);
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(set_gdt(page, 512), 0);
    EXPECT_EQ(page[1] & DESC_DPL(3), 0);
    EXPECT(page[1] != (DESC_GATE | DESC_DPL(3)));
}

RULE(abi_desc, segment_is_loaded_from_the_gdt)
{
    uint64_t *page = scratch_page();

    page[1] = DESC_DATA | DESC_DPL(3);
    page[2] = DESC_DATA_OFF | DESC_DPL(3);
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_EQ(load_es(SELECTOR(1)).vector, TRAP_GP);
    EXPECT_RC(set_gdt(page, 512), 0);
    EXPECT_EQ(load_es(SELECTOR(1)).vector, NO_TRAP);
    EXPECT_EQ(load_es(SELECTOR(2)).vector, TRAP_NP);
    EXPECT_EQ(load_es(SELECTOR(3)).vector, TRAP_GP);
    EXPECT_EQ(load_es(SELECTOR(2)).error, SELECTOR(2) & ~3u);

    EXPECT_RC(hypercall_set_gdt(NULL, 0), 0);
    EXPECT_EQ(load_es(SELECTOR(1)).vector, TRAP_GP);
}

/*
 * update_descriptor: xen/arch/x86/pv/descriptor-tables.c.
 */
static int update(const volatile uint64_t *entry, uint64_t desc)
{
    return hypercall_update_descriptor(scratch_maddr(entry), desc);
}

RULE(abi_desc, update_reaches_a_gdt_in_use)
{
    uint64_t *page = new_readonly();

    EXPECT_RC(set_gdt(page, 512), 0);
    EXPECT_RC(update(&page[4], DESC_DATA), 0);
    EXPECT_EQ(page[4], DESC_DATA | DESC_DPL(3));
    EXPECT_EQ(load_es(SELECTOR(4)).vector, NO_TRAP);
    EXPECT_RC(update(&page[4], 0), 0);
    EXPECT_EQ(load_es(SELECTOR(4)).vector, TRAP_GP);
}

RULE(abi_desc, update_checks_the_descriptor)
{
    uint64_t *page = new_readonly();

    EXPECT_RC(set_gdt(page, 512), 0);
    EXPECT_RC(update(&page[4], DESC_GATE), 0);
    EXPECT_RC(update(&page[4], DESC_SYSTEM(9)), -EINVAL);
    EXPECT_RC(update(&page[4], DESC_SYSTEM(2)), -EINVAL);
    EXPECT_EQ(page[4], DESC_GATE);
}

/* In an ordinary page too, though nobody has asked for that yet. */
RULE(abi_desc, update_checks_ordinary_pages_alike)
{
    uint64_t *page = scratch_page();

    EXPECT_RC(update(&page[4], DESC_CODE), 0);
    EXPECT_EQ(page[4], DESC_CODE | DESC_DPL(3));
    EXPECT_RC(update(&page[4], DESC_SYSTEM(9)), -EINVAL);
    EXPECT_EQ(page[4], DESC_CODE | DESC_DPL(3));
}

RULE(abi_desc, update_wants_an_aligned_address)
{
    uint64_t *page = scratch_page();

    for (unsigned int i = 1; i < 8; i++)
        EXPECT_RC(hypercall_update_descriptor(maddr_add(scratch_maddr(page), i),
                                              DESC_DATA),
                  -EINVAL);
    EXPECT_EQ(page[0] | page[1], 0);
    EXPECT_RC(hypercall_update_descriptor(scratch_maddr(page), DESC_DATA), 0);
}

RULE(abi_desc, update_wants_a_page_that_may_hold_descriptors)
{
    uint64_t *table = new_table(1), *page = scratch_page();

    EXPECT_RC(update(page, DESC_DATA), 0);
    EXPECT_RC(update(table, DESC_DATA), -EINVAL);
    EXPECT_RC(
        hypercall_update_descriptor(mfn_to_maddr(frame_of_xen()), DESC_DATA),
        -EINVAL);
    EXPECT_RC(hypercall_update_descriptor(mfn_to_maddr(frame_beyond_memory()),
                                          DESC_DATA),
              -EINVAL);
    EXPECT_EQ(table[0], 0);
}

/*
 * The LDT.
 */
RULE(abi_desc, ldt_starts_at_a_page)
{
    const uintptr_t va = (uintptr_t)new_readonly();

    EXPECT_RC(set_ldt(va, 512), 0);
    EXPECT_RC(set_ldt(va + 8, 511), -EINVAL);
    EXPECT_RC(set_ldt(va + 1, 1), -EINVAL);
}

RULE(abi_desc, ldt_has_at_most_8192_entries)
{
    const uintptr_t va = (uintptr_t)new_readonly();

    EXPECT_RC(set_ldt(va, 8192), 0);
    EXPECT_RC(set_ldt(va, 8193), -EINVAL);
    EXPECT_RC(set_ldt(va, ~0u), -EINVAL);

    /* Of none, the address is of no matter. */
    EXPECT_RC(set_ldt(va + 1, 0), 0);
    EXPECT_RC(set_ldt((uintptr_t)IN_HOLE, 0), 0);
}

RULE(abi_desc, ldt_is_not_in_xens_part)
{
    EXPECT_RC(set_ldt((uintptr_t)new_readonly(), 1), 0);
    EXPECT_RC(set_ldt((uintptr_t)IN_HOLE, 1), -EINVAL);
    EXPECT_RC(set_ldt(0xffff800000000000ul, 1), -EINVAL);
    EXPECT_RC(set_ldt(NON_CANONICAL, 1), -EINVAL);
}

/*
 * Its pages are looked at when the CPU first wants one, and become descriptor
 * pages then.  xen/arch/x86/pv/mm.c: pv_map_ldt_shadow_page().
 */
RULE(abi_desc, ldt_page_becomes_one_by_use)
{
    uint64_t *page = scratch_page();

    page[1] = DESC_DATA;
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(set_ldt((uintptr_t)page, 512), 0);
    EXPECT_RC(scratch_writable(page), 0);
    EXPECT_RC(scratch_readonly(page), 0);
    EXPECT_EQ(load_es(LDT_SELECTOR(1)).vector, NO_TRAP);
    EXPECT_RC(scratch_writable(page), -EBUSY);
    EXPECT_EQ(page[1], DESC_DATA | DESC_DPL(3));

    EXPECT_RC(set_ldt(0, 0), 0);
    EXPECT_RC(scratch_writable(page), 0);
    EXPECT_EQ(load_es(LDT_SELECTOR(1)).vector, TRAP_GP);
}

/*
 * One that cannot become a descriptor page is a page fault at its address, not
 * an error of the call that set it.
 */
RULE(abi_desc, ldt_page_with_a_writable_mapping_faults)
{
    uint64_t *page = scratch_page();
    struct trap t;

    page[1] = DESC_DATA;
    EXPECT_RC(set_ldt((uintptr_t)page, 512), 0);
    t = load_es(LDT_SELECTOR(1));
    EXPECT_EQ(t.vector, TRAP_PF);
    EXPECT_EQ(t.address, (uintptr_t)&page[1]);

    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_EQ(load_es(LDT_SELECTOR(1)).vector, NO_TRAP);
}

RULE(abi_desc, ldt_page_that_is_not_there_faults)
{
    uint64_t *page = scratch_page();
    struct trap t;

    page[1] = DESC_DATA;
    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_RC(set_ldt((uintptr_t)page, 512), 0);
    t = load_es(LDT_SELECTOR(1));
    EXPECT_EQ(t.vector, TRAP_PF);
    EXPECT_EQ(t.address, (uintptr_t)&page[1]);

    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_EQ(load_es(LDT_SELECTOR(1)).vector, NO_TRAP);
}

/* Past its end is an ordinary protection fault. */
RULE(abi_desc, ldt_ends_where_it_was_said_to)
{
    uint64_t *page = scratch_page();

    page[1] = page[2] = DESC_DATA;
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(set_ldt((uintptr_t)page, 2), 0);
    EXPECT_EQ(load_es(LDT_SELECTOR(1)).vector, NO_TRAP);
    EXPECT_EQ(load_es(LDT_SELECTOR(2)).vector, TRAP_GP);
}

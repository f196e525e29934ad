/* SPDX-License-Identifier: MIT */
/* The rules of memory_op: giving memory back, getting it, exchanging it. */
#include <plinth/fixmap.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/string.h>

#include "abi.h"

/* public/memory.h has it for toolstacks only. */
#define XENMEM_CLAIM_PAGES 24

/*
 * One of the calls that return how many extents they did.
 */
static long reserve(unsigned int cmd, uint64_t *frames, unsigned int count,
                    unsigned int order, domid_t domid)
{
    struct xen_memory_reservation r = {
        .nr_extents = count,
        .extent_order = order,
        .domid = domid,
    };

    set_xen_guest_handle(r.extent_start, frames);
    return hypercall_memory_op(cmd, &r);
}

static long give(uint64_t *frames, unsigned int count)
{
    return reserve(XENMEM_decrease_reservation, frames, count, 0, DOMID_SELF);
}

static long get(uint64_t *frames, unsigned int count)
{
    return reserve(XENMEM_populate_physmap, frames, count, 0, DOMID_SELF);
}

/* Pages we are charged for. */
static long owned(void)
{
    domid_t self = DOMID_SELF;

    return hypercall_memory_op(XENMEM_current_reservation, &self);
}

static uint64_t frame_of(const void *page)
{
    return mfn_x(scratch_mfn(page));
}

static uint64_t pfn_of(const void *page)
{
    return pfn_x(kaddr_pfn(page));
}

/*
 * Giving back and getting.
 */

/* xen/common/memory.c: decrease_reservation(), populate_physmap(). */
RULE(abi_memory, page_is_given_back_and_got_again)
{
    uint64_t *page = scratch_page(), frame = frame_of(page);
    const mfn_t old = scratch_mfn(page);
    const long before = owned();

    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_EQ(give(&frame, 1), 1);
    EXPECT_EQ(owned(), before - 1);
    scratch_frame_gone(page);

    /* Gone: not to be mapped, nor given again. */
    EXPECT_RC(hypercall_update_va_mapping(ptr_to_vaddr(page),
                                          pte_make(old, LEAF_RW), UVMF_INVLPG),
              -EBUSY);
    EXPECT_EQ(give(&frame, 1), 0);

    frame = pfn_of(page);
    EXPECT_EQ(get(&frame, 1), 1);
    EXPECT_EQ(owned(), before);
    scratch_frame_is(page, _mfn(frame));
    EXPECT_EQ(pfn_x(m2p_raw(_mfn(frame))), pfn_of(page));
    EXPECT_RC(scratch_writable(page), 0);
    page[0] = 1;
    EXPECT_EQ(page[0], 1);
}

/* The M2P forgets a frame when it is freed, and learns it by populate. */
RULE(abi_memory, m2p_follows)
{
    uint64_t *page = scratch_page(), frame = frame_of(page);
    const mfn_t old = scratch_mfn(page);

    EXPECT_EQ(pfn_x(m2p_lookup(old)), pfn_of(page));
    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_EQ(give(&frame, 1), 1);
    scratch_frame_gone(page);
    EXPECT(pfn_x(m2p_raw(old)) != pfn_of(page));
    EXPECT(pfn_eq(m2p_lookup(old), INVALID_PFN));
}

/*
 * guest_remove_page() drops the reference for being allocated, and a mapping is
 * one more: the call says "done", and the memory stays ours until it is gone.
 */
RULE(abi_memory, page_that_is_mapped_is_not_freed_yet)
{
    uint64_t *page = scratch_page(), frame = frame_of(page);
    const long before = owned();

    page[0] = 0x77;
    EXPECT_EQ(give(&frame, 1), 1);
    EXPECT_EQ(owned(), before);
    EXPECT_EQ(page[0], 0x77);

    /* Nor does the call notice that it has been given before. */
    EXPECT_EQ(give(&frame, 1), 1);
    EXPECT_EQ(owned(), before);

    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_EQ(owned(), before - 1);
    scratch_frame_gone(page);
}

/* A page table is held by its type; that is a reference like a mapping. */
RULE(abi_memory, page_that_is_a_table_is_not_freed_yet)
{
    uint64_t *table = new_table(2), frame = frame_of(table);
    const long before = owned();

    REQUIRE(scratch_unmap(table) == 0);
    EXPECT_EQ(give(&frame, 1), 1);
    EXPECT_EQ(owned(), before);
    EXPECT_RC(ext_frame(MMUEXT_UNPIN_TABLE, _mfn(frame)), 0);
    EXPECT_EQ(owned(), before - 1);
    scratch_frame_gone(table);
}

/* The count says where it stopped; there is no errno. */
RULE(abi_memory, giving_stops_at_a_frame_of_another)
{
    uint64_t *one = scratch_page(), *two = scratch_page(), frames[3];

    frames[0] = frame_of(one);
    frames[1] = mfn_x(frame_of_xen());
    frames[2] = frame_of(two);
    REQUIRE(scratch_unmap(one) == 0 && scratch_unmap(two) == 0);
    EXPECT_EQ(give(frames, 3), 1);
    scratch_frame_gone(one);
    EXPECT_RC(scratch_writable(two), 0); /* still ours */
    EXPECT_EQ(give(&frames[1], 1), 0);

    frames[0] = mfn_x(frame_beyond_memory());
    EXPECT_EQ(give(frames, 1), 0);
}

RULE(abi_memory, list_of_frames_must_be_readable)
{
    uint64_t *page = scratch_page(), frame = frame_of(page);

    EXPECT_EQ(give(UNMAPPED, 1), 0);
    EXPECT_EQ(give(IN_HOLE, 1), 0);
    EXPECT_EQ(get(UNMAPPED, 1), 0);
    EXPECT_EQ(hypercall_memory_op(XENMEM_decrease_reservation, UNMAPPED), 0);

    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_EQ(give(&frame, 1), 1);
    scratch_frame_gone(page);
}

/* The own number is as good as DOMID_SELF here, other than for page tables. */
RULE(abi_memory, domain_may_be_named_by_number)
{
    uint64_t *page = scratch_page(), frame = frame_of(page);
    const unsigned int cmd = XENMEM_decrease_reservation;

    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_EQ(reserve(cmd, &frame, 1, 0, DOMID_NOBODY), 0);
    EXPECT_EQ(reserve(cmd, &frame, 1, 0, DOMID_IO), 0);
    if (!is_dom0())
        EXPECT_EQ(reserve(cmd, &frame, 1, 0, 0), 0);
    EXPECT_EQ(reserve(cmd, &frame, 1, 0, own_domid()), 1);
    scratch_frame_gone(page);
}

/* xen/common/memory.c: max_order(): memop-max-order, 9 and 12 by default. */
RULE(abi_memory, extent_must_not_be_too_large)
{
    uint64_t *page = scratch_page(), frame = frame_of(page);

    for (unsigned int order = 19; order < 70; order += 10) {
        EXPECT_EQ(
            reserve(XENMEM_decrease_reservation, &frame, 1, order, DOMID_SELF),
            0);
        EXPECT_EQ(
            reserve(XENMEM_populate_physmap, &frame, 1, order, DOMID_SELF), 0);
    }
    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, &frame, 1, 0, DOMID_SELF),
              1);
    scratch_frame_gone(page);
}

RULE(abi_memory, nothing_is_done_of_nothing)
{
    uint64_t *page = scratch_page(), frame = frame_of(page);

    EXPECT_EQ(give(&frame, 0), 0);
    EXPECT_EQ(get(&frame, 0), 0);

    /* More extents than a continuation could count. */
    EXPECT_EQ(give(&frame, 1u << 26), 0);
    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_EQ(give(&frame, 1), 1);
    scratch_frame_gone(page);
}

/* Past what the toolstack allows, the count is short. */
RULE(abi_memory, domain_does_not_grow_past_its_maximum)
{
    domid_t self = DOMID_SELF;
    const long room =
        hypercall_memory_op(XENMEM_maximum_reservation, &self) - owned();
    uint64_t *frames = scratch_page();
    long got;

    if (room < 0 || room > 511)
        SKIP("the domain may have more pages than one list names");
    for (long i = 0; i <= room; i++)
        frames[i] = p2m_size() + i;
    got = get(frames, room + 1);
    EXPECT_EQ(got, room);
    EXPECT_EQ(give(frames, got), got);
    EXPECT_EQ(hypercall_memory_op(XENMEM_maximum_reservation, &self) - owned(),
              room);
}

/*
 * increase_reservation is the older one: the domain tells the M2P by itself.
 */
RULE(abi_memory, increase_leaves_the_m2p_to_us)
{
    uint64_t *page = scratch_page(), frame = frame_of(page);

    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_EQ(give(&frame, 1), 1);
    scratch_frame_gone(page);
    EXPECT_EQ(reserve(XENMEM_increase_reservation, &frame, 1, 0, DOMID_NOBODY),
              0);
    EXPECT_EQ(reserve(XENMEM_increase_reservation, &frame, 1, 0, DOMID_SELF),
              1);
    scratch_frame_is(page, _mfn(frame));
    EXPECT(pfn_eq(m2p_lookup(_mfn(frame)), INVALID_PFN));
    EXPECT_RC(
        set_at(_maddr(frame << PAGE_SHIFT | MMU_MACHPHYS_UPDATE), pfn_of(page)),
        0);
    EXPECT_EQ(pfn_x(m2p_lookup(_mfn(frame))), pfn_of(page));
    EXPECT_RC(scratch_writable(page), 0);
}

/*
 * Exchanging: xen/common/memory.c: memory_exchange().  This one does return an
 * errno, and the count is in the structure.
 */
static long exchange(struct xen_memory_exchange *x, uint64_t *in, uint64_t *out)
{
    set_xen_guest_handle(x->in.extent_start, in);
    set_xen_guest_handle(x->out.extent_start, out);
    return hypercall_memory_op(XENMEM_exchange, x);
}

static struct xen_memory_exchange of_one_page(void)
{
    return (struct xen_memory_exchange){
        .in = { .nr_extents = 1, .domid = DOMID_SELF },
        .out = { .nr_extents = 1, .domid = DOMID_SELF },
    };
}

RULE(abi_memory, page_is_exchanged_when_nothing_refers_to_it)
{
    struct xen_memory_exchange x = of_one_page();
    uint64_t *page = scratch_page(), in = frame_of(page), out = pfn_of(page);
    const long before = owned();

    /* steal_page(): the mapping is a reference. */
    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    EXPECT_EQ(x.nr_exchanged, 0);
    EXPECT_EQ(pfn_x(m2p_lookup(_mfn(in))), pfn_of(page));

    REQUIRE(scratch_unmap(page) == 0);
    x = of_one_page();
    EXPECT_RC(exchange(&x, &in, &out), 0);
    EXPECT_EQ(x.nr_exchanged, 1);
    scratch_frame_is(page, _mfn(out));
    EXPECT_EQ(pfn_x(m2p_raw(_mfn(out))), pfn_of(page));
    EXPECT_EQ(owned(), before);
    EXPECT_RC(scratch_writable(page), 0);
}

RULE(abi_memory, table_is_not_exchanged)
{
    struct xen_memory_exchange x = of_one_page();
    uint64_t *table = new_table(1), in = frame_of(table), out = pfn_of(table);

    REQUIRE(scratch_unmap(table) == 0);
    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    EXPECT_RC(ext_frame(MMUEXT_UNPIN_TABLE, _mfn(in)), 0);
    x = of_one_page();
    EXPECT_RC(exchange(&x, &in, &out), 0);
    scratch_frame_is(table, _mfn(out));
}

RULE(abi_memory, exchange_of_a_frame_of_another_is_refused)
{
    struct xen_memory_exchange x = of_one_page();
    uint64_t *page = scratch_page(), in = mfn_x(frame_of_xen());
    uint64_t out = pfn_of(page);
    const uint64_t shared = start_info()->shared_info >> PAGE_SHIFT;

    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    in = mfn_x(frame_beyond_memory());
    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    in = shared;
    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    EXPECT_EQ(out, pfn_of(page));

    in = frame_of(page);
    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_RC(exchange(&x, &in, &out), 0);
    scratch_frame_is(page, _mfn(out));
}

/* What makes no sense is found before a page is touched. */
RULE(abi_memory, exchange_must_add_up)
{
    struct xen_memory_exchange x;
    uint64_t *page = scratch_page(), in = frame_of(page), out = pfn_of(page);

    REQUIRE(scratch_unmap(page) == 0);
    x = of_one_page();
    x.out.nr_extents = 2;
    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    x = of_one_page();
    x.out.extent_order = 1;
    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    x = of_one_page();
    x.out.domid = own_domid();
    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    x = of_one_page();
    x.nr_exchanged = 2;
    EXPECT_RC(exchange(&x, &in, &out), -EINVAL);
    x = of_one_page();
    x.in.domid = x.out.domid = DOMID_NOBODY;
    EXPECT_RC(exchange(&x, &in, &out), -ESRCH);
    x = of_one_page();
    x.in.extent_order = x.out.extent_order = 19;
    EXPECT_RC(exchange(&x, &in, &out), -EPERM);
    EXPECT_RC(hypercall_memory_op(XENMEM_exchange, UNMAPPED), -EFAULT);

    x = of_one_page();
    EXPECT_RC(exchange(&x, &in, &out), 0);
    scratch_frame_is(page, _mfn(out));
}

/* Two single pages for two that lie side by side. */
RULE(abi_memory, exchange_makes_contiguous_memory)
{
    struct xen_memory_exchange x = of_one_page();
    uint64_t *one = scratch_page(), *two = scratch_page(), in[2], out;

    REQUIRE(pfn_of(two) == pfn_of(one) + 1);
    in[0] = frame_of(one);
    in[1] = frame_of(two);
    out = pfn_of(one);
    x.in.nr_extents = 2;
    x.out.extent_order = 1;
    REQUIRE(scratch_unmap(one) == 0);
    EXPECT_RC(exchange(&x, in, &out), -EINVAL); /* the second is mapped */
    EXPECT_EQ(x.nr_exchanged, 0);

    REQUIRE(scratch_unmap(two) == 0);
    EXPECT_RC(exchange(&x, in, &out), 0);
    EXPECT_EQ(x.nr_exchanged, 2);
    EXPECT_EQ(out % 2, 0);
    scratch_frame_is(one, _mfn(out));
    scratch_frame_is(two, _mfn(out + 1));
    EXPECT_EQ(pfn_x(m2p_lookup(_mfn(out + 1))), pfn_of(two));
}

/* A frame of ours that the M2P gives @pfn, other than @old; by trying all. */
static mfn_t find_frame(uint64_t pfn, mfn_t old)
{
    const uint64_t max = hypercall_memory_op(XENMEM_maximum_ram_page, NULL);

    for (uint64_t n = 0; n < max; n++)
        if (n != mfn_x(old) && pfn_x(m2p_raw(_mfn(n))) == pfn &&
            fixmap_set(FIX_TEST, _mfn(n), 0) == 0)
            return _mfn(n);
    return INVALID_MFN;
}

/*
 * The list of new frames is written last, when the old ones are gone.  If it
 * cannot be, the call fails, counts nothing, and yet it was all done.
 */
RULE(abi_memory, exchange_that_cannot_tell_has_happened)
{
    struct xen_memory_exchange x = of_one_page();
    uint64_t *page = scratch_page(), *list = scratch_page();
    const mfn_t old = scratch_mfn(page);
    uint64_t in = mfn_x(old);
    const long before = owned();
    mfn_t found;

    list[0] = pfn_of(page);
    REQUIRE(scratch_unmap(page) == 0);
    REQUIRE(scratch_readonly(list) == 0);
    EXPECT_RC(exchange(&x, &in, list), -EFAULT);
    EXPECT_EQ(list[0], pfn_of(page));
    EXPECT_EQ(owned(), before);
    EXPECT_RC(scratch_writable(page), -EBUSY);

    found = find_frame(pfn_of(page), old);
    EXPECT(!mfn_eq(found, INVALID_MFN));
    scratch_frame_is(page, found);
    EXPECT_RC(scratch_writable(page), 0);
}

/*
 * Asking.
 */
static void asks_about_a_domain(struct test_run *run_, unsigned int cmd)
{
    domid_t self = DOMID_SELF, number = own_domid(), nobody = DOMID_NOBODY;
    const long answer = hypercall_memory_op(cmd, &self);

    EXPECT(answer > 0);
    EXPECT_EQ(hypercall_memory_op(cmd, &number), answer);
    EXPECT_RC(hypercall_memory_op(cmd, &nobody), -ESRCH);
    EXPECT_RC(hypercall_memory_op(cmd, UNMAPPED), -EFAULT);
    if (!is_dom0()) {
        domid_t dom0 = 0;

        EXPECT_RC(hypercall_memory_op(cmd, &dom0), -EPERM);
    }
}

RULE(abi_memory, current_reservation_is_told)
{
    asks_about_a_domain(run_, XENMEM_current_reservation);
    EXPECT(owned() >= (long)p2m_size());
}

RULE(abi_memory, maximum_reservation_is_told)
{
    asks_about_a_domain(run_, XENMEM_maximum_reservation);
}

/* Of the machine, and of every page of ours. */
RULE(abi_memory, maximum_ram_page_is_told)
{
    const long max = hypercall_memory_op(XENMEM_maximum_ram_page, NULL);

    EXPECT(max >= (long)p2m_size());
    EXPECT(frame_of(scratch_page()) <= (uint64_t)max);
    EXPECT_RC(hypercall_memory_op(0x3f, NULL), -ENOSYS);
}

/* xen/arch/x86/mm.c: arch_memory_op(). */
RULE(abi_memory, place_of_the_m2p_is_told)
{
    struct xen_machphys_mapping m = { 0 };

    EXPECT_RC(hypercall_memory_op(XENMEM_machphys_mapping, &m), 0);
    EXPECT_EQ(m.v_start, MACH2PHYS_VIRT_START);
    EXPECT_EQ(m.v_end, MACH2PHYS_VIRT_END);
    EXPECT(m.max_mfn >= frame_of(scratch_page()));
    EXPECT_RC(hypercall_memory_op(XENMEM_machphys_mapping, UNMAPPED), -EFAULT);
}

RULE(abi_memory, frames_of_the_m2p_are_told)
{
    uint64_t frame = 0;
    struct xen_machphys_mfn_list list = { .max_extents = 1 };

    set_xen_guest_handle(list.extent_start, &frame);
    EXPECT_RC(hypercall_memory_op(XENMEM_machphys_mfn_list, &list), 0);
    EXPECT_EQ(list.nr_extents, 1);
    EXPECT(frame != 0);
    set_xen_guest_handle(list.extent_start, (xen_pfn_t *)IN_HOLE);
    EXPECT_RC(hypercall_memory_op(XENMEM_machphys_mfn_list, &list), -EFAULT);
}

/* ... but they are not ours to map elsewhere. */
RULE(abi_memory, frames_of_the_m2p_cannot_be_mapped)
{
    uint64_t *l1 = new_table(1), frame = 0;
    struct xen_machphys_mfn_list list = { .max_extents = 1 };

    set_xen_guest_handle(list.extent_start, &frame);
    EXPECT_RC(hypercall_memory_op(XENMEM_machphys_mfn_list, &list), 0);
    EXPECT_RC(set_entry(l1, 0, pte_make(_mfn(frame), LEAF_RO).raw), -EBUSY);
    EXPECT_RC(set_entry(l1, 0, pte_make(_mfn(frame), LEAF_RW).raw), -EBUSY);
}

/* Claiming is the toolstack's: one does not even name oneself. */
RULE(abi_memory, claiming_is_privileged)
{
    struct xen_memory_reservation r = { .domid = DOMID_SELF };

    EXPECT_RC(hypercall_memory_op(XENMEM_CLAIM_PAGES, &r), -EINVAL);
    r.domid = DOMID_NOBODY;
    EXPECT_RC(hypercall_memory_op(XENMEM_CLAIM_PAGES, &r), -EINVAL);
    r.domid = own_domid();
    EXPECT_RC(hypercall_memory_op(XENMEM_CLAIM_PAGES, &r),
              is_dom0() ? 0 : -EPERM);
}

/* The machine's memory map is the hardware domain's to know. */
RULE(abi_memory, memory_map_of_the_machine_is_privileged)
{
    struct xen_memory_map map = { .nr_entries = 1 };
    uint64_t *page = scratch_page();

    /* It has more than one entry, but 200 will do. */
    set_xen_guest_handle(map.buffer, (void *)page);
    EXPECT_RC(hypercall_memory_op(XENMEM_machine_memory_map, &map),
              is_dom0() ? -EINVAL : -EPERM);
    map.nr_entries = 200;
    EXPECT_RC(hypercall_memory_op(XENMEM_machine_memory_map, &map),
              is_dom0() ? 0 : -EPERM);
    EXPECT_RC(hypercall_memory_op(XENMEM_machine_memory_map, UNMAPPED),
              is_dom0() ? -EFAULT : -EPERM);
}

/*
 * xen/arch/x86/mm/p2m.c: the P2M of a PV guest is its own, and not to be
 * changed by Xen.
 */
RULE(abi_memory, physmap_is_not_xens_to_change)
{
    uint64_t *page = scratch_page();
    struct xen_add_to_physmap add = {
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_shared_info,
        .gpfn = pfn_of(page),
    };
    struct xen_remove_from_physmap remove = {
        .domid = DOMID_SELF,
        .gpfn = pfn_of(page),
    };

    EXPECT_RC(hypercall_memory_op(XENMEM_add_to_physmap, &add), -EACCES);
    EXPECT_RC(hypercall_memory_op(XENMEM_remove_from_physmap, &remove),
              -EACCES);
    add.domid = DOMID_NOBODY;
    EXPECT_RC(hypercall_memory_op(XENMEM_add_to_physmap, &add), -ESRCH);
    EXPECT_EQ(pfn_x(m2p_lookup(scratch_mfn(page))), pfn_of(page));
}

/* SPDX-License-Identifier: MIT */
/*
 * The rules of grants, by bare hypercalls: what kernel/grant.c never asks for,
 * or checks by itself before.  The domain is at both ends.
 */
#include <plinth/grant.h>
#include <plinth/kaddr.h>
#include <plinth/string.h>

#include "abi.h"

/* A page of ours, granted to ourselves; its reference. */
static uint64_t *page;
static grant_ref_t ref;

/* Version 1 has no other errors, and grants of it are as good here. */
static bool given(void)
{
    page = scratch_page();
    return grant_stop() == 0 && grant_start(1) == 0 &&
           grant_access(own_domid(), kaddr_pfn(page), false, &ref) == 0;
}

static void taken_back(struct test_run *run_)
{
    EXPECT_RC(grant_end_access(ref), 0);
    EXPECT_RC(grant_stop(), 0);
}

#define GRANT_RULE(name)                                                       \
    static void given_##name(struct test_run *run_ __unused);                  \
    RULE(abi_grant, name)                                                      \
    {                                                                          \
        if (!given())                                                          \
            SKIP("grants are in use");                                         \
        given_##name(run_);                                                    \
        taken_back(run_);                                                      \
    }                                                                          \
    static void given_##name(struct test_run *run_ __unused)

/* Did Xen note @want in a request that it took? */
#define EXPECT_STATUS(call, want)                                              \
    do {                                                                       \
        const int got_ = (call);                                               \
        if (got_ != (want))                                                    \
            test_fail(run_, __FILE__, __LINE__, "%s: status %d, want %s",      \
                      #call, got_, #want);                                     \
    } while (0)

/* A mapping for devices needs no page table. */
static int map(uint32_t flags, struct gnttab_map_grant_ref *op)
{
    *op = (struct gnttab_map_grant_ref){
        .flags = flags,
        .ref = ref,
        .dom = own_domid(),
    };
    return hypercall_grant_table_op(GNTTABOP_map_grant_ref, op, 1) == 0
               ? op->status
               : INT16_MAX;
}

static int unmap(grant_handle_t handle, uint64_t bus_addr)
{
    struct gnttab_unmap_grant_ref op = {
        .handle = handle,
        .dev_bus_addr = bus_addr,
    };

    return hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) == 0
               ? op.status
               : INT16_MAX;
}

/* xen/common/grant_table.c: map_grant_ref() */
GRANT_RULE(map_says_for_whom)
{
    struct gnttab_map_grant_ref op;

    EXPECT_STATUS(map(0, &op), GNTST_bad_gntref);
    EXPECT_STATUS(map(GNTMAP_readonly, &op), GNTST_bad_gntref);
    EXPECT_STATUS(map(GNTMAP_device_map, &op), GNTST_okay);
    EXPECT_STATUS(unmap(op.handle, op.dev_bus_addr), GNTST_okay);
}

/* unmap_common() */
GRANT_RULE(unmap_wants_a_handle)
{
    struct gnttab_map_grant_ref op;

    EXPECT_STATUS(unmap(~0u, 0), GNTST_bad_handle);
    EXPECT_STATUS(map(GNTMAP_device_map, &op), GNTST_okay);
    EXPECT_STATUS(unmap(op.handle, op.dev_bus_addr), GNTST_okay);
    EXPECT_STATUS(unmap(op.handle, op.dev_bus_addr), GNTST_bad_handle);
}

/* unmap_common(): without an address nothing is undone, and that is no error. */
GRANT_RULE(unmap_wants_the_bus_address)
{
    struct gnttab_map_grant_ref op;

    EXPECT_STATUS(map(GNTMAP_device_map, &op), GNTST_okay);
    EXPECT_EQ(op.dev_bus_addr, maddr_x(scratch_maddr(page)));
    EXPECT_STATUS(unmap(op.handle, 0), GNTST_okay);
    EXPECT_RC(grant_end_access(ref), -EBUSY);
    EXPECT_STATUS(unmap(op.handle, op.dev_bus_addr + PAGE_SIZE),
                  xen_since(16) ? GNTST_bad_dev_addr : GNTST_general_error);
    EXPECT_STATUS(unmap(op.handle, op.dev_bus_addr), GNTST_okay);
}

/*
 * Copying: from the grant to a page of ours, unless a test has it otherwise.
 */
static struct gnttab_copy copy_to(const void *to)
{
    return (struct gnttab_copy){
        .source = { .u.ref = ref, .domid = own_domid() },
        .dest = { .u.gmfn = mfn_x(scratch_mfn(to)), .domid = DOMID_SELF },
        .len = sizeof(uint64_t),
        .flags = GNTCOPY_source_gref,
    };
}

static int copy(struct gnttab_copy op)
{
    return hypercall_grant_table_op(GNTTABOP_copy, &op, 1) == 0 ? op.status
                                                                : INT16_MAX;
}

/* gnttab_copy_lock_domain() */
GRANT_RULE(copy_by_frame_is_for_oneself)
{
    uint64_t *to = scratch_page();
    struct gnttab_copy op = copy_to(to);

    page[0] = 17;
    EXPECT_STATUS(copy(op), GNTST_okay);
    EXPECT_EQ(to[0], 17);
    op.dest.domid = own_domid();
    EXPECT_STATUS(copy(op), GNTST_permission_denied);
}

GRANT_RULE(copy_names_a_domain)
{
    struct gnttab_copy op = copy_to(scratch_page());

    op.source.domid = DOMID_NOBODY;
    EXPECT_STATUS(copy(op), GNTST_bad_domain);
}

/* acquire_grant_for_copy() */
GRANT_RULE(copy_names_a_reference)
{
    struct gnttab_copy op = copy_to(scratch_page());

    op.source.u.ref = 1u << 20;
    EXPECT_STATUS(copy(op), GNTST_bad_gntref);
}

/* gnttab_copy_buf() */
GRANT_RULE(copy_stays_in_its_page)
{
    uint8_t *to = scratch_page();
    struct gnttab_copy op = copy_to(to);

    ((uint8_t *)page)[0] = 5;
    op.len = 1;
    op.dest.offset = PAGE_SIZE - 1;
    EXPECT_STATUS(copy(op), GNTST_okay);
    EXPECT_EQ(to[PAGE_SIZE - 1], 5);
    op.len = 2;
    EXPECT_STATUS(copy(op), GNTST_bad_copy_arg);
    op.dest.offset = 0;
    op.source.offset = PAGE_SIZE - 1;
    EXPECT_STATUS(copy(op), GNTST_bad_copy_arg);
}

/* gnttab_copy_claim_buf(): what is written to is an ordinary page for so long. */
GRANT_RULE(copy_does_not_write_to_a_table)
{
    uint64_t *table = new_table(1);

    page[0] = 0x1234;
    EXPECT_STATUS(copy(copy_to(table)), GNTST_general_error);
    EXPECT_EQ(table[0], 0);
}

/*
 * The table.
 */
static int setup(domid_t dom, unsigned int frames, unsigned int count)
{
    static xen_pfn_t list[1];
    struct gnttab_setup_table op = { .dom = dom, .nr_frames = frames };
    int rc;

    set_xen_guest_handle(op.frame_list, list);
    rc = hypercall_grant_table_op(GNTTABOP_setup_table, &op, count);
    return rc == 0 ? op.status : rc;
}

static int query(domid_t dom, unsigned int count, struct gnttab_query_size *op)
{
    int rc;

    *op = (struct gnttab_query_size){ .dom = dom };
    rc = hypercall_grant_table_op(GNTTABOP_query_size, op, count);
    return rc == 0 ? op->status : rc;
}

/* gnttab_setup_table(), gnttab_query_size() */
GRANT_RULE(table_has_its_limit)
{
    struct gnttab_query_size size;

    EXPECT_STATUS(query(DOMID_SELF, 1, &size), GNTST_okay);
    EXPECT(size.nr_frames <= size.max_nr_frames);
    EXPECT_STATUS(setup(DOMID_SELF, 1, 1), GNTST_okay);
    EXPECT_STATUS(setup(DOMID_SELF, size.max_nr_frames + 1, 1),
                  GNTST_general_error);
    EXPECT_STATUS(setup(DOMID_NOBODY, 1, 1), GNTST_bad_domain);
    EXPECT_STATUS(query(DOMID_NOBODY, 1, &size), GNTST_bad_domain);
    EXPECT_RC(setup(DOMID_SELF, 1, 2), -EINVAL);
    EXPECT_RC(query(DOMID_SELF, 2, &size), -EINVAL);
}

/* do_grant_table_op() */
GRANT_RULE(nonsense_is_refused)
{
    static const unsigned int commands[] = {
        GNTTABOP_map_grant_ref, GNTTABOP_unmap_grant_ref, GNTTABOP_copy,
        GNTTABOP_setup_table,   GNTTABOP_query_size,      GNTTABOP_get_version,
    };
    uint64_t op[16] = { 0 };

    EXPECT_RC(hypercall_grant_table_op(99, op, 1), -ENOSYS);
    EXPECT_RC(hypercall_grant_table_op(GNTTABOP_copy, op, ~0u), -EINVAL);
    for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
        EXPECT_RC(hypercall_grant_table_op(commands[i], UNMAPPED, 1), -EFAULT);
        EXPECT_RC(hypercall_grant_table_op(commands[i], IN_HOLE, 1), -EFAULT);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * What grants cost, as TSC ticks (see test_cost.c).  Grants to ourselves: given
 * and ended; mapped and unmapped by one call each, beside a page that keeps the
 * table alive; copied, a page and 64 bytes each.
 */
#include <arch/cpu.h>
#include <plinth/grant.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/test.h>
#include <plinth/vmap.h>

#include "abi.h"

static struct gnttab_map_grant_ref grants[512];
static struct gnttab_unmap_grant_ref unmaps[512];
static struct gnttab_copy copies[512];

static void map_grants(unsigned int nr, domid_t self)
{
    uint64_t start, mapped, unmapped, reserved;
    void *p, *keep;
    int rc = vmap_reserve(1, &keep);

    for (unsigned int i = 0; i < nr; i++) {
        grants[i].dom = self;
        grants[i].flags = 0;
    }
    start = rdtsc();
    rc |= grant_map(grants, nr, &p);
    mapped = rdtsc() - start;
    start = rdtsc();
    rc |= grant_unmap(grants, nr);
    unmapped = rdtsc() - start;
    start = rdtsc();
    rc |= vmap_reserve(nr, &p);
    vmap_release(p, nr);
    reserved = rdtsc() - start;
    vmap_release(keep, 1);
    say("# cost: map %u grants: %lu a page; unmap: %lu; of both, to reserve and "
        "release: %lu%s\n",
        nr, mapped / nr, unmapped / nr, reserved / nr, rc ? " (failed)" : "");
}

/* The same by prepared requests. */
static void map_floor(unsigned int nr, domid_t self)
{
    uint64_t start, mapped, unmapped;
    uint8_t *p;
    int rc = vmap_reserve(nr, (void **)&p);

    for (unsigned int i = 0; i < nr; i++) {
        grants[i].dom = self;
        grants[i].flags = GNTMAP_host_map;
        grants[i].host_addr = (uintptr_t)p + i * PAGE_SIZE;
    }
    start = rdtsc();
    rc |= hypercall_grant_table_op(GNTTABOP_map_grant_ref, grants, nr);
    mapped = rdtsc() - start;
    for (unsigned int i = 0; i < nr; i++)
        unmaps[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = grants[i].host_addr,
            .handle = grants[i].handle,
        };
    start = rdtsc();
    rc |= hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, unmaps, nr);
    unmapped = rdtsc() - start;
    vmap_release(p, nr);
    say("# cost: map %u grants, floor: %lu a page; unmap: %lu%s\n", nr,
        mapped / nr, unmapped / nr, rc ? " (failed)" : "");
}

static void copy_grants(unsigned int nr, unsigned int len, uint64_t *block,
                        domid_t self)
{
    uint64_t start;
    int rc;

    for (unsigned int i = 0; i < nr; i++)
        copies[i] = (struct gnttab_copy){
            .source.u.ref = grants[i].ref,
            .source.domid = self,
            .dest.u.gmfn =
                mfn_x(p2m_lookup(pfn_add(kaddr_pfn(block), i + 512))),
            .dest.domid = DOMID_SELF,
            .len = len,
            .flags = GNTCOPY_source_gref,
        };
    start = rdtsc();
    rc = grant_copy(copies, nr);
    start = rdtsc() - start;
    say("# cost: copy %u grants, %u bytes each: %lu each%s\n", nr, len,
        start / nr, rc ? " (failed)" : "");
}

static void cost_of_grants(struct test_run *run_, unsigned int version)
{
    static const unsigned int sizes[] = { 1, 32, 512 };
    const domid_t self = own_domid();
    uint64_t start, *block = page_alloc(10);
    grant_ref_t ref = 0;
    int rc = 0;

    REQUIRE(block != NULL);
    start = rdtsc();
    rc |= grant_start(version);
    say("# cost: grants version %u: set up: %lu\n", version, rdtsc() - start);
    start = rdtsc();
    for (unsigned int i = 0; i < 200; i++) {
        rc |= grant_access(self, kaddr_pfn(block), false, &ref);
        rc |= grant_end_access(ref);
    }
    say("# cost: grant_access + grant_end_access: %lu\n",
        (rdtsc() - start) / 200);
    start = rdtsc();
    for (unsigned int i = 0; i < 512; i++)
        rc |= grant_access(self, pfn_add(kaddr_pfn(block), i), false,
                           &grants[i].ref);
    say("# cost: grant_access, the table growing: %lu\n",
        (rdtsc() - start) / 512);
    for (unsigned int again = 0; again < 2; again++) {
        for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
            map_grants(sizes[i], self);
            map_floor(sizes[i], self);
            copy_grants(sizes[i], 64, block, self);
            copy_grants(sizes[i], PAGE_SIZE, block, self);
        }
    }
    for (unsigned int i = 0; i < 512; i++)
        rc |= grant_end_access(grants[i].ref);
    rc |= grant_stop();
    EXPECT_EQ(rc, 0);
    page_free(block, 10);
}

FATAL(cost, grants)
{
    cost_of_grants(run_, 1);
    cost_of_grants(run_, 2);
}

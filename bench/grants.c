/* SPDX-License-Identifier: MIT */
/*
 * Grants to ourselves: given and ended; mapped and unmapped by one call each,
 * beside a page that keeps the table alive; copied, a page and 64 bytes each.  The
 * floors are the same by prepared requests, at an address that is reserved.
 */
#include <plinth/grant.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/vmap.h>

#include "../tests/bare.h"
#include "bench.h"

static struct gnttab_map_grant_ref grants[512];
static struct gnttab_unmap_grant_ref unmaps[512];
static struct gnttab_copy copies[512];

static void prepare(unsigned int nr, domid_t self, uint8_t *p)
{
    for (unsigned int i = 0; i < nr; i++) {
        grants[i].dom = self;
        grants[i].flags = p ? GNTMAP_host_map : 0;
        grants[i].host_addr = (uintptr_t)p + i * PAGE_SIZE;
    }
}

/* By prepared requests. */
static void map_floor(unsigned int version, unsigned int nr, domid_t self)
{
    struct ticks map, unmap;
    uint8_t *p = NULL;
    int rc = vmap_reserve(nr, (void **)&p);

    for (unsigned int t = 0; t < BENCH_TIMES && rc == 0; t++) {
        uint64_t start;

        prepare(nr, self, p);
        start = rdtsc();
        rc |= hypercall_grant_table_op(GNTTABOP_map_grant_ref, grants, nr);
        ticks_note(&map, t, rdtsc() - start);
        for (unsigned int i = 0; i < nr; i++) {
            rc |= grants[i].status;
            unmaps[i] = (struct gnttab_unmap_grant_ref){
                .host_addr = grants[i].host_addr,
                .handle = grants[i].handle,
            };
        }
        start = rdtsc();
        rc |= hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, unmaps, nr);
        ticks_note(&unmap, t, rdtsc() - start);
    }
    bench_check(rc, "grants by hand");
    if (rc != 0)
        return;
    vmap_release(p, nr);
    figure("insn/page", nr, map, 0, "bare.grant_map.v%u.%u", version, nr);
    figure("insn/page", nr, unmap, 0, "bare.grant_unmap.v%u.%u", version, nr);
}

static void map_grants(unsigned int version, unsigned int nr, domid_t self)
{
    struct ticks map, unmap, reserve;
    void *p, *keep;
    int rc = vmap_reserve(1, &keep);

    for (unsigned int t = 0; t < BENCH_TIMES; t++) {
        uint64_t start;

        prepare(nr, self, NULL);
        start = rdtsc();
        rc |= grant_map(grants, nr, &p);
        ticks_note(&map, t, rdtsc() - start);
        start = rdtsc();
        rc |= grant_unmap(grants, nr);
        ticks_note(&unmap, t, rdtsc() - start);
        start = rdtsc();
        rc |= vmap_reserve(nr, &p);
        vmap_release(p, nr);
        ticks_note(&reserve, t, rdtsc() - start);
    }
    vmap_release(keep, 1);
    bench_check(rc, "mapping grants");
    figure("insn/page", nr, map,
           figure_of("bare.grant_map.v%u.%u", version, nr), "grant.map.v%u.%u",
           version, nr);
    figure("insn/page", nr, unmap,
           figure_of("bare.grant_unmap.v%u.%u", version, nr),
           "grant.unmap.v%u.%u", version, nr);
    if (version == 1)
        figure("insn/page", nr, reserve, 0, "vmap.reserve_release.%u", nr);
}

static void copy_grants(unsigned int version, unsigned int nr, unsigned int len,
                        uint64_t *block, domid_t self)
{
    struct ticks t;
    int rc = 0;

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
    MEASURE_TICKS(t, , rc |= grant_copy(copies, nr));
    bench_check(rc, "copying grants");
    figure("insn/page", nr, t, 0, "grant.copy.%u_bytes.v%u.%u", len, version,
           nr);
}

#define ROUNDS 100u

static void give(unsigned int version, uint64_t *block, domid_t self)
{
    struct ticks t;
    grant_ref_t ref = 0;
    int rc = 0;

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            rc |= grant_access(self, kaddr_pfn(block), false, &ref);
            rc |= grant_end_access(ref);
        });
    bench_check(rc, "giving grants");
    figure("insn", ROUNDS, t, 0, "grant.access_end.v%u", version);
}

static void cost_of_grants(unsigned int version, uint64_t *block)
{
    static const unsigned int sizes[] = { 1, 32, 512 };
    const domid_t self = own_domid();
    struct ticks t;
    uint64_t start = rdtsc();
    int rc = grant_start(version);

    ticks_note(&t, 0, rdtsc() - start);
    figure("insn", 1, t, 0, "grant.start.v%u", version);
    give(version, block, self);
    start = rdtsc();
    for (unsigned int i = 0; i < 512; i++)
        rc |= grant_access(self, pfn_add(kaddr_pfn(block), i), false,
                           &grants[i].ref);
    ticks_note(&t, 0, rdtsc() - start);
    figure("insn", 512, t, 0, "grant.access.table_growing.v%u", version);
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        map_floor(version, sizes[i], self);
        map_grants(version, sizes[i], self);
        copy_grants(version, sizes[i], 64, block, self);
        copy_grants(version, sizes[i], PAGE_SIZE, block, self);
    }
    for (unsigned int i = 0; i < 512; i++)
        rc |= grant_end_access(grants[i].ref);
    rc |= grant_stop();
    bench_check(rc, "grants");
}

void bench_grants(void)
{
    uint64_t *block = page_alloc(10);

    if (block == NULL) {
        bench_fail("grants: no memory");
        return;
    }
    cost_of_grants(1, block);
    cost_of_grants(2, block);
    page_free(block, 10);
}

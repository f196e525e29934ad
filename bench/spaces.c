/* SPDX-License-Identifier: MIT */
/*
 * Address spaces with a second L4 for user mode: empty, of 64 MiB and of 1 GiB,
 * all of it mapped before the first switch, which pins them.
 */
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/space.h>

#include "bench.h"

enum step {
    CREATE,
    MAP,
    FIRST_SWITCH,
    SWITCH_BACK,
    SWITCH,
    DESTROY,
    STEPS
};

static const char *const names[STEPS] = {
    [CREATE] = "create",
    [MAP] = "map",
    [FIRST_SWITCH] = "first_switch",
    [SWITCH_BACK] = "switch_back",
    [SWITCH] = "switch",
    [DESTROY] = "destroy",
};

static uint64_t both[2]; /* the entries that map its L4 tables */
static mfn_t *frames;    /* the same one, 1 GiB of it */

/* The tables of @s, loaded by hand. */
static int load(const struct space *s)
{
    const struct mmuext_op ops[] = {
        { .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = mfn_x(s->l4) },
        { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = mfn_x(s->user_l4) },
    };

    return hypercall_mmuext_op(ops, ARRAY_SIZE(ops), NULL, DOMID_SELF);
}

/* What a switch to @s, which is pinned and loaded, has to cost. */
static uint64_t switch_floor(const struct space *s)
{
    struct ticks t;
    int rc = 0;

    MEASURE_TICKS(t, rc |= load(&kernel_space), rc |= load(s));
    bench_check(rc, "loading a space");
    figure("insn", 1, t, 0, "bare.NEW_BASEPTR.and_NEW_USER_BASEPTR.1");
    return figure_of("bare.NEW_BASEPTR.and_NEW_USER_BASEPTR.1");
}

/*
 * What it has to cost to pin and load an empty space, and to make plain memory of
 * it again: its two L4 tables are read-only meanwhile.
 */
static int set_both(const struct space *s, uint64_t flags)
{
    const mfn_t l4s[] = { s->l4, s->user_l4 };
    struct mmu_update reqs[2];

    for (unsigned int i = 0; i < ARRAY_SIZE(reqs); i++) {
        reqs[i].ptr = both[i];
        reqs[i].val = pte_make(l4s[i], flags).raw;
    }
    return hypercall_mmu_update(reqs, ARRAY_SIZE(reqs), NULL, DOMID_SELF);
}

static int pin_and_load(const struct space *s)
{
    const struct mmuext_op ops[] = {
        { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = mfn_x(s->l4) },
        { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = mfn_x(s->user_l4) },
        { .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = mfn_x(s->l4) },
        { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = mfn_x(s->user_l4) },
    };

    return set_both(s, PTE_DATA_RO) |
           hypercall_mmuext_op(ops, ARRAY_SIZE(ops), NULL, DOMID_SELF);
}

static int unpin(const struct space *s)
{
    const struct mmuext_op ops[] = {
        { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = mfn_x(s->l4) },
        { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = mfn_x(s->user_l4) },
    };

    return hypercall_mmuext_op(ops, ARRAY_SIZE(ops), NULL, DOMID_SELF) |
           set_both(s, PTE_DATA);
}

static void empty_floors(void)
{
    struct ticks up, down;
    struct space s;
    int rc = space_create(&s, SPACE_USER);

    bench_check(rc, "a space");
    if (rc != 0)
        return;
    both[0] = maddr_x(pte_address(kaddr_lookup_mfn(s.l4)));
    both[1] = maddr_x(pte_address(kaddr_lookup_mfn(s.user_l4)));
    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        uint64_t start = rdtsc();

        rc |= pin_and_load(&s);
        ticks_note(&up, i, rdtsc() - start);
        rc |= load(&kernel_space);
        start = rdtsc();
        rc |= unpin(&s);
        ticks_note(&down, i, rdtsc() - start);
    }
    bench_check(rc, "a space by hand");
    bench_check(space_destroy(&s), "a space");
    figure("insn", 1, up, 0, "bare.space.pin_and_load");
    figure("insn", 1, down, 0, "bare.space.unpin");
}

static int step(enum step step, struct space *s, uint64_t nr)
{
    switch (step) {
    case CREATE:
        return space_create(s, SPACE_USER);
    case MAP:
        return nr ? space_map(s, _vaddr(1ul << 30), frames, nr, MAP_RW) : 0;
    case FIRST_SWITCH:
    case SWITCH:
        return space_switch(s);
    case SWITCH_BACK:
        return space_switch(&kernel_space);
    default:
        return space_destroy(s);
    }
}

static uint64_t floor_if_empty(enum step step)
{
    return step == FIRST_SWITCH ? figure_of("bare.space.pin_and_load")
           : step == DESTROY    ? figure_of("bare.space.unpin")
                                : 0;
}

static void come_and_go(uint64_t nr, uint64_t *floor)
{
    struct ticks t[STEPS];
    struct space s;
    int rc = 0;

    for (unsigned int i = 0; i < BENCH_TIMES; i++) {
        for (unsigned int n = 0; n < STEPS; n++) {
            uint64_t start;

            if (n == DESTROY) {
                if (*floor == 0)
                    *floor = switch_floor(&s);
                rc |= space_switch(&kernel_space);
            }
            start = rdtsc();
            rc |= step(n, &s, nr);
            ticks_note(&t[n], i, rdtsc() - start);
        }
    }
    bench_check(rc, "a space");
    for (unsigned int n = 0; n < STEPS; n++) {
        const bool pages =
            nr > 0 && (n == MAP || n == FIRST_SWITCH || n == DESTROY);

        if (n == MAP && nr == 0)
            continue;
        figure(pages ? "insn/page" : "insn", pages ? nr : 1, t[n],
               n == SWITCH ? *floor
               : nr == 0   ? floor_if_empty(n)
                           : 0,
               "space.%s.%luMiB", names[n], nr / 256);
    }
}

void bench_spaces(void)
{
    static const uint64_t sizes[] = { 0, 16384, 262144 };
    uint64_t floor = 0;
    void *page = page_alloc(0);

    frames = page_alloc(9);
    if (page == NULL || frames == NULL) {
        bench_fail("spaces: no memory");
        return;
    }
    for (unsigned int i = 0; i < 512 * 512; i++)
        frames[i] = p2m_lookup(kaddr_pfn(page));
    empty_floors();
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
        come_and_go(sizes[i], &floor);
    page_free(frames, 9);
    page_free(page, 0);
}

/* SPDX-License-Identifier: MIT */
/* Ranges of pages: mapped, unmapped and protected as a whole or not at all. */
#include <plinth/audit.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/space.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/walk.h>

#include "block.h"

#define BASE  0xffffd00000000000ul
#define SPAN  (512 * PAGE_SIZE)
#define ORDER 6
#define PAGES (1u << ORDER)

/* Frames to map: PAGES of them, over and over where more are wanted. */
static mfn_t frames[2048];
static uint64_t *block;

static bool setup(void)
{
    block = block_get(ORDER, frames, ARRAY_SIZE(frames));
    return block != NULL;
}

static void teardown(struct test_run *run_)
{
    char why[120] = "";

    page_free(block, ORDER);
    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

static volatile uint64_t *at(uint64_t page)
{
    return (volatile uint64_t *)(BASE + page * PAGE_SIZE);
}

static int map(uint64_t page, uint64_t nr, uint64_t flags)
{
    return space_map(&kernel_space, ptr_to_vaddr(at(page)), frames, nr, flags);
}

static int unmap(uint64_t page, uint64_t nr)
{
    return space_unmap(&kernel_space, ptr_to_vaddr(at(page)), nr);
}

static int protect(uint64_t page, uint64_t nr, uint64_t flags)
{
    return space_protect(&kernel_space, ptr_to_vaddr(at(page)), nr, flags);
}

TEST(map, one_page)
{
    REQUIRE(setup());
    EXPECT_EQ(map(0, 1, MAP_RW), 0);
    EXPECT_EQ(*at(0), 0);
    *at(0) = 77;
    EXPECT_EQ(block[0], 77);
    EXPECT_EQ(unmap(0, 1), 0);
    EXPECT_FAULT(TRAP_PF, (void)*at(0));
    teardown(run_);
}

TEST(map, sizes_and_offsets)
{
    static const struct {
        uint64_t page, nr;
    } cases[] = {
        { 0, 2 },      { 511, 2 },          { 512, 512 }, { 0, 512 },
        { 0, 513 },    { 500, 600 },        { 1, 1023 },  { 0, 2048 },
        { 100, 2000 }, { 512 * 511, 1024 }, /* across 1 GiB */
    };

    REQUIRE(setup());
    for (unsigned int c = 0; c < ARRAY_SIZE(cases); c++) {
        const uint64_t page = cases[c].page, nr = cases[c].nr;

        EXPECT_EQ(map(page, nr, MAP_RW), 0);
        for (uint64_t i = 0; i < nr; i++)
            REQUIRE(*at(page + i) == i % PAGES);
        EXPECT_FAULT(TRAP_PF, (void)*at(page + nr));
        if (page > 0)
            EXPECT_FAULT(TRAP_PF, (void)*at(page - 1));
        EXPECT_EQ(unmap(page, nr), 0);
        EXPECT_FAULT(TRAP_PF, (void)*at(page));
        EXPECT_FAULT(TRAP_PF, (void)*at(page + nr - 1));
    }
    teardown(run_);
}

TEST(map, neighbours_share_a_table)
{
    REQUIRE(setup());
    EXPECT_EQ(map(10, 5, MAP_RW), 0);
    EXPECT_EQ(map(15, 5, MAP_R), 0);
    EXPECT_EQ(unmap(10, 5), 0);
    EXPECT_EQ(*at(15), 0);
    EXPECT_FAULT(TRAP_PF, (void)*at(10));
    EXPECT_EQ(unmap(15, 5), 0);
    teardown(run_);
}

/* Tables come and go with what they map. */
TEST(map, empty_tables_go_back)
{
    uint64_t free;

    REQUIRE(setup());
    free = page_stats().free + page_stats().overhead;
    EXPECT_EQ(map(0, 2048, MAP_RW), 0);
    EXPECT_EQ(unmap(0, 1000), 0);
    EXPECT_EQ(unmap(1000, 1048), 0);
    EXPECT_EQ(page_stats().free + page_stats().overhead, free);
    teardown(run_);
}

TEST(map, what_is_mapped_is_refused)
{
    REQUIRE(setup());
    EXPECT_EQ(map(600, 1, MAP_RW), 0);
    EXPECT_EQ(map(0, 1024, MAP_RW), -EEXIST);
    EXPECT_EQ(map(600, 1, MAP_RW), -EEXIST);
    EXPECT_FAULT(TRAP_PF, (void)*at(0));
    EXPECT_EQ(unmap(599, 2), -ENOENT);
    EXPECT_EQ(unmap(600, 2), -ENOENT);
    EXPECT_EQ(protect(600, 2, MAP_R), -ENOENT);
    *at(600) = 1;
    EXPECT_EQ(unmap(600, 1), 0);
    EXPECT_EQ(unmap(600, 1), -ENOENT);
    teardown(run_);
}

/* The ends of the address space, where sums wrap. */
TEST(map, last_slot_of_the_l4)
{
    static const uintptr_t places[] = {
        0xffffff8000000000, 0xffffffffc0000000, 0xffffffffffffd000,
        0xffffffffffffe000, 0x0000000000001000, 0x00007ffffffff000,
    };
    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
        const vaddr_t va = _vaddr(places[i]);

        EXPECT_EQ(space_map(&kernel_space, va, frames, 1, MAP_RW), 0);
        EXPECT_EQ(*(volatile uint64_t *)places[i], 0);
        EXPECT_EQ(space_unmap(&kernel_space, va, 1), 0);
    }
    EXPECT_EQ(
        space_map(&kernel_space, _vaddr(~0ul & PAGE_MASK), frames, 1, MAP_RW),
        -EINVAL);
    teardown(run_);
}

/* With the pool so low that a table's page has to be mapped first. */
TEST(map, while_memory_grows)
{
    struct page_stats s = page_stats();
    void **chain = NULL, **p;

    REQUIRE(setup());
    if (s.unmapped == 0) {
        teardown(run_);
        SKIP("all memory is mapped");
    }
    for (unsigned int i = 0; i < 200; i++) {
        for (s = page_stats(); s.free - s.unmapped > 60 && s.unmapped > 0;
             s = page_stats()) {
            p = page_alloc(0);
            REQUIRE(p != NULL);
            *p = chain;
            chain = p;
        }
        REQUIRE(map(i * 512, 1, MAP_RW) == 0);
        EXPECT_EQ(*at(i * 512), 0);
    }
    for (unsigned int i = 0; i < 200; i++)
        EXPECT_EQ(unmap(i * 512, 1), 0);
    while (chain != NULL) {
        p = chain;
        chain = *p;
        page_free(p, 0);
    }
    teardown(run_);
}

TEST(map, bad_ranges_and_rights)
{
    const mfn_t *f = frames;

    REQUIRE(setup());
    EXPECT_EQ(space_map(&kernel_space, _vaddr(BASE + 1), f, 1, MAP_RW),
              -EINVAL);
    EXPECT_EQ(space_map(&kernel_space, _vaddr(BASE), f, 0, MAP_RW), -EINVAL);
    EXPECT_EQ(space_map(&kernel_space, _vaddr(BASE), f, ~0ul, MAP_RW), -EINVAL);
    EXPECT_EQ(space_map(&kernel_space, _vaddr(~0ul & PAGE_MASK), f, 2, MAP_RW),
              -EINVAL);
    EXPECT_EQ(space_map(&kernel_space, _vaddr(0xffff800000000000), f, 1, MAP_R),
              -EINVAL);
    EXPECT_EQ(space_map(&kernel_space, _vaddr(0xffff87fffffff000), f, 1, MAP_R),
              -EINVAL);
    EXPECT_EQ(space_map(&kernel_space, _vaddr(0x0000800000000000), f, 1, MAP_R),
              -EINVAL);
    EXPECT_EQ(space_map(&kernel_space, _vaddr(0x00007ffffffff000), f, 2, MAP_R),
              -EINVAL);
    EXPECT_EQ(map(0, 1, MAP_RW & ~PTE_NX), -EINVAL);
    EXPECT_EQ(map(0, 1, 0), -EINVAL);
    EXPECT_EQ(map(0, 1, MAP_R), 0);
    EXPECT_EQ(protect(0, 1, MAP_RX | PTE_RW), -EINVAL);
    EXPECT_EQ(unmap(0, 1), 0);
    teardown(run_);
}

TEST(map, protection_is_what_was_asked_for)
{
    static const uint8_t ret = 0xc3;

    REQUIRE(setup());
    *(uint8_t *)block = ret;
    EXPECT_EQ(map(0, 4, MAP_R), 0);
    EXPECT_FAULT(TRAP_PF, *at(0) = 1);
    EXPECT_FAULT(TRAP_PF, ((void (*)(void))BASE)());
    EXPECT_EQ(protect(0, 4, MAP_RW), 0);
    *at(3) = 9;
    EXPECT_EQ(protect(0, 4, MAP_RX), 0);
    EXPECT_FAULT(TRAP_PF, *at(0) = 1);
    ((void (*)(void))BASE)();
    EXPECT_EQ(protect(0, 4, MAP_R), 0);
    EXPECT_FAULT(TRAP_PF, ((void (*)(void))BASE)());
    EXPECT_EQ(unmap(0, 4), 0);
    teardown(run_);
}

/* The dirty bit that a store has set is there after a change of rights. */
TEST(map, protect_keeps_accessed_and_dirty)
{
    const uint64_t clean = MAP_RW & ~(PTE_A | PTE_D);
    pte_t pte;

    REQUIRE(setup());
    EXPECT_EQ(map(0, 2, clean), 0);
    *at(0) = 1;
    EXPECT_EQ(protect(0, 2, MAP_R), 0);
    pte = space_query(&kernel_space, ptr_to_vaddr(at(0)));
    EXPECT_EQ(pte.raw & (PTE_A | PTE_D | PTE_RW), PTE_A | PTE_D);
    pte = space_query(&kernel_space, ptr_to_vaddr(at(1)));
    EXPECT_EQ(pte.raw & (PTE_A | PTE_D | PTE_RW), 0);
    EXPECT_EQ(unmap(0, 2), 0);
    teardown(run_);
}

/* One page of a live table goes by itself, and not by the queue. */
TEST(map, protect_of_one_page)
{
    struct mmu_stats before;
    pte_t pte;

    REQUIRE(setup());
    EXPECT_EQ(map(0, 1, MAP_RW & ~(PTE_A | PTE_D)), 0);
    *at(0) = 1; /* and so the TLB has it as writable */
    before = mmu_stats();
    EXPECT_EQ(protect(0, 1, MAP_R), 0);
    EXPECT_EQ(mmu_stats().hypercalls - before.hypercalls, 2);
    EXPECT_FAULT(TRAP_PF, *at(0) = 2);
    pte = space_query(&kernel_space, ptr_to_vaddr(at(0)));
    EXPECT_EQ(pte.raw & (PTE_A | PTE_D | PTE_RW), PTE_A | PTE_D);
    EXPECT_EQ(protect(0, 1, MAP_RW), 0);
    *at(0) = 3;
    EXPECT_EQ(protect(1, 1, MAP_RW), -ENOENT);
    EXPECT_EQ(protect(2048, 1, MAP_RW), -ENOENT);
    EXPECT_EQ(unmap(0, 1), 0);

    frames[0] = walk_current_l4();
    EXPECT_EQ(map(0, 1, MAP_R), 0);
    EXPECT_EQ(protect(0, 1, MAP_RW), -EBUSY);
    EXPECT_EQ(mmu_refusal()->rc, -EBUSY);
    EXPECT_FAULT(TRAP_PF, *at(0) = 1);
    EXPECT_EQ(unmap(0, 1), 0);
    teardown(run_);
}

static void __noinline expect_read_only(struct test_run *run_, uint64_t page)
{
    EXPECT_FAULT(TRAP_PF, *at(page) = 1);
}

/* What a change of rights asks for, flushes apart. */
static struct mmu_stats protect_stats(struct test_run *run_, uint64_t page,
                                      uint64_t nr, uint64_t flags)
{
    const struct mmu_stats before = mmu_stats();
    struct mmu_stats now;

    EXPECT_EQ(protect(page, nr, flags), 0);
    now = mmu_stats();
    return (struct mmu_stats){ .hypercalls = now.hypercalls - before.hypercalls,
                               .entries = now.entries - before.entries -
                                          (now.flushes - before.flushes) -
                                          (now.invlpgs - before.invlpgs) };
}

/* Of a range in two tables: nothing, three pages, all but these, a few apart. */
TEST(map, protect_asks_for_what_differs)
{
    REQUIRE(setup());
    EXPECT_EQ(map(0, 600, MAP_RW & ~(PTE_A | PTE_D)), 0);
    *at(70) = 1;
    EXPECT_EQ(protect_stats(run_, 0, 1, MAP_RW).hypercalls, 0);
    EXPECT_EQ(protect_stats(run_, 0, 600, MAP_RW).hypercalls, 0);
    EXPECT_EQ(protect(1, 600, MAP_RW), -ENOENT);
    EXPECT_EQ(protect_stats(run_, 70, 3, MAP_R).entries, 3);
    EXPECT_FAULT(TRAP_PF, *at(70) = 2);
    *at(73) = 1;

    EXPECT_EQ(protect_stats(run_, 0, 600, MAP_R).entries, 597);
    for (unsigned int i = 0; i < 600; i++)
        expect_read_only(run_, i);
    EXPECT_EQ(protect(599, 1, MAP_RW), 0);
    *at(599) = 1;
    EXPECT_EQ(protect(7, 1, MAP_RX), 0);
    EXPECT_EQ(protect_stats(run_, 0, 600, MAP_R).entries, 2);
    EXPECT_FAULT(TRAP_PF, *at(599) = 1);
    EXPECT_EQ(unmap(0, 600), 0);
    teardown(run_);
}

/* A frame in the middle that Xen refuses: nothing of the range is there. */
TEST(map, refused_frame_leaves_nothing)
{
    static const uint64_t places[] = { 0, 1, 300, 511, 512, 700, 1399 };
    const mfn_t l4 = walk_current_l4();

    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
        const mfn_t good = frames[places[i]];

        for (unsigned int live = 0; live < 2; live++) {
            /* Into new tables, or into some that are live already. */
            if (live) {
                EXPECT_EQ(map(1400, 1, MAP_RW), 0);
                EXPECT_EQ(map(512 * 3, 1, MAP_RW), 0);
            }
            frames[places[i]] = l4;
            EXPECT(map(0, 1400, MAP_RW) < 0);
            frames[places[i]] = good;
            EXPECT_FAULT(TRAP_PF, (void)*at(0));
            EXPECT_FAULT(TRAP_PF, (void)*at(1399));
            if (live) {
                EXPECT_EQ(unmap(1400, 1), 0);
                EXPECT_EQ(unmap(512 * 3, 1), 0);
            }
        }
    }
    teardown(run_);
}

TEST(map, refused_protection_leaves_the_old)
{
    const mfn_t l4 = walk_current_l4();
    const mfn_t good = frames[40];

    REQUIRE(setup());
    frames[40] = l4;
    EXPECT_EQ(map(0, 64, MAP_R), 0);
    EXPECT_EQ(protect(3, 2, MAP_RW), 0);
    EXPECT(protect(0, 64, MAP_RW) < 0);
    frames[40] = good;
    for (unsigned int i = 0; i < 64; i++) {
        if (i == 3 || i == 4)
            *at(i) = 1;
        else
            expect_read_only(run_, i);
    }
    EXPECT_EQ(unmap(0, 64), 0);
    teardown(run_);
}

/* Each allocation and each request of a mapping fails in turn. */
TEST(map, every_failure_leaves_nothing)
{
    unsigned int failures = 0;
    int rc = -1;

    REQUIRE(setup());
    for (unsigned int n = 1; rc != 0 && n < 50; n++) {
        page_inject_failure(n);
        rc = map(500, 600, MAP_RW);
        page_inject_failure(0);
        EXPECT(rc == 0 || rc == -ENOMEM);
        failures += rc != 0;
    }
    EXPECT_EQ(failures, 4); /* an L2 and three L1s */
    EXPECT_EQ(unmap(500, 600), 0);

    for (unsigned int n = 1; n < 60; n++) {
        EXPECT_EQ(map(0, 1, MAP_RW), 0);
        mmu_inject_failure(n);
        rc = map(490, 562, MAP_RW);
        mmu_inject_failure(0);
        if (rc == 0)
            EXPECT_EQ(unmap(490, 562), 0);
        else
            EXPECT_FAULT(TRAP_PF, (void)*at(511));
        EXPECT_EQ(unmap(0, 1), 0);
    }
    teardown(run_);
}

/*
 * Random operations against a model that knows, page by page, what is mapped
 * and whether it may be written.
 */
#define MODEL_PAGES 1600u

enum model {
    NONE,
    READ,
    WRITE
};
static uint8_t model[MODEL_PAGES];

static bool model_all(uint64_t page, uint64_t nr, bool mapped)
{
    for (uint64_t i = page; i < page + nr; i++)
        if ((model[i] != NONE) != mapped)
            return false;
    return true;
}

static void random_step(struct test_run *run_)
{
    const uint64_t page = test_random() % MODEL_PAGES;
    const uint64_t most = MODEL_PAGES - page;
    const uint64_t nr =
        1 + test_random() % MIN(most, test_random() % 4 ? 20ul : most);
    const enum model rights = test_random() % 2 ? WRITE : READ;
    const uint64_t flags = rights == WRITE ? MAP_RW : MAP_R;
    const bool all = model_all(page, nr, true);
    const bool none = model_all(page, nr, false);

    switch (test_random() % 3) {
    case 0:
        EXPECT_EQ(map(page, nr, flags), none ? 0 : -EEXIST);
        if (none)
            memset(model + page, rights, nr);
        break;
    case 1:
        EXPECT_EQ(unmap(page, nr), all ? 0 : -ENOENT);
        if (all)
            memset(model + page, NONE, nr);
        break;
    default:
        EXPECT_EQ(protect(page, nr, flags), all ? 0 : -ENOENT);
        if (all)
            memset(model + page, rights, nr);
        break;
    }
}

static void compare_with_model(struct test_run *run_)
{
    for (uint64_t i = 0; i < MODEL_PAGES; i++) {
        const pte_t pte = space_query(&kernel_space, ptr_to_vaddr(at(i)));
        const enum model is = !pte_present(pte)  ? NONE
                              : pte.raw & PTE_RW ? WRITE
                                                 : READ;

        EXPECT_EQ(is, model[i]);
    }
}

TEST(map, random_steps_agree_with_a_model)
{
    const char *option = test_option("steps");
    uint64_t steps = 100000;
    char why[120] = "";

    REQUIRE(option == NULL || parse_u64(option, &steps) == 0);
    REQUIRE(setup());
    memset(model, NONE, sizeof(model));
    for (uint64_t i = 0; i < steps && run_->failures == 0; i++) {
        random_step(run_);
        if (i % 500 == 0) {
            compare_with_model(run_);
            EXPECT_EQ(audit(why, sizeof(why)), 0);
            EXPECT_STR(why, "");
        }
    }
    for (uint64_t i = 0; i < MODEL_PAGES; i++)
        if (model[i] != NONE)
            EXPECT_EQ(unmap(i, 1), 0);
    teardown(run_);
}

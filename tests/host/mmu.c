/* SPDX-License-Identifier: MIT */
/*
 * mmu: the queue against the same requests one by one, on two fake machines;
 * and that these machines know the rules.
 */
#include "ref_mmu.h"
#include "tap.h"

#include <plinth/errno.h>

#define ROUNDS 4000
#define SHORT  300
#define LONG   6000

/*
 * The fake machine.
 */
static struct fake_xen machine;

static uint64_t mfn(unsigned int frame)
{
    return FAKE_FIRST + frame;
}

static uint64_t leaf(unsigned int frame, uint64_t flags)
{
    return pte_make(_mfn(mfn(frame)), flags).raw;
}

static struct mmu_update set(unsigned int frame, unsigned int i, uint64_t value)
{
    return (struct mmu_update){ mfn(frame) << PAGE_SHIFT | i * 8, value };
}

static int update_for(unsigned int owner, unsigned int frame, unsigned int i,
                      uint64_t value)
{
    const struct mmu_update req = set(frame, i, value);

    return fake_mmu_update(&machine, &req, 1, NULL, owner);
}

static int update(unsigned int frame, unsigned int i, uint64_t value)
{
    return update_for(DOMID_SELF, frame, i, value);
}

static int ext(unsigned int cmd, unsigned int frame)
{
    const struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn(frame) };

    return fake_mmuext_op(&machine, &op, 1, NULL, DOMID_SELF);
}

static uint64_t word(unsigned int frame, unsigned int i)
{
    return machine.words[frame][i];
}

#define RC(call, want)                                                         \
    do {                                                                       \
        const int got_ = (call);                                               \
        CHECK(got_ == (want), "%s: %d, not %d", #call, got_, (want));          \
        CHECK(fake_xen_check(&machine) == NULL, "%s: then %s", #call,          \
              fake_xen_check(&machine));                                       \
    } while (0)

#define L1   (FAKE_TABLES + 3)
#define L2   (FAKE_TABLES + 2)
#define L4   FAKE_TABLES
#define TREE FAKE_TREE

static void leaves(void)
{
    fake_xen_reset(&machine);
    RC(update(L1, 100, leaf(FAKE_DATA, PTE_DATA)), 0);
    CHECK(word(L1, 100) ==
              leaf(FAKE_DATA, PTE_DATA | PTE_USER | PTE_GUEST_KERNEL),
          "a kernel leaf is %#lx", word(L1, 100));
    RC(update(L1, 100, leaf(FAKE_DATA, PTE_P | PTE_USER)), 0);
    CHECK(word(L1, 100) == leaf(FAKE_DATA, PTE_P | PTE_USER | PTE_GLOBAL),
          "a user leaf is %#lx", word(L1, 100));
    RC(update(L1, 100, leaf(L2, PTE_DATA_RO)), 0);
    RC(update(L1, 100, leaf(L2, PTE_DATA)), -EBUSY);
    RC(update(L1, 100, leaf(FAKE_GDT, PTE_DATA)), -EBUSY);
    RC(update(L1, 100, leaf(FAKE_FREE, PTE_DATA_RO)), -EBUSY);
    RC(update(L1, 100, leaf(FAKE_FRAMES, PTE_DATA_RO)), -EPERM);
    RC(update(L1, 100, PTE_ADDR | PTE_P), -EINVAL);
    RC(update(L1, 100, leaf(FAKE_DATA, PTE_P | PTE_PCD)), -EINVAL);
    RC(update(L1, 100, 0), 0);
}

static void upper_entries(void)
{
    fake_xen_reset(&machine);
    RC(update(L2, 1, leaf(FAKE_SPARE, PTE_P | PTE_PSE)), -EINVAL);
    RC(update(L2, 1, leaf(FAKE_DATA, PTE_P)), -EINVAL);
    RC(update(L2, 1, leaf(L2, PTE_P)), -EINVAL);
    RC(update(L4, 256, 0), -EINVAL);
    RC(update(L2, 1, leaf(FAKE_SPARE, PTE_P)), 0);
    RC(update(FAKE_SPARE, 0, leaf(FAKE_SPARE, PTE_DATA)), -EBUSY);
    RC(update(L2, 1, 0), 0);
    CHECK(machine.frames[FAKE_SPARE].type == FAKE_NONE, "still a table");
}

static void pins(void)
{
    fake_xen_reset(&machine);
    RC(ext(MMUEXT_PIN_L1_TABLE, FAKE_DATA), -EINVAL);
    RC(ext(MMUEXT_PIN_L4_TABLE, FAKE_UNMAPPED), 0);
    RC(ext(MMUEXT_PIN_L4_TABLE, FAKE_UNMAPPED), -EINVAL);
    RC(ext(MMUEXT_PIN_L3_TABLE, FAKE_UNMAPPED), -EINVAL);
    RC(ext(MMUEXT_UNPIN_TABLE, FAKE_UNMAPPED), 0);
    RC(ext(MMUEXT_UNPIN_TABLE, FAKE_UNMAPPED), -EINVAL);

    /* The whole tree becomes tables, and stops being that. */
    RC(ext(MMUEXT_PIN_L4_TABLE, TREE + 3), 0);
    CHECK(machine.frames[TREE].type == FAKE_L1, "no L1 at its end");
    RC(update(L1, TREE, leaf(TREE, PTE_DATA)), -EBUSY);
    RC(ext(MMUEXT_UNPIN_TABLE, TREE + 3), 0);
    RC(update(L1, TREE, leaf(TREE, PTE_DATA)), 0);
    RC(ext(MMUEXT_PIN_L4_TABLE, TREE + 3), -EINVAL);

    /* A table may not map itself writable; unused, it is plain memory. */
    RC(update(FAKE_SPARE, 7, leaf(FAKE_SPARE, PTE_DATA)), 0);
    RC(ext(MMUEXT_PIN_L1_TABLE, FAKE_SPARE), -EBUSY);
    RC(ext(MMUEXT_CLEAR_PAGE, FAKE_SPARE), 0);
    RC(ext(MMUEXT_PIN_L1_TABLE, FAKE_SPARE), 0);
    RC(ext(MMUEXT_CLEAR_PAGE, FAKE_SPARE), -EINVAL);
}

static void bases(void)
{
    fake_xen_reset(&machine);
    RC(ext(MMUEXT_NEW_BASEPTR, FAKE_DATA), -EINVAL);
    RC(ext(MMUEXT_NEW_USER_BASEPTR, TREE + 3), 0);
    RC(ext(MMUEXT_NEW_BASEPTR, TREE + 3), 0);
    RC(ext(MMUEXT_UNPIN_TABLE, FAKE_TABLES), 0);
    CHECK(machine.frames[L1].types == 0, "the old tables are still tables");
    RC(fake_update_va_mapping(&machine, FAKE_VA(3), 0, 0, DOMID_SELF), 0);
    RC(fake_update_va_mapping(&machine, 1ul << 40, 0, 0, DOMID_SELF), -EINVAL);
}

static void owners(void)
{
    fake_xen_reset(&machine);
    RC(update_for(FAKE_SELF, L1, 100, 0), -ESRCH);
    RC(update_for(FAKE_NOBODY, L1, 100, 0), -ESRCH);
    RC(update(L1, 100, leaf(FAKE_THEIRS, PTE_DATA)), -EBUSY);
    RC(update_for(FAKE_OTHER, L1, 100, leaf(FAKE_THEIRS, PTE_DATA)), 0);
    RC(update_for(FAKE_OTHER, L1, 101, leaf(FAKE_DATA, PTE_DATA)), -EBUSY);
    RC(update_for(FAKE_OTHER, L2, 1, 0), -EINVAL);
    RC(update(FAKE_THEIRS, 0, 0), -EINVAL);
    RC(update(FAKE_GDT, 0, 0), -EINVAL);
    RC(ext(MMUEXT_PIN_L1_TABLE, FAKE_THEIRS), -EINVAL);
}

static void partial_completion(void)
{
    const struct mmu_update reqs[] = {
        set(L1, 100, leaf(FAKE_DATA, PTE_DATA)),
        set(L1, 101, leaf(L1, PTE_DATA)),
        set(L1, 102, leaf(FAKE_DATA, PTE_DATA)),
        { mfn(L1) << PAGE_SHIFT | 5, 0 },
    };
    unsigned int done = 40;

    fake_xen_reset(&machine);
    RC(fake_mmu_update(&machine, reqs, 3, &done, DOMID_SELF), -EBUSY);
    CHECK(done == 41, "%u done", done);
    CHECK(word(L1, 100) != 0 && word(L1, 101) == 0 && word(L1, 102) == 0,
          "not just the first was made");
    RC(fake_mmu_update(&machine, &reqs[3], 1, NULL, DOMID_SELF), -ENOSYS);
}

static void multicalls(void)
{
    const struct mmu_update bad = set(L1, 101, leaf(L1, PTE_DATA));
    unsigned int done = 0;
    struct multicall_entry calls[] = {
        { .op = __HYPERVISOR_mmu_update,
          .args = { (uintptr_t)&bad, 1, (uintptr_t)&done, DOMID_SELF } },
        { .op = __HYPERVISOR_multicall },
        { .op = 63 },
        { .op = __HYPERVISOR_update_va_mapping,
          .args = { FAKE_VA(100), leaf(FAKE_DATA, PTE_DATA), 0 } },
    };
    static const int want[] = { -EBUSY, -EINVAL, -ENOSYS, 0 };

    fake_xen_reset(&machine);
    RC(fake_multicall(&machine, calls, 4), 0);
    for (unsigned int i = 0; i < 4; i++)
        CHECK((int)calls[i].result == want[i], "call %u: %d, not %d", i,
              (int)calls[i].result, want[i]);
    CHECK(word(L1, 100) != 0, "the one behind a refused one is not made");
    CHECK(calls[3].args[0] != FAKE_VA(100), "the arguments are still there");
}

static void accessed_and_dirty(void)
{
    const struct mmu_update keep = { mfn(L1) << PAGE_SHIFT | 800 |
                                         MMU_PT_UPDATE_PRESERVE_AD,
                                     leaf(FAKE_DATA, PTE_P) };

    fake_xen_reset(&machine);
    RC(update(L1, 100, leaf(FAKE_DATA, PTE_DATA)), 0);
    RC(fake_mmu_update(&machine, &keep, 1, NULL, DOMID_SELF), 0);
    CHECK((word(L1, 100) & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "lost");
    RC(update(L1, 100, leaf(FAKE_DATA, PTE_P)), 0);
    CHECK((word(L1, 100) & (PTE_A | PTE_D)) == 0, "kept");
}

static void recount(void)
{
    fake_xen_reset(&machine);
    CHECK(fake_xen_check(&machine) == NULL, "%s", fake_xen_check(&machine));
    machine.frames[FAKE_DATA].refs++;
    CHECK(fake_xen_check(&machine) != NULL, "a reference too many");
    machine.frames[FAKE_DATA].refs--;
    machine.frames[FAKE_DATA].types--;
    CHECK(fake_xen_check(&machine) != NULL, "a use as a type is missing");
    machine.frames[FAKE_DATA].types++;
    machine.words[L1][FAKE_DATA] &= ~PTE_RW;
    CHECK(fake_xen_check(&machine) != NULL, "an entry has changed");
}

/*
 * The queue.
 */
static void random_calls(unsigned int rounds, size_t most)
{
    uint8_t *data = malloc(most);

    for (unsigned int round = 0; round < rounds; round++) {
        const size_t len = 1 + rnd_below(most);
        const char *wrong;

        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)rnd_below(256);
        wrong = ref_mmu_run(data, len);
        CHECK(wrong[0] == '\0', "round %u, %zu bytes: %s", round, len, wrong);
    }
    free(data);
}

static void short_sequences(void)
{
    random_calls(ROUNDS, SHORT);
}

static void long_sequences(void)
{
    random_calls(ROUNDS / 20, LONG);
}

TAP_MAIN({ "fake: leaves", leaves },
         { "fake: entries of upper tables", upper_entries },
         { "fake: pinning", pins }, { "fake: tables in use", bases },
         { "fake: owners", owners },
         { "fake: what is done before a refusal", partial_completion },
         { "fake: multicall", multicalls },
         { "fake: accessed and dirty", accessed_and_dirty },
         { "fake: the recount notices", recount },
         { "random calls", short_sequences },
         { "random calls, many in a row", long_sequences })

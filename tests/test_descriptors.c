/* SPDX-License-Identifier: MIT */
/* Tables of descriptors of one's own; what Xen lets in is in test_abi_desc.c. */
#include <plinth/audit.h>
#include <plinth/descriptors.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/ptab.h>
#include <plinth/segments.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/walk.h>

/* Within the 4 GiB that a descriptor's base reaches. */
#define LOW 0x10000000ul

static const struct segment flat = {
    .kind = SEGMENT_DATA,
    .limit = 0xffffffff,
};

static void expect_sound(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
}

/* %es becomes @selector, which nobody uses, and is read back. */
static uint16_t es(uint16_t selector)
{
    uint16_t got;

    asm volatile("mov %1, %%es\n\t"
                 "mov %%es, %0"
                 : "=r"(got)
                 : "r"((uint32_t)selector));
    asm volatile("mov %0, %%es" ::"r"(0));
    return got;
}

static bool is_writable(const void *page)
{
    struct walk w;

    return walk_address(ptr_to_vaddr(page), &w) && walk_rights(&w) & PTE_RW;
}

TEST(descriptors, come_and_go)
{
    static const unsigned int sizes[] = { 1, 512, 513, 7168, 8192 };
    struct descriptor_table t;

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        const uint64_t free = page_stats().free;
        const unsigned int pages = (sizes[i] + 511) / 512;
        void *entries;

        REQUIRE(descriptors_create(&t, sizes[i]) == 0);
        entries = t.entries;
        for (unsigned int k = 0; k < pages; k++)
            EXPECT(!is_writable(t.entries + k * 512));
        EXPECT_EQ(probe_write(t.entries, 1), -EFAULT);
        expect_sound(run_);
        EXPECT_EQ(descriptors_destroy(&t), 0);
        for (unsigned int k = 0; k < pages; k++)
            EXPECT(is_writable((uint64_t *)entries + k * 512));
        EXPECT_EQ(page_stats().free, free);
    }
    EXPECT_EQ(descriptors_create(&t, 0), -EINVAL);
    EXPECT_EQ(descriptors_create(&t, 8193), -EINVAL);
}

TEST(descriptors, failures_leave_nothing)
{
    const uint64_t free = page_stats().free;
    struct descriptor_table t;

    page_inject_failure(1);
    EXPECT_EQ(descriptors_create(&t, 8192), -ENOMEM);
    for (unsigned int nth = 1; nth <= 16; nth++) {
        mmu_inject_failure(nth);
        EXPECT_EQ(descriptors_create(&t, 8192), -ENOMEM);
        EXPECT_EQ(page_stats().free, free);
    }
    expect_sound(run_);
    REQUIRE(descriptors_create(&t, 8192) == 0);
    mmu_inject_failure(7);
    EXPECT_EQ(descriptors_destroy(&t), -ENOMEM);
    expect_sound(run_);
    EXPECT_EQ(descriptors_destroy(&t), 0);
    expect_sound(run_);
}

TEST(descriptors, gdt_entry_is_loaded)
{
    struct descriptor_table t;

    REQUIRE(descriptors_create(&t, 1024) == 0);
    EXPECT_EQ(descriptor_set(&t, 1023, &flat), 0);
    EXPECT_FAULT(TRAP_GP, (void)es(GDT_SELECTOR(1023)));
    EXPECT_EQ(gdt_load(&t), 0);
    EXPECT_EQ(es(GDT_SELECTOR(1023)), GDT_SELECTOR(1023));
    EXPECT_FAULT(TRAP_GP, (void)es(GDT_SELECTOR(1022)));
    EXPECT_EQ(descriptors_destroy(&t), -EBUSY);
    expect_sound(run_);

    /* Changed while it is loaded. */
    EXPECT_EQ(descriptor_set(&t, 1022, &flat), 0);
    EXPECT_EQ(es(GDT_SELECTOR(1022)), GDT_SELECTOR(1022));
    EXPECT_EQ(descriptor_clear(&t, 1023), 0);
    EXPECT_FAULT(TRAP_GP, (void)es(GDT_SELECTOR(1023)));

    EXPECT_EQ(gdt_load(NULL), 0);
    EXPECT_FAULT(TRAP_GP, (void)es(GDT_SELECTOR(1022)));
    EXPECT_EQ(descriptors_destroy(&t), 0);
}

TEST(descriptors, ldt_entry_is_loaded)
{
    struct descriptor_table t;

    REQUIRE(descriptors_create(&t, 8192) == 0);
    EXPECT_EQ(descriptor_set(&t, 0, &flat), 0);
    EXPECT_EQ(descriptor_set(&t, 8191, &flat), 0);
    EXPECT_FAULT(TRAP_GP, (void)es(LDT_SELECTOR(8191)));
    EXPECT_EQ(ldt_load(&t), 0);
    EXPECT_EQ(es(LDT_SELECTOR(0)), LDT_SELECTOR(0));
    EXPECT_EQ(es(LDT_SELECTOR(8191)), LDT_SELECTOR(8191));
    EXPECT_FAULT(TRAP_GP, (void)es(LDT_SELECTOR(5)));
    EXPECT_EQ(descriptors_destroy(&t), -EBUSY);
    expect_sound(run_);
    EXPECT_EQ(ldt_load(NULL), 0);
    EXPECT_EQ(descriptors_destroy(&t), 0);
}

/* The kernel's half is in all spaces, and the LDT with it. */
TEST(descriptors, ldt_stays_when_the_space_changes)
{
    struct descriptor_table t;
    struct space s;

    REQUIRE(descriptors_create(&t, 4) == 0);
    REQUIRE(space_create(&s, 0) == 0);
    EXPECT_EQ(descriptor_set(&t, 2, &flat), 0);
    EXPECT_EQ(ldt_load(&t), 0);
    EXPECT_EQ(es(LDT_SELECTOR(2)), LDT_SELECTOR(2));
    EXPECT_EQ(space_switch(&s), 0);
    EXPECT_EQ(es(LDT_SELECTOR(2)), LDT_SELECTOR(2));
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(es(LDT_SELECTOR(2)), LDT_SELECTOR(2));
    EXPECT_EQ(ldt_load(NULL), 0);
    EXPECT_EQ(space_destroy(&s), 0);
    EXPECT_EQ(descriptors_destroy(&t), 0);
}

TEST(descriptors, one_table_for_both)
{
    struct descriptor_table t, other;

    REQUIRE(descriptors_create(&t, 8) == 0);
    REQUIRE(descriptors_create(&other, 8) == 0);
    EXPECT_EQ(descriptor_set(&t, 1, &flat), 0);
    EXPECT_EQ(gdt_load(&t), 0);
    EXPECT_EQ(ldt_load(&t), 0);
    EXPECT_EQ(es(GDT_SELECTOR(1)), GDT_SELECTOR(1));
    EXPECT_EQ(es(LDT_SELECTOR(1)), LDT_SELECTOR(1));
    EXPECT_EQ(gdt_load(&other), 0);
    EXPECT_EQ(descriptors_destroy(&t), -EBUSY);
    EXPECT_EQ(ldt_load(NULL), 0);
    EXPECT_EQ(descriptors_destroy(&t), 0);
    EXPECT_EQ(gdt_load(NULL), 0);
    EXPECT_EQ(descriptors_destroy(&other), 0);
}

TEST(descriptors, absent_segment)
{
    const struct segment absent = { .kind = SEGMENT_DATA, .absent = true };
    struct descriptor_table t;

    REQUIRE(descriptors_create(&t, 2) == 0);
    EXPECT_EQ(descriptor_set(&t, 1, &absent), 0);
    EXPECT_EQ(gdt_load(&t), 0);
    EXPECT_FAULT(TRAP_NP, (void)es(GDT_SELECTOR(1)));
    EXPECT_EQ(gdt_load(NULL), 0);
    EXPECT_EQ(descriptors_destroy(&t), 0);
}

TEST(descriptors, misuse_is_refused)
{
    struct segment odd = { .kind = SEGMENT_DATA, .limit = 0x100000 };
    struct descriptor_table t;

    REQUIRE(descriptors_create(&t, 8192) == 0);
    EXPECT_EQ(descriptor_set(&t, 8192, &flat), -EINVAL);
    EXPECT_EQ(descriptor_clear(&t, ~0u), -EINVAL);
    EXPECT_EQ(descriptor_set(&t, 0, &odd), -EINVAL);
    odd.limit = 0xfffffffe;
    EXPECT_EQ(descriptor_set(&t, 0, &odd), -EINVAL);
    odd.limit = 0;
    odd.kind = SEGMENT_CODE64 + 1;
    EXPECT_EQ(descriptor_set(&t, 0, &odd), -EINVAL);
    EXPECT_EQ(t.entries[0], 0);
    EXPECT_EQ(gdt_load(&t), -EINVAL);
    EXPECT_EQ(t.users, 0);
    EXPECT_EQ(descriptors_destroy(&t), 0);
}

/* `lsl` says what the CPU makes of a limit, and refuses what is no segment. */
static uint32_t limit_of(unsigned int selector)
{
    uint32_t limit = 0x12345678;

    asm volatile("lsl %1, %0" : "+r"(limit) : "r"(selector) : "cc");
    return limit;
}

TEST(descriptors, limits)
{
    static const uint32_t limits[] = { 0, 1, 0xfffff, 0x100fff, 0xffffffff };
    struct descriptor_table t;

    REQUIRE(descriptors_create(&t, 2) == 0);
    EXPECT_EQ(gdt_load(&t), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
        const struct segment s = { .kind = SEGMENT_DATA, .limit = limits[i] };

        EXPECT_EQ(descriptor_set(&t, 1, &s), 0);
        EXPECT_EQ(limit_of(GDT_SELECTOR(1)), limits[i]);
    }
    EXPECT_EQ(descriptor_clear(&t, 1), 0);
    EXPECT_EQ(limit_of(GDT_SELECTOR(1)), 0x12345678);
    EXPECT_EQ(gdt_load(NULL), 0);
    EXPECT_EQ(descriptors_destroy(&t), 0);
}

/* FS counts from the base of its descriptor. */
TEST(descriptors, base)
{
    static const uint32_t offsets[] = { 0, 8, 0xabc000 };
    uint64_t *page = page_alloc_zeroed(0), got, base;
    struct descriptor_table t;

    REQUIRE(page != NULL && descriptors_create(&t, 2) == 0);
    page[1] = 4711;
    EXPECT_EQ(space_map_run(&kernel_space, _vaddr(LOW),
                            p2m_lookup(kaddr_pfn(page)), 1, MAP_R),
              0);
    EXPECT_EQ(ldt_load(&t), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
        const struct segment s = {
            .kind = SEGMENT_DATA,
            .base = LOW + 8 - offsets[i],
            .limit = 0xffffffff,
        };

        EXPECT_EQ(descriptor_set(&t, 1, &s), 0);
        asm volatile("mov %1, %%fs\n\t"
                     "mov %%fs:(%2), %0"
                     : "=r"(got)
                     : "r"(LDT_SELECTOR(1)), "r"((uint64_t)offsets[i]));
        EXPECT_EQ(got, 4711);
        EXPECT_EQ(segment_base_get(SEGBASE_FS, &base), 0);
        EXPECT_EQ(base, s.base);
    }
    asm volatile("mov %0, %%fs" ::"r"(0));
    EXPECT_EQ(ldt_load(NULL), 0);
    EXPECT_EQ(space_unmap(&kernel_space, _vaddr(LOW), 1), 0);
    EXPECT_EQ(descriptors_destroy(&t), 0);
    page_free(page, 0);
}

/*
 * The audit.  Xen lets a page be mapped writable as long as the table is not
 * loaded, and with that the table could not be loaded any more.
 */
TEST(descriptors, audit_finds_a_writable_mapping)
{
    char why[120] = "";
    struct descriptor_table t;
    mfn_t frame;

    REQUIRE(descriptors_create(&t, 8192) == 0);
    frame = p2m_lookup(kaddr_pfn(t.entries + 13 * 512));
    EXPECT_EQ(space_map(&kernel_space, _vaddr(LOW), &frame, 1, MAP_R), 0);
    expect_sound(run_);
    EXPECT_EQ(space_protect(&kernel_space, _vaddr(LOW), 1, MAP_RW), 0);
    EXPECT_EQ(audit(why, sizeof(why)), -EINVAL);
    EXPECT(strstr(why, "0x10000000 maps the descriptors pfn") != NULL);
    EXPECT_EQ(ldt_load(&t), 0);
    EXPECT_EQ(space_unmap(&kernel_space, _vaddr(LOW), 1), 0);
    expect_sound(run_);

    /* Once Xen uses it, Xen refuses. */
    EXPECT_EQ(descriptor_set(&t, 13 * 512, &flat), 0);
    EXPECT_EQ(es(LDT_SELECTOR(13 * 512)), LDT_SELECTOR(13 * 512));
    EXPECT_EQ(space_map(&kernel_space, _vaddr(LOW), &frame, 1, MAP_RW), -EBUSY);
    EXPECT_EQ(ldt_load(NULL), 0);
    EXPECT_EQ(descriptors_destroy(&t), 0);
}

/*
 * Bases.
 */
TEST(segments, bases_are_set_and_read)
{
    static const unsigned int all[] = { SEGBASE_FS, SEGBASE_GS_KERNEL,
                                        SEGBASE_GS_USER };
    uint64_t word = 4711, got;

    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
        EXPECT_EQ(segment_base_set(all[i], (uintptr_t)&word + i), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
        EXPECT_EQ(segment_base_get(all[i], &got), 0);
        EXPECT_EQ(got, (uintptr_t)&word + i);
    }
    EXPECT_EQ(segment_base_set(SEGBASE_GS_KERNEL, (uintptr_t)&word), 0);
    asm volatile("mov %%gs:0, %0" : "=r"(got));
    EXPECT_EQ(got, 4711);
    asm volatile("mov %%fs:0, %0" : "=r"(got));
    EXPECT_EQ(got, 4711);

    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
        EXPECT_EQ(segment_base_set(all[i], 1ul << 63), -EINVAL);
        EXPECT_EQ(segment_base_set(all[i], 0), 0);
        EXPECT_EQ(segment_base_get(all[i], &got), 0);
        EXPECT_EQ(got, 0);
    }
    EXPECT_EQ(segment_base_set(SEGBASE_GS_USER_SEL, 0), -EINVAL);
    EXPECT_EQ(segment_base_set(4, 0), -EINVAL);
    EXPECT_EQ(segment_base_get(3, &got), -EINVAL);
}

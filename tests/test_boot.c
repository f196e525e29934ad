/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/boot_map.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/features.h>
#include <plinth/fixmap.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/parse.h>
#include <plinth/ramdisk.h>
#include <plinth/sha256.h>
#include <plinth/shared_info.h>
#include <plinth/stack.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <xen/features.h>

#define INIT_P2M 0xffffc00000000000ul

_Static_assert(offsetof(struct start_info, store_mfn) == 0x38 &&
                   offsetof(struct start_info, store_evtchn) == 0x40 &&
                   offsetof(struct start_info, console.domU.mfn) == 0x48 &&
                   offsetof(struct start_info, console.domU.evtchn) == 0x50,
               "as in tests/no-rings.S");

/* Both are too big for a stack. */
static struct boot_map scratch_map;
static struct start_info doctored;

TEST(boot, start_info_is_a_true_copy)
{
    const struct start_info *si = start_info(), *page = start_info_page();

    EXPECT(memcmp(si->magic, "xen-3.0-x86_64", 14) == 0);
    EXPECT_EQ(si->nr_pages, page->nr_pages);
    EXPECT_EQ(si->mfn_list, page->mfn_list);
    EXPECT_STR((const char *)si->cmd_line, (const char *)page->cmd_line);
}

TEST(boot, regions_cover_all_pages_once)
{
    const struct boot_map *map = boot_map();
    uint64_t next = 0;

    for (unsigned int i = 0; i < map->nr_regions; i++) {
        EXPECT_EQ(pfn_x(map->regions[i].start), next);
        next += map->regions[i].nr_pages;
    }
    EXPECT_EQ(next, start_info()->nr_pages);
}

TEST(boot, region_rights_are_as_the_builder_gives_them)
{
    const struct boot_map *map = boot_map();

    for (unsigned int i = 0; i < map->nr_regions; i++) {
        const struct boot_region *r = &map->regions[i];
        const bool tables = strcmp(r->what, "page tables") == 0;

        if (r->given[0] != '\0')
            EXPECT_STR(r->given, tables ? "R-X" : "RWX");
    }
}

/* The walk after boot finds what the one at boot found. */
TEST(boot, tables_can_be_walked_again)
{
    char why[120] = "";

    EXPECT_EQ(boot_map_make(start_info(), &scratch_map, why, sizeof(why)), 0);
    EXPECT_STR(why, "");
    EXPECT_EQ(scratch_map.nr_linear, boot_map()->nr_linear);
    EXPECT_EQ(scratch_map.tables, start_info()->nr_pt_frames);
}

TEST(boot, wrong_table_count_is_a_contradiction)
{
    char why[120] = "";

    doctored = *start_info();
    doctored.nr_pt_frames++;
    EXPECT_EQ(boot_map_make(&doctored, &scratch_map, why, sizeof(why)),
              -EINVAL);
    EXPECT(strstr(why, "table pages found") != NULL);

    /* One less, and the last of them is a table that nobody announced. */
    doctored.nr_pt_frames -= 2;
    EXPECT_EQ(boot_map_make(&doctored, &scratch_map, why, sizeof(why)),
              -EINVAL);
    EXPECT(strstr(why, "not among the tables") != NULL);
}

TEST(boot, wrong_table_base_is_a_contradiction)
{
    char why[120] = "";

    doctored = *start_info();
    doctored.pt_base += PAGE_SIZE;
    EXPECT_EQ(boot_map_make(&doctored, &scratch_map, why, sizeof(why)),
              -EINVAL);
    EXPECT(why[0] != '\0');

    doctored.pt_base = VIRT_BASE - PAGE_SIZE;
    EXPECT_EQ(boot_map_make(&doctored, &scratch_map, why, sizeof(why)),
              -EINVAL);
    EXPECT(strstr(why, "outside the region") != NULL);
}

TEST(boot, p2m_that_is_not_there_is_a_contradiction)
{
    char why[120] = "";

    doctored = *start_info();
    doctored.mfn_list = 0x1000;
    EXPECT_EQ(boot_map_make(&doctored, &scratch_map, why, sizeof(why)),
              -EINVAL);
    EXPECT(strstr(why, "no P2M of") != NULL);

    doctored = *start_info();
    doctored.nr_pages = 1ul << 40;
    EXPECT_EQ(boot_map_make(&doctored, &scratch_map, why, sizeof(why)),
              -EINVAL);
    EXPECT(strstr(why, "no P2M of") != NULL);
}

TEST(boot, wrong_p2m_frames_are_a_contradiction)
{
    char why[120] = "";

    doctored = *start_info();
    if (doctored.nr_p2m_frames == 0)
        SKIP("the P2M is in the bootstrap region");
    doctored.nr_p2m_frames--;
    EXPECT_EQ(boot_map_make(&doctored, &scratch_map, why, sizeof(why)),
              -EINVAL);
    EXPECT(strstr(why, "P2M") != NULL || strstr(why, "table") != NULL);
}

/* tests/no-rings.S has it so for real. */
TEST(boot, domain_without_rings)
{
    const struct boot_region *last;
    char why[120] = "";

    doctored = *start_info();
    doctored.store_mfn = 0;
    doctored.console.domU.mfn = 0;
    EXPECT_EQ(boot_map_make(&doctored, &scratch_map, why, sizeof(why)), 0);
    EXPECT_STR(why, "");
    REQUIRE(scratch_map.nr_regions > 0);
    last = &scratch_map.regions[scratch_map.nr_regions - 1];
    EXPECT_EQ(pfn_x(last->start) + last->nr_pages, doctored.nr_pages);
}

/* protect_init() unmapped it; the first byte below a stack is gone. */
TEST(boot, page_below_each_stack_of_the_image_is_not_mapped)
{
    uint64_t value;

    EXPECT(image_stacks_end - image_stacks >= 5);
    for (struct stack *const *s = image_stacks; s < image_stacks_end; s++) {
        EXPECT_EQ(probe_read((void *)((*s)->start - 8), &value), -EFAULT);
        EXPECT_EQ(probe_read((void *)((*s)->start - PAGE_SIZE), &value),
                  -EFAULT);
        EXPECT_EQ(probe_read((void *)(*s)->start, &value), 0);
        EXPECT_EQ(probe_read((void *)((*s)->end - 8), &value), 0);
    }
}

TEST(boot, hypercall_page_is_filled)
{
    extern const uint8_t hypercall_page[];

    EXPECT(hypercall_page[0] != 0xcc);
    EXPECT(hypercall_page[4095] != 0xcc || hypercall_page[2048] != 0xcc);
}

TEST(boot, xen_counts_our_pages_alike)
{
    domid_t self = DOMID_SELF;
    const long pages = hypercall_memory_op(XENMEM_current_reservation, &self);

    /* Xen may charge a few more: the toolstack's and its own. */
    EXPECT(pages >= (long)start_info()->nr_pages);
    EXPECT(pages < (long)start_info()->nr_pages + 1024);
}

TEST(boot, fpu_is_in_its_reset_state)
{
    uint16_t fcw;
    uint32_t mxcsr;

    asm volatile("fnstcw %0; stmxcsr %1" : "=m"(fcw), "=m"(mxcsr));
    EXPECT_EQ(fcw, 0x37f);
    EXPECT_EQ(mxcsr, 0x1f80);
}

TEST(boot, notes_or_legacy_string_were_used_as_expected)
{
    const char *expect = test_option("expect");
    const struct start_info *si = start_info();

    if (expect == NULL)
        SKIP("option expect=notes|legacy is not given");

    if (strcmp(expect, "notes") == 0) {
        EXPECT_EQ(si->mfn_list, INIT_P2M);
        EXPECT(si->nr_p2m_frames > 0);
        if (si->mod_len > 0)
            EXPECT(si->flags & SIF_MOD_START_PFN);
    } else {
        EXPECT(si->mfn_list > VIRT_BASE);
        EXPECT_EQ(si->nr_p2m_frames, 0);
        EXPECT(!(si->flags & SIF_MOD_START_PFN));
    }
}

TEST(boot, dom0_is_told_apart)
{
    EXPECT_EQ(xen_feature(XENFEAT_dom0), is_dom0());
}

TEST(boot, version_is_a_supported_one)
{
    const struct xen_identity *xen = xen_identity();

    EXPECT(xen->major == 4);
    EXPECT(xen->minor >= 14);
    EXPECT(strnlen(xen->extra, sizeof(xen->extra)) < sizeof(xen->extra));
}

TEST(boot, features_every_pv_guest_has)
{
    EXPECT(xen_feature(XENFEAT_mmu_pt_update_preserve_ad));
    EXPECT(!xen_feature(XENFEAT_auto_translated_physmap));
    EXPECT(!xen_feature(XENFEAT_writable_page_tables));
    EXPECT(!xen_feature(XEN_FEATURES));
    EXPECT_STR(xen_feature_name(XENFEAT_dom0), "dom0");
    EXPECT(xen_feature_name(XEN_FEATURES) == NULL);
}

/* Only ports that are bound let events in; by FIFO no bit here counts. */
static bool is_bound(evtchn_port_t port)
{
    struct evtchn_status status = { .dom = DOMID_SELF, .port = port };

    return hypercall_event_channel_op(EVTCHNOP_status, &status) == 0 &&
           status.status != EVTCHNSTAT_closed;
}

TEST(boot, shared_info_shows_masked_events)
{
    const struct shared_info *s = shared_info();
    unsigned int open = 0;

    EXPECT_EQ(s->vcpu_info[0].evtchn_upcall_mask, 0);
    for (unsigned int i = 1; i < ARRAY_SIZE(s->vcpu_info); i++)
        EXPECT_EQ(s->vcpu_info[i].evtchn_upcall_mask, 1);
    for (unsigned int i = 0; i < ARRAY_SIZE(s->evtchn_mask); i++)
        for (uint64_t bits = ~s->evtchn_mask[i]; bits != 0; bits &= bits - 1) {
            EXPECT(is_bound(64 * i + __builtin_ctzl(bits)));
            open++;
        }
    /* The timer's at least. */
    EXPECT_EQ(open > 0, strcmp(events_abi(), "FIFO") != 0);
}

TEST(boot, clock_runs_forward)
{
    uint64_t before = ktime_ns();

    for (unsigned int i = 0; i < 1000; i++) {
        const uint64_t now = ktime_ns();

        REQUIRE(now >= before);
        before = now;
    }
    EXPECT(before > 0);
}

/*
 * P2M and M2P.
 */
TEST(p2m, round_trip_over_random_pages)
{
    for (unsigned int i = 0; i < 2000; i++) {
        const pfn_t pfn = _pfn(test_random() % p2m_size());
        const mfn_t mfn = p2m_lookup(pfn);

        REQUIRE(!mfn_eq(mfn, INVALID_MFN));
        EXPECT_EQ(pfn_x(m2p_lookup(mfn)), pfn_x(pfn));
    }
}

TEST(p2m, past_the_end_is_invalid)
{
    EXPECT(mfn_eq(p2m_lookup(_pfn(p2m_size())), INVALID_MFN));
    EXPECT(mfn_eq(p2m_lookup(INVALID_PFN), INVALID_MFN));
}

TEST(p2m, frames_of_others_are_not_ours)
{
    const mfn_t shared = maddr_to_mfn(_maddr(start_info()->shared_info));

    /* shared_info is Xen's page, mapped by us, in nobody's P2M. */
    EXPECT(pfn_eq(m2p_lookup(shared), INVALID_PFN));
    EXPECT(pfn_eq(m2p_lookup(INVALID_MFN), INVALID_PFN));
    EXPECT(pfn_eq(m2p_lookup(_mfn(MACH2PHYS_NR_ENTRIES)), INVALID_PFN));
}

/*
 * The M2P names a pfn for the frames of other domains as well, often one that
 * we have too.  Of all the machine's frames just those are ours that our own
 * P2M agrees to.
 */
TEST(p2m, foreign_frames_with_a_pfn_of_ours_are_not_ours)
{
    const uint64_t max = hypercall_memory_op(XENMEM_maximum_ram_page, NULL);
    uint64_t ours = 0, foreign = 0;

    for (uint64_t n = 0; n < MIN(max, 1ul << 19); n++) {
        const mfn_t mfn = _mfn(n);
        const pfn_t pfn = m2p_lookup(mfn);

        if (pfn_eq(pfn, INVALID_PFN)) {
            foreign += pfn_x(m2p_raw(mfn)) < p2m_size();
            continue;
        }
        ours++;
        REQUIRE(mfn_eq(p2m_lookup(pfn), mfn));
    }
    EXPECT(ours <= p2m_size());
    if (foreign == 0)
        SKIP("no other domain has memory here");
    EXPECT(ours > 0 || max > 1ul << 19);
}

TEST(p2m, marked_entries_are_no_frames)
{
    const pfn_t pfn = _pfn(p2m_size() - 1);
    const mfn_t mfn = p2m_lookup(pfn);

    EXPECT_EQ(p2m_set(pfn, _mfn(mfn_x(mfn) | P2M_FOREIGN)), 0);
    EXPECT(mfn_eq(p2m_lookup(pfn), INVALID_MFN));
    EXPECT(pfn_eq(m2p_lookup(mfn), INVALID_PFN));
    EXPECT_EQ(p2m_set(pfn, _mfn(mfn_x(mfn) | P2M_IDENTITY)), 0);
    EXPECT(mfn_eq(p2m_lookup(pfn), INVALID_MFN));
    EXPECT_EQ(p2m_set(pfn, INVALID_MFN), 0);
    EXPECT(mfn_eq(p2m_lookup(pfn), INVALID_MFN));
    EXPECT_EQ(p2m_set(pfn, mfn), 0);
    EXPECT(pfn_eq(m2p_lookup(mfn), pfn));
    EXPECT_EQ(p2m_set(_pfn(p2m_size()), mfn), -EINVAL);
}

TEST(p2m, tools_are_told_where_it_is)
{
    const struct arch_shared_info *arch = &shared_info()->arch;

    EXPECT_EQ(arch->max_pfn, p2m_size());
    EXPECT_EQ(arch->p2m_vaddr, start_info()->mfn_list);
    EXPECT_EQ(arch->p2m_cr3, read_cr3());
    EXPECT_EQ(arch->p2m_generation % 2, 0);
}

/* Follow the tree to random entries, as a tool would. */
TEST(p2m, frame_list_tree_leads_to_every_entry)
{
    struct arch_shared_info *arch = &shared_info()->arch;
    uint64_t *top, *mid;

    REQUIRE(p2m_publish_tree() == 0);
    top = kaddr_lookup_mfn(_mfn(arch->pfn_to_mfn_frame_list_list));
    REQUIRE(top != NULL);

    for (unsigned int i = 0; i < 300; i++) {
        const uint64_t pfn = test_random() % p2m_size();
        const uint64_t page = pfn / 512;
        const uint64_t *leaf;

        mid = kaddr_lookup_mfn(_mfn(top[page / 512]));
        REQUIRE(mid != NULL);
        REQUIRE(fixmap_set(FIX_TEST, _mfn(mid[page % 512]), 0) == 0);
        leaf = fixmap_ptr(FIX_TEST);
        EXPECT_EQ(leaf[pfn % 512], mfn_x(p2m_lookup(_pfn(pfn))));
    }
    fixmap_clear(FIX_TEST);

    arch->pfn_to_mfn_frame_list_list = 0;
    for (unsigned int i = 0; i < 512 && top[i] != 0; i++)
        page_free(kaddr_lookup_mfn(_mfn(top[i])), 0);
    page_free(top, 0);
}

/* The M2P spans 256 GiB of addresses; its far end has no memory behind it. */
TEST(p2m, a_hole_in_the_m2p_is_survived)
{
    EXPECT(pfn_eq(m2p_raw(_mfn(MACH2PHYS_NR_ENTRIES - 1)), INVALID_PFN));
    EXPECT_FAULT(TRAP_PF, *(const volatile uint64_t *)(MACH2PHYS_VIRT_END - 8));
}

/*
 * Ramdisk.
 */
TEST(ramdisk, size_is_the_files)
{
    const char *option = test_option("ramdisk.size");
    const struct ramdisk rd = ramdisk();
    uint64_t size;

    if (option == NULL)
        SKIP("option ramdisk.size=BYTES is not given");
    REQUIRE(parse_u64(option, &size) == 0);
    if (rd.rounded)
        size = ALIGN_UP(size, PAGE_SIZE);
    EXPECT_EQ(rd.size, size);
}

TEST(ramdisk, content_has_the_given_hash)
{
    const char *hex = test_option("ramdisk.sha256");
    const char *option = test_option("ramdisk.size");
    uint8_t want[SHA256_LEN], got[SHA256_LEN], block[256];
    struct sha256 hash;
    uint64_t size, at = 0;

    if (hex == NULL || option == NULL)
        SKIP("options ramdisk.sha256=HEX and ramdisk.size= are not given");
    REQUIRE(parse_hex_bytes(hex, want, sizeof(want)) == 0);
    REQUIRE(parse_u64(option, &size) == 0);
    REQUIRE(size <= ramdisk().size);

    sha256_init(&hash);
    while (at < size) {
        const size_t n = MIN(size - at, sizeof(block));

        REQUIRE(ramdisk_read(at, block, n) == 0);
        sha256_update(&hash, block, n);
        at += n;
    }
    sha256_final(&hash, got);
    EXPECT(memcmp(got, want, sizeof(want)) == 0);

    /* Behind the end of a rounded one there are zeroes. */
    for (; at < ramdisk().size; at++) {
        REQUIRE(ramdisk_read(at, block, 1) == 0);
        EXPECT_EQ(block[0], 0);
    }
}

TEST(ramdisk, reading_past_its_end_is_refused)
{
    const size_t size = ramdisk().size;
    uint8_t byte;

    EXPECT_EQ(ramdisk_read(size, &byte, 1), -EINVAL);
    EXPECT_EQ(ramdisk_read(size + 1, &byte, 0), -EINVAL);
    EXPECT_EQ(ramdisk_read(0, &byte, size + 1), -EINVAL);
    EXPECT_EQ(ramdisk_read(size, &byte, 0), 0);
}

/* Two threads that interrupt each other, each with a word of its own to read. */
static bool readers_stop;

struct reader {
    size_t at;
    uint64_t want;
    unsigned int wrong;
};

static int read_again(void *arg)
{
    struct reader *r = arg;
    uint64_t got = 0;

    while (!__atomic_load_n(&readers_stop, __ATOMIC_RELAXED))
        if (ramdisk_read(r->at, &got, sizeof(got)) != 0 || got != r->want)
            r->wrong++;
    return 0;
}

TEST(ramdisk, readers_do_not_mix)
{
    static const struct thread_options o = {
        .flags = THREAD_PREEMPTIVE,
        .priority = THREAD_NORMAL,
    };
    const uint64_t deadline = ktime_ns() + 60 * NSEC_PER_SEC;
    const uint64_t enough = thread_stats().preemptions + 50;
    struct thread *threads[2];
    struct reader r[2] = { 0 };

    if (ramdisk().size < 2 * PAGE_SIZE)
        SKIP("needs a ramdisk of two pages");
    readers_stop = false;
    r[1].at = PAGE_SIZE;
    for (unsigned int i = 0; i < 2; i++) {
        REQUIRE(ramdisk_read(r[i].at, &r[i].want, sizeof(r[i].want)) == 0);
        REQUIRE(thread_create("reader", read_again, &r[i], &o, &threads[i]) ==
                0);
    }
    EXPECT(r[0].want != r[1].want);
    while (thread_stats().preemptions < enough && ktime_ns() < deadline)
        thread_sleep(10 * NSEC_PER_MSEC);
    __atomic_store_n(&readers_stop, true, __ATOMIC_RELAXED);
    for (unsigned int i = 0; i < 2; i++) {
        EXPECT_EQ(thread_join(threads[i], KTIME_NEVER, NULL), 0);
        EXPECT_EQ(r[i].wrong, 0);
    }
    EXPECT(thread_stats().preemptions >= enough);
}

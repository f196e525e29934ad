/* SPDX-License-Identifier: MIT */
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/printk.h>
#include <plinth/shared_info.h>
#include <plinth/string.h>
#include <plinth/symbols.h>
#include <plinth/test.h>
#include <plinth/watch.h>

static uint64_t slots_in_use(void)
{
    return watches_set();
}

LEDGER(watches, slots_in_use);

static volatile uint64_t words[8];
/* Changed where the compiler sees no call. */
static volatile struct watch_hit last;
static volatile unsigned int hits;

static void note(const struct watch_hit *hit, void *arg)
{
    hits++;
    last = *hit;
    if (arg != NULL)
        ++*(unsigned int *)arg;
}

static vaddr_t at(unsigned int i)
{
    return ptr_to_vaddr(&words[i]);
}

static void __noinline the_writer(uint64_t value)
{
    words[0] = value;
}

static uint64_t __noinline the_reader(void)
{
    return words[0];
}

static void __noinline the_function(void)
{
    words[7]++;
}

TEST(watch, names_who_writes)
{
    uint64_t offset;
    int slot;

    words[0] = 5;
    hits = 0;
    slot = watch_set(at(0), 8, WATCH_WRITE, note, NULL);
    REQUIRE(slot >= 0);
    words[1] = 1; /* a neighbour */
    EXPECT_EQ(hits, 0);
    EXPECT_EQ(the_reader(), 5);
    EXPECT_EQ(hits, 0);
    the_writer(6);
    EXPECT_EQ(hits, 1);
    EXPECT_STR(symbol_lookup(last.rip - 1, &offset), "the_writer");
    EXPECT_EQ(last.old, 5);
    EXPECT_EQ(last.now, 6);
    EXPECT(!last.user);
    the_writer(7);
    EXPECT_EQ(hits, 2);
    EXPECT_EQ(last.old, 6);
    EXPECT_EQ(watch_clear(slot), 0);
    the_writer(8);
    EXPECT_EQ(hits, 2);
}

TEST(watch, names_who_reads)
{
    uint64_t offset;
    const int slot = watch_set(at(0), 8, WATCH_ACCESS, note, NULL);

    REQUIRE(slot >= 0);
    hits = 0;
    (void)the_reader();
    EXPECT_EQ(hits, 1);
    EXPECT_STR(symbol_lookup(last.rip - 1, &offset), "the_reader");
    the_writer(9);
    EXPECT_EQ(hits, 2);
    EXPECT_STR(symbol_lookup(last.rip - 1, &offset), "the_writer");
    EXPECT_EQ(watch_clear(slot), 0);
}

TEST(watch, names_what_is_executed)
{
    const int slot = watch_set(ptr_to_vaddr((void *)(uintptr_t)the_function), 1,
                               WATCH_EXECUTE, note, NULL);

    REQUIRE(slot >= 0);
    hits = 0;
    words[7] = 0;
    the_function();
    the_function();
    EXPECT_EQ(hits, 2);
    EXPECT_EQ(last.rip, (uintptr_t)the_function);
    EXPECT_EQ(words[7], 2); /* it was executed too */
    EXPECT_EQ(watch_clear(slot), 0);
}

/* Parts of a word, at each place. */
TEST(watch, lengths)
{
    volatile uint8_t *bytes = (volatile uint8_t *)words;

    for (unsigned int len = 1; len <= 8; len *= 2) {
        for (unsigned int i = 0; i < 8; i += len) {
            const int slot = watch_set(ptr_to_vaddr(bytes + i), len,
                                       WATCH_WRITE, note, NULL);

            REQUIRE(slot >= 0);
            words[0] = 0x8877665544332211;
            hits = 0;
            for (unsigned int k = 0; k < 8; k++)
                bytes[k] = 0xff;
            EXPECT_EQ(hits, len);
            EXPECT_EQ(last.now, len == 8 ? ~0ul : (1ul << 8 * len) - 1);
            EXPECT_EQ(watch_clear(slot), 0);
        }
    }
}

TEST(watch, four_and_no_more)
{
    unsigned int count[WATCH_SLOTS] = { 0 };
    int slot[WATCH_SLOTS];

    for (unsigned int i = 0; i < WATCH_SLOTS; i++) {
        slot[i] = watch_set(at(i), 8, WATCH_WRITE, note, &count[i]);
        EXPECT_EQ(slot[i], i);
    }
    EXPECT_EQ(watch_set(at(4), 8, WATCH_WRITE, note, NULL), -ENOSPC);
    for (unsigned int i = 0; i < WATCH_SLOTS; i++)
        for (unsigned int k = 0; k <= i; k++)
            words[i] = k;
    for (unsigned int i = 0; i < WATCH_SLOTS; i++)
        EXPECT_EQ(count[i], i + 1);

    /* One is free again, and the others go on. */
    EXPECT_EQ(watch_clear(slot[1]), 0);
    EXPECT_EQ(watch_clear(slot[1]), -ENOENT);
    words[1] = 1;
    EXPECT_EQ(count[1], 2);
    words[2] = 1;
    EXPECT_EQ(count[2], 4);
    EXPECT_EQ(watch_set(at(4), 8, WATCH_WRITE, note, NULL), 1);
    for (unsigned int i = 0; i < WATCH_SLOTS; i++)
        EXPECT_EQ(watch_clear(i), 0);
}

TEST(watch, misuse_is_refused)
{
    EXPECT_EQ(watch_set(at(0), 3, WATCH_WRITE, note, NULL), -EINVAL);
    EXPECT_EQ(watch_set(at(0), 0, WATCH_WRITE, note, NULL), -EINVAL);
    EXPECT_EQ(watch_set(at(0), 16, WATCH_WRITE, note, NULL), -EINVAL);
    EXPECT_EQ(watch_set(vaddr_add(at(0), 4), 8, WATCH_WRITE, note, NULL),
              -EINVAL);
    EXPECT_EQ(watch_set(at(0), 8, (enum watch_kind)2, note, NULL), -EINVAL);
    EXPECT_EQ(watch_set(at(0), 8, WATCH_EXECUTE, note, NULL), -EINVAL);
    EXPECT_EQ(watch_clear(-1), -EINVAL);
    EXPECT_EQ(watch_clear(WATCH_SLOTS), -EINVAL);
    EXPECT_EQ(watch_clear(0), -ENOENT);
}

/* Of all addresses only Xen's are refused, by Xen. */
TEST(watch, not_in_xen)
{
    static const uint64_t xens[] = { 0xffff800000000000, 0xffff82d040200000,
                                     0xffff87fffffffff8 };

    for (unsigned int i = 0; i < ARRAY_SIZE(xens); i++)
        EXPECT_EQ(watch_set(_vaddr(xens[i]), 8, WATCH_WRITE, note, NULL),
                  -EPERM);
    EXPECT_EQ(watches_set(), 0);
    EXPECT_EQ(watch_set(_vaddr(0x1000), 8, WATCH_WRITE, note, NULL), 0);
    EXPECT_EQ(watch_clear(0), 0);
}

/* Without a function a line is printed. */
static char line[200];

static void keep(const char *text, size_t len)
{
    const size_t used = strlen(line);

    if (len < sizeof(line) - used)
        memcpy(line + used, text, len);
}

TEST(watch, prints)
{
    printk_sink_t *sink;
    int slot;

    words[0] = 0x10;
    slot = watch_set(at(0), 8, WATCH_WRITE, NULL, NULL);
    REQUIRE(slot >= 0);
    memset(line, 0, sizeof(line));
    sink = printk_set_sink(keep);
    the_writer(0x20);
    printk_set_sink(sink);
    EXPECT_EQ(watch_clear(slot), 0);
    EXPECT(strstr(line, "watch: write of 0x") != NULL);
    EXPECT(strstr(line, " by the_writer+0x") != NULL);
    EXPECT(strstr(line, ": 0x10 -> 0x20") != NULL);
}

/*
 * The function is called in front of a page fault's handler, and faults itself:
 * the handler finds the address of its own fault.
 */
void trap_entry_pf(void);

static void fault_elsewhere(const struct watch_hit *hit, void *arg)
{
    uint64_t value;

    note(hit, arg);
    if (probe_read((const void *)0x5000, &value) == 0)
        hits = 100;
}

TEST(watch, leaves_the_address_of_a_fault)
{
    const int slot = watch_set(ptr_to_vaddr((void *)(uintptr_t)trap_entry_pf),
                               1, WATCH_EXECUTE, fault_elsewhere, NULL);
    struct trap t;

    REQUIRE(slot >= 0);
    hits = 0;
    t = CATCH_TRAP(*(volatile uint64_t *)0x6008);
    EXPECT_EQ(watch_clear(slot), 0);
    EXPECT_EQ(hits, 1);
    EXPECT_EQ(t.vector, TRAP_PF);
    EXPECT_EQ(t.address, 0x6008);
}

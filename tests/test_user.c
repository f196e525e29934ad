/* SPDX-License-Identifier: MIT */
/*
 * User mode: what it can do, and all it cannot.  What it runs is in
 * tests/user_code/.
 */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/audit.h>
#include <plinth/errno.h>
#include <plinth/events.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/segments.h>
#include <plinth/space.h>
#include <plinth/start_info.h>
#include <plinth/string.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/upcall.h>
#include <plinth/user.h>
#include <plinth/walk.h>
#include <plinth/watch.h>

#include "cpu_model.h"
#include "user_code/demo.h"

#define TEXT  0x400000ul
#define DATA  0x800000ul /* one page of data, one it may only read */
#define CONST (DATA + PAGE_SIZE)
#define STACK 0x7ffffffff000ul /* its end */
#define HEAP  0x10000000ul

#define NON_CANONICAL 0x0000800000000000ul
#define KERNEL_HALF   0xffff800000000000ul /* Xen's M2P */

static struct space space;
static uint64_t *data, *constants, *stack;
static struct user_context u;

static mfn_t frame_of(const volatile void *p)
{
    return kaddr_mfn(p);
}

static int map_page(vaddr_t va, const volatile void *page, uint64_t flags)
{
    return space_map_run(&space, va, frame_of(page), 1, flags);
}

static int map_text(struct space *s)
{
    int rc = 0;

    for (const char *p = user_text; p < user_text_end && rc == 0;
         p += PAGE_SIZE)
        rc = space_map_run(s, _vaddr(TEXT + (p - user_text)), frame_of(p), 1,
                           MAP_RX);
    return rc;
}

static bool setup(void)
{
    data = page_alloc_zeroed(0);
    constants = page_alloc_zeroed(0);
    stack = page_alloc_zeroed(0);
    return data != NULL && constants != NULL && stack != NULL &&
           space_create(&space, SPACE_USER) == 0 && map_text(&space) == 0 &&
           map_page(_vaddr(DATA), data, MAP_RW) == 0 &&
           map_page(_vaddr(CONST), constants, MAP_R) == 0 &&
           map_page(_vaddr(STACK - PAGE_SIZE), stack, MAP_RW) == 0 &&
           space_switch(&space) == 0;
}

static void teardown(struct test_run *run_)
{
    char why[120] = "";

    EXPECT_EQ(audit(why, sizeof(why)), 0);
    EXPECT_STR(why, "");
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(space_destroy(&space), 0);
    page_free(data, 0);
    page_free(constants, 0);
    page_free(stack, 0);
}

static vaddr_t user_va(const volatile void *in_text)
{
    return _vaddr(TEXT + ((const volatile char *)in_text - user_text));
}

#define ADDRESS_OF(fn) user_va((const void *)(fn))

static void prepare(void (*fn)(void), uint64_t rdi, uint64_t rsi)
{
    user_context_init(&u, ADDRESS_OF(fn), _vaddr(STACK));
    u.regs.rdi = rdi;
    u.regs.rsi = rsi;
}

/* Do @fn, and what came of it. */
static int deed(void (*fn)(void), uint64_t rdi, uint64_t rsi)
{
    prepare(fn, rdi, rsi);
    return user_run(&u);
}

static void expect_fault(struct test_run *run_, int line, int why,
                         unsigned int vector, uint64_t rip)
{
    if (why != USER_FAULT || u.regs.vector != vector || u.regs.rip != rip)
        test_fail(run_, __FILE__, line, "exit %d, vector %lu at %#lx", why,
                  u.regs.vector, u.regs.rip);
}

/* @fn's first instruction is refused by @vector_. */
#define EXPECT_REFUSED(vector_, fn, rdi, rsi)                                  \
    expect_fault(run_, __LINE__, deed(fn, rdi, rsi), vector_,                  \
                 vaddr_x(ADDRESS_OF(fn)))

#define EXPECT_PF(fn, address_, error_)                                        \
    do {                                                                       \
        EXPECT_REFUSED(TRAP_PF, fn, address_, 0);                              \
        EXPECT_EQ(u.address, address_);                                        \
        EXPECT_EQ(u.regs.error &(PF_PRESENT | PF_WRITE | PF_USER), error_);    \
    } while (0)

/*
 * There and back.
 */
TEST(user, all_registers_there_and_back)
{
    const uint64_t behind = vaddr_x(ADDRESS_OF(deed_syscall)) + 2;
    struct user_context sent;
    uint64_t *in = (uint64_t *)&u.regs;

    REQUIRE(setup());
    prepare(deed_syscall, 0, 0);
    for (unsigned int i = 0; i < REGS_VECTOR / sizeof(*in); i++)
        in[i] = test_random();
    u.regs.rsp = test_random() >> 17;
    u.regs.rflags = RFLAGS_CF | RFLAGS_ZF | RFLAGS_OF | RFLAGS_DF;
    sent = u;

    /* The second time by sysret. */
    for (unsigned int round = 0; round < 2; round++) {
        EXPECT_EQ(user_run(&u), USER_SYSCALL);
        EXPECT_EQ(u.regs.rip, behind + 2 * round);
        EXPECT_EQ(u.regs.rcx, u.regs.rip);
        EXPECT_EQ(u.regs.rsp, sent.regs.rsp);
        EXPECT_EQ(u.regs.r11 & ~RFLAGS_IF,
                  (sent.regs.rflags | RFLAGS_FIXED) & ~RFLAGS_IF);
        sent.regs.rcx = u.regs.rcx;
        sent.regs.r11 = u.regs.r11;
        EXPECT_EQ(memcmp(&u.regs, &sent.regs, REGS_VECTOR), 0);
    }
    EXPECT_EQ(u.regs.cs & 0xffff, FLAT_USER_CS64);

    /* And by iret, RCX and R11 too. */
    u.regs.rip = behind - 2;
    u.regs.rcx = 0x1234;
    u.regs.r11 = 0x5678;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rip, behind);
    EXPECT_EQ(u.regs.rcx, behind);
    teardown(run_);
}

/* What user mode makes of them comes back; RCX and R11 too, by a fault. */
TEST(user, registers_changed_in_user_mode)
{
    uint64_t sent[REGS_VECTOR / 8], *in = (uint64_t *)&u.regs;

    REQUIRE(setup());
    for (unsigned int round = 0; round < 3; round++) {
        prepare(deed_invert, 0, 0);
        for (unsigned int i = 0; i < ARRAY_SIZE(sent); i++)
            in[i] = sent[i] = test_random();
        u.regs.rsp = ~(uint64_t)round;
        EXPECT_EQ(user_run(&u), USER_FAULT);
        EXPECT_EQ(u.regs.vector, TRAP_UD);
        for (unsigned int i = 0; i < ARRAY_SIZE(sent); i++)
            EXPECT_EQ(in[i], ~sent[i]);
        EXPECT_EQ(u.regs.rsp, round);
    }
    teardown(run_);
}

/* Called from another depth of the stack, it must tell Xen. */
static int __noinline deeper(unsigned int n)
{
    volatile uint64_t here[16];
    int rc;

    for (unsigned int i = 0; i < ARRAY_SIZE(here); i++)
        here[i] = ~(uint64_t)n;
    rc = n == 0 ? deed(deed_flags, 0, 0) : deeper(n - 1);
    for (unsigned int i = 0; i < ARRAY_SIZE(here); i++)
        rc = here[i] == ~(uint64_t)n ? rc : -EFAULT;
    return rc;
}

TEST(user, from_any_depth_of_the_stack)
{
    REQUIRE(setup());
    EXPECT_EQ(deed(deed_flags, 0, 0), USER_SYSCALL);
    EXPECT_EQ(deeper(8), USER_SYSCALL);
    EXPECT_EQ(deeper(3), USER_SYSCALL);
    EXPECT_EQ(deed(deed_flags, 0, 0), USER_SYSCALL);
    teardown(run_);
}

/* A page that is not there: mapped when it faults, and on it goes. */
TEST(user, fault_is_mended_and_the_instruction_repeated)
{
    uint64_t *page = page_alloc_zeroed(0);

    REQUIRE(setup() && page != NULL);
    EXPECT_PF(deed_write, HEAP, PF_WRITE | PF_USER);
    EXPECT_EQ(map_page(_vaddr(HEAP), page, MAP_RW), 0);
    u.regs.rsi = 42;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(*page, 42);
    teardown(run_);
    page_free(page, 0);
}

TEST(user, exceptions_by_vector)
{
    const uint64_t behind_int3 = vaddr_x(ADDRESS_OF(deed_int3)) + 1;
    const uint64_t behind_int4 = vaddr_x(ADDRESS_OF(deed_int4)) + 2;

    REQUIRE(setup());
    EXPECT_REFUSED(TRAP_DE, deed_divide, 0, 0);
    EXPECT_REFUSED(TRAP_UD, deed_ud2, 0, 0);
    expect_fault(run_, __LINE__, deed(deed_int3, 0, 0), TRAP_BP, behind_int3);
    expect_fault(run_, __LINE__, deed(deed_int4, 0, 0), TRAP_OF, behind_int4);
    EXPECT_REFUSED(TRAP_GP, deed_read, NON_CANONICAL, 0);
    EXPECT_EQ(u.regs.error, 0);

    /* It may step itself: a debugger's way. */
    prepare(deed_flags, 0, 0);
    u.regs.rflags = RFLAGS_TF;
    expect_fault(run_, __LINE__, user_run(&u), TRAP_DB,
                 vaddr_x(ADDRESS_OF(deed_flags)) + 1);
    EXPECT(u.regs.rflags & RFLAGS_TF);
    teardown(run_);
}

/* A catch in the kernel is no business of a fault in user mode. */
TEST(user, kernel_catches_and_handlers_are_not_asked)
{
    REQUIRE(setup());
    EXPECT_EQ(CATCH_TRAP(EXPECT_REFUSED(TRAP_UD, deed_ud2, 0, 0)).vector,
              NO_TRAP);
    teardown(run_);
}

/* A watch sees user mode too, and the way back goes on there. */
static volatile unsigned int hits;
static volatile struct watch_hit last;

static void note(const struct watch_hit *hit, void *arg __unused)
{
    hits++;
    last = *hit;
}

TEST(user, watched)
{
    const uint64_t word = 6;
    int slot;

    REQUIRE(setup());
    slot = watch_set(_vaddr(DATA + 8), 8, WATCH_WRITE, note, NULL);
    REQUIRE(slot >= 0);
    hits = 0;
    EXPECT_EQ(deed(deed_write, DATA, 1), USER_SYSCALL);
    EXPECT_EQ(hits, 0);
    EXPECT_EQ(deed(deed_write, DATA + 8, 5), USER_SYSCALL);
    EXPECT_EQ(hits, 1);
    EXPECT(last.user);
    EXPECT_EQ(last.rip, vaddr_x(ADDRESS_OF(deed_write)) + 3);
    EXPECT_EQ(last.now, 5);
    EXPECT_EQ(user_copy_out(_vaddr(DATA + 8), &word, 8), 0);
    EXPECT_EQ(hits, 2);
    EXPECT(!last.user);
    EXPECT_EQ(last.now, 6);
    EXPECT_EQ(watch_clear(slot), 0);
    teardown(run_);
}

/*
 * What user mode sees of memory.
 */
TEST(user, reads_and_writes_what_is_its_own)
{
    REQUIRE(setup());
    data[0] = 0x1122334455667788;
    constants[1] = 99;
    EXPECT_EQ(deed(deed_read, DATA, 0), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, 0x1122334455667788);
    EXPECT_EQ(deed(deed_read, CONST + 8, 0), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, 99);
    EXPECT_EQ(deed(deed_write, DATA + 8, 77), USER_SYSCALL);
    EXPECT_EQ(data[1], 77);

    EXPECT_PF(deed_write, CONST, PF_PRESENT | PF_WRITE | PF_USER);
    EXPECT_PF(deed_write, TEXT, PF_PRESENT | PF_WRITE | PF_USER);
    EXPECT_PF(deed_read, 0ul, PF_USER);
    EXPECT_PF(deed_read, 0xff8ul, PF_USER);
    teardown(run_);
}

TEST(user, runs_no_data)
{
    REQUIRE(setup());
    expect_fault(run_, __LINE__, deed(deed_jump, DATA, 0), TRAP_PF, DATA);
    EXPECT_EQ(u.address, DATA);
    EXPECT_EQ(u.regs.error & (PF_PRESENT | PF_FETCH | PF_USER),
              PF_PRESENT | PF_FETCH | PF_USER);
    teardown(run_);
}

/* Of the kernel's addresses none is there: not even as forbidden. */
TEST(user, kernel_memory_is_not_there)
{
    static uint64_t secret = 4711;
    extern const char hypercall_page[];
    const uint64_t kernels[] = {
        (uintptr_t)&secret,
        (uintptr_t)kernel_space.next,
        (uintptr_t)hypercall_page,
        (uintptr_t)user_text,
        (uintptr_t)data, /* its own page, by the physmap */
        (uintptr_t)start_info()->mfn_list,
        (uintptr_t)&u,
    };

    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(kernels); i++) {
        EXPECT_PF(deed_read, kernels[i], PF_USER);
        EXPECT_PF(deed_write, kernels[i], PF_WRITE | PF_USER);
        expect_fault(run_, __LINE__, deed(deed_jump, kernels[i], 0), TRAP_PF,
                     kernels[i]);
    }
    EXPECT_EQ(secret, 4711);
    teardown(run_);
}

/* Xen's table of who has which frame: the kernel reads it, user mode not. */
TEST(user, m2p_is_not_there)
{
    const uint64_t entry = KERNEL_HALF + mfn_x(frame_of(&u)) * 8;

    REQUIRE(setup());
    EXPECT_EQ(*(volatile uint64_t *)entry, pfn_x(kaddr_pfn(&u)));
    EXPECT_PF(deed_read, entry, PF_USER);
    EXPECT_PF(deed_read, KERNEL_HALF, PF_USER);
    teardown(run_);
}

/*
 * Its own page tables: not writable even where they are mapped, though Xen
 * emulates such writes when the kernel makes them.
 */
TEST(user, page_tables_are_not_for_writing)
{
    struct walk w;
    pte_t before;
    mfn_t l1;

    REQUIRE(setup());
    walk_address(_vaddr(DATA), &w);
    l1 = pte_mfn(w.entry[2]);
    EXPECT_EQ(space_map(&space, _vaddr(HEAP), &l1, 1, MAP_RW), -EBUSY);
    EXPECT_EQ(space_map(&space, _vaddr(HEAP), &l1, 1, MAP_R), 0);
    before = space_query(&space, _vaddr(CONST));

    EXPECT_EQ(
        hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables),
        0);
    EXPECT_REFUSED(TRAP_PF, deed_write, HEAP + pt_index(_vaddr(CONST), 1) * 8,
                   before.raw | PTE_RW);
    EXPECT_EQ(u.regs.error & (PF_PRESENT | PF_WRITE | PF_USER),
              PF_PRESENT | PF_WRITE | PF_USER);
    EXPECT_EQ(hypercall_vm_assist(VMASST_CMD_disable,
                                  VMASST_TYPE_writable_pagetables),
              0);
    EXPECT_EQ(space_query(&space, _vaddr(CONST)).raw, before.raw);
    EXPECT_PF(deed_write, CONST, PF_PRESENT | PF_WRITE | PF_USER);
    teardown(run_);
}

/* What one space maps is not in another. */
TEST(user, spaces_are_apart)
{
    struct space other;

    REQUIRE(setup());
    data[0] = 5;
    EXPECT_EQ(space_create(&other, SPACE_USER), 0);
    EXPECT_EQ(map_text(&other), 0);
    EXPECT_EQ(space_switch(&other), 0);
    EXPECT_PF(deed_read, DATA, PF_USER);
    EXPECT_EQ(space_switch(&space), 0);
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, 5);
    EXPECT_EQ(space_destroy(&other), 0);
    teardown(run_);
}

/*
 * What user mode may not do.
 */
TEST(user, privileged_instructions_are_gp)
{
    static void (*const deeds[])(void) = {
        deed_hlt,    deed_cli,   deed_in,      deed_out,
        deed_rdmsr,  deed_wrmsr, deed_get_cr3, deed_set_cr3,
        deed_lgdt,   deed_lidt,  deed_set_cr4, deed_set_dr7,
        deed_invlpg, deed_ltr,   deed_swapgs,  deed_wbinvd,
    };

    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(deeds); i++) {
        prepare(deeds[i], DATA, 0);
        u.regs.rcx = 0xc0000101; /* GS base, for rdmsr and wrmsr */
        expect_fault(run_, __LINE__, user_run(&u), TRAP_GP,
                     vaddr_x(ADDRESS_OF(deeds[i])));
        EXPECT_EQ(u.regs.error, 0);
    }
    teardown(run_);
}

/* Numbers and arguments of hypercalls that would not go unnoticed. */
TEST(user, hypercall_is_a_system_call)
{
    struct sched_shutdown reason = { .reason = SHUTDOWN_crash };

    REQUIRE(setup());
    memcpy(data, &reason, sizeof(reason));
    prepare(deed_syscall, SCHEDOP_shutdown, DATA);
    u.regs.rax = __HYPERVISOR_sched_op;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, __HYPERVISOR_sched_op);

    prepare(deed_syscall, 0, 0);
    u.regs.rax = __HYPERVISOR_iret;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, __HYPERVISOR_iret);
    teardown(run_);
}

/* The same gate from 32-bit code, and the other gates. */
TEST(user, other_ways_into_the_kernel)
{
    REQUIRE(setup());
    /* RIP and RSP of 32-bit code are below 4 GiB. */
    prepare(deed_call_32, 0, 0);
    u.regs.rsp = DATA + PAGE_SIZE;
    if (user_run(&u) == USER_SYSCALL)
        EXPECT_EQ(u.regs.cs & 0xffff, FLAT_USER_CS32);
    else
        EXPECT_EQ(u.regs.vector, TRAP_UD); /* Intel: not from 32-bit code */

    EXPECT_EQ(deed(deed_sysenter, 0, 0), USER_FAULT);
    EXPECT(u.regs.vector == TRAP_GP || u.regs.vector == TRAP_UD);
    teardown(run_);
}

static void expect_int_n(struct test_run *run_, void (*fn)(void),
                         unsigned int n)
{
    EXPECT_REFUSED(TRAP_GP, fn, 0, 0);
    /* QEMU before 8.0 scales the index by 16 and not by 8. */
    if (!cpu_is_qemu_tcg() || u.regs.error != ((n * 16 + 2) & 0xffff))
        EXPECT_EQ(u.regs.error, n * 8 + 2);
}

TEST(user, int_n_without_the_right)
{
    REQUIRE(setup());
    expect_int_n(run_, deed_int13, 13);
    expect_int_n(run_, deed_int80, 0x80);
    expect_int_n(run_, deed_int82, 0x82);
    teardown(run_);
}

/*
 * Contexts that cannot be.
 */
TEST(user, context_with_a_bad_rip)
{
    static const uint64_t rips[] = { NON_CANONICAL, 0x8000000000000000,
                                     0xffff7fffffffffff, ~0ul >> 1 };
    const uint64_t kernels = (uintptr_t)user_text;

    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(rips); i++) {
        prepare(deed_syscall, 0, 0);
        u.regs.rip = rips[i];
        expect_fault(run_, __LINE__, user_run(&u), TRAP_GP, rips[i]);
        /* As after a system call, when it would be left by sysret. */
        prepare(deed_syscall, 0, 0);
        EXPECT_EQ(user_run(&u), USER_SYSCALL);
        u.regs.rip = u.regs.rcx = rips[i];
        expect_fault(run_, __LINE__, user_run(&u), TRAP_GP, rips[i]);
    }
    prepare(deed_syscall, 0, 0);
    u.regs.rip = kernels;
    expect_fault(run_, __LINE__, user_run(&u), TRAP_PF, kernels);
    EXPECT_EQ(u.address, kernels);
    teardown(run_);
}

TEST(user, context_with_a_bad_rsp)
{
    static const uint64_t rsps[] = { NON_CANONICAL + 64, 0x8000000000000000,
                                     0xffff820000000000 };

    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(rsps); i++) {
        prepare(deed_syscall, 0, 0);
        u.regs.rsp = rsps[i];
        EXPECT_EQ(user_run(&u), USER_SYSCALL);
        EXPECT_EQ(u.regs.rsp, rsps[i]);
        prepare(deed_push, 0, 0);
        u.regs.rsp = rsps[i];
        EXPECT_EQ(user_run(&u), USER_FAULT);
        EXPECT(u.regs.vector == TRAP_SS || u.regs.vector == TRAP_GP ||
               u.regs.vector == TRAP_PF);
    }
    /* The kernel's own stack: user mode does not see it. */
    prepare(deed_push, 0, 0);
    u.regs.rsp = (uintptr_t)__builtin_frame_address(0);
    expect_fault(run_, __LINE__, user_run(&u), TRAP_PF,
                 vaddr_x(ADDRESS_OF(deed_push)));
    teardown(run_);
}

TEST(user, context_with_bad_selectors)
{
    static const uint16_t selectors[] = {
        0, 3, 0xe008, 0xe030, 0xe02b, 0xffff
    };

    REQUIRE(setup());
    for (unsigned int i = 0; i < ARRAY_SIZE(selectors); i++) {
        prepare(deed_syscall, 0, 0);
        u.regs.cs = selectors[i];
        expect_fault(run_, __LINE__, user_run(&u), TRAP_GP,
                     vaddr_x(ADDRESS_OF(deed_syscall)));
        EXPECT_EQ(u.regs.error, selectors[i] & 0xfffc);

        prepare(deed_syscall, 0, 0);
        u.regs.ss = selectors[i];
        EXPECT_EQ(user_run(&u), USER_SYSCALL);
        EXPECT_EQ(u.regs.ss, FLAT_USER_SS64);
    }
    teardown(run_);
}

TEST(user, flags_of_a_context_are_put_right)
{
    const bool masked = upcall_masked();

    REQUIRE(setup());
    prepare(deed_flags, 0, 0);
    u.regs.rflags = ~(uint64_t)RFLAGS_TF;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax & (RFLAGS_IOPL | RFLAGS_NT | RFLAGS_TF), 0);
    EXPECT_EQ(u.regs.rax >> 22, 0);
    EXPECT(u.regs.rax & RFLAGS_AC && u.regs.rax & RFLAGS_IF);
    EXPECT_EQ(upcall_masked(), masked);
    /* And none of them is left in the kernel. */
    EXPECT_EQ(read_rflags() &
                  (RFLAGS_IOPL | RFLAGS_NT | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC),
              0);
    teardown(run_);
}

TEST(user, no_user_mode_without_a_space_for_it)
{
    REQUIRE(setup());
    prepare(deed_syscall, 0, 0);
    EXPECT_EQ(space_switch(&kernel_space), 0);
    EXPECT_EQ(user_run(&u), -EINVAL);
    EXPECT_EQ(space_switch(&space), 0);
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    teardown(run_);
}

/*
 * Segments.
 */
TEST(user, thread_local_storage)
{
    struct user_context other;
    uint64_t base;

    REQUIRE(setup());
    data[0] = 10;
    data[1] = 11;
    EXPECT_EQ(segment_base_set(SEGBASE_GS_KERNEL, 0x1000), 0);
    prepare(deed_fs, 0, 0);
    u.fs_base = DATA;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, 10);

    user_context_init(&other, ADDRESS_OF(deed_fs), _vaddr(STACK));
    other.fs_base = DATA + 8;
    EXPECT_EQ(user_run(&other), USER_SYSCALL);
    EXPECT_EQ(other.regs.rax, 11);

    prepare(deed_gs, 0, 0);
    u.gs_base = DATA + 8;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, 11);
    EXPECT_EQ(segment_base_get(SEGBASE_GS_USER, &base), 0);
    EXPECT_EQ(base, DATA + 8);

    /* The kernel's GS is another. */
    EXPECT_EQ(segment_base_get(SEGBASE_GS_KERNEL, &base), 0);
    EXPECT_EQ(base, 0x1000);
    EXPECT_EQ(segment_base_set(SEGBASE_GS_KERNEL, 0), 0);

    prepare(deed_fs, 0, 0);
    u.fs_base = NON_CANONICAL;
    EXPECT_EQ(user_run(&u), -EINVAL);
    u.fs_base = 0;
    u.gs_base = NON_CANONICAL;
    EXPECT_EQ(user_run(&u), -EINVAL);
    teardown(run_);
}

/* Who spoils its own bases and selectors does not spoil the next one's. */
TEST(user, selectors_do_not_pass_to_the_next_context)
{
    REQUIRE(setup());
    data[0] = 10;
    prepare(deed_fs, 0, 0);
    u.fs_base = u.gs_base = DATA;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    prepare(deed_set_ds, FLAT_USER_DS32, 0);
    u.fs_base = u.gs_base = DATA;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    /* The same one goes on: with what it has loaded. */
    u.regs.rip = vaddr_x(ADDRESS_OF(deed_selectors));
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, FLAT_USER_DS32 * 0x0001000100010001ul);

    EXPECT_EQ(deed(deed_selectors, 0, 0), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, 0);
    prepare(deed_set_ds, FLAT_USER_DS32, 0);
    u.fs_base = u.gs_base = DATA;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    prepare(deed_fs, 0, 0);
    u.fs_base = u.gs_base = DATA;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, 10);
    prepare(deed_gs, 0, 0);
    u.fs_base = u.gs_base = DATA;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(u.regs.rax, 10);
    teardown(run_);
}

/*
 * Events in user mode.
 */
static unsigned int ticks;

static void end_slice(struct timer *timer __unused, void *arg __unused)
{
    ticks++;
    user_interrupt();
}

static void just_tick(struct timer *timer, void *arg __unused)
{
    if (++ticks < 5)
        timer_arm(timer, ktime_ns() + 200 * NSEC_PER_USEC);
    else
        user_interrupt();
}

/* Code that never leaves by itself loses the CPU when its time is over. */
TEST(user, timer_ends_a_slice)
{
    struct timer timer;

    REQUIRE(setup());
    REQUIRE(!upcall_masked());
    timer_setup(&timer, end_slice, NULL);
    prepare(deed_spin, 0, 0);
    for (unsigned int i = 1; i <= 3; i++) {
        ticks = 0;
        timer_arm(&timer, ktime_ns() + NSEC_PER_MSEC);
        u.regs.r12 = i;
        EXPECT_EQ(user_run(&u), USER_INTERRUPTED);
        EXPECT_EQ(ticks, 1);
        EXPECT_EQ(u.regs.r12, i);
        EXPECT(u.regs.rip - vaddr_x(ADDRESS_OF(deed_spin)) < 8);
        EXPECT(!upcall_masked());
    }
    teardown(run_);
}

/*
 * NMI and machine check.  Xen delivers an NMI that we send ourselves on the way
 * back into the kernel, unless NMIs are blocked, as in the NMI's handler.  There
 * a second one waits for the next iret hypercall; and that is user_run()'s, which
 * is called there.
 */
static unsigned int nmis, user_nmis;
static uint64_t user_nmi_rip;

static bool on_nmi(struct regs *regs, uint64_t address __unused)
{
    nmis++;
    if (regs->cs & 3) {
        user_nmis++;
        user_nmi_rip = regs->rip;
    }
    return true;
}

static int nmi_exit;

static bool nmi_to_user_mode(struct regs *regs __unused,
                             uint64_t address __unused)
{
    (void)trap_set_handler(TRAP_NMI, on_nmi);
    (void)hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL);
    nmi_exit = nmis == 0 ? user_run(&u) : -EINVAL;
    return true;
}

TEST(user, nmi_is_the_kernels)
{
    trap_handler_t *old = trap_set_handler(TRAP_NMI, nmi_to_user_mode);

    REQUIRE(setup());
    nmis = user_nmis = 0;
    prepare(deed_read, DATA, 0);
    data[0] = 0x1234;
    u.regs.rbx = 0x5678;
    EXPECT_EQ(hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(nmi_exit, USER_SYSCALL);
    EXPECT_EQ(nmis, 1);
    EXPECT_EQ(user_nmis, 1);
    EXPECT_EQ(user_nmi_rip, vaddr_x(ADDRESS_OF(deed_read)));
    EXPECT_EQ(u.regs.rax, 0x1234);
    EXPECT_EQ(u.regs.rbx, 0x5678);

    /* They are not blocked now. */
    EXPECT_EQ(hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(nmis, 2);
    trap_set_handler(TRAP_NMI, old);
    teardown(run_);
}

/* One that ends the run, so that user mode is not gone back to, blocks none. */
static unsigned int nmis_behind;

static bool nmi_and_interrupt(struct regs *regs, uint64_t address)
{
    if (regs->cs & 3)
        user_interrupt();
    return on_nmi(regs, address);
}

static bool nmi_that_ends_the_run(struct regs *regs __unused,
                                  uint64_t address __unused)
{
    (void)trap_set_handler(TRAP_NMI, nmi_and_interrupt);
    (void)hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL);
    nmi_exit = user_run(&u);
    nmis_behind = nmis;
    (void)hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL);
    nmis_behind = nmis - nmis_behind;
    return true;
}

TEST(user, nmi_that_ends_a_run_blocks_no_other)
{
    trap_handler_t *old = trap_set_handler(TRAP_NMI, nmi_that_ends_the_run);

    REQUIRE(setup());
    nmis = user_nmis = 0;
    prepare(deed_read, DATA, 0);
    EXPECT_EQ(hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    EXPECT_EQ(nmi_exit, USER_INTERRUPTED);
    EXPECT_EQ(user_nmis, 1);
    EXPECT_EQ(nmis_behind, 1);
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    trap_set_handler(TRAP_NMI, old);
    teardown(run_);
}

/* A handler that runs while user mode is away sends one: it arrives in there. */
static unsigned int nmis_in_event;

static void nmi_tick(struct timer *timer, void *arg __unused)
{
    const unsigned int before = nmis;

    (void)hypercall_vcpu_op(VCPUOP_send_nmi, 0, NULL);
    nmis_in_event += nmis == before + 1;
    just_tick(timer, NULL);
}

TEST(user, nmi_in_an_event_handler_over_user_mode)
{
    trap_handler_t *old = trap_set_handler(TRAP_NMI, on_nmi);
    struct timer timer;

    REQUIRE(setup());
    ticks = nmis = user_nmis = nmis_in_event = 0;
    timer_setup(&timer, nmi_tick, NULL);
    prepare(deed_spin, 0, 0);
    u.regs.r12 = 0x1234;
    timer_arm(&timer, ktime_ns() + 200 * NSEC_PER_USEC);
    EXPECT_EQ(user_run(&u), USER_INTERRUPTED);
    EXPECT_EQ(ticks, 5);
    EXPECT_EQ(nmis, 5);
    EXPECT_EQ(nmis_in_event, 5);
    EXPECT_EQ(user_nmis, 0);
    EXPECT_EQ(u.regs.r12, 0x1234);
    EXPECT(!upcall_masked());
    trap_set_handler(TRAP_NMI, old);
    teardown(run_);
}

/* From outside, at any instruction: `xl trigger DOMAIN nmi`. */
FATAL(user, nmi_by_the_toolstack)
{
    const uint64_t end = ktime_ns() + 600 * NSEC_PER_SEC;
    unsigned int said = 0;
    struct timer timer;

    (void)trap_set_handler(TRAP_NMI, on_nmi);
    REQUIRE(setup());
    nmis = user_nmis = 0;
    timer_setup(&timer, end_slice, NULL);
    prepare(deed_spin, 0, 0);
    say("# ready\n");
    while (user_nmis < 3 && ktime_ns() < end) {
        timer_arm(&timer, ktime_ns() + 20 * NSEC_PER_MSEC);
        REQUIRE(user_run(&u) == USER_INTERRUPTED);
        EXPECT(u.regs.rip - vaddr_x(ADDRESS_OF(deed_spin)) < 8);
        if (user_nmis > said)
            say("# nmi %u in user mode\n", user_nmis);
        said = user_nmis;
    }
    say("# %u in user mode, %u in all\n", user_nmis, nmis);
    EXPECT_EQ(user_nmis, 3);
    EXPECT(user_nmi_rip - vaddr_x(ADDRESS_OF(deed_spin)) < 8);
    (void)trap_set_handler(TRAP_NMI, NULL);
    teardown(run_);
}

/*
 * A machine check is the hardware's.  But its entry makes the same of `int $18`,
 * which a guest may allow; QEMU before 8 makes `int $36` of that.  For user mode
 * only: Xen 4.20 answers the kernel's with #GP all the same.
 */
void trap_entry_mc(void);

static int allow_int18(unsigned int ring)
{
    struct trap_info table[] = {
        { 18, ring, FLAT_KERNEL_CS, (uintptr_t)trap_entry_mc },
        { 36, ring, FLAT_KERNEL_CS, (uintptr_t)trap_entry_mc },
        { 0 },
    };

    return hypercall_set_trap_table(table);
}

static unsigned int checks;
static struct regs check_regs;

static bool on_machine_check(struct regs *regs, uint64_t address __unused)
{
    checks++;
    check_regs = *regs;
    return true;
}

TEST(user, machine_check_is_the_kernels)
{
    trap_handler_t *old = trap_set_handler(TRAP_MC, on_machine_check);

    REQUIRE(setup());
    REQUIRE(allow_int18(3) == 0);
    checks = 0;
    prepare(deed_int18, 0, 0);
    u.regs.r12 = 0x1234;
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    EXPECT_EQ(checks, 1);
    EXPECT_EQ(check_regs.vector, TRAP_MC);
    EXPECT_EQ(check_regs.cs & 3, 3);
    EXPECT_EQ(check_regs.rip, vaddr_x(ADDRESS_OF(deed_int18)) + 2);
    EXPECT_EQ(check_regs.r12, 0x1234);

    EXPECT_EQ(allow_int18(0), 0);
    prepare(deed_int18, 0, 0);
    EXPECT_EQ(user_run(&u), USER_FAULT);
    EXPECT_EQ(u.regs.vector, TRAP_GP);
    EXPECT_EQ(checks, 1);
    trap_set_handler(TRAP_MC, old);
    teardown(run_);
}

/* Of other events it does not notice anything. */
TEST(user, events_go_by)
{
    struct timer timer;

    REQUIRE(setup());
    ticks = 0;
    timer_setup(&timer, just_tick, NULL);
    prepare(deed_spin, 0, 0);
    timer_arm(&timer, ktime_ns() + 200 * NSEC_PER_USEC);
    EXPECT_EQ(user_run(&u), USER_INTERRUPTED);
    EXPECT_EQ(ticks, 5);
    teardown(run_);
}

/*
 * One that is pending when user mode is entered comes before the first instruction
 * there.  If that is said to be where the kernel goes back from an upcall, it is
 * user mode all the same: its RSP is not the kernel's.
 */
extern const char user_enter[], upcall_leave[], upcall_left[];

static struct {
    evtchn_port_t port;
    unsigned int handled;
    uint64_t interrupted;
} early;

static void on_early(evtchn_port_t port __unused, void *arg __unused)
{
    early.handled++;
    early.interrupted = ((const uint64_t *)this_vcpu()->event_stack)[-1];
}

/* Once: behind the event user mode is entered anew. */
static void send_early(const struct watch_hit *hit __unused, void *arg __unused)
{
    if (early.handled == 0)
        (void)event_send(early.port);
}

static void enter_at(struct test_run *run_, uint64_t rip)
{
    early.handled = 0;
    user_context_init(&u, _vaddr(rip), _vaddr(STACK - 1024));
    expect_fault(run_, __LINE__, user_run(&u), TRAP_PF, rip);
    EXPECT_EQ(u.address, rip);
    EXPECT_EQ(u.regs.rsp, STACK - 1024);
    EXPECT_EQ(early.handled, 1);
    EXPECT_EQ(early.interrupted, rip);
}

TEST(user, event_at_an_address_of_the_kernels_way_back)
{
    int slot;

    REQUIRE(setup());
    EXPECT_EQ(event_bind_ipi(0, on_early, NULL, &early.port), 0);
    EXPECT_EQ(event_unmask(early.port), 0);
    slot = watch_set(_vaddr((uintptr_t)user_enter), 1, WATCH_EXECUTE,
                     send_early, NULL);
    EXPECT(slot >= 0);
    for (const char *p = upcall_leave; p < upcall_left; p++)
        enter_at(run_, (uintptr_t)p);
    EXPECT_EQ(watch_clear(slot), 0);
    EXPECT_EQ(event_close(early.port), 0);
    teardown(run_);
}

TEST(user, interrupt_is_not_lost_between_two_runs)
{
    REQUIRE(setup());
    prepare(deed_syscall, 0, 0);
    user_interrupt();
    EXPECT_EQ(user_run(&u), USER_INTERRUPTED);
    EXPECT_EQ(u.regs.rip, vaddr_x(ADDRESS_OF(deed_syscall)));
    EXPECT_EQ(user_run(&u), USER_SYSCALL);
    teardown(run_);
}

TEST(user, events_masked_stay_masked)
{
    bool masked;

    REQUIRE(setup());
    masked = upcall_mask();
    EXPECT_EQ(deed(deed_flags, 0, 0), USER_SYSCALL);
    EXPECT(upcall_masked());
    EXPECT_REFUSED(TRAP_UD, deed_ud2, 0, 0);
    EXPECT(upcall_masked());
    (void)deed(deed_sysenter, 0, 0);
    EXPECT(upcall_masked());
    upcall_restore(masked);
    EXPECT_EQ(deed(deed_sysenter, 0, 0), USER_FAULT); /* Xen masks here */
    EXPECT_EQ(upcall_masked(), masked);
    teardown(run_);
}

/*
 * Threads in user mode take turns, each with its own FS base, there and in the
 * kernel, and with its own place on its own stack.
 */
static __thread uint64_t mine;

static int count_in_user_mode(void *arg)
{
    const uint64_t i = (uintptr_t)arg;
    struct user_context c;

    user_context_init(&c, ADDRESS_OF(deed_count), _vaddr(STACK));
    c.regs.rdi = DATA;
    c.regs.r12 = i;
    c.fs_base = DATA + 8 * i;
    mine = i;
    if (user_run(&c) != USER_SYSCALL || c.regs.r12 != i)
        return -EINVAL;
    return mine == i ? 0 : -EFAULT;
}

static bool all_have_counted(unsigned int nr)
{
    for (unsigned int i = 1; i <= nr; i++)
        if (((volatile uint64_t *)data)[i] <= 1)
            return false;
    return true;
}

TEST(user, threads_take_turns)
{
    const struct thread_options preemptive = {
        .flags = THREAD_PREEMPTIVE,
        .priority = THREAD_NORMAL,
    };
    const uint64_t give_up = ktime_ns() + 120 * NSEC_PER_SEC;
    struct thread *t[3];
    int result = -1;

    REQUIRE(setup());
    mine = 77;
    for (uint64_t i = 0; i < ARRAY_SIZE(t); i++)
        REQUIRE(thread_create("user", count_in_user_mode, (void *)(i + 1),
                              &preemptive, &t[i]) == 0);
    do {
        thread_sleep(100 * NSEC_PER_MSEC);
    } while (ktime_ns() < give_up && !all_have_counted(ARRAY_SIZE(t)));
    data[0] = 1;
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
        EXPECT_EQ(thread_join(t[i], give_up + 120 * NSEC_PER_SEC, &result), 0);
        EXPECT_EQ(result, 0);
        EXPECT(data[i + 1] > 1);
    }
    EXPECT_EQ(mine, 77);
    teardown(run_);
}

/*
 * Copying.
 */
TEST(user, copies)
{
    uint8_t bytes[64], back[64];
    const uint64_t end = STACK;

    REQUIRE(setup());
    for (unsigned int i = 0; i < sizeof(bytes); i++)
        bytes[i] = i * 7;
    for (unsigned int n = 0; n <= sizeof(bytes); n++) {
        memset(back, 0, sizeof(back));
        EXPECT_EQ(user_copy_out(_vaddr(end - n), bytes, n), 0);
        EXPECT_EQ(memcmp((uint8_t *)stack + PAGE_SIZE - n, bytes, n), 0);
        EXPECT_EQ(user_copy_in(back, _vaddr(end - n), n), 0);
        EXPECT_EQ(memcmp(back, bytes, n), 0);
        /* One too many, at whatever distance from a word's end. */
        EXPECT_EQ(user_copy_out(_vaddr(end - n), bytes, n + 1), -EFAULT);
        EXPECT_EQ(user_copy_in(back, _vaddr(end - n), n + 1), -EFAULT);
    }
    EXPECT_EQ(user_copy_in(back, _vaddr(CONST), 8), 0);
    EXPECT_EQ(user_copy_out(_vaddr(CONST), bytes, 8), -EFAULT);
    EXPECT_EQ(user_copy_in(back, _vaddr(0), 1), -EFAULT);
    teardown(run_);
}

TEST(user, copies_nothing_of_the_kernels)
{
    static uint64_t secret = 1;
    uint64_t word = 2;

    REQUIRE(setup());
    EXPECT_EQ(user_copy_in(&word, ptr_to_vaddr(&secret), 8), -EFAULT);
    EXPECT_EQ(user_copy_out(ptr_to_vaddr(&secret), &word, 8), -EFAULT);
    EXPECT_EQ(user_copy_in(&word, _vaddr(KERNEL_HALF), 8), -EFAULT);
    EXPECT_EQ(user_copy_in(&word, _vaddr(USER_END - 4), 8), -EFAULT);
    EXPECT_EQ(user_copy_in(&word, _vaddr(USER_END), 0), 0);
    EXPECT_EQ(user_copy_in(&word, _vaddr(USER_END + 1), 0), -EFAULT);
    EXPECT_EQ(user_copy_in(&word, _vaddr(DATA), ~0ul), -EFAULT);
    EXPECT_EQ(user_copy_in(&word, _vaddr(~0ul), 2), -EFAULT);
    EXPECT_EQ(word, 2);
    EXPECT_EQ(secret, 1);
    teardown(run_);
}

/*
 * The kernel's half of tests/user_code/demo.c: five system calls.
 */
struct process {
    struct user_context u;
    uint64_t id, status;
    uint64_t heap_pages;
    unsigned int yields;
    bool exited;
    char said[80];
    size_t said_len;
};

static long demo_write(struct process *p, vaddr_t text, uint64_t len)
{
    if (len > sizeof(p->said) - p->said_len)
        return -ENOSPC;
    if (user_copy_in(p->said + p->said_len, text, len) != 0)
        return -EFAULT;
    p->said_len += len;
    return len;
}

static void *heap[4];

static long demo_map(struct process *p, uint64_t nr)
{
    if (nr > ARRAY_SIZE(heap) - p->heap_pages)
        return -ENOMEM;
    for (uint64_t i = 0; i < nr; i++) {
        void *page = page_alloc_zeroed(0);

        if (page == NULL || map_page(_vaddr(HEAP + p->heap_pages * PAGE_SIZE),
                                     page, MAP_RW) != 0)
            return -ENOMEM;
        heap[p->heap_pages++] = page;
    }
    return HEAP + (p->heap_pages - nr) * PAGE_SIZE;
}

static long demo_call(struct process *p, const struct regs *regs)
{
    switch (regs->rax) {
    case DEMO_WRITE:
        return demo_write(p, _vaddr(regs->rdi), regs->rsi);

    case DEMO_SELF:
        return p->id;

    case DEMO_MAP:
        return demo_map(p, regs->rdi);

    case DEMO_YIELD:
        p->yields++;
        return 0;

    case DEMO_EXIT:
        p->status = regs->rdi;
        p->exited = true;
        return 0;

    default:
        return -ENOSYS;
    }
}

/* The deadline makes it an error, not a hang. */
static void demo_run(struct process *p)
{
    const uint64_t deadline = ktime_ns() + 120 * NSEC_PER_SEC;

    while (!p->exited && ktime_ns() < deadline) {
        if (user_run(&p->u) != USER_SYSCALL) {
            p->status = ~0ul;
            return;
        }
        p->u.regs.rax = demo_call(p, &p->u.regs);
    }
}

TEST(user, demo_with_five_system_calls)
{
    static struct process p;

    REQUIRE(setup());
    p = (struct process){ .id = 3 };
    /* As if called: RSP is aligned to 16 above a return address. */
    user_context_init(&p.u, ADDRESS_OF(demo_main), _vaddr(STACK - 8));
    demo_run(&p);
    EXPECT(p.exited);
    EXPECT_EQ(p.status, 7);
    EXPECT_EQ(p.yields, 1);
    EXPECT_EQ(p.heap_pages, 3);
    EXPECT_STR(p.said, "hello from user mode\nuser 3 has the sum\n");
    teardown(run_);
    for (uint64_t i = 0; i < p.heap_pages; i++)
        page_free(heap[i], 0);
}

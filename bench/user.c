/* SPDX-License-Identifier: MIT */
/*
 * To user mode and back: by a system call, by a fault; and copying from there.  The
 * floors are the same ways with nothing in the kernel but the way back, which is a
 * hypercall.
 */
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/segments.h>
#include <plinth/space.h>
#include <plinth/trap.h>
#include <plinth/user.h>

#include "bench.h"

#define TEXT   0x400000ul
#define DATA   0x800000ul
#define ROUNDS 100u
#define MANY   10000u

/* In user mode. */
void bench_syscalls(void);
void bench_faults(void);

/* What user mode enters: see bare_entry.S. */
void bench_bare_sysret(void);
void bench_bare_iret(void);
void bench_bare_user_fault(void);
extern uint64_t bench_user_rounds;

extern const char user_text[], user_text_end[];

static struct user_context one, other;

static uint64_t user_address(void (*fn)(void))
{
    return TEXT + ((const char *)fn - user_text);
}

/*
 * What user mode does at @rip enters @bare instead of the kernel, for all rounds but
 * the last, which ends as usual: so many of them that this one does not count.  Returns
 * the figure.
 */
static uint64_t floor_of(const char *name, uint64_t rip, int want)
{
    struct ticks t;
    int why = want;

    user_context_init(&one, _vaddr(rip), _vaddr(0));
    MEASURE_TICKS(t, bench_user_rounds = MANY, why |= user_run(&one));
    if (why != want || bench_user_rounds != UINT64_MAX)
        bench_fail("bare.user.%s: exit %d", name, why);
    figure("insn", MANY, t, 0, "bare.user.%s", name);
    return figure_of("bare.user.%s", name);
}

static uint64_t syscall_floor(const char *name, void (*bare)(void))
{
    struct callback_register cb = {
        .type = CALLBACKTYPE_syscall,
        .address = (unsigned long)bare,
    };
    uint64_t floor;

    bench_check(hypercall_callback_op(CALLBACKOP_register, &cb),
                "a bare entry");
    floor = floor_of(name, user_address(bench_syscalls), USER_SYSCALL);
    user_init();
    return floor;
}

static uint64_t fault_floor(void)
{
    uint64_t floor;

    bench_enter(TRAP_UD, bench_bare_user_fault);
    floor = floor_of("fault", user_address(bench_faults), USER_FAULT);
    trap_init();
    return floor;
}

static int map_all(struct space *s, const void *data)
{
    int rc =
        space_map_run(s, _vaddr(DATA), p2m_lookup(kaddr_pfn(data)), 1, MAP_RW);

    for (const char *p = user_text; p < user_text_end && rc == 0;
         p += PAGE_SIZE)
        rc = space_map_run(s, _vaddr(TEXT + (p - user_text)),
                           p2m_lookup(kaddr_pfn(p)), 1, MAP_RX);
    return rc;
}

/* As an answered system call goes on; or, when RCX is changed, by iret. */
static int run_at(struct user_context *u, uint64_t rip, bool by_iret)
{
    u->regs.rip = rip;
    u->regs.rcx = by_iret ? 0 : rip;
    return user_run(u);
}

static void runs(const char *name, struct user_context *a,
                 struct user_context *b, bool by_iret, uint64_t floor)
{
    const uint64_t rip = user_address(bench_syscalls);
    struct ticks t;
    int why = USER_SYSCALL;

    MEASURE_TICKS(t, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) why |=
                  run_at(n % 2 ? b : a, rip, by_iret));
    if (why != USER_SYSCALL)
        bench_fail("user.%s: exit %d", name, why);
    figure("insn", ROUNDS, t, floor, "user.%s", name);
}

/* Up to the last step before Xen. */
static void own_part(void)
{
    struct ticks t;
    int why = USER_INTERRUPTED;

    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) {
            user_interrupt();
            why |= user_run(&one);
        });
    if (why != USER_INTERRUPTED)
        bench_fail("user.own_part: exit %d", why);
    figure("insn", ROUNDS, t, 0, "user.own_part_of_run");
}

/* The base of FS, as a thread with __thread variables has one. */
static void bases(void)
{
    struct ticks call, wrmsr;
    int rc = 0;

    MEASURE_TICKS(call, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) rc |=
                  segment_base_set(SEGBASE_FS, 0));
    bench_check(rc, "the base of FS");
    MEASURE_TICKS(wrmsr, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) asm volatile(
                      "wrmsr" ::"c"(0xc0000100), "a"(0), "d"(0)));
    figure("insn", ROUNDS, call, 0, "bare.FS_base.by_hypercall");
    figure("insn", ROUNDS, wrmsr, 0, "bare.FS_base.by_wrmsr");
}

static void faults(void)
{
    const uint64_t floor = fault_floor();
    struct ticks t;
    int why = USER_FAULT;

    user_context_init(&one, _vaddr(user_address(bench_faults)), _vaddr(0));
    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) why |= user_run(&one));
    if (why != USER_FAULT)
        bench_fail("user.fault: exit %d", why);
    figure("insn", ROUNDS, t, floor, "user.fault_and_back");
}

static void copies(const char *name, size_t len)
{
    static char buffer[PAGE_SIZE];
    struct ticks t;
    int rc = 0;

    MEASURE_TICKS(t, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) rc |=
                  user_copy_in(buffer, _vaddr(DATA), len));
    bench_check(rc, "user_copy_in");
    figure("insn", ROUNDS, t, 0, "user.copy_in.%s", name);
}

static struct space space;

int bench_user_enter(void)
{
    static void *data;
    int rc = -ENOMEM;

    if (data == NULL)
        data = page_alloc_zeroed(0);
    if (data != NULL)
        rc = space_create(&space, SPACE_USER);
    if (rc == 0)
        rc = map_all(&space, data);
    if (rc == 0)
        rc = space_switch(&space);
    user_context_init(&one, _vaddr(user_address(bench_syscalls)), _vaddr(0));
    user_context_init(&other, _vaddr(user_address(bench_syscalls)), _vaddr(0));
    return rc;
}

int bench_user_syscall(void)
{
    return run_at(&one, user_address(bench_syscalls), false);
}

void bench_user(void)
{
    const int rc = bench_user_enter();
    uint64_t sysret, iret;

    bench_check(rc, "a space for user mode");
    if (rc != 0)
        return;
    sysret = syscall_floor("syscall", bench_bare_sysret);
    iret = syscall_floor("syscall.entered_by_iret", bench_bare_iret);
    segment_base_for_thread((uintptr_t)&one);
    runs("syscall.in_a_thread_with_variables", &one, &one, false, sysret);
    segment_base_for_thread(0);
    runs("syscall", &one, &one, false, sysret);
    runs("syscall.entered_by_iret", &one, &one, true, iret);
    runs("syscall.two_contexts", &one, &other, false, sysret);
    own_part();
    bases();
    faults();
    copies("8_bytes", 8);
    copies("a_page", PAGE_SIZE);
    bench_check(space_switch(&kernel_space), "switch");
    bench_check(space_destroy(&space), "destroy");
}

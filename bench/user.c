/* SPDX-License-Identifier: MIT */
/* To user mode and back: by a system call, by a fault; and copying from there. */
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/segments.h>
#include <plinth/space.h>
#include <plinth/user.h>

#include "bench.h"

#define TEXT   0x400000ul
#define DATA   0x800000ul
#define ROUNDS 100u

void bench_syscalls(void);
void bench_ud2(void);

extern const char user_text[], user_text_end[];

static struct user_context one, other;

static uint64_t user_address(void (*fn)(void))
{
    return TEXT + ((const char *)fn - user_text);
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
                 struct user_context *b, bool by_iret)
{
    const uint64_t rip = user_address(bench_syscalls);
    struct ticks t;
    int why = USER_SYSCALL;

    MEASURE_TICKS(t, ,
                  for (unsigned int n = 0; n < ROUNDS; n++) why |=
                  run_at(n % 2 ? b : a, rip, by_iret));
    if (why != USER_SYSCALL)
        bench_fail("user.%s: exit %d", name, why);
    figure("insn", ROUNDS, t, 0, "user.%s", name);
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
    struct ticks t;
    int why = USER_FAULT;

    user_context_init(&one, _vaddr(user_address(bench_ud2)), _vaddr(0));
    MEASURE_TICKS(
        t, , for (unsigned int n = 0; n < ROUNDS; n++) why |= user_run(&one));
    if (why != USER_FAULT)
        bench_fail("user.fault: exit %d", why);
    figure("insn", ROUNDS, t, 0, "user.fault_and_back");
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

void bench_user(void)
{
    struct space space;
    void *data = page_alloc_zeroed(0);
    int rc = data ? space_create(&space, SPACE_USER) : -ENOMEM;

    if (rc == 0)
        rc = map_all(&space, data);
    if (rc == 0)
        rc = space_switch(&space);
    bench_check(rc, "a space for user mode");
    if (rc != 0)
        return;
    user_context_init(&one, _vaddr(user_address(bench_syscalls)), _vaddr(0));
    user_context_init(&other, _vaddr(user_address(bench_syscalls)), _vaddr(0));
    segment_base_for_thread((uintptr_t)&one);
    runs("syscall.in_a_thread_with_variables", &one, &one, false);
    segment_base_for_thread(0);
    runs("syscall", &one, &one, false);
    runs("syscall.entered_by_iret", &one, &one, true);
    runs("syscall.two_contexts", &one, &other, false);
    own_part();
    bases();
    faults();
    copies("8_bytes", 8);
    copies("a_page", PAGE_SIZE);
    bench_check(space_switch(&kernel_space), "switch");
    bench_check(space_destroy(&space), "destroy");
    page_free(data, 0);
}

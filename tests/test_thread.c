/* SPDX-License-Identifier: MIT */
/*
 * Threads: life, order, preemption, what is each one's own.  The machine may
 * stand still at any moment, and all that sleep are woken at once then; so it is
 * the order of things that decides, and no length of time.
 */
#include <arch/cpu.h>
#include <arch/fpu.h>
#include <arch/vcpu.h>
#include <plinth/errno.h>
#include <plinth/heap.h>
#include <plinth/page.h>
#include <plinth/printk.h>
#include <plinth/shared_info.h>
#include <plinth/space.h>
#include <plinth/string.h>
#include <plinth/sync.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/trap.h>
#include <plinth/upcall.h>
#include <plinth/vmap.h>

static uint64_t threads(void)
{
    return thread_stats().threads;
}

LEDGER(threads, threads);

static const struct thread_options preemptive = {
    .flags = THREAD_PREEMPTIVE,
    .priority = THREAD_NORMAL,
};

static uint64_t in_ms(uint64_t ms)
{
    return ktime_ns() + ms * NSEC_PER_MSEC;
}

/* When something that must come has not: only a failure takes so long. */
#define PATIENCE_MS 180000u

/* What threads have done, in order. */
static char trace[64];
static unsigned int length;

static void note(char c)
{
    if (length < sizeof(trace) - 1)
        trace[length++] = c;
    trace[length] = '\0';
}

static void forget_trace(void)
{
    length = 0;
    trace[0] = '\0';
}

static int note_arg(void *arg)
{
    note((char)(uintptr_t)arg);
    return (int)(uintptr_t)arg;
}

static struct thread *start(struct test_run *run_, thread_fn_t *fn, void *arg,
                            const struct thread_options *options)
{
    struct thread *t = NULL;

    EXPECT_EQ(thread_create("test", fn, arg, options, &t), 0);
    return t;
}

static void join(struct test_run *run_, struct thread *t, int want)
{
    int result = 0;

    EXPECT_EQ(thread_join(t, in_ms(PATIENCE_MS), &result), 0);
    EXPECT_EQ(result, want);
}

TEST(thread, runs_when_others_wait)
{
    struct thread *t;

    forget_trace();
    t = start(run_, note_arg, (void *)'a', NULL);
    EXPECT_STR(thread_name(t), "test");
    EXPECT_EQ(thread_priority(t), THREAD_NORMAL);
    note('m');
    join(run_, t, 'a');
    EXPECT_STR(trace, "ma");
}

DEFINE_STACK(test_stack, "test's", 2);

static int where(void *arg)
{
    *(const struct stack **)arg =
        stack_find((uintptr_t)__builtin_frame_address(0));
    return 0;
}

/* Again and again: it is there when the thread before has been joined. */
TEST(thread, runs_on_a_stack_of_the_image)
{
    const struct thread_options o = {
        .priority = THREAD_NORMAL,
        .stack = &test_stack,
    };
    const uint64_t room = vmap_stats().free;

    for (unsigned int i = 0; i < 3; i++) {
        const struct stack *found = NULL;

        join(run_, start(run_, where, &found, &o), 0);
        EXPECT(found == &test_stack);
    }
    EXPECT_EQ(vmap_stats().free, room);
    EXPECT(stack_find(test_stack.start) == &test_stack);
    EXPECT(thread_current() != NULL &&
           strcmp(stack_find((uintptr_t)__builtin_frame_address(0))->name,
                  "main") == 0);
}

static int yielder(void *arg)
{
    for (unsigned int i = 0; i < 3; i++) {
        note((char)(uintptr_t)arg);
        thread_yield();
    }
    return 0;
}

TEST(thread, take_turns)
{
    struct thread *t[3];

    forget_trace();
    for (unsigned int i = 0; i < 3; i++)
        t[i] = start(run_, yielder, (void *)(uintptr_t)('a' + i), NULL);
    for (unsigned int i = 0; i < 3; i++)
        join(run_, t[i], 0);
    EXPECT_STR(trace, "abcabcabc");
}

TEST(thread, higher_priority_first)
{
    static const unsigned int order[] = { 2, 7, 0, 5, 3 };
    struct thread_options o = { 0 };
    struct thread *t[ARRAY_SIZE(order)];

    forget_trace();
    for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
        o.priority = order[i];
        t[i] = start(run_, note_arg, (void *)(uintptr_t)('0' + order[i]), &o);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(order); i++)
        join(run_, t[i], (int)('0' + order[i]));
    EXPECT_STR(trace, "75320");
}

TEST(thread, priority_can_change)
{
    struct thread *a, *b;

    forget_trace();
    a = start(run_, note_arg, (void *)'a', NULL);
    b = start(run_, note_arg, (void *)'b', NULL);
    EXPECT_EQ(thread_set_priority(b, 6), 0);
    EXPECT_EQ(thread_priority(b), 6);
    EXPECT_EQ(thread_set_priority(a, THREAD_PRIORITIES), -EINVAL);
    join(run_, a, 'a');
    join(run_, b, 'b');
    EXPECT_STR(trace, "ba");
}

static uint64_t sleepers_start;

static int sleeps_until(void *arg)
{
    thread_sleep_until(sleepers_start + (uintptr_t)arg * 20 * NSEC_PER_MSEC);
    note((char)('0' + (uintptr_t)arg));
    return 0;
}

/* Once more if the first deadline came before all of them slept. */
TEST(thread, sleepers_wake_in_time)
{
    struct thread *t[3];
    unsigned int tries = 0;
    bool late;

    do {
        forget_trace();
        sleepers_start = ktime_ns();
        t[0] = start(run_, sleeps_until, (void *)3, NULL);
        t[1] = start(run_, sleeps_until, (void *)1, NULL);
        t[2] = start(run_, sleeps_until, (void *)2, NULL);
        thread_yield();
        late = ktime_ns() - sleepers_start >= 20 * NSEC_PER_MSEC;
        for (unsigned int i = 0; i < 3; i++)
            join(run_, t[i], 0);
        EXPECT(ktime_ns() - sleepers_start >= 60 * NSEC_PER_MSEC);
    } while (late && ++tries < 100);
    EXPECT_STR(trace, "123");
    thread_sleep(0);
    thread_sleep_until(0);
}

static int exits_from_within(void *arg)
{
    thread_exit(*(int *)arg);
}

static struct completion may_go;

static int waits_to_go(void *arg __unused)
{
    const int rc = completion_wait(&may_go, KTIME_NEVER);

    note('g'); /* and so this function is on the stack meanwhile */
    return rc;
}

TEST(thread, exit_and_join)
{
    int value = 42, result = 0;
    struct thread *t = start(run_, exits_from_within, &value, NULL);

    EXPECT_EQ(thread_join(thread_current(), KTIME_NEVER, NULL), -EDEADLK);
    /* Ended before anybody asks. */
    thread_yield();
    EXPECT_EQ(thread_join(t, 0, &result), 0);
    EXPECT_EQ(result, 42);

    completion_reset(&may_go);
    t = start(run_, waits_to_go, NULL, NULL);
    EXPECT_EQ(thread_join(t, in_ms(1), NULL), -ETIMEDOUT);
    complete(&may_go);
    join(run_, t, 0);
}

static struct completion gone;

static int ends_detached(void *arg __unused)
{
    complete(&gone);
    return 0;
}

static void wait_for_threads(struct test_run *run_, uint64_t n)
{
    const uint64_t deadline = in_ms(PATIENCE_MS);

    while (threads() > n && ktime_ns() < deadline)
        thread_sleep(NSEC_PER_MSEC);
    EXPECT_EQ(threads(), n);
}

TEST(thread, detached_ones_free_themselves)
{
    const struct thread_options o = {
        .flags = THREAD_DETACHED,
        .priority = THREAD_NORMAL,
    };
    const uint64_t before = threads();
    struct thread *t;

    completion_reset(&gone);
    EXPECT_EQ(thread_create("detached", ends_detached, NULL, &o, NULL), 0);
    EXPECT_EQ(completion_wait(&gone, in_ms(PATIENCE_MS)), 0);
    wait_for_threads(run_, before);

    /* Detached later: while it runs, and when it has ended. */
    completion_reset(&may_go);
    t = start(run_, waits_to_go, NULL, NULL);
    thread_yield();
    EXPECT_EQ(thread_detach(t), 0);
    EXPECT_EQ(thread_detach(t), -EINVAL);
    EXPECT_EQ(thread_join(t, 0, NULL), -EINVAL);
    complete(&may_go);
    wait_for_threads(run_, before);
    t = start(run_, note_arg, NULL, NULL);
    thread_yield();
    EXPECT_EQ(thread_detach(t), 0);
    EXPECT_EQ(threads(), before);
}

TEST(thread, bad_options_are_refused)
{
    struct thread_options o = { .priority = THREAD_PRIORITIES };
    struct thread *t;

    EXPECT_EQ(thread_create("x", note_arg, NULL, &o, &t), -EINVAL);
    o = (struct thread_options){ .flags = 1u << 31 };
    EXPECT_EQ(thread_create("x", note_arg, NULL, &o, &t), -EINVAL);
    o = (struct thread_options){ .stack_size = 1ul << 30 };
    EXPECT_EQ(thread_create("x", note_arg, NULL, &o, &t), -EINVAL);
    EXPECT_EQ(thread_create("x", note_arg, NULL, NULL, NULL), -EINVAL);
}

TEST(thread, failed_create_leaves_nothing)
{
    const uint64_t objects = heap_stats().objects;
    struct thread *t = NULL;
    int rc = -1;

    for (unsigned int n = 1; rc != 0 && n < 20; n++) {
        (void)heap_trim();
        page_inject_failure(n);
        rc = thread_create("x", note_arg, NULL, NULL, &t);
        page_inject_failure(0);
        EXPECT(rc == 0 || rc == -ENOMEM);
        if (rc != 0)
            EXPECT_EQ(heap_stats().objects, objects);
    }
    if (rc == 0)
        join(run_, t, 0);
    EXPECT(t != NULL);
}

/*
 * Stacks of those that have ended.
 */
static int tells_its_stack(void *arg)
{
    *(uintptr_t *)arg =
        stack_find((uintptr_t)__builtin_frame_address(0))->start;
    return 0;
}

static uint64_t kept_stacks(void)
{
    return thread_stats().kept_stacks;
}

static bool is_mapped(uintptr_t va)
{
    return pte_present(space_query(&kernel_space, _vaddr(va)));
}

TEST(thread, stack_is_kept_for_the_next)
{
    const struct thread_options large = {
        .priority = THREAD_NORMAL,
        .stack_size = 2 * THREAD_STACK_SIZE,
    };
    uintptr_t at[4] = { 0 };
    struct thread *t[3];

    (void)page_reclaim();
    EXPECT_EQ(kept_stacks(), 0);
    for (unsigned int i = 0; i < 2; i++) {
        join(run_, start(run_, tells_its_stack, &at[i], NULL), 0);
        EXPECT_EQ(kept_stacks(), 1);
    }
    EXPECT_EQ(at[1], at[0]);
    EXPECT(stack_find(at[0]) == NULL);
    EXPECT(is_mapped(at[0]) && is_mapped(at[0] + THREAD_STACK_SIZE - 1));
    EXPECT(!is_mapped(at[0] - 1) && !is_mapped(at[0] + THREAD_STACK_SIZE));

    /* Not one of another size, and two at most. */
    join(run_, start(run_, tells_its_stack, &at[3], &large), 0);
    EXPECT(at[3] != at[0] && !is_mapped(at[3]));
    EXPECT_EQ(kept_stacks(), 1);
    for (unsigned int i = 0; i < 3; i++)
        t[i] = start(run_, tells_its_stack, &at[i], NULL);
    EXPECT_EQ(kept_stacks(), 0);
    for (unsigned int i = 0; i < 3; i++)
        join(run_, t[i], 0);
    EXPECT_EQ(kept_stacks(), 2);

    EXPECT(page_reclaim());
    EXPECT_EQ(kept_stacks(), 0);
    for (unsigned int i = 0; i < 3; i++)
        EXPECT(!is_mapped(at[i]));
    EXPECT(!page_reclaim());
}

/*
 * Preemption.
 */
static uint64_t preemptions(void)
{
    return thread_stats().preemptions;
}

static volatile uint64_t turns[3];
static uint64_t give_up;

static int takes_turns(void *arg)
{
    while (turns[0] == 0 || turns[1] == 0 || turns[2] == 0) {
        turns[(uintptr_t)arg]++;
        if (ktime_ns() > give_up)
            return -ETIMEDOUT;
    }
    return 0;
}

/* None of them ends before each has run, and nobody else wakes meanwhile. */
TEST(thread, time_slices)
{
    struct thread *t[3];

    give_up = in_ms(PATIENCE_MS / 3);
    turns[0] = turns[1] = turns[2] = 0;
    for (unsigned int i = 0; i < 3; i++)
        t[i] = start(run_, takes_turns, (void *)(uintptr_t)i, &preemptive);
    for (unsigned int i = 0; i < 3; i++)
        join(run_, t[i], 0);
}

/* What is not preemptive keeps the CPU, whoever else is ready. */
TEST(thread, cooperative_ones_are_not_interrupted)
{
    const struct thread_options urgent = { .priority = 7 };
    struct thread *t;
    uint64_t end;

    forget_trace();
    t = start(run_, note_arg, (void *)'u', &urgent);
    end = ktime_ns() + 3 * THREAD_SLICE_NS;
    while (ktime_ns() < end)
        cpu_relax();
    EXPECT_STR(trace, "");
    join(run_, t, 'u');
    EXPECT_STR(trace, "u");
}

static volatile bool stop;

static int spinner(void *arg __unused)
{
    while (!stop)
        cpu_relax();
    return 0;
}

static int wakes_at(void *arg)
{
    thread_sleep_until(*(uint64_t *)arg);
    stop = true;
    return 0;
}

/* It is the spinner's loop that ends, and nobody else can end it. */
TEST(thread, higher_priority_interrupts)
{
    const struct thread_options urgent = { .priority = 6 };
    uint64_t when = in_ms(20);
    struct thread *low, *high;

    stop = false;
    high = start(run_, wakes_at, &when, &urgent);
    thread_yield();
    low = start(run_, spinner, NULL, &preemptive);
    join(run_, low, 0);
    join(run_, high, 0);
}

static struct spinlock lock;

/* Until the slice is over, and it was to be interrupted. */
static int spins_locked(void *arg)
{
    give_up = in_ms(PATIENCE_MS / 3);
    spin_lock(&lock);
    note('(');
    while (this_vcpu()->preempt & PREEMPT_NOT_WANTED && ktime_ns() < give_up)
        cpu_relax();
    note(')');
    spin_unlock(&lock);
    note_arg(arg);
    return 0;
}

TEST(thread, holder_of_a_spinlock_is_not_interrupted)
{
    struct thread *a, *b;

    forget_trace();
    a = start(run_, spins_locked, (void *)'a', &preemptive);
    b = start(run_, note_arg, (void *)'b', NULL);
    join(run_, a, 0);
    join(run_, b, 'b');
    /* So the switch came with the unlock. */
    EXPECT_STR(trace, "()ba");
}

/*
 * Each thread's own.
 */
static __thread uint64_t tls_data = 0x1234;
static __thread uint64_t tls_bss[3];
static __thread uint8_t tls_aligned[64] __aligned(64);

static int uses_tls(void *arg)
{
    const uint64_t mine = (uintptr_t)arg;

    if (tls_data != 0x1234 || tls_bss[2] != 0 ||
        !IS_ALIGNED((uintptr_t)tls_aligned, 64))
        return -1;
    tls_data = tls_bss[2] = mine;
    tls_aligned[63] = (uint8_t)mine;
    thread_yield();
    return tls_data == mine && tls_bss[2] == mine &&
                   tls_aligned[63] == (uint8_t)mine
               ? 0
               : -2;
}

TEST(thread, local_variables_are_local)
{
    struct thread *t[4];

    tls_data = 99;
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = start(run_, uses_tls, (void *)(uintptr_t)(i + 7), NULL);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        join(run_, t[i], 0);
    EXPECT_EQ(tls_data, 99);
    tls_data = 0x1234;
}

/* A loop, while there are others that have not been preempted so often. */
#define OFTEN 9u

static uint64_t preempted_before;

static void start_counting(void)
{
    preempted_before = preemptions();
    give_up = in_ms(PATIENCE_MS / 3);
}

static bool preempted_often(void)
{
    return preemptions() >= preempted_before + OFTEN || ktime_ns() > give_up;
}

/* All that there is in the vector registers. */
static int uses_sse(void *arg)
{
    const uint64_t mine = (uintptr_t)arg * 0x0101010101010101ul;
    uint32_t mxcsr = 0x1f80 | (uint32_t)((uintptr_t)arg % 4) << 13;
    uint64_t low, high;

    asm volatile("ldmxcsr %0" : : "m"(mxcsr));
    asm volatile("movq %0, %%xmm3; movq %0, %%xmm15; pslldq $8, %%xmm15"
                 :
                 : "r"(mine));
    while (!preempted_often()) {
        asm volatile("movq %%xmm3, %0; movdqa %%xmm15, %%xmm0;"
                     "psrldq $8, %%xmm0; movq %%xmm0, %1"
                     : "=r"(low), "=r"(high));
        asm volatile("stmxcsr %0" : "=m"(mxcsr));
        if (low != mine || high != mine || mxcsr >> 13 != (uintptr_t)arg % 4)
            return -1;
    }
    return 0;
}

TEST(thread, sse_registers_are_each_ones_own)
{
    struct thread *t[3];

    start_counting();
    say("# %s, %lu bytes\n", fpu_method(), fpu_size());
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = start(run_, uses_sse, (void *)(uintptr_t)(i + 1), &preemptive);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        join(run_, t[i], 0);
    EXPECT(preemptions() >= preempted_before + OFTEN);
}

static bool has_avx(void)
{
    const uint32_t want = 1u << 27 | 1u << 28; /* OSXSAVE, AVX */

    return (cpuid(1, 0).ecx & want) == want;
}

static int uses_avx(void *arg)
{
    const uint64_t mine = (uintptr_t)arg * 0x0101010101010101ul;
    uint64_t upper;

    asm volatile("vmovq %0, %%xmm7; vinsertf128 $1, %%xmm7, %%ymm7, %%ymm7"
                 :
                 : "r"(mine));
    while (!preempted_often()) {
        asm volatile("vextractf128 $1, %%ymm7, %%xmm1; vmovq %%xmm1, %0"
                     : "=r"(upper));
        if (upper != mine)
            return -1;
    }
    return 0;
}

TEST(thread, avx_registers_are_each_ones_own)
{
    struct thread *t[2];

    if (!has_avx())
        SKIP("this CPU, or Xen, shows no AVX");
    start_counting();
    EXPECT_STR(fpu_method(), "XSAVE");
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = start(run_, uses_avx, (void *)(uintptr_t)(i + 1), &preemptive);
    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++)
        join(run_, t[i], 0);
    EXPECT(preemptions() >= preempted_before + OFTEN);
}

static int catches(void *arg)
{
    struct test_run *run_ = arg;

    for (unsigned int i = 0; i < 20; i++) {
        EXPECT_FAULT(TRAP_UD, thread_yield(); asm volatile("ud2"));
    }
    return 0;
}

TEST(thread, trap_catches_are_each_ones_own)
{
    struct thread *a = start(run_, catches, run_, NULL);
    struct thread *b = start(run_, catches, run_, NULL);

    EXPECT_FAULT(TRAP_UD, thread_yield(); asm volatile("ud2"));
    join(run_, a, 0);
    join(run_, b, 0);
}

/* The address of a page fault, if one is preempted before it is looked at. */
#define MINE   0x1000ul
#define OTHERS 0x2000ul

static int faults_at(void *arg)
{
    uint64_t value;
    int rc;

    thread_sleep_until(*(uint64_t *)arg);
    rc = probe_read((void *)OTHERS, &value);
    stop = true;
    return rc == -EFAULT && shared_info_cr2() == OTHERS ? 0 : -1;
}

/* Nothing is called in between that could make the switch by itself. */
static int keeps_cr2(void *arg __unused)
{
    shared_info_set_cr2(MINE);
    while (!stop)
        cpu_relax();
    return shared_info_cr2() == MINE ? 0 : -1;
}

TEST(thread, fault_address_is_each_ones_own)
{
    const struct thread_options urgent = { .priority = 6 };
    uint64_t when = in_ms(20);
    struct thread *low, *high;

    stop = false;
    high = start(run_, faults_at, &when, &urgent);
    thread_yield();
    low = start(run_, keeps_cr2, NULL, &preemptive);
    join(run_, low, 0);
    join(run_, high, 0);
}

/*
 * Many.
 */
#define MANY 200u

static int counts_down(void *arg)
{
    volatile uint64_t *n = arg;

    for (unsigned int i = 0; i < 10; i++)
        thread_yield();
    --*n;
    return 0;
}

TEST(thread, many)
{
    const struct thread_options small = {
        .flags = THREAD_NO_FPU,
        .priority = THREAD_NORMAL,
        .stack_size = 8192,
    };
    static struct thread *t[MANY];
    volatile uint64_t n = 0;
    unsigned int made = 0;

    while (made < MANY &&
           thread_create("one of many", counts_down, (void *)(uintptr_t)&n,
                         &small, &t[made]) == 0) {
        made++;
        n++;
    }
    EXPECT(made >= 100);
    while (made > 0)
        join(run_, t[--made], 0);
    EXPECT_EQ(n, 0);
}

/* The report names each, and says where it is. */
static unsigned int seen_name, seen_place;

static void read_line(const char *text, size_t len)
{
    char line[200];

    strlcpy(line, text, MIN(sizeof(line), len + 1));
    seen_name += strstr(line, "thread \"test\": waiting") != NULL;
    seen_place += strstr(line, "] waits_to_go+") != NULL;
}

TEST(thread, report_says_where_they_are)
{
    struct thread *t;
    printk_sink_t *old;

    completion_reset(&may_go);
    t = start(run_, waits_to_go, NULL, NULL);
    thread_yield();
    seen_name = seen_place = 0;
    old = printk_set_sink(read_line);
    thread_report(~0u);
    printk_set_sink(old);
    EXPECT_EQ(seen_name, 1);
    EXPECT_EQ(seen_place, 1);
    complete(&may_go);
    join(run_, t, 0);
}

static int recurse(void *arg)
{
    volatile char frame[256];

    frame[0] = 1;
    return arg ? recurse(arg) + frame[0] : 0;
}

FATAL(thread, stack_overflow_is_named)
{
    struct thread *t = start(run_, recurse, run_, NULL);

    join(run_, t, 0);
}

FATAL(thread, write_to_the_stack_of_an_ended_one)
{
    uintptr_t at = 0;

    join(run_, start(run_, tells_its_stack, &at, NULL), 0);
    *(uint64_t *)(at + THREAD_STACK_SIZE - 64) = 1;
    join(run_, start(run_, tells_its_stack, &at, NULL), 0);
}

/* SPDX-License-Identifier: MIT */
/* The debug report; tests/outside.t has the host's operator ask for it. */
#include <plinth/debug_report.h>
#include <plinth/events.h>
#include <plinth/printk.h>
#include <plinth/spinlock.h>
#include <plinth/string.h>
#include <plinth/sync.h>
#include <plinth/test.h>
#include <plinth/thread.h>
#include <plinth/time.h>

#include "listen.h"

/* Until it is told to go, however long the report takes. */
static int waits(void *may_go)
{
    const int rc = completion_wait(may_go, KTIME_NEVER);

    barrier(); /* no tail call: this function is on the stack meanwhile */
    return rc;
}

static void report(evtchn_port_t port __unused, void *arg __unused)
{
    debug_report();
}

static void expect_report(struct test_run *run_, const char *text)
{
    EXPECT(listen_has_line("--- debug report ---"));
    EXPECT(strstr(text, "thread \"test\": waiting, priority 3\n") != NULL);
    EXPECT(strstr(text, "] waits+") != NULL);
    EXPECT(strstr(text, " ipi ") != NULL);
    EXPECT(strstr(text, "virq timer") != NULL);
    EXPECT(strstr(text, "\nmemory: ") != NULL);
    EXPECT(listen_has_line("--- end of the debug report ---"));
}

/* In a handler, over a thread that holds a spinlock and one that is not. */
TEST(debug_report, from_a_handler)
{
    struct completion may_go = { 0 };
    struct spinlock lock = { 0 };
    struct thread *t;
    evtchn_port_t port;
    const char *text;

    REQUIRE(thread_create("test", waits, &may_go, NULL, &t) == 0);
    thread_yield();
    REQUIRE(event_bind_ipi(0, report, NULL, &port) == 0);
    EXPECT_EQ(event_unmask(port), 0);

    listen_start();
    EXPECT_EQ(event_send(port), 0);
    text = listen_end();
    expect_report(run_, text);
    EXPECT(listen_has_line("here: thread \"main\""));
    EXPECT(strstr(text, "] event_deliver+") != NULL);
    EXPECT(strstr(text, "] test_debug_report_from_a_handler+") != NULL);
    EXPECT(strstr(text, " free; heap: ") != NULL);

    listen_start();
    spin_lock(&lock);
    (void)event_send(port);
    spin_unlock(&lock);
    text = listen_end();
    expect_report(run_, text);
    EXPECT(listen_has_line("here: thread \"main\", not to be preempted"));
    EXPECT(strstr(text, "not to be counted now; heap: ") != NULL);

    EXPECT_EQ(event_close(port), 0);
    complete(&may_go);
    EXPECT_EQ(thread_join(t, KTIME_NEVER, NULL), 0);
}

TEST(debug_report, from_a_thread)
{
    struct completion may_go = { 0 };
    struct thread *t;
    evtchn_port_t port;

    REQUIRE(thread_create("test", waits, &may_go, NULL, &t) == 0);
    thread_yield();
    REQUIRE(event_bind_ipi(0, report, NULL, &port) == 0);
    listen_start();
    debug_report();
    expect_report(run_, listen_end());
    EXPECT_EQ(event_close(port), 0);
    complete(&may_go);
    EXPECT_EQ(thread_join(t, KTIME_NEVER, NULL), 0);
}

/* It has the vCPU and gives it to nobody: no thread could say where it is. */
static void __noinline hog_the_cpu(uint64_t end)
{
    while (ktime_ns() < end)
        cpu_relax();
}

FATAL(debug_report, while_a_thread_hogs_the_cpu)
{
    say("# ready\n");
    hog_the_cpu(ktime_ns() + 600 * NSEC_PER_SEC);
}

/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/console.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/options.h>
#include <plinth/printk.h>
#include <plinth/shutdown.h>
#include <plinth/start_info.h>
#include <plinth/sync.h>
#include <plinth/thread.h>

/* QEMU -device isa-debug-exit,iobase=0xf4,iosize=4 */
#define QEMU_EXIT_PORT 0xf4
#define QEMU_EXIT_BASE 16

static void __noreturn shutdown(unsigned int reason)
{
    struct sched_shutdown arg = { .reason = reason };

    for (;;)
        hypercall_sched_op(SCHEDOP_shutdown, &arg);
}

/* Returns when there is no such device, or no right to its port. */
static void exit_qemu(int status)
{
    struct physdev_set_iopl iopl = { .iopl = 1 };

    if (!is_dom0() || !options()->exit_qemu)
        return;
    if (hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl) != 0)
        return;
    asm volatile("outl %0, %1"
                 :
                 : "a"(QEMU_EXIT_BASE + status), "Nd"(QEMU_EXIT_PORT));
}

static struct {
    struct mutex lock;
    shutdown_hook_t *fn;
    void *arg;
    unsigned int reason;
    struct completion done;
} hook;

void shutdown_set_hook(shutdown_hook_t *fn, void *arg)
{
    mutex_lock(&hook.lock);
    hook.fn = fn;
    hook.arg = arg;
    mutex_unlock(&hook.lock);
}

/* The hook is called by a thread because it may never come back. */
static int call_hook(void *arg __unused)
{
    shutdown_hook_t *fn;
    void *its_arg;

    mutex_lock(&hook.lock);
    fn = hook.fn;
    its_arg = hook.arg;
    mutex_unlock(&hook.lock);
    if (fn != NULL)
        fn(hook.reason, its_arg);
    complete(&hook.done);
    return 0;
}

void shutdown_domain(unsigned int reason)
{
    static const struct thread_options o = {
        .flags = THREAD_DETACHED,
        .priority = THREAD_NORMAL,
    };
    int rc;

    hook.reason = reason;
    rc = thread_create("shutdown", call_hook, NULL, &o, NULL);
    if (rc == 0)
        rc = completion_wait(&hook.done, ktime_ns() + SHUTDOWN_HOOK_NS);
    if (rc != 0)
        pr_warn("shutdown: without the application's hook: %s", errno_name(rc));
    (void)console_drain();
    shutdown(reason);
}

void shutdown_exit(int status)
{
    (void)console_drain();
    exit_qemu(status);
    shutdown(SHUTDOWN_poweroff);
}

void shutdown_crash(void)
{
    (void)console_drain();
    exit_qemu(EXIT_CRASH);
    shutdown(SHUTDOWN_crash);
}

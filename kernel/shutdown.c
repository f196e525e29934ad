/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <plinth/console.h>
#include <plinth/hypercall.h>
#include <plinth/options.h>
#include <plinth/shutdown.h>
#include <plinth/start_info.h>

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

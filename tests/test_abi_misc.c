/* SPDX-License-Identifier: MIT */
/*
 * The rules of hypercalls as such, of multicalls, and of the small ones that a
 * kernel needs once: trap table, callbacks, segment bases, debug registers.
 */
#include <plinth/linear.h>
#include <plinth/string.h>
#include <plinth/time.h>
#include <plinth/timer.h>
#include <plinth/user.h>

#include "abi.h"

#define MSEC 1000000ull

extern const char hypercall_page[];

/* Hypercall number @n without arguments: the slots of all numbers are there. */
static long hypercall_number(unsigned int n)
{
    return ((long (*)(void))(uintptr_t)(hypercall_page + n * 32))();
}

/*
 * Hypercalls.
 */

/* xen/arch/x86/pv/hypercall.c: pv_hypercall(). */
RULE(abi_misc, unknown_hypercall_is_not_there)
{
    static const unsigned int unused[] = { 11, 47, 63, 64, 100, 127 };

    EXPECT_RC(hypercall_number(__HYPERVISOR_set_timer_op), 0);
    timer_resync();
    for (unsigned int i = 0; i < ARRAY_SIZE(unused); i++)
        EXPECT_RC(hypercall_number(unused[i]), -ENOSYS);
}

/* Each family has its own switch, and all of them the same default. */
RULE(abi_misc, unknown_operation_is_not_there)
{
    char extra[XEN_EXTRAVERSION_LEN];

    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, extra), 0);
    EXPECT_RC(hypercall_xen_version(1000, extra), -ENOSYS);
    EXPECT_RC(hypercall_sched_op(SCHEDOP_yield, NULL), 0);
    EXPECT_RC(hypercall_sched_op(1000, NULL), -ENOSYS);
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    EXPECT_RC(hypercall_vcpu_op(1000, 0, NULL), -ENOSYS);
    EXPECT_RC(hypercall_event_channel_op(1000, NULL), -ENOSYS);
    EXPECT_RC(hypercall_physdev_op(1000, NULL), -ENOSYS);
}

/*
 * access_ok(): Xen's part of the address space is not the guest's to have
 * results written to, though the guest may read some of it.
 */
RULE(abi_misc, result_goes_to_our_own_memory)
{
    char *page = scratch_page();

    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, page), 0);
    EXPECT_RC(hypercall_xen_version(XENVER_extraversion,
                                    (void *)MACH2PHYS_VIRT_START),
              -EFAULT);
    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, IN_HOLE), -EFAULT);
    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, UNMAPPED), -EFAULT);
    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, (void *)NON_CANONICAL),
              -EFAULT);
}

/* The rights of the mapping hold for Xen too, when it writes for us. */
RULE(abi_misc, result_goes_to_writable_memory)
{
    char *page = scratch_page();

    page[0] = '\0';
    REQUIRE(scratch_readonly(page) == 0);
    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, page), -EFAULT);
    EXPECT_EQ(page[0], '\0');
    EXPECT_RC(scratch_writable(page), 0);
    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, page), 0);
    EXPECT(page[0] != '\0');
}

/* What the trap handler would map on demand is not there for Xen. */
RULE(abi_misc, memory_must_be_mapped_before)
{
    char *page = scratch_page();

    REQUIRE(scratch_unmap(page) == 0);
    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, page), -EFAULT);
    EXPECT_RC(scratch_writable(page), 0);
    EXPECT_RC(hypercall_xen_version(XENVER_extraversion, page), 0);
}

RULE(abi_misc, unknown_page_of_features_is_refused)
{
    struct xen_feature_info info = { 0 };

    EXPECT_RC(hypercall_xen_version(XENVER_get_features, &info), 0);
    info.submap_idx = 1000;
    EXPECT_RC(hypercall_xen_version(XENVER_get_features, &info), -EINVAL);
}

/*
 * Multicalls: xen/common/multicall.c.
 */
static void call(struct multicall_entry *e, unsigned int op, uint64_t a,
                 uint64_t b, uint64_t c, uint64_t d)
{
    *e = (struct multicall_entry){
        .op = op,
        .result = 0x5555,
        .args = { a, b, c, d },
    };
}

/* Each has a result of its own; a bad one is no reason to stop. */
RULE(abi_misc, multicall_does_all_and_tells_each_result)
{
    char extra[XEN_EXTRAVERSION_LEN] = "";
    struct multicall_entry calls[4];

    call(&calls[0], __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    call(&calls[1], 63, 0, 0, 0, 0);
    call(&calls[2], __HYPERVISOR_mmuext_op, 0, 0, 0, DOMID_NOBODY);
    call(&calls[3], __HYPERVISOR_xen_version, XENVER_extraversion,
         (uintptr_t)extra, 0, 0);
    EXPECT_RC(hypercall_multicall(calls, 4), 0);
    EXPECT_EQ(calls[0].result, hypercall_xen_version(XENVER_version, NULL));
    EXPECT_RC((long)calls[1].result, -ENOSYS);
    EXPECT_RC((long)calls[2].result, -ESRCH);
    EXPECT_RC((long)calls[3].result, 0);
    EXPECT(extra[0] != '\0');
}

RULE(abi_misc, multicall_does_not_nest)
{
    struct multicall_entry outer[2], inner;

    call(&inner, __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    call(&outer[0], __HYPERVISOR_multicall, (uintptr_t)&inner, 1, 0, 0);
    call(&outer[1], __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    EXPECT_RC(hypercall_multicall(outer, 2), 0);
    EXPECT_RC((long)outer[0].result, -EINVAL);
    EXPECT_EQ(inner.result, 0x5555);
    EXPECT(outer[1].result > 0x40000);
    EXPECT_RC(hypercall_multicall(&inner, 1), 0);
    EXPECT(inner.result > 0x40000);
}

RULE(abi_misc, multicall_needs_a_readable_array)
{
    struct multicall_entry one;

    call(&one, __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    EXPECT_RC(hypercall_multicall(&one, 1), 0);
    EXPECT_RC(hypercall_multicall(UNMAPPED, 1), -EFAULT);
    EXPECT_RC(hypercall_multicall(IN_HOLE, 1), -EFAULT);
    EXPECT_RC(hypercall_multicall(UNMAPPED, 0), 0);
}

/* If the result cannot be told, the call has happened, and the rest does not. */
RULE(abi_misc, multicall_needs_a_writable_array)
{
    uint64_t *l1 = new_table(1);
    struct multicall_entry *calls = scratch_page();
    struct mmu_update req[2] = {
        { .ptr = maddr_x(scratch_maddr(&l1[0])), .val = 0 },
        { .ptr = maddr_x(scratch_maddr(&l1[1])), .val = 0 },
    };

    for (unsigned int i = 0; i < 2; i++) {
        req[i].val = scratch_pte(l1, LEAF_RO);
        call(&calls[i], __HYPERVISOR_mmu_update, (uintptr_t)&req[i], 1, 0,
             DOMID_SELF);
    }
    REQUIRE(scratch_readonly(calls) == 0);
    EXPECT_RC(hypercall_multicall(calls, 2), -EFAULT);
    EXPECT_EQ(calls[0].result, 0x5555);
    EXPECT_EQ(l1[0] & PTE_P, PTE_P);
    EXPECT_EQ(l1[1], 0);

    EXPECT_RC(scratch_writable(calls), 0);
    EXPECT_RC(hypercall_multicall(calls, 2), 0);
    EXPECT_EQ(l1[1] & PTE_P, PTE_P);
}

/*
 * Traps and callbacks: xen/arch/x86/pv/callback.c.  trap_init() puts both back.
 */
#define FREE_VECTOR 0x90

RULE(abi_misc, trap_handlers_have_canonical_addresses)
{
    struct trap_info table[3] = {
        { .vector = FREE_VECTOR, .cs = FLAT_KERNEL_CS },
        { .vector = FREE_VECTOR + 1, .cs = FLAT_KERNEL_CS },
    };

    table[0].address = table[1].address = (uintptr_t)_text;
    EXPECT_RC(hypercall_set_trap_table(table), 0);
    table[1].address = NON_CANONICAL;
    EXPECT_RC(hypercall_set_trap_table(table), -EINVAL);
    EXPECT_RC(hypercall_set_trap_table(UNMAPPED), -EFAULT);
    EXPECT_RC(hypercall_set_trap_table(IN_HOLE), -EFAULT);

    /* Without a table Xen forgets all vectors; let it, for a moment. */
    EXPECT_RC(hypercall_set_trap_table(NULL), 0);
    trap_init();
}

static int register_callback(unsigned int type, uintptr_t address)
{
    struct callback_register cb = { .type = type, .address = address };

    return hypercall_callback_op(CALLBACKOP_register, &cb);
}

static int unregister_callback(unsigned int type)
{
    struct callback_unregister cb = { .type = type };

    return hypercall_callback_op(CALLBACKOP_unregister, &cb);
}

RULE(abi_misc, callbacks_have_canonical_addresses)
{
    static const unsigned int types[] = { CALLBACKTYPE_event,
                                          CALLBACKTYPE_failsafe,
                                          CALLBACKTYPE_syscall,
                                          CALLBACKTYPE_nmi };

    for (unsigned int i = 0; i < ARRAY_SIZE(types); i++)
        EXPECT_RC(register_callback(types[i], NON_CANONICAL), -EINVAL);
    EXPECT_RC(register_callback(CALLBACKTYPE_syscall, (uintptr_t)_text), 0);
    EXPECT_RC(register_callback(CALLBACKTYPE_syscall, 0), 0);
    user_init(); /* ours again */
}

RULE(abi_misc, callback_of_an_unknown_type_is_not_there)
{
    EXPECT_RC(register_callback(CALLBACKTYPE_syscall, 0), 0);
    EXPECT_RC(register_callback(3, 0), -ENOSYS);
    EXPECT_RC(register_callback(1000, 0), -ENOSYS);
    EXPECT_RC(unregister_callback(1000), -ENOSYS);
    EXPECT_RC(hypercall_callback_op(2, NULL), -ENOSYS);
    EXPECT_RC(hypercall_callback_op(CALLBACKOP_register, UNMAPPED), -EFAULT);
    user_init();
}

/* Only NMIs can be done without. */
RULE(abi_misc, only_the_nmi_callback_is_unregistered)
{
    EXPECT_RC(unregister_callback(CALLBACKTYPE_nmi), 0);
    EXPECT_RC(unregister_callback(CALLBACKTYPE_event), -EINVAL);
    EXPECT_RC(unregister_callback(CALLBACKTYPE_failsafe), -EINVAL);
    EXPECT_RC(unregister_callback(CALLBACKTYPE_syscall), -EINVAL);
    trap_init();
}

/*
 * Registers: xen/arch/x86/pv/misc-hypercalls.c.
 */
static uint64_t load_through_fs(void)
{
    uint64_t value;

    asm volatile("movq %%fs:0, %0" : "=r"(value));
    return value;
}

RULE(abi_misc, segment_base_is_canonical)
{
    static const unsigned int kinds[] = { SEGBASE_FS, SEGBASE_GS_USER,
                                          SEGBASE_GS_KERNEL };
    static uint64_t value = 0xfeed;

    EXPECT_RC(hypercall_set_segment_base(SEGBASE_FS, (uintptr_t)&value), 0);
    EXPECT_EQ(load_through_fs(), 0xfeed);
    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
        EXPECT_RC(hypercall_set_segment_base(kinds[i], NON_CANONICAL), -EINVAL);
    EXPECT_EQ(load_through_fs(), 0xfeed);
    EXPECT_RC(hypercall_set_segment_base(SEGBASE_FS, 0), 0);
}

RULE(abi_misc, unknown_segment_base_is_refused)
{
    EXPECT_RC(hypercall_set_segment_base(SEGBASE_GS_USER, 0), 0);
    EXPECT_RC(hypercall_set_segment_base(4, 0), -EINVAL);
    EXPECT_RC(hypercall_set_segment_base(~0u, 0), -EINVAL);
}

/* A selector that is not there becomes 0, and nobody is told. */
RULE(abi_misc, user_gs_selector_is_never_an_error)
{
    EXPECT_RC(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    EXPECT_RC(hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0x1003), 0);
    EXPECT_RC(hypercall_set_segment_base(SEGBASE_GS_USER, 0), 0);
}

/* breakpoint_addr_ok(): no watchpoints on Xen. */
RULE(abi_misc, watchpoint_is_not_in_xens_part)
{
    for (int reg = 0; reg < 4; reg++) {
        EXPECT_RC(hypercall_set_debugreg(reg, (uintptr_t)_text), 0);
        EXPECT_EQ(hypercall_get_debugreg(reg), (long)_text);
        EXPECT_RC(hypercall_set_debugreg(reg, 0xffff830000000000ul), -EPERM);
        EXPECT_EQ(hypercall_get_debugreg(reg), (long)_text);
        EXPECT_RC(hypercall_set_debugreg(reg, 0), 0);
    }
}

RULE(abi_misc, debug_registers_have_32_bits)
{
    EXPECT_RC(hypercall_set_debugreg(6, 0), 0);
    EXPECT_RC(hypercall_set_debugreg(6, 1ul << 32), -EINVAL);
    EXPECT_RC(hypercall_set_debugreg(7, 0), 0);
    EXPECT_RC(hypercall_set_debugreg(7, 1ul << 63), -EINVAL);
}

/* General detect would make Xen's own accesses trap. */
RULE(abi_misc, general_detect_is_refused)
{
    EXPECT_RC(hypercall_set_debugreg(7, 1u << 10), 0);
    EXPECT_RC(hypercall_set_debugreg(7, 1u << 13), -EPERM);
    EXPECT_EQ(hypercall_get_debugreg(7), 1 << 10);
}

RULE(abi_misc, unknown_debug_register_is_no_device)
{
    EXPECT_RC(hypercall_set_debugreg(3, 0), 0);
    EXPECT_RC(hypercall_set_debugreg(8, 0), -ENODEV);
    EXPECT_RC(hypercall_set_debugreg(-1, 0), -ENODEV);
    EXPECT_RC(hypercall_get_debugreg(3), 0);
    EXPECT_RC(hypercall_get_debugreg(8), -ENODEV);
}

/*
 * vCPUs, scheduling, events: what needs no upcall.
 */

/* xen/common/domain.c: do_vcpu_op(). */
RULE(abi_misc, unknown_vcpu_is_no_entry)
{
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_is_up, 1000, NULL), -ENOENT);
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_is_up, ~0u, NULL), -ENOENT);
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_up, 1000, NULL), -ENOENT);
}

/* VCPUOP_up is a wish that is already true. */
RULE(abi_misc, running_vcpu_is_up_already)
{
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_up, 0, NULL), 0);
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_initialise, 0, UNMAPPED), -EFAULT);
}

RULE(abi_misc, periodic_timer_has_a_shortest_period)
{
    struct vcpu_set_periodic_timer set = { .period_ns = MSEC - 1 };

    EXPECT_RC(hypercall_vcpu_op(VCPUOP_set_periodic_timer, 0, &set), -EINVAL);
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_set_periodic_timer, 0, UNMAPPED),
              -EFAULT);

    /* A domain starts with 100 Hz, but this one has stopped that. */
    EXPECT_RC(hypercall_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
}

/* Any time is a good one: 0 is never, the past is now. */
RULE(abi_misc, timer_takes_any_time)
{
    EXPECT_RC(hypercall_set_timer_op(~0ull), 0);
    EXPECT_RC(hypercall_set_timer_op(1), 0);
    EXPECT_RC(hypercall_set_timer_op(0), 0);
    timer_resync();
}

static int poll_ports(evtchn_port_t *ports, unsigned int nr)
{
    struct sched_poll poll = { .nr_ports = nr, .timeout = 1 };

    set_xen_guest_handle(poll.ports, ports);
    return hypercall_sched_op(SCHEDOP_poll, &poll);
}

/* xen/common/sched/core.c: do_poll(): at most 128, each one that can exist. */
RULE(abi_misc, poll_takes_128_ports_that_may_exist)
{
    evtchn_port_t ports[1] = { 0 };

    EXPECT_RC(poll_ports(ports, 0), 0);
    EXPECT_RC(poll_ports(ports, 129), -EINVAL);
    ports[0] = 1u << 20;
    EXPECT_RC(poll_ports(ports, 1), -EINVAL);
    EXPECT_RC(poll_ports(UNMAPPED, 1), -EFAULT);
    EXPECT_RC(hypercall_sched_op(SCHEDOP_poll, UNMAPPED), -EFAULT);
}

/*
 * xen/common/sched/core.c: domain_watchdog().  Not tried: a new one with no
 * time left, which is granted, and ends the domain at once.
 */
RULE(abi_misc, watchdog_is_named_by_its_number)
{
    struct sched_watchdog w = { .id = 100, .timeout = 1000 };
    int id;

    EXPECT_RC(hypercall_sched_op(SCHEDOP_watchdog, &w), -EINVAL);

    w = (struct sched_watchdog){ .id = 0, .timeout = 1000 };
    id = hypercall_sched_op(SCHEDOP_watchdog, &w);
    EXPECT(id > 0);
    w = (struct sched_watchdog){ .id = id, .timeout = 0 };
    EXPECT_RC(hypercall_sched_op(SCHEDOP_watchdog, &w), 0);
    EXPECT_RC(hypercall_sched_op(SCHEDOP_watchdog, &w), -EINVAL);
}

/* xen/common/event_channel.c. */
RULE(abi_misc, closed_port_is_refused)
{
    struct evtchn_alloc_unbound alloc = {
        .dom = DOMID_SELF,
        .remote_dom = DOMID_SELF,
    };
    struct evtchn_close close;
    struct evtchn_send send;

    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), 0);
    send.port = close.port = alloc.port;
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_send, &send), 0);
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_close, &close), 0);
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_close, &close), -EINVAL);
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_send, &send), -EINVAL);
    alloc.dom = DOMID_NOBODY;
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &alloc),
              -ESRCH);
}

RULE(abi_misc, virq_is_bound_once)
{
    struct evtchn_bind_virq bind = { .virq = VIRQ_XENPMU, .vcpu = 0 };
    struct evtchn_close close;

    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_bind_virq, &bind), 0);
    close.port = bind.port;
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_bind_virq, &bind), -EEXIST);
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_close, &close), 0);
    bind.virq = NR_VIRQS;
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_bind_virq, &bind), -EINVAL);
    bind = (struct evtchn_bind_virq){ .virq = VIRQ_DEBUG, .vcpu = 1000 };
    EXPECT_RC(hypercall_event_channel_op(EVTCHNOP_bind_virq, &bind), -ENOENT);
}

/* xen/arch/x86/physdev.c: for ring 1 to 3 of a guest, which is only told so. */
RULE(abi_misc, iopl_is_a_ring)
{
    struct physdev_set_iopl iopl = { .iopl = 4 };

    EXPECT_RC(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), -EINVAL);
    iopl.iopl = 0;
    EXPECT_RC(hypercall_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    EXPECT_RC(hypercall_physdev_op(PHYSDEVOP_set_iopl, UNMAPPED), -EFAULT);
}

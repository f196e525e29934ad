/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/segments.h>

/* Intel SDM vol. 4; Xen emulates reading them. */
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_SHADOW_GS_BASE 0xc0000102u

/* What user mode was given last; id 0: nobody knows. */
static struct {
    uint64_t id;
    uint64_t fs, gs;
} given[MAX_VCPUS];

int segment_base_set(unsigned int which, uint64_t base)
{
    if (which > SEGBASE_GS_KERNEL)
        return -EINVAL;
    given[vcpu_id()].id = 0;
    return hypercall_set_segment_base(which, base);
}

int segment_base_get(unsigned int which, uint64_t *base)
{
    static const uint32_t msr[] = {
        [SEGBASE_FS] = MSR_FS_BASE,
        [SEGBASE_GS_USER] = MSR_SHADOW_GS_BASE,
        [SEGBASE_GS_KERNEL] = MSR_GS_BASE,
    };

    if (which >= ARRAY_SIZE(msr))
        return -EINVAL;
    *base = rdmsr(msr[which]);
    return 0;
}

/* So that what one context leaves in them is not seen by the next. */
static int forget_selectors(void)
{
    asm volatile("mov %0, %%ds\n\t"
                 "mov %0, %%es\n\t"
                 "mov %0, %%fs" ::"r"(0));
    return hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0);
}

int segment_bases_for_user(uint64_t id, uint64_t fs, uint64_t gs)
{
    const unsigned int me = vcpu_id();
    const bool again = given[me].id == id;
    int rc = 0;

    if (likely(again && given[me].fs == fs && given[me].gs == gs))
        return 0;
    given[me].id = 0;
    if (!again)
        rc = forget_selectors();
    if (rc == 0)
        rc = hypercall_set_segment_base(SEGBASE_FS, fs);
    if (rc == 0)
        rc = hypercall_set_segment_base(SEGBASE_GS_USER, gs);
    if (rc == 0) {
        given[me].id = id;
        given[me].fs = fs;
        given[me].gs = gs;
    }
    return rc;
}

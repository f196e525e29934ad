/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/segments.h>

/* Intel SDM vol. 4; Xen emulates reading them. */
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_SHADOW_GS_BASE 0xc0000102u

static struct segment_bases {
    uint64_t thread_fs; /* the running thread's; 0: it has none */
    uint64_t kernel_fs; /* that is loaded, unless.. */
    bool fs_is_users;   /* ..FS is what user mode was given or has made of it */
    uint64_t id, fs, gs; /* what it was given last; id 0: nobody knows */
} bases[MAX_VCPUS];

int segment_base_set(unsigned int which, uint64_t base)
{
    int rc;

    if (which > SEGBASE_GS_KERNEL)
        return -EINVAL;
    /* Another thread between the two would note what is not true any more. */
    preempt_disable();
    bases[vcpu_id()].id = 0;
    bases[vcpu_id()].fs_is_users = true; /* or somebody's: not known */
    rc = hypercall_set_segment_base(which, base);
    preempt_enable();
    return rc;
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
    struct segment_bases *b = &bases[vcpu_id()];
    const bool again = b->id == id;
    int rc = 0;

    if (likely(again && b->fs_is_users && b->fs == fs && b->gs == gs))
        return 0;
    b->id = 0;
    if (!again)
        rc = forget_selectors();
    b->fs_is_users = true;
    if (rc == 0)
        rc = hypercall_set_segment_base(SEGBASE_FS, fs);
    if (rc == 0 && !(again && b->gs == gs))
        rc = hypercall_set_segment_base(SEGBASE_GS_USER, gs);
    if (rc == 0) {
        b->id = id;
        b->fs = fs;
        b->gs = gs;
    }
    return rc;
}

void segment_base_for_thread(uint64_t fs)
{
    bases[vcpu_id()].thread_fs = fs;
    segment_base_for_kernel();
}

void segment_base_for_kernel(void)
{
    struct segment_bases *b = &bases[vcpu_id()];

    if (b->thread_fs == 0 || (!b->fs_is_users && b->kernel_fs == b->thread_fs))
        return;
    BUG_ON(hypercall_set_segment_base(SEGBASE_FS, b->thread_fs) != 0);
    b->kernel_fs = b->thread_fs;
    b->fs_is_users = false;
}

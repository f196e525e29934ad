/* SPDX-License-Identifier: MIT */
/*
 * vcpu: which of the domain's CPUs is running this.
 *
 * One is brought up so far.  State that belongs to a vCPU is indexed by
 * vcpu_id() all the same, so that nothing needs to move when others come.
 */
#pragma once

#define MAX_VCPUS 1u

static inline unsigned int vcpu_id(void)
{
    return 0;
}

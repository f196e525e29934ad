/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>

struct vcpu vcpus[MAX_VCPUS];

/* SPDX-License-Identifier: MIT */
/* queue: for tests of what travels together, whatever plinth.mmu= says. */
#pragma once

#include <stdbool.h>

#include <plinth/mmu.h>

static inline void queue_restore(bool *sync)
{
    (void)mmu_set_sync(*sync);
}

/* A declaration: requests wait for others until the end of the block. */
#define WITH_QUEUE()                                                           \
    bool sync_ __attribute__((cleanup(queue_restore), unused)) =               \
        mmu_set_sync(false)

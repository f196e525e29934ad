/* SPDX-License-Identifier: MIT */
/*
 * abi: what the tests of the rules of PV memory share.
 *
 * Each RULE() is a test of two halves: what is right succeeds, and what is
 * wrong gets just the error that Xen's source gives for it.  The source is
 * cited by file and function, from Xen's tree.
 *
 * The answer may depend on whom Xen talks to: the hardware domain may map
 * device memory and choose cacheability, any other may not.  It hardly ever
 * depends on Xen's version; where it does, the test says so.
 */
#pragma once

#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/pte.h>
#include <plinth/start_info.h>
#include <plinth/test.h>

#include "bare.h"
#include "scratch.h"

/* A test that may leave in the middle and still gives all pages back. */
#define RULE(suite, name)                                                      \
    static void rule_##suite##_##name(struct test_run *run_ __unused);         \
    TEST(suite, name)                                                          \
    {                                                                          \
        rule_##suite##_##name(run_);                                           \
        scratch_restore(run_);                                                 \
    }                                                                          \
    static void rule_##suite##_##name(struct test_run *run_ __unused)

/* Did a hypercall answer @want?  Both are shown by name. */
#define EXPECT_RC(call, want)                                                  \
    do {                                                                       \
        const long got_ = (call), want_ = (want);                              \
        if (got_ != want_)                                                     \
            test_fail(run_, __FILE__, __LINE__, "%s: %s (%ld), want %s",       \
                      #call, errno_name(got_), got_, errno_name(want_));       \
    } while (0)

/* No domain has it: they are numbered from 0, and few. */
#define DOMID_NOBODY 0x7123u

/* Pointers that no hypercall may follow: nothing there; Xen's part. */
#define UNMAPPED ((void *)0x1000ul)
#define IN_HOLE  ((void *)0xffff87fffffff000ul)

#define NON_CANONICAL 0x8000000000000000ul

/* Is this Xen 4.@minor or later? */
bool xen_since(unsigned int minor);

/* The same for entry @i of a scratch page. */
int set_entry(volatile uint64_t *table, unsigned int i, uint64_t value);

/* Pin a scratch page as a table of @level; undo that. */
int pin(unsigned int level, const volatile void *page);
int unpin(const volatile void *page);

/* A scratch page, read-only and so fit to become a table; as one, pinned. */
uint64_t *new_readonly(void);
uint64_t *new_table(unsigned int level);

/* The address of entry @i of the L4 table in use. */
maddr_t live_l4_entry(unsigned int i);

/* Frames that are not ours: one of Xen's own, another domain's (or none). */
mfn_t frame_of_xen(void);
mfn_t frame_of_another_domain(void);

/* A frame far beyond the machine's memory. */
mfn_t frame_beyond_memory(void);

/* SPDX-License-Identifier: MIT */
/*
 * audit: is everything that must hold of our memory true?
 *
 * Walks the tables of all spaces and checks
 *   - each table is a frame of ours that is one in one place only; nothing maps
 *     it writable while it is live; the allocator knows it as a table, and knows
 *     no other page as one;
 *   - the kernel's half is the same in all spaces, the user half the same in
 *     both L4 tables of a space, and what should be pinned is;
 *   - nothing maps a page of descriptors writable, loaded or not;
 *   - nothing is writable and executable;
 *   - the frames of the bootstrap region and the physmap are those that P2M and
 *     M2P agree on, each at its own address;
 *   - the page allocator's lists and records agree (page_check()).
 *
 *   context  threads and boot; nobody may change memory meanwhile.  Takes two
 *            bits per page of memory for itself
 *   failure  -EINVAL with @why saying what is wrong; -ENOMEM
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <plinth/compiler.h>

int __must_check audit(char *why, size_t len);

/*
 * Called at the end of each operation on memory: with plinth.audit=N on the
 * command line each Nth time an audit is made, and a finding is a panic.
 */
extern uint64_t audit_every;
void audit_now(void);

static inline void audit_count(void)
{
    if (unlikely(audit_every != 0))
        audit_now();
}

/* SPDX-License-Identifier: MIT */
/*
 * page: memory in whole pages.
 *
 * A buddy allocator over pseudo-physical frames.  It starts with the padding of
 * the bootstrap region, which the builder has mapped, and has more memory
 * mapped, 2 MiB or more at a time, when it first needs it (plinth/physmap.h);
 * so what a domain never uses is never touched.
 *
 *   units    orders: 2^order pages, at a virtual address aligned to their
 *            size, contiguous by virtual address and pfn, not by mfn
 *   owns     a page belongs to whoever allocated it until page_free()
 *   locks    one spinlock guards the free lists, the records of what is in them,
 *            growing, and the counts; it is held while memory is mapped, and may
 *            be taken inside any other (plinth/spinlock.h).  Single pages go by
 *            a cache of this vCPU's first, which preempt_disable() guards.  The
 *            record of an allocated block is its owner's
 *   context  threads and boot
 *   failure  NULL when memory is out, with everything still usable.  Misuse, a
 *            double free or a pointer that was never allocated, is a panic; a
 *            write after free is one too, in debug builds, when the page is
 *            allocated again
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <plinth/addr.h>
#include <plinth/compiler.h>

#define PAGE_MAX_ORDER 18u /* 1 GiB */

/* The order of the smallest block of @size bytes, if there is one so large. */
static inline unsigned int page_order_for(uint64_t size)
{
    return size <= PAGE_SIZE
               ? 0
               : 64 - PAGE_SHIFT - (unsigned int)__builtin_clzl(size - 1);
}

/* Take over what boot_map found free.  After protect_init(). */
void page_init(void);

/* 2^order pages of undefined content, or NULL.  Their pfns: plinth/kaddr.h. */
void *page_alloc(unsigned int order);

/* The same, filled with zeroes. */
void *page_alloc_zeroed(unsigned int order);

/* Give back what page_alloc(@order) returned; NULL is allowed. */
void page_free(void *p, unsigned int order);

/* The order of the allocated block that starts at @p. */
unsigned int page_order(const void *p);

/* Does an allocated block start at @p, which is a page with a kernel address? */
bool page_is_allocated(const void *p);

/* The allocated page @p stays so for good: it is overhead from now on. */
void page_keep(void *p);

/*
 * Sixteen bits beside the allocated block that starts at @p, for its owner; 0
 * when it is allocated.
 */
uint16_t *page_note(const void *p);

/* Those of any pfn: 0 if no allocated block starts there. */
uint16_t page_note_of(pfn_t pfn);

/* The same by pfn, 32 bits, also for a page whose frame is gone. */
uint32_t *page_link(pfn_t pfn);

/*
 * A chain of allocated pages, through their links; {0} is empty.  The next one
 * after NULL is the first.
 */
struct page_list {
    uint32_t first;
};
void page_list_push(struct page_list *list, void *page);
void *page_list_pop(struct page_list *list);
void *page_list_next(const struct page_list *list, const void *page);

/*
 * Whoever keeps memory because it may be wanted again says so by PAGE_KEEPER(@fn):
 * @fn gives all of it back, and tells whether that was any.  It allocates nothing.
 */
typedef bool page_keeper_t(void);
#define PAGE_KEEPER(fn)                                                        \
    static page_keeper_t *const keeper_ref_##fn __section("plinth_keepers")    \
        __used = (fn)

/*
 * Have all keepers give back; page_alloc() does so before it says NULL.  False:
 * there was nothing.  So it is where a spinlock is held or upcalls are masked, as
 * keepers take locks of their own.
 */
bool page_reclaim(void);

struct page_stats {
    uint64_t total;    /* pages that are, or can become, allocatable */
    uint64_t free;     /* of these, not allocated now */
    uint64_t unmapped; /* of the free ones, not yet in the physmap */
    uint64_t overhead; /* of the others, what is kept for good, as the
                          physmap's tables and records are */
    uint64_t failures; /* times page_alloc() said NULL */
};
struct page_stats page_stats(void);

/*
 * The same with upcalls masked, as in an event handler.  -EBUSY while they are
 * being changed, or the interrupted code holds a spinlock, which may be theirs.
 */
int __must_check page_stats_try(struct page_stats *stats);

/*
 * Check the free lists against the pages' own records.  0, or -EINVAL with
 * @why saying what is wrong.
 */
int __must_check page_check(char *why, size_t len);

/*
 * For tests: the @nth allocation from now on says NULL; 0: none does.  Of all on
 * this vCPU, and of those on others that find their cache empty.
 */
void page_inject_failure(uint64_t nth);

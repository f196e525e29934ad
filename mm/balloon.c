/* SPDX-License-Identifier: MIT */
#include <plinth/balloon.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/frames.h>
#include <plinth/kaddr.h>
#include <plinth/mmu.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/spinlock.h>

#define BATCH 32u

/*
 * Pfns without a frame, chained by page_link(); 0 ends the chain.  The lock is
 * for the chain and its length alone, and never held across a hypercall.
 */
static struct {
    struct spinlock lock;
    pfn_t first;
    uint64_t nr;
} empty;

/* Somebody is in balloon_set(). */
static bool busy;

uint64_t balloon_max(void)
{
    return p2m_size();
}

uint64_t balloon_current(void)
{
    return p2m_size() - __atomic_load_n(&empty.nr, __ATOMIC_RELAXED);
}

static void push(pfn_t pfn)
{
    spin_lock(&empty.lock);
    *page_link(pfn) = pfn_x(empty.first);
    empty.first = pfn;
    empty.nr++;
    spin_unlock(&empty.lock);
}

static pfn_t pop(void)
{
    pfn_t pfn;

    spin_lock(&empty.lock);
    pfn = empty.first;
    empty.first = _pfn(*page_link(pfn));
    empty.nr--;
    spin_unlock(&empty.lock);
    return pfn;
}

/* What could not be done as a whole is undone page by page. */
static void undo(void *const *pages, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++) {
        if (frames_repair(pages[i]) == 0)
            page_free(pages[i], 0);
        else
            push(kaddr_pfn(pages[i]));
    }
}

/* Give up to @nr pages back; how many it was, or what Xen said of a mapping. */
static int give(unsigned int nr)
{
    void *pages[BATCH];
    mfn_t mfns[BATCH];
    unsigned int n, done;
    int rc;

    mmu_begin();
    for (n = 0; n < nr; n++) {
        pages[n] = page_alloc(0);
        if (pages[n] == NULL)
            break;
        mfns[n] = kaddr_mfn(pages[n]);
        frames_unmap(pages[n]);
    }
    rc = mmu_end();
    if (rc != 0) {
        undo(pages, n);
        return rc;
    }

    /* They are ours and nowhere mapped; what Xen does not take all the same stays. */
    done = frames_give(mfns, n);
    for (unsigned int i = 0; i < done; i++) {
        BUG_ON(p2m_set(kaddr_pfn(pages[i]), INVALID_MFN) != 0);
        push(kaddr_pfn(pages[i]));
    }
    undo(pages + done, n - done);
    return done;
}

/* Ask for frames behind @nr pfns; how many there were, or what Xen said. */
static int take(unsigned int nr)
{
    void *pages[BATCH] = { NULL };
    mfn_t mfns[BATCH];
    unsigned int done;
    int rc;

    for (unsigned int i = 0; i < nr; i++)
        pages[i] = kaddr_lookup(pop());
    done = frames_get(pages, mfns, nr);
    for (unsigned int i = done; i < nr; i++)
        push(kaddr_pfn(pages[i]));

    mmu_begin();
    for (unsigned int i = 0; i < done; i++)
        frames_map(pages[i], mfns[i]);
    rc = mmu_end();
    if (rc != 0) {
        undo(pages, done);
        return rc;
    }

    for (unsigned int i = 0; i < done; i++)
        page_free(pages[i], 0);
    return done;
}

/* How many pages can go now; BALLOON_RESERVE stay. */
static uint64_t can_give(void)
{
    const uint64_t free = page_stats().free;

    return free > BALLOON_RESERVE ? free - BALLOON_RESERVE : 0;
}

static int reach(uint64_t target)
{
    for (;;) {
        const uint64_t now = balloon_current();
        const bool down = now > target;
        const uint64_t left =
            down ? MIN(now - target, can_give()) : target - now;
        int done = 0;

        if (now == target)
            return 0;
        if (left > 0)
            done = (down ? give : take)(MIN(left, (uint64_t)BATCH));
        if (done < 0)
            return done;
        if (done == 0)
            return -ENOMEM;
    }
}

int balloon_set(uint64_t target)
{
    int rc;

    if (target > balloon_max())
        return -EINVAL;
    if (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
        return -EBUSY;
    rc = reach(target);
    __atomic_store_n(&busy, false, __ATOMIC_RELEASE);
    return rc;
}

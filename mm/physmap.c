/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/p2m.h>
#include <plinth/physmap.h>
#include <plinth/ptab.h>
#include <plinth/start_info.h>
#include <plinth/string.h>

static struct ptab_txn txn;
static uint64_t holes;

uint64_t physmap_holes(void)
{
    return holes;
}

static uint64_t entry_for(uint64_t mfn)
{
    if (unlikely(!p2m_is_frame(mfn))) {
        holes++;
        return 0;
    }
    return pte_make(_mfn(mfn), PTE_DATA).raw;
}

/* All 512 entries of @table, the new L1 of chunk @n. */
static void fill(uint64_t *table, uint64_t n)
{
    const struct start_info *si = start_info();
    const uint64_t *p2m = (const uint64_t *)si->mfn_list + n * CHUNK_PAGES;
    const uint64_t start = n * CHUNK_PAGES, end = start + CHUNK_PAGES;
    const bool whole = start >= linear_size() && end <= p2m_size() &&
                       (end <= si->first_p2m_pfn ||
                        start >= si->first_p2m_pfn + si->nr_p2m_frames);

    if (whole) {
#pragma GCC unroll 8
        for (unsigned int i = 0; i < CHUNK_PAGES; i++)
            table[i] = entry_for(p2m[i]);
        return;
    }
    for (unsigned int i = 0; i < CHUNK_PAGES; i++)
        table[i] = kaddr_in_physmap(_pfn(start + i)) ? entry_for(p2m[i]) : 0;
}

static int add_chunk(uint64_t n)
{
    uint64_t *table;
    maddr_t live;
    int rc = ptab_l1(&txn, _vaddr(physmap_va(_pfn(n * CHUNK_PAGES))), true,
                     &table, &live);

    if (rc != 0)
        return rc;
    if (table == NULL)
        return -EEXIST;
    fill(table, n);
    return 0;
}

static int add_records(uint64_t n, unsigned int record_size)
{
    const uintptr_t va = PAGES_BASE + n * CHUNK_PAGES * record_size;
    const unsigned int pages = CHUNK_PAGES * record_size / PAGE_SIZE;
    int rc = 0;

    for (unsigned int i = 0; i < pages && rc == 0; i++) {
        void *page = txn.get();

        if (page == NULL)
            return -ENOMEM;
        memset(page, 0, PAGE_SIZE);
        rc = ptab_map_owned(&txn, _vaddr(va + i * PAGE_SIZE), page);
    }
    return rc;
}

int physmap_add(uint64_t first, unsigned int nr, unsigned int record_size,
                void *(*get)(void), void (*put)(void *page))
{
    int rc = 0;

    ASSERT(nr <= PHYSMAP_BATCH);
    ptab_begin(&txn, &kernel_space, get, put);

    for (uint64_t n = first; n < first + nr && rc == 0; n++) {
        rc = add_chunk(n);
        if (rc == 0)
            rc = add_records(n, record_size);
    }
    if (rc != 0) {
        ptab_abort(&txn);
        return rc;
    }

    rc = ptab_commit(&txn);
    for (uint64_t n = first; n < first + nr && rc == 0; n++)
        kaddr_set_chunk_mapped(n);
    return rc;
}

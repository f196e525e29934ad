/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/boot_map.h>
#include <plinth/bug.h>
#include <plinth/config.h>
#include <plinth/errno.h>
#include <plinth/kaddr.h>
#include <plinth/p2m.h>
#include <plinth/page.h>
#include <plinth/physmap.h>
#include <plinth/printf.h>
#include <plinth/spinlock.h>
#include <plinth/string.h>
#include <plinth/upcall.h>

/*
 * The record of a page.  Of a block only the first page's says anything; the
 * others are 0, so that a stale record is never taken for a block's.
 */
struct page {
    uint32_t next, prev; /* in a free list, by pfn; 0 is text and so no page */
    union {
        struct {
            uint8_t state;
            uint8_t order;
            uint8_t poisoned; /* its first words are POISON */
            uint8_t unused;
            uint16_t note;
            uint16_t unused2;
        };
        uint32_t kind; /* state, order and poisoned in one */
        uint64_t all;  /* the note as well */
    };
};
_Static_assert(sizeof(struct page) == 16, "as docs/memory.md has it");
_Static_assert(PAGE_SIZE % sizeof(struct page) == 0, "records fill pages");

enum state {
    NEITHER = 0,
    FREE = 0xf5,
    ALLOCATED = 0xa1,
    CACHED = 0xc3
};

/* The kind, and all, of an allocated block whose note is 0. */
static uint32_t allocated_kind(unsigned int order)
{
    return ALLOCATED | order << 8;
}

#define NR_ORDERS (PAGE_MAX_ORDER + 1)

/* Single pages on their way: freed last, allocated first. */
#define CACHE_SIZE 32u

static struct cache {
    unsigned int nr;
    unsigned int
        max; /* 0 before page_init(), and while a failure is injected */
    struct {
        void *address;
        struct page *record;
    } slots[CACHE_SIZE];
} caches[MAX_VCPUS];

/* Frames that nobody has mapped yet: [start, end). */
struct range {
    uint64_t start, end;
};
#define NR_RANGES 8u

/* Of the pages in the bootstrap region; does not change after page_init(). */
static struct page *boot_records;

static struct {
    struct spinlock lock; /* of all that follows and of free pages' records */
    uint32_t head[NR_ORDERS];
    uint64_t nr_free; /* pages in the lists */
    uint64_t nr_total;
    uint64_t nr_overhead; /* taken by tables and records of the physmap */
    uint64_t failures;
    unsigned int nr_ranges;
    struct range ranges[NR_RANGES];
    bool growing;
    uint64_t inject;
} pages;

/* What is written over free memory, to see who writes there later. */
#define POISON       0xfee1deadfee1deadull
#define POISON_WORDS 16u

static bool is_linear(uint64_t pfn)
{
    return pfn < linear_size();
}

static struct page *record(uint64_t pfn)
{
    return is_linear(pfn) ? &boot_records[pfn]
                          : (struct page *)PAGES_BASE + pfn;
}

/* The same by the page's address, which tells the two mappings apart too. */
static inline struct page *record_at(const void *p)
{
    const uintptr_t va = (uintptr_t)p;

    return va >= VIRT_BASE ? &boot_records[(va - VIRT_BASE) >> PAGE_SHIFT]
                           : (struct page *)PAGES_BASE +
                                 ((va - PHYSMAP_BASE) >> PAGE_SHIFT);
}

static void *address(uint64_t pfn)
{
    return (void *)(is_linear(pfn) ? linear_va(_pfn(pfn))
                                   : physmap_va(_pfn(pfn)));
}

/*
 * Free lists, doubly linked by pfn.
 */
static void list_add(uint64_t pfn, unsigned int order)
{
    struct page *p = record(pfn);

    p->state = FREE;
    p->order = order;
    p->prev = 0;
    p->next = pages.head[order];
    if (p->next != 0)
        record(p->next)->prev = pfn;
    pages.head[order] = pfn;
}

static void list_del(uint64_t pfn, unsigned int order)
{
    struct page *p = record(pfn);

    if (p->next != 0)
        record(p->next)->prev = p->prev;
    if (p->prev != 0)
        record(p->prev)->next = p->next;
    else
        pages.head[order] = p->next;
    p->state = NEITHER;
}

/*
 * Blocks are aligned by virtual address.  In the physmap that is by pfn as
 * well; the bootstrap region starts anywhere.
 */
static uint64_t aligned_index(uint64_t pfn)
{
    return is_linear(pfn) ? linear_va(_pfn(pfn)) >> PAGE_SHIFT : pfn;
}

/* The other half of the next larger block. */
static uint64_t buddy_of(uint64_t pfn, unsigned int order)
{
    return aligned_index(pfn) & 1ul << order ? pfn - (1ul << order)
                                             : pfn + (1ul << order);
}

/*
 * Is the block of @order at @pfn free, as a whole and as one?  A buddy may be
 * text, or not be mapped, or belong to the other of the two mappings; then its
 * record says nothing or is not there.
 */
static bool is_free_buddy(uint64_t pfn, uint64_t of, unsigned int order)
{
    const struct page *p;

    if (is_linear(pfn) != is_linear(of))
        return false;
    if (!is_linear(pfn) && !kaddr_chunk_mapped(pfn / CHUNK_PAGES))
        return false;
    p = record(pfn);
    return p->state == FREE && p->order == order;
}

static void buddy_free(uint64_t pfn, unsigned int order)
{
    while (order < PAGE_MAX_ORDER) {
        const uint64_t buddy = buddy_of(pfn, order);

        if (!is_free_buddy(buddy, pfn, order))
            break;
        list_del(buddy, order);
        record(pfn)->state = NEITHER;
        /* The upper one is no block of its own any more. */
        record(MAX(pfn, buddy))->poisoned = false;
        pfn = MIN(pfn, buddy);
        order++;
    }
    list_add(pfn, order);
}

/* The first block of list @from, its first 2^@order pages; the rest stays free. */
static uint64_t split(unsigned int from, unsigned int order)
{
    const uint64_t pfn = pages.head[from];

    list_del(pfn, from);
    while (from > order) {
        from--;
        list_add(pfn + (1ul << from), from);
    }
    return pfn;
}

/* A block of @order from the lists, or 0. */
static uint64_t buddy_alloc(unsigned int order)
{
    unsigned int from = order;

    while (from < NR_ORDERS && pages.head[from] == 0)
        from++;
    return from < NR_ORDERS ? split(from, order) : 0;
}

/* Add [start, end) as the largest aligned blocks that fit. */
static void add_range(uint64_t start, uint64_t end)
{
    pages.nr_free += end - start;
    while (start < end) {
        unsigned int order = 0;

        while (order < PAGE_MAX_ORDER &&
               aligned_index(start) % (2ul << order) == 0 &&
               start + (2ul << order) <= end)
            order++;
        buddy_free(start, order);
        start += 1ul << order;
    }
}

/*
 * The cache of single pages.  Other vCPUs' are theirs; what waits there, up to
 * CACHE_SIZE pages each, is not to be had here.
 */
static struct cache *this_cache(void)
{
    return &caches[vcpu_id()];
}

/* With the lock held. */
static void drain_cache(struct cache *c)
{
    pages.nr_free += c->nr;
    while (c->nr > 0)
        buddy_free(pfn_x(kaddr_pfn(c->slots[--c->nr].address)), 0);
}

/*
 * Growing.
 */

/*
 * Of the lists' first blocks the lowest: tables are never given back, and so keep
 * to what was there before.  The smallest would often be of the chunks that have
 * just been added, and no block of theirs would become whole.
 */
static uint64_t lowest_page(void)
{
    unsigned int from = NR_ORDERS;

    for (unsigned int i = 0; i < NR_ORDERS; i++)
        if (pages.head[i] != 0 &&
            (from == NR_ORDERS || pages.head[i] < pages.head[from]))
            from = i;
    return from < NR_ORDERS ? split(from, 0) : 0;
}

static void *take_reserved(void)
{
    const uint64_t pfn = lowest_page();

    if (pfn == 0)
        return NULL;
    pages.nr_free--;
    pages.nr_overhead++;
    record(pfn)->all = allocated_kind(0);
    return address(pfn);
}

static void put_reserved(void *p)
{
    const uint64_t pfn = pfn_x(kaddr_pfn(p));

    pages.nr_free++;
    pages.nr_overhead--;
    buddy_free(pfn, 0);
}

/*
 * Add what is free in the chunks just mapped; @r begins in the first.  A pfn
 * without a frame is no page after all.
 */
static void add_chunks(struct range *r, uint64_t end_chunk)
{
    const uint64_t end = MIN(end_chunk * CHUNK_PAGES, r->end);
    const bool any = physmap_holes() > 0;
    uint64_t start = r->start;

    for (uint64_t pfn = start; any && pfn < end; pfn++) {
        if (likely(!mfn_eq(p2m_lookup(_pfn(pfn)), INVALID_MFN)))
            continue;
        add_range(start, pfn);
        start = pfn + 1;
        pages.nr_total--;
    }
    add_range(start, end);
    r->start = end;
}

/* Bring in up to @nr chunks from where range @r begins. */
static int grow_range(struct range *r, uint64_t nr)
{
    const uint64_t first = r->start / CHUNK_PAGES;
    const uint64_t last = (r->end - 1) / CHUNK_PAGES;
    uint64_t end = MIN(last + 1, first + nr);
    int rc;

    /* Two ranges may meet in one chunk, which comes in once. */
    if (kaddr_chunk_mapped(first)) {
        add_chunks(r, first + 1);
        return 0;
    }
    while (end > first + 1 && kaddr_chunk_mapped(end - 1))
        end--;

    rc = physmap_add(first, end - first, sizeof(struct page), take_reserved,
                     put_reserved);
    if (rc == 0)
        add_chunks(r, end);
    return rc;
}

static bool grow(unsigned int order)
{
    const uint64_t want = MAX((1ul << order) / CHUNK_PAGES, 1ul);
    bool grown = false;

    /* Pages for the tables come from the lists, never by growing again. */
    if (pages.growing)
        return false;
    pages.growing = true;
    drain_cache(this_cache());

    for (unsigned int i = 0; i < pages.nr_ranges && !grown; i++) {
        struct range *r = &pages.ranges[i];

        if (r->start < r->end)
            grown = grow_range(r, MIN(want, (uint64_t)PHYSMAP_BATCH)) == 0;
    }
    pages.growing = false;
    return grown;
}

/*
 * Keep what growing itself needs; once nothing is left to grow by, the reserve
 * is memory like any other.
 */
static bool below_reserve(unsigned int order)
{
    return pages.nr_free < (1ul << order) + PHYSMAP_PAGES;
}

/*
 * Poison.
 */
static void poison(void *p)
{
    uint64_t *words = p;

    for (unsigned int i = 0; i < POISON_WORDS; i++)
        words[i] = POISON;
    record_at(p)->poisoned = true;
}

static void check_poison(const void *p)
{
    const uint64_t *words = p;

    if (!record_at(p)->poisoned)
        return;
    for (unsigned int i = 0; i < POISON_WORDS; i++)
        if (words[i] != POISON)
            panic("page: %p was written after it was freed: word %u is %#lx", p,
                  i, words[i]);
}

/*
 * The interface.
 */
static void *alloc_block(unsigned int order)
{
    struct cache *c = this_cache();
    uint64_t pfn;

    if (order > PAGE_MAX_ORDER)
        return NULL;
    while (below_reserve(order) && grow(order))
        ;
    pfn = buddy_alloc(order);
    while (pfn == 0 && (c->nr > 0 || grow(order))) {
        drain_cache(c);
        pfn = buddy_alloc(order);
    }
    if (pfn == 0)
        return NULL;
    pages.nr_free -= 1ul << order;
    return address(pfn);
}

static void *taken(void *p, struct page *r, unsigned int order)
{
    if (CONFIG_DEBUG)
        check_poison(p);
    r->all = allocated_kind(order);
    return p;
}

extern page_keeper_t *const __start_plinth_keepers[];
extern page_keeper_t *const __stop_plinth_keepers[];

bool page_reclaim(void)
{
    bool any = false;

    if (preempt_is_off() || upcall_masked())
        return false;
    for (page_keeper_t *const *give_back = __start_plinth_keepers;
         give_back < __stop_plinth_keepers; give_back++)
        any |= (*give_back)();
    return any;
}

static void __noinline *alloc_slow(unsigned int order)
{
    void *p = NULL;
    bool injected;

    spin_lock(&pages.lock);
    injected = pages.inject != 0 && --pages.inject == 0;
    if (!injected)
        p = alloc_block(order);
    if (p == NULL && !injected) {
        spin_unlock(&pages.lock);
        (void)page_reclaim();
        spin_lock(&pages.lock);
        p = alloc_block(order);
    }
    if (p == NULL)
        pages.failures++;
    spin_unlock(&pages.lock);

    return p != NULL ? taken(p, record_at(p), order) : NULL;
}

void __no_stack_check *page_alloc(unsigned int order)
{
    struct cache *c;
    struct page *r;
    void *p;

    if (unlikely(order != 0))
        return alloc_slow(order);

    preempt_disable();
    c = this_cache();
    if (unlikely(c->nr == 0)) {
        preempt_enable();
        return alloc_slow(order);
    }
    c->nr--;
    p = c->slots[c->nr].address;
    r = c->slots[c->nr].record;
    preempt_enable();
    return taken(p, r, 0);
}

void *page_alloc_zeroed(unsigned int order)
{
    void *p = page_alloc(order);

    if (p != NULL)
        memset(p, 0, PAGE_SIZE << order);
    return p;
}

static bool is_ours(const void *p)
{
    const uintptr_t va = (uintptr_t)p;

    if (va % PAGE_SIZE != 0)
        return false;
    if (va >= VIRT_BASE)
        return is_linear(pfn_x(linear_pfn(va)));
    return va >= PHYSMAP_BASE && va < PHYSMAP_END &&
           kaddr_chunk_mapped(pfn_to_chunk(kaddr_pfn(p)));
}

static void __noinline __noreturn misused(const void *p, const char *who)
{
    const uint8_t state = record_at(p)->state;

    panic("%s: %p is %s", who, p,
          state == FREE || state == CACHED ? "free already" : "not allocated");
}

static inline struct page *live_record(const void *p, const char *who)
{
    struct page *r;

    if (CONFIG_DEBUG && unlikely(!is_ours(p)))
        panic("%s: %p is no page of the allocator's", who, p);
    r = record_at(p);
    if (unlikely(r->state != ALLOCATED))
        misused(p, who);
    return r;
}

static void __noinline free_slow(void *p, unsigned int order)
{
    const struct page *r = live_record(p, "page_free");

    if (r->order != order)
        panic("page_free: %p has order %u, not %u", p, r->order, order);

    if (CONFIG_DEBUG)
        poison(p);
    spin_lock(&pages.lock);
    pages.nr_free += 1ul << order;
    buddy_free(pfn_x(kaddr_pfn(p)), order);
    spin_unlock(&pages.lock);
}

/* What is not a single page, as it should be, is for free_slow() to judge. */
void __no_stack_check page_free(void *p, unsigned int order)
{
    struct page *r;
    struct cache *c;

    if (p == NULL)
        return;
    if (CONFIG_DEBUG)
        (void)live_record(p, "page_free");
    r = record_at(p);
    if (unlikely(order != 0 || r->kind != allocated_kind(0))) {
        free_slow(p, order);
        return;
    }

    preempt_disable();
    c = this_cache();
    if (unlikely(c->nr == c->max)) {
        preempt_enable();
        free_slow(p, order);
        return;
    }
    if (CONFIG_DEBUG)
        poison(p);
    r->state = CACHED;
    c->slots[c->nr].address = p;
    c->slots[c->nr].record = r;
    c->nr++;
    preempt_enable();
}

unsigned int page_order(const void *p)
{
    return live_record(p, "page_order")->order;
}

bool page_is_allocated(const void *p)
{
    return record_at(p)->state == ALLOCATED;
}

void page_keep(void *p)
{
    (void)live_record(p, "page_keep");
    spin_lock(&pages.lock);
    pages.nr_overhead++;
    spin_unlock(&pages.lock);
}

uint16_t page_note_of(pfn_t pfn)
{
    const uint64_t n = pfn_x(pfn);
    const struct page *r;

    if (!is_linear(n) &&
        (!kaddr_chunk_mapped(n / CHUNK_PAGES) || !kaddr_in_physmap(pfn)))
        return 0;
    r = record(n);
    return r->state == ALLOCATED ? r->note : 0;
}

uint16_t *page_note(const void *p)
{
    return &record_at(p)->note;
}

uint32_t *page_link(pfn_t pfn)
{
    return &record(pfn_x(pfn))->next;
}

void page_list_push(struct page_list *list, void *page)
{
    const pfn_t pfn = kaddr_pfn(page);

    *page_link(pfn) = list->first;
    list->first = pfn_x(pfn);
}

void *page_list_pop(struct page_list *list)
{
    const uint32_t first = list->first;

    if (first == 0)
        return NULL;
    list->first = *page_link(_pfn(first));
    return address(first);
}

void *page_list_next(const struct page_list *list, const void *page)
{
    const uint32_t pfn = page ? *page_link(kaddr_pfn(page)) : list->first;

    return pfn ? address(pfn) : NULL;
}

/* Pages that wait in the caches. */
static uint64_t nr_cached(void)
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < MAX_VCPUS; i++)
        n += caches[i].nr;
    return n;
}

static struct page_stats read_stats(void)
{
    uint64_t unmapped = 0;

    for (unsigned int i = 0; i < pages.nr_ranges; i++)
        unmapped += pages.ranges[i].end - pages.ranges[i].start;
    return (struct page_stats){
        .total = pages.nr_total,
        .free = pages.nr_free + nr_cached() + unmapped,
        .unmapped = unmapped,
        .overhead = pages.nr_overhead,
        .failures = pages.failures,
    };
}

struct page_stats page_stats(void)
{
    struct page_stats s;

    spin_lock(&pages.lock);
    s = read_stats();
    spin_unlock(&pages.lock);
    return s;
}

int page_stats_try(struct page_stats *s)
{
    if (!spin_try_acquire(&pages.lock))
        return -EBUSY;
    *s = read_stats();
    spin_release(&pages.lock);
    return 0;
}

/* With nothing in the cache, and nothing let in, all come by alloc_slow(). */
void page_inject_failure(uint64_t nth)
{
    spin_lock(&pages.lock);
    pages.inject = nth;
    drain_cache(this_cache());
    this_cache()->max = nth == 0 ? CACHE_SIZE : 0;
    spin_unlock(&pages.lock);
}

static int check_lists(char *why, size_t len)
{
    uint64_t n = 0;

    for (unsigned int order = 0; order < NR_ORDERS; order++) {
        uint64_t prev = 0;

        for (uint64_t pfn = pages.head[order]; pfn != 0;) {
            const struct page *r = record(pfn);

            if (r->state != FREE || r->order != order || r->prev != prev ||
                aligned_index(pfn) % (1ul << order) != 0) {
                snprintf(why, len, "pfn %#lx in list %u: state %#x, order %u",
                         pfn, order, r->state, r->order);
                return -EINVAL;
            }
            n += 1ul << order;
            prev = pfn;
            pfn = r->next;
        }
    }
    if (n != pages.nr_free) {
        snprintf(why, len, "%lu pages in the lists, %lu counted", n,
                 pages.nr_free);
        return -EINVAL;
    }
    return 0;
}

static int check_cache(const struct cache *c, char *why, size_t len)
{
    for (unsigned int i = 0; i < c->nr; i++) {
        const struct page *r = c->slots[i].record;

        if (r == record_at(c->slots[i].address) && r->state == CACHED &&
            r->order == 0)
            continue;
        snprintf(why, len, "%p in the cache: state %#x, order %u",
                 c->slots[i].address, r->state, r->order);
        return -EINVAL;
    }
    return 0;
}

int page_check(char *why, size_t len)
{
    int rc;

    spin_lock(&pages.lock);
    rc = check_lists(why, len);
    if (rc == 0)
        rc = check_cache(this_cache(), why, len);
    spin_unlock(&pages.lock);
    return rc;
}

/*
 * Starting.
 */
static uint64_t carve_size(void)
{
    const uint64_t chunks = (p2m_size() + CHUNK_PAGES - 1) / CHUNK_PAGES;

    return ALIGN_UP(linear_size() * sizeof(struct page), PAGE_SIZE) +
           ALIGN_UP((chunks + 63) / 64 * 8, PAGE_SIZE);
}

/* The records of the bootstrap region and the chunk bits, from its padding. */
static void carve(uint64_t pfn)
{
    const uint64_t records = linear_size() * sizeof(struct page);
    uint8_t *p = (uint8_t *)linear_va(_pfn(pfn));

    memset(p, 0, carve_size());
    boot_records = (struct page *)p;
    kaddr_init((uint64_t *)(p + ALIGN_UP(records, PAGE_SIZE)),
               (p2m_size() + CHUNK_PAGES - 1) / CHUNK_PAGES);
}

static void add_free_region(const struct boot_region *r)
{
    uint64_t start = pfn_x(r->start);
    const uint64_t end = start + r->nr_pages;
    const uint64_t carved = carve_size() / PAGE_SIZE;

    if (start >= linear_size()) {
        BUG_ON(pages.nr_ranges == NR_RANGES);
        pages.ranges[pages.nr_ranges++] = (struct range){ start, end };
        pages.nr_total += end - start;
        return;
    }
    if (boot_records == NULL && end - start > carved) {
        carve(start);
        start += carved;
    }
    /* What comes before it is a page or two, and not worth a second pass. */
    if (boot_records != NULL) {
        add_range(start, end);
        pages.nr_total += end - start;
    }
}

void page_init(void)
{
    const struct boot_map *map = boot_map();

    if (p2m_size() > UINT32_MAX)
        panic("page: %lu pages are more than the records can link", p2m_size());

    for (unsigned int i = 0; i < map->nr_regions; i++)
        if (map->regions[i].free)
            add_free_region(&map->regions[i]);
    if (boot_records == NULL)
        panic("page: the bootstrap region has no room for %lu bytes of records",
              carve_size());
    for (unsigned int i = 0; i < MAX_VCPUS; i++)
        caches[i].max = CACHE_SIZE;
}

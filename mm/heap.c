/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include <plinth/addr.h>
#include <plinth/bug.h>
#include <plinth/heap.h>
#include <plinth/page.h>
#include <plinth/spinlock.h>
#include <plinth/string.h>

/*
 * A slab is two pages, aligned, that begin with their header: free() finds it
 * by masking.  No object starts on a page boundary, so a pointer that lies on
 * one is a block of its own, or NULL.
 */
#define SLAB_ORDER  1
#define SLAB_SIZE   (PAGE_SIZE << SLAB_ORDER)
#define SLAB_HEADER 128
#define SLAB_MAGIC  0x51ab51ab

/* Objects that are threaded at a time, so that a first one is not dear. */
#define CARVE_MAX 16

/* Moving an object to save memory has to save some. */
#define SHRINK_MIN 256

#define BLOCK_MAX (PAGE_SIZE << PAGE_MAX_ORDER)

/*
 * Sizes of objects: steps of 16, then four to a doubling, then what divides a
 * slab well, where four to a doubling would leave up to a quarter of it over.
 * With this header only powers of two ever meet a page boundary.
 */
static const uint16_t sizes[] = {
    16,  32,  48,  64,  80,  96,  112, 128,  160,  192,  224,  256,
    320, 384, 448, 528, 608, 720, 896, 1152, 1344, 1600, 2016, 2688,
};

#define OBJECT_MAX 2688u

/* The size that is enough for n times 16 bytes. */
static const uint8_t class_of[OBJECT_MAX / 16 + 1] = {
    [0 ... 1] = 0,
    [2] = 1,
    [3] = 2,
    [4] = 3,
    [5] = 4,
    [6] = 5,
    [7] = 6,
    [8] = 7,
    [9 ... 10] = 8,
    [11 ... 12] = 9,
    [13 ... 14] = 10,
    [15 ... 16] = 11,
    [17 ... 20] = 12,
    [21 ... 24] = 13,
    [25 ... 28] = 14,
    [29 ... 33] = 15,
    [34 ... 38] = 16,
    [39 ... 45] = 17,
    [46 ... 56] = 18,
    [57 ... 72] = 19,
    [73 ... 84] = 20,
    [85 ... 100] = 21,
    [101 ... 126] = 22,
    [127 ... 168] = 23,
};

/* While it is free.  A debug build has no object of less than two words. */
struct object {
    struct object *next;
    uintptr_t check; /* debug: ~next */
};

struct slab {
    struct object *free;
    struct class *class;
    struct slab *prev, *next; /* among those of its class that are listed */
    uint32_t magic;
    uint16_t size;  /* of an object */
    uint16_t used;  /* objects in use */
    uint16_t fresh; /* from this offset on, nothing was ever threaded */
    bool listed;
};

BUILD_BUG_ON(sizeof(struct slab) > SLAB_HEADER);
BUILD_BUG_ON(SLAB_SIZE > UINT16_MAX);

/*
 * Every slab with a free object is listed; one without may be until somebody
 * looks.  An empty slab is always the spare, though a spare need not be empty.
 */
struct class
{
    struct slab *slabs; /* objects come from the first */
    struct slab *spare;
    uint64_t allocs, frees, slabs_made, slabs_freed;
};

/*
 * All the state there is, of one heap for all.  One for each vCPU would be an
 * array of these: a slab knows its class, and thereby whose it is.
 */
static struct heap {
    struct class class[ARRAY_SIZE(sizes)];
    uint64_t block_allocs, block_frees, block_bytes, failures;
} heap;

/*
 * Debug builds.  The last word of an object or block says what it is and how
 * much of it was asked for; between there is a red zone, of which at least
 * eight bytes fit.  What is free and in a slab is poisoned.
 */
#define EXTRA        (CONFIG_DEBUG ? 16u : 0u)
#define RED_ZONE_MAX 64u
#define RED          0xfd
#define POISON       0xdf

enum state {
    LIVE_OBJECT = 0x0b1ec701,
    FREE_OBJECT = 0x0b1ec7f4,
    LIVE_BLOCK = 0xb10c4b01,
    FREE_BLOCK = 0xb10c4bf4
};

struct mark {
    uint32_t size; /* as asked for */
    uint32_t state_and_size;
};

BUILD_BUG_ON(BLOCK_MAX > UINT32_MAX);

/* The mark of the @room bytes at @p. */
static struct mark *mark_of(void *p, size_t room)
{
    return (struct mark *)((char *)p + room) - 1;
}

/* Each bit of the size counts, lest an overrun just moves the red zone. */
static enum state state_of(const struct mark *m)
{
    return m->state_and_size ^ m->size * 0x9e3779b1;
}

static void set_mark(struct mark *m, size_t size, enum state state)
{
    m->size = (uint32_t)size;
    m->state_and_size = state ^ m->size * 0x9e3779b1;
}

static size_t red_zone(size_t size, size_t room)
{
    return MIN(room - sizeof(struct mark) - size, (size_t)RED_ZONE_MAX);
}

static void mark_live(void *p, size_t room, size_t size, enum state state)
{
    set_mark(mark_of(p, room), size, state);
    memset((char *)p + size, RED, red_zone(size, room));
}

/* Each byte equals the one before it, at memcmp's pace. */
static bool is_filled(const uint8_t *p, uint8_t byte, size_t len)
{
    return len == 0 || (*p == byte && memcmp(p, p + 1, len - 1) == 0);
}

static void check_end(const char *who, void *p, size_t room, enum state state)
{
    const struct mark m = *mark_of(p, room);

    if (state_of(&m) != state || m.size > room - EXTRA ||
        !is_filled((uint8_t *)p + m.size, RED, red_zone(m.size, room)))
        panic("heap: %s(%p): written past its end", who, p);
}

/*
 * That a block was freed before, or that none starts there, is for page_order()
 * to see; but a slab is a block to it, and it may trust us.
 */
static void check_block(const char *who, void *p, size_t room)
{
    const enum state state = state_of(mark_of(p, room));

    if (state == FREE_BLOCK)
        panic("heap: %s(%p): already freed", who, p);
    if (state != LIVE_BLOCK && ((struct slab *)p)->magic == SLAB_MAGIC)
        panic("heap: %s(%p): not the start of an object", who, p);

    check_end(who, p, room, LIVE_BLOCK);
}

/* Offset of a slab's first object, such that all have their size's alignment */
static size_t first_offset(size_t size)
{
    return MAX((size_t)SLAB_HEADER, size & -size);
}

static void check_object(const char *who, const struct slab *s, void *p)
{
    const size_t at = (uintptr_t)p % SLAB_SIZE;

    if (s->magic != SLAB_MAGIC || at < first_offset(s->size) ||
        at >= s->fresh || (at - first_offset(s->size)) % s->size != 0)
        panic("heap: %s(%p): not the start of an object", who, p);
    if (state_of(mark_of(p, s->size)) == FREE_OBJECT)
        panic("heap: %s(%p): already freed", who, p);

    check_end(who, p, s->size, LIVE_OBJECT);
}

static void poison(struct object *o, size_t size)
{
    memset(o, POISON, size);
    set_mark(mark_of(o, size), size, FREE_OBJECT);
}

static void check_poison(struct object *o, size_t size)
{
    const size_t len = size - sizeof(*o) - sizeof(struct mark);

    if (o->check != ~(uintptr_t)o->next ||
        !is_filled((uint8_t *)(o + 1), POISON, len) ||
        state_of(mark_of(o, size)) != FREE_OBJECT)
        panic("heap: %p: written to after it was freed", (void *)o);
}

/* Guards slabs, classes and counts.  An object is its owner's alone. */
static struct spinlock heap_lock;

/*
 * Slabs.
 */
static void *fail(void)
{
    __atomic_add_fetch(&heap.failures, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void set_next(struct object *o, struct object *next)
{
    o->next = next;
    if (CONFIG_DEBUG)
        o->check = ~(uintptr_t)next;
}

static void list(struct class *c, struct slab *s)
{
    s->listed = true;
    s->prev = NULL;
    s->next = c->slabs;
    if (s->next != NULL)
        s->next->prev = s;
    c->slabs = s;
}

static void unlist(struct class *c, struct slab *s)
{
    s->listed = false;
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        c->slabs = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
}

/* Thread a few objects that never were.  Are there any? */
static bool carve(struct slab *s)
{
    struct object *last = NULL;

    for (unsigned int i = 0; i < CARVE_MAX; i++, s->fresh += s->size) {
        struct object *const o = (struct object *)((char *)s + s->fresh);

        if (s->fresh + s->size > SLAB_SIZE)
            break;
        if (IS_ALIGNED((uintptr_t)o, PAGE_SIZE))
            continue; /* would look like a block */
        if (CONFIG_DEBUG)
            poison(o, s->size);

        set_next(o, NULL);
        if (last == NULL)
            s->free = o;
        else
            set_next(last, o);
        last = o;
    }

    return last != NULL;
}

/* Not locked meanwhile, so that keepers can be asked (plinth/page.h). */
static struct slab *make_slab(struct class *c)
{
    const uint16_t size = sizes[c - heap.class];
    struct slab *s;

    spin_unlock(&heap_lock);
    s = page_alloc(SLAB_ORDER);
    spin_lock(&heap_lock);
    if (s == NULL)
        return fail();

    *s = (struct slab){
        .class = c,
        .magic = SLAB_MAGIC,
        .size = size,
        .fresh = first_offset(size),
    };
    list(c, s);
    c->slabs_made++;

    return s;
}

static void free_slab(struct class *c, struct slab *s)
{
    unlist(c, s);
    c->slabs_freed++;
    s->magic = 0;
    page_free(s, SLAB_ORDER);
}

/* The first slab has no free object, or there is none: a slab that has. */
static struct slab *refill(struct class *c)
{
    struct slab *s = c->slabs;

    while (s != NULL && s->free == NULL && !carve(s)) {
        unlist(c, s);
        s = c->slabs;
    }

    if (s == NULL) {
        s = make_slab(c);
        if (s != NULL)
            carve(s);
    }

    return s;
}

/* Hand out the first free object of @s, of which there is one. */
static __always_inline void *take_object(struct class *c, struct slab *s)
{
    struct object *const o = s->free;

    if (CONFIG_DEBUG)
        check_poison(o, s->size);

    s->free = o->next;
    s->used++;
    c->allocs++;

    return o;
}

static void *__noinline refill_and_take(struct class *c)
{
    struct slab *const s = refill(c);

    return s == NULL ? NULL : take_object(c, s);
}

/* Of up to OBJECT_MAX - EXTRA bytes. */
static __always_inline unsigned int class_for(size_t size)
{
    /* An object of 16 bytes has no room for the mark and what is checked. */
    if (CONFIG_DEBUG && size == 0)
        size = 1;

    return class_of[(size + EXTRA + 15) / 16];
}

static __always_inline void *get_object(unsigned int class, size_t size)
{
    struct class *const c = &heap.class[class];
    struct slab *s;
    void *p;

    spin_lock(&heap_lock);
    s = c->slabs;
    if (unlikely(s == NULL || s->free == NULL))
        p = refill_and_take(c);
    else
        p = take_object(c, s);
    spin_unlock(&heap_lock);
    if (CONFIG_DEBUG && p != NULL)
        mark_live(p, sizes[class], size, LIVE_OBJECT);

    return p;
}

/*
 * @s was full until now, or is empty now and not the spare.  Of empty ones, one
 * is kept.  Both at once it cannot be, with several objects to a slab.
 */
static void __noinline settle(struct class *c, struct slab *s)
{
    if (s->used > 0)
        list(c, s);
    else if (c->spare != NULL && c->spare->used == 0)
        free_slab(c, s);
    else
        c->spare = s;
}

static struct slab *slab_of(void *p)
{
    return (struct slab *)((uintptr_t)p & ~(SLAB_SIZE - 1));
}

/*
 * Blocks.
 */
static void *__noinline get_block(size_t size, size_t align)
{
    unsigned int order;
    void *p;

    if (size > BLOCK_MAX - EXTRA)
        return fail();

    order = page_order_for(MAX(size + EXTRA, align));
    p = page_alloc(order);
    if (p == NULL)
        return fail();

    spin_lock(&heap_lock);
    heap.block_allocs++;
    heap.block_bytes += PAGE_SIZE << order;
    spin_unlock(&heap_lock);
    if (CONFIG_DEBUG)
        mark_live(p, PAGE_SIZE << order, size, LIVE_BLOCK);

    return p;
}

static void __noinline free_block(void *p)
{
    unsigned int order;

    if (p == NULL)
        return;

    order = page_order(p);
    if (CONFIG_DEBUG) {
        check_block("free", p, PAGE_SIZE << order);
        /* Once is enough to be seen, and a block may be large. */
        memset(p, POISON, PAGE_SIZE);
        set_mark(mark_of(p, PAGE_SIZE << order), 0, FREE_BLOCK);
    }

    spin_lock(&heap_lock);
    heap.block_frees++;
    heap.block_bytes -= PAGE_SIZE << order;
    spin_unlock(&heap_lock);
    page_free(p, order);
}

/*
 * What the header promises.
 */
void *__no_stack_check malloc(size_t size)
{
    if (unlikely(size > OBJECT_MAX - EXTRA))
        return get_block(size, 0);

    return get_object(class_for(size), size);
}

void *calloc(size_t n, size_t size)
{
    size_t total;
    void *p;

    if (__builtin_mul_overflow(n, size, &total))
        return fail();

    p = malloc(total);
    if (p != NULL)
        memset(p, 0, total);

    return p;
}

void *aligned_alloc(size_t align, size_t size)
{
    if (align == 0 || (align & (align - 1)) != 0 || align > HEAP_ALIGN_MAX)
        return fail();
    if (align <= HEAP_ALIGN)
        return malloc(size);

    if (size <= OBJECT_MAX - EXTRA)
        for (unsigned int i = class_for(size); i < ARRAY_SIZE(sizes); i++)
            if (IS_ALIGNED(sizes[i], align))
                return get_object(i, size);

    return get_block(size, align);
}

void __no_stack_check free(void *p)
{
    struct slab *s;
    struct class *c;

    if (unlikely(IS_ALIGNED((uintptr_t)p, PAGE_SIZE))) {
        free_block(p);
        return;
    }

    s = slab_of(p);
    if (CONFIG_DEBUG) {
        check_object("free", s, p);
        poison(p, s->size);
    }

    spin_lock(&heap_lock);
    set_next(p, s->free);
    s->free = p;
    s->used--;
    c = s->class;
    c->frees++;
    if (unlikely(s->used == 0 ? c->spare != s : !s->listed))
        settle(c, s);
    spin_unlock(&heap_lock);
}

/* Give the object at @p its new size where it is, if that does. */
static bool resize(void *p, size_t room, size_t size, enum state state)
{
    if (size > room - EXTRA || (room > SHRINK_MIN && size < room / 4))
        return false;
    if (CONFIG_DEBUG)
        mark_live(p, room, size, state);

    return true;
}

void *realloc(void *p, size_t size)
{
    const bool is_block = IS_ALIGNED((uintptr_t)p, PAGE_SIZE);
    const enum state state = is_block ? LIVE_BLOCK : LIVE_OBJECT;
    size_t room, kept;
    void *q;

    if (p == NULL)
        return malloc(size);

    room = is_block ? PAGE_SIZE << page_order(p) : slab_of(p)->size;
    kept = room;
    if (CONFIG_DEBUG) {
        if (is_block)
            check_block("realloc", p, room);
        else
            check_object("realloc", slab_of(p), p);
        kept = mark_of(p, room)->size;
    }

    if (resize(p, room, size, state))
        return p;

    q = malloc(size);
    if (q == NULL) {
        if (size > room - EXTRA)
            return NULL;
        if (CONFIG_DEBUG)
            mark_live(p, room, size, state);
        return p;
    }

    memcpy(q, p, MIN(kept, size));
    free(p);
    return q;
}

char *strdup(const char *s)
{
    const size_t size = strlen(s) + 1;
    char *copy = malloc(size);

    return copy == NULL ? NULL : memcpy(copy, s, size);
}

size_t heap_trim(void)
{
    size_t pages = 0;

    spin_lock(&heap_lock);
    for (unsigned int i = 0; i < ARRAY_SIZE(heap.class); i++) {
        struct class *const c = &heap.class[i];

        if (c->spare == NULL || c->spare->used > 0)
            continue;
        free_slab(c, c->spare);
        c->spare = NULL;
        pages += 1u << SLAB_ORDER;
    }
    spin_unlock(&heap_lock);

    return pages;
}

static bool give_back(void)
{
    return heap_trim() > 0;
}
PAGE_KEEPER(give_back);

struct heap_stats heap_stats(void)
{
    struct heap_stats s = {
        .bytes = heap.block_bytes,
        .objects = heap.block_allocs - heap.block_frees,
        .blocks = heap.block_allocs - heap.block_frees,
        .allocations = heap.block_allocs,
        .failures = heap.failures,
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(heap.class); i++) {
        const struct class *const c = &heap.class[i];

        s.bytes += (c->allocs - c->frees) * sizes[i];
        s.objects += c->allocs - c->frees;
        s.slabs += c->slabs_made - c->slabs_freed;
        s.allocations += c->allocs;
    }

    return s;
}

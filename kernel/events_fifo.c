/* SPDX-License-Identifier: MIT */
/*
 * The FIFO form: a word for each port, in pages that we give to Xen, and for
 * each vCPU a control block with the heads of 16 queues, one for each priority.
 * Xen links the words of ports that have events; we take them off.
 *
 *      control block            event array
 *      ready  ...0000 1000 0000    port 3   PENDING LINKED -> 9
 *      head[7] = 3 ------------>   port 9   PENDING LINKED -> 0 (the last)
 *
 * Xen changes words at the same time, so each change here is one atomic
 * operation.  Both kinds of page are ordinary memory that stays where it is:
 * there is no way to take it back.
 */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <plinth/addr.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/kaddr.h>
#include <plinth/page.h>

#include "events_abi.h"

#define PENDING   (1u << EVTCHN_FIFO_PENDING)
#define MASKED    (1u << EVTCHN_FIFO_MASKED)
#define LINKED    (1u << EVTCHN_FIFO_LINKED)
#define BUSY      (1u << EVTCHN_FIFO_BUSY)
#define LINK_MASK ((event_word_t)EVTCHN_FIFO_LINK_MASK)

#define PAGE_WORDS (PAGE_SIZE / sizeof(event_word_t))
#define MAX_PAGES  (EVTCHN_FIFO_NR_CHANNELS / PAGE_WORDS)

/* Xen wants them inside one page, aligned to 8. */
static struct {
    struct evtchn_fifo_control_block block;
} __aligned(128) controls[MAX_VCPUS];
BUILD_BUG_ON(sizeof(controls[0]) != 128);

/* What we have seen of each queue, of this vCPU alone: 0, or the next port. */
static evtchn_port_t heads[MAX_VCPUS][EVTCHN_FIFO_MAX_QUEUES];

static event_word_t first_page[PAGE_WORDS] __section(".bss.page_aligned")
    __aligned(PAGE_SIZE);
static event_word_t *pages[MAX_PAGES];
static unsigned int nr_pages;

/* NULL for a port beyond the array. */
static event_word_t *word_of(evtchn_port_t port)
{
    return port / PAGE_WORDS < nr_pages
               ? &pages[port / PAGE_WORDS][port % PAGE_WORDS]
               : NULL;
}

/* Xen links nothing that is masked, so a new page is quiet. */
static int add_page(event_word_t *page)
{
    uint64_t *two = (uint64_t *)page;
    struct evtchn_expand_array arg = {
        .array_gfn = mfn_x(kaddr_mfn(page)),
    };
    int rc;

#pragma GCC unroll 8
    for (unsigned int i = 0; i < PAGE_WORDS / 2; i++)
        two[i] = (uint64_t)MASKED << 32 | MASKED;
    rc = hypercall_event_channel_op(EVTCHNOP_expand_array, &arg);
    if (rc != 0)
        return rc;
    pages[nr_pages] = page;
    __atomic_store_n(&nr_pages, nr_pages + 1, __ATOMIC_RELEASE);
    return 0;
}

static int grow(evtchn_port_t port)
{
    if (port >= EVTCHN_FIFO_NR_CHANNELS)
        return -ENOSPC;
    while (word_of(port) == NULL) {
        event_word_t *page = page_alloc(0);
        int rc;

        if (page == NULL)
            return -ENOMEM;
        rc = add_page(page);
        if (rc != 0) {
            page_free(page, 0);
            return rc;
        }
    }
    return 0;
}

static void mask(evtchn_port_t port)
{
    event_word_t *word = word_of(port);

    if (word != NULL)
        __atomic_fetch_or(word, MASKED, __ATOMIC_SEQ_CST);
}

/*
 * Xen, while it links the word, marks it BUSY and counts on its mask; then it
 * is Xen who unmasks.
 */
static bool unmask(evtchn_port_t port)
{
    event_word_t *word = word_of(port);
    event_word_t old;

    if (word == NULL)
        return false;
    old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    do {
        if (old & BUSY)
            return true;
    } while (!__atomic_compare_exchange_n(word, &old, old & ~MASKED, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old & PENDING;
}

static void clear(evtchn_port_t port)
{
    event_word_t *word = word_of(port);

    if (word != NULL)
        __atomic_fetch_and(word, ~PENDING, __ATOMIC_SEQ_CST);
}

static void set(evtchn_port_t port)
{
    event_word_t *word = word_of(port);

    if (word != NULL)
        __atomic_fetch_or(word, PENDING, __ATOMIC_SEQ_CST);
}

static unsigned int state(evtchn_port_t port)
{
    const event_word_t *word = word_of(port);
    const event_word_t now =
        word != NULL ? __atomic_load_n(word, __ATOMIC_SEQ_CST) : MASKED;

    return (now & PENDING ? EVENT_PENDING : 0) |
           (now & MASKED ? EVENT_MASKED : 0);
}

static bool has_event(event_word_t word)
{
    return (word & (PENDING | MASKED)) == PENDING;
}

/*
 * Take the word off its queue, and its event if it has one that is not masked.
 * All in one step; it would be right one by one, too.  Returns what it was.
 */
static event_word_t take(event_word_t *word)
{
    event_word_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST), new;

    do {
        new = old & ~(LINKED | LINK_MASK);
        if (has_event(old))
            new ^= PENDING | MASKED;
    } while (!__atomic_compare_exchange_n(word, &old, new, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old;
}

/*
 * One port of queue @q.  When it was the last, the queue is no longer ready; if
 * Xen has started a new one meanwhile, it has said so in the control block.
 */
static void take_one(unsigned int q, uint32_t *ready)
{
    struct evtchn_fifo_control_block *block = &controls[vcpu_id()].block;
    evtchn_port_t *head = &heads[vcpu_id()][q];
    evtchn_port_t port = *head;
    event_word_t *word, old;

    if (port == 0)
        port = __atomic_load_n(&block->head[q], __ATOMIC_ACQUIRE);
    word = port != 0 ? word_of(port) : NULL;
    if (word == NULL) {
        *head = 0;
        *ready &= ~(1u << q);
        return;
    }
    old = take(word);
    *head = old & LINK_MASK;
    if (*head == 0)
        *ready &= ~(1u << q);
    if (has_event(old))
        event_deliver(port);
}

/* The lowest bit is the highest priority, and is looked for each time. */
static void scan(void)
{
    uint32_t *shared = &controls[vcpu_id()].block.ready;
    uint32_t ready = __atomic_exchange_n(shared, 0, __ATOMIC_SEQ_CST);

    while (ready != 0) {
        take_one(__builtin_ctz(ready), &ready);
        ready |= __atomic_exchange_n(shared, 0, __ATOMIC_SEQ_CST);
    }
}

const struct event_abi event_abi_fifo = {
    .name = "FIFO",
    .grow = grow,
    .mask = mask,
    .unmask = unmask,
    .clear = clear,
    .set = set,
    .state = state,
    .scan = scan,
};

int event_fifo_init(void)
{
    const unsigned int vcpu = vcpu_id();
    const void *block = &controls[vcpu].block;
    struct evtchn_init_control arg = {
        .control_gfn = mfn_x(kaddr_mfn(block)),
        .offset = vaddr_page_offset(ptr_to_vaddr(block)),
        .vcpu = vcpu,
    };
    int rc = hypercall_event_channel_op(EVTCHNOP_init_control, &arg);

    if (rc != 0)
        return rc;
    if (nr_pages == 0 && (rc = add_page(first_page)) != 0)
        panic("events: Xen takes the FIFO's control block but no array: %s",
              errno_name(rc));
    return 0;
}

unsigned int event_fifo_pages(void)
{
    return nr_pages > 0 ? nr_pages - 1 : 0; /* one is the image's own */
}

/* SPDX-License-Identifier: MIT */
/*
 * ref_mmu: the MMU queue against doing everything one by one.
 *
 * What the queue is told is remembered here as a plain list.  Each hypercall
 * that leaves the queue is held against the head of that list: the requests, how
 * they are grouped, and when they go.  Then it is made on one fake machine, and
 * its requests one by one on another.  After each end both machines are the
 * same, and the queue has told of the request that the second one refused.
 *
 *   units     as in plinth/mmu.h
 *   owns      the two machines; the queue, which is left empty
 *   context   host, one thread, included by one file
 *   failure   ref_mmu_run() says what was not as promised
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/hypercall.h>
#include <plinth/mmu.h>
#include <plinth/printk.h>
#include <plinth/symbols.h>

#include "fake_xen.h"
#include "panic.h"
#include "ref_fail.h"
#include "ref_input.h"

#define REF_DEPTH 5u
#define REF_RUN   1500u /* most entries of one */

/* No queue is smaller: one that is not as full has no reason to send early. */
#define REF_PTES   256u
#define REF_OTHERS 16u

/* With a failure to inject the queue shall not get full at all. */
#define REF_FEW 12u

#define REF_PENDING 65536u

#define REF_ENOMEM 12

enum ref_kind {
    REF_PTE,
    REF_EXT,
    REF_VA
};

struct ref_request {
    enum ref_kind kind;
    unsigned int owner;      /* DOMID_SELF, or whose frame it names */
    unsigned int call;       /* the call of mmu_*() that queued it */
    const char *by, *by_end; /* the code that made that call; or NULL */
    struct mmu_update pte;
    struct mmuext_op ext;
    uint64_t va, entry, flags;
};

/* One begin that has not ended. */
struct ref_level {
    int rc;                     /* of the first refused, since the last send */
    struct ref_request refused; /* that one */
    unsigned int nr_notes; /* pages to flush; more than MMU_INVLPG_MAX: all */
    uint64_t notes[MMU_INVLPG_MAX];
};

static struct {
    struct fake_xen batched, single;
    struct ref_request
        pending[REF_PENDING]; /* queued, not sent: [head, tail) */
    unsigned int head, tail;
    unsigned int depth;
    struct ref_level levels[REF_DEPTH + 1]; /* [0]: mmu_set_va_now() alone */
    unsigned int calls;                     /* of mmu_*() */
    unsigned int sent, hypercalls;          /* during the one that runs */
    bool may_send; /* the one that runs does, full or not */
    bool sync;
    uint64_t inject; /* requests until the one to refuse */
    bool singly;     /* the send that runs goes request by request */
    unsigned int refusals;
} ref;

/*
 * What mm/mmu.c needs besides.
 */
void printk(enum log_level level, const char *fmt, ...)
{
    (void)level, (void)fmt;
}

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
    (void)address, (void)offset;
    return NULL;
}

/*
 * Hypercalls.
 */
static int ref_apply(struct fake_xen *x, const struct ref_request *r)
{
    switch (r->kind) {
    case REF_PTE:
        return fake_mmu_update(x, &r->pte, 1, NULL, r->owner);
    case REF_EXT:
        return fake_mmuext_op(x, &r->ext, 1, NULL, r->owner);
    default:
        return fake_update_va_mapping(x, r->va, r->entry, r->flags, r->owner);
    }
}

/* Neighbours that go as one: how many from pending request @i on. */
static unsigned int ref_run_length(unsigned int i, unsigned int end)
{
    const struct ref_request *r = &ref.pending[i];
    unsigned int n = 1;

    while (i + n < end && r->kind != REF_VA && r[n].kind == r->kind &&
           r[n].owner == r->owner && (!ref.sync || r[n].call == r->call))
        n++;
    return n;
}

static void ref_refused(const struct ref_request *r, int rc)
{
    struct ref_level *level = &ref.levels[ref.depth];

    ref.refusals++;
    if (level->rc != 0)
        return;
    level->rc = rc;
    level->refused = *r;
}

/* The request that a failure was injected for, and its run: never sent. */
static void ref_refuse_injected(void)
{
    const unsigned int n = ref_run_length(ref.head, ref.tail);

    ref.inject = 0;
    ref_refused(&ref.pending[ref.head], -REF_ENOMEM);
    ref.head += n;
    ref.sent += n;
}

static bool ref_same_request(const struct ref_request *a,
                             const struct multicall_entry *c, unsigned int i)
{
    const struct mmu_update *pte = (const void *)c->args[0];
    const struct mmuext_op *ext = (const void *)c->args[0];

    switch (a->kind) {
    case REF_PTE:
        return c->op == __HYPERVISOR_mmu_update && c->args[3] == a->owner &&
               a->pte.ptr == pte[i].ptr && a->pte.val == pte[i].val;
    case REF_EXT:
        return c->op == __HYPERVISOR_mmuext_op && c->args[3] == a->owner &&
               a->ext.cmd == ext[i].cmd && a->ext.arg1.mfn == ext[i].arg1.mfn &&
               a->ext.arg2.src_mfn == ext[i].arg2.src_mfn;
    default:
        return a->va == c->args[0] && a->entry == c->args[1] &&
               a->flags == c->args[2] &&
               (a->owner == DOMID_SELF
                    ? c->op == __HYPERVISOR_update_va_mapping
                    : c->op == __HYPERVISOR_update_va_mapping_otherdomain &&
                          c->args[3] == a->owner);
    }
}

static unsigned int ref_count(const struct multicall_entry *c)
{
    return c->op == __HYPERVISOR_mmu_update || c->op == __HYPERVISOR_mmuext_op
               ? c->args[1]
               : 1;
}

/* Are the @nr runs at @calls what comes next?  If so, this many requests. */
static unsigned int ref_expected(const struct multicall_entry *calls,
                                 unsigned int nr)
{
    unsigned int at = ref.head, total = 0;

    for (unsigned int i = 0; i < nr; i++)
        total += ref_count(&calls[i]);
    if (nr == 0 || total > ref.tail - ref.head) {
        ref_fail("%u requests in %u runs, %u were queued", total, nr,
                 ref.tail - ref.head);
        return 0;
    }
    for (unsigned int i = 0; i < nr; i++) {
        const unsigned int n = ref_count(&calls[i]);

        if (!ref.singly && n != ref_run_length(at, ref.head + total)) {
            ref_fail("run %u of %u has %u requests, not %u", i, nr, n,
                     ref_run_length(at, ref.head + total));
            return 0;
        }
        for (unsigned int k = 0; k < n; k++)
            if (!ref_same_request(&ref.pending[at + k], &calls[i], k)) {
                ref_fail("request %u of run %u is not what was queued", k, i);
                return 0;
            }
        at += n;
    }
    return total;
}

/* Not told to, it may send only what fills a queue. */
static void ref_check_early(unsigned int nr, unsigned int total)
{
    unsigned int kinds[3] = { 0 }, callers = 0;

    if (ref.may_send || ref.sync)
        return;
    for (unsigned int i = 0; i < total; i++) {
        const struct ref_request *r = &ref.pending[ref.head + i];

        kinds[r->kind]++;
        callers += i == 0 || r[-1].by != r->by;
    }
    REF_MUST(kinds[REF_PTE] >= REF_PTES || kinds[REF_EXT] >= REF_OTHERS ||
                 kinds[REF_VA] >= REF_OTHERS || nr >= REF_OTHERS ||
                 callers >= REF_OTHERS,
             "%u requests in %u runs sent early", total, nr);
}

/* The run at the head, one by one, as far as it goes; what the last one said. */
static int ref_make_run(unsigned int n, unsigned int *done)
{
    int rc = 0;

    for (*done = 0; *done < n && rc == 0; *done += rc == 0)
        rc = ref_apply(&ref.single, &ref.pending[ref.head + *done]);
    if (rc != 0)
        ref_refused(&ref.pending[ref.head + *done], rc);
    /* Request by request, the others of its run are still to come or not. */
    if (ref.singly && rc != 0)
        n = ref_run_length(ref.head, ref.tail);
    ref.head += n;
    ref.sent += n;
    return rc;
}

/* @nr runs at @calls go to Xen; their results come back in them. */
static void ref_send(struct multicall_entry *calls, unsigned int nr)
{
    struct multicall_entry *sent = calloc(nr + 1, sizeof(*sent));
    unsigned int total, done;

    if (sent == NULL)
        abort();
    if (nr > 0)
        memcpy(sent, calls, nr * sizeof(*calls));

    ref.hypercalls++;
    ref.singly = ref.singly || ref.inject != 0;
    if (ref.inject == 1 && ref.head < ref.tail)
        ref_refuse_injected();
    else if (ref.inject > 0)
        ref.inject--;

    total = ref_expected(calls, nr);
    if (total > 0)
        ref_check_early(nr, total);
    fake_multicall(&ref.batched, calls, nr);

    for (unsigned int i = 0; i < nr && total > 0; i++) {
        const unsigned int n = ref_count(&sent[i]);
        const int rc = ref_make_run(n, &done);

        REF_MUST(rc == (int)calls[i].result, "%d in a batch, %d singly",
                 (int)calls[i].result, rc);
        if (sent[i].op == __HYPERVISOR_mmu_update ||
            sent[i].op == __HYPERVISOR_mmuext_op)
            REF_MUST(*(unsigned int *)sent[i].args[2] == done,
                     "%u done in a batch, %u singly",
                     *(unsigned int *)sent[i].args[2], done);
    }
    free(sent);
}

static int ref_send_one(struct multicall_entry c)
{
    ref_send(&c, 1);
    return (int)c.result;
}

int hypercall_mmu_update(const struct mmu_update *req, unsigned int count,
                         unsigned int *done, unsigned int owner)
{
    return ref_send_one((struct multicall_entry){
        .op = __HYPERVISOR_mmu_update,
        .args = { (uintptr_t)req, count, (uintptr_t)done, owner } });
}

int hypercall_mmuext_op(const struct mmuext_op *op, unsigned int count,
                        unsigned int *done, domid_t owner)
{
    return ref_send_one((struct multicall_entry){
        .op = __HYPERVISOR_mmuext_op,
        .args = { (uintptr_t)op, count, (uintptr_t)done, owner } });
}

int hypercall_update_va_mapping(vaddr_t va, pte_t pte, unsigned long flags)
{
    return ref_send_one(
        (struct multicall_entry){ .op = __HYPERVISOR_update_va_mapping,
                                  .args = { vaddr_x(va), pte.raw, flags } });
}

int hypercall_update_va_mapping_otherdomain(vaddr_t va, pte_t pte,
                                            unsigned long flags, domid_t owner)
{
    return ref_send_one((struct multicall_entry){
        .op = __HYPERVISOR_update_va_mapping_otherdomain,
        .args = { vaddr_x(va), pte.raw, flags, owner } });
}

int hypercall_multicall(struct multicall_entry *calls, unsigned int nr)
{
    REF_MUST(nr > 1, "a multicall of %u", nr);
    ref_send(calls, nr);
    return 0;
}

/*
 * Calls of the queue.  Each is made from a section of its own, so that it is
 * known what address is told as its caller's.
 */
#define REF_SITE(name, params, ...)                                            \
    extern const char __start_code_##name[], __stop_code_##name[];             \
    static __noinline __section("code_" #name) void site_##name params         \
    {                                                                          \
        __VA_ARGS__;                                                           \
        barrier();                                                             \
    }

REF_SITE(set_pte, (maddr_t at, pte_t pte), mmu_set_pte(at, pte))
REF_SITE(keep_ad, (maddr_t at, pte_t pte), mmu_set_pte_keep_ad(at, pte))
REF_SITE(set_run,
         (maddr_t at, const mfn_t *frames, uint64_t flags, unsigned int nr),
         mmu_set_run(at, frames, flags, nr))
REF_SITE(clear_run, (maddr_t at, unsigned int nr), mmu_clear_run(at, nr))
REF_SITE(set_m2p, (mfn_t mfn, pfn_t pfn), mmu_set_m2p(mfn, pfn))
REF_SITE(pin, (mfn_t mfn, unsigned int level), mmu_pin(mfn, level))
REF_SITE(unpin, (mfn_t mfn), mmu_unpin(mfn))
REF_SITE(ext, (const struct mmuext_op *op), mmu_ext(op))
REF_SITE(set_va, (vaddr_t va, pte_t pte, unsigned long flags),
         mmu_set_va(va, pte, flags))
REF_SITE(va_now, (vaddr_t va, pte_t pte, unsigned long flags, int *rc),
         *rc = mmu_set_va_now(va, pte, flags))

#define REF_BY(name) .by = __start_code_##name, .by_end = __stop_code_##name

static void ref_queue(struct ref_request r)
{
    if (ref.tail == REF_PENDING) {
        ref_fail("too much for this test");
        return;
    }
    r.call = ref.calls;
    ref.pending[ref.tail++] = r;
}

static void ref_queue_pte(const struct ref_request *like, uint64_t ptr,
                          uint64_t val)
{
    struct ref_request r = *like;

    r.kind = REF_PTE;
    r.pte = (struct mmu_update){ .ptr = ptr, .val = val };
    ref_queue(r);
}

/* The flushes that the level noted go last. */
static void ref_queue_flushes(void)
{
    struct ref_level *level = &ref.levels[ref.depth];
    const unsigned int n = level->nr_notes;

    level->nr_notes = 0;
    for (unsigned int i = 0; i < n && n <= MMU_INVLPG_MAX; i++) {
        ref.calls++;
        ref_queue((struct ref_request){
            .kind = REF_EXT,
            .owner = DOMID_SELF,
            .ext = { .cmd = MMUEXT_INVLPG_LOCAL,
                     .arg1.linear_addr = level->notes[i] } });
    }
    if (n > MMU_INVLPG_MAX)
        ref_queue(
            (struct ref_request){ .kind = REF_EXT,
                                  .owner = DOMID_SELF,
                                  .ext = { .cmd = MMUEXT_TLB_FLUSH_LOCAL } });
}

static struct mmu_stats ref_before;
static bool ref_injecting;

/* A call is about to be made that sends what is queued, or one that does not. */
static void ref_call(bool may_send)
{
    ref.calls++;
    ref.may_send = may_send;
    ref.sent = ref.hypercalls = ref.refusals = 0;
    ref.singly = false;
    ref_before = mmu_stats();
    ref_injecting = ref.inject != 0;
}

/* How many hypercalls what is queued makes, or a negative number: it depends. */
static int ref_promised(void)
{
    const unsigned int n = ref.tail - ref.head;

    if (n >= REF_OTHERS || ref.sync)
        return -1;
    return n > 0;
}

static void ref_called(int promised)
{
    const struct mmu_stats now = mmu_stats();

    if (ref.may_send || ref.sync) {
        while (ref.inject == 1 && ref.head < ref.tail)
            ref_refuse_injected();
        REF_MUST(ref.head == ref.tail, "%u requests are not sent",
                 ref.tail - ref.head);
    }
    if (!ref_injecting) {
        REF_MUST(promised < 0 || (unsigned int)promised == ref.hypercalls,
                 "%u hypercalls, promised %d", ref.hypercalls, promised);
        REF_MUST(now.hypercalls - ref_before.hypercalls == ref.hypercalls,
                 "%u hypercalls, counted %u", ref.hypercalls,
                 (unsigned int)(now.hypercalls - ref_before.hypercalls));
        REF_MUST(now.entries - ref_before.entries == ref.sent,
                 "%u requests, counted %u", ref.sent,
                 (unsigned int)(now.entries - ref_before.entries));
    }
    REF_MUST((now.refused != ref_before.refused) == (ref.refusals > 0),
             "%u refused, counted %u", ref.refusals,
             (unsigned int)(now.refused - ref_before.refused));
    if (ref.head == ref.tail)
        ref.head = ref.tail = 0;
}

/* What the queue tells of the request @r that was refused with @rc. */
static void ref_check_refusal(const struct ref_request *r, int rc)
{
    static const char *const names[] = { "mmu_update", "mmuext_op",
                                         "update_va_mapping" };
    const struct mmu_refusal *got = mmu_refusal();
    const char *by = got->by;
    uint64_t where = r->va, value = r->entry;

    if (r->kind == REF_PTE) {
        where = r->pte.ptr;
        value = r->pte.val;
    } else if (r->kind == REF_EXT) {
        where = r->ext.arg1.mfn;
        value = r->ext.cmd;
    }
    REF_MUST(got->rc == rc, "the refusal's rc is %d, not %d", got->rc, rc);
    REF_MUST(strcmp(got->what, names[r->kind]) == 0,
             "the refusal is of an %s, not %s", got->what, names[r->kind]);
    REF_MUST(got->where == where && got->value == value,
             "the refusal is %#lx <- %#lx, not %#lx <- %#lx", got->where,
             got->value, where, value);
    REF_MUST(r->by == NULL ? by == NULL : by >= r->by && by < r->by_end,
             "the refusal of %#lx names another caller", where);
}

/* A send or an end told @rc of the innermost level. */
static void ref_told(int rc)
{
    struct ref_level *level = &ref.levels[ref.depth];

    REF_MUST(rc == level->rc, "%d, not %d", rc, level->rc);
    if (rc != 0 && rc == level->rc)
        ref_check_refusal(&level->refused, rc);
    level->rc = 0;
    REF_MUST(fake_xen_same(&ref.batched, &ref.single), "the machines differ");
}

static void ref_begin(void)
{
    int promised;

    if (ref.depth == REF_DEPTH)
        return;
    promised = ref_promised();
    ref_call(true);
    mmu_begin();
    ref_called(promised);
    ref.levels[++ref.depth] = (struct ref_level){ 0 };
}

static void ref_end_or_send(bool end)
{
    int promised, rc;

    if (ref.depth == 0)
        return;
    ref_queue_flushes();
    promised = ref_promised();
    ref_call(true);
    rc = end ? mmu_end() : mmu_send();
    ref_called(promised);
    ref_told(rc);
    ref.depth -= end;
}

static void ref_drop(void)
{
    if (ref.depth == 0)
        return;
    ref.head = ref.tail = 0;
    ref.levels[ref.depth] = (struct ref_level){ 0 };
    mmu_drop();
}

/*
 * From bytes to calls.
 */
static mfn_t ref_mfn(struct ref_input *in)
{
    const unsigned int b = ref_byte(in);

    return b == 255 ? _mfn(PTE_ADDR >> PAGE_SHIFT)
                    : _mfn(FAKE_FIRST + b % (FAKE_FRAMES + 2));
}

static unsigned int ref_index(struct ref_input *in)
{
    const unsigned int b = ref_byte(in);

    return b < 128 ? b % 8 : b < 250 ? b % 64 : (b * 2 + 12) % PT_ENTRIES;
}

static maddr_t ref_at(struct ref_input *in)
{
    const unsigned int b = ref_byte(in);
    const mfn_t mfn =
        _mfn(FAKE_FIRST + (b < 192 ? b % FAKE_DATA : b % (FAKE_FRAMES + 2)));

    return _maddr(maddr_x(mfn_to_maddr(mfn)) + 8 * ref_index(in));
}

static uint64_t ref_flags(struct ref_input *in)
{
    static const uint64_t flags[] = {
        PTE_DATA_RO,
        PTE_DATA,
        PTE_P | PTE_RW | PTE_USER | PTE_A,
        PTE_P | PTE_RW | PTE_A,
        PTE_P,
        PTE_P | PTE_USER,
        PTE_P | PTE_USER | PTE_GUEST_KERNEL,
        PTE_DATA_RO | 0x200,
        PTE_DATA | 1ull << 55,
        PTE_P | PTE_GLOBAL,
        PTE_P | PTE_PSE,
        PTE_P | PTE_PCD,
        0,
        PTE_RW | PTE_D,
    };

    return flags[ref_byte(in) % ARRAY_SIZE(flags)];
}

static pte_t ref_pte(struct ref_input *in)
{
    const uint64_t flags = ref_flags(in);

    return flags ? pte_make(ref_mfn(in), flags) : (pte_t){ 0 };
}

static struct mmuext_op ref_ext(struct ref_input *in)
{
    return (struct mmuext_op){
        .cmd = ref_byte(in) % 24,
        .arg1.mfn = mfn_x(ref_mfn(in)),
        .arg2.src_mfn = mfn_x(ref_mfn(in)),
    };
}

static unsigned int ref_length(struct ref_input *in)
{
    const unsigned int b = ref_byte(in);

    if (ref.inject != 0)
        return b % 4;
    return b < 200 ? b % 16 : (b - 200) * REF_RUN / 55;
}

/* @nr entries from @at on; the frames, or NULL, are gone after the call. */
static void ref_run(struct ref_input *in, bool clear)
{
    const maddr_t at = ref_at(in);
    const uint64_t flags = ref_flags(in);
    const unsigned int nr = ref_length(in), step = ref_byte(in) % 3;
    const uint64_t first = mfn_x(ref_mfn(in));
    struct ref_request set = { .owner = DOMID_SELF, REF_BY(set_run) };
    const struct ref_request cleared = { .owner = DOMID_SELF,
                                         REF_BY(clear_run) };
    mfn_t *frames = malloc(nr * sizeof(*frames) + 1);

    if (frames == NULL)
        abort();
    for (unsigned int i = 0; i < nr; i++) {
        frames[i] = _mfn(first + i % 20 * step);
        ref_queue_pte(clear ? &cleared : &set, maddr_x(at) + 8 * i,
                      clear ? 0 : pte_make(frames[i], flags).raw);
    }
    if (clear)
        site_clear_run(at, nr);
    else
        site_set_run(at, frames, flags, nr);
    free(frames);
}

static void ref_one_pte(struct ref_input *in, bool keep_ad)
{
    const maddr_t at = ref_at(in);
    const pte_t pte = ref_pte(in);

    if (keep_ad) {
        ref_queue_pte(
            &(struct ref_request){ .owner = DOMID_SELF, REF_BY(keep_ad) },
            maddr_x(at) | MMU_PT_UPDATE_PRESERVE_AD, pte.raw);
        site_keep_ad(at, pte);
    } else {
        ref_queue_pte(
            &(struct ref_request){ .owner = DOMID_SELF, REF_BY(set_pte) },
            maddr_x(at), pte.raw);
        site_set_pte(at, pte);
    }
}

static void ref_m2p(struct ref_input *in)
{
    const mfn_t mfn = ref_mfn(in);
    const pfn_t pfn = _pfn(ref_byte(in));

    ref_queue_pte(&(struct ref_request){ .owner = DOMID_SELF, REF_BY(set_m2p) },
                  maddr_x(mfn_to_maddr(mfn)) | MMU_MACHPHYS_UPDATE, pfn_x(pfn));
    site_set_m2p(mfn, pfn);
}

static void ref_pin(struct ref_input *in)
{
    const mfn_t mfn = ref_mfn(in);
    const unsigned int level = 1 + ref_byte(in) % PT_LEVELS;

    ref_queue(
        (struct ref_request){ .kind = REF_EXT,
                              .owner = DOMID_SELF,
                              .ext = { .cmd = MMUEXT_PIN_L1_TABLE + level - 1,
                                       .arg1.mfn = mfn_x(mfn) },
                              REF_BY(pin) });
    site_pin(mfn, level);
}

static void ref_unpin(struct ref_input *in)
{
    const mfn_t mfn = ref_mfn(in);

    ref_queue((struct ref_request){
        .kind = REF_EXT,
        .owner = DOMID_SELF,
        .ext = { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = mfn_x(mfn) },
        REF_BY(unpin) });
    site_unpin(mfn);
}

static void ref_other_ext(struct ref_input *in)
{
    struct mmuext_op op = ref_ext(in);

    ref_queue((struct ref_request){
        .kind = REF_EXT, .owner = DOMID_SELF, .ext = op, REF_BY(ext) });
    site_ext(&op);
    op = (struct mmuext_op){ 0 }; /* it has been copied */
}

static struct ref_request ref_va(struct ref_input *in)
{
    static const uint64_t flags[] = { UVMF_NONE, UVMF_INVLPG, UVMF_TLB_FLUSH,
                                      UVMF_INVLPG | UVMF_ALL };
    const unsigned int b = ref_byte(in);

    return (struct ref_request){
        .kind = REF_VA,
        .owner = DOMID_SELF,
        .va = FAKE_VA(b % 64) + (b >= 250 ? 1ull << 30 : 0),
        .entry = ref_pte(in).raw,
        .flags = flags[ref_byte(in) % ARRAY_SIZE(flags)],
    };
}

static void ref_queued_va(struct ref_input *in)
{
    struct ref_request r = ref_va(in);

    r.by = __start_code_set_va;
    r.by_end = __stop_code_set_va;
    ref_queue(r);
    site_set_va(_vaddr(r.va), (pte_t){ r.entry }, r.flags);
}

/* By itself, whatever is being queued around it. */
static void ref_va_now(struct ref_input *in)
{
    struct ref_request r = ref_va(in);
    int rc = 0;

    if (ref.tail > ref.head)
        ref_end_or_send(false);
    r.by = __start_code_va_now;
    r.by_end = __stop_code_va_now;
    if (ref.depth == REF_DEPTH)
        return;
    ref.levels[++ref.depth] = (struct ref_level){ 0 };
    ref_call(true);
    ref_queue(r);
    site_va_now(_vaddr(r.va), (pte_t){ r.entry }, r.flags, &rc);
    ref_called(1);
    ref_told(rc);
    ref.depth--;
}

static void ref_note_flush(struct ref_input *in, bool all)
{
    struct ref_level *level = &ref.levels[ref.depth];
    const uint64_t va = FAKE_VA(ref_byte(in));

    if (all) {
        level->nr_notes = MMU_INVLPG_MAX + 1;
        mmu_flush_all();
        return;
    }
    if (level->nr_notes < MMU_INVLPG_MAX)
        level->notes[level->nr_notes] = va;
    level->nr_notes += level->nr_notes <= MMU_INVLPG_MAX;
    mmu_flush_pages(_vaddr(va), 1);
}

/* The CPU notes an access in a leaf, on both machines. */
static void ref_touch(struct ref_input *in)
{
    const unsigned int frame = ref_byte(in) % FAKE_DATA, i = ref_index(in);
    const uint64_t bits = ref_byte(in) & 1 ? PTE_A : PTE_A | PTE_D;

    if (ref.batched.frames[frame].type == FAKE_L1 &&
        ref.batched.words[frame][i] & PTE_P) {
        ref.batched.words[frame][i] |= bits;
        ref.single.words[frame][i] |= bits;
    }
}

/* Only while little is queued, so that what then goes singly is one send. */
static void ref_inject(struct ref_input *in)
{
    const unsigned int nth = ref_byte(in) % 24;

    if (ref.tail - ref.head > REF_FEW / 2)
        return;
    ref.inject = nth;
    mmu_inject_failure(nth);
}

static void ref_queue_one(struct ref_input *in, unsigned int what)
{
    if (ref.inject != 0 && ref.tail - ref.head > REF_FEW)
        ref_end_or_send(false);
    ref_call(false);
    switch (what) {
    case 0 ... 5:
        ref_one_pte(in, what == 5);
        break;
    case 6 ... 7:
        ref_run(in, what == 7);
        break;
    case 8:
        ref_m2p(in);
        break;
    case 9:
        ref_pin(in);
        break;
    case 10:
        ref_unpin(in);
        break;
    case 11:
        ref_other_ext(in);
        break;
    default:
        ref_queued_va(in);
        break;
    }
    ref_called(-1);
}

/* So many requests, or pages to flush, that the queue cannot keep them all. */
static void ref_many(struct ref_input *in)
{
    const unsigned int b = ref_byte(in);

    for (unsigned int n = b / 2; n > 0 && in->len > 0; n--)
        if (b % 2 == 0)
            ref_queue_one(in, ref_byte(in) % 15);
        else if (n < 12)
            ref_note_flush(in, false);
}

static void ref_step(struct ref_input *in)
{
    const unsigned int what = ref_byte(in) % 32;

    if (ref.depth == 0 && what != 29)
        ref_begin();
    switch (what) {
    case 0 ... 14:
        ref_queue_one(in, what);
        break;
    case 15 ... 18:
        ref_end_or_send(true);
        break;
    case 19 ... 20:
        ref_begin();
        break;
    case 21:
        ref_end_or_send(false);
        break;
    case 22:
        ref_drop();
        break;
    case 23 ... 25:
        ref_note_flush(in, false);
        break;
    case 26:
        ref_note_flush(in, true);
        break;
    case 27:
        ref_touch(in);
        break;
    case 28:
        ref_inject(in);
        break;
    case 29:
        ref_va_now(in);
        break;
    case 30:
        if (ref.head == ref.tail)
            (void)mmu_set_sync(ref.sync = !ref.sync);
        break;
    default:
        ref_many(in);
        break;
    }
}

/* All as it is at the start. */
static void ref_reset(void)
{
    fake_xen_reset(&ref.batched);
    fake_xen_reset(&ref.single);
    ref.head = ref.tail = ref.depth = 0;
    ref_failure[0] = '\0';
}

/* The calls that @data stands for: "", or what was not as promised. */
static const char *ref_mmu_run(const uint8_t *data, size_t len)
{
    struct ref_input in = { data, len };
    const char *wrong;

    ref_reset();
    while (in.len > 0 && ref_failure[0] == '\0')
        ref_step(&in);

    while (ref.depth > 0)
        ref_end_or_send(true);
    ref.inject = 0;
    mmu_inject_failure(0);
    ref.sync = false;
    (void)mmu_set_sync(false);
    wrong = fake_xen_check(&ref.batched);
    REF_MUST(wrong == NULL, "the machine is not sound: %s", wrong);
    return ref_failure;
}

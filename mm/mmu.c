/* SPDX-License-Identifier: MIT */
#include <arch/vcpu.h>
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/mmu.h>
#include <plinth/printk.h>
#include <plinth/symbols.h>

#define NR_PTES 576u
#define NR_EXTS 32u
#define NR_VAS  32u
#define NR_RUNS 32u
#define NR_BYS  32u

#define MAX_DEPTH 8u /* of begin */

/* In place of the number of pages to flush. */
#define FLUSH_ALL (MMU_INVLPG_MAX + 1)

enum kind {
    KIND_PTE,
    KIND_EXT,
    KIND_VA
};

static const char *const kind_names[] = {
    [KIND_PTE] = "mmu_update",
    [KIND_EXT] = "mmuext_op",
    [KIND_VA] = "update_va_mapping",
};

struct va_request {
    vaddr_t va;
    pte_t pte;
    unsigned long flags;
};

/*
 * Neighbours of one kind: entries [first, first + nr) of that kind's array.  A
 * run of entries has frames of one domain only, @owner.
 */
struct run {
    enum kind kind;
    domid_t owner;
    unsigned int first, nr;
    unsigned int done; /* Xen counts here what it has made */
};

/* What is a begin's own, and waits while an inner one runs. */
struct level {
    int failed; /* by a send that had to come before the end ... */
    struct mmu_refusal refusal; /* ... and of what */
    unsigned int nr_pages;      /* to flush, or FLUSH_ALL */
    vaddr_t pages[MMU_INVLPG_MAX];
};

/* Entries from @first on, up to where the next one begins, were queued by @by. */
struct origin {
    const void *by;
    unsigned int first;
};

struct queue {
    unsigned int depth;                 /* of begin */
    struct level levels[MAX_DEPTH + 1]; /* [0] is outside of begin and end */
    unsigned int nr_ptes, nr_exts, nr_vas, nr_runs, nr_bys;

    struct mmu_update ptes[NR_PTES];
    struct mmuext_op exts[NR_EXTS];
    struct va_request vas[NR_VAS];
    struct origin bys[NR_BYS]; /* of the entries */
    const void *ext_by[NR_EXTS], *va_by[NR_VAS];
    struct run runs[NR_RUNS];
    struct multicall_entry calls[NR_RUNS];

    struct mmu_refusal refusal;
    struct mmu_stats stats;
};

static struct queue queues[MAX_VCPUS];
static bool sync_mode;
static uint64_t inject; /* entries until the one to refuse; 0: none */

static struct queue *this_queue(void)
{
    return &queues[vcpu_id()];
}

static struct level *this_level(struct queue *q)
{
    return &q->levels[q->depth];
}

/*
 * Sending.
 */
static void reset(struct queue *q)
{
    q->nr_ptes = q->nr_exts = q->nr_vas = q->nr_runs = q->nr_bys = 0;
}

static const void *entry_by(const struct queue *q, unsigned int i)
{
    unsigned int n = q->nr_bys;

    while (q->bys[--n].first > i)
        ;
    return q->bys[n].by;
}

static void note_refusal(struct queue *q, const struct run *r, int rc)
{
    const unsigned int i = r->first + (r->kind == KIND_VA ? 0 : r->done);
    struct mmu_refusal refusal = { .what = kind_names[r->kind], .rc = rc };
    uint64_t offset = 0;
    const char *name;

    q->stats.refused++;
    switch (r->kind) {
    case KIND_PTE:
        refusal.where = q->ptes[i].ptr;
        refusal.value = q->ptes[i].val;
        refusal.by = entry_by(q, i);
        break;
    case KIND_EXT:
        refusal.where = q->exts[i].arg1.mfn;
        refusal.value = q->exts[i].cmd;
        refusal.by = q->ext_by[i];
        break;
    case KIND_VA:
        refusal.where = vaddr_x(q->vas[i].va);
        refusal.value = q->vas[i].pte.raw;
        refusal.by = q->va_by[i];
        break;
    }
    name = symbol_lookup((uintptr_t)refusal.by, &offset);
    pr_debug("mmu: %s: %#lx <- %#lx refused: %s, queued by %s+%#lx",
             refusal.what, refusal.where, refusal.value, errno_name(rc),
             name ? name : "?", offset);
    if (this_level(q)->failed == 0)
        this_level(q)->refusal = refusal;
}

static int send_run(struct queue *q, struct run *r)
{
    switch (r->kind) {
    case KIND_PTE:
        return hypercall_mmu_update(&q->ptes[r->first], r->nr, &r->done,
                                    r->owner);
    case KIND_EXT:
        return hypercall_mmuext_op(&q->exts[r->first], r->nr, &r->done,
                                   DOMID_SELF);
    default:
        return hypercall_update_va_mapping(
            q->vas[r->first].va, q->vas[r->first].pte, q->vas[r->first].flags);
    }
}

static void fill_call(struct queue *q, struct run *r, struct multicall_entry *c)
{
    *c = (struct multicall_entry){ 0 };
    switch (r->kind) {
    case KIND_PTE:
        c->op = __HYPERVISOR_mmu_update;
        c->args[0] = (uintptr_t)&q->ptes[r->first];
        break;
    case KIND_EXT:
        c->op = __HYPERVISOR_mmuext_op;
        c->args[0] = (uintptr_t)&q->exts[r->first];
        break;
    case KIND_VA:
        c->op = __HYPERVISOR_update_va_mapping;
        c->args[0] = vaddr_x(q->vas[r->first].va);
        c->args[1] = q->vas[r->first].pte.raw;
        c->args[2] = q->vas[r->first].flags;
        return;
    }
    c->args[1] = r->nr;
    c->args[2] = (uintptr_t)&r->done;
    c->args[3] = r->owner;
}

static int send_multicall(struct queue *q)
{
    int rc;

    for (unsigned int i = 0; i < q->nr_runs; i++)
        fill_call(q, &q->runs[i], &q->calls[i]);

    rc = hypercall_multicall(q->calls, q->nr_runs);
    /* Only for a bad array or a nested call: neither is possible here. */
    BUG_ON(rc != 0);

    for (unsigned int i = 0; i < q->nr_runs; i++) {
        const int result = (int)q->calls[i].result;

        if (result != 0) {
            note_refusal(q, &q->runs[i], result);
            return result;
        }
    }
    return 0;
}

/*
 * With a failure to inject, entry by entry, so that it hits just the one.  As in
 * a multicall, a refusal ends its own run and not those behind it.
 */
static int send_singly(struct queue *q)
{
    int first = 0;

    for (struct run *r = q->runs; r < q->runs + q->nr_runs; r++) {
        int rc = 0;

        for (unsigned int i = 0; i < r->nr && rc == 0; i++) {
            struct run one = {
                .kind = r->kind,
                .owner = r->owner,
                .first = r->first + i,
                .nr = 1,
            };

            rc = inject != 0 && --inject == 0 ? -ENOMEM : send_run(q, &one);
            one.done = 0;
            if (rc != 0 && first == 0)
                note_refusal(q, &one, rc);
        }
        first = first ? first : rc;
    }
    return first;
}

static int send_queued(struct queue *q)
{
    int rc;

    if (q->nr_runs == 0)
        return 0;

    q->stats.entries += q->nr_ptes + q->nr_exts + q->nr_vas;
    q->stats.hypercalls++;

    if (unlikely(inject != 0)) {
        rc = send_singly(q);
    } else if (q->nr_runs == 1) {
        rc = send_run(q, &q->runs[0]);
        if (unlikely(rc != 0))
            note_refusal(q, &q->runs[0], rc);
    } else {
        rc = send_multicall(q);
    }
    reset(q);
    return rc;
}

/*
 * Queueing.
 */
static void append_run(struct queue *q, enum kind kind, domid_t owner,
                       unsigned int first, unsigned int nr)
{
    q->runs[q->nr_runs++] = (struct run){
        .kind = kind,
        .owner = owner,
        .first = first,
        .nr = nr,
    };
}

/* A full queue goes out early; what Xen says then is kept for the end. */
static void send_early(struct queue *q)
{
    const int rc = send_queued(q);

    if (this_level(q)->failed == 0)
        this_level(q)->failed = rc;
}

/* Make room for some more of a kind, so that there are @nr of @max. */
static void make_room(struct queue *q, unsigned int nr, unsigned int max)
{
    if (unlikely(nr > max || q->nr_runs == NR_RUNS))
        send_early(q);
}

/* The @nr of @kind from @index on. */
static void add_to_run(struct queue *q, enum kind kind, domid_t owner,
                       unsigned int index, unsigned int nr)
{
    struct run *last = q->nr_runs > 0 ? &q->runs[q->nr_runs - 1] : NULL;

    /* Each update_va_mapping is a call of its own. */
    if (last != NULL && kind != KIND_VA && last->kind == kind &&
        last->owner == owner)
        last->nr += nr;
    else
        append_run(q, kind, owner, index, nr);
}

/* With plinth.mmu=sync nothing waits for others. */
static void queued_one(struct queue *q)
{
    ASSERT(q->depth > 0);
    if (unlikely(sync_mode))
        send_early(q);
}

/*
 * Start or go on with a run of entries, the next of which @by queues.  Callers
 * are noted where they change, and not with each entry.
 */
static void start_entries(struct queue *q, domid_t owner, const void *by)
{
    make_room(q, q->nr_ptes + 1, NR_PTES);
    if (q->nr_bys == 0 || q->bys[q->nr_bys - 1].by != by) {
        make_room(q, q->nr_bys + 1, NR_BYS);
        q->bys[q->nr_bys++] = (struct origin){ by, q->nr_ptes };
    }
    add_to_run(q, KIND_PTE, owner, q->nr_ptes, 1);
}

static void add_pte(uint64_t ptr, uint64_t val, domid_t owner, const void *by)
{
    struct queue *q = this_queue();

    start_entries(q, owner, by);
    q->ptes[q->nr_ptes++] = (struct mmu_update){ .ptr = ptr, .val = val };
    queued_one(q);
}

static __always_inline void add_exts(const struct mmuext_op *ops,
                                     unsigned int nr, const void *by)
{
    struct queue *q = this_queue();

    make_room(q, q->nr_exts + nr, NR_EXTS);
    add_to_run(q, KIND_EXT, DOMID_SELF, q->nr_exts, nr);
    for (unsigned int i = 0; i < nr; i++) {
        q->ext_by[q->nr_exts] = by;
        q->exts[q->nr_exts++] = ops[i];
    }
    queued_one(q);
}

void mmu_set_pte(maddr_t at, pte_t pte)
{
    ASSERT(IS_ALIGNED(maddr_x(at), sizeof(pte)));
    add_pte(maddr_x(at) | MMU_NORMAL_PT_UPDATE, pte.raw, DOMID_SELF,
            __builtin_return_address(0));
}

void mmu_set_pte_keep_ad(maddr_t at, pte_t pte)
{
    ASSERT(IS_ALIGNED(maddr_x(at), sizeof(pte)));
    add_pte(maddr_x(at) | MMU_PT_UPDATE_PRESERVE_AD, pte.raw, DOMID_SELF,
            __builtin_return_address(0));
}

void mmu_set_pte_foreign(maddr_t at, pte_t pte, domid_t owner)
{
    ASSERT(IS_ALIGNED(maddr_x(at), sizeof(pte)));
    add_pte(maddr_x(at) | MMU_NORMAL_PT_UPDATE, pte.raw, owner,
            __builtin_return_address(0));
}

void mmu_set_m2p(mfn_t mfn, pfn_t pfn)
{
    add_pte(maddr_x(mfn_to_maddr(mfn)) | MMU_MACHPHYS_UPDATE, pfn_x(pfn),
            DOMID_SELF, __builtin_return_address(0));
}

/*
 * Runs, which is where bulk goes.  Requests that fit are written in one tight
 * loop; each kind of value has its own, which the compiler unrolls.
 */
static void fill_frames(struct mmu_update *req, unsigned int n, uint64_t ptr,
                        const mfn_t *frames, uint64_t flags)
{
#pragma GCC unroll 4
    for (unsigned int i = 0; i < n; i++, ptr += sizeof(pte_t)) {
        req[i].ptr = ptr;
        req[i].val = pte_make(frames[i], flags).raw;
    }
}

static void fill_values(struct mmu_update *req, unsigned int n, uint64_t ptr,
                        const uint64_t *values)
{
#pragma GCC unroll 4
    for (unsigned int i = 0; i < n; i++, ptr += sizeof(pte_t)) {
        req[i].ptr = ptr;
        req[i].val = values[i];
    }
}

static void fill_zero(struct mmu_update *req, unsigned int n, uint64_t ptr)
{
#pragma GCC unroll 4
    for (unsigned int i = 0; i < n; i++, ptr += sizeof(pte_t)) {
        req[i].ptr = ptr;
        req[i].val = 0;
    }
}

/* What the entries become: @frames with @flags, or @values, or 0. */
struct content {
    const mfn_t *frames;
    const uint64_t *values;
    uint64_t flags;
};

static void fill(struct mmu_update *req, unsigned int n, uint64_t ptr,
                 const struct content *c, unsigned int from)
{
    if (c->frames != NULL)
        fill_frames(req, n, ptr, c->frames + from, c->flags);
    else if (c->values != NULL)
        fill_values(req, n, ptr, c->values + from);
    else
        fill_zero(req, n, ptr);
}

static void add_run(uint64_t ptr, const struct content *c, unsigned int nr,
                    domid_t owner, const void *by)
{
    struct queue *q = this_queue();
    unsigned int from = 0;

    ASSERT(IS_ALIGNED(ptr & ~3ull, sizeof(pte_t)));
    while (from < nr) {
        unsigned int n;

        start_entries(q, owner, by);
        n = MIN(nr - from, NR_PTES - q->nr_ptes);
        q->runs[q->nr_runs - 1].nr += n - 1;
        fill(&q->ptes[q->nr_ptes], n, ptr, c, from);
        q->nr_ptes += n;
        from += n;
        ptr += n * sizeof(pte_t);
        queued_one(q);
    }
}

void mmu_set_run(maddr_t at, const mfn_t *frames, uint64_t flags,
                 unsigned int nr)
{
    const struct content c = { .frames = frames, .flags = flags };

    add_run(maddr_x(at) | MMU_NORMAL_PT_UPDATE, &c, nr, DOMID_SELF,
            __builtin_return_address(0));
}

void mmu_set_run_foreign(maddr_t at, const mfn_t *frames, uint64_t flags,
                         unsigned int nr, domid_t owner)
{
    const struct content c = { .frames = frames, .flags = flags };

    add_run(maddr_x(at) | MMU_NORMAL_PT_UPDATE, &c, nr, owner,
            __builtin_return_address(0));
}

void mmu_set_run_keep_ad(maddr_t at, const uint64_t *ptes, unsigned int nr)
{
    const struct content c = { .values = ptes };

    add_run(maddr_x(at) | MMU_PT_UPDATE_PRESERVE_AD, &c, nr, DOMID_SELF,
            __builtin_return_address(0));
}

void mmu_clear_run(maddr_t at, unsigned int nr)
{
    const struct content c = { 0 };

    add_run(maddr_x(at) | MMU_NORMAL_PT_UPDATE, &c, nr, DOMID_SELF,
            __builtin_return_address(0));
}

void mmu_pin(mfn_t mfn, unsigned int level)
{
    static const unsigned int commands[PT_LEVELS + 1] = {
        [1] = MMUEXT_PIN_L1_TABLE,
        [2] = MMUEXT_PIN_L2_TABLE,
        [3] = MMUEXT_PIN_L3_TABLE,
        [4] = MMUEXT_PIN_L4_TABLE,
    };
    const struct mmuext_op op = {
        .cmd = commands[level],
        .arg1.mfn = mfn_x(mfn),
    };

    ASSERT(level >= 1 && level <= PT_LEVELS);
    add_exts(&op, 1, __builtin_return_address(0));
}

void mmu_unpin(mfn_t mfn)
{
    const struct mmuext_op op = {
        .cmd = MMUEXT_UNPIN_TABLE,
        .arg1.mfn = mfn_x(mfn),
    };

    add_exts(&op, 1, __builtin_return_address(0));
}

void mmu_ext(const struct mmuext_op *op)
{
    add_exts(op, 1, __builtin_return_address(0));
}

static void add_va(vaddr_t va, pte_t pte, unsigned long flags, const void *by)
{
    struct queue *q = this_queue();
    unsigned int i;

    make_room(q, q->nr_vas + 1, NR_VAS);
    i = q->nr_vas++;
    q->vas[i] = (struct va_request){ va, pte, flags };
    q->va_by[i] = by;
    add_to_run(q, KIND_VA, DOMID_SELF, i, 1);
    queued_one(q);
}

void mmu_set_va(vaddr_t va, pte_t pte, unsigned long flags)
{
    add_va(va, pte, flags, __builtin_return_address(0));
}

/* Those that were not queued. */
static void __noinline refused_now(struct queue *q, enum kind kind,
                                   uint64_t where, pte_t pte, int rc,
                                   const void *by)
{
    q->stats.refused++;
    q->refusal = (struct mmu_refusal){
        .what = kind_names[kind],
        .where = where,
        .value = pte.raw,
        .rc = rc,
        .by = by,
    };
}

/* With others before it, or a failure to inject, it takes the queue's way. */
static int __noinline set_va_queued(vaddr_t va, pte_t pte, unsigned long flags,
                                    const void *by)
{
    mmu_begin();
    add_va(va, pte, flags, by);
    return mmu_end();
}

int __no_stack_check mmu_set_va_now(vaddr_t va, pte_t pte, unsigned long flags)
{
    struct queue *q;
    int rc;

    preempt_disable();
    q = this_queue();
    if (unlikely((q->depth | inject) != 0)) {
        rc = set_va_queued(va, pte, flags, __builtin_return_address(0));
        preempt_enable();
        return rc;
    }

    q->stats.hypercalls++;
    q->stats.entries++;
    rc = hypercall_update_va_mapping(va, pte, flags);
    if (unlikely(rc != 0))
        refused_now(q, KIND_VA, vaddr_x(va), pte, rc,
                    __builtin_return_address(0));
    preempt_enable();
    return rc;
}

/*
 * Flushing.
 */
void mmu_flush_pages(vaddr_t va, uint64_t nr)
{
    struct level *level = this_level(this_queue());

    ASSERT(this_queue()->depth > 0);
    if (nr > MMU_INVLPG_MAX || level->nr_pages + nr > MMU_INVLPG_MAX) {
        level->nr_pages = FLUSH_ALL;
        return;
    }
    for (uint64_t i = 0; i < nr; i++)
        level->pages[level->nr_pages++] = _vaddr(vaddr_x(va) + i * PAGE_SIZE);
}

void mmu_flush_all(void)
{
    mmu_flush_pages(_vaddr(0), FLUSH_ALL);
}

/*
 * Whose TLBs: with one vCPU only its own can hold anything.  With more, those of
 * all that may have run on these tables since the entry was made: this is the
 * one place to say so, by MMUEXT_*_ALL or by MMUEXT_*_MULTI and their bits; for
 * mmu_set_va() its caller says it, by UVMF_ALL or UVMF_MULTI in @flags.
 */
static struct mmuext_op flush_of_all(void)
{
    return (struct mmuext_op){ .cmd = MMUEXT_TLB_FLUSH_LOCAL };
}

static struct mmuext_op flush_of_page(vaddr_t va)
{
    return (struct mmuext_op){
        .cmd = MMUEXT_INVLPG_LOCAL,
        .arg1.linear_addr = vaddr_x(va),
    };
}

static int __noinline set_keep_ad_queued(maddr_t at, pte_t pte, vaddr_t stale,
                                         const void *by)
{
    mmu_begin();
    add_pte(maddr_x(at) | MMU_PT_UPDATE_PRESERVE_AD, pte.raw, DOMID_SELF, by);
    if (vaddr_x(stale) != 0)
        mmu_flush_pages(stale, 1);
    return mmu_end();
}

int mmu_set_pte_keep_ad_now(maddr_t at, pte_t pte, vaddr_t stale)
{
    const struct mmu_update req = {
        .ptr = maddr_x(at) | MMU_PT_UPDATE_PRESERVE_AD,
        .val = pte.raw,
    };
    const struct mmuext_op flush = flush_of_page(stale);
    struct queue *q;
    int rc;

    preempt_disable();
    q = this_queue();
    if (unlikely((q->depth | inject) != 0)) {
        rc = set_keep_ad_queued(at, pte, stale, __builtin_return_address(0));
        preempt_enable();
        return rc;
    }

    q->stats.hypercalls++;
    q->stats.entries++;
    rc = hypercall_mmu_update(&req, 1, NULL, DOMID_SELF);
    if (unlikely(rc != 0)) {
        refused_now(q, KIND_PTE, req.ptr, pte, rc, __builtin_return_address(0));
    } else if (vaddr_x(stale) != 0) {
        q->stats.hypercalls++;
        q->stats.invlpgs++;
        BUG_ON(hypercall_mmuext_op(&flush, 1, NULL, DOMID_SELF) != 0);
    }
    preempt_enable();
    return rc;
}

/* The flushes noted become the last requests. */
static void queue_flushes(struct queue *q)
{
    struct level *level = this_level(q);
    const unsigned int n = level->nr_pages;

    if (n == 0)
        return;
    level->nr_pages = 0;
    if (n == FLUSH_ALL) {
        const struct mmuext_op op = flush_of_all();

        q->stats.flushes++;
        add_exts(&op, 1, NULL);
    } else {
        const unsigned int at_once = sync_mode ? 1 : n;
        struct mmuext_op ops[MMU_INVLPG_MAX];

        q->stats.invlpgs += n;
        for (unsigned int i = 0; i < n; i++)
            ops[i] = flush_of_page(level->pages[i]);
        for (unsigned int i = 0; i < n; i += at_once)
            add_exts(&ops[i], at_once, NULL);
    }
}

/*
 * Begin and end.
 */
void mmu_begin(void)
{
    struct queue *q;

    /* Till the end: what is queued here must also be sent from here. */
    preempt_disable();
    q = this_queue();
    BUG_ON(q->depth == MAX_DEPTH);
    /* What is queued already belongs to the outer one, and so does its fate. */
    send_early(q);
    q->depth++;
    this_level(q)->failed = 0;
    this_level(q)->nr_pages = 0;
}

int mmu_send(void)
{
    struct queue *q = this_queue();
    int rc;

    ASSERT(q->depth > 0);
    queue_flushes(q);
    send_early(q);
    rc = this_level(q)->failed;
    this_level(q)->failed = 0;
    if (unlikely(rc != 0))
        q->refusal = this_level(q)->refusal;
    return rc;
}

int mmu_end(void)
{
    struct queue *q = this_queue();
    int rc;

    BUG_ON(q->depth == 0);
    rc = mmu_send();
    q->depth--;
    preempt_enable();
    return rc;
}

void mmu_drop(void)
{
    struct queue *q = this_queue();

    reset(q);
    this_level(q)->nr_pages = 0;
    this_level(q)->failed = 0;
}

const struct mmu_refusal *mmu_refusal(void)
{
    return &this_queue()->refusal;
}

struct mmu_stats mmu_stats(void)
{
    return this_queue()->stats;
}

bool mmu_set_sync(bool on)
{
    const bool old = sync_mode;

    sync_mode = on;
    return old;
}

void mmu_inject_failure(uint64_t nth)
{
    inject = nth;
}

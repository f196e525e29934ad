/* SPDX-License-Identifier: MIT */
/*
 * hot: a plugin of QEMU's TCG that counts executed instructions, guest and hypervisor.
 *
 *     -plugin hot.so,step=ADDRESS...,out=FILE
 *     -plugin hot.so,begin=ADDRESS,end=ADDRESS,symbols=FILE,out=FILE
 *
 * Addresses are those of functions of the guest, in hex.
 *
 * Steps are met in their order: a call of one is noted when it was the turn of that
 * one.  The output has "step ADDRESS TOTAL" for each, where TOTAL counts from the first.
 *
 * From a call of begin to the next one of end all counts for the stack it runs on.
 * The output has "rounds N", and "CALLER;...;SYMBOL INSTRUCTIONS" for each stack,
 * which is what flame graphs are drawn from.  Lines of symbols are "ADDRESS NAME", in
 * the order of addresses.
 *
 * Who called whom is told by the addresses at which call writes and ret reads the way
 * back: no register can be read by a plugin, nor memory.  Such an address is
 * RSP; a call above those before it has left them, however it did so.  Xen, entered
 * from the guest, goes on its CPU's stack, which then is empty: what it runs is put
 * on top of what the guest did.  So are the stacks of events and of threads, from
 * where they were first gone to.
 *
 * A block whose end is not reached, as one instruction of it faults, counts as a whole.
 *
 * Symbols are told by virtual addresses, so two domains at one address are one: use
 * it with one domain.  And with one CPU.
 *
 * For the plugin API of QEMU 4.2 to 8, whose header Debian does not ship; so what is
 * used of it is declared here (QEMU docs/devel/tcg-plugins.rst).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void tb_trans_cb(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void vcpu_cb(unsigned int vcpu, void *user);
typedef void mem_cb(unsigned int vcpu, uint32_t info, uint64_t va, void *user);
typedef void simple_cb(qemu_plugin_id_t id, void *user);

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t n);
extern const uint8_t *
qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                  tb_trans_cb *cb);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                                 vcpu_cb *cb, int flags,
                                                 void *user);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb,
                                                     int op, void *ptr,
                                                     uint64_t value);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
                                             mem_cb *cb, int flags, int rw,
                                             void *user);
extern bool qemu_plugin_mem_is_store(uint32_t info);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, simple_cb *cb,
                                           void *user);

#define NO_REGISTERS  0 /* QEMU_PLUGIN_CB_NO_REGS */
#define ADD_TO_UINT64 0 /* QEMU_PLUGIN_INLINE_ADD_U64 */
#define MEM_RW        3 /* QEMU_PLUGIN_MEM_RW; QEMU 7.2 takes no less at its word */

int qemu_plugin_version = 1;

static const char *out = "hot.out";

/* --- steps --- */

#define MAX_STEPS 64u

static struct step {
    uint64_t address, total;
} steps[MAX_STEPS];
static unsigned int nr_steps, steps_met;
static uint64_t total;

static void step(unsigned int vcpu, void *user)
{
    (void)vcpu;
    if (steps_met < nr_steps && user == &steps[steps_met])
        steps[steps_met++].total = total;
}

/* --- symbols --- */

#define MAX_SYMBOLS 65536u
#define TOO_FAR     0x10000u /* from its symbol, to be of it */

/* Of user mode, and of what has no symbol, as Xen without debug symbols. */
enum {
    ROOT,
    USER,
    GUEST,
    XEN,
    FIRST_SYMBOL
};

static struct symbol {
    uint64_t address;
    char *name;
} symbols[MAX_SYMBOLS] = {
    [USER] = { 0, "guest user mode" },
    [GUEST] = { 0, "guest ?" },
    [XEN] = { 0, "xen ?" },
};
static uint32_t nr_symbols = FIRST_SYMBOL;

/* Where Xen lives in a PV guest's address space, by its public headers. */
static bool is_xen(uint64_t va)
{
    return va >= 0xffff800000000000u && va < 0xffff880000000000u;
}

static bool read_symbols(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[4096];

    if (file == NULL) {
        perror(path);
        return false;
    }
    while (nr_symbols < MAX_SYMBOLS && fgets(line, sizeof(line), file)) {
        char *name;

        line[strcspn(line, "\n")] = 0;
        symbols[nr_symbols].address = strtoull(line, &name, 16);
        symbols[nr_symbols++].name = strdup(*name ? name + 1 : "?");
    }
    fclose(file);
    return true;
}

static uint32_t symbol_of(uint64_t va)
{
    uint32_t low = FIRST_SYMBOL, high = nr_symbols;

    if (va >> 47 == 0)
        return USER;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;

        if (symbols[middle].address <= va)
            low = middle;
        else
            high = middle;
    }
    if (low < nr_symbols && symbols[low].address <= va &&
        va - symbols[low].address < TOO_FAR)
        return low;
    return is_xen(va) ? XEN : GUEST;
}

/* --- the tree of calls --- */

#define MAX_NODES (1u << 18)

static struct node {
    uint32_t parent, symbol;
    uint64_t count;
} nodes[MAX_NODES]; /* 0 is the root */
static uint32_t nr_nodes = 1;
static uint32_t places[2 * MAX_NODES]; /* a hash table of nodes */

/* The node of what runs @symbol, called from @parent. */
static uint32_t child(uint32_t parent, uint32_t symbol)
{
    uint64_t place =
        ((uint64_t)parent * MAX_SYMBOLS + symbol) * 0x9e3779b97f4a7c15u >> 45;

    for (;; place++) {
        uint32_t *n = &places[place % (2 * MAX_NODES)];

        if (*n == 0) {
            if (nr_nodes == MAX_NODES) {
                fprintf(stderr, "hot: more than %u stacks\n", MAX_NODES);
                exit(1);
            }
            nodes[nr_nodes] = (struct node){ parent, symbol, 0 };
            *n = nr_nodes++;
        }
        if (nodes[*n].parent == parent && nodes[*n].symbol == symbol)
            return *n;
    }
}

/* --- stacks --- */

#define MAX_FRAMES 256u
#define MAX_STACKS 64u
#define NEAR       12288u /* RSP moves less between two calls */
#define PENDING    UINT32_MAX

/* @frames[0] is where this stack was gone to from. */
struct stack {
    unsigned int nr;
    struct frame {
        uint64_t sp;
        uint32_t caller, node; /* PENDING until the callee runs */
    } frames[MAX_FRAMES];
};

static struct stack xen_stack, stacks[MAX_STACKS];
static struct stack *guest_stack = &stacks[0], *current = &stacks[0];
static unsigned int nr_stacks = 1;
static uint32_t running; /* the node of the block that runs */
static bool in_xen, counting;
static uint64_t rounds;

static void empty(struct stack *s, uint64_t sp, uint32_t node)
{
    s->nr = 1;
    s->frames[0] = (struct frame){ sp, node, node };
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a < b ? b - a : a - b;
}

/*
 * The stack that RSP is on: that whose last call is nearest, or a new one.  One that
 * is gone to anew, as that of events, is put on top of what runs now.
 */
static struct stack *stack_of(uint64_t sp)
{
    struct stack *nearest = NULL;
    uint64_t least = NEAR;

    if (in_xen)
        return &xen_stack;
    for (unsigned int i = 0; i < nr_stacks; i++) {
        struct stack *s = &stacks[i];
        const uint64_t d = distance(s->frames[s->nr - 1].sp, sp);

        if (d < least) {
            nearest = s;
            least = d;
        }
    }
    if (nearest == NULL) {
        nearest = &stacks[nr_stacks < MAX_STACKS ? nr_stacks++ : 0];
        empty(nearest, sp, nr_stacks == 1 ? 0 : running);
    }
    return nearest;
}

/* Calls at or below @sp have been left. */
static void leave(uint64_t sp)
{
    current = stack_of(sp);
    while (current->nr > 1 && current->frames[current->nr - 1].sp <= sp)
        current->nr--;
    if (!in_xen)
        guest_stack = current;
}

static void call(unsigned int vcpu, uint32_t info, uint64_t sp, void *user)
{
    const struct stack *before = current;

    (void)vcpu;
    (void)user;
    if (!counting ||
        !qemu_plugin_mem_is_store(info)) /* call *MEMORY reads as well */
        return;
    leave(sp);
    if (current->nr == 1 && current != before)
        empty(current, sp, running);
    if (current->nr < MAX_FRAMES)
        current->frames[current->nr++] = (struct frame){ sp, running, PENDING };
}

static void ret(unsigned int vcpu, uint32_t info, uint64_t sp, void *user)
{
    (void)vcpu;
    (void)info;
    (void)user;
    if (counting)
        leave(sp);
}

struct block {
    uint64_t size;
    uint32_t symbol;
    bool xen;
};

/* What is jumped to, and what an exception or an event enters, is as called. */
static void run(unsigned int vcpu, void *user)
{
    const struct block *b = user;
    struct frame *top;

    (void)vcpu;
    if (!counting)
        return;
    if (b->xen != in_xen) {
        in_xen = b->xen;
        if (in_xen)
            empty(&xen_stack, UINT64_MAX, running);
        current = in_xen ? &xen_stack : guest_stack;
    }
    top = &current->frames[current->nr - 1];
    if (top->node == PENDING)
        top->node = child(top->caller, b->symbol);
    running = top->node;
    if (nodes[running].symbol != b->symbol)
        running = child(running, b->symbol);
    nodes[running].count += b->size;
}

/* --- the marks --- */

static uint64_t mark_begin, mark_end;

/* Whoever called begin is the root, wherever its stack is. */
static void begin(unsigned int vcpu, void *user)
{
    (void)vcpu;
    (void)user;
    current = guest_stack = &stacks[0];
    empty(current, 0, 0);
    nr_stacks = 0; /* its place is not known yet */
    running = 0;
    in_xen = false;
    counting = true;
}

static void end(unsigned int vcpu, void *user)
{
    (void)vcpu;
    (void)user;
    rounds += counting;
    counting = false;
}

/* --- QEMU --- */

static void watch_stack(struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *code = qemu_plugin_insn_data(insn);
        const size_t size = qemu_plugin_insn_size(insn);
        size_t at = 0;

        /* Prefixes: REX, REP (as of "repz ret"), segment or notrack, BND. */
        while (at + 1 < size &&
               ((code[at] & 0xf0) == 0x40 || code[at] == 0xf3 ||
                code[at] == 0x2e || code[at] == 0x3e || code[at] == 0xf2))
            at++;
        if (code[at] == 0xe8 ||
            (code[at] == 0xff && at + 1 < size && (code[at + 1] >> 3 & 7) == 2))
            qemu_plugin_register_vcpu_mem_cb(insn, call, NO_REGISTERS, MEM_RW,
                                             NULL);
        else if (code[at] == 0xc3 || code[at] == 0xc2)
            qemu_plugin_register_vcpu_mem_cb(insn, ret, NO_REGISTERS, MEM_RW,
                                             NULL);
    }
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const uint64_t address = qemu_plugin_tb_vaddr(tb);
    const uint64_t size = qemu_plugin_tb_n_insns(tb);

    (void)id;
    for (unsigned int i = 0; i < nr_steps; i++)
        if (address == steps[i].address)
            qemu_plugin_register_vcpu_tb_exec_cb(tb, step, NO_REGISTERS,
                                                 &steps[i]);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_TO_UINT64, &total, size);
    if (mark_begin == 0)
        return;
    if (address == mark_begin)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, begin, NO_REGISTERS, NULL);
    if (address == mark_end)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, end, NO_REGISTERS, NULL);

    /* QEMU may run it as long as it lives. */
    struct block *b = malloc(sizeof(*b));

    if (b == NULL) {
        fprintf(stderr, "hot: no memory\n");
        exit(1);
    }
    *b = (struct block){ size, symbol_of(address), is_xen(address) };
    qemu_plugin_register_vcpu_tb_exec_cb(tb, run, NO_REGISTERS, b);
    watch_stack(tb);
}

static void print_stack(FILE *file, uint32_t n)
{
    if (nodes[n].parent != 0)
        print_stack(file, nodes[n].parent);
    if (nodes[n].parent != 0)
        fputc(';', file);
    fputs(symbols[nodes[n].symbol].name, file);
}

static void finish(qemu_plugin_id_t id, void *user)
{
    FILE *file = fopen(out, "w");

    (void)id;
    (void)user;
    if (file == NULL) {
        perror(out);
        return;
    }
    fprintf(file, "rounds %" PRIu64 "\n", rounds);
    for (unsigned int i = 0; i < steps_met; i++)
        fprintf(file, "step %" PRIx64 " %" PRIu64 "\n", steps[i].address,
                steps[i].total - steps[0].total);
    for (uint32_t n = 1; n < nr_nodes; n++) {
        if (nodes[n].count == 0)
            continue;
        print_stack(file, n);
        fprintf(file, " %" PRIu64 "\n", nodes[n].count);
    }
    fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                        char **argv);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
                        char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "begin=", 6) == 0)
            mark_begin = strtoull(argv[i] + 6, NULL, 16);
        else if (strncmp(argv[i], "end=", 4) == 0)
            mark_end = strtoull(argv[i] + 4, NULL, 16);
        else if (strncmp(argv[i], "step=", 5) == 0 && nr_steps < MAX_STEPS)
            steps[nr_steps++].address = strtoull(argv[i] + 5, NULL, 16);
        else if (strncmp(argv[i], "out=", 4) == 0)
            out = strdup(argv[i] + 4);
        else if (strncmp(argv[i], "symbols=", 8) != 0 ||
                 !read_symbols(argv[i] + 8))
            return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * hot: a plugin of QEMU's TCG that counts executed instructions, guest and hypervisor.
 *
 *     -plugin hot.so,begin=ADDRESS,end=ADDRESS,step=ADDRESS...,out=FILE
 *
 * Addresses are those of functions of the guest, in hex.  From a call of begin to
 * the next one of end each translated block counts.  Steps are met in their order:
 * a call of one is noted when it was the turn of that one.
 *
 * FILE has "rounds N"; for each step that was met "step ADDRESS TOTAL", where TOTAL
 * counts from the first step; and for each block its address and the instructions
 * executed in it.
 *
 * Blocks are known by their virtual address, so two domains at one address are
 * counted as one: use it with one domain.  And with one CPU.
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
typedef void tb_trans_cb(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void vcpu_cb(unsigned int vcpu, void *user);
typedef void simple_cb(qemu_plugin_id_t id, void *user);

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                  tb_trans_cb *cb);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                                 vcpu_cb *cb, int flags,
                                                 void *user);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb,
                                                     int op, void *ptr,
                                                     uint64_t value);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, simple_cb *cb,
                                           void *user);

#define NO_REGISTERS  0 /* QEMU_PLUGIN_CB_NO_REGS */
#define ADD_TO_UINT64 0 /* QEMU_PLUGIN_INLINE_ADD_U64 */

#define MAX       (1u << 20)
#define MAX_STEPS 64u

int qemu_plugin_version = 1;

static struct block {
    uint64_t address, size;
} blocks[MAX];
static uint64_t counts[MAX], at_begin[MAX], sums[MAX];
static uint32_t places[2 * MAX]; /* a hash table of block numbers, plus 1 */
static uint32_t nr_blocks;
static uint64_t mark_begin, mark_end, rounds;
static bool counting;

static struct step {
    uint64_t address, total;
} steps[MAX_STEPS];
static unsigned int nr_steps, steps_met;
static uint64_t total;
static const char *out = "hot.out";

/* The number of a block, which may have been translated before. */
static uint32_t number(uint64_t address, uint64_t size)
{
    uint64_t place = (address * 0x9e3779b97f4a7c15ull + size) >> 43;

    for (;; place++) {
        uint32_t *n = &places[place % (2 * MAX)];

        if (*n == 0) {
            if (nr_blocks == MAX) {
                fprintf(stderr, "hot: more than %u blocks\n", MAX);
                exit(1);
            }
            blocks[nr_blocks] = (struct block){ address, size };
            *n = ++nr_blocks;
        }
        if (blocks[*n - 1].address == address && blocks[*n - 1].size == size)
            return *n - 1;
    }
}

static void begin(unsigned int vcpu, void *user)
{
    (void)vcpu;
    (void)user;
    memcpy(at_begin, counts, nr_blocks * sizeof(*counts));
    memset(at_begin + nr_blocks, 0, (MAX - nr_blocks) * sizeof(*counts));
    counting = true;
}

static void end(unsigned int vcpu, void *user)
{
    (void)vcpu;
    (void)user;
    if (!counting)
        return;
    for (uint32_t i = 0; i < nr_blocks; i++)
        sums[i] += counts[i] - at_begin[i];
    counting = false;
    rounds++;
}

static void step(unsigned int vcpu, void *user)
{
    (void)vcpu;
    if (steps_met < nr_steps && user == &steps[steps_met])
        steps[steps_met++].total = total;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const uint64_t address = qemu_plugin_tb_vaddr(tb);
    const uint32_t n = number(address, qemu_plugin_tb_n_insns(tb));

    (void)id;
    if (address == mark_begin)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, begin, NO_REGISTERS, NULL);
    if (address == mark_end)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, end, NO_REGISTERS, NULL);
    for (unsigned int i = 0; i < nr_steps; i++)
        if (address == steps[i].address)
            qemu_plugin_register_vcpu_tb_exec_cb(tb, step, NO_REGISTERS,
                                                 &steps[i]);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_TO_UINT64, &counts[n], 1);
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_TO_UINT64, &total,
                                             blocks[n].size);
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
    for (uint32_t i = 0; i < nr_blocks; i++)
        if (sums[i] != 0)
            fprintf(file, "%" PRIx64 " %" PRIu64 "\n", blocks[i].address,
                    sums[i] * blocks[i].size);
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
        else
            return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/extable.h>
#include <plinth/compiler.h>

extern struct extable_entry {
    uint64_t insn, fixup;
} __start_ex_table[], __stop_ex_table[];

void extable_init(void)
{
    struct extable_entry *const table = __start_ex_table;

    for (struct extable_entry *e = table + 1; e < __stop_ex_table; e++) {
        struct extable_entry moved, *to = e;

        if (likely(e[-1].insn <= e->insn))
            continue;
        moved = *e;
        for (; to > table && to[-1].insn > moved.insn; to--)
            to[0] = to[-1];
        *to = moved;
    }
}

uint64_t extable_find(uint64_t rip)
{
    const struct extable_entry *e = __start_ex_table;
    size_t n = __stop_ex_table - e;

    /* What is looked for is among the @n from @e on. */
    while (n > 1) {
        const size_t half = n / 2;

        if (e[half].insn <= rip)
            e += half;
        n -= half;
    }
    return n > 0 && e->insn == rip ? e->fixup : 0;
}

/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/hypercall.h>

uint8_t fixmap_slots[FIX_SLOTS][PAGE_SIZE] __section(".bss.fixmap")
    __aligned(PAGE_SIZE);

int fixmap_set(enum fixmap_slot slot, mfn_t mfn, uint64_t flags)
{
    const uint64_t always = PTE_P | PTE_A | PTE_D | PTE_NX;

    return hypercall_update_va_mapping(
        fixmap_va(slot), pte_make(mfn, flags | always), UVMF_INVLPG);
}

void fixmap_clear(enum fixmap_slot slot)
{
    const int rc =
        hypercall_update_va_mapping(fixmap_va(slot), (pte_t){ 0 }, UVMF_INVLPG);

    /* Taking a mapping away needs nothing that could be missing. */
    if (rc != 0)
        panic("fixmap: slot %u cannot be cleared: %s", slot, errno_name(rc));
}

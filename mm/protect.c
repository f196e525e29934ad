/* SPDX-License-Identifier: MIT */
#include <plinth/bug.h>
#include <plinth/compiler.h>
#include <plinth/errno.h>
#include <plinth/hypercall.h>
#include <plinth/linear.h>
#include <plinth/protect.h>
#include <plinth/stack.h>
#include <plinth/start_info.h>
#include <plinth/walk.h>

#define L2_SPAN (1ul << 21)

/* In the BSS: the boot stack is too small for it. */
static struct {
    struct mmu_update req[128];
    unsigned int len;
} batch;

static void send(void)
{
    unsigned int done = 0;
    int rc;

    if (batch.len == 0)
        return;

    rc = hypercall_mmu_update(batch.req, batch.len, &done, DOMID_SELF);
    if (rc != 0)
        panic("protect: Xen refuses entry %u of %u, [%#lx] <- %#lx: %s",
              done + 1, batch.len, batch.req[done].ptr, batch.req[done].val,
              errno_name(rc));
    batch.len = 0;
}

/* In the entry of @level that maps @va, set and clear flags. */
static void change(uintptr_t at, unsigned int level, uint64_t set,
                   uint64_t clear)
{
    const vaddr_t va = _vaddr(at);
    struct walk w;

    walk_address(va, &w);
    if (w.last > level || !pte_present(w.entry[level]))
        panic("protect: no L%u entry for %#lx", level, at);

    if (batch.len == ARRAY_SIZE(batch.req))
        send();
    batch.req[batch.len++] = (struct mmu_update){
        .ptr = maddr_x(walk_entry_maddr(&w, va, level)) | MMU_NORMAL_PT_UPDATE,
        .val = (w.entry[level].raw | set) & ~clear,
    };
}

static void set_readonly(const char *start, const char *end)
{
    for (uintptr_t va = (uintptr_t)start; va < (uintptr_t)end; va += PAGE_SIZE)
        change(va, 1, 0, PTE_RW);
}

void protect_init(void)
{
    const uintptr_t linear_end = linear_va(_pfn(linear_size()));
    const uintptr_t p2m = start_info()->mfn_list;
    int rc;

    /*
     * All in one go if it fits: Xen flushes the TLB once, because of the
     * upper-level entries.  The order is of no matter.
     */
    set_readonly(_text, _etext);
    set_readonly(_rodata, _erodata);
    for (uintptr_t va = (uintptr_t)_etext; va < linear_end; va += L2_SPAN)
        change(va, 2, PTE_NX, 0);
    if (p2m < VIRT_BASE || p2m >= linear_end)
        change(p2m, PT_LEVELS, PTE_NX, 0);
    send();

    /*
     * Of what was taken away above nothing may live on in the TLB.  Xen flushes
     * it after a change of upper levels, but 4.14.0 does not yet.
     */
    rc = hypercall_update_va_mapping(ptr_to_vaddr(stack_boot_guard_page()),
                                     (pte_t){ 0 }, UVMF_TLB_FLUSH);
    if (rc != 0)
        panic("protect: the stack's guard page cannot be unmapped: %s",
              errno_name(rc));
}

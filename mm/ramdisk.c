/* SPDX-License-Identifier: MIT */
#include <plinth/errno.h>
#include <plinth/fixmap.h>
#include <plinth/linear.h>
#include <plinth/p2m.h>
#include <plinth/ramdisk.h>
#include <plinth/spinlock.h>
#include <plinth/start_info.h>
#include <plinth/string.h>

struct ramdisk ramdisk(void)
{
    const struct start_info *si = start_info();
    const bool by_pfn = si->flags & SIF_MOD_START_PFN;

    if (si->mod_len == 0)
        return (struct ramdisk){ 0 };

    return (struct ramdisk){
        .size = si->mod_len,
        .rounded = !is_dom0() && si->mod_len % PAGE_SIZE == 0,
        .start = by_pfn ? _pfn(si->mod_start) : linear_pfn(si->mod_start),
    };
}

/* The window's, from a mapping to the end of the copy. */
static struct spinlock lock;

/* Copy @len bytes from @offset of page @pfn, which nothing maps. */
static int read_by_window(pfn_t pfn, size_t offset, void *to, size_t len)
{
    int rc;

    spin_lock(&lock);
    rc = fixmap_set(FIX_WINDOW, p2m_lookup(pfn), 0);
    if (rc == 0) {
        memcpy(to, (const uint8_t *)fixmap_ptr(FIX_WINDOW) + offset, len);
        fixmap_clear(FIX_WINDOW);
    }
    spin_unlock(&lock);
    return rc;
}

int ramdisk_read(size_t offset, void *buf, size_t len)
{
    const struct ramdisk r = ramdisk();
    uint8_t *to = buf;
    int rc = 0;

    if (offset > r.size || len > r.size - offset)
        return -EINVAL;

    while (len > 0 && rc == 0) {
        const size_t in_page = offset % PAGE_SIZE;
        const size_t n = MIN(len, PAGE_SIZE - in_page);
        const pfn_t pfn = pfn_add(r.start, offset / PAGE_SIZE);
        const uint8_t *from = linear_ptr(pfn);

        if (from != NULL)
            memcpy(to, from + in_page, n);
        else
            rc = read_by_window(pfn, in_page, to, n);
        to += n;
        offset += n;
        len -= n;
    }
    return rc;
}

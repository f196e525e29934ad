/* SPDX-License-Identifier: MIT */
/*
 * ref_ranges: ranges beside a model of one byte for each number, and nodes that
 * can be made to run out.
 *
 *   units     numbers of the area, of which there are REF_UNITS
 *   owns      the model and the nodes that are out
 *   context   host, one thread, included by one file
 *   failure   each operation says whether both agree
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <plinth/errno.h>
#include <plinth/ranges.h>

#define REF_UNITS 1536

static struct ranges ref;
static bool ref_busy[REF_UNITS];
static size_t ref_nodes;    /* that are out */
static long ref_fail_after; /* gets that still succeed; below 0: all */

static struct range_node *ref_get_node(struct ranges *r)
{
    struct range_node *n;

    if (r != &ref || ref_fail_after == 0)
        return NULL;
    if (ref_fail_after > 0)
        ref_fail_after--;

    n = malloc(sizeof(*n));
    if (n != NULL) {
        memset(n, 0xa5, sizeof(*n));
        ref_nodes++;
    }
    return n;
}

static void ref_put_node(struct ranges *r __unused, struct range_node *n)
{
    ref_nodes--;
    free(n);
}

/* An area that starts at @start, all free. */
static inline bool ref_init(uint64_t start)
{
    memset(ref_busy, 0, sizeof(ref_busy));
    memset(&ref, 0x5a, sizeof(ref));
    ref.get_node = ref_get_node;
    ref.put_node = ref_put_node;
    ref_fail_after = -1;

    return ranges_init(&ref, start, start + REF_UNITS) == 0;
}

static inline bool ref_end(void)
{
    ranges_release(&ref);

    return ref_nodes == 0 && ref.root == NULL && ranges_check(&ref) == 0;
}

static inline bool ref_inside(uint64_t start, uint64_t size)
{
    return size > 0 && start >= ref.start && start < ref.end &&
           size <= ref.end - start;
}

/* Are all of them @busy? */
static inline bool ref_all(uint64_t start, uint64_t size, bool busy)
{
    for (uint64_t i = 0; i < size; i++)
        if (ref_busy[start - ref.start + i] != busy)
            return false;

    return true;
}

static inline void ref_set(uint64_t start, uint64_t size, bool busy)
{
    memset(ref_busy + (start - ref.start), busy, size);
}

static inline bool ref_is_free(uint64_t start)
{
    return start >= ref.start && start - ref.start < REF_UNITS &&
           !ref_busy[start - ref.start];
}

/* The whole state, number by number, and the sums. */
static inline bool ref_same(void)
{
    struct ranges_stats want = { 0 };
    uint64_t run = 0;

    for (uint64_t i = 0; i < REF_UNITS; i++) {
        if (ranges_is_free(&ref, ref.start + i, 1) == ref_busy[i])
            return false;
        run = ref_busy[i] ? 0 : run + 1;
        want.nr += run == 1;
        want.free += run > 0;
        want.largest = run > want.largest ? run : want.largest;
    }

    return ranges_stats(&ref).nr == want.nr &&
           ranges_stats(&ref).free == want.free &&
           ranges_stats(&ref).largest == want.largest && ref_nodes == want.nr;
}

/* Does the header promise that the run [start, start + len) will do? */
static inline bool ref_promised(uint64_t start, uint64_t len, uint64_t size,
                                uint64_t align)
{
    for (uint64_t known = 1; known <= 512 * 512; known *= 512) {
        uint64_t lost = 0;

        while (lost < len && (start + lost) % known != 0)
            lost++;
        if (known < align)
            lost = lost + (align - known);
        if (lost <= len && size <= len - lost)
            return true;
    }

    return false;
}

static inline bool ref_is_known(uint64_t align)
{
    return align == 1 || align == 512 || align == 512 * 512;
}

/* Where @size should go; false for nowhere. */
static inline bool ref_place(uint64_t size, uint64_t align, uint64_t *at)
{
    const uint64_t end = ref.start + REF_UNITS;

    for (uint64_t s = ref.start; s < end; s++) {
        uint64_t len = 0;

        if (!ref_is_free(s))
            continue;
        if (ref_is_known(align)) { /* a true first fit */
            *at = s;
            if (s % align == 0 && size <= end - s && ref_all(s, size, false))
                return true;
            continue;
        }

        while (s + len < end && ref_is_free(s + len))
            len++;
        if (ref_promised(s, len, size, align)) {
            *at = (s + align - 1) / align * align;
            return true;
        }
        s += len - 1;
    }

    return false;
}

static inline bool ref_alloc(uint64_t size, uint64_t align, uint64_t *start)
{
    const bool sane = size > 0 && align > 0 && (align & (align - 1)) == 0;
    const size_t nodes = ref_nodes;
    uint64_t got = 0x1234, want = 0;
    const bool placed = sane && ref_place(size, align, &want);
    const int rc = ranges_alloc(&ref, size, align, &got);

    *start = got;
    if (rc != 0 && got != 0x1234)
        return false;
    if (rc == -ENOMEM) /* only where it is true, and wanted */
        return placed && ref_fail_after == 0 && ref_nodes == nodes &&
               ref_is_free(want - 1) && ref_is_free(want + size);
    if (rc != 0)
        return rc == (sane ? -ENOSPC : -EINVAL) && !placed;

    if (!placed || got != want || !ref_all(got, size, false))
        return false;
    ref_set(got, size, true);
    return true;
}

static inline bool ref_take(uint64_t start, uint64_t size)
{
    const bool inside = ref_inside(start, size);
    const int rc = ranges_take(&ref, start, size);

    if (!inside)
        return rc == -EINVAL;
    if (!ref_all(start, size, false))
        return rc == -EBUSY;
    if (rc == -ENOMEM)
        return ref_fail_after == 0 && ref_is_free(start - 1) &&
               ref_is_free(start + size);
    if (rc != 0)
        return false;

    ref_set(start, size, true);
    return true;
}

static inline bool ref_free(uint64_t start, uint64_t size)
{
    const int rc = ranges_free(&ref, start, size);

    if (!ref_inside(start, size) || !ref_all(start, size, true))
        return rc == -EINVAL;
    if (rc == -ENOMEM)
        return ref_fail_after == 0 && !ref_is_free(start - 1) &&
               !ref_is_free(start + size);
    if (rc != 0)
        return false;

    ref_set(start, size, false);
    return true;
}

static inline bool ref_ask(uint64_t start, uint64_t size)
{
    return ranges_is_free(&ref, start, size) ==
           (ref_inside(start, size) && ref_all(start, size, false));
}

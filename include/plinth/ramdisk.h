/* SPDX-License-Identifier: MIT */
/*
 * ramdisk: the file that came with the kernel (`ramdisk=` in xl's
 * configuration, the second module of a PV dom0).
 *
 * The builder leaves it outside the bootstrap region, unmapped, because our
 * MOD_START_PFN note allows that; without the note it is mapped after the
 * image.  Here it reads the same either way.
 *
 *   units    bytes; a domU's builder rounds the size of an unmapped ramdisk up
 *            to whole pages, with zeroes behind the end; 4.14 that of
 *            a mapped one as well
 *   owns     the pages stay the ramdisk's until somebody decides otherwise
 *   context  threads and boot
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <plinth/addr.h>
#include <plinth/compiler.h>

struct ramdisk {
    size_t size;  /* 0: there is none */
    bool rounded; /* the size is in whole pages: the file may be shorter */
    pfn_t start;
};

struct ramdisk ramdisk(void);

/*
 * Copy @len bytes from @offset to @buf.  0; -EINVAL when that is not inside
 * the ramdisk; the error of mapping a page.
 */
int __must_check ramdisk_read(size_t offset, void *buf, size_t len);

/* SPDX-License-Identifier: MIT */
/*
 * protect: W^X over the bootstrap region.
 *
 * The builder maps everything writable and executable.  Text and rodata lose
 * RW, and what follows them loses X, by one bit per 2 MiB, in the L2; the P2M
 * by one bit in its L4 entry; rodata loses X page by page (linker.ld explains
 * the layout that makes this cheap).  The page below each stack of the image is
 * unmapped.
 *
 *   context  boot, once, after boot_map_init()
 *   failure  panic: without it nothing that follows is worth running
 */
#pragma once

void protect_init(void);

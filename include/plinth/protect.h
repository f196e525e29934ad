/* SPDX-License-Identifier: MIT */
/*
 * protect: W^X over the bootstrap region.
 *
 * The builder maps everything writable and executable.  Text and rodata lose
 * RW page by page; all the rest loses X by one bit per 2 MiB, in the L2, and
 * the P2M by one bit in its L4 entry (linker.ld explains the layout that makes
 * this cheap).  The page below the boot stack is unmapped.
 *
 *   context  boot, once, after boot_map_init()
 *   failure  panic: without it nothing that follows is worth running
 */
#pragma once

void protect_init(void);

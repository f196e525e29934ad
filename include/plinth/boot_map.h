/* SPDX-License-Identifier: MIT */
/*
 * boot_map: what the domain builder put where.
 *
 * The builder maps pfn n at VIRT_BASE + n * 4096 for the whole bootstrap
 * region, puts our image and what it adds there in ascending order, and gives
 * the P2M a place of its own when it honours INIT_P2M.  All of that is input:
 * the tables are walked from pt_base, no order is assumed, and what is found is
 * checked before anything is built on it; of a P2M of its own, at boot, two
 * pages for each GiB of memory, so that boot takes no longer with more of it.
 *
 *   owns     nothing
 *   context  boot; later read-only
 *   source   public/xen.h "start-of-day memory layout"; the builders:
 *            tools/libs/guest/xg_dom_core.c, xen/arch/x86/pv/dom0_build.c
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <plinth/compiler.h>
#include <plinth/pte.h>
#include <xen/xen.h>

#define BOOT_REGIONS 24

struct boot_region {
    const char *what;
    pfn_t start;
    uint64_t nr_pages;
    vaddr_t va;         /* where it is mapped ... */
    uint64_t nr_mapped; /* ... and how many of its pages: all, some or none */
    char given[4];      /* rights the builder gave: "RWX" */
    bool free;          /* nobody's: for page_init() to hand out */
};

struct boot_map {
    uint64_t nr_linear;            /* pages of the bootstrap region */
    unsigned int tables;           /* table pages in there */
    unsigned int tables_outside;   /* those of the P2M, unmapped */
    uint64_t leaves, large_leaves; /* looked at; those of 2 MiB or 1 GiB */
    unsigned int nr_regions;
    struct boot_region regions[BOOT_REGIONS]; /* ascending by pfn */
};

/*
 * Walk and check the tables that @si describes and fill @map.  0, or -EINVAL
 * with @why saying which fact contradicts which.
 */
int __must_check boot_map_make(const struct start_info *si,
                               struct boot_map *map, char *why, size_t len);

/* Do that for the real one; a contradiction is a panic. */
void boot_map_init(void);

const struct boot_map *boot_map(void);

/* Print the table of regions with their rights then and now. */
void boot_map_print(void);

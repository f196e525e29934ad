/* SPDX-License-Identifier: MIT */
#include <plinth/boot_map.h>
#include <plinth/boot_report.h>
#include <plinth/features.h>
#include <plinth/options.h>
#include <plinth/printk.h>
#include <plinth/ramdisk.h>
#include <plinth/start_info.h>
#include <plinth/string.h>

static void print_xen(void)
{
    const struct xen_identity *xen = xen_identity();

    say("Plinth on Xen %u.%u%s, as %s\n", xen->major, xen->minor, xen->extra,
        is_dom0() ? "dom0" : "domU");
    if (xen->compiler[0] != '\0')
        say("Xen was built by %s\n", xen->compiler);
}

/* Names of the features there are, folded before column 80. */
static void print_features(void)
{
    unsigned int column = 0;

    for (unsigned int n = 0; n < XEN_FEATURES; n++) {
        const char *name = xen_feature_name(n);

        if (!xen_feature(n))
            continue;
        if (column == 0 || column + strlen(name ? name : "bit 63") > 76) {
            say("%s", column == 0 ? "Features:" : "\n         ");
            column = 9;
        }
        if (name != NULL)
            say(" %s", name);
        else
            say(" bit %u", n);
        column += 1 + strlen(name ? name : "bit 63");
    }
    say("%s\n", column == 0 ? "Features: none" : "");
}

static void print_memory(void)
{
    const struct start_info *si = start_info();
    const struct ramdisk rd = ramdisk();

    say("Memory: %lu pages, %lu MiB; bootstrap region %lu KiB\n", si->nr_pages,
        si->nr_pages >> 8, boot_map()->nr_linear * (PAGE_SIZE / 1024));
    if (rd.size != 0)
        say("Ramdisk: %lu bytes%s at pfn %#lx\n", rd.size,
            rd.rounded ? " (in whole pages)" : "", pfn_x(rd.start));
}

void boot_report(void)
{
    if (!options()->report)
        return;

    print_xen();
    boot_map_print();
    print_memory();
    print_features();
    say("Command line: %s\n", start_info()->cmd_line);
}

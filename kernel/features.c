/* SPDX-License-Identifier: MIT */
#include <plinth/compiler.h>
#include <plinth/features.h>
#include <plinth/hypercall.h>
#include <plinth/string.h>
#include <xen/features.h>

static struct xen_identity identity;
static uint64_t features;

/* clang-format off */
static const char *const names[XEN_FEATURES] = {
    [XENFEAT_writable_page_tables]       = "writable_page_tables",
    [XENFEAT_writable_descriptor_tables] = "writable_descriptor_tables",
    [XENFEAT_auto_translated_physmap]    = "auto_translated_physmap",
    [XENFEAT_supervisor_mode_kernel]     = "supervisor_mode_kernel",
    [XENFEAT_pae_pgdir_above_4gb]        = "pae_pgdir_above_4gb",
    [XENFEAT_mmu_pt_update_preserve_ad]  = "mmu_pt_update_preserve_ad",
    [XENFEAT_highmem_assist]             = "highmem_assist",
    [XENFEAT_gnttab_map_avail_bits]      = "gnttab_map_avail_bits",
    [XENFEAT_hvm_callback_vector]        = "hvm_callback_vector",
    [XENFEAT_hvm_safe_pvclock]           = "hvm_safe_pvclock",
    [XENFEAT_hvm_pirqs]                  = "hvm_pirqs",
    [XENFEAT_dom0]                       = "dom0",
    [XENFEAT_memory_op_vnode_supported]  = "memory_op_vnode_supported",
    [XENFEAT_ARM_SMCCC_supported]        = "ARM_SMCCC_supported",
    [XENFEAT_linux_rsdp_unrestricted]    = "linux_rsdp_unrestricted",
    [XENFEAT_not_direct_mapped]          = "not_direct_mapped",
    [XENFEAT_direct_mapped]              = "direct_mapped",
    /* Newer than some distributions' headers. */
    [18]                                 = "runstate_phys_area",
    [19]                                 = "vcpu_time_phys_area",
    [20]                                 = "dm_msix_all_writes",
};
/* clang-format on */

void features_init(void)
{
    struct xen_compile_info compile;
    const long version = hypercall_xen_version(XENVER_version, NULL);

    identity.major = version >> 16;
    identity.minor = version & 0xffff;

    /* A hardened host may refuse or blank any of these; then they stay "". */
    if (hypercall_xen_version(XENVER_extraversion, identity.extra) != 0)
        identity.extra[0] = '\0';
    if (hypercall_xen_version(XENVER_changeset, identity.changeset) != 0)
        identity.changeset[0] = '\0';
    if (hypercall_xen_version(XENVER_compile_info, &compile) == 0)
        strlcpy(identity.compiler, compile.compiler, sizeof(identity.compiler));

    for (unsigned int i = 0; i < XEN_FEATURES / 32; i++) {
        struct xen_feature_info info = { .submap_idx = i };

        if (hypercall_xen_version(XENVER_get_features, &info) == 0)
            features |= (uint64_t)info.submap << (32 * i);
    }
}

const struct xen_identity *xen_identity(void)
{
    return &identity;
}

bool xen_feature(unsigned int n)
{
    return n < XEN_FEATURES && (features >> n) & 1;
}

const char *xen_feature_name(unsigned int n)
{
    return n < XEN_FEATURES ? names[n] : NULL;
}

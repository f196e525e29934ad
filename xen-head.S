/* SPDX-License-Identifier: MIT */
/*
 * How Xen is told what this image is (ELF notes), and where it starts to run.
 *
 * Sources: xen/include/public/elfnote.h; what the domain builders do with each
 * note: xen/common/libelf/libelf-dominfo.c, tools/libs/guest/xg_dom_*.c,
 * xen/arch/x86/pv/dom0_build.c.
 */
#define __ASSEMBLY__ 1
#include <arch/asm.h>
#include <xen/elfnote.h>
#include <xen/features.h>

/* Owner "Xen" (4 bytes with its NUL), type, descriptor; all 4-aligned. */
    .macro NOTE type, kind, value:vararg
    .pushsection .note.xen, "a", @note
    .balign 4
    .long 2f - 1f, 4f - 3f, \type
1:  .asciz "Xen"
2:  .balign 4
3:  \kind \value
4:  .balign 4
    .popsection
    .endm

/* Must begin with "xen-3.0", or the image is not loaded. */
NOTE XEN_ELFNOTE_XEN_VERSION,        .asciz, "xen-3.0"
/* Informative, shown by the builder; "linux" would excuse a missing LOADER. */
NOTE XEN_ELFNOTE_GUEST_OS,           .asciz, "plinth"
/* Informative. */
NOTE XEN_ELFNOTE_GUEST_VERSION,      .asciz, "0.1"
/* "generic" or the image is not loaded: it follows the generic boot protocol. */
NOTE XEN_ELFNOTE_LOADER,             .asciz, "generic"
/* pfn n of the bootstrap region is mapped at VIRT_BASE + n * 4096. */
NOTE XEN_ELFNOTE_VIRT_BASE,          .quad,  VIRT_BASE
/* Segments are put at p_paddr + VIRT_BASE - this. */
NOTE XEN_ELFNOTE_PADDR_OFFSET,       .quad,  0
/* vCPU 0's first RIP; must lie inside the image. */
NOTE XEN_ELFNOTE_ENTRY,              .quad,  xen_entry
/* This page of ours is filled with the hypercall stubs. */
NOTE XEN_ELFNOTE_HYPERCALL_PAGE,     .quad,  hypercall_page
/* Names, '!' before one makes it a must; this is a may: L4s above 4 GiB. */
NOTE XEN_ELFNOTE_FEATURES,           .asciz, "pae_pgdir_above_4gb"
/* The same by number.  If present, dom0 must be in it to be booted as dom0. */
NOTE XEN_ELFNOTE_SUPPORTED_FEATURES, .long,  (1 << XENFEAT_writable_page_tables) | (1 << XENFEAT_pae_pgdir_above_4gb) | (1 << XENFEAT_dom0)
/* 32-bit guests only; 64-bit builders ignore it, old tools want to see it. */
NOTE XEN_ELFNOTE_PAE_MODE,           .asciz, "yes"
/* The P2M goes here and not into the bootstrap region, which stays small. */
NOTE XEN_ELFNOTE_INIT_P2M,           .quad,  0xffffc00000000000
/* Any value but 0: the ramdisk need not be mapped; mod_start is its pfn. */
NOTE XEN_ELFNOTE_MOD_START_PFN,      .quad,  1
/* Where Xen's own part of the address space starts; read for 32-bit dom0s. */
NOTE XEN_ELFNOTE_HV_START_LOW,       .quad,  0xffff800000000000
/* (mask, value): an L1 entry with these bits so holds a valid mfn. */
NOTE XEN_ELFNOTE_L1_MFN_VALID,       .quad,  1, 1
/* A suspend that was cancelled returns 1 from the hypercall, not a new life. */
NOTE XEN_ELFNOTE_SUSPEND_CANCEL,     .quad,  1

/*
 * vCPU 0 starts here: ring 3, 64-bit, events masked, RSI = start_info, RSP =
 * a one-page stack of the builder's, CS/SS Xen's flat segments, all else 0
 * (arch/x86/domain.c: arch_set_info_guest()).  The loader's clearing of the
 * BSS is not part of the ABI, so it is done again; the stack is in there and
 * unused yet.  FCW is 0x40 on Xen 4.20 and later: exceptions on.
 */
    .section .text.head, "ax", @progbits
FUNCTION(_start)
    cld
    mov     %rsi, %rbx
    rdtsc
    shl     $32, %rdx
    lea     (%rax, %rdx), %r12

    lea     _bss_cleared(%rip), %rdi
    lea     _ebss(%rip), %rcx
    sub     %rdi, %rcx
    shr     $3, %rcx
    xor     %eax, %eax
    rep stosq
    mov     %r12, boot_tsc(%rip)

    mov     main_stack + STACK_END(%rip), %rsp
    xor     %ebp, %ebp          /* the backtrace ends here */

    fninit
    push    $0x1f80             /* all SSE exceptions masked */
    ldmxcsr (%rsp)
    add     $8, %rsp

    mov     %rbx, %rdi
    call    kernel_main         /* does not return */
    ud2
END_FUNCTION(_start)

    .section .note.GNU-stack, "", @progbits

# SPDX-License-Identifier: MIT
#
# From `nm -n IMAGE` make the image's symbol table (kernel/symbols.c) and the
# legacy __xen_guest string, both as assembly.  The numbers they hold are known
# only after a link, and the table's size moves text: so the Makefile links three
# times.  With no input, for the first one, the table comes out empty.

# Addresses are 64-bit and awk's numbers are not: all of ours share their upper
# half, so the lower 32 bits do.
function low32(hex,    i, n) {
    n = 0
    for (i = length(hex) - 7; i <= length(hex); i++)
        n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return n
}

{ value[$3] = $1 }

$3 == "_text" { text = low32($1); started = 1 }
$3 == "_etext" { started = 0 }

# Functions and hypercall slots; of several names for one address the first.
started && $2 ~ /^[tTA]$/ && $3 !~ /^[._]L|^_text$/ {
    at = low32($1) - text
    if (count == 0 || offset[count - 1] != at) {
        offset[count] = at
        name[count++] = $3
    }
}

END {
    print "/* Made by tools/symbols.awk. */"
    print "    .section .rodata.symbols, \"a\", @progbits"
    print "    .balign 4"
    print "    .globl symbols_count, symbols_offset, symbols_name, symbols_text"
    printf "symbols_count:\n    .long %d\n", count
    print "symbols_offset:"
    for (i = 0; i < count; i++)
        printf "    .long %#x\n", offset[i]
    print "symbols_name:"
    for (at = i = 0; i < count; i++) {
        printf "    .long %d\n", at
        at += length(name[i]) + 1
    }
    print "symbols_text:"
    for (i = 0; i < count; i++)
        printf "    .asciz \"%s\"\n", name[i]

    # For builders that see no ELF notes.  HYPERCALL_PAGE is a page number.
    print "    .section __xen_guest, \"a\", @progbits"
    printf "    .ascii \"GUEST_OS=plinth,GUEST_VER=0.1,XEN_VER=xen-3.0,\"\n"
    printf "    .ascii \"LOADER=generic,VIRT_BASE=0x%s,\"\n", value["VIRT_BASE"]
    printf "    .ascii \"ELF_PADDR_OFFSET=0x0,VIRT_ENTRY=0x%s,\"\n", value["xen_entry"]
    printf "    .asciz \"HYPERCALL_PAGE=0x%x,PAE=yes\"\n", (low32(value["hypercall_page"]) - text) / 4096
    print "    .section .note.GNU-stack, \"\", @progbits"
}

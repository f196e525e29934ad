#!/bin/bash
# SPDX-License-Identifier: MIT
# The image, without running it: what its ELF file says, and how it is built.

. tests/tap.sh

elf=$BUILD/selftest.elf
out=$(mktemp -d)
trap 'rm -rf "$out" "$tap_out"' EXIT

# Segments: R-X, R--, RW-, and no other.
flags() { readelf -lW "$elf" | sed -n 's/^ *LOAD .* \([R ][W ][E ]\) 0x.*/[\1]/p' | tr -d '\n'; }
expect 0 "program headers" flags
said '^\[R E\]\[R  \]\[RW \]$'

# Text ends at the 2 MiB boundary and starts at VIRT_BASE; nothing is below -2 GiB.
value() { nm "$elf" | awk -v s="$1" '$3 == s { print $1 }'; }
check "rodata ends at a 2 MiB boundary" test "$(value _erodata)" = ffffffff80200000
check "VIRT_BASE is the start of text" test "$(value VIRT_BASE)" = "$(value _text)"

# ... of whatever size it is, up to a full page and beyond, and whatever aligning costs.
sizes() {
    local n objects used=$((0x$(value _rodata_used) - 0x$(value _rodata)))
    objects=$(make -s O="$BUILD" print-core print-selftest | sed 's/.* = //' | tr ' ' '\n' | sed "s,^,$BUILD/,")
    for n in $(seq $((8192 - used % 4096 - 200)) 8 $((8192 - used % 4096 + 64))); do
        printf '.section .rodata\n.skip %d\n.section .note.GNU-stack, "", @progbits\n' "$n" | as -o "$out/more.o" -
        # shellcheck disable=SC2086 # a list of names
        ld -S -nostdlib -static --no-warn-rwx-segments -T linker.ld -o "$out/more.elf" $objects \
            "$BUILD/selftest.sym.o" "$out/more.o" || { echo "with $n bytes more"; return 1; }
    done
}
check "... and so it does with any size" sizes
check "the first page is the hypercall page" test "$(value hypercall_page)" = "$(value _text)"
expect 0 "p_paddr counts from pfn 0" readelf -lW "$elf"
said "LOAD +0x[0-9a-f]+ 0x$(value _text) 0x0000000000000000"

# Each note as Xen's own readnotes sees it, from the lab's unpacked packages.
xen_root=${LAB_DIR:-$BUILD/lab}/xen-$XEN
readnotes() {
    local libs
    libs=$(find "$xen_root" -name '*.so.*' -printf '%h\n' | sort -u | tr '\n' ':')
    "$xen_root/lib64/ld-linux-x86-64.so.2" --library-path "$libs" \
        "$xen_root/usr/lib/xen-$XEN/bin/readnotes" "$1"
}
check "the lab has Xen $XEN" lab/fetch --xen "$XEN"
expect 0 "readnotes" readnotes "$elf"
said 'XEN_VERSION: xen-3.0'
said 'GUEST_OS: plinth'
said 'LOADER: generic'
said "VIRT_BASE: 0x$(value _text) "
said "ENTRY: 0x$(value _start) "
said "HYPERCALL_PAGE: 0x$(value hypercall_page) "
said 'PADDR_OFFSET: +0 '
said 'HV_START_LOW: 0xffff800000000000 '
said 'PAE_MODE: yes'
said 'FEATURES: pae_pgdir_above_4gb'
said 'SUSPEND_CANCEL: +0x1 '
said 'L1_MFN_VALID: mask=0x1 value=0x1'

# It knows the newer notes by number only: here are all of them, type=value.
notes() {
    objcopy -O binary --only-section=.note.xen "$elf" "$out/notes"
    perl -e '
        my ($at, $size) = (0, -s STDIN);
        read STDIN, my $notes, $size;
        while ($at < $size) {
            my ($name, $desc, $type) = unpack "LLL", substr $notes, $at;
            $at += 12 + (($name + 3) & ~3);
            printf "%d=%s\n", $type, join " ", unpack "(H2)*", substr $notes, $at, $desc;
            $at += ($desc + 3) & ~3;
        }' <"$out/notes"
}
expect 0 "notes by number" notes
for type in 1 2 3 4 5 6 7 8 9 10 12 13 14; do said "^$type="; done
said '^15=00 00 00 00 00 c0 ff ff$' # INIT_P2M
said '^16=01 00'                    # MOD_START_PFN
said '^17=11 08 00 00$'             # SUPPORTED_FEATURES, bit 11 is dom0

# The legacy string agrees with the notes, and is all there is without them.
legacy() { objcopy -O binary --only-section=__xen_guest "$BUILD/selftest-legacy.elf" "$out/legacy" && tr '\0' '\n' <"$out/legacy"; }
expect 0 "legacy string" legacy
said "VIRT_BASE=0x$(value VIRT_BASE),"
said "VIRT_ENTRY=0x$(value _start),"
said 'HYPERCALL_PAGE=0x0,'
said 'LOADER=generic'
expect 0 "sections of the legacy image" readelf -SW "$BUILD/selftest-legacy.elf"
unsaid 'note\.xen'

# Includes point one way: no header includes itself by way of others.
cycles() {
    perl -e '
        my (%edges, %state);
        for my $file (@ARGV) {
            open my $f, "<", $file or die $file;
            my ($name) = $file =~ m{include/(.*)};
            m{^#include <((?:plinth|arch)/\S+)>} and push @{$edges{$name}}, $1 while <$f>;
        }
        sub visit {
            my ($name, @path) = @_;
            die join(" -> ", @path, $name), "\n" if ($state{$name} // "") eq "open";
            return if $state{$name};
            $state{$name} = "open";
            visit($_, @path, $name) for @{$edges{$name} // []};
            $state{$name} = "done";
        }
        visit($_) for sort keys %edges' include/plinth/*.h arch/x86/include/arch/*.h
}
check "no include cycles" cycles

# One kind of address does not pass for another: each line must not compile, and
# the one that is right must.
flags=$(make -s print-CPPFLAGS O="$BUILD" | sed 's/^CPPFLAGS = //')
compiles() {
    printf '%s\n' '#include <plinth/pte.h>' '#include <plinth/p2m.h>' \
        'void f(pfn_t pfn, mfn_t mfn, paddr_t paddr, maddr_t maddr, vaddr_t va, pte_t pte);' \
        "void f(pfn_t pfn, mfn_t mfn, paddr_t paddr, maddr_t maddr, vaddr_t va, pte_t pte) { (void)pfn; (void)mfn; (void)paddr; (void)maddr; (void)va; (void)pte; $1; }" |
        eval "gcc $flags -std=gnu11 -ffreestanding -fsyntax-only -x c -"
}
expect 0 "right use of the address types" compiles \
    '(void)p2m_lookup(pfn); (void)m2p_lookup(mfn); (void)pte_make(mfn, 1); (void)mfn_to_maddr(mfn)'
for misuse in 'p2m_lookup(mfn)' 'm2p_lookup(pfn)' 'pte_make(pfn, 1)' 'pte_make(maddr, 1)' \
    'mfn_to_maddr(pfn)' 'pfn_to_paddr(mfn)' 'mfn = pfn' 'maddr = paddr' 'pfn = 7' 'pte = 7' \
    'mfn_eq(mfn, pfn)' 'vaddr_to_ptr(paddr)' 'mfn + 1' 'pfn == pfn' 'pte_mfn(mfn)'; do
    expect 1 "does not compile: $misuse" compiles "(void)($misuse)"
    said 'error:'
done

# Examples are made of what everybody can use.
check "examples include public headers only" bash -c "! grep -h '#include' examples/*/*.c | grep -v '<plinth/'"

# No vector registers in the kernel; tests may use them in their own assembly.
check "no SSE in kernel code" bash -c "
    for o in $(find "$BUILD/kernel" "$BUILD/mm" "$BUILD/lib" "$BUILD/drivers" -name '*.o' | tr '\n' ' '); do
        objdump -d \$o | grep -E '%[xyz]mm' && exit 1; done; exit 0"

# Two builds in two folders are the same, to the bit.
copy() { mkdir -p "$1" && cp -R Makefile linker.ld xen-head.S arch drivers examples include kernel lib mm tests tools "$1" && make -s -C "$1" -j2; }
check "a build in one folder" copy "$out/a"
check "a build in a folder with another name" copy "$out/another/folder"
check "... gives the same image" cmp "$out/a/build/selftest.elf" "$out/another/folder/build/selftest.elf"

# A change of flags rebuilds; no change builds nothing.
again() { make -C "$out/a" "$@"; }
expect 0 "make again" again
unsaid '^  (CC|LD|AS) '
expect 0 "make with other flags" again DEBUG=0
said 'CC +kernel/main.c'
expect 0 "a changed header" bash -c "touch $out/a/include/plinth/console.h && make -C $out/a DEBUG=0"
said 'CC +drivers/console.c'
unsaid 'CC +lib/string.c'
check "nothing is left outside of build/" bash -c "cd $out/a && ! find . -newer build/flags -type f -not -path './build/*' | grep -v include/plinth/console.h"
expect 2 "missing Xen headers" again XEN_HEADERS=/nowhere
said 'no Xen headers in /nowhere: apt-get install libxen-dev'
check "without the stack check" again STACK_CHECK=0 DEBUG=0
expect 2 "an application without main" bash -c "cd $out/a && sed -i 's/^int main/int not_main(int c, char *v[]);\nint not_main/' examples/hello/main.c && make build/hello.elf"
said 'undefined reference to .main'

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# From outside: what the guest says of its memory, dom0's own tools say too
# (tests/outside.sh).

. tests/tap.sh

expect 0 "dom0's tools look at a guest" \
    lab/run "$BUILD/selftest.elf" --xen "$XEN" --memory 8 --timeout "$PATIENCE" --dom0-script tests/outside.sh
tr -d '\r' <"$tap_out" >"$tap_out.seen"
trap 'rm -f "$tap_out" "$tap_out.seen"' EXIT

# first PIECE: the pfn and the mfn where PIECE begins, by the guest's boot report.
first() { sed -nE "s/^  $1 .* ([0-9a-f]+)-[0-9a-f]+ +([0-9a-f]+)( .*)?$/\1 \2/p" "$tap_out.seen" | head -n 1; }

# in_p2m PFN MFN [TYPE]: does xen-mfndump, through what the guest published, agree?
in_p2m() { grep -qE "pfn=0x0*$1 +==> mfn=0x0*$2 \(type ${3:-0x0\)}" "$tap_out.seen"; }

for piece in text rodata data stacks bss start_info 'xenstore ring' 'console ring' padding; do
    # shellcheck disable=SC2046
    check "xen-mfndump finds $piece where the guest has it" in_p2m $(first "$piece")
done
tables=$(first 'page tables')
check "the first table is an L4, pinned" in_p2m "${tables% *}" "${tables#* }" "0xc\) pinned L4"
pages=$(sed -nE 's/^Memory: ([0-9]+) pages.*/\1/p' "$tap_out.seen")
check "the P2M has as many entries as the guest has pages" \
    grep -q "P2M size: = $pages\$" "$tap_out.seen"
check "no entry is missing" test "$(grep -c 'pfn=0x.*==> mfn=0x' "$tap_out.seen")" = "$pages"

# Xen's table leads each frame back to the pfn that the guest's own table gives it to.
m2p_agrees() {
    awk -v want="$pages" '
        /^-- / { section = $2; next }
        !/==>/ { next }
        { gsub("[pm]fn=", "") }
        section == "p2m" { pfn_of[$3] = $1 }
        section == "m2p" && pfn_of[$1] == $3 { good++ }
        section == "m2p" && pfn_of[$1] != $3 { print "mfn " $1 ": " $3 ", not " pfn_of[$1]; bad++ }
        END { print good + 0 " of " want " agree"; exit bad || good != want }' "$tap_out.seen"
}
check "the M2P has each frame of the guest's with its pfn" m2p_agrees
in_m2p() { grep -qE "^ *0x0*$2 ==> pfn=0x0*$1\$" "$tap_out.seen"; }
for piece in text start_info 'page tables' padding; do
    # shellcheck disable=SC2046
    check "... among them $piece" in_m2p $(first "$piece")
done

check "CR3 is that L4" grep -qE "^cr3: 0*${tables#* }000" "$tap_out.seen"
# The one mapping of ours; slot 258 is Xen's own.
check "that L4 is mapped once, and read-only" test \
    "$(sed -nE '/<-- .*\[258\]/d; s/^ *0x[0-9a-f]+ <-- .*(.)5$/\1/p' "$tap_out.seen")" = 2
check "xenctx knows where the guest is" grep -q '^rip: .* test_fatal_hang+0x' "$tap_out.seen"

finish

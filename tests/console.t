#!/bin/bash
# SPDX-License-Identifier: MIT
# The console ring when the other end is slow, or dead for a while (tests/console.sh).

. tests/tap.sh

expect 0 "a guest with a daemon that stops" \
    lab/run "$BUILD/selftest.elf" --xen "$XEN" --timeout "$PATIENCE" --dom0-script tests/console.sh
unsaid 'does not '

# Within the guest's patience: it waits, and all 128 lines come.
said '^short: ended with reason 0'
flood() { grep -oE "^$1: # flood [0-9]+" "$tap_out" | awk '{ print $4 }' | tr '\n' ' '; }
all=$(seq -f %03g 0 127 | tr '\n' ' ')
result "$([ "$(flood short)" = "$all" ]; echo $?)" "all lines of the short one, in order"
said '^short: ok 1 console.nobody_reads_for_a_while'

# Beyond it gives up, counts, says so when the ring moves again, and ends.
said '^long: ended with reason 0'
said '^long: \[console: [0-9]+ bytes lost\]'
said '^long: ok 1 console.nobody_reads_for_long'
result "$([ "$(flood long)" != "$all" ]; echo $?)" "lines of the long one are missing"

finish

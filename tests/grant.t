#!/bin/bash
# SPDX-License-Identifier: MIT
# Two guests: one grants pages, the other maps and copies them; and one that is
# destroyed while its page is mapped (tests/grant.sh).

. tests/tap.sh

expect 0 "two guests share pages" \
    lab/run "$BUILD/selftest.elf" --xen "$XEN" --timeout "$PATIENCE" --dom0-script tests/grant.sh
said '^giver is 1, taker is 2'
said '^giver: ok 1 grant.give_to_peer'
said '^taker: ok 1 grant.take_from_peer'
said '^heir: ok 1 grant.outlive_peer'

finish

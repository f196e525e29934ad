#!/bin/bash
# SPDX-License-Identifier: MIT
# The page tables as memory: everything works by the self-map, and nothing needs
# it where Xen does not allow it.

. tests/tap.sh

guest() { lab/run "$BUILD/selftest.elf" --xen "$XEN" --via dom0 --timeout "$PATIENCE" "$@"; }

# Xen allows it unless told otherwise, so that a skipped test is a wrong request.
expect 0 "an L4 that names itself" guest --extra "plinth.report=off tests=selfmap.*"
said '^# Totals: pass:[0-9]+ fail:0 skip:0 '
# 4 GiB: the P2M of dom0 then has large pages.
expect 0 "... with large pages about" guest --memory 4096 \
    --extra "plinth.report=off tests=selfmap.shows*"
said '^# [0-9]+ tables, [0-9]+ leaves, [1-9][0-9]* of them large'
expect 0 "all tests, with walks by it" guest --extra "plinth.walk=selfmap steps=10000"
unsaid 'warning: option plinth'
said '^# Totals: pass:[0-9]{3} fail:0 '

expect 0 "a Xen that allows none" guest --xen-args pv-linear-pt=false \
    --extra "plinth.report=off plinth.walk=selfmap tests=selfmap.*,mmu.*"
said 'warning: option plinth\.walk: no self-map: EINVAL'
said '^ok .* selfmap\.shows.* # SKIP this Xen lets no L4 table name itself'
said '^ok [0-9]+ selfmap\.writable_one_is_refused$'

finish

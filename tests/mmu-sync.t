#!/bin/bash
# SPDX-License-Identifier: MIT
# plinth.mmu=sync, which shows the request that Xen refuses: all of memory works by
# requests that go one by one.

. tests/tap.sh

expect 0 "requests that go one by one" lab/run "$BUILD/selftest.elf" --xen "$XEN" --via dom0 --timeout "$PATIENCE" \
    --extra "plinth.mmu=sync steps=5000 tests=mmu.*,map.*,space.*,vmap.*,page.*,balloon.*,contig.*,grant.*,thread.*"
unsaid 'warning: option plinth'
said '^# Totals: pass:[0-9]{3} fail:0 '
finish

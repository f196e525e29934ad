#!/bin/bash
# SPDX-License-Identifier: MIT
# Vector registers of threads, on a CPU that shows XSAVE and AVX, which the lab's usual
# one hides (lab/README.md).

. tests/tap.sh

self=$BUILD/selftest.elf
options="plinth.report=off tests=thread.*,user.*,traps.*,boot.fpu*"

guest() { lab/run "$self" --xen "$XEN" --via dom0 --smp 2 --cpu "$1" --timeout "$PATIENCE" --extra "$options"; }

expect 0 "a CPU with XSAVE and AVX" guest max,-smap
said '^# XSAVE, [0-9]+ bytes'
said '^ok [0-9]+ thread\.sse_registers_are_each_ones_own$'
said '^ok [0-9]+ thread\.avx_registers_are_each_ones_own$'

expect 0 "with XSAVE and without AVX" guest max,-smap,-avx
said '^# XSAVE, 576 bytes'
said '^ok [0-9]+ thread\.sse_registers_are_each_ones_own$'
said '^ok [0-9]+ thread\.avx_registers_are_each_ones_own # SKIP'

finish

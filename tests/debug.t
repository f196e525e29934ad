#!/bin/bash
# SPDX-License-Identifier: MIT
# `make debug`: gdb stops at a function of the guest that xl created.

. tests/tap.sh

if ! command -v gdb >/dev/null; then
    no_gdb="no gdb here: apt-get install gdb"
    [ -z "${PLINTH_REQUIRE_TOOLS:-}" ] || { echo "Bail out! $no_gdb"; exit 1; }
    echo "1..0 # SKIP $no_gdb"
    exit
fi

port=$((20000 + $$ % 10000))
lab/run "$BUILD/selftest.elf" --xen "$XEN" --gdb $port --extra "tests=lib.words" \
    >"$tap_out.run" 2>&1 </dev/null &
run=$!
trap 'kill $run 2>/dev/null; wait $run; rm -f "$tap_out" "$tap_out.run"' EXIT
for _ in $(seq 1000); do
    (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break
    sleep 0.2
done

expect 0 "gdb attaches and meets a breakpoint" timeout "$PATIENCE" gdb -q -batch -nx \
    -ex 'set pagination off' -ex "target remote 127.0.0.1:$port" \
    -ex 'break kernel_main' -ex 'break test_main' \
    -ex continue -ex 'info registers cs rsp' -ex continue -ex backtrace \
    -ex 'print argc' -ex 'kill' "$BUILD/selftest.elf"
said 'Breakpoint 1, kernel_main \(si='
said 'cs +0xe033'
said 'Breakpoint 2, test_main \(argc=2'
said '#1 .* in main \(argc='
said '#2 .* in kernel_main '

finish

# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0, with the images bench.elf, hello.elf and selftest.elf in
# /guest: the least memory in which they run, and many domains at once.

. /lab/lib.sh

# runs NAME KERNEL MiB REGEX EXTRA: does it end well, having said REGEX?
runs() {
    create "$1" "$2" "memory=$3" "extra=\"$5\"" 2>/dev/null || return 1
    wait_down "$TIMEOUT" "$1"
    runs=1
    grep -qa "$4" "$(console "$1")" && [ "$(reason "$1")" = 0 ] && runs=0
    xl destroy "$1"
    return $runs
}

# least NAME REGEX EXTRA: the figure for /guest/NAME.elf, tried from 1 MiB up
least() {
    for size in 1 2 3 4 5 6 8 10 12 16 20 24 32; do
        if runs "$1-$size" "/guest/$1.elf" $size "$2" "$3"; then
            echo "bench: least_memory.$1 $size MiB"
            return
        fi
    done
    echo "bench failed: $1 does not run in 32 MiB"
}

# How many instructions each of $1 domains took from entry to main: least, most.
many() {
    i=0
    while [ $i -lt "$1" ]; do
        i=$((i + 1))
        create "d$1-$i" /guest/bench.elf memory=4 'tsc_mode="native"' \
            'extra="plinth.report=off boot stay"' &&
            waitfor "$TIMEOUT" '^bench stays' "d$1-$i" ||
            { echo "bench failed: domain $i of $1"; return; }
    done
    i=0
    while [ $i -lt "$1" ]; do
        i=$((i + 1))
        sed -n 's/^bench: boot.entry_to_main \([0-9.]*\) .*/\1/p' "$(console "d$1-$i")"
        xl destroy "d$1-$i"
    done | sort -n | awk -v n="$1" 'NR == 1 { least = $1 } { most = $1 } END {
        print "bench: domains." n ".entry_to_main.least", least, "insn"
        print "bench: domains." n ".entry_to_main.most", most, "insn" }'
}

least hello '^Hello' ''
least selftest '^Test result: SUCCESS' 'plinth.report=off tests=boot.*,p2m.*,page.*,mmu.*,map.*,heap.*'
many 1
many 8
many 32
echo 'bench: end'

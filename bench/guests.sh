# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0, with the images bench.elf, hello.elf and selftest.elf in
# /guest: the least memory in which they run, events between two, many at once.

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

# Events between two domains: the second gets the first's number and port.
between() {
    create answers /guest/bench.elf memory=4 'tsc_mode="native"' 'extra="plinth.report=off answer"' &&
        waitfor "$TIMEOUT" '^bench answers at' answers &&
        at=$(tr -d '\r' <"$(console answers)" | sed -n 's/^bench answers at //p') &&
        create asks /guest/bench.elf memory=4 'tsc_mode="native"' "extra=\"plinth.report=off between=$at\"" &&
        wait_down "$TIMEOUT" asks || echo "bench failed: no two domains"
    last_words asks | grep '^bench'
    xl destroy answers
    xl destroy asks
}

# What Xen has left, in MiB.
free_memory() { xl info | sed -n 's/^free_memory *: *//p'; }

# Of $1 idle domains of 4 MiB: how much less memory Xen has for each, and how many
# instructions they took from entry to main: least, most.
many() {
    before=$(free_memory)
    i=0
    while [ $i -lt "$1" ]; do
        i=$((i + 1))
        create "d$1-$i" /guest/bench.elf memory=4 'tsc_mode="native"' \
            'extra="plinth.report=off boot stay"' &&
            waitfor "$TIMEOUT" '^bench stays' "d$1-$i" ||
            { echo "bench failed: domain $i of $1"; return; }
    done
    echo "bench: domains.$1.memory_each $(((before - $(free_memory)) * 1024 / $1)) KiB"
    # And of these 4 MiB the guest itself has taken:
    tr -d '\r' <"$(console "d$1-$1")" | sed -n "s/^bench: boot.pages_in_use/bench: domains.$1.pages_in_use/p"
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
between
many 1
many 8
many 32
echo 'bench: end'

#!/bin/bash
# SPDX-License-Identifier: MIT
# From 4 MiB to 16 GiB: everything works, and boot takes as many instructions.

. tests/tap.sh

self=$BUILD/selftest.elf
suites='boot.*,p2m.*,page.*,physmap.*,ptab.*,map.*,heap.*,vmap.*,mmu.*,selfmap.*'

free_mib=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
sizes=(16 64 512 4096)
# What a guest does not touch costs the machine nothing.
[ "$free_mib" -lt 8192 ] || sizes+=(16384)

guest() { # guest MiB TESTS OPTION...
    local size=$1 tests=$2
    shift 2
    lab/run "$self" --xen "$XEN" --via dom0 --memory "$size" --timeout "$PATIENCE" \
        --extra "plinth.report=off steps=10000 tests=$tests" "$@"
}
boot_costs() { sed -n 's/^# boot: \([0-9]*\) instructions.*/\1/p' "$tap_out"; }

# flat N COST...: are there N costs that differ by less than a tenth?
flat() {
    [ $# = $(($1 + 1)) ] || return 1
    shift
    printf '%s\n' "$@" | sort -n | awk 'NR == 1 { least = $1 } END { exit $1 > least * 1.1 }'
}

for size in "${sizes[@]}"; do
    if [ "$size" -lt 4096 ]; then
        expect 0 "$size MiB in place of dom0" guest "$size" "$suites,exhaustion.*"
    else
        expect 0 "$size MiB in place of dom0" guest "$size" "$suites"
        # Afterwards all memory is mapped, and each walk of all tables is long.
        expect 0 "$size MiB run dry" guest "$size" "exhaustion.*"
    fi
done

costs=()
for size in "${sizes[0]}" 512 "${sizes[-1]}"; do
    expect 0 "$size MiB, counting" guest "$size" "boot.start_info*" --icount
    # shellcheck disable=SC2207
    costs+=($(boot_costs))
done
check "... boot takes as many instructions: ${costs[*]}" flat 3 "${costs[@]}"

if [ "$free_mib" -lt 8192 ]; then
    skip "4 MiB and 16 GiB through xl" "this machine has too little memory"
else
    expect 0 "4 MiB and 16 GiB through xl" lab/run "$self" --xen "$XEN" --icount --ram 17600 \
        --dom0-script tests/memory-sizes.sh --extra "$suites"
    mapfile -t costs < <(boot_costs)
    wins=$(grep -c '^Test result: SUCCESS' "$tap_out")
    check "... boot takes as many instructions: ${costs[*]}" flat 2 "${costs[@]}"
    check "... both succeed" test "$wins" = 2
fi
finish

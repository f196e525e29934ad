#!/bin/bash
# SPDX-License-Identifier: MIT
# bench/collect on figures made up for it, and bench.elf for a second: are limits
# kept, and is bad input refused?  What things cost is asked by `make bench` alone.

. tests/tap.sh

work=$(mktemp -d)
trap 'rm -rf "$tap_out" "$work"' EXIT

collect() { bench/collect "$@" "run=$work/log"; }

# log LINE...: what a run has printed
log() { printf '%s\n' "$@" "bench: end" >"$work/log"; }
budgets() { printf '%s\n' "$@" >"$work/budgets"; }

good='bench: map.live.512 104.9 insn/page cold 120.0 floor 100.0'
log "boot talk" "$good" "bench: map.live.64 900.0 insn/page cold 900.0 floor 100.0" \
    "bench: image.x 17 bytes" "bench: bare.x.1 100.0 insn cold 100.0"
expect 0 "good figures" collect
said '^run/map\.live\.512 +104\.9 insn/page +100 +\+4\.9 %'
said '^4 figures, 0 over a limit'
unsaid 'bare\.x'

# ---- limits

log "bench: map.live.512 105.1 insn/page floor 100.0"
expect 1 "over the floor by more than 5 % at 512 pages" collect
said '^over: run/map\.live\.512 is 5\.1 % above its floor of 100; 5 % is allowed'
log "bench: map.live.262144 105.1 insn/page floor 100.0"
expect 1 "... and at more pages" collect
log "bench: map.live.1 125.0 insn/page floor 100.0"
expect 0 "25 % over the floor for one page" collect
log "bench: map.live.1 125.2 insn/page floor 100.0"
expect 1 "more than that" collect
said 'OVER'
budgets "run/map.live.1 +30% because"
expect 0 "... with a wider limit" collect --budgets "$work/budgets"
said '\+30%'

log "$good"
budgets "run/map.live.512 104.8 because"
expect 1 "a budget that is too low" collect --budgets "$work/budgets"
said '^over: run/map\.live\.512 is 104\.9 insn/page, its budget 104\.8'
budgets "# a remark" "" "run/map.live.512 104.9 because of it"
expect 0 "a budget that is just enough" collect --budgets "$work/budgets"
budgets "run/map.live.512 104.9"
expect 2 "a budget without a reason" collect --budgets "$work/budgets"
said 'budgets:1: no reason given for run/map\.live\.512'
budgets "run/map.life.512 104.9 because"
expect 2 "a budget of nothing" collect --budgets "$work/budgets"
said 'nothing measures run/map\.life\.512'
budgets "other/map.life.512 104.9 because"
expect 0 "a budget of a run that was left out" collect --budgets "$work/budgets"
budgets "run/map.live.512 low because"
expect 2 "a budget that is no number" collect --budgets "$work/budgets"

# ---- the time before

expect 0 "figures are kept" collect --json "$work/old.json" --note xen=4.17
check "... with what made them" grep -q '"xen" : "4.17"' "$work/old.json"
log "bench: map.live.512 104.0 insn/page cold 120.0 floor 100.0"
expect 0 "a change is shown" collect --old "$work/old.json"
said '104\.9 +-0\.9 %$'
expect 1 "... and is too large for a repetition" collect --old "$work/old.json" --within 0.5
said '^over: run/map\.live\.512 was 104\.9 and is 104: more than 0\.5 % apart'
expect 0 "no time before" collect --old "$work/none.json"
echo '{' >"$work/bad.json"
expect 2 "a time before that cannot be read" collect --old "$work/bad.json"

# ---- bad input

for line in "bench: map.live.512" "bench: map.live.512 many insn" "bench: a.1 1.0 insn floor" \
    "bench: a.1 1.0 insn floor 1.0 cold 2.0" "bench: a.1 1.0 insn more"; do
    log "$line"
    expect 2 "a malformed line: $line" collect
    said "log:1: malformed: $line"
done
log "bench failed: map: -ENOMEM"
expect 2 "a run that failed" collect
said 'log:1: bench failed: map: -ENOMEM'
log "$good" "$good"
expect 2 "a figure that comes twice" collect
echo "$good" >"$work/log"
expect 2 "a run that did not come to its end" collect
said 'did not come to its end'
expect 2 "no log" bench/collect

# ---- plots

log "$good"
expect 0 "figures for a plot" collect --json "$work/one.json"
mkdir "$work/bin" "$work/img"
for tool in bash dirname; do ln -s "$(command -v $tool)" "$work/bin/"; done
expect 0 "no gnuplot" env PATH="$work/bin" bench/plot "$work/one.json" "$work/img"
said 'no plots without gnuplot: apt-get install gnuplot-nox'
if command -v gnuplot >/dev/null; then
    expect 0 "figures that are missing" bench/plot "$work/one.json" "$work/img"
    said 'bench-boot\.svg is not drawn: figures are missing'
    check "... and nothing is drawn" rmdir "$work/img"
fi

# ---- the peers: what can be said before anything is booted

peers() { bench/peers/run "$@" "$work/peers"; }
expect 2 "peers without an image" peers
said '^usage: bench/peers/run IMAGE OUT'
expect 1 "... with one that is not there" peers "$work/none"
said '^peers: there is no image .*/none$'
echo 'int main;' >"$work/a.c"
if command -v gcc >/dev/null; then
    gcc -c -o "$work/a.o" "$work/a.c"
    expect 1 "... with one that is no Mini-OS" peers "$work/a.o"
    said 'has no symbols _start and app_main: no Mini-OS, or a stripped one$'
fi
expect 1 "... without a compiler" env CC=no-such-compiler bench/peers/run "$work/a.c" "$work/peers"
said '^peers: no C compiler: apt-get install gcc libc6-dev$'
check "... and nothing is written" test ! -e "$work/peers"
check "bench/peers.dat is what bench/plot reads" \
    awk '!/^#/ && !(NF == 3 && $1 ~ /^(mini-os|linux)$/ && $3 + 0 > 0) { bad = 1 } END { exit bad || NR < 10 }' bench/peers.dat

# ---- the figures of bench.elf itself, whatever they are

if [ ! -e "$BUILD/bench.elf" ]; then
    skip "bench.elf" "no $BUILD/bench.elf"
    finish
    exit
fi
image() { lab/run "$BUILD/bench.elf" --xen "$XEN" --via dom0 --timeout "$PATIENCE" --extra "plinth.report=off plinth.exit=qemu $*"; }
expect 0 "bench.elf" image "boot hypercalls traps user"
said '^bench: hypercall\.null [0-9.]+ insn'
cp "$tap_out" "$work/log"
expect 0 "... prints what bench/collect reads" collect
expect 4 "a group that there is not" image "mappings"
said '^bench failed: there is no group mappings'

# ---- a profile: who called whom, through Xen and back

if ! command -v gcc >/dev/null; then
    skip "profiles" "no gcc"
    finish
    exit
fi
mkdir "$work/profile"
export PROFILE_SYMBOLS=guest
expect 0 "a profile" bench/profile "$BUILD" "$work/profile" event.to_self.ipi
said '^100 rounds, [0-9]+ instructions each: guest [0-9]+, Xen [0-9]+$'
said ' event_deliver$'
said '/profile-event\.to_self\.ipi\.svg$'
stacks() { cat "$work"/profile/*.folded; }
expect 0 "... with stacks" stacks
said '^bench_repeat;send;event_send;[a-z_]+event_channel_op;xen \? [0-9]+$'
said '^bench_repeat;send;event_send;[a-z_]+event_channel_op;trap_entry_upcall;events_upcall;.*event_deliver [0-9]+$'
unsaid '__fentry__;'
check "... and a graph of them" grep -q '>events_upcall (' "$work/profile/profile-event.to_self.ipi.svg"
expect 1 "a profile of what there is not" bench/profile "$BUILD" "$work/profile" event
said 'can repeat event\.to_self\.ipi'
finish

# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: what the toolstack asks of a guest, and what it does.

. /lab/lib.sh

# guest NAME TEST [CFG-LINE...]
level=''
guest() {
    name=$1 test=$2
    shift 2
    create "$name" "$IMAGE" "extra=\"tests=$test plinth.report=off $level\"" 'on_reboot="preserve"' \
        'on_watchdog="preserve"' "$@" || exit 1
}

# alive NAME TEST [CFG-LINE...]: one that has come up
alive() {
    guest "$@"
    waitfor "$PATIENCE" '^# (living|ready)' "$1" || exit 1
}

# finish NAME: why and how it ended
finish() {
    wait_down "$PATIENCE" "$1" || echo "$1: does not end"
    echo "$1: reason $(reason "$1")"
    echo "$1: shutdown is \"$(node "$1" control/shutdown)\", status \"$(node "$1" data/plinth/status)\""
    last_words "$1" | sed "s/^/$1: /"
    xl destroy "$1"
}

node() { xenstore-read "/local/domain/$(xl domid "$1")/$2"; }

# pages NAME: what Xen says it has
pages() { xl list "$1" | awk 'NR == 2 { print $3 }'; }
has() { [ "$(pages "$1")" = "$2" ]; }
# state NAME: "p" is paused
state() { xl list "$1" | awk 'NR == 2 { print $5 }'; }
is() { [ "$(node "$1" "$2")" = "$3" ]; }

# It takes xl a minute to be refused; what else there is goes on meanwhile.
alive saved life.wait
(
    xl save saved /tmp/saved >/tmp/saved.out 2>&1
    echo $? >/tmp/saved.status
) &

alive off life.wait
echo "off: feature-poweroff $(node off control/feature-poweroff), feature-reboot $(node off control/feature-reboot)"
xl shutdown off
finish off

alive again life.wait
xl reboot again
finish again

alive stuck life.wait_with_endless_hook
xl shutdown stuck
finish stuck

# xl has no word for it.
alive halted life.wait
xenstore-write "/local/domain/$(xl domid halted)/control/shutdown" halt
finish halted

alive keys life.wait
xl pause keys
echo "keys: paused, $(state keys)"
xl sysrq keys h
sleep 1
echo "keys: paused, sysrq is \"$(node keys control/sysrq)\""
xl unpause keys
until_true "$PATIENCE" is keys control/sysrq "" || echo "keys: h is not taken after the pause"
for key in h m t p x; do
    xl sysrq keys $key
    until_true "$PATIENCE" is keys control/sysrq "" || echo "keys: $key is not taken"
done
xl sysrq keys c
finish keys

alive wide life.memory_comes_and_goes
turn=0
while [ $turn -lt 20 ]; do
    turn=$((turn + 1))
    xl mem-set wide 24
    until_true "$PATIENCE" has wide 24 || echo "wide: turn $turn: $(pages wide) MiB"
    xl mem-set wide 32
    until_true "$PATIENCE" has wide 32 || echo "wide: turn $turn: $(pages wide) MiB"
done
echo "wide: $turn turns, $(pages wide) MiB"
# Less than it can do without: it goes as far as it can, says so, and lives.
xl mem-set wide 1
waitfor "$PATIENCE" 'memory/target, 1024 KiB: ENOMEM' wide
xl mem-set wide 32
until_true "$PATIENCE" has wide 32 && echo "wide: back at $(pages wide) MiB"
xenstore-write "/local/domain/$(xl domid wide)/data/ready" 1
finish wide

guest dog watchdog.runs_out
finish dog

# Its only thread that runs lets no other one in.
guest hog debug_report.while_a_thread_hogs_the_cpu
waitfor "$PATIENCE" '^# ready' hog || exit 1
xl sysrq hog t
sleep 1
echo "hog: before the key: $(grep -ac 'thread "main"' "$(console hog)") reports"
xl debug-keys q
waitfor "$PATIENCE" '^--- end of the debug report ---' hog
tr -d '\r' <"$(console hog)" | sed "s/^/hog: /"
xl destroy hog

guest nmi user.nmi_by_the_toolstack
waitfor "$PATIENCE" '^# ready' nmi || exit 1
# One after the other; again if one came while the guest was not in user mode.
nmis() { grep -ac '^# nmi [0-9]* in user mode' "$(console nmi)"; }
more_than() { [ "$(nmis)" -gt "$1" ]; }
turn=0
while [ $turn -lt 30 ] && ! more_than 2; do
    turn=$((turn + 1))
    before=$(nmis)
    xl trigger nmi nmi
    until_true 10 more_than "$before"
done
finish nmi

# More names and bytes than a guest may write, and than the ring holds.
alive reader life.read_what_dom0_wrote
base=/local/domain/$(xl domid reader)/data
n=0
while [ $n -lt 300 ]; do
    set --
    while [ $# -lt 60 ]; do
        set -- "$@" "$base/large/a-name-of-some-length-$n" x
        n=$((n + 1))
    done
    xenstore-write "$@"
done
xenstore-write "$base/value" "$(head -c 4000 /dev/zero | tr '\0' v)"
xenstore-write "$base/ready" 1
finish reader

# What main() returns, whatever the log level: the shortest life there is.
level=plinth.loglevel=err
guest failing nosuch.test
finish failing

until_true "$PATIENCE" test -s /tmp/saved.status
echo "saved: xl save ends with $(cat /tmp/saved.status)"
sed "s/^/saved: /" /tmp/saved.out
echo "saved: $(state saved), shutdown is \"$(node saved control/shutdown)\", feature-suspend is \"$(node saved control/feature-suspend)\""
xl sysrq saved m
until_true "$PATIENCE" is saved control/sysrq "" || echo "saved: m is not taken"
xl shutdown saved
finish saved

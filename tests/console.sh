# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: a guest whose console daemon stops for a while.

. /lab/lib.sh

is_told() { [ "$(xenstore-read "/local/domain/$domain/data/console")" = "$1" ]; }

# silent NAME TEST WORD: start a guest that writes five times what the ring holds, with
# nobody reading until it tells WORD by xenstore.  In $silence, for how long at most, in
# centiseconds.
silent() {
    make_cfg "$1" "$IMAGE" "extra=\"tests=console.$2 plinth.report=off\"" >/tmp/cfg
    xl create -q -p /tmp/cfg || exit 1 # xl waits for the daemon's tty
    domain=$(xl domid "$1")
    killall -STOP xenconsoled
    silence=$(uptime_cs)
    xl unpause "$1"
    until_true "$PATIENCE" is_told "$3" || echo "$1: does not tell \"$3\""
    killall -CONT xenconsoled
    silence=$(($(uptime_cs) - silence))
}

# ended NAME: why, and its whole console
ended() {
    wait_down "$PATIENCE" "$1" || echo "$1: does not end"
    echo "$1: ended with reason $(reason "$1")"
    last_words "$1" | sed "s/^/$1: /"
    xl destroy "$1"
}

# Within the guest's patience of five seconds, or it was not what is wanted here.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    silent short nobody_reads_for_a_while full
    [ $silence -gt 450 ] || break
    xl destroy short
done
ended short

silent long nobody_reads_for_long lost
ended long

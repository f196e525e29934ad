# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: a guest whose console daemon stops for a while.

. /lab/lib.sh

# stopped SECONDS NAME: start a guest that writes five times what the ring holds, with
# nobody reading for the first SECONDS; then its whole console.
stopped() {
    make_cfg "$2" "$IMAGE" 'extra="tests=console.more* plinth.report=off"' >/tmp/cfg
    xl create -q -p /tmp/cfg || exit 1 # xl waits for the daemon's tty
    killall -STOP xenconsoled
    xl unpause "$2"
    sleep "$1"
    echo "$2: $(reason "$2") after $1 s of silence"
    killall -CONT xenconsoled
    wait_down 20 "$2" || echo "$2: does not end"
    echo "$2: ended with reason $(reason "$2")"
    sleep 1
    sed "s/^/$2: /" "$(console "$2")"
    xl destroy "$2"
}

stopped 3 short
stopped 8 long

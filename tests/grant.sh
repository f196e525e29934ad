# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: two guests that share pages, and two of which one is
# destroyed meanwhile.  They are the first ones, so that their numbers are known
# before they are made.

. /lab/lib.sh

# guest NAME TEST PEER
guest() { create "$1" "$IMAGE" "extra=\"tests=grant.$2 peer=$3 plinth.report=off\"" || exit 1; }

# finish NAME: what it has said in all.
finish() {
    wait_down "$PATIENCE" "$1" || echo "$1: does not end"
    last_words "$1" | sed "s/^/$1: /"
    xl destroy "$1"
}

guest giver give_to_peer 2
guest taker take_from_peer 1
echo "giver is $(xl domid giver), taker is $(xl domid taker)"
finish giver
finish taker

guest victim give_to_peer 4
guest heir outlive_peer 3
waitfor "$PATIENCE" "# mapped" heir
xl destroy victim
finish heir

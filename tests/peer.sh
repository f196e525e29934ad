# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: guests that meet by xenstore, and some of which misbehave.

. /lab/lib.sh

guest() {
    create "$1" "$IMAGE" "extra=\"tests=peer.$2 plinth.report=off\"" 'memory=16' || exit 1
    waitfor "$PATIENCE" '^1\.\.1' "$1" || exit 1
}

peer_id() { echo "/local/domain/$(xl domid "$1")/data/peer-id"; }
has_met() { [ -z "$(xenstore-read "$(peer_id "$1")")" ]; }

# met NAME: it has finished with whom it was introduced to.
met() { until_true "$PATIENCE" has_met "$1" || echo "$1: does not finish"; }

# introduce FRONT BACK [HOW]: each learns the number of the other.
introduce() {
    echo "$1 is $(xl domid "$1"), $2 is $(xl domid "$2")"
    xenstore-write "$(peer_id "$1")" "$(xl domid "$2")$3"
    xenstore-write "$(peer_id "$2")" "$(xl domid "$1")$3"
}

# finish NAME: what it has said in all.
finish() {
    wait_down "$PATIENCE" "$1" || echo "$1: does not end"
    tr -d '\r' <"$(console "$1")" | sed "s/^/$1: /"
    xl destroy "$1"
}

# good MESSAGE: the two that outlive all others still work together.
good() {
    introduce asker server
    met asker
    met server
    echo "good $1"
}

guest server serves
guest asker asks
good "at first"

guest front misbehaves_in_front
introduce front server " bad"
met server
finish front
good "after a bad front"

guest victim asks_without_end
introduce victim server " bad"
waitfor "$PATIENCE" '^# asking' victim
xl destroy victim
met server
good "after one that was destroyed"

guest back misbehaves_behind
introduce asker back " bad"
waitfor "$PATIENCE" '^# keeps the page' back
xl destroy back
met asker
good "after a bad back"

xenstore-write "$(peer_id asker)" end
xenstore-write "$(peer_id server)" end
finish asker
finish server

# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: two guests that share pages.  They are the first ones, so
# that their numbers are known before they are made.

. /lab/lib.sh

create giver "$IMAGE" 'extra="tests=grant.give_to_peer peer=2 plinth.report=off"' || exit 1
create taker "$IMAGE" 'extra="tests=grant.take_from_peer peer=1 plinth.report=off"' || exit 1
echo "giver is $(xl domid giver), taker is $(xl domid taker)"
for domain in giver taker; do
    wait_down 60 "$domain" || echo "$domain: does not end"
    sed "s/^/$domain: /" "$(console "$domain")"
    xl destroy "$domain"
done

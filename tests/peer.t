#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests that meet by xenstore and share a page and an event channel; some of them
# misbehave, or are destroyed (tests/peer.sh).

. tests/tap.sh

expect 0 "guests meet good and bad peers" \
    lab/run "$BUILD/selftest.elf" --xen "$XEN" --timeout $((3 * PATIENCE)) --dom0-script tests/peer.sh
for name in server asker front; do
    said "^$name: ok 1 peer\."
done
said '^good at first'
said '^good after a bad front'
said '^good after one that was destroyed'
said '^good after a bad back'
unsaid 'does not (end|finish)'

# Each deed has one warning, in this order, and there are no others.
of_front() {
    cat <<'END'
peer 3: ring-ref: ENOENT
peer 3: ring-ref is "", and no number of 32 bits
peer 3: ring-ref is "a ?[31mred? word tha...", and no number of 32 bits
peer 3: ring-ref is "-1", and no number of 32 bits
peer 3: ring-ref is "4294967296", and no number of 32 bits
peer 3: ring-ref is "99999999999999999999...", and no number of 32 bits
peer 3: grant 4294967295 cannot be mapped: ENOENT
peer 3: grant 511 cannot be mapped: EIO
peer 3: grant 1 cannot be mapped: EIO
peer 3: grant 9 cannot be mapped: EIO
peer 3: grant 8 cannot be mapped: EIO
peer 3: grant 9 cannot be mapped: EIO
peer 3: event-channel: ENOENT
peer 3: event-channel is "four", and no number of 32 bits
peer 3: event channel 0 cannot be bound: EINVAL
peer 3: event channel 4000000000 cannot be bound: EINVAL
peer 3: event channel N cannot be bound: EINVAL
peer 3: it has sent up to 0xff2, and we have read to 0xfffffff2
peer 3: it has sent up to 0x3, and we have read to 0xfffffff2
peer 3: it has sent up to 0xfffffff1, and we have read to 0xfffffff2
peer 3: it has sent up to 0x7ffffff2, and we have read to 0xfffffff2
peer 3: it has taken up to 0xfffffff7 of what ends at 0xfffffff2
peer 3: it has taken up to 0xffffffe1 of what ends at 0xfffffff2
peer 3: a message of 61 bytes
peer 3: a message of 4294967295 bytes
peer 3: says nothing for 1 s
peer 3: its state is none that there is
peer 3: is gone
peer 4: is gone
END
}
of_back() {
    cat <<'END'
peer 5: it has sent up to 0xff0, and we have read to 0xfffffff0
peer 5: it has taken up to 0xffffffdf of what ends at 0xfffffff0
peer 5: is gone
END
}
warnings() {
    tr -d '\r' <"$tap_out" | sed -n "s/^$1: \[.*\] warning: //p" |
        sed -E 's/(event channel) [1-9][0-9]{0,3} /\1 N /' >"$tap_out.$1"
}
trap 'rm -f "$tap_out" "$tap_out".*' EXIT
warnings server
warnings asker
check "each deed of the front is named once" diff <(of_front) "$tap_out.server"
check "each deed of the back is named once" diff <(of_back) "$tap_out.asker"

finish

# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: what Xen's own tools say of a guest that holds still.

. /lab/lib.sh

create still "$IMAGE" 'extra="tests=fatal.hang"' || exit 1
waitfor "$PATIENCE" hanging still || exit 1
domain=$(xl domid still)
cat "$(console still)"
echo "-- p2m"
xen-mfndump dump-p2m "$domain" | tee /tmp/p2m
echo "-- m2p" # of the whole machine; only the lines about this guest's frames
xen-mfndump dump-m2p >/tmp/m2p
awk '{ gsub("mfn=", "") } NR == FNR { ours[$3]; next } $1 in ours' /tmp/p2m /tmp/m2p
echo "-- xenctx"
xenctx -s /lab/symbols -a -C "$domain"
echo "-- lookup"
cr3=$(xenctx -a "$domain" 0 | sed -n 's/.*cr3: *\([0-9a-f]*\).*/\1/p' | head -n 1)
echo "cr3 $cr3"
xen-mfndump lookup-pte "$domain" "0x$(printf %x $((0x$cr3 >> 12)))"
xl destroy still

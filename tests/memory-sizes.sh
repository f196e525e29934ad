# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: the smallest domU there is, and a large one.

. /lab/lib.sh

# guest MiB TESTS
guest() {
    echo "-- $1 MiB"
    create "m$1" "$IMAGE" "memory=$1" 'tsc_mode="native"' \
        "extra=\"plinth.report=off steps=10000 tests=$2\"" || exit 1
    wait_down "$TIMEOUT" "m$1" || exit 1
    last_words "m$1"
    xl destroy "m$1"
}

guest 4 "$EXTRA,exhaustion.*"
guest 16384 "boot.*,p2m.*,page.*,physmap.*,ptab.*,vmap.*"

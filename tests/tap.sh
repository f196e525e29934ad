# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# TAP for the shell tests: sourced from the top folder, ended by `finish`.

BUILD=${PLINTH_BUILD:-build}
XEN=${PLINTH_XEN:-4.17}
# Seconds that a run may take.  Only one that fails does, however slow the machine is.
# shellcheck disable=SC2034
PATIENCE=300
tap_n=0
tap_out=$(mktemp)
trap 'rm -rf "$tap_out"' EXIT

# result STATUS NAME: one line; what the command printed comes before a failure.
result() {
    local name=${2//#/\\#} # a bare # would start a directive
    tap_n=$((tap_n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $tap_n - $name"
    else
        sed 's/^/# /' "$tap_out"
        echo "not ok $tap_n - $name"
    fi
}

# check NAME COMMAND...: does COMMAND succeed?
check() {
    local name=$1 status=0
    shift
    "$@" >"$tap_out" 2>&1 </dev/null || status=$?
    result "$status" "$name"
}

# expect STATUS NAME COMMAND...: does COMMAND end with STATUS?  Its output stays in
# $tap_out, for `said`.
expect() {
    local want=$1 name=$2 status=0
    shift 2
    "$@" >"$tap_out" 2>&1 </dev/null || status=$?
    [ "$status" = "$want" ] || echo "exit status $status, want $want" >>"$tap_out"
    result "$([ "$status" = "$want" ]; echo $?)" "$name: exit status $want"
}

# said REGEX: did the last command print a line that matches?
said() {
    result "$(grep -qE -e "$1" "$tap_out"; echo $?)" "... and says '$1'"
}

unsaid() {
    result "$(! grep -qE -e "$1" "$tap_out"; echo $?)" "... and does not say '$1'"
}

skip() { # skip NAME WHY
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $1 # SKIP $2"
}

finish() { echo "1..$tap_n"; }

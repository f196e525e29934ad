# SPDX-License-Identifier: MIT
# Shared by lab/fetch, lab/mkdom0 and lab/run: where things are, messages, the table of Xens.
# shellcheck shell=bash disable=SC2034

export LC_ALL=C # the messages of apt and dpkg are matched, file lists are sorted
lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_DIR=$(realpath -m -- "${LAB_DIR:-$lab/../build/lab}")

# Which Debian suite brings which Xen. Linux, QEMU and busybox come from BASE_SUITE.
declare -A SUITE_OF=(
    [4.14]=bullseye
    [4.17]=bookworm
    [4.20]=trixie
)
DEFAULT_XEN=4.17
BASE_SUITE=bookworm

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
usage_error() { say "$* (see ${0##*/} --help)"; exit 2; }

# help FILE: the comment block at the top of FILE is its manual.
help() { sed -n '/^# SPDX/d; 2,/^$/s/^# \{0,1\}//p' "$1"; }

check_xen_version() {
    [ -n "${SUITE_OF[$1]:-}" ] ||
        usage_error "unknown Xen version '$1'; known: $(printf '%s\n' "${!SUITE_OF[@]}" | sort -V | paste -sd' ')"
}

# need TOOL PACKAGE
need() { command -v "$1" >/dev/null || die "$1 not found; install it with: apt-get install $2"; }

# attempt WHAT FILE CMD...: run CMD, which writes FILE; its output is shown only when it fails.
attempt() {
    local what=$1 file=$2 out status
    shift 2
    set +e
    out=$(set -e; "$@" 2>&1) # in an if or && list, set -e would not count
    status=$?
    set -e
    [ $status != 0 ] || return 0
    if [[ $out == *'No space left on device'* ]] || disk_full "$file"; then
        die "cannot write $file: the disk is full"
    fi
    say "$what failed:"
    printf '%s\n' "$out" | sed 's/^/lab:   /' >&2
    exit 1
}

disk_full() {
    local dir=$1 free
    until [ -d "$dir" ]; do dir=$(dirname "$dir"); done
    free=$(df -Pk "$dir" | awk 'NR == 2 { print $4 }')
    [ "${free:-1000}" -lt 64 ]
}

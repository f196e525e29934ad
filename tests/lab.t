#!/bin/bash
# SPDX-License-Identifier: MIT
# The lab: what it says of bad input, and how its runs end.

# shellcheck source=tests/tap.sh
. tests/tap.sh

self=$BUILD/selftest.elf
work=$(mktemp -d)
trap 'rm -rf "$tap_out" "$work"' EXIT
nowhere=http://127.0.0.1:9/debian # nothing listens on the discard port
filled=$(realpath "${LAB_DIR:-build/lab}")

no_qemu() { ! pgrep -f "lab-test=$$" >&2; }

# ---- bad input, for which nothing is fetched or booted

echo "no kernel" >"$work/text"
expect 2 "no image" lab/run
said '^lab: no image given'
expect 1 "a missing image" lab/run "$work/absent.elf"
said "^lab: image $work/absent.elf does not exist"
expect 1 "a folder for an image" lab/run "$work"
said "^lab: image $work is not a readable file"
expect 1 "an image that is no ELF" lab/run "$work/text"
said "^lab: image $work/text is not a kernel: neither an ELF"
expect 1 "a missing hypervisor" lab/run "$self" --hypervisor "$work/absent.gz"
said "^lab: hypervisor $work/absent.gz does not exist"
expect 2 "an unknown option" lab/run "$self" --frobnicate
said '^lab: unknown option --frobnicate'
expect 2 "an option without its value" lab/run "$self" --log
said '^lab: --log wants a value'
expect 2 "a number that is none" lab/run "$self" --memory 12M
said "^lab: --memory wants a number, not '12M'"
expect 2 "an unknown Xen" lab/run "$self" --xen 3.4
said "^lab: unknown Xen version '3.4'; known: 4.14 4.17 4.20"
expect 2 "an unknown Xen to fetch" lab/fetch --xen 3.4
expect 2 "a dom0 script without a Linux dom0" lab/run --via dom0 --dom0-script "$work/text"
said '^lab: --dom0-script, --file and --cfg need a Linux dom0'
expect 0 "help" lab/run --help
said '--dom0-script FILE'

expect 2 "on-xen: an unknown option" tests/on-xen --frobnicate
expect 2 "on-xen: a number that is none" tests/on-xen --timeout soon
expect 1 "on-xen: a missing image" tests/on-xen "$work/absent.elf"
if [ -e /proc/xen/capabilities ]; then
    skip "on-xen: not a Xen host" "this is one"
else
    expect 1 "on-xen: not a Xen host" tests/on-xen "$work/text"
    said '^on-xen: this machine does not run on Xen'
fi

# ---- fetching

first_run() { env LAB_DIR="$work/new" LAB_MIRROR=$nowhere timeout 60 lab/fetch; }
no_set() { ! ls "$work"/new/*/packages; }
expect 1 "the first run without a network" first_run
said "package index of bookworm from $nowhere failed"
check "... and nothing is left that looks complete" no_set
expect 1 "no keyring" env LAB_DIR="$work/new" LAB_MIRROR=$nowhere LAB_KEYRING=/absent lab/fetch
said '^lab: keyring /absent not found; install it with: apt-get install debian-archive-keyring'

later_run() { env LAB_MIRROR=$nowhere http_proxy=$nowhere lab/fetch --xen "$XEN"; }
lab/fetch --xen "$XEN" 2>&1 | sed 's/^/# /'
check "a later run needs no network" later_run

# A tmpfs of 1 MiB in the place of $LAB_DIR, which has a filled one's contents by links.
small_disk() {
    # shellcheck disable=SC2016 # for the inner shell
    unshare "$1" sh -c 'mount -t tmpfs -o size=1m none "$1" && ln -s "$2"/* "$1"/ && rm -f "$1/log" &&
        LAB_DIR=$1 exec lab/run "$3" --timeout 10' - "$work/disk" "$filled" "$self"
}
mkdir "$work/disk"
how=-rm
[ "$(id -u)" != 0 ] || how=-m
if ! unshare $how mount -t tmpfs none "$work/disk" 2>/dev/null; then
    skip "a full disk" "not allowed to mount"
elif [ ! -e "$self" ]; then
    skip "a full disk" "no $self"
else
    expect 1 "a full disk" small_disk $how
    said "^lab: cannot write $work/disk/run.*: the disk is full"
fi

# ---- the ends of a run

if [ ! -e "$self" ]; then
    skip "hang and panic" "no $self"
    finish
    exit
fi
for via in xl dom0; do
    run() { lab/run "$self" --xen "$XEN" --via "$via" --log "$work/log" --xen-args "lab-test=$$" "$@"; }
    expect 0 "$via: success" run --extra "tests=lib.*"
    said '^Test result: SUCCESS'
    expect 124 "$via: hang" run --extra "tests=fatal.hang" --timeout 5
    said 'time-out after 5 s'
    said "logs are in $work/log"
    check "... and no QEMU is left" no_qemu
    expect 6 "$via: panic" run --extra "tests=fatal.panic"
    said '\] test_fatal_panic\+0x'
    said 'crashed'
    check "... and guest.log is kept" grep -q '^panic: ' "$work/log/guest.log"
    check "... and xen.log is kept" grep -q '(XEN) Xen version' "$work/log/xen.log"
done

lab/run "$self" --via dom0 --extra tests=fatal.hang --xen-args "lab-test=$$" >"$work/out" 2>&1 &
for _ in {1..600}; do ! grep -q fatal.hang "$work/out" || break; sleep 0.1; done
kill -TERM $!
status=0
wait $! || status=$?
check "a signal ends a run" test "$status" = 143
check "... and its QEMU" no_qemu

# Two at once share the downloads and nothing else.
two() {
    lab/run "$self" --xen "$XEN" --via dom0 --extra tests=lib.* --log "$work/a" &
    lab/run "$self" --xen "$XEN" --via dom0 --extra tests=lib.* --log "$work/b" && wait $!
}
check "two runs at once" two

# A hypervisor under another name, compressed as Xen's build leaves it, or not.
xen=$filled/xen-$XEN/xen
gzip -c "$xen" >"$work/mine.gz"
cp "$xen" "$work/mine"
cp "$self" "$work/xen-syms"
own() { lab/run "$self" --xen "$XEN" --extra tests=lib.* "$@"; }
expect 0 "a hypervisor of one's own" own --via dom0 --hypervisor "$work/mine.gz" --log "$work/log"
check "... is the one that ran" grep -q "(XEN) Xen version ${XEN/./\\.}" "$work/log/xen.log"
expect 0 "... as it was before compression" own --via dom0 --hypervisor "$work/mine"
expect 0 "... through xl" env LAB_HYPERVISOR="$work/mine.gz" lab/run "$self" --xen "$XEN" --extra tests=lib.*
said "^lab: booting $work/mine.gz"
expect 1 "an image that is no hypervisor" own --via dom0 --hypervisor "$work/xen-syms"
said "^lab: hypervisor $work/xen-syms cannot be booted: Xen's build makes"

# A failure is shown with what Xen said meanwhile.
expect 5 "a failure in place of dom0" own --via dom0 --ramdisk "$work/text" \
    --extra "plinth.report=off tests=lib.words,ramdisk.size* ramdisk.size=1"
said '^lab: what failed:$'
said '^not ok 1 ramdisk\.size'

printf '%s\n' "cat /guest/text" "echo why >&2" "exit 7" >"$work/script"
expect 7 "a script in dom0" lab/run --xen "$XEN" --dom0-script "$work/script" --file "$work/text"
said '^no kernel$'
said '^why$'
echo "sleep 1000" >"$work/script"
expect 124 "a script in dom0 that hangs" lab/run --xen "$XEN" --dom0-script "$work/script" --timeout 3
finish

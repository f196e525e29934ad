#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/on-xen on a Xen host: the lab's dom0, with the self-test.

build=${PLINTH_BUILD:-build}
script=$(mktemp) small=$(mktemp -d)/small
trap 'rm -rf "$script" "${small%/*}"' EXIT
cat >"$script" <<'E_DOM0'
. /lab/lib.sh
n=0
check() { # check NAME COMMAND...
    name=$1
    shift
    n=$((n + 1))
    "$@" >/tmp/said 2>&1 && echo "ok $n - $name" && return
    sed 's/^/# /' /tmp/out /tmp/said
    echo "not ok $n - $name"
}
none_left() { [ "$(xl list | wc -l)" = 2 ]; } # the title and dom0
on_xen() { # on_xen STATUS NAME ARGUMENT...
    want=$1 name=$2
    shift 2
    sh /lab/on-xen --timeout 300 "$@" >/tmp/out 2>&1
    check "$name: exit status $want" [ $? = "$want" ]
    check "... and no domain is left" until_true 60 none_left
}
said() { check "... and says '$1'" grep -qE -e "$1" /tmp/out; }

on_xen 0 "the suite" "$IMAGE"
said '^1\.\.[0-9]+$'
said '^# Test result: SUCCESS'
check "... and every line is TAP" sh -c "! grep -vE '^(1\.\.|ok |not ok |#)' /tmp/out"
on_xen 0 "some tests" "$IMAGE" --tests 'lib.*'
said '^ok 1 lib\.'
on_xen 0 "the console as it is" "$IMAGE" --tests 'lib.*' --raw
said '^Test result: SUCCESS'
on_xen 6 "a panic" "$IMAGE" --tests fatal.panic
said '^on-xen: the domain crashed'
said 'test_fatal_panic\+0x'
on_xen 6 "a panic later" "$IMAGE" --tests 'balloon.*,fatal.panic'
said '^on-xen: the domain crashed after: ok [0-9]+ balloon\.'
on_xen 5 "a failure" "$IMAGE" --tests 'lib.words,ramdisk.size*' --ramdisk /guest/small --extra ramdisk.size=99999
said '^on-xen: what failed:'
said '^not ok 1 ramdisk\.size'
said '^-- xl-dmesg'
on_xen 124 "a hang" "$IMAGE" --tests fatal.hang --timeout 4
said '^on-xen: time-out after 4 s'
on_xen 4 "too little memory" "$IMAGE" --memory 1
said '^on-xen: xl did not create the domain'
on_xen 1 "no image" /guest/absent
said '^on-xen: no image /guest/absent'

# An xl of another version is refused by Xen.
mkdir /tmp/bin
printf '%s\n' '#!/bin/sh' 'case $1 in list) exec '"$(command -v xl)"' list; esac' 'exit 1' >/tmp/bin/xl
chmod +x /tmp/bin/xl
PATH=/tmp/bin:$PATH
on_xen 1 "an xl that does not fit" "$IMAGE"
said '^on-xen: xl cannot talk to Xen 4\.'
PATH=${PATH#*:}

sh /lab/on-xen "$IMAGE" --tests fatal.hang >/tmp/out 2>&1 &
until_true 60 grep -q fatal.hang /tmp/out
kill -TERM $!
wait $!
check "a signal ends it" [ $? = 143 ]
check "... and no domain is left" until_true 60 none_left
echo "1..$n"
E_DOM0
echo 123456 >"$small"
lab/run --dom0-script "$script" "$build/selftest.elf" --file "$small" --xen "${PLINTH_XEN:-4.17}" --timeout 900

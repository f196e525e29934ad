#!/bin/bash
# SPDX-License-Identifier: MIT
# The examples under xl, and what is typed at a console (tests/shell.sh).

. tests/tap.sh

expect 0 "guests that are talked to" \
    lab/run "$BUILD/selftest.elf" --xen "$XEN" --dom0-script tests/shell.sh \
    --file "$BUILD/hello.elf" --file "$BUILD/shell.elf" --timeout $((3 * PATIENCE))
unsaid 'no answer|does not end'

# An application gets its arguments, and ends with what main() returns.
said '^hello: Hello, Xen!$'
said '^hello: argument 1: one$'
said '^hello: argument 2: two words$'
said '^hello: argument 3: three$'
unsaid '^hello: argument 4'
said '^hello: reason 0'

# What the shell knows.
said '^shell: help +\[COMMAND\] +what there is'
said '^shell: echo +\[WORD\]\.\.\. +print the words'
said '^shell: domain  32768 KiB'
said '^shell: pages   [0-9]+ KiB, [0-9]+ free'
said '^shell: .* R-X 4K  text$'
said '^shell: thread "main": running'
said '^shell: FIFO events: [0-9]+ ports with a handler'
said '^shell: +[0-9]+  domain 0 port [0-9]+ .* xenstore_event$'
said '^shell: +[0-9]+  virq timer +0    0  --- +[0-9]+  timer_event$'
said '^shell: no grant table yet'
said '^shell: data = ""$'
said '^shell: name = "shell"$'
said '^shell: +feature-poweroff = "1"$'
said '^shell: shell$'
said '^shell: /local/domain/0/name: EACCES$'
said '^shell: nothing: ENOENT$'
said '^shell: \[.*\] debug: up: Xen '
said '^shell: all is as it must be'
said '^shell: up [0-9]+\.[0-9]+ s; [0-9]+\.[0-9]+ s since 1970'
said '^shell: hlep: no such command; help lists them$'

# Words, and the keys that correct them.
said '^shell: two  words three$'
said '^shell: onetwo$'
said '^shell: first third$'
said '^shell: all gone$'
result "$([ "$(grep -c '^shell: abcd$' "$tap_out")" = 2 ]; echo $?)" "left, right, up and down"
unsaid '^shell: never$'
said '^shell: by LF$'
said '^shell: by both$'
all=$(seq -w 64 | tr '\n' ' ')
got=$(sed -nE 's/^shell: line ([0-9]+) \.*$/\1/p' "$tap_out" | tr '\n' ' ')
result "$([ "$got" = "$all" ]; echo $?)" "nothing is lost of more than the ring holds"

# Idle, it waits for Xen; and it ends when it is told to.
said '^shell: idle for 10 s: [01] tenths'
said '^shell: still here$'
said '^shell: reason 0'

# Tests by hand.
said '^selftest: ok 1 shell.nothing_is_no_command'
said '^selftest: nothing\.\* matches no test'
said '^selftest: Test result: SUCCESS'
said '^selftest: +[0-7]  +0 .*  rw  rw  the toolstack$'
said '^selftest: +8 +0 +[0-9a-f]+ +[0-9a-f]+  r-  --  give$'
said '^selftest: reason 0'

# Threads that wait for the ring write whole lines.
whole=$(grep -cE '^lines: # writer [ab] [0-9]{2} 0{148}[0-9]{2} end$' "$tap_out")
result "$([ "$whole" = 48 ]; echo $?)" "$whole whole lines of 48"

finish

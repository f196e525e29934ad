#!/bin/bash
# SPDX-License-Identifier: MIT
# Events and time as the suite alone does not see them: by the 2-level ABI, with more
# ports than a domU usually has, idle for longer, and what a bad handler ends in.

. tests/tap.sh

self=$BUILD/selftest.elf
suites="events.*,time.*,timer.*,idle.*"

guest() { lab/run "$self" --xen "$XEN" --via dom0 --smp 2 --timeout "$PATIENCE" --extra "plinth.report=off $*"; }
domu() { lab/run "$self" --xen "$XEN" --timeout "$PATIENCE" --cfg "$1" --extra "plinth.report=off $2"; }

expect 0 "FIFO, idle for 5 s" guest "tests=$suites idle=5"
said '^# 5 s idle: slept [12] times, [12] upcalls'
said '^# 2200 ports'
expect 0 "2-level, idle for 5 s" guest "plinth.events=2l tests=$suites idle=5"
said '^# 5 s idle: slept [12] times, [12] upcalls'
said '^# 2200 ports'
said 'warning: events: port [0-9]+ has no handler'
expect 0 "2-level, all else" guest "plinth.events=2l steps=10000"
said '^# Totals: pass:[0-9]{3} fail:0 '
expect 0 "a domU with many ports, FIFO" domu "max_event_channels=8192" "tests=$suites ports"
said '^# 2200 ports, .* 1[0-9] more pages'
expect 0 "a domU, 2-level" domu "" "plinth.events=2l tests=$suites"
expect 0 "a value that is none" guest "plinth.events=3l tests=lib.words"
said 'warning: option plinth\.events: "3l" is not a value it takes'

expect 6 "a handler that takes a lock of threads" guest "tests=events.handler_takes_a_lock"
said '^panic: assertion at .*spinlock\.h:[0-9]+: !this_vcpu\(\)->in_event'
expect 6 "a handler that faults" guest "tests=events.handler_faults"
said '^Call trace, on the stack of "event":'
said '\] fault\+0x'
said '\] events_upcall\+0x'
said '^ interrupted, on the stack of "main":'
said '\] test_events_handler_faults\+0x'
said '\] kernel_main\+0x'
expect 6 "a handler that overflows its stack" guest "tests=events.handler_overflows_its_stack"
said '^Stack overflow: thread "event" has [0-9]+ bytes of its stack left'
said '^panic: stack overflow in thread "event"'
expect 6 "the same without the check" guest "tests=events.handler_overflows_its_stack_unchecked"
unsaid '^panic'
unsaid 'nothing has stopped it'

finish

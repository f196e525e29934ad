#!/bin/bash
# SPDX-License-Identifier: MIT
# What xl asks of guests through xenstore, and what they do (tests/control.sh).

. tests/tap.sh

expect 0 "xl shuts down, reboots, asks keys, and sets memory" \
    lab/run "$BUILD/selftest.elf" --xen "$XEN" --timeout $((3 * PATIENCE)) --dom0-script tests/control.sh

said '^off: feature-poweroff 1, feature-reboot 1'
said '^off: .*control: poweroff is asked for'
said '^off: # hook: reason 0, well done'
said '^off: reason 0'
said '^off: shutdown is "", status "poweroff"'
said '^again: # hook: reason 1, well done'
said '^again: reason 1'
said '^again: shutdown is "", status "reboot"'
said '^stuck: # a hook without end'
said "^stuck: .*warning: shutdown: without the application's hook: ETIMEDOUT"
said '^stuck: reason 0'
said '^halted: shutdown is "", status "halt"'
said '^halted: reason 0'

said '^keys: paused, --p---'
said '^keys: paused, sysrq is "h"'
said '^keys: sysrq: t threads'
said '^keys: sysrq m: 8192 pages of 8192, [0-9]+ free'
said '^keys: .*"main"'
said '^keys: sysrq p: thread "control", rsp '
said '^keys:   \[<[0-9a-f]+>\] control\+0x'
said '^keys: .* text'
said '^keys: panic: by sysrq'
said '^keys: reason 3'
unsaid '^keys: . is not taken'

said "^saved: .*guest didn't acknowledge suspend, cancelling request"
said '^saved: xl save ends with 1'
said '^saved: .*"suspend" is asked for and not supported'
said '^saved: [-rb]{6}, shutdown is "", feature-suspend is "0"'
said '^saved: sysrq m: 8192 pages of 8192'
said '^saved: # hook: reason 0, well done'
said '^saved: reason 0'

said '^wide: # 6144 pages'
said '^wide: # 8192 pages'
said '^wide: 20 turns, 32 MiB'
said '^wide: .*memory/target, 1024 KiB: ENOMEM'
said '^wide: back at 32 MiB'
said '^wide: ok 1 life\.memory_comes_and_goes'
said '^wide: reason 0'
unsaid '^wide: turn '

said '^dog: reason 4'

said '^hog: before the key: 0 reports'
said '^hog: --- debug report ---'
said '^hog: here: thread "main"'
said '^hog:   \[<[0-9a-f]+>\] hog_the_cpu\+0x'
said '^hog: thread "control": (ready|waiting), '
said '^hog:   \[<[0-9a-f]+>\] control\+0x'
said '^hog: +[0-9]+  virq debug .* on_debug'
said '^hog: memory: 8192 pages of 8192, .* heap: '
said '^hog: --- end of the debug report ---'

said '^nmi: # nmi 3 in user mode'
said '^nmi: ok 1 user\.nmi_by_the_toolstack'
said '^nmi: reason 0'

said '^reader: ok 1 life\.read_what_dom0_wrote'
said '^reader: shutdown is "", status "0"'
said '^reader: Test result: SUCCESS \(exit status 0\)'
said '^failing: shutdown is "", status "4"'
said '^failing: Test result: ERROR \(exit status 4\)'

finish

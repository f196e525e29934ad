#!/bin/bash
# SPDX-License-Identifier: MIT
# Bad input and bad ends: what the guest says, and how it leaves.

. tests/tap.sh

self=$BUILD/selftest.elf

guest() { lab/run "$self" --xen "$XEN" --via dom0 --timeout "$PATIENCE" --extra "plinth.report=off $*"; }

# Words of the command line.
expect 0 "unknown options" guest "plinth.colour=blue taste=sweet tests=lib.words"
said 'warning: option plinth\.colour=blue is not known'
said 'warning: option taste=sweet is not known'
said '^ok 1 lib\.words'
expect 4 "a glob that matches nothing" guest "tests=lib.*,nosuch.*"
said '^Bail out! tests=nosuch\.\* matches no test'
said '^Test result: ERROR'
unsaid '^ok '
expect 4 "a seed that is no number" guest "seed=twelve"
said '^Bail out! seed=twelve is not a number'
expect 4 "fatal tests are not matched by a glob" guest "tests=fatal.*"
expect 0 "a seed" guest "seed=77 tests=p2m.*"
said '^seed=77'
expect 0 "list" guest "list tests=lib.*"
said '^lib\.words'
unsaid '^ok '
unsaid '^boot\.'
expect 3 "all tests skipped" guest "tests=ramdisk.size*"
said '^ok 1 ramdisk.size_is_the_files # SKIP option ramdisk.size=BYTES is not given'
said '^Test result: SKIP'
expect 0 "quotes" guest "tests='lib.words' 'a b=c'"
said 'option a b=c is not known'

# Alone, because before it others have had all memory mapped.
expect 0 "a mapping while memory grows" guest "tests=map.while_memory_grows"
said '^ok 1 map\.while_memory_grows$'

# Misuse that debug builds name.
heap() {
    expect 6 "heap: $1" guest "tests=heap.$1"
    said "^Bail out! .*$2"
}
heap double_free 'already freed'
heap free_of_the_middle 'not the start of an object'
heap overrun 'written past its end'
heap write_after_free 'written to after it was freed'
expect 6 "page: write_after_free" guest "tests=page.write_after_free"
said '^Bail out! page: .* was written after it was freed: word 15 is 0'
expect 6 "thread: write to the stack of an ended one" guest "tests=thread.write_to_the_stack_of_an_ended_one"
said '^Bail out! thread: .* was written after the end of the thread whose stack it was: 0x1$'
expect 6 "vmap: unmapping twice" guest "tests=vmap.unmapping_twice"
said '^Bail out! vunmap'

expect 6 "audit after each operation" guest "plinth.audit=1 tests=space.audit_after_each_operation"
said '^Bail out! audit: pfn .* is noted as a table and is none'
said '\] test_space_audit_after_each_operation\+0x'

# Misuse that every build names.
pages() {
    expect 6 "page: $1" guest "tests=page.$1"
    said "^Bail out! page_free: .*$2"
}
pages double_free 'is free already'
pages double_free_of_a_block 'is free already'
pages wrong_order 'has order 4, not 0'
pages free_inside_a_block 'is not allocated'

# The exit status for QEMU: lab/run understands it, and it comes at once.
expect 0 "exit through QEMU's debug port" guest "plinth.exit=qemu tests=lib.words"
unsaid 'halted'
expect 6 "a panic through QEMU's debug port" guest "plinth.exit=qemu tests=fatal.panic"

# Ends that are no orderly ones.
expect 6 "panic" guest "tests=fatal.panic"
said '\] test_fatal_panic\+0x'
said '\] kernel_main\+0x'
said '^panic: as told to'
said '^Bail out! as told to'
unsaid '^Test result'
expect 6 "BUG_ON" guest "tests=fatal.bug"
said '^panic: BUG at tests/test_fatal\.c:[0-9]+: run_ != NULL'
expect 6 "unexpected page fault" guest "tests=fatal.null_dereference"
said '^Unexpected trap: vector 14, page fault'
said 'error code 0x2: write, page not present, from kernel mode'
said 'L4\[  0\] = 0000000000000000 not present'
said '\] test_fatal_null_dereference\+0x'
said '^Bail out! unexpected page fault \(#PF\) at 0x[0-9a-f]+ on 0x0$'
expect 6 "unexpected #UD" guest "tests=fatal.undefined_instruction"
said 'vector 6, invalid opcode'
expect 6 "panic while panicking" guest "tests=fatal.panic_in_panic"
said '^panic: the first'
said '^panic while panicking: unexpected page fault'
expect 6 "stack overflow" guest "tests=fatal.stack_overflow"
said '^Stack overflow: thread "main" has [0-9]+ bytes of its stack left'
said '\] recurse.*\+0x'
said '^Bail out! stack overflow in thread "main"'
alone() {
    expect 6 "$1" guest "tests=fatal.$1"
    said '^# alone$'
}
alone trap_is_told_alone
alone stack_overflow_is_told_alone
expect 6 "stack overflow of a thread" guest "tests=thread.stack_overflow_is_named"
said '^Stack overflow: thread "test" has [0-9]+ bytes of its stack left'
said '\] thread_main\+0x'
expect 6 "mutex: locked twice" guest "tests=sync.lock_twice"
said '^Bail out! mutex .*: thread "main" holds it already'
expect 6 "mutex: unlocked by a stranger" guest "tests=sync.unlock_by_a_stranger"
said '^Bail out! mutex .*: thread "sync" unlocks what "main" holds'
expect 6 "mutex: unlocked by nobody" guest "tests=sync.unlock_of_nothing"
said '^Bail out! mutex .*: thread "main" unlocks what nobody holds'
expect 6 "mutex: locked in a handler" guest "tests=sync.lock_in_a_handler"
said '^Bail out! assertion at kernel/sync\.c:[0-9]+: thread_may_wait\(\)'
said '\] locks\+0x'
expect 6 "sleeping with a spinlock held" guest "tests=sync.sleep_with_a_spinlock"
said '^Bail out! assertion at kernel/sched\.c:[0-9]+: !preempt_is_off\(\)'
expect 6 "stack overflow of code without the check" guest "tests=fatal.stack_overflow_unchecked"
unsaid '^panic'

# A start_info that is not one.  Only dom0 may write to Xen's console, and the
# domain's own is behind that very structure.
expect 6 "wrong magic" lab/run "$BUILD/selftest-badmagic.elf" --xen "$XEN" --via dom0 --timeout "$PATIENCE"
said 'panic: start_info at 0xffffffff[0-9a-f]+ has the magic "Xen-3\.0-x86_64'
unsaid 'self-test'

# No console and no xenstore: it runs unheard, and ends in order.
expect 0 "no rings" lab/run "$BUILD/hello-norings.elf" --xen "$XEN" --timeout "$PATIENCE" --no-verdict

# Memory.  What the bootstrap region needs is the least: 3 MiB.
tiny() {
    lab/run "$self" --xen "$XEN" --memory "$1" --timeout "$PATIENCE" \
        --extra "tests=boot.*,p2m.*,page.*,mmu.*,map.*,heap.*"
}
expect 0 "the smallest guest, 3 MiB" tiny 3
said '^Memory: 768 pages, 3 MiB'
expect 4 "a guest too small, 2 MiB" tiny 2
said 'not enough memory|initial mapping|xc_dom'

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
# Applications outside of the tree, as README.md has it: built in folders of their own
# (make APP=), and booted.

. tests/tap.sh

work=$(mktemp -d)
trap 'rm -rf "$tap_out" "$work"' EXIT
plinth=$(pwd)

# An application of two C files, one for assembly, a header, an archive, a test and a
# command.
mkdir -p "$work/clock/asm"
cat >"$work/clock/main.c" <<'END'
#include <plinth/app.h>
#include <plinth/config.h>
#include <plinth/printk.h>
#include <plinth/shell.h>
#include <plinth/test.h>

#include "clock.h"

TEST(clock, adds)
{
    EXPECT_EQ(sum(1, 2), 3);
    EXPECT_EQ(twice(2), 4);
}

int main(int argc, char *argv[])
{
    static const char *const options[] = { NULL };
    char line[] = "half 5";

    say("debug %u, colour %s\n", CONFIG_DEBUG, COLOUR);
    if (shell_run(line) != 0)
        return 4;
    return test_main(argc, argv, options);
}
END
cat >"$work/clock/half.c" <<'END'
#include <plinth/parse.h>
#include <plinth/printk.h>
#include <plinth/shell.h>

static int half(int argc, char *argv[])
{
    uint64_t n;
    double d;

    if (argc != 2 || parse_u64(argv[1], &n) != 0)
        return SHELL_USAGE;
    d = (double)n / 2;
    say("half is %lu tenths\n", (uint64_t)(d * 10));
    return 0;
}
SHELL_COMMAND(half, "N", "half of it", half);
END
printf '%s\n' '.globl sum' 'sum:' 'lea (%rdi,%rsi), %eax' 'ret' \
    '.section .note.GNU-stack, "", @progbits' >"$work/clock/asm/sum.S"
printf '%s\n' 'int sum(int a, int b);' 'int twice(int a);' >"$work/clock/clock.h"
echo 'int twice(int a); int twice(int a) { return 2 * a; }' >"$work/twice.c"
flags=$(make -s print-CPPFLAGS print-CFLAGS | sed 's/^[A-Z]* = //')
# shellcheck disable=SC2086
gcc $flags -c "$work/twice.c" -o "$work/twice.o" && ar rc "$work/libtwice.a" "$work/twice.o"
clock() {
    make APP="$work/clock" O="$work/out" SRCS="main.c half.c asm/sum.S" \
        APP_CFLAGS="-DCOLOUR='\"red\"' -msse2" APP_LIBS="$work/libtwice.a" "$@"
}
expect 0 "an application with flags and sources of its own" clock NAME=watch
said "CC +$work/clock/half.c"
unsaid 'selftest'
check "... makes an image and its configuration" test -s "$work/out/watch.elf" -a -s "$work/out/watch.cfg"
expect 0 "once more" clock NAME=watch
unsaid 'CC|AS|LD'
expect 0 "with another flag" clock NAME=watch APP_CFLAGS="-DCOLOUR='\"blue\"' -msse2"
said "CC +$work/clock/main.c"
unsaid 'CC +kernel'
boot() { lab/run "$work/out/watch.elf" --xen "$XEN" --via dom0 --timeout "$PATIENCE" --extra "plinth.report=off"; }
expect 0 "it boots" boot
said '^debug 1, colour blue$'
said '^half is 25 tenths$'
said '^ok 1 clock\.adds$'
said '^Test result: SUCCESS'
expect 0 "without ASSERT()" clock NAME=watch DEBUG=0
said 'CC +kernel/main.c'
expect 0 "... it boots" boot
said '^debug 0, colour red$'

# The example, with the Makefile that README.md shows and nothing else.
mkdir "$work/alarm"
cp examples/alarm/main.c "$work/alarm/"
sed -n '/^    PLINTH ?=/,/^$/s/^    //p' README.md >"$work/alarm/Makefile"
expect 0 "README's Makefile" make -C "$work/alarm" PLINTH="$plinth" -j2
cat >"$work/script" <<'END'
. /lab/lib.sh
create alarm "$IMAGE" 'extra="plinth.report=off plinth.loglevel=err"' || exit 1
data=/local/domain/$(xl domid alarm)/data
for seconds in soon 0 1000; do
    xenstore-write "$data/alarm" "$seconds"
    waitfor "$PATIENCE" "^alarm: .*($seconds s|\"$seconds\")" alarm
done
until_true "$PATIENCE" xenstore-read "$data/rings"
echo "rings: $(xenstore-read "$data/rings")"
xl shutdown alarm
wait_down "$PATIENCE" alarm
echo "reason $(reason alarm)"
last_words alarm
END
expect 0 "it boots through xl" lab/run "$work/alarm/build/alarm.elf" --xen "$XEN" \
    --dom0-script "$work/script" --timeout "$PATIENCE"
said '^alarm: "soon" is no number of seconds$'
said '^alarm: set to 0 s$'
said '^alarm: ring 1$'
said '^rings: 1$'
said '^alarm: switched off, set$'
said '^reason 0$'

# What is wrong is said.
mkdir "$work/nothing" "$work/nomain"
echo 'int nothing;' >"$work/nomain/nomain.c"
expect 2 "no folder" make APP="$work/absent"
said "plinth: APP=$work/absent is not a folder"
expect 2 "a folder without sources" make APP="$work/nothing"
said "plinth: there is no \*\.c and no \*\.S in $work/nothing"
expect 2 "a source that is not there" make APP="$work/nomain" SRCS=other.c O="$work/out"
said "No rule to make target '.*other.o'"
expect 2 "no main()" make APP="$work/nomain" O="$work/out"
said 'plinth: no main\(\); include/plinth/app.h says what it is'

finish

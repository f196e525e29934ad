# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the lab's dom0: keys typed at guests' consoles.

. /lab/lib.sh

# open NAME: what goes to descriptor 3 is typed at its console.  This is the program
# that xl console runs; without a terminal it wants to be asked to read.
open() {
    mkfifo "/tmp/$1.keys"
    xenconsole "$(xl domid "$1")" --type pv --interactive <"/tmp/$1.keys" >"/tmp/$1.screen" 2>&1 &
    exec 3>"/tmp/$1.keys"
}

# ask NAME TEXT: type TEXT and wait for the next prompt.
prompts() { grep -acE '^(plinth|selftest)> ' "$(console "$1")"; }
ask() {
    before=$(prompts "$1")
    # shellcheck disable=SC2059 # escapes are wanted
    printf "$2" >&3
    until_true "$PATIENCE" more_than "$before" "$1" || echo "$1: no answer to '$2'"
}
more_than() { [ "$(prompts "$2")" -gt "$1" ]; }

# ended NAME: it ends; why, and its whole console.
ended() {
    wait_down "$PATIENCE" "$1" || echo "$1: does not end"
    echo "$1: reason $(reason "$1")"
    exec 3>&-
    last_words "$1" | sed "s/^/$1: /"
    xl destroy "$1"
}

# CPU time that NAME has used, in tenths of a second.
used() { xl list "$1" | awk 'NR == 2 { print int($NF * 10 + 0.5) }'; }

create hello /guest/hello.elf "extra=\"one 'two words' plinth.loglevel=err three\"" || exit 1
ended hello

create shell /guest/shell.elf || exit 1
open shell
waitfor "$PATIENCE" '^plinth> ' shell
for command in help mem ptdump threads ports grants dmesg audit time; do
    ask shell "$command\r"
done
ask shell 'xs ls\r'
ask shell 'xs read name\r'
ask shell 'xs read /local/domain/0/name\r'
ask shell 'xs ls nothing\r'
ask shell 'hlep\r'
ask shell "echo 'two  words' three\r"
ask shell 'echo onetow\b\177wo\r'
ask shell 'echo first second\027third\r'
ask shell 'nonsense\025echo all gone\r'
ask shell 'echo ac\033[Db\033[Cd\r'
ask shell '\033[A\033[A\033[B\r'
ask shell 'echo never\003'
ask shell 'echo by LF\n'
ask shell 'echo by both\r\n'
ask shell '\r'
# More than the ring holds, at once: 64 lines of 45 bytes.
for i in $(seq -w 64); do printf 'echo line %s ...............................\r' "$i"; done >&3
waitfor "$PATIENCE" '^line 64 ' shell
sleep 1
# Once more if it had some: the machine may have stood still in the guest's turn.
for _ in 1 2 3; do
    before=$(used shell)
    sleep 10
    used=$(($(used shell) - before))
    [ $used -gt 1 ] || break
done
echo "shell: idle for 10 s: $used tenths of a second"
ask shell 'echo still here\r'
printf 'poweroff\r' >&3
ended shell

create selftest "$IMAGE" 'extra="shell plinth.report=off"' || exit 1
open selftest
waitfor "$PATIENCE" '^selftest> ' selftest
ask selftest 'test shell.nothing*\r'
ask selftest 'test nothing.*\r'
ask selftest 'give\r'
ask selftest 'grants\r'
printf 'exit\r' >&3
ended selftest

# Lines of two threads, each longer than what fits into the ring.
create lines "$IMAGE" 'extra="tests=console.lines* plinth.report=off"' || exit 1
ended lines

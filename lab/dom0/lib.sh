# SPDX-License-Identifier: MIT
# Functions for scripts that run in the lab's dom0 (lab/run --dom0-script).
# run.conf has set IMAGE, MEMORY, VCPUS, EXTRA and TIMEOUT; files are in /guest.
# shellcheck shell=sh

# shellcheck disable=SC1091 # lab/run writes it
. /lab/run.conf

# Seconds to wait for what must come.  Only a wait that fails takes so long, however slow
# the machine is.
# shellcheck disable=SC2034
PATIENCE=300

# load MODULE...
load() {
    for module; do
        grep -q "^$(echo "$module" | tr - _) " /proc/modules || insmod "/lib/modules/$module.ko" || return
    done
}

# until_true SECONDS COMMAND...: try COMMAND until it succeeds; fail after SECONDS.
until_true() {
    deadline=$(($(uptime_cs) + $1 * 100))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(uptime_cs)" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

uptime_cs() { cut -d' ' -f1 /proc/uptime | tr -d .; }

# console NAME: the file that holds all that domain NAME has printed.
console() { echo "/var/log/xen/console/guest-$1.log"; }

# waitfor SECONDS REGEX NAME: until a line of NAME's console matches.
waitfor() {
    until_true "$1" grep -qaE -e "$2" "$(console "$3")" && return
    echo "no line matching '$2' from $3 within $1 s; its last ones:" >&2
    tail -n 5 "$(console "$3")" >&2
    return 1
}

# last_words NAME: all that domain NAME has printed, once nothing more comes: xenconsoled,
# which reads a busy ring five times a second only, may be behind.
last_words() {
    calm=0 before=''
    for _ in $(seq 100); do
        now=$(wc -c <"$(console "$1")")
        if [ "$now" = "$before" ]; then calm=$((calm + 1)); else calm=0; fi
        [ $calm -lt 3 ] || break
        before=$now
        sleep 0.3
    done
    tr -d '\r' <"$(console "$1")"
}

# create NAME KERNEL [CFG-LINE...]: create and start a PV domain.
create() {
    make_cfg "$@" >"/tmp/$1.cfg" && xl create -q "/tmp/$1.cfg"
}

make_cfg() {
    printf 'name="%s"\nkernel="%s"\ntype="pv"\nmemory=%s\nvcpus=%s\n' "$1" "$2" "${MEMORY:-32}" "${VCPUS:-1}"
    printf 'on_poweroff="preserve"\non_crash="preserve"\n'
    shift 2
    [ $# = 0 ] || printf '%s\n' "$@"
}

# wait_down SECONDS NAME: until NAME has shut down or is gone.
wait_down() { until_true "$1" is_down "$2"; }
is_down() { ! xl domid "$1" || [ "$(reason "$1")" != - ]; }

# reason NAME: why NAME shut down: 0 poweroff, 1 reboot, 2 suspend, 3 crash; - if it runs.
reason() { xl list -v "$1" | awk 'NR == 2 { print $8 }'; }

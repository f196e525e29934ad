#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds lib/, and what of mm/ can do without Xen, for the host and tests it there:
# once under the sanitizers, once as the kernel has it, where guard pages still
# watch.  Then libFuzzer looks for inputs that break a promise, two programs at a
# time: for 60 seconds in total, each fuzzer as long as any other.
#
#   prove tests/host.t                   from the top folder
#   SEED=7 prove -v tests/host.t         with other random inputs
#   FUZZ_SECONDS=600 prove tests/host.t  fuzz longer in total; 0: not at all
#
# CC and FUZZ_CC name the compilers, gcc and clang by default.  Without clang
# fuzzing is skipped, or fails where PLINTH_REQUIRE_TOOLS is set.

set -u
cd "$(dirname "$0")/.." || exit 1

sources=(args errno glob lineedit parse pheap printf ranges sha256 string)
objects=("${sources[@]/%/.o}")
modules=("${sources[@]}" compiler heap heap_release mmu page page_release)
fuzzers=(args glob heap lineedit mmu page parse printf ranges)

cc=${CC:-gcc}
fuzz_cc=${FUZZ_CC:-clang}
fuzz_seconds=${FUZZ_SECONDS:-60}
fuzz_lanes=2
out=build/host

# The compiler speaks through stderr, which prove shows and does not parse.
flags=(-std=gnu11 -g -Itests/host/include -Iinclude -Iarch/x86/include
       -D__XEN_INTERFACE_VERSION__=0x00040e00
       -fno-strict-aliasing -Wall -Wextra -Werror
       -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wcast-qual
       -Wwrite-strings -Wpointer-arith)
sanitize=(-O1 -fsanitize=address -fsanitize=undefined -fno-omit-frame-pointer
          -fno-sanitize-recover=all)
as_kernel=(-O2 -ffreestanding -mno-red-zone -mgeneral-regs-only)
kernel=("${as_kernel[@]}" -fno-pic -mcmodel=kernel -mno-sse -mno-mmx
        -Wold-style-definition -Wvla -Wframe-larger-than=1024
        -Wmisleading-indentation -Wimplicit-fallthrough)

export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"

# library FOLDER COMPILER FLAGS...: the objects of lib/, under other names, and
# those of mm/ with what they need from a test's header or from fake_xen.c
library() {
    local dir=$1 name
    shift
    rm -rf "$dir" && mkdir -p "$dir" || return
    for name in "${sources[@]}"; do
        object "$dir/$name.o" "lib/$name.c" renamed "$@" &
    done
    heap "$dir/heap.o" "$@" -DCONFIG_DEBUG=1 &
    heap "$dir/heap_release.o" "$@" -DCONFIG_DEBUG=0 &
    for name in mmu kaddr linear; do
        object "$dir/$name.o" "mm/$name.c" named "$@" &
    done
    page "$dir/page.o" "$@" -DCONFIG_DEBUG=1 &
    page "$dir/page_release.o" "$@" -DCONFIG_DEBUG=0 &
    object "$dir/fake_xen.o" tests/host/fake_xen.c named "$@" &
    object "$dir/vcpu.o" tests/host/vcpu.c named "$@" &
    wait
}

# object OBJECT SOURCE renamed|named COMPILER FLAGS...: with libc's names or others
object() {
    local object=$1 source=$2 names=$3 compiler=$4 rename=()
    shift 4
    [ "$names" = named ] || rename=(-include tests/host/rename.h)
    "$compiler" "${flags[@]}" "$@" -ffreestanding "${rename[@]}" \
                -c "$source" -o "$object"
}

# heap OBJECT COMPILER FLAGS...: mm/heap.c, with its lock for tests to open, that
# come back from a panic
heap() {
    local object=$1
    shift
    object "$object" mm/heap.c renamed "$@" &&
        objcopy --globalize-symbol=heap_lock "$object"
}

# page OBJECT COMPILER FLAGS...: mm/page.c, with its variables in a section that a
# test can clear
page() {
    local object=$1
    shift
    object "$object" mm/page.c named "$@" &&
        objcopy --set-section-flags .bss=alloc,load,data,contents \
                --rename-section .bss=page_state "$object"
}

# program FOLDER COMPILER NAME FLAGS...: one test program, linked with them
program() {
    local dir=$1 compiler=$2 name=$3 more=()
    shift 3
    case $name in
        heap | heap_release) more=("$dir/$name.o") ;;
        fuzz_heap) more=("$dir/heap.o") ;;
        *mmu) more=("$dir/mmu.o" "$dir/fake_xen.o") ;;
        *page) more=("$dir"/{page,kaddr,linear}.o) ;;
        page_release) more=("$dir"/{page_release,kaddr,linear}.o) ;;
    esac
    "$compiler" "${flags[@]}" "$@" "tests/host/$name.c" \
                "${objects[@]/#/$dir/}" "$dir/vcpu.o" "${more[@]}" -o "$dir/test_$name"
}

number=0
failed=0

# result STATUS NAME
result() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        failed=1
    fi
}

skip() {
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

# run FOLDER NAME: its own TAP becomes a subtest
run() {
    [ -x "$1/test_$2" ] || return
    timeout 120 "$1/test_$2" 2>&1 | sed 's/^/    /'
    return "${PIPESTATUS[0]}"
}

# refused NAME ERROR CODE: gcc must not accept it, and must say why
refused() {
    local said
    ! said=$("$cc" "${flags[@]}" -x c -c -o /dev/null - <<<"$3" 2>&1) &&
        [[ $said == *$2* ]]
    result $? "refused: $1"
}

# freestanding LEVEL: lib/ alone, under its real names, for the kernel
#
# It may need nothing from outside.  Nor may a function call itself: that is what
# the loop in a memset becomes when gcc sees through it.
freestanding() {
    local dir=$out/kernel$1 name inner
    mkdir -p "$dir"
    for name in "${sources[@]}"; do
        "$cc" "${flags[@]}" "${kernel[@]}" "$1" -c "lib/$name.c" \
              -o "$dir/$name.o" || return
    done
    ld -r "${objects[@]/#/$dir/}" -o "$dir/lib.o" || return
    name=$(nm -u "$dir/lib.o")
    inner=$(objdump -dr "$dir/string.o" |
            awk '/>:$/ { self = substr($2, 2, length($2) - 3) }
                 /R_X86_64_P/ { sub(/-0x4$/, "", $3); if ($3 == self) print }')
    [ -z "$name$inner" ] || { echo "# $name $inner"; return 1; }
}

# Is there a clang, with libFuzzer and the sanitizers?
can_fuzz() {
    mkdir -p "$out" &&
        "$fuzz_cc" -fsanitize=fuzzer,address,undefined -x c -o "$out/can_fuzz" - \
            <<<'int LLVMFuzzerTestOneInput(void *p, long n);
                int LLVMFuzzerTestOneInput(void *p, long n) { return !p & !n; }' \
            2>/dev/null
}

# fuzz NAME SECONDS: from nothing; what it says and finds is left in the folder
fuzz() {
    program "$out/fuzz" "$fuzz_cc" "fuzz_$1" "${sanitize[@]}" \
            -fsanitize=fuzzer &&
        "$out/fuzz/test_fuzz_$1" -max_len=300 -seed="${SEED:-1}" \
            -artifact_prefix="$out/fuzz/$1-" -timeout=20 \
            -max_total_time="$2" >"$out/fuzz/$1.log" 2>&1
    echo $? >"$out/fuzz/$1.status"
}

# fuzz_lane N: every fuzzer whose turn it is there, each with its share of time
fuzz_lane() {
    local i n=${#fuzzers[@]} share
    for ((i = $1; i < n; i += fuzz_lanes)); do
        share=$((fuzz_seconds * (i + 1) / n - fuzz_seconds * i / n))
        fuzz "${fuzzers[i]}" $((share > 0 ? share : 1)) # 0 would be for ever
    done
}

fuzz_all() {
    local lane name status
    echo "# fuzzing for $fuzz_seconds seconds in total, seed ${SEED:-1}"
    library "$out/fuzz" "$fuzz_cc" "${sanitize[@]}" -fsanitize=fuzzer-no-link
    for ((lane = 0; lane < fuzz_lanes; lane++)); do
        fuzz_lane $lane &
    done
    wait
    for name in "${fuzzers[@]}"; do
        status=$(cat "$out/fuzz/$name.status")
        [ "$status" = 0 ] || sed 's/^/# /' "$out/fuzz/$name.log"
        result "$status" "fuzz $name"
    done
}

echo "1..$((2 * ${#modules[@]} + 9 + ${#fuzzers[@]}))"

library "$out/sanitized" "$cc" "${sanitize[@]}"
library "$out/plain" "$cc" "${as_kernel[@]}"
for name in "${modules[@]}"; do
    program "$out/sanitized" "$cc" "$name" "${sanitize[@]}" &
    program "$out/plain" "$cc" "$name" -O2 &
done
wait

for name in "${modules[@]}"; do
    run "$out/sanitized" "$name"
    result $? "$name, sanitized"
    run "$out/plain" "$name"
    result $? "$name, as in the kernel"
done

for level in -O2 -Os -O0; do
    freestanding "$level"
    result $? "freestanding at $level"
done

refused "ARRAY_SIZE of a pointer" "sizeof (void" '
#include <plinth/compiler.h>
size_t f(void *p[]);
size_t f(void *p[]) { void **q = p; return ARRAY_SIZE(q); }'

refused "container_of another type" "not allowed" '
#include <plinth/compiler.h>
struct s { int m; };
struct s *f(long *p);
struct s *f(long *p) { return container_of(p, struct s, m); }'

refused "BUILD_BUG_ON a fact" "not allowed" '
#include <plinth/compiler.h>
BUILD_BUG_ON(sizeof(int) == 4);'

refused "the error numbers of libc and Xen together" "exclude each other" '
#include <errno.h>
#include <plinth/errno.h>'

refused "an argument that does not fit its conversion" "Werror=format" '
#include <plinth/printf.h>
int f(char *p);
int f(char *p) { return scnprintf(p, 9, "%s", 1); }'

refused "an ignored error" "Werror=unused-result" '
#include <plinth/parse.h>
void f(uint64_t *v);
void f(uint64_t *v) { parse_u64("1", v); }'

no_clang="no $fuzz_cc that can fuzz: apt-get install clang libclang-rt-dev"
if [ "$fuzz_seconds" = 0 ]; then
    for name in "${fuzzers[@]}"; do skip "fuzz $name" "FUZZ_SECONDS is 0"; done
elif can_fuzz; then
    fuzz_all
elif [ -n "${PLINTH_REQUIRE_TOOLS:-}" ]; then
    echo "# $no_clang"
    for name in "${fuzzers[@]}"; do result 1 "fuzz $name"; done
else
    for name in "${fuzzers[@]}"; do skip "fuzz $name" "$no_clang"; done
fi

exit $failed

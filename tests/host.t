#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds lib/, and what else needs no Xen, for the host and tests it there: once
# under the sanitizers, once as the kernel has it, where guard pages still watch.
#
#   prove tests/host.t                  from the top folder
#   SEED=7 prove -v tests/host.t        with other random inputs
#   FUZZ_SECONDS=60 prove tests/host.t  fuzz too, that long for each parser
#
# CC and FUZZ_CC name the compilers, gcc and clang by default.

set -u
cd "$(dirname "$0")/.." || exit 1

sources=(args errno glob parse printf ranges sha256 string)
objects=("${sources[@]/%/.o}")
modules=("${sources[@]}" compiler heap heap_release)
fuzzers=(args glob heap parse printf ranges)

cc=${CC:-gcc}
fuzz_cc=${FUZZ_CC:-clang}
out=build/host

# The compiler speaks through stderr, which prove shows and does not parse.
flags=(-std=gnu11 -g -Iinclude -fno-strict-aliasing -Wall -Wextra -Werror
       -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wcast-qual
       -Wwrite-strings -Wpointer-arith)
sanitize=(-O1 -fsanitize=address -fsanitize=undefined -fno-omit-frame-pointer
          -fno-sanitize-recover=all)
as_kernel=(-O2 -ffreestanding -mno-red-zone -mgeneral-regs-only)
kernel=("${as_kernel[@]}" -fno-pic -mcmodel=kernel -mno-sse -mno-mmx
        -Wold-style-definition -Wvla -Wframe-larger-than=1024
        -Wmisleading-indentation -Wimplicit-fallthrough)

export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"

# library FOLDER COMPILER FLAGS...: the objects of lib/, under other names
library() {
    local dir=$1 compiler=$2 name
    shift 2
    rm -rf "$dir" && mkdir -p "$dir" || return
    for name in "${sources[@]}"; do
        "$compiler" "${flags[@]}" "$@" -ffreestanding \
                    -include tests/host/rename.h \
                    -c "lib/$name.c" -o "$dir/$name.o" &
    done
    heap "$dir/heap.o" 1 "$compiler" "$@" &
    heap "$dir/heap_release.o" 0 "$compiler" "$@" &
    wait
}

# heap OBJECT DEBUG COMPILER FLAGS...: mm/heap.c, whose pages the test provides
heap() {
    local object=$1 debug=$2 compiler=$3
    shift 3
    "$compiler" "${flags[@]}" "$@" -ffreestanding -DCONFIG_DEBUG="$debug" \
                -include tests/host/rename.h -c mm/heap.c -o "$object"
}

# program FOLDER COMPILER NAME FLAGS...: one test program, linked with them
program() {
    local dir=$1 compiler=$2 name=$3 more=()
    shift 3
    case $name in
        heap | heap_release) more=("$dir/$name.o") ;;
        fuzz_heap) more=("$dir/heap.o") ;;
    esac
    "$compiler" "${flags[@]}" "$@" "tests/host/$name.c" \
                "${objects[@]/#/$dir/}" "${more[@]}" -o "$dir/test_$name"
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
    "$1/test_$2" 2>&1 | sed 's/^/    /'
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

# fuzz NAME: from nothing; what it says and finds is left in the fuzz folder
fuzz() {
    local log=$out/fuzz/$1.log status
    program "$out/fuzz" "$fuzz_cc" "fuzz_$1" "${sanitize[@]}" \
            -fsanitize=fuzzer &&
        "$out/fuzz/test_fuzz_$1" -max_len=300 -seed="${SEED:-1}" \
            -artifact_prefix="$out/fuzz/$1-" \
            -max_total_time="$FUZZ_SECONDS" >"$log" 2>&1
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$log"
    result $status "fuzz $1"
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

if [ -z "${FUZZ_SECONDS:-}" ]; then
    why="FUZZ_SECONDS is not set"
elif ! command -v "$fuzz_cc" >/dev/null; then
    why="no $fuzz_cc"
else
    why=
    library "$out/fuzz" "$fuzz_cc" "${sanitize[@]}" -fsanitize=fuzzer-no-link
fi

for name in "${fuzzers[@]}"; do
    if [ -n "$why" ]; then
        skip "fuzz $name" "$why"
    else
        fuzz "$name"
    fi
done

exit $failed

#!/bin/sh
# House rules: formatting, layers, clang-tidy, shellcheck. usage: tests/tidy/run.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
status=0
check() { # NAME COMMAND...
    name=$1
    shift
    if out=$("$@" 2>&1); then
        echo "ok $name"
    else
        status=1
        printf '%s\nnot ok %s\n' "$out" "$name"
    fi
}
folders="base feature ring env registry shard rpc node coordinator client ops gateway"
stamps=$build/tidy-stamps
sources() {
    # shellcheck disable=SC2086
    { find $folders tests integration bench examples -name '*.[ch]'; ls python/*.[ch]; } | sort
}
format() {
    sources | xargs -P "$(nproc)" -n 20 clang-format-19 --dry-run -Werror
}
# One file, unless it, every header of ours that it includes and the rules are as they were when it last passed.
lint_one() {
    source=$1
    stamp=$stamps/$(echo "$source" | tr / _)
    # shellcheck disable=SC2046
    key=$(cat .clang-tidy $(cc -MM -I. -D_GNU_SOURCE "$source" | sed 's/^[^:]*://;s/\\$//') | cksum)
    [ "$key" = "$(cat "$stamp" 2>/dev/null)" ] && return 0
    clang-tidy-19 --quiet -p "$build" "$source" || return 1
    echo "$key" >"$stamp"
}
lint() {
    # the program's own sources; tests are covered by the warnings and the sanitizers
    mkdir -p "$stamps"
    # shellcheck disable=SC2086
    find $folders -name '*.c' | sort | xargs -P "$(nproc)" -n 4 sh tests/tidy/run.sh --lint "$build"
}
shell() {
    find run scripts tests integration bench examples python/tests .ci -type f | while read -r f; do
        head -n 1 "$f" | grep -q '^#!/bin/sh' && echo "$f"
    done | xargs shellcheck -x -S warning -e SC2317
}
if [ "$1" = --lint ]; then
    build=$2
    stamps=$build/tidy-stamps
    shift 2
    for source in "$@"; do
        lint_one "$source" || status=1
    done
    exit $status
fi
check "formatting (clang-format)" format
check "rules find what breaks them" "$build/bin/tidy" --self-test
check "layers and house rules" "$build/bin/tidy" .
check "shell scripts (shellcheck)" shell
check "static analysis (clang-tidy)" lint
exit $status

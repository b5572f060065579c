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
sources() {
    find base feature ring env registry shard rpc client ops tests integration bench examples -name '*.[ch]' | sort
}
format() {
    sources | xargs -P "$(nproc)" -n 20 clang-format-19 --dry-run -Werror
}
lint() {
    # the program's own sources; tests are covered by the warnings and the sanitizers
    find base feature ring env registry shard rpc client ops -name '*.c' | sort |
        xargs -P "$(nproc)" -n 4 clang-tidy-19 --quiet -p "$build" --extra-arg=-Wno-unknown-warning-option
}
shell() {
    find run scripts tests integration bench examples .ci -type f | while read -r f; do
        head -n 1 "$f" | grep -q '^#!/bin/sh' && echo "$f"
    done | xargs shellcheck -S warning -e SC2317
}
check "formatting (clang-format)" format
check "rules find what breaks them" "$build/bin/tidy" --self-test
check "layers and house rules" "$build/bin/tidy" .
check "shell scripts (shellcheck)" shell
check "static analysis (clang-tidy)" lint
exit $status

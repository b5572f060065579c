#!/bin/sh
# Runs every fuzz target for so many seconds, two at a time. usage: tests/fuzz/run.sh BIN_DIR SECONDS
set -u
bin=$1
seconds=$2
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../build/fuzz-findings
mkdir -p "$out"
one() {
    name=$1
    corpus=$here/corpus/$name
    mkdir -p "$corpus" "$out/$name-corpus"
    # new inputs go to a scratch corpus, the committed one stays as it is
    if "$bin/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=0 \
        -artifact_prefix="$out/$name-" "$out/$name-corpus" "$corpus" >"$out/$name.log" 2>&1; then
        echo "ok fuzz $name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$out/$name.log")"
    else
        grep -E -A25 'ERROR|Assertion|assert' "$out/$name.log" | head -n 60
        echo "not ok fuzz $name (see build/fuzz-findings)"
    fi
}
running=0
for source in "$here"/*.c; do
    one "$(basename "$source" .c)" &
    running=$((running + 1))
    if [ $running -ge "$(nproc)" ]; then
        wait
        running=0
    fi
done
wait

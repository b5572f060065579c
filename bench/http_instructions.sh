#!/bin/sh
# How many instructions larder-gateway spends on a request, and where: callgrind, so a busy machine does not matter. Needs valgrind.
# usage: bench/http_instructions.sh BIN_DIR WORK_DIR [BATCH]    BATCH (1): entities a request. About a minute.
set -eu
bin=$1
work=$2/instructions
batch=${3:-1}
here=$(cd "$(dirname "$0")" && pwd)
command -v valgrind >/dev/null || { echo "bench: valgrind is not installed" >&2; exit 1; }
port=$((20000 + $$ % 20000))
rm -rf "$work"
mkdir -p "$work/defs"
"$bin/bench_cluster" "local:$work/store" load 1000 "$work/defs"
# counted REQUESTS: instructions of a gateway's whole life with so many
counted() {
    valgrind --tool=callgrind --callgrind-out-file="$work/out.$1" "$bin/larder-gateway" --store "local:$work/store" --listen "127.0.0.1:$port" \
        --loops 1 >"$work/log.$1" 2>&1 &
    gateway=$!
    python3 "$here/http_ask.py" "$port" "$1" "$batch" || { kill $gateway; exit 1; }
    kill $gateway
    wait $gateway || true
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/log.$1"
}
few=$(counted 200)
many=$(counted 1200)
echo "$(((many - few) / 1000)) instructions a request of $batch"
callgrind_annotate "$work/out.1200" 2>/dev/null | sed -n '/^Ir/,$p' | grep -v '^$' | head -n "${LINES_SHOWN:-45}"
rm -rf "$work"

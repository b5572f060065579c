#!/bin/sh
# larder-gateway beside `feast serve`: the same rows, requests and load. usage: bench/feast.sh BIN_DIR WORK_DIR ROUNDS PYTHON
# PYTHON: of an environment with Feast (integration/feast_remote.sh makes one). Servers have core 0, the load core 1; one process
# or loop each. Prints lines for bench/report.py. SECONDS_EACH (3): of each run.
set -eu
bin=$1
work=$2/feast
rounds=$3
python=$4
here=$(cd "$(dirname "$0")" && pwd)
entities=1000
port=$((20000 + $$ % 20000))
rm -rf "$work"
mkdir -p "$work/defs"
feast=
gateway=
finish() {
    for p in $feast $gateway; do
        kill "$p" 2>/dev/null || true
        wait "$p" 2>/dev/null || true
    done
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
answers() { python3 -c 'import sys, urllib.request; urllib.request.urlopen("http://127.0.0.1:%s/health" % sys.argv[1])' "$1" 2>/dev/null; }
wait_for() {
    left=600
    until answers "$1"; do
        left=$((left - 1))
        [ $left -gt 0 ] || { echo "bench: nobody answers at port $1" >&2; exit 1; }
        sleep 0.2
    done
}
"$python" "$here/feast_rows.py" "$work/repo" $entities >&2
"$bin/bench_cluster" "local:$work/store" load $entities "$work/defs"
taskset -c 0 "$bin/larder-gateway" --store "local:$work/store" --listen "127.0.0.1:$port" --loops 1 >"$work/gateway.log" 2>&1 &
gateway=$!
(cd "$work/repo" && FEAST_USAGE=False exec taskset -c 0 "$(dirname "$python")/feast" --log-level ERROR serve --port $((port + 1)) --no-access-log --workers 1 --max-requests 0) \
    >"$work/feast.log" 2>&1 &
feast=$!
wait_for "$port"
wait_for $((port + 1))
worker=$(tr -d " " <"/proc/$feast/task/$feast/children") # of its one worker process
r=0
while [ $r -lt "$rounds" ]; do
    for case in "one_entity_32_clients 1" "hundred_entities_32_clients 100"; do
        for system in larder_http:$port:$gateway feast_serve:$((port + 1)):$worker; do
            # shellcheck disable=SC2086 # words
            set -- $case
            IFS=: read -r name where pid <<T
$system
T
            taskset -c 1 "$bin/bench_tcp" run larder_http "$where" $entities "$1" "$2" 32 "${SECONDS_EACH:-3}" 0 "$pid" |
                sed "s/ larder_http / $name /"
        done
    done
    r=$((r + 1))
done

#!/bin/sh
# larder-gateway beside `feast serve`, and beside a node's bare data plane: the same rows, requests and load.
# usage: bench/feast.sh BIN_DIR WORK_DIR ROUNDS PYTHON
# PYTHON: of an environment with Feast (bench/run.sh makes one). Servers have core 0, the load core 1; one process or loop each, and they run
# in turn. Prints lines for bench/report.py. SECONDS_EACH (3): of each run.
set -eu
bin=$1
work=$2/feast
rounds=$3
python=$4
here=$(cd "$(dirname "$0")" && pwd)
entities=1000
port=$((20000 + $$ % 20000))
coordinator=127.0.0.1:$((port + 2))
url=cluster:$coordinator
rm -rf "$work"
mkdir -p "$work/defs" "$work/node_defs"
pids=
finish() {
    for p in $pids; do
        kill "$p" 2>/dev/null || true
    done
    for p in $pids; do
        wait "$p" 2>/dev/null || true
    done
    pids=
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
answers() { python3 -c 'import sys, urllib.request; urllib.request.urlopen("http://127.0.0.1:%s/health" % sys.argv[1])' "$1"; }
placed() { # every shard has a replica that answers
    [ "$("$bin/larder" --store "$url" shard list --json | grep -c 'state=active')" -ge 16 ]
}
wait_for() { # COMMAND...
    left=600
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || { echo "bench: this does not come true: $*" >&2; exit 1; }
        sleep 0.2
    done
}
"$python" "$here/feast_rows.py" "$work/repo" $entities >&2
"$bin/bench_cluster" "local:$work/store" load $entities "$work/defs"
"$bin/larder-gateway" --store "local:$work/store" --listen "127.0.0.1:$port" --loops 1 >"$work/gateway.log" 2>&1 &
gateway=$!
pids=$gateway
(cd "$work/repo" && FEAST_USAGE=False exec taskset -c 0 "$(dirname "$python")/feast" --log-level ERROR serve --port $((port + 1)) --no-access-log --workers 1 --max-requests 0) \
    >"$work/feast.log" 2>&1 &
feast=$!
pids="$pids $feast"
"$bin/larder-coordinator" --id 1 --dir "$work/c" --listen "$coordinator" --raft "127.0.0.1:$((port + 3))" \
    --cluster "1@127.0.0.1:$((port + 3))" --bootstrap >"$work/c.log" 2>&1 &
pids="$pids $!"
"$bin/larder-node" --name n1 --dir "$work/n1" --listen "127.0.0.1:$((port + 4))" --http "127.0.0.1:$((port + 5))" \
    --coordinators "$coordinator" --min-free 16MiB --ballast 0 >"$work/n1.log" 2>&1 &
node=$!
pids="$pids $node"
wait_for answers "$port"
wait_for answers $((port + 1))
wait_for "$bin/larder" --store "$url" --shards 16 cluster init --replicas 1 --nodes 1
wait_for placed
"$bin/bench_cluster" "$url" load $entities "$work/node_defs"
worker=$(tr -d " " <"/proc/$feast/task/$feast/children") # of its one worker process
for p in $pids; do
    taskset -a -c -p 0 "$p" >/dev/null
done
r=0
while [ $r -lt "$rounds" ]; do
    for case in "one_entity_32_clients 1" "hundred_entities_32_clients 100"; do
        for system in "larder_http $port $gateway larder_http" "feast_serve $((port + 1)) $worker larder_http" "data_plane $coordinator $node larder"; do
            # shellcheck disable=SC2086 # words
            set -- $case $system
            taskset -c 1 "$bin/bench_tcp" run "$6" "$4" $entities "$1" "$2" 32 "${SECONDS_EACH:-3}" 0 "$5" |
                sed "s/^tcp /http /; s/ $6 / $3 /"
        done
    done
    r=$((r + 1))
done
finish
rm -rf "$work"

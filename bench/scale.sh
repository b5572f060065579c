#!/bin/sh
# Clusters of 1 to 4 nodes under the same load, all on this machine. usage: bench/scale.sh BIN_DIR WORK_DIR ROUNDS
# Prints lines for bench/report.py. The nodes share the cores with each other and with the load, so that what counts is
# processor time a request; docs/scaling.md.
set -eu
bin=$1
work=$2
rounds=$3
entities=${ENTITIES:-200000}
seconds=${SECONDS_EACH:-3}
port=$((20000 + $$ % 20000))
say() { printf '%s\n' "$*" >&2; }
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
wait_for() { # COMMAND...
    left=100
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || { say "bench: this does not come true: $*"; exit 1; }
        sleep 0.2
    done
}
placed() { # NODES: every shard has a replica that answers
    [ "$("$bin/larder" --store "$url" shard list --json | grep -c 'state=active')" -ge 16 ]
}
for n in 1 2 3 4; do
    dir=$work/scale-$n
    rm -rf "$dir"
    mkdir -p "$dir/defs"
    port=$((port + 20))
    url=cluster:127.0.0.1:$port
    say "$n nodes: $entities entities x 25 features"
    "$bin/larder-coordinator" --id 1 --dir "$dir/c" --listen "127.0.0.1:$port" --raft "127.0.0.1:$((port + 1))" \
        --cluster "1@127.0.0.1:$((port + 1))" --bootstrap >"$dir/c.log" 2>&1 &
    pids=$!
    nodes=
    i=1
    while [ $i -le "$n" ]; do
        "$bin/larder-node" --name "n$i" --dir "$dir/n$i" --listen "127.0.0.1:$((port + 1 + i))" \
            --coordinators "127.0.0.1:$port" --min-free 16MiB --ballast 0 >"$dir/n$i.log" 2>&1 &
        nodes="$nodes $!"
        pids="$pids $!"
        i=$((i + 1))
    done
    wait_for "$bin/larder" --store "$url" --shards 16 cluster init --replicas 1 --nodes "$n"
    wait_for placed
    "$bin/bench_cluster" "$url" load "$entities" "$dir/defs"
    r=0
    while [ $r -lt "$rounds" ]; do
        for what in "get 1 1" "get 1 32" "get 100 8" "put 1 32" "put 100 8"; do
            # shellcheck disable=SC2086 # three words, and pids
            set -- $what
            # shellcheck disable=SC2086
            "$bin/bench_cluster" "$url" run "larder-${n}n" "$entities" "$1" "$2" "$3" "$seconds" $nodes
        done
        r=$((r + 1))
    done
    finish
    rm -rf "$dir"
done

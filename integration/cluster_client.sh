#!/bin/sh
# What a client needs to find its way in a cluster of real processes on loopback (3 coordinators, 3 nodes): one coordinator
# named in the URL is enough, whoever leads, and its loss does no harm.
# usage: cluster_client.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
export LARDER_CACHE_DIR="$work/cache"
export LARDER_TEMPLATES="$root/examples"
port=$((20000 + $$ % 20000))
status=0
say() { # 0|1 WHAT
    if [ "$1" = 0 ]; then
        echo "ok $2"
    else
        status=1
        echo "not ok $2"
    fi
}
finish() {
    for f in "$work"/*.pid; do
        kill -9 "$(cat "$f")" 2>/dev/null
    done
    [ $status = 0 ] && rm -rf "$work" || echo "kept: $work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
members=1@127.0.0.1:$((port + 11)),2@127.0.0.1:$((port + 12)),3@127.0.0.1:$((port + 13))
hosts=127.0.0.1:$((port + 1)),127.0.0.1:$((port + 2)),127.0.0.1:$((port + 3))
coordinator() { # N
    "$bin/larder-coordinator" --id "$1" --dir "$work/c$1" --listen "127.0.0.1:$((port + $1))" --raft "127.0.0.1:$((port + 10 + $1))" \
        --cluster "$members" --bootstrap >>"$work/c$1.log" 2>&1 &
    echo $! >"$work/c$1.pid"
}
node() { # N: told of one coordinator only
    "$bin/larder-node" --name "n$1" --dir "$work/n$1" --listen "127.0.0.1:$((port + 20 + $1))" \
        --coordinators "127.0.0.1:$((port + 1))" --min-free 16MiB --ballast 0 >>"$work/n$1.log" 2>&1 &
    echo $! >"$work/n$1.pid"
}
end() { # SIGNAL NAME
    pid=$(cat "$work/$2.pid")
    kill "-$1" "$pid"
    wait "$pid" 2>/dev/null
    rm "$work/$2.pid"
}
l() { timeout 60 "$bin/larder" "$@"; }
one() { echo "cluster:127.0.0.1:$((port + $1))"; }
tell() { # SECONDS COMMAND...: until it holds
    left=$1
    shift
    until "$@"; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 1
    done
}
leader() { l --store "cluster:$hosts" status --json 2>/dev/null | tr -d '\n' | grep -oE '"id": ?[0-9]+[^}]*"role": ?"leader"' | grep -oE '[0-9]+' | head -n 1; }
placed() { [ "$(l --store "$(one 1)" shard list --json 2>/dev/null | wc -l)" = 4 ]; }

for i in 1 2 3; do coordinator $i; done
for i in 1 2 3; do node $i; done
tell 30 l --store "$(one 1)" --shards 4 cluster init --replicas 3 --write-quorum 2 >/dev/null 2>&1
say $? "cluster init through one named coordinator"
tell 30 placed
say $? "4 shards are placed; every node was told of one coordinator only"
"$bin/larder" init "$work/flights" >/dev/null 2>&1 && cd "$work/flights" || { say 1 "init"; exit 1; }
cat >"$work/facts.csv" <<'CSV'
origin,time_hour,temp,visib
JFK,2013-01-01T06:00:00Z,39.02,10.0
CSV

# ---- each coordinator alone is named, so two of the three are not the leader ----
for i in 1 2 3; do
    far=$(one $i)
    l --store "$far" status >"$work/out" 2>&1
    say $? "status through coordinator $i alone"
    sed -i "s/description: Departure airport.*/description: Departure airport $i/" ./*.yaml
    l --store "$far" apply >"$work/out" 2>&1 && l --store "$far" list entities 2>>"$work/out" | grep -q "Departure airport $i"
    say $? "apply through coordinator $i alone, seen through it"
    l --store "$far" node weight "127.0.0.1:$((port + 21))" "$((100 + i))" >"$work/out" 2>&1
    say $? "a node's weight through coordinator $i alone"
done
[ $status = 0 ] || cat "$work/out"

# ---- the only one that nodes were told of goes ----
end KILL c1
settled() { l --store "$(one 2)" status >/dev/null 2>&1; }
tell 30 settled
say $? "status through coordinator 2 alone, coordinator 1 dead"
sleep 7 # longer than a node may be silent
l --store "$(one 3)" node list --json >"$work/nodes" 2>&1
[ "$(grep -c '"state": *"active"' "$work/nodes")" = 3 ]
say $? "nodes that were told of coordinator 1 only still reach the others" || cat "$work/nodes"
coordinator 1
exit $status

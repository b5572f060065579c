#!/bin/sh
# How soon a client that stays open sees new definitions and maps, in a cluster of real processes on loopback (one coordinator, 3 nodes):
# by the coordinator's notices, and without them. usage: client_news.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
port=${LARDER_TEST_PORT:-$((20000 + $$ % 20000))}
status=0
finish() {
    for f in "$work"/*.pid; do
        kill -9 "$(cat "$f")" 2>/dev/null
    done
    [ $status = 0 ] && rm -rf "$work" || echo "kept: $work"
}
export LARDER_CACHE_DIR="$work/cache"
trap finish EXIT
trap 'exit 1' INT TERM HUP
store=cluster:127.0.0.1:$((port + 1))
coordinator() { # NOTICES
    "$bin/larder-coordinator" --id 1 --dir "$work/c1" --listen "127.0.0.1:$((port + 1))" --raft "127.0.0.1:$((port + 11))" \
        --cluster "1@127.0.0.1:$((port + 11))" --bootstrap --notices "$1" >>"$work/c1.log" 2>&1 &
    echo $! >"$work/c1.pid"
}
coordinator "127.0.0.1:$((port + 31))"
for i in 1 2 3; do
    "$bin/larder-node" --name "n$i" --dir "$work/n$i" --listen "127.0.0.1:$((port + 20 + i))" \
        --coordinators "127.0.0.1:$((port + 1))" --min-free 16MiB --ballast 0 >>"$work/n$i.log" 2>&1 &
    echo $! >"$work/n$i.pid"
done
l() { timeout 60 "$bin/larder" --store "$store" --dir "$work/defs" "$@"; }
tell() { # SECONDS COMMAND...: until it holds
    left=$1
    shift
    until "$@"; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 1
    done
}
placed() { [ "$(l shard list --json 2>/dev/null | wc -l)" = 4 ]; }
mkdir "$work/defs"
cat >"$work/defs/d.yaml" <<'YAML'
entities:
  - name: user
    join_keys: [{name: id, type: int64}]
feature_views:
  - name: v
    entity: user
    features: [{name: a, type: int64}]
YAML
tell 30 l --shards 4 cluster init --replicas 3 --write-quorum 2 >/dev/null 2>&1 && tell 30 placed && l apply >/dev/null 2>&1 &&
    tell 30 "$bin/client_probe" "$store" write 4 >/dev/null 2>&1 || { echo "not ok a cluster with definitions"; status=1; exit 1; }
echo "ok a cluster with definitions"
mkdir "$work/news"
"$bin/client_news" "$store" "$work/news" 500 || status=1
kill "$(cat "$work/c1.pid")"
wait "$(cat "$work/c1.pid")" 2>/dev/null
coordinator none
listed() { [ "$(l node list --json 2>/dev/null | grep -c '"state": *"active"')" = 3 ]; }
tell 30 listed || status=1
echo "without notices:"
"$bin/client_news" "$store" "$work/news" 2500 || status=1
exit $status

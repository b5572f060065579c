#!/bin/sh
# What a client waits for while a node is dead (killed: connections are refused) or silent (stopped: nothing comes back), in a
# cluster of real processes on loopback (3 coordinators, 3 nodes, 3 replicas, 2 of them durable). Every round is a fresh client.
# usage: client_faults.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
l() { timeout 60 "$bin/larder" --store "$store" --dir "$work/defs" "$@"; }
active() { [ "$(l node list --json 2>/dev/null | grep -c '"state": *"active"')" = 3 ]; }
down() { [ "$(l node list --json 2>/dev/null | grep -c '"state": *"down"')" = 1 ]; }
field() { sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$work/probe"; }
# Half of the requests of a number of fresh clients (strict, own: of a number of reads after writes) within a time, all within 1.9 s. Who
# waits for what is dead or silent waits for 2 s and more; a machine that is busy for a moment does not make half of them slow.
within() { # WHAT OP ROUNDS LIMIT_MS
    "$bin/client_probe" "$store" "$2" "$3" >"$work/probe" 2>"$work/probe.err"
    ended=$?
    sed 's/^/  /' "$work/probe" "$work/probe.err"
    [ $ended = 0 ] && [ "$(field first_mid_ms)" -lt "$4" ] && [ "$(field later_mid_ms)" -lt "$4" ] &&
        [ "$(field first_ms)" -lt 1900 ] && [ "$(field later_ms)" -lt 1900 ]
    say $? "$1: half of $2 of $3 within $4 ms, all within 1900"
}

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
for i in 1 2 3; do coordinator $i; done
for i in 1 2 3; do node $i; done
tell 30 l --shards 4 cluster init --replicas 3 --write-quorum 2 >/dev/null 2>&1 && tell 30 placed 4 3 && l apply >/dev/null 2>&1
say $? "a cluster with definitions"
tell 30 "$bin/client_probe" "$store" write 16 >/dev/null 2>&1 && tell 30 "$bin/client_probe" "$store" read 4 >/dev/null 2>&1
say $? "facts are written and read"
[ $status = 0 ] || { cat "$work"/*.log | tail -n 20; exit 1; }

within "all nodes up" strict 200 250
within "all nodes up" own 200 250
kill -9 "$(cat "$work/n1.pid")"
wait "$(cat "$work/n1.pid")" 2>/dev/null
within "node 1 killed a moment ago" read 12 50
within "node 1 killed a moment ago" write 12 50
within "node 1 killed a moment ago" strict 50 250
within "node 1 killed a moment ago" own 50 250
tell 20 down
say $? "the coordinators take it for down"
within "node 1 down" read 12 50
within "node 1 down" write 12 50
node 1
tell 30 active
say $? "node 1 is back"
tell 30 l scrub >/dev/null 2>&1 # every node reaches every other one again
say $? "replicas can be compared"

kill -STOP "$(cat "$work/n2.pid")"
within "node 2 silent for a moment" read 12 250
within "node 2 silent for a moment" write 12 250
within "node 2 silent for a moment" strict 50 250
tell 20 down
say $? "the coordinators take it for down"
within "node 2 silent and down" read 12 250
within "node 2 silent and down" write 12 250
kill -CONT "$(cat "$work/n2.pid")"
tell 30 active
say $? "node 2 is back"
within "all nodes up" read 12 250

# ---- no coordinator: what an earlier client kept on disk will do ----
for i in 1 2 3; do
    kill -9 "$(cat "$work/c$i.pid")"
    wait "$(cat "$work/c$i.pid")" 2>/dev/null
done
get() { l get-online-features -f v:a -e id=7 >"$work/get" 2>"$work/get.err"; }
get
say $? "no coordinator: a fresh larder reads"
grep -qw 70 "$work/get" && grep -q 'no coordinator answers; starting with map' "$work/get.err"
say $? "no coordinator: the right value, and a notice" || cat "$work/get" "$work/get.err"
within "no coordinator" read 3 250
within "no coordinator" write 3 250
[ "$(field open_ms)" -lt 5000 ]
say $? "no coordinator: a client starts within 5 s"
kill -9 "$(cat "$work/n3.pid")"
wait "$(cat "$work/n3.pid")" 2>/dev/null
within "no coordinator, node 3 killed" read 3 250
within "no coordinator, node 3 killed" write 3 250
LARDER_CACHE_DIR='' get
[ $? = 3 ] && ! grep -q starting "$work/get.err"
say $? "no coordinator, nothing kept (switched off): exit 3" || cat "$work/get.err"
cp -r "$work/cache" "$work/kept"
for f in "$work"/kept/*; do
    printf 'x' | dd of="$f" bs=1 seek=200 conv=notrunc 2>/dev/null
done
LARDER_CACHE_DIR="$work/kept" get
[ $? = 3 ] && grep -q 'is ignored: .*checksum' "$work/get.err"
say $? "no coordinator, a damaged file: ignored with a notice" || cat "$work/get.err"
# another cluster at these addresses, made in the same way: its shards have the same numbers, and like as not epochs
for i in 1 2; do
    kill -9 "$(cat "$work/n$i.pid")"
    wait "$(cat "$work/n$i.pid")" 2>/dev/null
done
for i in 1 2 3; do
    rm -rf "$work/c$i" "$work/n$i"
    coordinator $i
done
for i in 1 2 3; do node $i; done
export LARDER_CACHE_DIR=
tell 30 l --shards 4 cluster init --replicas 3 --write-quorum 2 >/dev/null 2>&1 && tell 30 placed 4 3 && l apply >/dev/null 2>&1 &&
    tell 30 "$bin/client_probe" "$store" write 16 >/dev/null 2>&1
say $? "a new cluster at the same addresses"
export LARDER_CACHE_DIR="$work/cache"
for i in 1 2 3; do
    kill -9 "$(cat "$work/c$i.pid")"
    wait "$(cat "$work/c$i.pid")" 2>/dev/null
done
get
[ $? = 3 ] && ! grep -q . "$work/get"
say $? "nodes of the new cluster are not asked with the old one's map" || cat "$work/get" "$work/get.err"
exit $status

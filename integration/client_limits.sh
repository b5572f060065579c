#!/bin/sh
# Limits of a client in a cluster of real processes on loopback: batches, answers and rows larger than a message; deadlines while
# nobody answers. usage: client_limits.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
coordinators=1
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
coordinator 1
for i in 1 2 3; do node $i; done
l() { timeout 60 "$bin/larder" --store "$store" --dir "$work/defs" "$@"; }
mkdir "$work/defs"
cat >"$work/defs/d.yaml" <<'YAML'
entities:
  - name: user
    join_keys: [{name: id, type: int64}]
feature_views:
  - name: v
    entity: user
    features: [{name: a, type: int64}]
  - name: big
    entity: user
    features: [{name: a, type: bytes}, {name: b, type: bytes}, {name: c, type: bytes}]
YAML
tell 30 l --shards 4 cluster init --replicas 3 --write-quorum 2 >/dev/null 2>&1 && tell 30 placed 4 3 && l apply >/dev/null 2>&1 &&
    tell 30 "$bin/client_probe" "$store" write 4 >/dev/null 2>&1 || { echo "not ok a cluster with definitions"; status=1; exit 1; }
echo "ok a cluster with definitions"
"$bin/client_limits" "$store" many || status=1
"$bin/client_limits" "$store" big || status=1
for i in 1 2 3; do kill -STOP "$(cat "$work/n$i.pid")"; done
"$bin/client_limits" "$store" late || status=1
exit $status

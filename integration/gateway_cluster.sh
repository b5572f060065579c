#!/bin/sh
# larder-gateway before a cluster of real processes on loopback (one coordinator, 3 nodes). usage: gateway_cluster.sh BIN_DIR
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
sources:
  - {name: push, type: push, event_timestamp: event_timestamp}
feature_views:
  - name: v
    entity: user
    source: push
    features: [{name: a, type: int64}, {name: b, type: string}]
feature_services:
  - {name: s, features: ["v:a"]}
YAML
tell 30 l --shards 4 cluster init --replicas 3 --write-quorum 2 >/dev/null 2>&1 && tell 30 placed 4 3 && l apply >/dev/null 2>&1
say $? "a cluster with definitions" || exit 1
python3 "$(dirname "$0")/gateway_cluster.py" "$bin" "$store" "$work/defs" "$work/n3.pid" || status=1
exit $status

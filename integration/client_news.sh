#!/bin/sh
# How soon a client that stays open sees new definitions and maps, in a cluster of real processes on loopback (one coordinator, 3 nodes):
# by the coordinator's notices, and without them. usage: client_news.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
coordinators=1
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
coordinator 1 --notices "127.0.0.1:$((port + 31))"
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
YAML
tell 30 l --shards 4 cluster init --replicas 3 --write-quorum 2 >/dev/null 2>&1 && tell 30 placed 4 3 && l apply >/dev/null 2>&1 &&
    tell 30 "$bin/client_probe" "$store" write 4 >/dev/null 2>&1 || { echo "not ok a cluster with definitions"; status=1; exit 1; }
echo "ok a cluster with definitions"
mkdir "$work/news"
"$bin/client_news" "$store" "$work/news" 500 || status=1
kill "$(cat "$work/c1.pid")"
wait "$(cat "$work/c1.pid")" 2>/dev/null
coordinator 1 --notices none
listed() { [ "$(l node list --json 2>/dev/null | grep -c '"state": *"active"')" = 3 ]; }
tell 30 listed || status=1
echo "without notices:"
"$bin/client_news" "$store" "$work/news" 2500 || status=1
exit $status

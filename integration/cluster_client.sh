#!/bin/sh
# What a client needs to find its way in a cluster of real processes on loopback (3 coordinators, 3 nodes): one coordinator
# named in the URL is enough, whoever leads, and its loss does no harm.
# usage: cluster_client.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
one_known() { node "$1" --coordinators "127.0.0.1:$((port + 1))"; } # told of one coordinator only
l() { timeout 60 "$bin/larder" "$@"; }
one() { echo "cluster:127.0.0.1:$((port + $1))"; }
leader() { l --store "cluster:$hosts" status --json 2>/dev/null | tr -d '\n' | grep -oE '"id": ?[0-9]+[^}]*"role": ?"leader"' | grep -oE '[0-9]+' | head -n 1; }

for i in 1 2 3; do coordinator $i; done
for i in 1 2 3; do one_known $i; done
tell 30 l --store "$(one 1)" --shards 4 cluster init --replicas 3 --write-quorum 2 >/dev/null 2>&1
say $? "cluster init through one named coordinator"
tell 30 placed 4 3
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
sleep 3 # who knows one coordinator only asks it every second for the others; nothing tells from outside that it has
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

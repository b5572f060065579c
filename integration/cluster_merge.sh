#!/bin/sh
# Shards split and merged between real processes (3 coordinators, 5 nodes, 3 replicas), beside a writer: neighbours whose replicas
# are on different nodes; a node killed while that is under way, and all coordinators; a split and a merge asked for while a node is
# away that misses both. Training set and scan must be the same bytes before, between and after, and every acknowledged write there.
# usage: cluster_merge.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
l() { timeout 120 "$bin/larder" --store "$store" "$@"; }
train() { # FILE
    l get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts --known-at-column event_ts \
        --full-feature-names -o "$1"
}
same() { # the training set, and the history of a view, as they were
    train "$work/b.csv" && cmp "$work/a.csv" "$work/b.csv" && l scan weather -o "$work/sb.csv" && cmp "$work/sa.csv" "$work/sb.csv"
}
shards() { l shard list --json 2>/dev/null; } # one object a line, in order of arcs
count() { [ "$(shards | wc -l)" = "$1" ]; }
idle() { l status --json >"$work/status" 2>/dev/null && ! grep -q '"kind"' "$work/status"; }
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^,\"}]*\).*/\1/p"; }
nodes_of() { grep "\"id\": *$1[,}]" | grep -o 'node=[0-9]*' | sort | tr '\n' ' '; } # SHARD, of what `shards` gave
# Two neighbours with replicas on different nodes: "SHARD NEIGHBOUR".
apart() {
    shards >"$work/shards"
    before=
    for id in $(field id <"$work/shards"); do
        [ -n "$before" ] && [ "$(nodes_of "$before" <"$work/shards")" != "$(nodes_of "$id" <"$work/shards")" ] && {
            echo "$before $id"
            return
        }
        before=$id
    done
}
has() { nodes_of "$1" <"$work/shards" | grep -q "node=$2 "; } # SHARD NODE

for i in 1 2 3; do coordinator $i; done
for i in 1 2 3 4 5; do node $i; done
check "cluster init" tell 30 l --shards 6 cluster init --replicas 3 --write-quorum 2 --nodes 5
check "6 shards are placed" tell 30 placed 6 3
"$bin/larder" init "$work/flights" >/dev/null 2>&1 && cd "$work/flights" || exit 1
echo 'feature_views: [{name: live, entity: carrier, features: [{name: n, type: int64}]}]' >live.yaml
load() { l materialize 1950-01-01 2013-02-28T23:59:59Z || [ $? = 1 ]; } # some rows are bad on purpose
check "definitions" tell 20 l apply
check "facts" load
check "a training set" train "$work/a.csv"
check "a scan" l scan weather -o "$work/sa.csv"

# ---- a writer, all the time ----
: >"$work/acked"
write_on() {
    k=0
    while :; do
        k=$((k + 1))
        printf 'carrier,event_timestamp,n\nw%d,2013-01-05T00:00:00Z,%d\n' $k $k >"$work/w.csv"
        timeout 60 "$bin/larder" --store "$store" ingest live "$work/w.csv" >/dev/null 2>&1 && echo $k >>"$work/acked"
    done
}
write_on &
echo $! >"$work/writer.pid"

# ---- split, then merge what lies apart ----
first=$(shards | field id | head -n 1)
check "shard $first is split" l shard split "$first"
check "there are 7 shards" tell 60 count 7
check "the split ends" tell 60 idle
check "the same bytes after the split" same
pair=$(apart)
# shellcheck disable=SC2086
set -- $pair
echo "# shard $1 on $(nodes_of "$1" <"$work/shards"), shard $2 on $(nodes_of "$2" <"$work/shards")"
check "shards $1 and $2, on different nodes, are merged" l shard merge "$1" "$2"
check "there are 6 shards again" tell 120 count 6
check "the merge ends" tell 60 idle
check "the same bytes after the merge" same

# ---- a node killed in the middle; all coordinators, too ----
pair=$(apart)
# shellcheck disable=SC2086
set -- $pair
victim=$(nodes_of "$1" <"$work/shards" | grep -o '[0-9]*' | head -n 1)
check "shards $1 and $2 are merged" l shard merge "$1" "$2"
under_way() { l status --json >"$work/status" 2>/dev/null && grep -q '"kind": *"\(move\|merge\)"' "$work/status"; }
check "it is under way" tell 20 under_way
# node N of the map need not be n N: the process that listens there is meant
address=$(l node list --json | grep "\"id\": *${victim}[,}]" | field address)
proc=$((${address##*:} - port - 20))
end KILL "n$proc"
for i in 1 2 3; do end KILL "c$i"; done
sleep 0.2
for i in 1 2 3; do coordinator $i; done
says() { l status --json >"$work/status" 2>/dev/null && grep -q "$1" "$work/status"; }
check "without it the merge waits, and says what for" tell 30 says "node $victim"
sed -n 's/.*"waits_for": *"\([^"]\{1,\}\)".*/# waits for: \1/p' "$work/status" | head -n 1
check "the same bytes meanwhile" tell 10 same
node "$proc"
check "with the node back there are 5 shards" tell 120 count 5
check "the merge ends" tell 60 idle
check "the same bytes after it" same

# ---- a node that is away for a split, and for the merge after it ----
first=$(shards | field id | head -n 1)
shards >"$work/shards"
victim=$(nodes_of "$first" <"$work/shards" | grep -o '[0-9]*' | head -n 1)
address=$(l node list --json | grep "\"id\": *${victim}[,}]" | field address)
proc=$((${address##*:} - port - 20))
check "shard $first is split" l shard split "$first"
check "there are 6 shards" tell 60 count 6
end KILL "n$proc" # perhaps before it has split, perhaps after
second=$(shards | field id | sed -n 2p)
check "shards $first and $second are to be merged again" l shard merge "$first" "$second"
check "that waits" tell 30 says "node $victim"
count 6
say $? "the map is as it was"
check "taken back" l shard abort "$(field id <"$work/status" | tail -n 1)"
check "nothing waits" tell 10 idle
check "asked for again" l shard merge "$first" "$second"
node "$proc"
check "there are 5 shards" tell 120 count 5
check "all ends" tell 60 idle
check "the same bytes at the end" same

kill "$(cat "$work/writer.pid")"
wait "$(cat "$work/writer.pid")" 2>/dev/null
rm "$work/writer.pid"
acked=$(wc -l <"$work/acked")
echo "# $acked writes were acknowledged beside all that"
[ "$acked" -gt 20 ]
say $? "the writer got on"
live() { # every one of them, read strictly
    l scan live --strict -o "$work/live.csv" || return 1
    awk -F, 'NR == FNR { want[$1] = 1; next }
        FNR == 1 { for (i = 1; i <= NF; i++) { if ($i == "carrier") c = i; if ($i == "n") v = i } next }
        { if ($c != "w" $v) { print "never sent: " $0; bad = 1 } delete want[$v] }
        END { for (k in want) { print "lost: " k; bad = 1 } exit bad }' "$work/acked" "$work/live.csv"
}
check "every acknowledged write is there" live
check "replicas are equal" l scrub
check "check" l check
exit $status

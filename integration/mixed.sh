#!/bin/sh
# A cluster of several builds (3 coordinators, 4 nodes, 3 replicas, clients): some as they are, some that leave out what messages gained
# lately (LARDER_WIRE=earlier), some that say more than anybody knows (later); test builds can (rpc/message_shape.h). Then all are renewed
# in turn beside a writer, from the earliest to the latest. Answers must be those of one folder, and no write may fail.
# usage: mixed.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
l() { timeout 120 "$bin/larder" --store "$store" "$@"; }
as() { # own|earlier|later COMMAND...
    export LARDER_WIRE="$1"
    shift
    "$@"
    code=$?
    unset LARDER_WIRE
    return $code
}
train() { # STORE FILE
    timeout 120 "$bin/larder" --store "$1" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts \
        --known-at-column event_ts --full-feature-names -o "$2"
}
same() { train "$store" "$work/b.csv" && cmp "$work/a.csv" "$work/b.csv"; }
load() { l materialize 1950-01-01 2013-02-28T23:59:59Z || [ $? = 1 ]; } # some rows are bad on purpose
ready() { "$bin/larder" health "127.0.0.1:$1/readyz" >/dev/null 2>&1; }
c_at() { coordinator "$1" --http "127.0.0.1:$((port + 30 + $1))"; }
n_at() { node "$1" --http "127.0.0.1:$((port + 33 + $1))"; }
idle() { l status --json >"$work/status" 2>/dev/null && ! grep -q '"kind"' "$work/status"; }

as own c_at 1 && as earlier c_at 2 && as later c_at 3
as own n_at 1 && as earlier n_at 2 && as later n_at 3 && as earlier n_at 4
check "cluster init" tell 30 l --shards 4 cluster init --replicas 3 --write-quorum 2 --nodes 4
check "4 shards are placed" tell 30 placed 4 3
"$bin/larder" init "$work/flights" >/dev/null 2>&1 && cd "$work/flights" || exit 1
echo 'feature_views: [{name: live, entity: carrier, features: [{name: n, type: int64}]}]' >live.yaml
check "definitions, by an early client" tell 20 as earlier l apply
check "facts, by a late one" as later load
folder() {
    one=local:$work/one
    timeout 120 "$bin/larder" --store "$one" apply && { timeout 120 "$bin/larder" --store "$one" materialize 1950-01-01 2013-02-28T23:59:59Z ||
        [ $? = 1 ]; } && train "$one" "$work/a.csv"
}
check "the same in one folder" folder
for kind in own earlier later; do
    check "training set of a client that is $kind: the same bytes" as $kind same
    check "a strict scan by one that is $kind" as $kind l scan weather --strict -o "$work/s-$kind.csv"
    cmp -s "$work/s-own.csv" "$work/s-$kind.csv"
    say $? "the same bytes"
done
builds() { l node list --json | grep -c '"build": *"[0-9]'; }
[ "$(builds)" = 2 ]
say $? "those that say which build they are are known by it ($(builds) of 4)"

# ---- renewed in turn, beside a writer ----
: >"$work/acked"
: >"$work/failed"
write_on() {
    k=0
    while :; do
        k=$((k + 1))
        printf 'carrier,event_timestamp,n\nw%d,2013-01-05T00:00:00Z,%d\n' $k $k >"$work/w.csv"
        if timeout 60 "$bin/larder" --store "$store" ingest live "$work/w.csv" >"$work/w.log" 2>&1; then
            echo $k >>"$work/acked"
        else
            cat "$work/w.log" >>"$work/failed"
        fi
    done
}
write_on &
echo $! >"$work/writer.pid"
for kind in own later; do
    for i in 1 2 3; do
        end TERM c$i
        as $kind c_at $i
        tell 30 ready $((port + 30 + i)) || say 1 "c$i, $kind, is ready again"
    done
    for i in 1 2 3 4; do
        end TERM n$i
        as $kind n_at $i
        tell 30 ready $((port + 33 + i)) || say 1 "n$i, $kind, is ready again"
        [ $kind$i != own2 ] || check "a shard is split half-way" l shard split "$(l shard list --json 2>/dev/null | sed -n 's/.*"id": *\([0-9]*\).*/\1/p' | head -n 1)"
    done
    check "the split ends" tell 60 idle
    check "all renewed, $kind: the same training set" same
done
kill "$(cat "$work/writer.pid")"
wait "$(cat "$work/writer.pid")" 2>/dev/null
rm "$work/writer.pid"
n=$(wc -l <"$work/acked")
check "a strict scan of what was written" l scan live --strict -o "$work/live.csv"
lost=$(sed 's/^/w/' "$work/acked" | while read -r k; do grep -q "^$k," "$work/live.csv" || echo "$k"; done | wc -l)
[ "$n" -gt 10 ] && [ "$lost" = 0 ] && [ ! -s "$work/failed" ]
say $? "$n writes meanwhile, none lost, none failed" || head -n 5 "$work/failed"
exit $status

#!/bin/sh
# A cluster of real processes on loopback (3 coordinators, 4 nodes), driven through the command line and compared, byte for
# byte, with a folder that got the same commands; then a node is killed in the middle of a load, all coordinators, and one
# node is drained. usage: cluster_cli.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
far=$store
l() { timeout 120 "$bin/larder" "$@"; }
# The same command on both; their outputs and exit codes must be equal.
both() { # WHAT ARGS...
    what=$1
    shift
    l --store "$near" "$@" >"$work/near.out" 2>"$work/near.err"
    a=$?
    l --store "$far" "$@" >"$work/far.out" 2>"$work/far.err"
    b=$?
    if [ $a = $b ] && [ $a -le 1 ] && cmp -s "$work/near.out" "$work/far.out"; then
        say 0 "$what: the same from cluster and folder"
    else
        say 1 "$what: exits $a and $b"
        diff "$work/near.out" "$work/far.out" | head -n 6
        head -n 4 "$work/near.err" "$work/far.err"
    fi
}
join() { # STORE OUT
    l --store "$1" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts \
        --known-at-column event_ts --full-feature-names -o "$2" 2>>"$work/join.err"
}
# What was acknowledged in the last two seconds a join may still lack (docs/semantics.md), so it may take as long to be the same.
same() { join "$far" "$work/b.csv" && cmp -s "$work/a.csv" "$work/b.csv"; }
online="get-online-features -s delay_model_v1 --full-feature-names -e origin=JFK -e dest=LAX -e carrier=B6 -e tailnum=N708JB"

coordinator 1 --http "127.0.0.1:$((port + 30))"
node 1 --http "127.0.0.1:$((port + 31))"
for i in 2 3; do coordinator $i; done
for i in 2 3 4; do node $i; done
tell 30 l --store "$far" --shards 8 cluster init --replicas 3 --write-quorum 2 --nodes 4 >/dev/null 2>&1
say $? "cluster init"
tell 30 placed 8 3
say $? "8 shards are placed"
l health "127.0.0.1:$((port + 30))/metrics" >/dev/null && l health "127.0.0.1:$((port + 31))/metrics" >/dev/null
say $? "coordinator and node give metrics"

near=local:$work/near
"$bin/larder" init "$work/flights" >/dev/null 2>&1 && cd "$work/flights" || { say 1 "init"; exit 1; }
both "apply" apply
l --store "$near" materialize 1950-01-01 2013-01-31T23:59:59Z >/dev/null 2>&1
l --store "$far" materialize 1950-01-01 2013-01-31T23:59:59Z >/dev/null 2>"$work/load.err"
say $(($? > 1)) "materialize January"
join "$near" "$work/a.csv"
tell 10 same
say $? "training set of January: byte for byte"
# shellcheck disable=SC2086
both "online" $online
both "online, unknown entity" get-online-features -f weather:temp -e origin=NOWHERE
both "as of" get-online-features -f weather:temp,weather:visib -e origin=JFK --as-of 2013-01-09T03:30:00Z
both "search" search delay
both "list" list features --json
both "stats" stats weather

# ---- a node dies in the middle of a load ----
l --store "$far" materialize 2013-02-01 2013-02-28T23:59:59Z >"$work/load.out" 2>&1 &
load=$!
sleep 0.3
end KILL n2
alive=0
kill -0 $load 2>/dev/null && alive=1
wait $load
code=$?
[ $code -le 1 ] || tail -n 3 "$work/load.out"
say $((code > 1)) "kill -9 of a node during a load (still running then: $alive): the load ends well"
l --store "$near" materialize 2013-02-01 2013-02-28T23:59:59Z >/dev/null 2>&1
join "$near" "$work/a.csv"
tell 10 same
say $? "training set with a node dead: nothing is lost, byte for byte"
# shellcheck disable=SC2086
both "online with a node dead" $online
node 2

# ---- no coordinators ----
for i in 1 2 3; do end KILL c$i; done
# shellcheck disable=SC2086
l --store "$far" $online >"$work/far.out" 2>"$work/far.err"
say $? "a client starts and reads without coordinators"
for i in 1 2 3; do coordinator $i; done
back() { l --store "$far" $online >/dev/null 2>&1; }
tell 30 back
say $? "coordinators come back from their folders"

# ---- what changes the ring ----
l --store "$far" shard merge 1 3 >"$work/merge" 2>&1
code=$?
grep -q 'not neighbours' "$work/merge" && [ $code = 3 ]
say $? "a merge of shards that are no neighbours is refused"
idle() { [ "$(l --store "$far" status --json 2>/dev/null | grep -c '"kind"')" = 0 ]; }
l --store "$far" node drain "127.0.0.1:$((port + 24))" >/dev/null 2>"$work/drain.err"
say $? "drain is taken on"
tell 30 l --store "$far" shard split 3 >/dev/null 2>"$work/split.err"
say $? "split is taken on"
empty() { [ "$(l --store "$far" node list --json 2>/dev/null | grep -cE '"replicas": ?0[,}]')" = 1 ]; }
tell 90 empty
say $? "the drained node has no replica left"
tell 90 idle
say $? "moves end"
nine() { [ "$(l --store "$far" shard list --json 2>/dev/null | wc -l)" = 9 ]; }
tell 10 nine
say $? "there are 9 shards"
join "$far" "$work/b.csv"
cmp "$work/a.csv" "$work/b.csv"
say $? "training set after drain and split: byte for byte"
l --store "$far" check >"$work/check" 2>&1
say $? "check"
l --store "$far" backup "$work/backup" >"$work/backup.log" 2>&1
say $? "backup"
l --store "local:$work/restored" restore "$work/backup" >>"$work/backup.log" 2>&1 && join "local:$work/restored" "$work/c.csv" &&
    cmp "$work/a.csv" "$work/c.csv"
say $? "training set of the backup, restored into a folder: byte for byte"
exit $status

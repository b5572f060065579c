#!/bin/sh
# Backups across shapes, real processes: a cluster (3 nodes, 4 shards, 3 replicas) is backed up while somebody writes; the backup goes
# into a folder and into another cluster (2 nodes, 3 shards, 2 replicas), also when that is killed half-way and repeated; the other
# cluster's backup goes into a folder again. Scans and training sets must be the same bytes. usage: cluster_restore.sh BIN_DIR
set -u
bin=$(cd "$1" && pwd)
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
dir=$work
check() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >"$dir/log" 2>&1; then
        cp "$dir/log" "$dir/said"
        echo "ok $name"
    else
        status=1
        tail -n 20 "$dir/log"
        echo "not ok $name"
    fi
}
until_it_does() { # COMMAND...: within a minute
    n=0
    until "$@"; do
        n=$((n + 1))
        [ "$n" -lt 60 ] || return 1
        sleep 1
    done
}
l() { timeout 180 "$bin/larder" "$@"; }
cluster() { # NAME PORT NODES SHARDS REPLICAS QUORUM: one coordinator will do here
    "$bin/larder-coordinator" --id 1 --dir "$dir/$1c" --listen "127.0.0.1:$2" --raft "127.0.0.1:$(($2 + 1))" \
        --cluster "1@127.0.0.1:$(($2 + 1))" --bootstrap >"$dir/$1c.log" 2>&1 &
    echo $! >"$dir/$1c.pid"
    i=0
    while [ $i -lt "$3" ]; do
        "$bin/larder-node" --name "$1$i" --dir "$dir/$1n$i" --listen "127.0.0.1:$(($2 + 2 + i))" --ballast 0 --min-free 16MiB \
            --coordinators "127.0.0.1:$2" >"$dir/$1n$i.log" 2>&1 &
        echo $! >"$dir/$1n$i.pid"
        i=$((i + 1))
    done
    check "cluster $1: the ring is made" until_it_does l --store "cluster:127.0.0.1:$2" --shards "$4" cluster init --replicas "$5" \
        --write-quorum "$6" --nodes "$3"
    check "cluster $1: the shards are placed" until_it_does l --store "cluster:127.0.0.1:$2" info
}
# What a store answers, all of it but what the writer writes, into a folder of files.
views="weather carrier_hourly route_daily plane remark"
answers() { # STORE DIR
    mkdir -p "$2"
    for v in $views; do
        l --store "$1" scan "$v" -o "$2/$v.csv" || return 1
    done
    l --store "$1" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts --full-feature-names \
        -o "$2/train.csv" || return 1
    l --store "$1" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts --known-at-column event_ts \
        --full-feature-names -o "$2/train_known.csv" || return 1
    l --store "$1" get-online-features -s delay_model_v1 --full-feature-names -e origin=JFK -e dest=LAX -e carrier=B6 \
        -e tailnum=N708JB >"$2/online" || return 1
    for v in weather remark; do l --store "$1" versions feature-views $v >>"$2/versions" || return 1; done
}
same() { # DIR DIR: and not empty
    [ -s "$1/weather.csv" ] && [ -s "$1/remark.csv" ] && [ -s "$1/train.csv" ] && diff -rq "$1" "$2"
}

a=cluster:127.0.0.1:$port b=cluster:127.0.0.1:$((port + 8))
cluster a "$port" 3 4 3 2
cluster b $((port + 8)) 2 3 2 2

"$bin/larder" init "$dir/demo" >/dev/null && cd "$dir/demo" || exit 1
cat >extra.yaml <<'T'
feature_views:
  - {name: remark, entity: carrier, features: [{name: text, type: string}]}
  - {name: gone, entity: carrier, features: [{name: n, type: int64}]}
  - {name: live, entity: carrier, features: [{name: n, type: int64}]}
T
load() { l --store "$a" materialize 1950-01-01 2013-02-28T23:59:59Z || [ $? = 1 ]; } # some rows are bad on purpose
check "definitions" l --store "$a" apply
check "facts" load
printf 'carrier,event_timestamp,text\nB6,2013-01-05T00:00:00Z,first\nAA,2013-01-06T00:00:00Z,\n' >remarks.csv
printf 'carrier,event_timestamp,n\nB6,2013-01-05T00:00:00Z,7\n' >gone.csv
check "facts without a time of their own" l --store "$a" ingest remark remarks.csv
check "facts of a view that is deleted later" l --store "$a" ingest gone gone.csv
check "an erasure" l --store "$a" erase -e tailnum=N14228
check "a deletion" l --store "$a" delete feature-views gone
sed -i '/name: gone/d' extra.yaml
check "answers of the first cluster" answers "$a" "$dir/a"

# ---- a backup beside a writer: what was acknowledged before it began is in it, and nothing that was never sent ----
write_on() {
    k=0
    while :; do
        k=$((k + 1))
        printf 'carrier,event_timestamp,n\nw%d,2013-01-05T00:00:00Z,%d\n' $k $k >"$dir/w.csv"
        "$bin/larder" --store "$a" ingest live "$dir/w.csv" >/dev/null 2>&1 && echo $k >>"$dir/acked"
    done
}
: >"$dir/acked"
write_on &
writer=$!
echo $writer >"$dir/writer.pid"
some() { [ "$(wc -l <"$dir/acked")" -ge 20 ]; }
check "a writer is at work" until_it_does some
before=$(tail -n 1 "$dir/acked")
check "backup of the first cluster" l --store "$a" backup "$dir/copy"
during=$(($(tail -n 1 "$dir/acked") - before))
kill "$writer" 2>/dev/null
wait "$writer" 2>/dev/null
rm "$dir/writer.pid"
at_most=$(($(tail -n 1 "$dir/acked") + 1))
echo "# $before writes acknowledged before the backup began, $during more until it had ended"
check "writes went on during the backup" [ $during -gt 0 ]
live() { # STORE: 1..before are all there with their values, and of the rest only what was sent
    l --store "$1" scan live -o "$dir/live.csv" || return 1
    awk -F, -v before="$before" -v most="$at_most" '
        NR == 1 { for (i = 1; i <= NF; i++) { if ($i == "carrier") c = i; if ($i == "n") v = i } next }
        { k = substr($c, 2) + 0; if ("w" k != $c || k != $v + 0 || k < 1 || k > most + 0) { print "never sent: " $0; bad = 1 } seen[k] = 1 }
        END { for (k = 1; k <= before + 0; k++) if (!(k in seen)) { print "lost: " k; bad = 1 } exit bad }' "$dir/live.csv"
}
find "$dir/copy" -type f -exec cksum {} + | sort >"$dir/copy.sums"

check "into a folder" l --store "local:$dir/folder" restore "$dir/copy"
check "the folder is sound" l --store "local:$dir/folder" check
check "answers of the folder" answers "local:$dir/folder" "$dir/f"
check "cluster -> folder: the same bytes" same "$dir/a" "$dir/f"
check "cluster -> folder: what was acknowledged" live "local:$dir/folder"

# ---- into another cluster, killed half-way ----
"$bin/larder" --store "$b" restore "$dir/copy" >"$dir/killed.log" 2>&1 &
restore=$!
second() { [ "$(find "$dir/copy.unpacked/shards" -mindepth 1 -maxdepth 1 2>/dev/null | grep -vc '/1$')" -gt 0 ]; }
n=0
until second || ! kill -0 $restore 2>/dev/null || [ $n -gt 6000 ]; do
    n=$((n + 1))
    sleep 0.01
done
kill -0 $restore 2>/dev/null
check "it is half-way when it is killed" [ $? = 0 ]
kill -9 $restore 2>/dev/null
wait $restore 2>/dev/null
refused() { # PATTERN ARGS...
    pattern=$1
    shift
    l "$@" >"$dir/refused" 2>&1 && return 1
    cat "$dir/refused"
    grep -q "$pattern" "$dir/refused"
}
check "without --resume it is refused now" refused 'not empty' --store "$b" restore "$dir/copy"
check "it goes on" l --store "$b" restore "$dir/copy" --resume
mv "$dir/said" "$dir/went_on"
sed 's/^/# /' "$dir/went_on"
check "it has not sent what was there" grep -Eq '[1-9][0-9]* of [0-9]+ ranges were there' "$dir/went_on"
check "it says that it has verified" grep -q 'Verified' "$dir/went_on"
check "nothing is left beside the backup" [ ! -e "$dir/copy.unpacked" ]
find "$dir/copy" -type f -exec cksum {} + | sort >"$dir/copy.sums2"
check "the backup is as it was" cmp "$dir/copy.sums" "$dir/copy.sums2"
check "the second cluster is sound" l --store "$b" check
check "answers of the second cluster" answers "$b" "$dir/b"
check "cluster -> cluster: the same bytes" same "$dir/a" "$dir/b"
check "cluster -> cluster: what was acknowledged" live "$b"
check "a view that was deleted is not there" refused "no feature view" --store "$b" scan gone
late() { # what was erased stays out, however often it is sent
    l --store "$b" materialize 1950-01-01 2013-02-28T23:59:59Z || [ $? = 1 ] || return 1
    l --store "$b" scan plane -e tailnum=N14228 -o "$dir/erased.csv" && [ "$(wc -l <"$dir/erased.csv")" -le 1 ]
}
check "done once more it sends nothing" l --store "$b" --json restore "$dir/copy" --resume
mv "$dir/said" "$dir/again"
check "done once more it sends nothing: counts" grep -q '"facts":0,"tombstones":0' "$dir/again"
check "the erasure holds in the second cluster" late

# ---- and from there ----
check "backup of the second cluster" l --store "$b" backup "$dir/copy2"
check "into a folder" l --store "local:$dir/folder2" restore "$dir/copy2"
check "answers of that folder" answers "local:$dir/folder2" "$dir/f2"
check "cluster -> cluster -> folder: the same bytes" same "$dir/a" "$dir/f2"
printf 'carrier,event_timestamp,text\nUA,2013-01-07T00:00:00Z,extra\n' >extra.csv
check "one more fact" l --store "$b" ingest remark extra.csv
check "the proof says no to a cluster that holds something else" refused 'is not what is in the backup' --store "$b" restore "$dir/copy" --resume
echo 'feature_views: [{name: other, entity: carrier, features: [{name: n, type: int64}]}]' >other.yaml
check "another definition" l --store "$b" apply
check "other definitions are left alone" refused 'other definitions' --store "$b" restore "$dir/copy" --resume

# ---- a backup that is not as it was ----
victim=$(find "$dir/copy2/shards" -name '*.sst' | sort | head -n 1)
printf 'x' | dd of="$victim" bs=1 seek=100 conv=notrunc 2>/dev/null
check "a damaged backup is refused" refused 'not as it was' --store "$b" restore "$dir/copy2" --resume
exit $status

#!/bin/sh
# How fresh answers are (3 nodes, 3 replicas): strict reads, joins and scans see what another client was just told is stored; with two
# of three nodes dead the rest answers nothing, but with --any-lag it does. And that the figures of /metrics are there and make
# sense. usage: cluster_fresh.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
l() { timeout 60 "$bin/larder" --store "$store" "$@"; }
for i in 1 2 3; do
    coordinator $i --http "127.0.0.1:$((port + 30 + i))"
    node $i --http "127.0.0.1:$((port + 33 + i))"
done
check "cluster init" tell 30 l --shards 4 cluster init --replicas 3 --write-quorum 2 --nodes 3
check "the shards are placed" tell 30 placed 4 3
mkdir "$work/defs" && cd "$work/defs" || exit 1
cat >defs.yaml <<'Y'
entities: [{name: user, join_keys: [{name: id, type: int64}]}]
feature_views: [{name: v, entity: user, features: [{name: n, type: int64}]}]
Y
check "definitions" tell 20 l apply

# ---- strict: written by one process, read by the next one, at once, thirty times ----
printf 'id,event_timestamp\n1,2020-01-02T00:00:00Z\n' >spine.csv
wrong=0
k=0
while [ $k -lt 30 ]; do
    k=$((k + 1))
    printf 'id,event_timestamp,created_timestamp,n\n1,2020-01-01T00:00:00Z,2020-01-01T00:00:%02dZ,%d\n' $k $k >f.csv
    l ingest v f.csv >/dev/null 2>"$work/err" || wrong=$((wrong + 100))
    case $((k % 3)) in
    0) l get-historical-features -f v:n --spine spine.csv --strict 2>>"$work/err" | tail -n 1 | grep -q ",$k\$" || wrong=$((wrong + 1)) ;;
    1) [ "$(l scan v --strict 2>>"$work/err" | tail -n +2 | wc -l)" = $k ] || wrong=$((wrong + 1)) ;;
    *) l get-online-features -f v:n -e id=1 --strict --json 2>>"$work/err" | grep -q "\"value\": *${k}[,}]" || wrong=$((wrong + 1)) ;;
    esac
done
[ $wrong = 0 ]
say $? "30 writes, each seen at once by a strict join, scan or read of another process (wrong: $wrong)"
l scan v --strict --any-lag >"$work/log" 2>&1
[ $? = 2 ] && grep -q 'exclude each other' "$work/log"
say $? "--strict and --any-lag together are refused"

# ---- figures ----
# What a daemon answers at /metrics; without curl, which a bare machine lacks.
# shellcheck disable=SC2016
figures() {
    timeout 10 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" >&3 && cat <&3' "$1" 2>/dev/null
}
leading=
for i in 1 2 3; do
    figures $((port + 30 + i)) >"$work/m$i"
    grep -q '^larder_coordinator_leading 1$' "$work/m$i" && leading=$i
done
[ -n "$leading" ]
say $? "one coordinator says that it leads"
figure() { sed -n "s/^larder_coordinator_$1 //p" "$work/m$leading"; }
sane() { # the figures of the leader hold together
    [ "$(figure term)" -ge 1 ] && [ "$(figure commit_index)" -ge 5 ] && [ "$(figure applied_index)" -le "$(figure commit_index)" ] &&
        [ "$(figure commit_index)" -le "$(figure log_last_index)" ] && [ "$(figure log_entries_total)" -ge 5 ] &&
        [ "$(figure 'log_append_seconds_count')" -ge 1 ] &&
        [ "$(figure 'log_append_seconds_bucket{le="+Inf"}')" = "$(figure log_append_seconds_count)" ] &&
        [ -n "$(figure leader_changes_total)" ] && [ -n "$(figure snapshot_bytes)" ] && [ -n "$(figure snapshots_stored_total)" ]
}
check "a coordinator's figures are there and hold together" sane
rises() { awk -F'[ }]' '/^larder_coordinator_log_append_seconds_bucket/ { if ($NF < last) bad = 1; last = $NF; n++ } END { exit bad || n < 10 }' "$work/m$leading"; }
check "the histogram of log appends rises" rises
term=$(figure term)
end KILL c$leading
led() {
    for i in 1 2 3; do
        [ $i = $leading ] || { figures $((port + 30 + i)) >"$work/m$i" && grep -q '^larder_coordinator_leading 1$' "$work/m$i" && new=$i; }
    done
    [ -n "${new:-}" ]
}
check "another one leads when it is killed" tell 20 led
leading=$new
[ "$(figure term)" -gt "$term" ] && [ "$(figure leader_changes_total)" -ge 1 ]
say $? "in a later term, and counts a change of leaders"
figures $((port + 34)) >"$work/n"
for f in requests_open storage_tasks storage_write_bytes writes_open write_bytes_open; do
    grep -q "^larder_node_$f [0-9]" "$work/n" || say 1 "a node tells $f"
done
say $? "a node tells how long its queues are"

# ---- any lag ----
end KILL n2
end KILL n3
silent() { ! l get-online-features -f v:n -e id=1 --json >"$work/log" 2>&1; }
check "with two of three nodes dead a read fails" tell 20 silent
l get-online-features -f v:n -e id=1 --any-lag --json >"$work/log" 2>&1
grep -q '"value": *30[,}]' "$work/log"
say $? "with --any-lag it is answered from what is left"
[ "$(l scan v --any-lag 2>/dev/null | tail -n +2 | wc -l)" = 30 ]
say $? "a scan as well"
l get-historical-features -f v:n --spine spine.csv --any-lag 2>/dev/null | tail -n 1 | grep -q ',30$'
say $? "and a join"
exit $status

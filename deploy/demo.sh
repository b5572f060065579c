#!/bin/sh
# The flow of the demo against a cluster in containers: a node killed, a replica moved under load, a node added.
# LARDER: the program. Called by `./run cluster demo`.
set -eu
larder=${LARDER:?}
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/members.sh
. "$here/members.sh"
work=$(mktemp -d)
reader=
trap '[ -z "$reader" ] || kill "$reader" 2>/dev/null || true; rm -rf "$work"' EXIT
began=$(date +%s)
export LARDER_STORE="$store" LARDER_TEMPLATES="$here/../examples"
heading() { printf '\n== %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }
millis() { date +%s%3N; }
# Exit 1 means "done, but some rows were rejected": the demo has such rows on purpose.
type_in() {
    printf '$ larder %s\n' "$*"
    code=0
    "$larder" "$@" || code=$?
    [ "$code" -le 1 ] || exit "$code"
}
training_set() { # FILE [global options]
    file=$1
    shift
    "$larder" "$@" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts \
        --known-at-column event_ts --full-feature-names -o "$file"
}
online="get-online-features -s delay_model_v1 --full-feature-names -e origin=JFK -e dest=LAX -e carrier=B6 -e tailnum=N708JB"
node_of() { "$larder" node list --json | sed -n "s/.*\"id\":\([0-9]*\),\"address\":\"$1:.*/\1/p"; }
# One line a replica that holds data: shard, node, facts of the shard.
replicas() {
    "$larder" shard list --json | sed 's/.*"id":\([0-9]*\).*"replicas":"\([^"]*\)".*"facts":\([0-9]*\).*/\1 \3 \2/' |
        while read -r shard facts list; do
            printf '%s\n' "$list" | tr ';' '\n' | sed -n "s/.*node=\([0-9]*\) state=active.*/$shard \1 $facts/p"
        done | sort
}
settled() { # SECONDS: waits until no move is under way and no rebalance is unfinished
    end=$(($(date +%s) + $1))
    while sleep 0.5; do
        if "$larder" status --json >"$work/status" && ! grep -qE '"field":"rebalance","value":true|"kind":' "$work/status"; then
            return 0
        fi
        [ "$(date +%s)" -lt "$end" ] || fail "moves are not done after $1 s: ./run cluster status"
    done
}
# Reads without a pause until the file "stop" is there; every answer must be the one of the beginning.
read_on() {
    reads=0
    while [ ! -e "$work/stop" ]; do
        # shellcheck disable=SC2086
        "$larder" $online >"$work/answer" 2>"$work/read.err" && cmp -s "$work/answer" "$work/online" || echo "read $reads" >>"$work/bad"
        reads=$((reads + 1))
        echo $reads >"$work/reads"
    done
}

[ -z "$(node_of 172.30.77.25)" ] || fail "this cluster has its fifth node already: ./run cluster down, then demo again"

heading "Definitions and data of the flights example, into $store and into a folder"
"$larder" init "$work/flights" >/dev/null
cd "$work/flights"
type_in apply | tail -n 1
type_in materialize 1950-01-01 2013-02-28T23:59:59Z
folder=$work/folder
"$larder" --store "$folder" apply >/dev/null
"$larder" --store "$folder" materialize 1950-01-01 2013-02-28T23:59:59Z >/dev/null 2>&1 || [ $? -le 1 ]

heading "A training set of 5,000 departures, computed where the data is"
training_set train.csv
training_set embedded.csv --store "$folder" 2>/dev/null
cmp train.csv embedded.csv || fail "the cluster's training set is not the embedded store's"
echo "byte for byte that of the embedded store"

heading "Online"
# shellcheck disable=SC2086
type_in $online
# shellcheck disable=SC2086
"$larder" $online >"$work/online"

heading "node-2 dies (kill -9). Reads and writes go on"
read_on &
reader=$!
victim=$(container node-2)
docker kill -s KILL "$victim" >/dev/null
training_set again.csv
cmp train.csv again.csv || fail "another training set with a node dead"
echo "the same training set, byte for byte"
type_in materialize 2013-02-01 2013-02-28T23:59:59Z
heading "It comes back and catches up"
back=$(millis)
docker start "$victim" >/dev/null
until "$larder" health 172.30.77.22:7421/readyz >/dev/null 2>&1; do
    [ "$(millis)" -lt $((back + 60000)) ] || fail "node-2 is not ready after a minute"
    sleep 0.2
done
caught_up=$(($(millis) - back))
echo "ready with all its replicas after $caught_up ms"

heading "A replica moves while reads go on"
from=$(node_of 172.30.77.22)
replicas >"$work/before"
shard=$(awk -v n="$from" '$2 == n { print $1; exit }' "$work/before")
to=$("$larder" node list --json | sed 's/.*"id":\([0-9]*\).*/\1/' | while read -r n; do
    grep -q "^$shard $n " "$work/before" || echo "$n"
done | head -n 1)
moving=$(millis)
type_in shard move "$shard" "$from" "$to"
until replicas | grep -q "^$shard $to "; do
    [ "$(millis)" -lt $((moving + 60000)) ] || fail "the move is not done after a minute"
    sleep 0.2
done
moved=$(($(millis) - moving))
echo "done after $moved ms"
settled 60

heading "A fifth node joins, and takes its share"
replicas >"$work/before"
compose --profile five up -d --no-deps node-5 >"$work/up" 2>&1 || { cat "$work/up"; exit 1; }
end=$(($(date +%s) + 60))
until "$larder" health 172.30.77.25:7421/readyz >/dev/null 2>&1 && "$larder" node list | grep -q '172.30.77.25.* active '; do
    [ "$(date +%s)" -lt "$end" ] || fail "node-5 is not ready after a minute"
    sleep 0.5
done
rebalancing=$(millis)
type_in rebalance
settled 120
rebalanced=$(($(millis) - rebalancing))
replicas >"$work/after"
grep -q " $(node_of 172.30.77.25) " "$work/after" || fail "the rebalance gave the fifth node nothing"
share=$(awk 'NR == FNR { had[$1 " " $2] = 1; all += $3; next } !(($1 " " $2) in had) { new += $3 }
    END { printf "%.1f", all ? 100 * new / all : 0 }' "$work/before" "$work/after")
touch "$work/stop"
wait "$reader"
reader=
training_set last.csv
cmp train.csv last.csv || fail "another training set after the moves"
echo "the same training set, byte for byte"
type_in status

heading "Summary (all measured)"
echo "training sets        4 of the cluster, 1 embedded: the same bytes"
bad=0
[ ! -e "$work/bad" ] || bad=$(wc -l <"$work/bad")
echo "reads meanwhile      $(cat "$work/reads"), of which failed or different: $bad"
echo "node-2 killed        ready again $caught_up ms after its start"
echo "one replica moved    $moved ms"
echo "fifth node           $share % of the data moved (its share is 20 %), in $rebalanced ms"
echo "whole demo           $(($(date +%s) - began)) s"
[ ! -e "$work/bad" ] || fail "a read failed or answered something else"

#!/bin/sh
# The backup of a cluster of real processes is a store of its own with the same answers. usage: cluster_backup.sh BIN_DIR [PORT]
set -u
bin=$(cd "$1" && pwd)
port=${2:-17410}
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
export LARDER_CACHE_DIR="$dir/cache"
pids=
finish() {
    for p in $pids; do kill "$p" 2>/dev/null; done
    for p in $pids; do wait "$p" 2>/dev/null; done
    rm -rf "$dir"
}
trap finish EXIT
status=0
check() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >"$dir/log" 2>&1; then
        echo "ok $name"
    else
        status=1
        cat "$dir/log"
        echo "not ok $name"
    fi
}
export LARDER_TEMPLATES="$root/examples"
cd "$dir" || exit 1
coordinator=127.0.0.1:$port raft=127.0.0.1:$((port + 1)) node=127.0.0.1:$((port + 2))
"$bin/larder-coordinator" --id 1 --dir c --listen "$coordinator" --raft "$raft" --cluster "1@$raft" --bootstrap >c.log 2>&1 &
pids=$!
"$bin/larder-node" --dir n --listen "$node" --ballast 1MiB --coordinators "$coordinator" >n.log 2>&1 &
pids="$pids $!"
export LARDER_STORE="cluster:$coordinator"
until_it_does() { # COMMAND...: within a minute
    n=0
    until "$@"; do
        n=$((n + 1))
        [ "$n" -lt 60 ] || return 1
        sleep 1
    done
}
train() { # FILE
    "$bin/larder" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts --full-feature-names -o "$1"
}
load() {
    "$bin/larder" materialize 1950-01-01 2013-01-31T23:59:59Z || [ $? = 1 ] # some rows are bad on purpose
}
check "the ring is made" until_it_does timeout 10 "$bin/larder" --shards 2 cluster init --replicas 1 --write-quorum 1
check "the shards are placed" until_it_does timeout 10 "$bin/larder" info
"$bin/larder" init demo >/dev/null && cd demo || exit 1
check "definitions are applied" until_it_does timeout 20 "$bin/larder" apply
check "facts are loaded" load
check "a training set from the cluster" train far.csv
check "backup" timeout 120 "$bin/larder" backup ../copy
LARDER_STORE=local:$dir/back
check "restore into a folder" "$bin/larder" restore ../copy
check "the restored store is sound" "$bin/larder" check
check "a training set from the restored store" train near.csv
check "both are the same" cmp far.csv near.csv
exit $status

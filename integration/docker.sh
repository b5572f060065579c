#!/bin/sh
# A cluster in containers: up, write, kill a node, read, write, back, down. LARDER: the program. Exit 77: no docker here.
# It uses the project name of `./run cluster` and refuses to touch a cluster that is up.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
larder=${LARDER:?}
docker info >/dev/null 2>&1 || { echo "no docker daemon answers"; exit 77; }
[ -z "$(docker ps -aq --filter label=com.docker.compose.project=larder)" ] || { echo "a cluster is there already: ./run cluster down"; exit 77; }
dir=$(mktemp -d)
trap 'deploy/cluster.sh down >/dev/null 2>&1; rm -rf "$dir"' EXIT
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
up() { deploy/cluster.sh up >"$dir/up" && tail -n 1 "$dir/up" | grep '^cluster:'; }
load() { # FROM TO: rejected rows (exit 1) belong to the example
    (cd "$dir/flights" && "$larder" materialize "$1" "$2") || [ $? = 1 ]
}
write() { "$larder" init "$dir/flights" && (cd "$dir/flights" && "$larder" apply) && load 1950-01-01 2013-01-31T23:59:59Z; }
read_all() { # FILE
    (cd "$dir/flights" && "$larder" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts \
        --known-at-column event_ts --full-feature-names -o "$dir/$1") && [ "$(wc -l <"$dir/$1")" -gt 1000 ]
}
container() { docker ps -aq --filter label=com.docker.compose.project=larder --filter "label=com.docker.compose.service=$1"; }
same_with_a_node_dead() { docker kill -s KILL "$(container node-2)" && read_all b.csv && cmp "$dir/a.csv" "$dir/b.csv"; }
back() {
    docker start "$(container node-2)" || return 1
    n=0
    until "$larder" health 172.30.77.22:7421/readyz; do
        n=$((n + 1))
        [ $n -lt 120 ] || return 1
        sleep 0.5
    done
}
from_a_container() { docker run --rm --network larder_larder larder:local larder --store "$LARDER_STORE" status; }
not_root() { [ "$(docker run --rm larder:local id -u)" = 10001 ]; }
down() {
    deploy/cluster.sh down && [ -z "$(docker ps -aq --filter label=com.docker.compose.project=larder)" ] &&
        [ -z "$(docker volume ls -q --filter label=com.docker.compose.project=larder)" ]
}
check "up" up
[ $status = 0 ] || exit 1
LARDER_STORE=$(tail -n 1 "$dir/up")
export LARDER_STORE LARDER_TEMPLATES="$root/examples"
check "up again changes nothing" up
check "the image does not run as root" not_root
check "a container on the network reaches the cluster" from_a_container
check "write" write
check "read" read_all a.csv
check "the same training set with a node killed" same_with_a_node_dead
check "write with a node killed" load 2013-02-01 2013-02-28T23:59:59Z
check "the node comes back and is ready" back
check "down leaves nothing" down
exit $status

#!/bin/sh
# A cluster in containers on this machine: 3 coordinators, 4 nodes. Called by `./run cluster`.
# usage: deploy/cluster.sh up|demo|down|status|logs [SERVICE]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
members=172.30.77.11:7410,172.30.77.12:7410,172.30.77.13:7410
store=cluster:$members
say() { printf '%s\n' "$*" >&2; }

if docker compose version >/dev/null 2>&1; then
    compose() { docker compose -p larder -f "$here/compose.yaml" "$@"; }
elif command -v docker-compose >/dev/null 2>&1; then
    compose() { docker-compose -p larder -f "$here/compose.yaml" "$@"; }
else
    say "cluster: needs docker with compose (Debian: apt-get install docker.io docker-compose)"
    exit 1
fi
docker info >/dev/null 2>&1 || { say "cluster: the docker daemon does not answer (is it running, may you use it?)"; exit 1; }

larder=${LARDER:-$root/build/release/bin/larder}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

quiet() { # COMMAND...: shows what it said only when it fails
    "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
}

# Waits, for at most a minute, until every container is healthy.
healthy() {
    end=$(($(date +%s) + 60))
    while :; do
        ids=$(compose ps -q)
        # shellcheck disable=SC2086
        sick=$(docker inspect -f '{{.State.Health.Status}}' $ids | grep -cv '^healthy$' || true)
        [ "$sick" = 0 ] && return 0
        [ "$(date +%s)" -lt $end ] || { say "cluster: $sick members are not healthy after a minute: ./run cluster logs"; exit 1; }
        sleep 0.5
    done
}

# Waits, for at most a minute, until every node has its replicas and answers for them.
ready() {
    end=$(($(date +%s) + 60))
    for node in 21 22 23 24; do
        until "$larder" health "172.30.77.$node:7421/readyz" >"$log" 2>&1; do
            [ "$(date +%s)" -lt $end ] || { say "cluster: the node at 172.30.77.$node is not ready after a minute"; cat "$log" >&2; exit 1; }
            sleep 0.5
        done
    done
}

case "${1:-help}" in
up)
    "$here/base-image.sh"
    say "Building the image larder:local (a minute or two the first time)"
    quiet docker build -t larder:local -f "$here/Dockerfile" "$root"
    say "Starting 3 coordinators and 4 nodes"
    quiet compose up -d
    healthy
    quiet "$larder" --store "$store" --shards 16 cluster init --replicas 3 --write-quorum 2 --nodes 4
    ready
    "$larder" --store "$store" status
    printf '%s\n' "$store"
    ;;
demo)
    [ -n "$(compose ps -q 2>/dev/null)" ] || "$0" up
    LARDER=$larder STORE=$store sh "$here/demo.sh"
    ;;
status) "$larder" --store "$store" status ;;
logs)
    shift
    compose logs --tail 100 "$@"
    ;;
down)
    quiet compose --profile five down -v --remove-orphans
    say "Stopped and removed, volumes too"
    ;;
*)
    say "usage: ./run cluster up|demo|status|logs [SERVICE]|down"
    exit 2
    ;;
esac

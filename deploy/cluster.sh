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

larder=$root/build/release/bin/larder

image() {
    "$here/base-image.sh"
    say "Building the image larder:local"
    log=$(mktemp)
    docker build -q -t larder:local -f "$here/Dockerfile" "$root" >"$log" 2>&1 || { tail -n 40 "$log" >&2; rm -f "$log"; exit 1; }
    rm -f "$log"
}

# Waits until every service says it is healthy, for at most a minute.
healthy() {
    n=0
    while :; do
        sick=$(for c in $(compose ps -q); do docker inspect -f '{{.State.Health.Status}}' "$c"; done | grep -cv '^healthy$' || true)
        [ "$sick" = 0 ] && return 0
        n=$((n + 1))
        [ $n -lt 60 ] || { say "cluster: $sick members are not healthy after a minute: deploy/cluster.sh logs"; exit 1; }
        sleep 1
    done
}

case "${1:-help}" in
up)
    image
    say "Starting 3 coordinators and 4 nodes"
    compose up -d >/dev/null 2>&1 || compose up -d
    healthy
    if "$larder" --store "$store" cluster init --shards 16 --replicas 3 --write-quorum 2 >/dev/null; then :; else exit 1; fi
    "$larder" --store "$store" status
    printf '%s\n' "$store"
    ;;
demo)
    [ -n "$(compose ps -q 2>/dev/null)" ] || "$0" up >/dev/null
    LARDER=$larder STORE=$store exec sh "$here/demo.sh"
    ;;
status) exec "$larder" --store "$store" status ;;
logs)
    shift
    compose logs --tail 100 "$@"
    ;;
down)
    compose down -v --remove-orphans >/dev/null 2>&1 || compose down -v --remove-orphans
    say "Stopped and removed, volumes too"
    ;;
*)
    say "usage: ./run cluster up|demo|status|logs [SERVICE]|down"
    exit 2
    ;;
esac

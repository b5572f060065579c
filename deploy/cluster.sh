#!/bin/sh
# A cluster in containers on this machine: 3 coordinators, 4 nodes. Called by `./run cluster`.
# usage: deploy/cluster.sh up|demo|roll|image|down|status|logs [SERVICE]
# LARDER_KEEP_IMAGE=1: the image that is there, as it is, whatever changed in the sources.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
larder=${LARDER:-$root/build/release/bin/larder}
shards=16
replicas=3
# shellcheck source=deploy/members.sh
. "$here/members.sh"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
say() { printf '%s\n' "$*" >&2; }
millis() { date +%s%3N; }

quiet() { # COMMAND...: shows what it said only when it fails
    "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
}
image() {
    [ -z "${LARDER_KEEP_IMAGE:-}" ] || ! docker image inspect larder:local >/dev/null 2>&1 || return 0
    "$here/base-image.sh"
    say "Building the image larder:local (a minute or two the first time)"
    quiet docker build -t larder:local -f "$here/Dockerfile" "$root"
}
await() { # SERVICE
    within 60 well "$1" && return 0
    say "cluster: $1 is not healthy and ready after a minute: ./run cluster logs $1"
    "$larder" health "$(address "$1"):$(health_port "$1")/readyz" >&2 || true
    exit 1
}
await_all() {
    for service in $coordinators $nodes; do await "$service"; done
}
await_replicas() {
    within 60 placed $((shards * replicas)) && return 0
    say "cluster: not all replicas answer after a minute: larder shard list"
    exit 1
}
# A member made anew from the image, on its own volume; the next one only when this one does all its work again.
renew() { # SERVICE
    began=$(millis)
    quiet compose up -d --no-deps --force-recreate "$1"
    await "$1"
    await_replicas
    say "$1: back after $(($(millis) - began)) ms"
}

case "${1:-help}" in
image) image ;;
up)
    image
    say "Starting 3 coordinators and 4 nodes"
    began=$(millis)
    quiet compose up -d
    for service in $coordinators; do await "$service"; done
    quiet "$larder" --store "$store" --shards $shards cluster init --replicas $replicas --write-quorum 2 --nodes 4
    await_replicas
    await_all
    await gateway
    say "All healthy and ready $(($(millis) - began)) ms after the image was there"
    "$larder" --store "$store" status
    printf '%s\n' "$store"
    ;;
roll)
    image
    await_all
    await_replicas
    last=$(leader)
    for service in $nodes $coordinators; do
        [ "$service" = "$last" ] || renew "$service"
    done
    # handed over rather than lost: an election takes longer
    quiet "$larder" --store "$store" coordinator transfer
    renew "$last"
    ;;
demo)
    [ -n "$(compose ps -q 2>/dev/null)" ] || "$0" up
    LARDER=$larder sh "$here/demo.sh"
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
    say "usage: ./run cluster up|demo|roll|status|logs [SERVICE]|down"
    exit 2
    ;;
esac

# shellcheck shell=sh disable=SC2034,SC2154
# Sourced by cluster.sh, demo.sh and drill.sh: the members of compose.yaml. The caller has set: here (this folder), larder (the program).
#   store                        URL of the cluster
#   coordinators, nodes          services that `up` starts; address SERVICE, health_port SERVICE
#   compose ARGS..., container SERVICE (its ID, also while it does not run)
#   well SERVICE                 its container is healthy and it says that it is ready
#   placed COUNT                 the map has so many active replicas
#   leader                       the coordinator that leads
#   within SECONDS COMMAND...    waits until it holds
network=larder_larder
coordinators="coordinator-1 coordinator-2 coordinator-3"
nodes="node-1 node-2 node-3 node-4"
store=cluster:172.30.77.11:7410,172.30.77.12:7410,172.30.77.13:7410
address() {
    case "$1" in
    coordinator-*) echo "172.30.77.1${1#coordinator-}" ;;
    node-*) echo "172.30.77.2${1#node-}" ;;
    gateway) echo 172.30.77.31 ;;
    esac
}
health_port() {
    case "$1" in
    coordinator-*) echo 7412 ;;
    node-*) echo 7421 ;;
    gateway) echo 6566 ;;
    esac
}
if docker compose version >/dev/null 2>&1; then
    compose() { docker compose -p larder -f "$here/compose.yaml" "$@"; }
elif command -v docker-compose >/dev/null 2>&1; then
    compose() { docker-compose -p larder -f "$here/compose.yaml" "$@"; }
else
    echo "cluster: needs docker with compose (Debian: apt-get install docker.io docker-compose)" >&2
    exit 1
fi
docker info >/dev/null 2>&1 || { echo "cluster: the docker daemon does not answer (is it running, may you use it?)" >&2; exit 1; }

container() { docker ps -aq --filter label=com.docker.compose.project=larder --filter "label=com.docker.compose.service=$1"; }
well() {
    [ "$(docker inspect -f '{{.State.Running}} {{.State.Health.Status}}' "$(container "$1")" 2>/dev/null)" = "true healthy" ] &&
        "$larder" health "$(address "$1"):$(health_port "$1")/readyz" >/dev/null 2>&1
}
placed() {
    [ "$(timeout 20 "$larder" --store "$store" shard list --json 2>/dev/null | grep -o 'state=active' | wc -l)" = "$1" ]
}
leader() {
    timeout 20 "$larder" --store "$store" coordinator list --json 2>/dev/null |
        sed -n 's/.*"id":\([0-9]*\).*"role":"leader".*/coordinator-\1/p'
}
within() { # SECONDS COMMAND...
    until_s=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt $until_s ] || return 1
        sleep 0.2
    done
}

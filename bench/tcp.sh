#!/bin/sh
# One node over TCP beside Redis, memcached and a bare libuv echo. usage: bench/tcp.sh BIN_DIR WORK_DIR ENTITIES ROUNDS
# Prints lines for bench/report.py. All servers hold the same rows at the same time; systems run in turn within a round.
# Servers have core 0, the load core 1; with one client both have core 0, because else the wake-up of a sleeping core is
# measured. SECONDS_EACH (2), RATE_ONE (20000) and RATE_HUNDRED (1000): of each run, and of the open loops.
set -eu
bin=$1
work=$2/tcp
entities=$3
rounds=$4
seconds=${SECONDS_EACH:-2}
port=$((20000 + $$ % 20000))
say() { printf '%s\n' "$*" >&2; }
pids=
finish() {
    for p in $pids; do
        kill "$p" 2>/dev/null || true
    done
    for p in $pids; do
        wait "$p" 2>/dev/null || true
    done
    pids=
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
wait_for() { # COMMAND...
    left=150
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || { say "bench: this does not come true: $*"; exit 1; }
        sleep 0.2
    done
}
listens() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])))' "$1"; }
resident() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }
placed() { # every shard has a replica that answers
    [ "$("$bin/larder" --store "$url" shard list --json | grep -c 'state=active')" -ge 16 ]
}
# memory SYSTEM PID KB_BEFORE: what the rows take, of a million
memory() {
    echo "tcp memory_per_million_rows $1 $((($(resident "$2") - $3) * 1024 / entities)) MB"
}
rm -rf "$work"
mkdir -p "$work/defs"

echo_port=$port
get_port=$((port + 1))
hmget_port=$((port + 2))
memcached_port=$((port + 3))
coordinator=127.0.0.1:$((port + 4))
node_http=$((port + 7))
url=cluster:$coordinator
"$bin/bench_uv_echo" "$echo_port" &
echo_pid=$!
redis-server --port "$get_port" --bind 127.0.0.1 --save "" --appendonly no --dir "$work" >"$work/get.log" &
get_pid=$!
redis-server --port "$hmget_port" --bind 127.0.0.1 --save "" --appendonly no --dir "$work" >"$work/hmget.log" &
hmget_pid=$!
# one thread for one core; memory is no limit. As root it wants a user to be.
memcached -l 127.0.0.1 -p "$memcached_port" -U 0 -t 1 -m 4096 -u nobody >"$work/memcached.log" 2>&1 &
memcached_pid=$!
"$bin/larder-coordinator" --id 1 --dir "$work/c" --listen "$coordinator" --raft "127.0.0.1:$((port + 5))" \
    --cluster "1@127.0.0.1:$((port + 5))" --bootstrap >"$work/c.log" 2>&1 &
coordinator_pid=$!
"$bin/larder-node" --name n1 --dir "$work/n1" --listen "127.0.0.1:$((port + 6))" --http "127.0.0.1:$node_http" \
    --coordinators "$coordinator" --min-free 16MiB --ballast 0 >"$work/n1.log" 2>&1 &
node_pid=$!
pids="$echo_pid $get_pid $hmget_pid $memcached_pid $coordinator_pid $node_pid"

for p in "$echo_port" "$get_port" "$hmget_port" "$memcached_port"; do
    wait_for listens "$p"
done
for system in redis_get:$get_port:$get_pid redis_hmget:$hmget_port:$hmget_pid memcached:$memcached_port:$memcached_pid; do
    IFS=: read -r name where pid <<T
$system
T
    before=$(resident "$pid")
    "$bin/bench_tcp" load "$name" "$where" "$entities"
    memory "$name" "$pid" "$before"
done
wait_for "$bin/larder" --store "$url" --shards 16 cluster init --replicas 1 --nodes 1
wait_for placed
before=$(resident "$node_pid")
"$bin/bench_cluster" "$url" load "$entities" "$work/defs"
memory larder "$node_pid" "$before"
# larder_table: the serving table alone, without what RocksDB keeps beside it
python3 - "$node_http" "$entities" <<'T'
import re, sys, urllib.request
text = urllib.request.urlopen("http://127.0.0.1:%s/metrics" % sys.argv[1]).read().decode()
total = sum(float(x) for x in re.findall(r"^larder_\w*latest_bytes(?:\{[^}]*\})? ([0-9.e+]+)$", text, re.M))
print("tcp memory_per_million_rows larder_table %.1f MB" % (total / int(sys.argv[2])))
T

sizes_one=$("$bin/bench_tcp" sizes larder "$coordinator" 1)
sizes_hundred=$("$bin/bench_tcp" sizes larder "$coordinator" 100)
answer=${sizes_hundred#*:}
echo "tcp memory_per_million_rows row $(((answer - 24 - 12 - 100 * 21) / 100)) MB" # its bytes in an answer (docs/wire.md)
say "Bytes of a request and its answer: one entity $sizes_one, a hundred $sizes_hundred"
for p in $pids; do
    taskset -a -c -p 0 "$p" >/dev/null
done
# run SYSTEM METRIC BATCH CONNECTIONS CORE RATE
run() {
    case "$1" in
    echo) where=$echo_port:$([ "$3" = 1 ] && echo "$sizes_one" || echo "$sizes_hundred") pid=$echo_pid ;;
    redis_get) where=$get_port pid=$get_pid ;;
    redis_hmget) where=$hmget_port pid=$hmget_pid ;;
    memcached) where=$memcached_port pid=$memcached_pid ;;
    *) where=$coordinator pid=$node_pid ;;
    esac
    if [ "$1" = larder_lib ]; then # through the client library: a thread for each request under way
        taskset -c "$5" "$bin/bench_cluster" "$url" run larder_lib "$entities" get "$3" "$4" "$seconds" "$pid" |
            sed "s/^scale [a-z]*_[0-9]*_by_[0-9]*\(_*[^ ]*\) /tcp $2\1 /; s/_nodes_cpu /_server_cpu /; s|requests/s|/s|"
    else
        taskset -c "$5" "$bin/bench_tcp" run "$1" "$where" "$entities" "$2" "$3" "$4" "$seconds" "$6" "$pid"
    fi
}
r=0
while [ $r -lt "$rounds" ]; do
    for case in "one_entity_1_client 1 1 0 0" "one_entity_32_clients 1 32 1 0" "hundred_entities_32_clients 100 32 1 0" \
        "one_entity_open 1 32 1 ${RATE_ONE:-20000}" "hundred_entities_open 100 32 1 ${RATE_HUNDRED:-1000}"; do
        for system in echo larder redis_get memcached redis_hmget larder_lib; do
            # shellcheck disable=SC2086 # words
            set -- $case
            case "$system $1" in larder_lib*_open) continue ;; esac
            run "$system" "$@"
        done
    done
    r=$((r + 1))
done
finish
rm -rf "$work"

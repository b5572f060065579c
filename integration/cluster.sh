# shellcheck shell=sh disable=SC2034,SC2154
# Sourced by the scripts here that run a cluster as processes on loopback. The caller has set: bin (the programs), and may set
# coordinators (default 3). It gets:
#   work      a folder that is removed at the end, or kept and named when something was not ok
#   port      40 ports from there on are its own: coordinator N listens at port + N, its peers at port + 10 + N, node N at port + 20 + N
#   hosts, store                 the coordinators' addresses, as a list and as a URL
#   say CODE WHAT                "ok WHAT" or "not ok WHAT"; status is 1 after any "not ok"
#   check NAME COMMAND...        the same of a command; its output only when it fails, and in $work/log
#   coordinator N [OPTION...], node N [OPTION...], end SIGNAL NAME       NAME: c1, n2 ...
#   tell SECONDS COMMAND...      waits until it holds; on a slow machine four times as long before it gives up
#   placed SHARDS REPLICAS       every replica of all of them answers
work=$(mktemp -d)
status=0
root=$(cd "$(dirname "$0")/.." && pwd)
export LARDER_CACHE_DIR="$work/cache" LARDER_TEMPLATES="$root/examples"
finish() {
    for f in "$work"/*.pid; do
        [ -f "$f" ] && kill -9 "$(cat "$f")" 2>/dev/null
    done
    [ $status = 0 ] && rm -rf "$work" || echo "kept: $work"
}
trap finish EXIT
trap 'status=1; exit 1' INT TERM HUP
# A block of ports below those that the system gives away. The lock is held by this process and by those it starts, so that nobody
# else takes the block while one of them lives.
port=
block=$(($$ % 450))
while [ -z "$port" ]; do
    exec 9>"${TMPDIR:-/tmp}/larder-test-ports-$block"
    if flock -n 9; then
        port=$((12000 + block * 40))
    else
        block=$(((block + 1) % 450))
    fi
done
members=
hosts=
i=1
while [ $i -le "${coordinators:-3}" ]; do
    members="$members${members:+,}$i@127.0.0.1:$((port + 10 + i))"
    hosts="$hosts${hosts:+,}127.0.0.1:$((port + i))"
    i=$((i + 1))
done
store=cluster:$hosts
say() { # 0|1 WHAT
    if [ "$1" = 0 ]; then
        echo "ok $2"
    else
        status=1
        echo "not ok $2"
    fi
    return "$1"
}
check() { # NAME COMMAND...
    name=$1
    shift
    "$@" >"$work/log" 2>&1
    say $? "$name" || tail -n 5 "$work/log"
}
coordinator() { # N [OPTION...]
    n=$1
    shift
    "$bin/larder-coordinator" --id "$n" --dir "$work/c$n" --listen "127.0.0.1:$((port + n))" --raft "127.0.0.1:$((port + 10 + n))" \
        --cluster "$members" --bootstrap "$@" >>"$work/c$n.log" 2>&1 &
    echo $! >"$work/c$n.pid"
}
node() { # N [OPTION...]
    n=$1
    shift
    "$bin/larder-node" --name "n$n" --dir "$work/n$n" --listen "127.0.0.1:$((port + 20 + n))" --coordinators "$hosts" \
        --min-free 16MiB --ballast 0 "$@" >>"$work/n$n.log" 2>&1 &
    echo $! >"$work/n$n.pid"
}
end() { # SIGNAL NAME
    pid=$(cat "$work/$2.pid")
    kill "-$1" "$pid"
    wait "$pid" 2>/dev/null
    rm "$work/$2.pid"
}
tell() { # SECONDS COMMAND...: until it holds
    left=$(($1 * 20))
    shift
    until "$@"; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 0.2
    done
}
placed() { # SHARDS REPLICAS
    [ "$(timeout 20 "$bin/larder" --store "$store" shard list --json 2>/dev/null | grep -o 'state=active' | wc -l)" = $(($1 * $2)) ]
}

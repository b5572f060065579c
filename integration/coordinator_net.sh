#!/bin/sh
# shellcheck disable=SC2317
# A coordinator is cut off for a quarter of a minute, each having a network of its own; how soon is it one of them again when the cut
# heals? usage: coordinator_net.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines; where networks cannot be made (no root, no `ip`), one
# line that begins with #.
set -u
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
status=0
tag=ldr$$
cut_s=14
finish() {
    trap '' INT TERM HUP
    for i in 1 2 3; do
        [ -f "$work/c$i.pid" ] && kill -9 "$(cat "$work/c$i.pid")" 2>/dev/null
        ip netns del "$tag-$i" 2>/dev/null
    done
    ip netns del "$tag-0" 2>/dev/null
    [ "$status" = 0 ] && rm -rf "$work" || echo "kept: $work"
}
trap finish EXIT
trap 'status=1; exit 1' INT TERM HUP
say() { # 0|1 WHAT
    [ "$1" = 0 ] && echo "ok $2" && return
    status=1
    echo "not ok $2"
}
within() { # SECONDS COMMAND...
    end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.1
    done
}
in_net() { # N COMMAND...
    net=$tag-$1
    shift
    ip netns exec "$net" "$@"
}
# Asked from inside, so also while it is cut off.
ready() { in_net "$1" "$bin/larder" health 127.0.0.1:7412/readyz >/dev/null 2>&1; }
not_ready() { ! ready "$1"; }
all_ready() { ready 1 && ready 2 && ready 3; }

# One switch, a network beside it that nobody else sees, and three members that are plugged into it.
if ! ip netns add "$tag-0" 2>/dev/null || ! in_net 0 ip link add sw type bridge 2>/dev/null; then
    echo "# networks cannot be made here: not tried"
    exit 0
fi
in_net 0 ip link set sw up
for i in 1 2 3; do
    ip netns add "$tag-$i" && in_net $i ip link set lo up && in_net $i ip link add e0 type veth peer name "p$i" netns "$tag-0" &&
        in_net $i ip addr add 10.77.0.$i/24 dev e0 && in_net $i ip link set e0 up && in_net 0 ip link set "p$i" master sw up || status=1
done
[ "$status" = 0 ] || exit 1
for i in 1 2 3; do
    # not by in_net: $! would be a shell around it, and the member would outlive the test
    ip netns exec "$tag-$i" "$bin/larder-coordinator" --id $i --dir "$work/c$i" --listen 10.77.0.$i:7410 --raft 10.77.0.$i:7411 --http 127.0.0.1:7412 \
        --cluster 1@10.77.0.1:7411,2@10.77.0.2:7411,3@10.77.0.3:7411 --bootstrap >"$work/c$i.log" 2>&1 &
    echo $! >"$work/c$i.pid"
done
within 20 all_ready
say $? "three coordinators, each with a network of its own, have a leader"
leader=$(in_net 1 "$bin/larder" --store cluster:10.77.0.1:7410,10.77.0.2:7410,10.77.0.3:7410 coordinator list --json |
    sed -n 's/.*"id":\([0-9]*\).*"role":"leader".*/\1/p')
for who in $((leader % 3 + 1)) "$leader"; do
    [ "$who" = "$leader" ] && name="the leader" || name="a follower"
    in_net 0 ip link set "p$who" nomaster
    within 10 not_ready "$who"
    say $? "$name, cut off, is not ready"
    sleep $cut_s
    in_net 0 ip link set "p$who" master sw
    from=$(date +%s%3N)
    within 60 ready "$who"
    code=$?
    took=$(($(date +%s%3N) - from))
    [ $code = 0 ] && [ $took -le 6000 ]
    say $? "$name is one of them again $took ms after a cut of $cut_s s (at most 6000)"
    within 30 all_ready
    say $? "all are ready"
done
exit "$status"

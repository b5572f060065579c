#!/bin/sh
# What daemons say of themselves: /healthz and /readyz of nodes and coordinators while they can do their work, and while they cannot.
# usage: health.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
l() { timeout 60 "$bin/larder" "$@"; }
web() { echo "127.0.0.1:$((port + 30 + $1))"; } # nodes 1..3, coordinators 4..6
healthy() { l health "$(web "$1")" >/dev/null 2>&1; }
ready() { l health "$(web "$1")/readyz" >/dev/null 2>&1; }
not_ready() { ! ready "$1"; }
all_ready() { for who in "$@"; do ready "$who" || return 1; done; }
hold() { # SIGNAL NAME...
    signal=$1
    shift
    for name in "$@"; do kill "-$signal" "$(cat "$work/$name.pid")"; done
}

node 1 --http "$(web 1)"
tell 10 healthy 1 && not_ready 1
say $? "a node without coordinators is healthy and not ready"
coordinator 1 --http "$(web 4)"
tell 10 healthy 4 && not_ready 4
say $? "a coordinator without a majority is healthy and not ready"
coordinator 2 --http "$(web 5)"
coordinator 3 --http "$(web 6)"
tell 20 all_ready 4 5 6
say $? "coordinators are ready when one of them leads"
node 2 --http "$(web 2)"
node 3 --http "$(web 3)"
tell 30 l --store "$store" --shards 4 cluster init --replicas 3 --write-quorum 2 --nodes 3 >/dev/null 2>&1 && tell 30 placed 4 3 &&
    tell 30 all_ready 1 2 3
say $? "nodes are ready when their replicas answer"

! grep -h ' error ' "$work"/n*.log >"$work/errors"
say $? "no node told of an error while nothing was wrong"
sort "$work/errors" | cut -d' ' -f4- | uniq -c | head -n 4

# A node that hears of no other is what a cut network makes of it: it may be behind, and refuses reads.
hold STOP n2 n3
tell 10 not_ready 1
say $? "a node that hears of no other replica is not ready"
healthy 1
say $? "it is healthy"
hold CONT n2 n3
tell 20 all_ready 1 2 3
say $? "ready again when it does"
end KILL n2
sleep 4 # longer than a replica may go without hearing of the others
all_ready 1 3
say $? "with one of three dead the others stay ready"
node 2 --http "$(web 2)"
tell 20 all_ready 1 2 3
say $? "the third is ready when it is back"

hold STOP c1 c2
tell 10 not_ready 6
say $? "a coordinator that hears of no majority is not ready"
healthy 6
say $? "it is healthy"
hold CONT c1 c2
tell 20 all_ready 4 5 6
say $? "ready again when it does"
for c in c1 c2 c3; do end KILL $c; done
sleep 4
all_ready 1 2 3
say $? "without coordinators nodes stay ready: they answer reads and take writes"
exit $status

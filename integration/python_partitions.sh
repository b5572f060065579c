#!/bin/sh
# Partitions of a cluster of real processes on loopback (3 coordinators, 3 nodes), read by dask, Ray, PyTorch and Spark in processes of
# their own, while one of the nodes is killed: see python_partitions.py. usage: python_partitions.sh BIN_DIR PYTHON [LIBRARY...]
# PYTHON: of an environment that has the package and these libraries. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
case "$2" in
/*) python=$2 ;;
*) python=$PWD/$2 ;;
esac
shift 2
# shellcheck source=integration/cluster.sh
. "$here/cluster.sh"
l() { timeout 60 "$bin/larder" --store "$store" "$@"; }
for i in 1 2 3; do coordinator $i; done
for i in 1 2 3; do node $i; done
tell 30 l --shards 6 cluster init --replicas 3 --write-quorum 2 --nodes 3 >/dev/null 2>&1
say $? "cluster init"
tell 30 placed 6 3
say $? "6 shards are placed"
py() { timeout "${LARDER_PYTHON_SECONDS:-300}" "$python" "$here/python_partitions.py" "local:$work/near" "$store" "$work" "$1"; }
py load || status=1
[ $# -gt 0 ] || set -- dask ray torch spark
for library in "$@"; do
    rm -f "$work"/reading-* "$work/killed"
    py "$library" || status=1
    # killed by the reader; else it never came to that
    if kill -0 "$(cat "$work/n2.pid")" 2>/dev/null && [ ! -e "$work/killed" ]; then
        say 1 "$library: a node was killed"
        continue
    fi
    wait "$(cat "$work/n2.pid")" 2>/dev/null
    node 2
    tell 60 placed 6 3
    say $? "$library: the killed node is back"
done
exit $status

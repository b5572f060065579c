#!/bin/sh
# The Python package against a cluster of real processes on loopback (3 coordinators, 3 nodes), held against a folder: see
# python_cluster.py. usage: python_cluster.sh BIN_DIR PYTHON. PYTHON: of an environment that has the package, pandas, polars and
# pyarrow. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
case "$2" in
/*) python=$2 ;;
*) python=$PWD/$2 ;;
esac
# shellcheck source=integration/cluster.sh
. "$here/cluster.sh"
export LARDER="$bin/larder"
l() { timeout 60 "$bin/larder" --store "$store" "$@"; }
py() { timeout "${LARDER_PYTHON_SECONDS:-400}" "$python" "$here/python_cluster.py" "local:$work/near" "$store" "$work/flights" "$work/py" "$work/n2.pid"; }

for i in 1 2 3; do coordinator $i; done
for i in 1 2 3; do node $i; done
tell 30 l --shards 8 cluster init --replicas 3 --write-quorum 2 --nodes 3 >/dev/null 2>&1
say $? "cluster init"
tell 30 placed 8 3
say $? "8 shards are placed"
"$bin/larder" init "$work/flights" >/dev/null 2>&1 && mkdir "$work/py"
say $? "the flights"
py || status=1
[ ! -f "$work/n2.pid" ] || end KILL n2 # it ended before it came to that
node 2
tell 60 placed 8 3
say $? "the killed node is back"
PHASE=again py || status=1
exit $status

#!/bin/sh
# Larder beside its peers in one run. usage: bench/run.sh [online|offline|ingest|write|scale|tcp|http|python|all] [--check]
# How costs grow (Larder alone, pictures into docs/performance): bench/run.sh curves [--full|--small]
set -eu
cd "$(dirname "$0")/.."
part=all
check=
curves=
for a in "$@"; do
    case "$a" in
    online | offline | ingest | write | scale | tcp | http | python | curves | all) part=$a ;;
    --check) check=1 ;;
    --full | --small) curves=$a ;;
    *) echo "usage: ./run bench [online|offline|ingest|write|scale|tcp|http|python|all] [--check] | curves [--full|--small]" >&2; exit 2 ;;
    esac
done
say() { printf '%s\n' "$*" >&2; }
# on CORES COMMAND...: pinned, because a pool of N threads is helped by the thread that waits for it
on() {
    last=$(($1 - 1))
    shift
    taskset -c 0-$last "$@"
}
rounds=${ROUNDS:-5}
entities=${ENTITIES:-1000000}
work=$PWD/build/bench
data=$work/data
tmp=$work/tmp
results=$work/results.txt
mkdir -p "$data"
rm -rf "$tmp"
mkdir -p "$tmp"
: >"$results"

say "Building"
[ -f build/bench-tree/build.ninja ] || cmake -S . -B build/bench-tree -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DLARDER_TESTS=OFF -DLARDER_BENCH=ON >"$work/build.log" 2>&1 || { tail "$work/build.log" >&2; exit 1; }
ninja -C build/bench-tree >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; exit 1; }
bin=$PWD/build/bench-tree/bin

if [ "$part" = curves ]; then
    out=$PWD/docs/performance
    [ "$curves" = --small ] && out=$work/curves-small # not for keeping
    exec sh bench/curves.sh "$bin" "$tmp" "$out" ${curves:+"$curves"}
fi
if [ "$part" = ingest ] || [ "$part" = offline ] || [ "$part" = all ]; then
    if [ ! -x "$work/venv/bin/python" ] || ! "$work/venv/bin/python" -c 'import duckdb, polars' 2>/dev/null; then
        say "Installing DuckDB 1.4.0 and Polars 1.34.0 from their packages"
        python3 -m venv "$work/venv"
        "$work/venv/bin/pip" install --quiet duckdb==1.4.0 polars==1.34.0
    fi
    if [ ! -f "$data/spine_1000000.csv" ]; then
        say "Generating 2,000,000 facts x 25 features and the spines"
        "$bin/larder-gen-churn" "$data" >/dev/null
        python3 bench/spines.py "$data"
    fi
fi

if [ "$part" = online ] || [ "$part" = all ]; then
    say "Online reads: $entities entities x 25 features, $rounds rounds"
    mkdir -p "$tmp/online"
    "$bin/bench_online" "$tmp/online" "$entities" "$rounds" >>"$results"
    rm -rf "$tmp/online"
fi
if [ "$part" = tcp ] || [ "$part" = all ]; then
    say "One node over TCP beside its peers: $entities entities x 25 features, $rounds rounds"
    sh bench/tcp.sh "$bin" "$tmp" "$entities" "$rounds" >>"$results"
    mkdir -p "$work/plots"
    python3 bench/plot.py "$results" "$work/plots"
fi
if [ "$part" = http ]; then # only by name: it installs Feast
    feast=$PWD/build/feast-venv
    if ! "$feast/bin/python" -c 'import feast' 2>/dev/null; then
        say "Installing Feast 0.67.0 from its package"
        rm -rf "$feast"
        python3 -m venv "$feast"
        "$feast/bin/pip" install --quiet feast==0.67.0
    fi
    say "larder-gateway beside feast serve and a bare data plane, $rounds rounds, about $(awk -v r="$rounds" -v s="${SECONDS_EACH:-3}" 'BEGIN { printf "%d", r * 7.2 * s + 40 }') s"
    sh bench/feast.sh "$bin" "$tmp" "$rounds" "$feast/bin/python" >>"$results"
fi
if [ "$part" = scale ] || [ "$part" = all ]; then
    say "Clusters of 1 to 4 nodes, $rounds rounds"
    sh bench/scale.sh "$bin" "$tmp" "$rounds" >>"$results"
fi
if [ "$part" = write ] || [ "$part" = all ]; then
    say "Small durable writes: 1 and 32 writers, $rounds rounds"
    # without it the others are measured all the same: it cannot reach a folder that only root may enter
    postgres=$(sh bench/postgres.sh start "$tmp/postgres") || say "PostgreSQL does not start here and is left out"
    trap 'sh bench/postgres.sh stop "$tmp/postgres"' EXIT
    trap 'exit 1' INT TERM HUP
    for writers in 1 32; do
        mkdir -p "$tmp/write"
        env ${postgres:+"BENCH_POSTGRES=$postgres"} "$bin/bench_write" "$tmp/write" $writers "$rounds" >>"$results"
        rm -rf "$tmp/write"
    done
    sh bench/postgres.sh stop "$tmp/postgres"
    trap - EXIT
fi
if [ "$part" = ingest ] || [ "$part" = offline ] || [ "$part" = all ]; then
    n=$rounds
    [ "$part" = offline ] && n=1
    say "Loading $(du -h "$data/facts.csv" | cut -f1) of CSV, $n rounds"
    i=0
    while [ $i -lt "$n" ]; do
        for cores in 2 1; do
            rm -rf "$tmp/store" "$tmp"/duck.db*
            on $cores python3 bench/load.py "$bin/larder" "$tmp/store" "$data" $cores $cores >>"$results"
            on $cores "$work/venv/bin/python" bench/duck.py load "$tmp/duck.db" "$data/facts.csv" $cores >>"$results"
        done
        i=$((i + 1))
    done
fi
if [ "$part" = offline ] || [ "$part" = all ]; then
    say "Point-in-time joins against 2,000,000 facts, $rounds rounds"
    sync # what the loads left to be written must not disturb
    spines="$data/spine_10000.csv $data/spine_100000.csv $data/spine_1000000.csv"
    for cores in 1 2; do
        # shellcheck disable=SC2086 # three names
        {
            on $cores "$bin/bench_join" "$tmp/store" $spines $((rounds + 1)) $cores
            on $cores "$work/venv/bin/python" bench/duck.py join "$tmp/duck.db" $spines $((rounds + 1)) $cores
            on $cores "$work/venv/bin/python" bench/polars_join.py "$data/facts.csv" "$data/facts.parquet" $spines \
                $((rounds + 1)) $cores
        } >>"$results"
    done
fi
# Not in `all`: it installs Feast and what it needs.
if [ "$part" = python ]; then
    venv=$work/python-venv
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
    say "Installing larder, pandas, Polars and Feast 0.67.0 with DuckDB from their packages"
    "$venv/bin/pip" install --quiet 'setuptools>=61' wheel 'cffi>=1.15' pyarrow pandas polars numpy 'feast[duckdb]==0.67.0'
    LARDER_BUILD_DIR=$PWD/build/bench-tree "$venv/bin/pip" install --quiet --no-build-isolation --no-deps --force-reinstall ./python
    say "Joins of ${SPINE:-1000000} rows through Python, $rounds rounds"
    on 2 "$venv/bin/python" bench/python_join.py "$tmp/python" "${SPINE:-1000000}" "$rounds" >>"$results"
    say "A pandas user: Larder beside Feast's file and DuckDB offline stores, $rounds rounds"
    on 2 "$venv/bin/python" bench/feast_join.py "$tmp/python" "$tmp/feast-repo" "${FEAST_SPINES:-10000,100000,1000000}" "$rounds" >>"$results"
fi
rm -rf "$tmp"
{
    sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort | uniq -c | sed 's/^ *//; s/ / x /'
    sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release
    dpkg-query -W -f '${Package} ${Version}\n' 'librocksdb[0-9]*' liblmdb0 libsqlite3-0 libuv1 redis-server memcached 'postgresql-[0-9]*' 2>/dev/null | grep ' .' || true
    [ ! -x "$work/venv/bin/python" ] || "$work/venv/bin/python" -c 'import importlib.metadata as m; print("\n".join(p + " " + m.version(p) for p in ("duckdb", "polars")))' 2>/dev/null
    [ "$part" != python ] || "$venv/bin/python" -c 'import sys; print("CPython " + sys.version.split()[0])'
    [ "$part" != python ] || "$venv/bin/pip" list 2>/dev/null | grep -E '^(pyarrow|pandas|polars|feast|duckdb) ' | sed 's/  */ /'
} | paste -s -d ';' | sed 's/;/; /g'
echo
missed=0
[ "$part" != http ] || python3 bench/http_aims.py "$results" || missed=1
[ "$part" != python ] || python3 bench/python_aims.py "$results" || missed=1
if [ -n "$check" ]; then
    python3 bench/report.py "$results" --check bench/ratios.tsv
else
    python3 bench/report.py "$results" --ratios "$work/ratios.tsv"
    say "Ratios are in build/bench/ratios.tsv; copy them to bench/ratios.tsv to make them the ones to hold."
fi
[ $missed = 0 ] || exit 1

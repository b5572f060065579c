#!/bin/sh
# The flow of the demo against a cluster, with a node killed in the middle. LARDER, STORE: program and cluster.
set -eu
larder=${LARDER:?} store=${STORE:?}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LARDER_STORE="$store" LARDER_TEMPLATES="$here/../examples"
heading() { printf '\n== %s\n' "$*"; }
type_in() {
    printf '$ larder %s\n' "$*"
    code=0
    "$larder" "$@" || code=$?
    [ "$code" -le 1 ] || exit "$code"
}
heading "Definitions and data of the flights example, into $store"
"$larder" init "$work/flights" >/dev/null
cd "$work/flights"
type_in apply | tail -n 1
type_in materialize 1950-01-01 2013-02-28T23:59:59Z

heading "A training set of 5,000 departures, computed where the data is"
"$larder" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts \
    --known-at-column event_ts --full-feature-names -o train.csv
cksum train.csv

heading "Online"
type_in get-online-features -s delay_model_v1 --full-feature-names -e origin=JFK -e dest=LAX -e carrier=B6 -e tailnum=N708JB

heading "One node dies (kill -9). Reads and writes go on"
victim=$(docker ps -q --filter name=node-2 | head -n 1)
docker kill -s KILL "$victim" >/dev/null
type_in get-online-features -s delay_model_v1 --full-feature-names -e origin=JFK -e dest=LAX -e carrier=B6 -e tailnum=N708JB
"$larder" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts \
    --known-at-column event_ts --full-feature-names -o again.csv
cmp train.csv again.csv && echo "the same training set, byte for byte"
type_in materialize 2013-02-01 2013-02-28T23:59:59Z
heading "It comes back and catches up"
docker start "$victim" >/dev/null
type_in status

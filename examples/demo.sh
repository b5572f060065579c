#!/bin/sh
# The whole flow on real data, with the commands as one would type them. LARDER: the program. Called by `./run demo`.
set -eu
larder=${LARDER:?set LARDER to the larder program}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
began=$(date +%s)
export LARDER_TEMPLATES="$here"
heading() { printf '\n== %s\n' "$*"; }
# Shows a command as typed, then runs it. Exit 1 means "done, but some rows were rejected": the demo shows such rows.
type_in() {
    printf '$ larder %s\n' "$*"
    code=0
    "$larder" "$@" || code=$?
    [ "$code" -le 1 ] || exit "$code"
}
heading "A project of its own: definitions and public data (flights from New York, 2013)"
type_in init "$work/flights" >"$work/init.txt"
head -n 6 "$work/init.txt"
cd "$work/flights"

heading "What would change, and make it so"
code=0
"$larder" plan || code=$?
[ "$code" = 10 ] || exit 1
type_in apply | tail -n 1

heading "Load January, then what came since: sources are read for a range of event times"
type_in materialize 1950-01-01 2013-01-31T23:59:59Z
type_in materialize-incremental 2013-02-28T23:59:59Z
echo "(rejected on purpose: aircraft without a year, and a wind of 1048 mph that the declared check refuses)"

heading "A training set: 5,000 departures, each with what was known at its own moment"
printf '$ larder get-historical-features -s delay_model_v1 --spine spine.csv ... -o train.csv\n'
"$larder" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts \
    --known-at-column event_ts --full-feature-names -o train.csv 2>"$work/join.txt"
cat "$work/join.txt"
head -n 3 train.csv

heading "Online: the newest values, from the same bytes"
type_in get-online-features -s delay_model_v1 --full-feature-names -e origin=JFK -e dest=LAX -e carrier=B6 -e tailnum=N708JB
heading "The same at a past moment"
type_in get-online-features -f weather:temp,weather:visib -e origin=JFK --as-of 2013-02-09T03:30:00Z

heading "Find it, and look at it"
type_in search delay
type_in stats weather

heading "Prove the store"
type_in check | tee "$work/check.txt"
"$larder" probe -s delay_model_v1 --full-feature-names --entities spine.csv -n 100000 >"$work/probe.txt" 2>&1

heading "Summary (all measured)"
printf 'rows in the store   %s\n' "$(awk '$2 == "facts" { n += $3 } END { print n }' "$work/check.txt")"
printf 'features            %s\n' "$("$larder" list features --json | wc -l)"
printf 'date range          2013-01-01 to 2013-02-28\n'
printf 'spine rows          %s\n' "$(($(wc -l <spine.csv) - 1))"
printf 'training set        %s\n' "$(cat "$work/join.txt")"
cat "$work/probe.txt"
printf 'whole demo          %s s\n' "$(($(date +%s) - began))"
printf '\nNext: larder init my-project, or the tour in README.md.\n'

#!/bin/sh
# The flow at 2,000,000 rows x 25 features. LARDER: the program. Called by `./run lab`.
set -eu
larder=${LARDER:?set LARDER to the larder program}
work=${LARDER_LAB:-$(mktemp -d)}
[ -n "${LARDER_LAB:-}" ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
step() { printf '\n== %s\n' "$*"; }
step "Generate"
"$(dirname "$larder")/larder-gen-churn" "$work"
cd "$work"
export LARDER_STORE=local:store
rm -rf store
step "Define"
"$larder" apply | tail -n 1
step "Load 2,000,000 rows x 25 features from CSV"
"$larder" ingest churn facts.csv
step "Training set for 10,000 customers"
"$larder" get-historical-features -f churn --spine spine.csv --timestamp-column event_ts -o train.csv
step "Online reads"
"$larder" probe -f churn --entities spine.csv -n 200000
step "Prove the store"
"$larder" check

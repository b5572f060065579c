#!/bin/sh
# One folder, several processes of the command line at once, the one that has the folder killed with -9 in the
# middle. usage: integration/share.sh BIN_DIR [ROUNDS]
# No command may fail for it, nothing acknowledged may be lost, nothing may happen twice.
set -u
bin=$(cd "$1" && pwd)
rounds=${2:-20}
larder=$bin/larder
dir=$(mktemp -d)
status=0
holder=
clean() {
    [ -z "$holder" ] || kill -9 "$holder" 2>/dev/null
    exec 9>&-
    rm -rf "$dir"
}
trap clean EXIT
ok() { echo "ok $*"; }
bad() {
    status=1
    echo "not ok $*"
}
run() { "$larder" --store "local:$dir/store" --dir "$dir/defs" --quiet "$@"; }

mkdir "$dir/defs"
cat >"$dir/defs/d.yaml" <<'T'
project: share
entities: [{name: thing, join_keys: [{name: id, type: int64}]}]
sources:
  - {name: f, type: file, format: csv, path: base.csv, event_timestamp: event_timestamp, created_timestamp: created_timestamp}
feature_views:
  - name: v
    entity: thing
    source: f
    features: [{name: a, type: int64}]
  - {name: u, entity: thing, features: [{name: a, type: int64}]}
T
awk 'BEGIN { print "id,event_timestamp,created_timestamp,a"; for (i = 0; i < 500; i++) printf "%d,2024-01-01T00:00:00Z,2024-01-01T00:00:00Z,%d\n", i, i * 7 }' \
    >"$dir/defs/base.csv"
# Facts without a created time: one that was written twice under two times would be there twice.
facts() { # FROM TO
    awk -v a="$1" -v b="$2" 'BEGIN { print "id,event_timestamp,a"; for (i = a; i < b; i++) printf "%d,2024-01-02T00:00:00Z,%d\n", i, i * 7 }'
}
version() { run info 2>/dev/null | awk '$1 == "registry_version" { print $2 }'; }

# A command that has the folder until its input ends, which it does not.
take() {
    rm -f "$dir/fifo"
    mkfifo "$dir/fifo"
    exec 9<>"$dir/fifo"
    "$larder" --store "local:$dir/store" --dir "$dir/defs" ingest u - <"$dir/fifo" >/dev/null 2>&1 9>&- &
    holder=$!
    tries=0
    until [ -S "$dir/store/socket" ] && grep -q "^$holder shared" "$dir/store/LOCK" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || return 1
        sleep 0.05
    done
}
# In the background: what it prints and how it ends is looked at later.
job() {
    name=$1
    shift
    { run "$@" >"$dir/$name.out" 2>&1 9>&-; echo $? >"$dir/$name.code"; } &
    jobs="$jobs $name"
}

run apply >/dev/null && run ingest v "$dir/defs/base.csv" >/dev/null || bad "set-up"
run materialize 2024-01-01 2024-01-03 >/dev/null || bad "set-up" # notes how far it came: once
before=$(version)
ran=0 failed=0
round=0
while [ $round -lt "$rounds" ] && [ $status = 0 ]; do
    round=$((round + 1))
    from=$((1000 + round * 300))
    facts $from $((from + 300)) >"$dir/r$round.csv"
    mkdir "$dir/defs$round"
    printf 'feature_views:\n  - {name: w%d, entity: thing, features: [{name: x, type: int64}]}\n' $round >"$dir/defs$round/w.yaml"
    take || bad "round $round: nobody took the folder"
    jobs=
    job ingest ingest u "$dir/r$round.csv"
    job materialize materialize 2024-01-01 2024-01-03
    job apply --dir "$dir/defs$round" apply
    job read get-online-features -f u:a -e id=$((from - 1))
    sleep "0.$((round * 7 % 30 + 10))"
    kill -9 "$holder"
    wait "$holder" 2>/dev/null
    holder=
    exec 9>&-
    wait
    for name in $jobs; do
        ran=$((ran + 1))
        [ "$(cat "$dir/$name.code")" = 0 ] || {
            failed=$((failed + 1))
            bad "round $round: $name ended with $(cat "$dir/$name.code"): $(tail -n 2 "$dir/$name.out")"
        }
    done
    # what the round before was told to have stored
    [ $round = 1 ] || grep -q "$(((from - 1) * 7))" "$dir/read.out" || bad "round $round: id $((from - 1)) is not there: $(cat "$dir/read.out")"
done
[ $failed = 0 ] && ok "$round holders were killed under $ran commands of others, and none of those failed"

after=$(version)
[ "$after" = $((before + round)) ] && ok "$round applies made $round versions" || bad "$round applies: the registry went from $before to $after"
run scan u -o "$dir/scan.csv" >/dev/null || bad "scan"
awk -F, -v want=$((round * 300)) 'NR > 1 { if ($NF != $1 * 7 && $4 != $1 * 7) wrong++; seen[$1]++; n++ }
    END { for (i in seen) if (seen[i] != 1) wrong++; if (n != want || wrong) { print n " facts, expected " want ", " wrong + 0 " wrong"; exit 1 } }' \
    "$dir/scan.csv" && ok "every fact is there, once" || bad "the facts"
run check >"$dir/out" 2>&1 && ok "the store is whole" || bad "check: $(tail -n 3 "$dir/out")"
exit $status

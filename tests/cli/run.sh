#!/bin/sh
# The built program from outside: verbs, exit codes, bad definitions, bad rows. LARDER: the program.
set -u
larder=${LARDER:?}
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
status=0
ok() { echo "ok $*"; }
bad() {
    status=1
    echo "not ok $*"
    cat "$dir/out" "$dir/err" 2>/dev/null
}
# expect CODE NAME PATTERN ARGS...: exit code, and a pattern somewhere in the output
expect() {
    want=$1 name=$2 pattern=$3
    shift 3
    "$larder" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    code=$?
    if [ $code = "$want" ] && cat "$dir/out" "$dir/err" | grep -q -e "$pattern"; then ok "$name"; else bad "$name (exit $code, wanted $want and /$pattern/)"; fi
}
g=$root/tests/golden/pit_example
cp -r "$g" "$dir/p"
cd "$dir/p" || exit 1
features=account:balance,account:plan,account:rate,pair:flag,pair:last
expect 0 "version" "larder" --version
expect 0 "help of a verb" "usage" help ingest
expect 2 "unknown verb" "ingest" ingets
expect 10 "plan with changes" "feature view account" plan
expect 0 "apply" "version 1" apply
expect 0 "plan without changes" "" plan
expect 3 "compare-and-set" "version" apply --expect-version 9
expect 0 "materialize" "account" materialize 2024-01-01 2025-01-01
expect 0 "point-in-time join" "" get-historical-features -f $features --spine spine.csv --timestamp-column event_ts --full-feature-names -o out.csv
if cmp -s out.csv expected.csv; then ok "point-in-time join gives the expected bytes"; else bad "point-in-time join differs"; fi
expect 0 "join with known-at" "" get-historical-features -f $features --spine spine.csv --timestamp-column event_ts --full-feature-names --known-at 2024-05-03T00:00:00Z -o out2.csv
if cmp -s out2.csv expected_known_at_2024-05-03.csv; then ok "known-at gives the expected bytes"; else bad "known-at differs"; fi
expect 0 "join again after reading the files again" "" materialize 2024-01-01 2025-01-01
"$larder" get-historical-features -f $features --spine spine.csv --timestamp-column event_ts --full-feature-names -o out3.csv >"$dir/out" 2>"$dir/err"
if cmp -s out3.csv expected.csv; then ok "reading the files again changes no answer"; else bad "reading again changed an answer"; fi
expect 0 "online" "OUTSIDE_MAX_AGE" get-online-features -f account:balance -e customer=ann
expect 0 "as of" "PRESENT" get-online-features -f account:balance -e customer=ann --as-of 2024-05-02T00:00:00Z
expect 0 "json" '"status"' --json get-online-features -f account:balance -e customer=nobody
for kind in entities sources feature-views features feature-services; do
    expect 0 "list $kind" "" list $kind
done
expect 0 "describe" "account" describe feature-views account
expect 0 "versions" "1" versions feature-views account
expect 0 "search" "account" search account
expect 0 "stats" "balance" stats account
expect 0 "scan" "ann,2024-05-01" scan account
expect 0 "check" "sound" check
expect 0 "backup" "" backup "$dir/backup"
expect 0 "restore" "" --store "local:$dir/restored" restore "$dir/backup"
expect 0 "the restored store" "ann,2024-05-01" --store "local:$dir/restored" scan account
expect 3 "delete what is used" "account" delete entities customer
expect 0 "erase" "" erase -e customer=ann
expect 0 "erased is gone" "NOT_FOUND" get-online-features -f account:balance -e customer=ann
expect 0 "late re-arrival stays out" "" materialize 2024-01-01 2025-01-01
expect 0 "erased stays gone" "NOT_FOUND" get-online-features -f account:balance -e customer=ann
expect 2 "unknown feature" "" get-online-features -f account:nothing -e customer=bob
expect 2 "missing spine column" "" get-historical-features -f account:balance --spine facts_pair.csv --timestamp-column nothing -o no.csv
[ -e no.csv ] && bad "a failed join left a file"
for shell in bash zsh fish; do
    expect 0 "completion $shell" "larder" completion $shell
done

# Bad definitions: each names file and line, and the registry stays as it was.
for f in "$root"/tests/defs/bad/*.yaml; do
    rm -rf "$dir/bad"
    mkdir "$dir/bad"
    cp "$f" "$dir/bad/"
    expect 2 "bad definition $(basename "$f" .yaml)" "yaml:[0-9]*:[0-9]*: " --store local:.larder --dir "$dir/bad" apply
done
expect 0 "the registry is as it was" "" plan

# Bad rows: each is rejected with line, column and reason; the good ones are stored.
mkdir "$dir/rows"
cd "$dir/rows" || exit 1
cat >d.yaml <<'T'
project: rows
entities: [{name: e, join_keys: [{name: id, type: int64}, {name: code, type: string}]}]
feature_views:
  - name: v
    entity: e
    features:
      - {name: i, type: int32, checks: {min: 0, max: 100}}
      - {name: f, type: float64}
      - {name: b, type: bool}
      - {name: t, type: timestamp}
      - {name: y, type: bytes}
      - {name: l, type: list<int64>}
      - {name: s, type: string, checks: {not_null: true}}
T
cat >rows.csv <<'T'
id,code,event_timestamp,i,f,b,t,y,l,s
1,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",good
,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",null key
1,,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",null key part
x,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",key is no number
1.5,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",key is no integer
1,a,,1,1.5,true,2024-01-01,aGk=,"[1,2]",no time
1,a,yesterday,1,1.5,true,2024-01-01,aGk=,"[1,2]",bad time
1,a,2024-02-30T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",no such day
1,a,2024-01-01T00:00:00.1234567Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",too many digits
1,a,0000-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",year 0
1,a,2024-01-01T00:00:00Z,3000000000,1.5,true,2024-01-01,aGk=,"[1,2]",int32 range
1,a,2024-01-01T00:00:00Z,one,1.5,true,2024-01-01,aGk=,"[1,2]",no integer
1,a,2024-01-01T00:00:00Z,101,1.5,true,2024-01-01,aGk=,"[1,2]",over the check
1,a,2024-01-01T00:00:00Z,-1,1.5,true,2024-01-01,aGk=,"[1,2]",under the check
1,a,2024-01-01T00:00:00Z,1,1e999,true,2024-01-01,aGk=,"[1,2]",float range
1,a,2024-01-01T00:00:00Z,1,0x10,true,2024-01-01,aGk=,"[1,2]",hex
1,a,2024-01-01T00:00:00Z,1,1.5,yes,2024-01-01,aGk=,"[1,2]",no bool
1,a,2024-01-01T00:00:00Z,1,1.5,true,noon,aGk=,"[1,2]",no timestamp
1,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,a!,"[1,2]",no base64
1,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,null]",null in list
1,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,",no list
1,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",
1,a,2024-01-01T00:00:00Z,1,1.5,true,2024-01-01,aGk=,"[1,2]",too,many
1,a,2024-01-01T00:00:00Z,1
2,"",2024-01-01T00:00:00Z,,NaN,,,,[],also good
T
expect 0 "apply the rows' view" "version 1" apply
expect 1 "bad rows are rejected" "23" ingest v rows.csv
if [ "$("$larder" scan v | sed 1d | wc -l)" = 2 ]; then ok "exactly the good rows are stored"; else bad "stored rows"; fi
if [ "$(sed 1d rows.csv.rejects.csv | wc -l)" = 23 ]; then ok "the rejects file has every bad row"; else bad "rejects file"; fi
# each with its line, column and reason, to the letter
if diff "$root/tests/cli/rows.rejects.expect.csv" rows.csv.rejects.csv >"$dir/out"; then ok "each reject has line, column and reason"; else bad "rejects' reasons"; fi
expect 2 "a file with a wrong header stores nothing" "" ingest v d.yaml
zipped=$(gzip -c rows.csv >again.csv.gz && echo again.csv.gz)
expect 1 "gzip" "23" ingest v "$zipped"
"$larder" --quiet ingest v - --rejects in.rejects <rows.csv >"$dir/out" 2>"$dir/err"
if [ $? = 1 ]; then ok "standard input"; else bad "standard input"; fi
if [ "$("$larder" scan v | sed 1d | wc -l)" = 2 ]; then ok "reading again adds nothing"; else bad "reading again"; fi
printf '{"id":5,"code":"n","event_timestamp":"2024-01-02T00:00:00Z","i":7,"f":0.5,"b":false,"t":null,"y":null,"l":[],"s":"nd"}\n' >n.ndjson
expect 0 "ndjson" "1 row" ingest v n.ndjson

# Ctrl-C in the middle of an endless input: what is said to be taken is there, and the store is whole.
mkdir "$dir/stop"
cd "$dir/stop" || exit 1
cat >d.yaml <<'T'
project: stop
entities: [{name: e, join_keys: [{name: id, type: int64}]}]
feature_views: [{name: v, entity: e, features: [{name: x, type: int64}]}]
T
expect 0 "apply the endless view" "version 1" apply
mkfifo rows
# the mark says that the program has read most of what came before it: more does not fit into the pipe
awk -v mark="$dir/stop/mark" 'BEGIN { print "id,event_timestamp,x";
    for (i = 0;; i++) { printf "%d,2024-01-01T00:00:00Z,%d\n", i, i; if (i == 300000) { close(mark); print "" >mark; close(mark) } } }' >rows 2>/dev/null &
"$larder" --memory 64MB ingest v - <rows >"$dir/out" 2>"$dir/err" &
load=$!
waited=0
while [ ! -e mark ] && [ $waited -lt 600 ]; do sleep 0.1 && waited=$((waited + 1)); done
kill -INT $load
wait $load
code=$?
said=$(sed -n 's/.*stopped\. \([0-9,]*\) rows\{0,1\} had been taken.*/\1/p' "$dir/err" | tr -d ,)
if [ $code = 130 ] && [ -n "$said" ] && [ "$("$larder" scan v | sed 1d | wc -l)" = "$said" ]; then ok "Ctrl-C: $said rows said and there"; else bad "Ctrl-C: exit $code, said '$said'"; fi
expect 0 "check after Ctrl-C" "sound" check
expect 0 "check at the end" "sound" check
# what the Python package does, where there is none: what to install is said
LARDER_PYTHON="$dir/nothing"
export LARDER_PYTHON
expect 3 "import-feast without Feast" "pip install './python\[feast\]'" import-feast "$dir"
expect 3 "Parquet without pyarrow" "pip install './python\[arrow\]'" ingest v none.parquet
unset LARDER_PYTHON
expect 2 "import-feast of nothing" "cannot be read" import-feast "$dir/nothing"
# the settings that are documented, and one that is not
for daemon in node coordinator gateway; do
    cp "$root/deploy/larder-$daemon.yaml" "$dir/$daemon.yaml"
    echo 'colour: red' >>"$dir/$daemon.yaml"
    at=$(wc -l <"$dir/$daemon.yaml")
    program=$(dirname "$larder")/larder-$daemon
    if "$program" --config "$root/deploy/larder-$daemon.yaml" --check-config >"$dir/out" 2>"$dir/err"; then ok "larder-$daemon.yaml"; else bad "larder-$daemon.yaml"; fi
    if ! "$program" --config "$dir/$daemon.yaml" --check-config >"$dir/out" 2>"$dir/err" && grep -q "$daemon.yaml:$at: .*colour" "$dir/err"; then
        ok "larder-$daemon: an unknown key is an error with file and line"
    else
        bad "larder-$daemon: an unknown key is an error with file and line"
    fi
    for key in $("$program" --help | sed -n 's/^ *--\([a-z-]*\).*/\1/p' | grep -vxE 'config|check-config|help|version'); do
        grep -qE "^(# )?$key:" "$root/deploy/larder-$daemon.yaml" || bad "larder-$daemon.yaml does not document $key"
    done
done
exit $status

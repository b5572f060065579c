#!/bin/sh
# Disks that fail, fill up or flip a bit, over the command line. usage: integration/faults.sh BIN_DIR
# After each fault: what was acknowledged is there, what is there was sent, and nothing corrupt is served.
set -u
bin=$(cd "$1" && pwd)
larder=$bin/larder
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
status=0
ok() { echo "ok $*"; }
bad() {
    status=1
    echo "not ok $*"
}

mkdir "$dir/defs"
cat >"$dir/defs/d.yaml" <<'T'
project: faults
entities: [{name: thing, join_keys: [{name: id, type: int64}]}]
sources:
  - {name: f, type: file, format: csv, path: base.csv, event_timestamp: event_timestamp, created_timestamp: created_timestamp}
feature_views:
  - name: v
    entity: thing
    source: f
    features: [{name: a, type: int64}, {name: s, type: string}]
T
facts() { # FROM TO: one fact an id, values follow from the id
    awk -v a="$1" -v b="$2" 'BEGIN { print "id,event_timestamp,created_timestamp,a,s";
        for (i = a; i < b; i++) printf "%d,2024-01-01T00:00:00Z,2024-01-01T00:00:00Z,%d,text-%d\n", i, i * 7, i }'
}
facts 0 3000 >"$dir/base.csv"
facts 3000 6000 >"$dir/more.csv"
facts 3000 63000 >"$dir/bulk.csv"
run() { "$larder" --store "local:$dir/store" --dir "$dir/defs" --quiet "$@"; }
fresh() {
    rm -rf "$dir/store"
    run apply >/dev/null && run ingest v "$dir/base.csv" >/dev/null || bad "set-up"
    cp -r "$dir/store" "$dir/pristine"
}
pristine() {
    rm -rf "$dir/store"
    cp -r "$dir/pristine" "$dir/store"
}
# Every row of the scan must be one that was sent; $1 rows of `base` at least.
scan_is_true() {
    run scan v -o "$dir/scan.csv" >/dev/null 2>"$dir/scan.err" || return 1
    awk -F, 'NR > 1 { if ($4 != $1 * 7 || $5 != "text-" $1) exit 1; n += $1 < 3000 } END { if (n != 3000) exit 1 }' "$dir/scan.csv"
}

fresh
survived=0 refused=0
# 1. Each kind of call fails at several places, once and for good, with small and with bulk input.
# shim SPEC INPUT: ingests with the library in front; $calls is how many such calls the run made.
shim() {
    env LD_PRELOAD="$bin/fault_shim.so" LARDER_SHIM="$1" LARDER_SHIM_DIR="$dir/store" LARDER_SHIM_COUNT="$dir/calls" \
        "$larder" --store "local:$dir/store" --dir "$dir/defs" --quiet ingest v "$dir/$2.csv" >"$dir/out" 2>&1
    code=$?
    calls=$(cat "$dir/calls" 2>/dev/null || echo 0)
}
for input in more bulk; do
    for call in write fsync open rename; do
        pristine
        shim "$call:999999999:EIO" $input
        total=$calls
        if [ $code != 0 ] || [ "$total" = 0 ]; then
            cat "$dir/out"
            bad "$input $call: $total calls without a fault, exit $code"
            continue
        fi
        for spec in "1:ENOSPC" "1:EIO:sticky" "2:EIO" "3:SHORT" "$((total / 4 + 1)):EIO" "$((total / 2 + 1)):ENOSPC:sticky" \
            "$((total * 3 / 4 + 1)):SHORT" "$((total > 2 ? total - 2 : 1)):EIO:sticky" "$((total > 1 ? total - 1 : 1)):ENOSPC" "$total:EIO"; do
            [ "${spec%%:*}" -le "$total" ] || continue
            pristine
            rm -f "$dir/calls"
            shim "$call:$spec" $input
            # exit 0 is an acknowledgement: then all of it must be there
            if ! run check >"$dir/check" 2>&1; then
                cat "$dir/out" "$dir/check"
                bad "$input $call:$spec of $total: check after the fault"
            elif ! scan_is_true; then
                cat "$dir/scan.err"
                bad "$input $call:$spec of $total: contents after the fault"
            elif [ $code = 0 ] && [ "$(wc -l <"$dir/scan.csv")" -lt "$(($(wc -l <"$dir/$input.csv") + 3000))" ]; then
                bad "$input $call:$spec of $total: acknowledged and not there"
            elif [ $code -gt 128 ] && [ $code != 134 ]; then
                cat "$dir/out"
                bad "$input $call:$spec of $total: ended by signal $((code - 128))"
            elif [ $code = 0 ]; then
                survived=$((survived + 1))
                ok "$input $call:$spec of $total: done in spite of it, all there"
            else
                refused=$((refused + 1))
                ok "$input $call:$spec of $total: exit $code, nothing lost, nothing wrong"
            fi
        done
    done
done
# a shim that is not heard proves nothing
if [ $refused -gt 0 ]; then ok "$refused faults were reported, $survived did no harm"; else bad "no fault was noticed"; fi

# 2. A full disk: a small file system of its own, where root may mount one.
if mkdir "$dir/small" && mount -t tmpfs -o size=96m tmpfs "$dir/small" 2>/dev/null; then
    cp -r "$dir/pristine" "$dir/small/store"
    full() { "$larder" --store "local:$dir/small/store" --dir "$dir/defs" --quiet "$@"; }
    head -c 40m /dev/zero >"$dir/small/filler" 2>/dev/null
    full ingest v "$dir/bulk.csv" >"$dir/out" 2>&1
    code=$?
    if [ $code = 3 ] && grep -qi space "$dir/out"; then ok "full disk: refused before anything was written"; else
        cat "$dir/out"
        bad "full disk: exit $code"
    fi
    if full get-online-features -f v:a -e id=17 --json | grep -q '"value":119'; then ok "full disk: reads go on"; else bad "full disk: reads"; fi
    rm "$dir/small/filler"
    if full ingest v "$dir/bulk.csv" >"$dir/out" 2>&1 && full check >/dev/null; then ok "full disk: works again with space"; else
        cat "$dir/out"
        bad "full disk: after freeing space"
    fi
    umount "$dir/small"
else
    echo "# skipped: full disk (no right to mount)"
fi

# 3. One flipped bit in every file of the store, at several places.
run ingest v "$dir/bulk.csv" >/dev/null
rm -rf "$dir/pristine"
cp -r "$dir/store" "$dir/pristine"
facts 0 63000 | sed 1d | sort >"$dir/sent"
harmless=0 caught=0 before=$status
status=0
for file in $(cd "$dir/pristine" && find . -type f ! -name LOCK ! -name 'LOG*' | sort); do
    for place in 0 130 370 500 810 1000; do
        pristine
        "$bin/flip" "$dir/store/$file" $place $((place % 8)) || continue
        run check >"$dir/check" 2>&1
        code=$?
        run scan v -o "$dir/scan.csv" >"$dir/scan.out" 2>&1
        scan=$?
        # whatever is served must have been sent
        if [ $scan = 0 ] && ! sed 1d "$dir/scan.csv" | sort | comm -23 - "$dir/sent" | awk 'NR == 1 { exit 1 }'; then
            bad "flip $file at $place: a value that nobody sent was served"
        elif [ $code -gt 128 ] || [ $scan -gt 128 ]; then
            cat "$dir/check" "$dir/scan.out"
            bad "flip $file at $place: ended by a signal ($code, $scan)"
        elif [ $code = 0 ] && [ $scan = 0 ] && ! sed 1d "$dir/scan.csv" | sort | cmp -s - "$dir/sent"; then
            bad "flip $file at $place: data is missing and nothing says so"
        elif [ $code = 0 ]; then
            harmless=$((harmless + 1))
        else
            caught=$((caught + 1))
        fi
    done
done
if [ $caught -gt 0 ] && [ $status = 0 ]; then ok "flipped bits: $caught reported, $harmless without effect (caches, statistics), none served"; else bad "flipped bits"; fi
[ $before = 0 ] || status=1
exit $status

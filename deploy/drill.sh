#!/bin/sh
# The demo's flow in a loop, and clients that know what is true, while members of the cluster in containers die, are cut off, stand
# still, are renewed and lose a disk. Called by `./run drill containers`.
# usage: deploy/drill.sh BIN_DIR [PART...]     parts: kill crash cut pause roll disk (default: all)
# It needs the place of `./run cluster`, and refuses to begin when a cluster is there. Takes its own down, however it ends.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
bin=$(cd "$1" && pwd) || exit 2
shift
[ $# -gt 0 ] || set -- kill crash cut pause roll disk
larder=$bin/larder
# shellcheck source=deploy/members.sh
. "$here/members.sh"
[ -z "$(docker ps -aq --filter label=com.docker.compose.project=larder)" ] || { echo "drill: a cluster is there already: ./run cluster down" >&2; exit 1; }
away_s=7 # longer than the coordinators wait before they take a node for down
began=$(date +%s)
work=$(mktemp -d)
passed=0
failed=0
traffic=
flow=
finish() {
    trap '' INT TERM HUP
    for pid in $flow $traffic; do kill "$pid" 2>/dev/null; done
    [ "$failed" = 0 ] || { compose logs --no-color >"$work/members.log" 2>&1; echo "kept: $work"; }
    "$here/cluster.sh" down >/dev/null 2>&1
    [ "$failed" != 0 ] || rm -rf "$work"
}
trap finish EXIT
trap 'failed=$((failed + 1)); exit 1' INT TERM HUP
trap '' PIPE
export LARDER="$larder" LARDER_STORE="$store" LARDER_CACHE_DIR="$work/cache" LARDER_TEMPLATES="$root/examples"
millis() { date +%s%3N; }
seconds() { awk -v ms="$1" 'BEGIN { printf "%.1f", ms / 1000 }'; }
check() { # CODE TEXT
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        echo "ok $2"
    else
        failed=$((failed + 1))
        echo "not ok $2"
    fi
}

# ---- the flow: one command after the other, each a client of its own ----
join_into() { # FILE [global options]
    file=$1
    shift
    "$larder" "$@" get-historical-features -s delay_model_v1 --spine spine.csv --timestamp-column event_ts \
        --known-at-column event_ts --full-feature-names -o "$file"
}
online() { "$larder" "$@" get-online-features -s delay_model_v1 --full-feature-names -e origin=JFK -e dest=LAX -e carrier=B6 -e tailnum=N708JB; }
as_of() { "$larder" "$@" get-online-features -f weather:temp,weather:visib -e origin=JFK --as-of 2013-02-09T03:30:00Z; }
# Exit 1 means "done, but some rows were rejected": the example has such rows on purpose.
load() { "$larder" "$@" materialize 2013-02-15 2013-02-28T23:59:59Z || [ $? = 1 ]; }
same_join() { join_into "$work/flow.csv" && cmp "$work/flow.csv" "$work/train.csv"; }
same_online() { online >"$work/flow.online" && cmp "$work/flow.online" "$work/online"; }
same_as_of() { as_of >"$work/flow.as_of" && cmp "$work/flow.as_of" "$work/as_of"; }
step() { # COMMAND...: one line in flow.log: when it began, how long it took, what, how it ended
    at=$(millis)
    code=0
    "$@" >"$work/step.log" 2>&1 || code=$?
    echo "$at $(($(millis) - at)) $* $code" >>"$work/flow.log"
    [ $code = 0 ] || { echo "# $* ended with $code: $(tail -n 2 "$work/step.log" | tr '\n' ' ')" >>"$work/trouble"; }
}
define() { "$larder" apply; }
search() { "$larder" search delay; }
run_flow() {
    while [ ! -e "$work/stop" ]; do
        step define
        step load
        step same_join
        step same_as_of
        step search
        for _ in 1 2 3 4 5; do step same_online; done
    done
}

# ---- the traffic: a program that is asked what became of its requests ----
ask() { # COMMAND: answer
    echo "$1" >&3
    answer=
    while read -r answer <&4; do
        case "$answer" in \#*) echo "$answer" >>"$work/trouble" ;; *) break ;; esac
    done
}

# ---- what happens to a member: each leaves it well, and `back_ms` ----
awaited() { # SERVICE: from now on
    from=$(millis)
    code=0
    within 60 well "$1" || code=1
    back_ms=$(($(millis) - from))
    return $code
}
do_kill() { # SERVICE
    docker kill -s KILL "$(container "$1")" >/dev/null && sleep $away_s && docker start "$(container "$1")" >/dev/null && awaited "$1"
}
# The program dies by itself: the restart policy brings it back.
do_crash() { # SERVICE
    started=$(docker inspect -f '{{.State.StartedAt}}' "$(container "$1")")
    # shellcheck disable=SC2016
    docker exec "$(container "$1")" sh -c 'kill -9 $(cat /proc/1/task/1/children)' || return 1
    within 30 restarted "$1" && awaited "$1"
}
restarted() { [ "$(docker inspect -f '{{.State.Running}} {{.State.StartedAt}}' "$(container "$1")")" != "true $started" ]; }
inside() { # SERVICE PATH: what it says of itself, asked where it is
    docker exec "$(container "$1")" larder health "127.0.0.1:$(health_port "$1")/$2" >/dev/null 2>&1
}
do_cut() { # SERVICE
    docker network disconnect $network "$(container "$1")" || return 1
    sleep $away_s
    inside "$1" healthz
    check $? "$1, cut off, says that it is healthy"
    ! inside "$1" readyz
    check $? "$1, cut off, says that it is not ready"
    docker network connect --ip "$(address "$1")" --alias "$1" $network "$(container "$1")" && awaited "$1" || return 1
    [ "$back_ms" -le 5000 ]
    check $? "$1, connected again, is ready within 5 s"
    case "$1" in
    node-*)
        within 10 numbered "$1"
        check $? "$1, connected again, is up by the map within 10 s"
        ;;
    esac
}
do_pause() { # SERVICE
    docker pause "$(container "$1")" >/dev/null && sleep $away_s && docker unpause "$(container "$1")" >/dev/null && awaited "$1"
}
do_roll() {
    from=$(millis)
    "$here/cluster.sh" roll >"$work/roll.log" 2>&1
    code=$?
    back_ms=$(($(millis) - from))
    [ $code = 0 ] || cat "$work/roll.log"
    return $code
}
# Its number is the newest of those with this address.
number_of() { "$larder" node list --json | sed -n "s/.*\"id\":\([0-9]*\),\"address\":\"$(address "$1"):.*\"state\":\"$2\".*/\1/p" | tail -n 1; }
numbered() { [ -n "$(number_of "$1" active)" ]; }
drained() { "$larder" node list --json 2>/dev/null | grep "\"id\":$old," | grep -q '"replicas":0[,}]'; }
# Volume and all: it comes back as a new node, and the old one's replicas are made anew.
do_disk() { # SERVICE
    old=$(number_of "$1" active)
    from=$(millis)
    docker rm -f "$(container "$1")" >/dev/null && docker volume rm "larder_$1" >/dev/null &&
        compose up -d --no-deps "$1" >"$work/up.log" 2>&1 || return 1
    within 60 well "$1" && within 30 numbered "$1" || return 1
    new=$(number_of "$1" active)
    check "$([ -n "$old" ] && [ -n "$new" ] && [ "$new" != "$old" ]; echo $?)" "$1 is another node now: $new, it was $old"
    "$larder" node drain "$old" >/dev/null && within 120 drained && "$larder" node remove "$old" >/dev/null
    code=$?
    within 60 well "$1" || code=1
    back_ms=$(($(millis) - from))
    return $code
}

# WHAT LABEL [SERVICE]: does it, waits until the member is well, and keeps what happened to requests meanwhile.
phase() {
    what=$1 label=$2
    shift 2
    at=$(millis)
    ask mark
    "do_$what" "$@"
    ended=$?
    ask mark
    echo "$at $(millis) ${answer#mark } $back_ms $label" >>"$work/phases"
    check $ended "$label: healthy and ready again, $(seconds "$back_ms") s"
}

"$here/cluster.sh" image || exit 1
"$here/cluster.sh" up >"$work/up" 2>"$work/up.err" || { cat "$work/up.err"; failed=1; exit 1; }
up_ms=$(sed -n 's/^All healthy and ready \([0-9]*\) ms.*/\1/p' "$work/up.err")
check "$([ "${up_ms:-99999}" -le 60000 ]; echo $?)" "all 7 members healthy and ready $(seconds "${up_ms:-0}") s after the image was there (at most 60)"

"$larder" init "$work/flights" >/dev/null && cd "$work/flights" || exit 1
for at in "$store" "$work/folder"; do
    "$larder" --store "$at" apply >/dev/null || { check 1 "apply"; exit 1; }
    "$larder" --store "$at" materialize 1950-01-01 2013-02-28T23:59:59Z >"$work/load.log" 2>&1 || [ $? = 1 ] ||
        { cat "$work/load.log"; check 1 "load"; exit 1; }
done
if ! { join_into "$work/train.csv" --store "$work/folder" 2>/dev/null && online --store "$work/folder" >"$work/online" &&
    as_of --store "$work/folder" >"$work/as_of"; }; then
    check 1 "the embedded store's answers"
    exit 1
fi
within 3 same_join >/dev/null 2>&1
check $? "the training set of 5,000 rows is that of an embedded store, byte for byte"

: >"$work/trouble"
mkfifo "$work/in" "$work/out"
mkdir "$work/defs"
"$bin/traffic" "$store" "$work/defs" <"$work/in" >"$work/out" 2>"$work/traffic.err" &
traffic=$!
exec 3>"$work/in" 4<"$work/out"
ask mark
run_flow &
flow=$!
do_nothing() { sleep 10; back_ms=0; }
phase nothing "nothing (10 s)"
for part in "$@"; do
    case "$part" in
    kill)
        for service in $coordinators $nodes; do
            led=
            [ "$service" != "$(leader)" ] || led=" (leads)"
            phase kill "$service$led killed" "$service"
        done
        ;;
    crash)
        phase crash "node-1 ends, restart policy" node-1
        service=$(leader)
        phase crash "$service (leads) ends, restart policy" "$service"
        ;;
    cut | pause)
        [ "$part" = cut ] && how="cut off" || how="stands still"
        phase "$part" "node-2 $how" node-2
        service=$(leader)
        phase "$part" "$service (leads) $how" "$service"
        ;;
    roll) phase roll "all seven renewed in turn" ;;
    disk) phase disk "node-3 loses its volume" node-3 ;;
    *) check 1 "no part '$part': there are kill crash cut pause roll disk" ;;
    esac
done

touch "$work/stop"
wait $flow
flow=
ask prove
check "$([ "${answer#prove ok}" != "$answer" ]; echo $?)" "every acknowledged fact is there and nothing else: $answer"
exec 3>&-
ask end 2>/dev/null
check "$([ "$answer" = "end ok" ]; echo $?)" "no read answered what was not so${answer#end ok}"
wait $traffic
traffic=
within 3 same_join >/dev/null 2>&1
check $? "the training set is still that of the embedded store, byte for byte"
equal() { "$larder" scrub --json >"$work/scrub" 2>&1 && ! grep -qE '"differing":[1-9]|"problem":"' "$work/scrub"; }
within 60 equal
check $? "replicas are equal"
"$larder" check >"$work/check" 2>&1
check $? "check"

awk -v flow="$work/flow.log" 'BEGIN {
    while ((getline line <flow) > 0) { split(line, f, " "); at[++n] = f[1]; took[n] = f[2]; bad[n] = f[4] != 0 }
    printf "\n%-44s %9s %8s %6s %8s %9s %9s %9s %8s\n", "", "requests", "commands", "failed", "in doubt", "slowest", "slowest", "longest", "seconds"
    printf "%-44s %9s %8s %6s %8s %9s %9s %9s %8s\n", "", "", "", "", "", "request", "command", "without", "to"
    printf "%-44s %9s %8s %6s %8s %9s %9s %9s %8s\n", "", "", "", "", "", "ms", "ms", "write ms", "ready"
}
{
    commands = 0; slow = 0; failed = $4
    for (i = 1; i <= n; i++) if (at[i] >= $1 && at[i] < $2) { commands++; failed += bad[i]; if (took[i] > slow) slow = took[i] }
    label = $0; sub(/^([^ ]+ ){8}/, "", label)
    printf "%-44s %9d %8d %6d %8d %9.1f %9d %9.1f %8.1f\n", label, $3, commands, failed, $5, $6, slow, $7, $8 / 1000
    requests += $3; all += commands; lost += failed; doubt += $5
}
END {
    printf "%-44s %9d %8d %6d %8d\n", "together", requests, all, lost, doubt
    exit lost + doubt > 0
}' "$work/phases"
check $? "no request and no command failed or was left in doubt"
echo "# slowest commands, ms: $(sort -k 2 -n -r "$work/flow.log" | awk 'NR <= 5 { printf "%s%s %s", (NR > 1 ? ", " : ""), $3, $2 }')"
[ ! -s "$work/trouble" ] || { echo "# of those that failed:"; head -n 40 "$work/trouble"; }
printf '\nin %s s\n%s passed, %s failed\n' "$(($(date +%s) - began))" "$passed" "$failed"
[ "$failed" = 0 ]

#!/bin/sh
# The backup of a cluster of real processes is a store of its own with the same answers: with all nodes there, with one of three
# dead (and facts written meanwhile), not with two. What was taken with one dead goes into a folder and into a new cluster, one node
# of which is dead as well. usage: cluster_backup.sh BIN_DIR. Prints "ok ..." and "not ok ..." lines.
set -u
bin=$(cd "$1" && pwd)
# shellcheck disable=SC2034
coordinators=1
# shellcheck source=integration/cluster.sh
. "$(dirname "$0")/cluster.sh"
l() { timeout 120 "$bin/larder" "$@"; }
begin() { # a cluster of its own folders
    coordinator 1
    for i in 1 2 3; do node $i; done
    tell 30 l --store "$store" --shards 4 cluster init --replicas 3 --write-quorum 2 --nodes 3 >/dev/null 2>&1
    say $? "$1: the ring is made"
    tell 30 placed 4 3
    say $? "$1: the shards are placed"
}
# Strict: else a set that is made right after a load may miss what its last two seconds brought, and a backup does not.
train() { # STORE FILE
    l --store "$1" get-historical-features --strict -s delay_model_v1 --spine spine.csv --timestamp-column event_ts --full-feature-names -o "$2"
}
# While nodes come and go a join may find nobody to answer for some seconds.
same() { train "$1" "$work/is.csv" 2>"$work/train.err" && cmp -s "$2" "$work/is.csv"; }
load() { l --store "$store" materialize "$1" "$2" || [ $? = 1 ]; } # some rows are bad on purpose

begin "a cluster of 3 nodes"
"$bin/larder" init "$work/demo" >/dev/null && cd "$work/demo" || exit 1
check "definitions are applied" tell 20 l --store "$store" apply
check "facts are loaded" load 1950-01-01 2013-01-31T23:59:59Z
check "a training set from the cluster" train "$store" "$work/january.csv"
check "backup" l --store "$store" backup "$work/whole"
! grep -q 'had no part' "$work/log"
say $? "nobody is missing from it"
check "restore into a folder" l --store "local:$work/back" restore "$work/whole"
check "the restored store is sound" l --store "local:$work/back" check
check "the restored store gives the same training set" same "local:$work/back" "$work/january.csv"

# ---- one of three dead ----
end KILL n2
check "facts are loaded while a node is dead" load 2013-02-01 2013-02-28T23:59:59Z
check "a training set with it dead" tell 10 train "$store" "$work/february.csv"
! cmp -s "$work/january.csv" "$work/february.csv"
say $? "it is another one"
check "backup with a node dead" l --store "$store" backup "$work/part"
grep -q "node [0-9]* (127.0.0.1:$((port + 22))) had no part in the backup of 4 shards" "$work/log"
say $? "it says who had no part in it" || cat "$work/log"
check "restore of that into a folder" l --store "local:$work/back2" restore "$work/part"
check "that store is sound" l --store "local:$work/back2" check
check "what was written while the node was dead is in it" same "local:$work/back2" "$work/february.csv"

# ---- two of three dead ----
end KILL n3
l --store "$store" backup "$work/none" >"$work/log" 2>&1
[ $? = 3 ] && grep -q 'too few are left' "$work/log"
say $? "with two dead the backup is refused, and says why" || cat "$work/log"
[ ! -e "$work/none" ]
say $? "it leaves nothing behind"

# ---- into a new cluster, one node of which is dead ----
for x in n1 c1; do end TERM $x; done
rm -rf "$work"/c1 "$work"/n[123]
begin "a new cluster"
end KILL n1
check "restore into it with a node dead" l --store "$store" restore "$work/part"
node 1
check "the same training set from there" tell 20 same "$store" "$work/february.csv"
ready() { l --store "$store" check >/dev/null 2>&1; }
check "with the node back it is sound" tell 30 ready
exit $status

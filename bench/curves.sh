#!/bin/sh
# How costs grow with entities, features, versions and shards: one store a point, by bench_curves.
# usage: bench/curves.sh BIN_DIR WORK_DIR OUT_DIR [--full | --small]
# OUT_DIR gets curves.tsv and the pictures. Default: under 5 minutes on two quiet cores. --full: 10 M entities besides
# (some 6 GB of memory and of disk, minutes more). --small: a hundredth, to see that it works.
set -eu
bin=$1
work=$2/curves
out=$3
size=${4:-}
seconds=${SECONDS_EACH:-1}
less=1
more=
case "$size" in
--full) more=10000000 ;;
--small) less=100 seconds=0.05 ;;
'') ;;
*) echo "usage: bench/curves.sh BIN_DIR WORK_DIR OUT_DIR [--full | --small]" >&2; exit 2 ;;
esac
say() { printf '%s\n' "$*" >&2; }
finish() { rm -rf "$work"; }
trap finish EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$out"
tsv=$out/curves.tsv
printf 'axis\tat\tmetric\tvalue\tunit\tentities\tfeatures\tversions\tshards\n' >"$tsv.new"
began=$(date +%s)
# point AXIS AT ENTITIES FEATURES VERSIONS SHARDS
point() {
    say "$(($(date +%s) - began)) s: $1 $2 ($3 entities x $4 features, $5 versions, $6 shards)"
    rm -rf "$work"
    mkdir -p "$work"
    "$bin/bench_curves" "$work" "$3" "$4" "$5" "$6" "$seconds" >"$work/point"
    while read -r metric value unit; do
        printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$metric" "$value" "$unit" "$3" "$4" "$5" "$6" >>"$tsv.new"
    done <"$work/point"
}
for n in 10000 100000 1000000 $more; do
    point entities $((n / less)) $((n / less)) 25 1 1
done
for n in 1 5 25 100 500; do
    point features $n $((20000 / less)) $n 1 1
done
for n in 1 10 100 1000 $((10000 / (less > 1 ? 5 : 1))); do
    point versions $n 100 5 $n 1
done
for n in 1 4 16 64; do
    point shards $n $((100000 / less)) 25 1 $n
done
mv "$tsv.new" "$tsv"
python3 "$(dirname "$0")/curves_plot.py" "$tsv" "$out"
say "$(($(date +%s) - began)) s in all. Figures: $tsv"

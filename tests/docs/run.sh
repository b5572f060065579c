#!/bin/sh
# Types the commands of the README's tour as they stand there (lines that start with "$ "). LARDER: the program.
set -u
larder=${LARDER:?}
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin"
ln -s "$larder" "$dir/bin/larder"
PATH=$dir/bin:$PATH
export PATH LARDER_TEMPLATES="$root/examples"
sed -n '/<!-- tour -->/,/<!-- end of tour -->/s/^\$ //p' "$root/README.md" >"$dir/tour"
cd "$dir" || exit 1
status=0
while IFS= read -r line; do
    case "$line" in
    cd\ *)
        cd "${line#cd }" || exit 1
        continue
        ;;
    esac
    sh -c "$line" >"$dir/out" 2>&1 </dev/null
    code=$?
    # 10: plan with changes; 1: some rows were rejected, which the tour shows
    case "$code" in
    0 | 1 | 10) echo "ok $line" ;;
    *)
        status=1
        cat "$dir/out"
        echo "not ok $line (exit $code)"
        ;;
    esac
done <"$dir/tour"
exit $status

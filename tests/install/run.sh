#!/bin/sh
# Installs into a folder of its own and uses it as a stranger would. usage: tests/install/run.sh BUILD_DIR
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
prefix=$dir/prefix
status=0
check() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >"$dir/log" 2>&1; then
        echo "ok $name"
    else
        status=1
        cat "$dir/log"
        echo "not ok $name"
    fi
}
check "cmake --install" cmake --install "$build" --prefix "$prefix"
lib=$(dirname "$(find "$prefix" -name liblarder.so | head -n 1)")
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"
unset LARDER_TEMPLATES

only_ldr_symbols() {
    nm -D --defined-only "$lib/liblarder.so" | awk '$2 ~ /[A-Z]/ && $2 != "A" {print $3}' | sed 's/@.*//' >"$dir/symbols"
    [ -s "$dir/symbols" ] && ! grep -v '^ldr_' "$dir/symbols"
}
two_headers() { # one to include, and the one that it includes
    [ "$(find "$prefix/include" -type f | wc -l)" = 2 ] && [ -f "$prefix/include/larder.h" ] && [ -f "$prefix/include/larder_scan.h" ]
}
header_alone() { # COMPILER LANGUAGE STANDARD
    echo '#include <larder.h>
int main(void) { return ldr_version() == 0; }' >"$dir/t.$2"
    # shellcheck disable=SC2046
    "$1" -std="$3" -Wall -Wextra -Wpedantic -Werror -x "$2" "$dir/t.$2" $(pkg-config --cflags --libs larder) -o "$dir/t" && "$dir/t"
}
examples_pkg_config() {
    cp -r examples/c "$dir/pc" && make -C "$dir/pc" && run_examples "$dir/pc"
}
examples_cmake() {
    cp -r examples/c "$dir/cm" && cmake -S "$dir/cm" -B "$dir/cm/build" -DCMAKE_PREFIX_PATH="$prefix" &&
        cmake --build "$dir/cm/build" && run_examples "$dir/cm/build"
}
run_examples() {
    for program in quickstart training async; do
        (cd "$(mktemp -d -p "$dir")" && "$1/$program") || return 1
    done
}
installed_program() {
    "$prefix/bin/larder" --version && "$prefix/bin/larder" init "$dir/demo" && "$prefix/bin/larder" --dir "$dir/demo" apply
}
man_pages() {
    for page in "$prefix"/share/man/man*/*; do
        man --warnings -E UTF-8 -l -Tutf8 "$page" 2>&1 >/dev/null | grep . && return 1
    done
    for page in man1/larder.1 man3/liblarder.3 man5/larder-definitions.5 man8/larder-node.8 man8/larder-coordinator.8 man8/larder-gateway.8; do
        [ -f "$prefix/share/man/$page" ] || { echo "no $page"; return 1; }
    done
}
# section 8 documents exactly the options there are
daemons() {
    for program in larder-node larder-coordinator larder-gateway; do
        "$prefix/bin/$program" --help | grep -o '^ *--[a-z-]*' | tr -d ' ' | sort >"$dir/has"
        sed -n '/^\.SH OPTIONS/,/^\.SH HTTP/s/^\.BI* \(\\-\\-[^ ]*\).*/\1/p' "$prefix/share/man/man8/$program.8" |
            tr -d '\\' | grep -v '^--config$' | { cat; echo --config; } | sort >"$dir/told"
        [ -s "$dir/has" ] && diff "$dir/has" "$dir/told" || return 1
    done
}
check "only ldr_ symbols are exported" only_ldr_symbols
check "one header to include" two_headers
check "header alone in C11" header_alone gcc c c11
check "header alone in C++17" header_alone g++ c++ c++17
check "examples by pkg-config" examples_pkg_config
check "examples by find_package(Larder)" examples_cmake
check "the installed program finds its templates" installed_program
check "manual pages" man_pages
check "the daemons are installed, their options documented" daemons
exit $status

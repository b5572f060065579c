#!/bin/sh
# For each Python: a clean environment, `pip install './python[pandas]'` as a user types it, and the Python of README.md and
# docs/python.md as it stands there; then the wheel that the first one builds, installed into a clean environment of each, and the same.
# usage: versions.sh WORK_DIR PYTHON...    (paths or names of interpreters) Prints "ok ..." and "not ok ..." lines.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
mkdir -p "$1" || exit 1
work=$(cd "$1" && pwd)
shift
status=0
check() { # NAME COMMAND...
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok $what"
    else
        status=1
        tail -n 20 "$work/log"
        echo "not ok $what"
    fi
}
fresh() { # PYTHON: an environment with nothing in it
    rm -rf "$work/venv" && "$1" -m venv "$work/venv"
}
pip() { "$work/venv/bin/pip" --disable-pip-version-check -q "$@"; }
tour() ( # PAGE: its Python, in a folder of its own beside the examples, without pytest
    rm -rf "$work/tour" && mkdir "$work/tour" && ln -s "$root/examples" "$work/tour/examples" && cd "$work/tour" &&
        "$work/venv/bin/python" - "$root/$1" <<'P'
import re, sys
page = open(sys.argv[1], encoding="utf-8").read()
blocks = re.findall(r"<!-- run -->\n```python\n(.*?)```", page, re.S)
assert blocks, "no Python on the page"
exec(compile("\n".join(blocks), sys.argv[1], "exec"))
P
)
both_tours() { # NAME
    check "$1: README.md" tour README.md
    check "$1: docs/python.md" tour docs/python.md
}
first=$1
for python in "$@"; do
    name=$("$python" -c 'import platform; print(platform.python_version())') || { echo "not ok $python"; exit 1; }
    check "$name: a clean environment" fresh "$python"
    check "$name: pip install './python[pandas]'" pip install './python[pandas]'
    both_tours "$name"
done
rm -rf "$work/dist"
built=$("$first" -c 'import platform; print(platform.python_version())')
check "a wheel by $built" fresh "$first"
check "a wheel by $built: pip wheel" pip wheel --no-deps -w "$work/dist" ./python
wheel=$(echo "$work"/dist/larder-*-cp39-abi3-linux_*.whl)
check "a wheel by $built: one for every Python from 3.9 on (abi3)" test -f "$wheel"
for python in "$@"; do
    name=$("$python" -c 'import platform; print(platform.python_version())')
    check "the wheel in $name: a clean environment" fresh "$python"
    check "the wheel in $name: pip install" pip install "${wheel}[pandas]"
    both_tours "the wheel in $name"
done
exit $status

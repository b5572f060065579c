#!/bin/sh
# Installs the package into an environment of its own and tests it as a user has it. usage: run.sh VENV [partitions]
# partitions: with dask, Ray, PyTorch and Spark (4 GB), and only the tests of partitions.
# LARDER_BUILD_DIR: the CMake build whose library and command line are taken.
set -u
cd "$(dirname "$0")/.." || exit 1
root=$(cd .. && pwd)
venv=$root/$1
python=${LARDER_PYTHON:-python3}
export LARDER="$LARDER_BUILD_DIR/bin/larder"
[ -x "$venv/bin/pip" ] || "$python" -m venv "$venv" || exit 1
pip() {
    "$venv/bin/pip" --disable-pip-version-check -q "$@"
}
# What the package is built with and what it works with; what is there already is not asked for again.
if ! pip install 'setuptools>=61' wheel 'cffi>=1.15' 'pyarrow>=14' 'pandas>=1.5' 'polars>=1.0' numpy 'pytest>=7' mypy tqdm 'moto[server]' gcp-storage-emulator \
    nbclient ipykernel scikit-learn \
    >"$venv/install.log" 2>&1; then
    if ! "$venv/bin/python" -c 'import cffi, pyarrow, pandas, polars, numpy, pytest, mypy, tqdm, moto, gcp_storage_emulator, nbclient, ipykernel, sklearn'; then
        tail -n 3 "$venv/install.log"
        echo "packages cannot be installed (no way to a package index?)"
        exit 77
    fi
fi
if [ "${2:-}" = partitions ]; then
    if ! pip install 'dask[dataframe]' 'ray[data]' torch pyspark >>"$venv/install.log" 2>&1; then
        tail -n 3 "$venv/install.log"
        echo "packages cannot be installed (no way to a package index?)"
        exit 77
    fi
fi
status=0
check() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >"$venv/log" 2>&1; then
        echo "ok $name"
    else
        status=1
        cat "$venv/log"
        echo "not ok $name"
    fi
}
check "pip install ./python" pip install --no-build-isolation --no-deps --force-reinstall .
tests=.
if [ "${2:-}" = partitions ]; then
    tests=test_partition.py
else
    check "mypy --strict" "$venv/bin/python" -m mypy --strict larder
fi
# from a folder of its own, so that what is imported is what was installed
cd tests || exit 1
"$venv/bin/python" -P -c 'pass' 2>/dev/null && path=-P || path=
# shellcheck disable=SC2086
"$venv/bin/python" $path -m pytest -q -rA --tb=short -p no:cacheprovider $tests >"$venv/log" 2>&1 || status=1
sed -e 's/^PASSED /ok /' -e 's/^FAILED /not ok /' -e 's/^ERROR /not ok /' "$venv/log"
exit $status

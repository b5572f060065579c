#!/bin/sh
# Sourced by the scripts that run Feast: a virtual environment in build/ with Feast from its package, made once; needs a package
# registry for that. Sets venv.
feast_version=0.67.0
venv=$(cd "$(dirname "$0")/.." && pwd)/build/feast-venv
if ! "$venv/bin/python" -c "import feast, sys; sys.exit(feast.__version__ != '$feast_version')" 2>/dev/null; then
    echo "Installing Feast $feast_version from its package" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" --disable-pip-version-check install --quiet "feast==$feast_version"
fi
# larder_package BUILD_DIR: the Python package with the library of that build, and what its tests need
larder_package() {
    "$venv/bin/python" -c 'import setuptools, wheel, cffi, pytest, nbclient, ipykernel' 2>/dev/null ||
        "$venv/bin/pip" --disable-pip-version-check install --quiet 'setuptools>=61' wheel 'cffi>=1.15' 'pytest>=7' nbclient ipykernel
    LARDER_BUILD_DIR=$1 "$venv/bin/pip" --disable-pip-version-check install --quiet --no-build-isolation --no-deps --force-reinstall \
        "$(cd "$(dirname "$0")/../python" && pwd)"
}
# run_pytest ARGS: one line a test, "ok ..." or "not ok ...", and what failed in full
run_pytest() {
    out=$(mktemp)
    code=0
    "$venv/bin/python" -m pytest -q -rfEsp --tb=short -p no:cacheprovider -W ignore "$@" >"$out" 2>&1 || code=$?
    sed -e 's/^PASSED /ok /' -e 's/^FAILED /not ok /' -e 's/^ERROR /not ok /' "$out"
    rm -f "$out"
    return $code
}

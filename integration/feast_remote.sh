#!/bin/sh
# An unmodified Feast SDK, from its package, with `online_store: {type: remote}` before a larder-gateway.
# usage: integration/feast_remote.sh BIN_DIR. Makes a virtual environment in build/ once; needs a package registry for that.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../build/feast-venv
version=0.67.0
if ! "$venv/bin/python" -c "import feast, sys; sys.exit(feast.__version__ != '$version')" 2>/dev/null; then
    echo "Installing Feast $version from its package" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "feast==$version"
fi
FEAST_USAGE=False exec "$venv/bin/python" "$here/feast_remote.py" "$1"

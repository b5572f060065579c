#!/bin/sh
# The gateway's OpenAPI document searched by schemathesis for what it promises and the gateway breaks, and for what breaks the gateway.
# usage: gateway_schema.sh BIN_DIR. Makes a virtual environment in build/ once, from the package index; 77 where it cannot.
# LARDER_SCHEMA_EXAMPLES (15): requests that are tried in search of each kind of mistake; LARDER_SCHEMA_SEED (1).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../build/schema-venv
version=4.32.5
if ! "$venv/bin/python" -c "import importlib.metadata as m, sys; sys.exit(m.version('schemathesis') != '$version')" 2>/dev/null; then
    rm -rf "$venv"
    log=$here/../build/schema-venv.log
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "schemathesis==$version"; } >"$log" 2>&1; then
        tail -n 3 "$log"
        echo "schemathesis $version cannot be installed (no way to a package index?)"
        exit 77
    fi
fi
exec "$venv/bin/python" "$here/gateway_schema.py" "$1" "$venv/bin/schemathesis"

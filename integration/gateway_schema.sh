#!/bin/sh
# Programs of others before the gateway: its OpenAPI document searched by schemathesis for what it promises and the gateway breaks, and for
# what breaks the gateway; its Arrow read, and spines written, by pyarrow.
# usage: gateway_schema.sh BIN_DIR. Makes a virtual environment in build/ once, from the package index; 77 where it cannot.
# LARDER_SCHEMA_EXAMPLES (15): requests that are tried in search of each kind of mistake; LARDER_SCHEMA_SEED (1).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../build/schema-venv
version=4.32.5
if ! "$venv/bin/python" -c "import importlib.metadata as m, sys, pyarrow; sys.exit(m.version('schemathesis') != '$version')" 2>/dev/null; then
    rm -rf "$venv"
    log=$here/../build/schema-venv.log
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "schemathesis==$version" "pyarrow>=14"; } >"$log" 2>&1; then
        tail -n 3 "$log"
        echo "schemathesis $version and pyarrow cannot be installed (no way to a package index?)"
        exit 77
    fi
fi
status=0
"$venv/bin/python" "$here/gateway_schema.py" "$1" "$venv/bin/schemathesis" || status=1
"$venv/bin/python" "$here/gateway_arrow.py" "$1" || status=1
"$venv/bin/python" "$here/gateway_spine.py" "$1" || status=1
exit $status

#!/bin/sh
# An unmodified Feast SDK, from its package, with `online_store: {type: remote}` before a larder-gateway.
# usage: integration/feast_remote.sh BIN_DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=integration/feast_venv.sh
. "$here/feast_venv.sh"
FEAST_USAGE=False exec "$venv/bin/python" "$here/feast_remote.py" "$1"

#!/bin/sh
# larder-gateway as a real process over loopback. usage: integration/gateway.sh BIN_DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/gateway_http.py" "$1"

#!/bin/sh
# larder-gateway as a real process over loopback. usage: integration/gateway.sh BIN_DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
status=0
for part in gateway_http gateway_write gateway_gzip gateway_hostile; do
    python3 "$here/$part.py" "$1" || status=1
done
exit $status

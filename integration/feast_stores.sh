#!/bin/sh
# An unmodified Feast, from its package, with Larder's online and offline store, `larder import-feast`, and the notebook about moving.
# usage: integration/feast_stores.sh BIN_DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$1" && pwd)
# shellcheck source=integration/feast_venv.sh
. "$here/feast_venv.sh"
larder_package "$(dirname "$bin")"
# from a folder of its own, so that what is imported is what was installed
cd "$here/../python/tests"
export FEAST_USAGE=False LARDER="$bin/larder" LARDER_PYTHON="$venv/bin/python"
run_pytest test_feast*.py test_notebooks.py -k 'feast'

#!/bin/sh
# Feast's own universal tests over Larder's stores: those of its offline stores, then those of its online stores, with a line that counts.
# usage: integration/feast_universal.sh BIN_DIR FEAST_SOURCE [offline|online|sqlite]
# sqlite: those of the online stores over Feast's own, to compare with.
# FEAST_SOURCE: a checkout of feast-dev/feast, for its tests, which no package has; what is tested is the Feast of the package.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$1" && pwd)
source=$(cd "$2" && pwd)/sdk/python
# shellcheck source=integration/feast_venv.sh
. "$here/feast_venv.sh"
larder_package "$(dirname "$bin")"
"$venv/bin/python" -c 'import testcontainers, minio, keycloak, grpc, pytest_env, pytest_timeout, pytest_asyncio, xdist, pytest_mock, google.cloud.bigquery, google.cloud.storage' 2>/dev/null ||
    "$venv/bin/pip" --disable-pip-version-check install --quiet testcontainers minio python-keycloak grpcio boto3 pytest-env pytest-timeout \
        pytest-asyncio pytest-xdist pytest-mock assertpy google-cloud-bigquery google-cloud-storage
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# the tests alone: beside its sources they would import these instead of the package
cp -r "$source/tests" "$source/pytest.ini" "$here/feast_universal.py" "$work"
cd "$work"
export FEAST_USAGE=False IS_TEST=True FEAST_IS_LOCAL_TEST=True FULL_REPO_CONFIGS_MODULE=feast_universal PYTHONPATH=. TMPDIR="$work"
status=0
case "${3:-both}" in offline | both)
    t=tests/integration/offline_store
    FEAST_UNIVERSAL=offline run_pytest --integration -m 'not ray_offline_stores_only' $t/test_universal_historical_retrieval.py \
        $t/test_universal_materialization.py $t/test_universal_types.py $t/test_offline_write.py $t/test_persist.py \
        $t/test_push_features_to_offline_store.py $t/test_feature_logging.py $t/test_non_entity_mode.py || status=1
    ;;
esac
case "${3:-both}" in online | sqlite | both)
    what=${3:-online}
    [ "$what" != both ] || what=online
    t=tests/integration/online_store
    # not here: search by similarity, DynamoDB with a fixture of its own, PostgreSQL's pools of connections, Redis' setting key_ttl_seconds.
    # Not local: else some return before they test anything.
    FEAST_IS_LOCAL_TEST=False FEAST_UNIVERSAL=$what run_pytest --integration $t/test_universal_online.py $t/test_universal_online_types.py \
        $t/test_push_features_to_online_store.py $t/test_universal_e2e.py \
        -k 'not dynamo and not document and not milvus and not hybrid and not openai and not connection_pool and not entity_ttl' || status=1
    ;;
esac
exit $status

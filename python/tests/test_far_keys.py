"""Parquet in object stores, on loopback: credentials, the command line, and stores that are not S3 (far.py)."""

import datetime as dt
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import traceback

import boto3
import pyarrow.fs as fs
import pytest

import far
import larder
from far import ERROR, EXPIRED, MAY, ROWS, failing, partitioned, stored, table, then_deny, view
from larder import parquet

# ---- Credentials ----


@pytest.mark.parametrize("status, code", [(400, b"ExpiredToken"), (403, b"InvalidAccessKeyId"), (403, b"AccessDenied")])
def test_refused_credentials(declared, proxy, status, code):
    proxy.set(status, body=ERROR % (code, b"because of " + code))
    rows = table(10)
    for call in (lambda: declared.ingest("account", f"s3://features/large.parquet?{far.options(proxy.port)}"),
                 lambda: declared.ingest("account", f"s3://features/*.parquet?{far.options(proxy.port)}"),
                 lambda: parquet.write(iter(rows.to_batches()), rows.schema, f"s3://features/no.parquet?{far.options(proxy.port)}")):  # fmt: skip
        e = failing(call)
        assert f"because of {code.decode()}" in str(e) and "s3://features/" in str(e) and "credentials come from" in str(e)
        assert not e.retryable


def test_credentials_that_expire_in_the_middle(declared, proxy, large, monkeypatch):
    monkeypatch.setattr("larder.ingest.BATCH_ROWS", 50_000)
    url = f"s3://features/large.parquet?{far.options(proxy.port)}"
    threading.Thread(target=then_deny, args=(proxy, lambda: proxy.bytes > 2_000_000), daemon=True).start()
    e = failing(lambda: declared.ingest("account", url))
    assert "The provided token has expired" in str(e) and "'s3://features/large.parquet' cannot be read" in str(e) and not e.retryable
    told = int(str(e).split(" rows before that are stored")[0].rsplit("(", 1)[1]) if "before that" in str(e) else 0
    assert told < ROWS and stored(declared).num_rows == told
    proxy.set(None)
    declared.ingest("account", url)
    assert stored(declared).num_rows == ROWS


def test_s3_that_checks_credentials(tmp_path, monkeypatch):
    """moto with its checks on, with a user of its own."""
    with far.moto(tmp_path / "log") as port:
        where = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
        iam = boto3.client("iam", **where)
        iam.create_user(UserName="reader")
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps(allowed))
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        far.ask(port, "PUT", "/features")
        far.ask(port, "POST", "/moto-api/reset-auth", b"0")
        url = f"s3://features/x.parquet?{far.options(port)}"
        rows = table(10)

        def write():
            parquet.write(iter(rows.to_batches()), rows.schema, url)

        for id, secret, why in ((key["AccessKeyId"], "wrong", "SIGNATURE_DOES_NOT_MATCH|signature"), ("AKIANOBODY0000000000", "x", "INVALID_ACCESS_KEY_ID|does not exist")):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", id)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
            e = failing(write)
            assert any(w in str(e) for w in why.split("|")) and "credentials come from" in str(e) and not e.retryable
            assert "s3://features/x.parquet" in str(e)
            read = failing(lambda: parquet.Files(url))
            assert any(w in str(read) for w in why.split("|")) and "s3://features/x.parquet" in str(read)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        write()
        assert parquet.Files(url).dataset.to_table().equals(rows)


SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
WITH_KEYS = (
    f"s3://AKIDEXAMPLE:{SECRET}@features/x.parquet",
    f"s3://AKIDEXAMPLE:{SECRET.replace('/', '%2F')}@features/x.parquet",
    f"abfs://account:{SECRET}@container/x.parquet",
    f"abfs://container@account.dfs.core.windows.net/x.parquet?client_secret={SECRET}",
    f"s3://features/x.parquet?no_such_option={SECRET}&secret_key={SECRET}",
)


def test_keys_are_not_shown(declared, moto, caplog, cli, monkeypatch, tmp_path, capfd):
    caplog.set_level(logging.DEBUG)
    rows = table(10)
    url = f"s3://AKIDEXAMPLE:{SECRET.replace('/', '%2F')}@features/keyed.parquet?{far.options(moto)}"
    parquet.write(iter(rows.to_batches()), rows.schema, url)
    declared.ingest("account", url, progress=True)
    texts = [repr(declared.list("sources")), repr(declared.describe("sources", "s"))]
    with far.Proxy(moto) as proxy:
        proxy.set(403, body=ERROR % (b"AccessDenied", b"no"))
        for given in (*WITH_KEYS[:1], url.replace(str(moto), str(proxy.port)), WITH_KEYS[4]):
            for call in (lambda: declared.ingest("account", given), lambda: parquet.write(iter(rows.to_batches()), rows.schema, given)):
                try:
                    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
                    call()
                    raise AssertionError("it should have failed")
                except larder.LarderError as e:
                    texts.append(_traced(e))
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.setenv("LARDER_PYTHON", sys.executable)
    done = subprocess.run([os.environ.get("LARDER", "larder"), "--store", declared.url, "ingest", "account", url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    texts += [done.stdout, done.stderr, caplog.text, *capfd.readouterr()]
    declared.close()
    for folder, _, names in os.walk(tmp_path):
        texts += [open(os.path.join(folder, n), "rb").read().decode("latin1") for n in names]
    for t in texts:
        assert SECRET not in t and SECRET.replace("/", "%2F") not in t and "AKIDEXAMPLE" not in t, t[:500]


def _traced(e):
    """What a program that does not catch it shows, without its lines of this file."""
    shown = traceback.format_exception(type(e), e, e.__traceback__)
    return "".join(line for line in shown if not line.startswith('  File "' + __file__))


@pytest.mark.parametrize("path", WITH_KEYS)
def test_keys_do_not_get_into_the_registry(store, tmp_path, cli, path):
    with pytest.raises(larder.DefinitionError) as e:
        store.apply(view(path))
    assert "credentials" in str(e.value) and SECRET not in str(e.value) and SECRET.replace("/", "%2F") not in str(e.value)
    assert len(store.list("sources")) == 0


# ---- The command line ----


def test_the_command_line(tmp_path, cli, moto, monkeypatch, large):
    monkeypatch.setenv("LARDER_PYTHON", sys.executable)
    url = f"local:{tmp_path}/store"
    place = f"s3://features/large.parquet?{far.options(moto)}"
    with larder.connect(url) as s:
        s.apply(view(place))
    told = json.loads(cli("--store", url, "--json", "materialize", "2024-05-01", "2024-05-01T00:59:59Z"))
    assert told["taken"] == 3600
    assert json.loads(cli("--store", url, "--json", "ingest", "account", place))["taken"] == ROWS
    with far.Proxy(moto) as proxy:
        proxy.set(400, body=EXPIRED)
        args = [os.environ.get("LARDER", "larder"), "--store", url, "ingest", "account", place.replace(str(moto), str(proxy.port))]
        done = subprocess.run(args, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "'s3://features/large.parquet' cannot be read" in done.stderr and "token has expired" in done.stderr
    assert "Traceback" not in done.stderr


# ---- Google's and Microsoft's ----


@pytest.fixture(scope="module")
def gcs(tmp_path_factory):
    pytest.importorskip("gcp_storage_emulator")
    port = far.free_port()
    with far.gcs(port, tmp_path_factory.mktemp("gcs") / "log"):
        yield port


def test_google(store, gcs):
    with far.Proxy(gcs) as proxy:
        at = f"endpoint_override=127.0.0.1%3A{proxy.port}&scheme=http"
        place = "gs://anonymous@features"
        rows = table(100_000)
        assert parquet.write(iter(rows.to_batches()), rows.schema, f"{place}/x.parquet?{at}") == 100_000
        parts = partitioned(1000)
        assert parquet.write(iter(parts.to_batches()), parts.schema, f"{place}/parts?{at}", ["part"]) == 1000
        assert parquet.Files(f"{place}/parts/part=[12]/*.parquet?{at}").dataset.count_rows() == 500
        with pytest.raises(larder.InvalidError, match="is there already"):
            parquet.write(iter(parts.to_batches()), parts.schema, f"{place}/parts?{at}", ["part"])
        store.apply(view(f"{place}/*.parquet?{at}"))
        assert store.materialize(MAY, MAY + dt.timedelta(seconds=999)).total.taken == 1000
        proxy.reset()
        proxy.set("cut", after=300_000, times=2)
        assert store.ingest("account", f"{place}/x.parquet?{at}").taken == 100_000
        assert proxy.hits == 2 and stored(store).num_rows == 100_000
        with pytest.raises(larder.NotFoundError):
            store.ingest("account", f"{place}/nothing.parquet?{at}")
        proxy.set(403, body=b'{"error": {"code": 403, "message": "not for you"}}')
        e = failing(lambda: store.ingest("account", f"{place}/x.parquet?{at}"))
        assert "gs://anonymous@features/x.parquet' cannot be read" in str(e) and "not for you" in str(e) and not e.retryable
        proxy.set("refuse")
        e = failing(lambda: store.ingest("account", f"{place}/x.parquet?{at}&retry_limit_seconds=3"))
        assert "cannot be read" in str(e) and e.retryable
        proxy.set("cut up", after=100_000)
        e = failing(lambda: parquet.write(iter(rows.to_batches()), rows.schema, f"{place}/y.parquet?{at}&retry_limit_seconds=3"))
        assert "gs://anonymous@features/y.parquet' cannot be written" in str(e)
        proxy.set(None)
        with pytest.raises(larder.NotFoundError):
            parquet.Files(f"{place}/y.parquet?{at}")


def test_google_is_not_asked_for_a_quarter_of_an_hour(monkeypatch):
    seen = []
    monkeypatch.setattr("larder.places.need", lambda *_: type("fs", (), {"FileSystem": type("F", (), {"from_uri": staticmethod(lambda u: seen.append(u) or (0, "x"))})}))
    for url in ("gs://b/x.parquet", "gs://b/x.parquet?scheme=http", "gs://b/x?retry_limit_seconds=9", "s3://b/x"):
        larder.places.open_place(url)
    assert seen == ["gs://b/x.parquet?retry_limit_seconds=60", "gs://b/x.parquet?scheme=http&retry_limit_seconds=60", "gs://b/x?retry_limit_seconds=9", "s3://b/x"]


def test_microsoft(declared):
    """Not a store, but somebody who listens to what is asked, and refuses."""
    if not hasattr(fs, "AzureFileSystem"):
        pytest.skip("this pyarrow has no abfs://")
    for url, inside in (("abfs://files@account.dfs.core.windows.net/a/x.parquet", "files/a/x.parquet"),
                        ("abfss://files@account.dfs.core.windows.net/a", "files/a")):  # fmt: skip
        system, path = larder.places.open_place(url)
        assert (type(system).__name__, system.__reduce__()[1][0]["account_name"]) == ("AzureFileSystem", "account")
        assert path == inside
        assert larder.places.shown(url) == url
    with far.refusing(403) as (port, asked):
        url = f"abfs://account@127.0.0.1:{port}/files/a/x.parquet?enable_tls=false&credential_kind=anonymous"
        e = failing(lambda: declared.ingest("account", url))
        assert "/files/a/x.parquet' cannot be read" in str(e) and not e.retryable
        assert asked and all("/account/files" in r for r in asked)
        e = failing(lambda: parquet.write(iter(table(10).to_batches()), table(10).schema, url))
        assert "/files/a/x.parquet' cannot be written" in str(e)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = f"abfs://account@127.0.0.1:{s.getsockname()[1]}/files/a/x.parquet?enable_tls=false&credential_kind=anonymous"
        assert "cannot be read" in str(failing(lambda: declared.ingest("account", url)))

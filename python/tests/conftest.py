"""Stores in folders of their own, and the examples' data."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import larder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CLI = os.environ.get("LARDER", str(ROOT / "build" / "debug" / "bin" / "larder"))


@pytest.fixture
def store(tmp_path):
    with larder.connect(f"local:{tmp_path}/store") as s:
        yield s


@pytest.fixture
def cli():
    """Runs the command line."""

    def run(*args, ok=(0,)):
        done = subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, check=False)
        assert done.returncode in ok, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def flights(tmp_path_factory):
    """The flights example, materialized: its folder and its URL."""
    folder = tmp_path_factory.mktemp("flights")
    shutil.copytree(EXAMPLES / "flights", folder, dirs_exist_ok=True)
    url = f"local:{folder}/store"
    with larder.connect(url) as s:
        s.apply(folder)
        report = s.materialize("1950-01-01", "2013-02-28T23:59:59Z")
        assert report.total.taken > 1000
    return folder, url


# ---- Object stores on loopback ----


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    pytest.importorskip("moto")
    import far

    folder = tmp_path_factory.mktemp("moto")
    before = {k: os.environ.get(k) for k in far.KEYS}
    os.environ.update(far.KEYS)
    with far.moto(folder / "log") as port:
        far.ask(port, "PUT", "/features")
        yield port
    for k, v in before.items():
        os.environ.pop(k) if v is None else os.environ.update({k: v})


@pytest.fixture
def proxy(moto):
    import far

    with far.Proxy(moto) as p:
        yield p


@pytest.fixture(scope="session")
def large(moto, tmp_path_factory):
    """A file of more than 60 MB, put by another client in parts of 8 MB."""
    import boto3
    import pyarrow.parquet as pq
    from boto3.s3.transfer import TransferConfig
    from far import ROWS, table

    path = tmp_path_factory.mktemp("large") / "large.parquet"
    pq.write_table(table(), path, row_group_size=ROWS // 60)
    assert path.stat().st_size > 60e6
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{moto}", region_name="us-east-1")
    s3.upload_file(str(path), "features", "large.parquet", Config=TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20))
    parts = int(s3.head_object(Bucket="features", Key="large.parquet")["ETag"].strip('"').split("-")[1])
    assert parts > 7
    return path


@pytest.fixture
def declared(store):
    from far import view

    store.apply(view())
    return store

"""Parquet: sources, loading, training sets; in folders and behind S3's interface (moto's server on loopback)."""

import datetime as dt
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import larder

MAY = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)
N = 400


def facts(kind=None):
    """One fact an hour and customer; two features."""
    kind = kind or pa.timestamp("us", "UTC")
    times = pa.array([MAY + dt.timedelta(hours=i // 4) for i in range(N)], pa.timestamp("us", "UTC"))
    return pa.table({"customer_id": pa.array([i % 4 for i in range(N)]), "at": times.cast(kind),
                     "balance": pa.array([float(i) for i in range(N)]), "plan": pa.array([f"p{i}" for i in range(N)])})  # fmt: skip


def declare(store, path, format="parquet"):
    customer = larder.Entity("customer", {"customer_id": "int64"})
    source = larder.Source("s", path, format=format, event_timestamp="at")
    view = larder.FeatureView("account", customer, [larder.Feature("balance", "float64"), larder.Feature("plan", "string")], source)
    store.apply(view)


@pytest.mark.parametrize(
    "kind", [pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("ms", "Europe/Berlin"), pa.timestamp("s"), pa.int64()]
)
def test_ranges_of_every_kind_of_time(store, tmp_path, kind):
    pq.write_table(facts(kind), tmp_path / "facts.parquet", row_group_size=40)
    declare(store, str(tmp_path / "*.parquet"))
    low, high = MAY + dt.timedelta(hours=10), MAY + dt.timedelta(hours=20)
    report = store.materialize(low, high)
    assert report.total.taken == 44 and report["files"] == [1] and report["rows"] == [44]
    got = sorted(row["event_timestamp"] for row in store.scan("account"))
    assert (got[0], got[-1]) == (low, high)  # both ends inclusive
    # between two seconds nothing lies, whatever the column's unit
    assert store.materialize(low + dt.timedelta(microseconds=1), low + dt.timedelta(microseconds=2)).total.rows == 0
    store.materialize_incremental(MAY + dt.timedelta(hours=30))
    assert len(list(store.scan("account"))) == 31 * 4
    fields = {r["field"]: r["value"] for r in store.describe("feature-views", "account")}
    assert fields["materialized to"] == "2024-05-02T06:00:00Z"


def test_hive_partitions_patterns_and_folders(store, tmp_path):
    table = facts().append_column("day", pa.array([str((MAY + dt.timedelta(hours=i // 4)).date()) for i in range(N)]))
    ds.write_dataset(table, tmp_path / "set", format="parquet", partitioning=ds.partitioning(pa.schema([("day", pa.string())]), flavor="hive"))
    declare(store, "set")
    store.materialize("2024-05-01", "2024-05-01T23:59:59Z", dir=tmp_path)
    assert len(list(store.scan("account"))) == 96
    assert store.ingest("account", str(tmp_path / "set" / "day=2024-05-0*" / "*.parquet")).taken == N
    assert store.ingest("account", tmp_path / "set").taken == N
    assert len(list(store.scan("account"))) == N
    with pytest.raises(larder.NotFoundError, match="no file matches"):
        store.ingest("account", tmp_path / "nothing*.parquet")
    with pytest.raises(larder.NotFoundError, match="no file matches"):
        store.ingest("account", tmp_path / "nothing.parquet")


def test_partition_columns_are_columns(store, tmp_path):
    (tmp_path / "customer_id=7").mkdir()
    pq.write_table(facts().drop(["customer_id"]).slice(0, 1), tmp_path / "customer_id=7" / "x.parquet")
    declare(store, str(tmp_path))
    store.materialize("2024-01-01", "2024-12-31")
    assert [r["customer_id"] for r in store.scan("account")] == [7]


def test_errors_name_path_row_and_column(store, tmp_path):
    declare(store, "x.parquet")
    pq.write_table(facts().set_column(0, "customer_id", pa.array([1] * (N - 1) + [None], pa.int64())), tmp_path / "x.parquet")
    with pytest.raises(larder.InvalidError, match=r"x\.parquet, rows from 0 on: row 399: column customer_id: a join key must not be"):
        store.ingest("account", tmp_path / "x.parquet")
    with pytest.raises(larder.InvalidError, match="there is no column 'plan'"):
        pq.write_table(facts().drop(["plan"]), tmp_path / "y.parquet")
        store.ingest("account", tmp_path / "y.parquet")
    (tmp_path / "z.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(larder.StoreIOError, match="z.parquet' cannot be read"):
        store.ingest("account", tmp_path / "z.parquet")
    whole = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "torn.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(larder.StoreIOError):
        store.ingest("account", tmp_path / "torn.parquet")
    pq.write_table(facts().set_column(1, "at", pa.array(["2024-05-01"] * N)), tmp_path / "t.parquet")
    with pytest.raises(larder.InvalidError, match="column at"):
        store.ingest("account", tmp_path / "t.parquet")
    assert list(store.scan("account")) == []


def test_formats_mix(store, tmp_path):
    declare(store, "a.parquet")
    (tmp_path / "b.csv").write_text("customer_id,event_timestamp,n\n1,2024-05-01,5\n")
    other = larder.Source("t", "b.csv", event_timestamp="event_timestamp")
    store.apply(larder.FeatureView("other", "customer", [larder.Feature("n", "int64")], other))
    with pytest.raises(larder.NotFoundError, match=r"no file matches 'a\.parquet'"):
        store.materialize("2024-01-01", "2024-12-31", dir=tmp_path)
    assert list(store.scan("other")) == []  # everything is looked for before anything is read
    pq.write_table(facts(), tmp_path / "a.parquet")
    report = store.materialize("2024-01-01", "2024-12-31", dir=tmp_path)
    assert dict(zip(report["view"], report["taken"])) == {"other": 1, "account": N} and report.total.taken == N + 1
    assert store.materialize("2024-01-01", "2024-12-31", "account", dir=tmp_path).total.taken == N
    assert store.materialize("2024-01-01", "2024-12-31", "other", dir=tmp_path).total.taken == 1


def test_training_sets_are_written(store, tmp_path):
    declare(store, "x.parquet")
    store.ingest("account", facts(), event_timestamp="at")
    spine = {"customer_id": [i % 4 for i in range(100)], "event_timestamp": [MAY + dt.timedelta(days=3)] * 100,
             "month": ["a", "b"] * 50}  # fmt: skip
    train = store.get_historical_features(spine, "account", with_status=True)
    assert train.to_parquet(tmp_path / "t.parquet", rows=30) == 100
    back = pq.read_table(tmp_path / "t.parquet")
    assert back.column("balance").to_pylist() == train.to_dict()["balance"]
    assert back.column("plan__status").to_pylist() == ["PRESENT"] * 100
    assert train.to_parquet(tmp_path / "set", partition_by=["month"], rows=30) == 100
    assert sorted(os.listdir(tmp_path / "set")) == ["month=a", "month=b"]
    assert ds.dataset(tmp_path / "set", partitioning="hive").count_rows() == 100
    with pytest.raises(larder.InvalidError, match="is there already"):
        train.to_parquet(tmp_path / "set", partition_by=["month"])
    assert store.scan("account").to_parquet(tmp_path / "history.parquet") == N
    with larder.connect(f"local:{tmp_path}/again") as again:
        declare(again, "x")
        again.ingest("account", tmp_path / "history.parquet", event_timestamp="event_timestamp",
                     created_timestamp="created_timestamp")  # fmt: skip
        assert list(again.scan("account")) == list(store.scan("account"))
    broken = store.get_historical_features({**spine, "event_timestamp": [*spine["event_timestamp"][:-1], None]}, "account")
    with pytest.raises(larder.InvalidError):
        broken.to_parquet(tmp_path / "broken.parquet", rows=30)
    assert not [f for f in os.listdir(tmp_path) if "broken" in f or f.startswith(".larder-")]


# ---- S3 ----


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """moto's server on loopback, with one bucket."""
    pytest.importorskip("moto")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    log = open(tmp_path_factory.mktemp("moto") / "log", "wb")
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            try:
                request = urllib.request.Request(f"http://127.0.0.1:{port}/features", method="PUT")
                urllib.request.urlopen(request, timeout=5)
                break
            except OSError:
                assert server.poll() is None, "moto's server did not start"
                time.sleep(0.1)
        os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true")
        yield f"endpoint_override=http%3A%2F%2F127.0.0.1%3A{port}&region=us-east-1"
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def test_s3(store, tmp_path, s3):
    pq.write_table(facts(), tmp_path / "x.parquet")
    declare(store, f"s3://features/day=*/*.parquet?{s3}")
    store.ingest("account", facts(), event_timestamp="at")
    spine = {"customer_id": [1, 2], "event_timestamp": [MAY + dt.timedelta(days=3)] * 2, "day": ["x", "y"]}
    train = store.get_historical_features(spine, "account")
    assert train.to_parquet(f"s3://features/train/t.parquet?{s3}") == 2
    assert train.to_parquet(f"s3://features/parts?{s3}", partition_by=["day"]) == 2
    day = [str((MAY + dt.timedelta(hours=i // 4)).date()) for i in range(N)]
    fs, inside = pa.fs.FileSystem.from_uri(f"s3://features?{s3}")
    ds.write_dataset(facts().append_column("day", pa.array(day)), inside, filesystem=fs, format="parquet",
                     existing_data_behavior="overwrite_or_ignore", partitioning=ds.partitioning(pa.schema([("day", pa.string())]), flavor="hive"))  # fmt: skip
    with larder.connect(f"local:{tmp_path}/other") as other:
        declare(other, f"s3://features/day=*/*.parquet?{s3}")
        report = other.materialize("2024-05-02", "2024-05-02T23:59:59Z")
        assert report.total.taken == 96 and report["files"] == [5]
        other.materialize_incremental("2024-12-31")
        assert list(other.scan("account").to_arrow().drop(["created_timestamp"]).to_pylist()) == (
            store.scan("account").to_arrow().drop(["created_timestamp"]).to_pylist()
        )
        assert other.ingest("account", f"s3://features/day=2024-05-01?{s3}").taken == 96
    fs, inside = pa.fs.FileSystem.from_uri(f"s3://features/train/t.parquet?{s3}")
    assert pq.read_table(inside, filesystem=fs).column("balance").to_pylist() == train.to_dict()["balance"]
    assert ds.dataset("features/parts", filesystem=fs, partitioning="hive").count_rows() == 2
    with pytest.raises(larder.NotFoundError):
        store.ingest("account", f"s3://features/nothing*.parquet?{s3}")
    with pytest.raises(larder.NotFoundError) as e:
        store.ingest("account", f"s3://test:test@nowhere/x.parquet?{s3}")
    assert str(e.value) == "no file matches 's3://nowhere/x.parquet'"  # no secrets


def test_s3_that_does_not_answer(store):
    declare(store, "x")
    with socket.socket() as s:  # bound and not listening: refused at once
        s.bind(("127.0.0.1", 0))
        endpoint = f"endpoint_override=http%3A%2F%2F127.0.0.1%3A{s.getsockname()[1]}&region=us-east-1"
        with pytest.raises(larder.StoreIOError, match="cannot be read"):
            store.ingest("account", f"s3://features/x.parquet?{endpoint}")


# ---- The command line ----


def test_the_command_line_hands_over(tmp_path, cli, monkeypatch):
    monkeypatch.setenv("LARDER_PYTHON", sys.executable)
    monkeypatch.chdir(tmp_path)
    url = f"local:{tmp_path}/store"
    with larder.connect(url) as store:
        declare(store, "set/*.parquet")
    (tmp_path / "set").mkdir()
    pq.write_table(facts(), tmp_path / "set" / "x.parquet")
    told = cli("--store", url, "ingest", "account", "set/x.parquet", "--event-column", "at")
    assert told.startswith("account: 400 rows taken; 400 rows read in")
    (tmp_path / "y.csv").write_text("customer_id,at,balance,plan\n9,2024-05-01,1,x\n9,2024-05-02,bad,x\n")
    import json

    told = json.loads(cli("--store", url, "--json", "ingest", "account", "set/x.parquet", "y.csv", ok=(1,)))
    assert (told["taken"], told["rejected"], len(told["files"])) == (401, 1, 2)
    assert (tmp_path / "y.csv.rejects.csv").exists()
    told = json.loads(cli("--store", url, "--json", "materialize", "2024-05-01", "2024-05-01T23:59:59Z"))
    assert told["taken"] == 96 and told["views"][0]["to"] == "2024-05-01T23:59:59Z"
    assert "account" in cli("--store", url, "materialize-incremental", "2024-06-01", "-v", "account")
    assert cli("--store", url, "ingest", "nothing", "set/x.parquet", ok=(3,)) == ""
    pq.write_table(facts().drop(["plan"]), tmp_path / "z.parquet")
    cli("--store", url, "ingest", "account", "z.parquet", ok=(2,))
    cli("--store", url, "ingest", "account", "z.parquet", "--allow-missing")


def test_the_command_line_says_what_to_install(tmp_path, monkeypatch):
    from conftest import CLI

    (tmp_path / "bare").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bare").chmod(0o755)
    for python in (tmp_path / "bare", tmp_path / "not-there"):
        done = subprocess.run([CLI, "--store", f"local:{tmp_path}/s", "ingest", "v", "x.parquet"], capture_output=True, text=True,
                              env={**os.environ, "LARDER_PYTHON": str(python)}, check=False)  # fmt: skip
        assert done.returncode == 3
        assert "pip install './python[arrow]'" in done.stderr and str(python) in done.stderr

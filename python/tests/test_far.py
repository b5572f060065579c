"""Parquet in object stores, on loopback: objects of many parts, what is read of them, connections that end (far.py)."""

import datetime as dt
import os
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq
import pytest

import far
import larder
from far import MAY, NAMES, ROWS, failing, keys, partitioned, stored, table, then_deny, view
from larder import parquet

# ---- Large objects ----


def test_what_is_not_asked_for_is_not_read(store, proxy, large):
    """Of 2 of 24 features, and a twelfth of the time: bytes that came through."""
    whole = large.stat().st_size
    store.apply(view(f"s3://features/large.parquet?{far.options(proxy.port)}"))
    report = store.materialize(MAY, MAY + dt.timedelta(seconds=ROWS // 12 - 1))
    assert report.total.taken == ROWS // 12
    assert proxy.bytes < whole / 12 / 3, proxy.bytes  # 4 of 26 columns, and the footer
    proxy.reset()
    assert store.ingest("account", f"s3://features/large.parquet?{far.options(proxy.port)}").taken == ROWS
    assert whole / 20 < proxy.bytes < whole / 4
    assert stored(store).equals(table().select(stored(store).column_names).cast(stored(store).schema))


def test_partitions_that_are_out_of_range_are_not_asked_for(store, proxy):
    rows = table(5000)
    day = pa.array([f"2024-05-0{1 + i // 1000}" for i in range(5000)])
    for d in ("1", "2", "3", "4", "5"):
        part = rows.filter(pc.equal(day, f"2024-05-0{d}"))
        parquet.write(iter(part.to_batches()), part.schema, f"s3://features/days/day=2024-05-0{d}/x.parquet?{far.options(proxy.port)}")
    store.apply(view(f"s3://features/days?{far.options(proxy.port)}"))
    proxy.reset()
    assert store.materialize(MAY + dt.timedelta(seconds=2000), MAY + dt.timedelta(seconds=2999)).total.taken == 1000
    whole = proxy.bytes
    assert store.ingest("account", f"s3://features/days/day=2024-05-03?{far.options(proxy.port)}").taken == 1000
    proxy.reset()
    store.ingest("account", f"s3://features/days/day=2024-05-0[12]/*.parquet?{far.options(proxy.port)}")
    asked = {r.split("/")[3] for r in proxy.requests if "x.parquet" in r}
    assert asked == {"day%3D2024-05-01", "day%3D2024-05-02"} and proxy.bytes < whole * 2


def test_training_sets_of_many_parts(store, proxy, tmp_path):
    store.apply(view(features=NAMES))
    store.ingest("account", table(2000))
    rows = 200_000
    r = np.random.default_rng(8)
    spine = pa.table({"customer_id": r.integers(0, 1000, rows), "part": pa.array(r.integers(0, 3, rows)),
                      "event_timestamp": pa.array([MAY + dt.timedelta(days=1)] * rows, pa.timestamp("us", "UTC")),
                      **{f"noise{i}": r.random(rows) for i in range(20)}})  # fmt: skip
    train = store.get_historical_features(spine, "account")
    train.to_parquet(tmp_path / "near.parquet")
    near = pq.read_table(tmp_path / "near.parquet")
    url = f"s3://features/train.parquet?{far.options(proxy.port)}"
    assert train.to_parquet(url) == rows
    assert len({r.split("partNumber=")[1].split("&")[0] for r in proxy.requests if "partNumber=" in r}) > 1  # several parts
    system, inside = fs.FileSystem.from_uri(url)
    assert pq.read_table(inside, filesystem=system).equals(near)
    assert train.to_parquet(f"s3://features/parts?{far.options(proxy.port)}", partition_by=["part"]) == rows
    back = ds.dataset("features/parts", filesystem=system, partitioning="hive").to_table()
    order = [("noise0", "ascending"), ("noise1", "ascending")]
    assert back.select(near.column_names).cast(near.schema).sort_by(order).equals(near.sort_by(order))
    assert [k.split("/")[2] for k in keys(proxy.port, "parts")] == ["part=0", "part=1", "part=2"]
    history = f"s3://features/history.parquet?{far.options(proxy.port)}"
    assert store.scan("account").to_parquet(history) == 2000
    assert pq.read_table("features/history.parquet", filesystem=system).equals(store.scan("account").to_arrow())


# ---- Connections that end ----


def test_a_connection_that_ends_once_is_made_again(declared, proxy, large):
    proxy.set("cut", after=3_000_000, times=3)
    assert declared.ingest("account", f"s3://features/large.parquet?{far.options(proxy.port)}").taken == ROWS
    assert proxy.hits == 3
    proxy.set("cut up", after=10_000_000, times=2)
    rows = table(100_000)
    parquet.write(iter(rows.to_batches()), rows.schema, f"s3://features/once.parquet?{far.options(proxy.port)}")
    assert proxy.hits == 2
    assert parquet.Files(f"s3://features/once.parquet?{far.options(proxy.port)}").dataset.to_table().equals(rows)


@pytest.mark.parametrize("mode", ["cut", "stall"])
def test_a_read_that_ends_in_the_middle(declared, proxy, large, monkeypatch, mode):
    """It says how much is stored, and that much is; the same again is the whole, once."""
    monkeypatch.setattr("larder.ingest.BATCH_ROWS", 50_000)
    url = f"s3://features/large.parquet?{far.options(proxy.port)}"
    proxy.set(mode, after=4_000_000)
    e = failing(lambda: declared.ingest("account", url))
    assert e.retryable and str(e).startswith("'s3://features/large.parquet' cannot be read to its end: AWS Error NETWORK_CONNECTION")
    told = int(str(e).split(" rows before that are stored")[0].rsplit("(", 1)[1])
    assert 0 < told < ROWS and stored(declared).num_rows == told
    proxy.set(None)
    assert declared.ingest("account", url).rows == ROWS
    assert stored(declared).num_rows == ROWS


def test_an_incremental_run_that_ends_in_the_middle_is_made_again(store, proxy, large, monkeypatch):
    monkeypatch.setattr("larder.ingest.BATCH_ROWS", 50_000)
    store.apply(view(f"s3://features/large.parquet?{far.options(proxy.port)}"))
    proxy.set("cut", after=4_000_000)
    failing(lambda: store.materialize_incremental("2030-01-01"))
    assert not {r["field"]: r["value"] for r in store.describe("feature-views", "account")}.get("materialized to")
    proxy.set(None)
    assert store.materialize_incremental("2030-01-01").total.rows == ROWS
    assert stored(store).num_rows == ROWS


def test_nobody_answers(declared, proxy):
    proxy.set("refuse")
    e = failing(lambda: declared.ingest("account", f"s3://features/large.parquet?{far.options(proxy.port)}"))
    assert e.retryable and "'s3://features/large.parquet' cannot be read" in str(e) and "NETWORK_CONNECTION" in str(e)


def test_an_upload_that_ends_in_the_middle(proxy, moto):
    """What was there before is there still, and nothing else."""
    url = f"s3://features/up/x.parquet?{far.options(proxy.port)}"
    before, after = table(1000), table(150_000)
    parquet.write(iter(before.to_batches()), before.schema, url)
    proxy.set("cut up", after=6_000_000)
    e = failing(lambda: parquet.write(iter(after.to_batches()), after.schema, url))
    assert e.retryable and str(e).startswith("'s3://features/up/x.parquet' cannot be written: ")
    assert parquet.Files(f"s3://features/up?{far.options(moto)}").dataset.to_table().equals(before)
    proxy.set(None)
    parquet.write(iter(after.to_batches()), after.schema, url)
    assert parquet.Files(f"s3://features/up?{far.options(moto)}").dataset.to_table().equals(after)


def test_an_upload_that_is_interrupted(moto, monkeypatch):
    """Not even a closed process makes an object of what was sent by then."""
    code = """if 1:
        import sys
        import pyarrow as pa
        from larder import parquet, parquet_write
        parquet_write._CHUNK = 1 << 20
        import numpy as np
        t = pa.table({"x": np.random.default_rng(1).random(3_000_000)})
        real = open
        class Broken:
            def __init__(self, path, mode): self.f, self.n = real(path, mode), 0
            def __enter__(self): return self
            def __exit__(self, *_): self.f.close()
            def read(self, n):
                self.n += 1
                if self.n > 15: raise KeyboardInterrupt
                return self.f.read(n)
        parquet_write.open = Broken
        parquet.write(iter(t.to_batches()), t.schema, sys.argv[1])
    """
    url = f"s3://features/interrupted/x.parquet?{far.options(moto)}"
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, timeout=120, check=False)
    assert "KeyboardInterrupt" in done.stderr and done.returncode != 0
    assert keys(moto, "interrupted") == []


@pytest.mark.parametrize("mode", ["cut up", "denied"])
def test_a_partitioned_set_that_ends_in_the_middle(proxy, moto, mode):
    """Nobody reads half of it, and the next attempt writes it anew."""
    folder = f"half-{mode[:3]}"
    url, direct = (f"s3://features/{folder}?{far.options(p)}" for p in (proxy.port, moto))
    t = partitioned()
    if mode == "denied":  # credentials that expire meanwhile
        puts = threading.Thread(target=then_deny, args=(proxy, lambda: sum("partNumber" in r for r in proxy.requests) > 1), daemon=True)
        puts.start()
    else:
        proxy.set("cut up", after=12_000_000)
    e = failing(lambda: parquet.write(iter(t.to_batches()), t.schema, url, ["part"]))
    assert f"'s3://features/{folder}' cannot be written" in str(e) and "the next attempt writes anew" in str(e)
    assert ("ExpiredToken" in str(e)) == (mode == "denied") and e.retryable == (mode != "denied")
    assert f"features/{folder}/_larder_incomplete" in keys(moto, folder)
    assert "was not written to its end" in str(failing(lambda: parquet.Files(direct)))
    assert "was not written to its end" in str(failing(lambda: parquet.Files(direct.replace("?", "/*/*.parquet?", 1))))
    proxy.set(None)
    assert parquet.write(iter(t.to_batches()), t.schema, url, ["part"]) == t.num_rows
    assert parquet.Files(direct).dataset.count_rows() == t.num_rows and len(keys(moto, folder)) == 4
    with pytest.raises(larder.InvalidError, match="is there already"):
        parquet.write(iter(t.to_batches()), t.schema, url, ["part"])


def test_a_partitioned_set_that_fails_before_it_is_written(store, tmp_path, moto):
    """The join fails in its last rows: nothing is there, here or in an object store, and nothing is in the way of a repeat."""
    store.apply(view())
    store.ingest("account", table(100))
    n = 1000
    spine = {"customer_id": [1] * n, "part": [i % 2 for i in range(n)], "event_timestamp": [MAY] * (n - 1) + [None]}
    broken = store.get_historical_features(spine, "account")
    for place in (str(tmp_path / "set"), f"s3://features/never?{far.options(moto)}"):
        with pytest.raises(larder.InvalidError):
            broken.to_parquet(place, partition_by=["part"], rows=100)
    assert [f for f in os.listdir(tmp_path) if f != "store"] == [] and keys(moto, "never") == []
    (tmp_path / "set").mkdir()  # an empty folder may be there
    spine["event_timestamp"][-1] = MAY
    store.get_historical_features(spine, "account").to_parquet(tmp_path / "set", partition_by=["part"])
    assert parquet.Files(str(tmp_path / "set")).dataset.count_rows() == n


def test_what_others_left_is_not_removed(moto):
    t = partitioned(100)
    url = f"s3://features/theirs?{far.options(moto)}"
    far.ask(moto, "PUT", "/features/theirs/_larder_incomplete", b"part=0/part-0.parquet")
    far.ask(moto, "PUT", "/features/theirs/precious.txt", b"x")
    with pytest.raises(larder.InvalidError, match="is there already"):
        parquet.write(iter(t.to_batches()), t.schema, url, ["part"])
    assert "features/theirs/precious.txt" in keys(moto, "theirs")

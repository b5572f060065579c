"""Scans: batches from the library, held against the text that `to_file` writes, which is made another way."""

import base64
import datetime as dt
import json
import random
import subprocess
import sys

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import larder

MAY = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)
FEATURES = {"x": "float64", "n": "int64", "s": "string", "z": "bytes", "at": "timestamp", "tags": "list<int32>"}
N = 2000


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    r = random.Random(5)
    with larder.connect(f"local:{tmp_path_factory.mktemp('scan')}/store", shards=3) as s:
        person = larder.Entity("person", {"name": "string", "day": "int64"})
        s.apply(larder.FeatureView("visits", person, [larder.Feature(k, t) for k, t in FEATURES.items()]))

        def maybe(v):
            return None if r.random() < 0.1 else v

        s.ingest("visits", [
            {
                "name": r.choice("abcdé"), "day": r.randrange(40), "event_timestamp": MAY + dt.timedelta(seconds=r.randrange(2**20)),
                "created_timestamp": MAY + dt.timedelta(days=20), "x": maybe(r.random()), "n": maybe(r.randrange(2**60)), "s": maybe(r.choice(["", "ä"])),
                "z": maybe(b"\0x"), "at": maybe(MAY + dt.timedelta(days=r.randrange(99))), "tags": maybe([1] * r.randrange(3)),
            }
            for _ in range(N)
        ], created_timestamp="created_timestamp")  # fmt: skip
        yield s


def told(scan, folder):
    """What to_file tells, as Python values."""
    scan.to_file(folder / "scan.ndjson", json=True)
    rows = [json.loads(line) for line in (folder / "scan.ndjson").read_text().splitlines()]
    for row in rows:
        for name in ("event_timestamp", "created_timestamp", "at"):
            row[name] = row[name] and dt.datetime.fromisoformat(row[name].replace("Z", "+00:00"))
        row["z"] = None if row["z"] is None else base64.b64decode(row["z"])
    return rows


def in_order(rows):
    return sorted(rows, key=lambda r: (r["name"], r["day"], r["event_timestamp"], repr(r)))


@pytest.mark.parametrize(
    ("entity", "limits"),
    [
        (None, {}),
        (None, {"start": "2024-05-03", "end": "2024-05-05"}),
        ({"day": 7, "name": "é"}, {}),
        ({"day": 7, "name": "a"}, {"start": "2024-05-03"}),
        ({"day": 1000, "name": "a"}, {}),
    ],
)
def test_all_ways_tell_the_same(filled, tmp_path, entity, limits):
    scan = filled.scan("visits", entity, **limits)
    want = in_order(told(scan, tmp_path))
    assert len(want) == 0 if entity and entity["day"] == 1000 else len(want) > 5
    got = list(scan)
    assert in_order(got) == want and all(list(r) == scan.columns for r in got)
    batches = list(scan.to_batches(100))
    assert [b.num_rows for b in batches] == [100] * (len(want) // 100) + [len(want) % 100] * (len(want) % 100 > 0)
    table = scan.to_arrow()
    for name in ("event_timestamp", "created_timestamp", "at"):
        assert table.schema.field(name).type == pa.timestamp("us", "UTC")
    assert in_order(table.to_pylist()) == want
    assert pa.Table.from_batches(batches, schema=table.schema).equals(table)
    assert scan.to_reader(7).read_all().equals(table) and pl.DataFrame(scan).height == scan.to_polars().height == len(want)
    assert scan.to_parquet(tmp_path / "x.parquet") == len(want) and pq.read_table(tmp_path / "x.parquet").num_rows == len(want)


def test_facts_of_an_entity_are_together_and_in_order(filled):
    seen, last = set(), None
    for row in filled.scan("visits"):
        key = row["name"], row["day"]
        if last is not None and last[0] == key:
            assert last[1] <= row["event_timestamp"]
        else:
            assert key not in seen
            seen.add(key)
        last = key, row["event_timestamp"]
    assert len(seen) > 190


def test_entities_that_share_a_hash_are_told_apart(filled, monkeypatch):
    mine = filled.scan("visits", {"name": "b", "day": 3})
    want = list(mine)
    monkeypatch.setattr(larder.Scan, "_arc", lambda self, key: (0, 2**64 - 1))  # as if all had the hash of this one
    assert want and list(mine) == want
    assert mine.to_arrow().to_pylist() == want


@pytest.mark.parametrize("rows", [1, 3, 4, 7, 100])
def test_batches_are_even_however_the_library_cuts(rows):
    table = pa.table({"n": range(20), "s": [str(i) for i in range(20)]})
    cuts = [0, 4, 5, 12, 13, 20]
    pieces = [table.slice(a, b - a).to_batches()[0] for a, b in zip(cuts, cuts[1:])]
    got = list(larder.scan._even(pa, iter(pieces), rows))
    assert [b.num_rows for b in got] == [rows] * (20 // rows) + [20 % rows] * (20 % rows > 0)
    assert pa.Table.from_batches(got).equals(table)


def test_keys_are_checked_at_once(filled):
    for entity, said in (({"nam": "a"}, "not a join key"), ({"name": "a"}, "'day' is missing"), ({"name": None, "day": 1}, "'name' is null")):
        with pytest.raises(larder.InvalidError, match=said):
            filled.scan("visits", entity)
    with pytest.raises(larder.InvalidError, match="rows"):
        filled.scan("visits").to_batches(0)


def test_a_scan_that_is_under_way_when_its_store_is_closed(tmp_path):
    store = larder.connect(f"local:{tmp_path}/s")
    store.apply(larder.FeatureView("v", larder.Entity("e", {"id": "int64"}), [larder.Feature("s", "string")]))
    store.ingest("v", {"id": list(range(3000)), "event_timestamp": [MAY] * 3000, "s": ["x" * 2000] * 3000})
    batches = store.scan("v").to_batches(10)
    first = next(batches)
    store.close()
    assert first.num_rows == 10 and first.column("s")[0].as_py() == "x" * 2000  # it is kept
    with pytest.raises(larder.ClosedError):
        list(batches)


GUEST = """
import sys, larder
def peak():  # not getrusage: what the parent had before exec counts there
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM:"))
with larder.connect(sys.argv[1]) as s:
    rows = early = 0
    for batch in s.scan("v").to_batches(100):
        rows += batch.num_rows
        if rows == 100:
            early = peak()
    print(rows, early, peak())
"""


def test_memory_is_bounded_and_guests_ask(tmp_path):
    """80 MB of history, by a process that has the folder itself, and by one that asks another."""
    url = f"local:{tmp_path}/s"

    def read():
        done = subprocess.run([sys.executable, "-c", GUEST, url], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return map(int, done.stdout.split())

    with larder.connect(url, no_sync=True) as store:
        store.apply(larder.FeatureView("v", larder.Entity("e", {"id": "int64"}), [larder.Feature("s", "string")]))
        for at in range(0, 8000, 2000):
            ids = list(range(at, at + 2000))
            store.ingest("v", {"id": ids, "event_timestamp": [MAY] * len(ids), "s": [str(i) + "x" * 10000 for i in ids]})
        rows, early, late = read()
        assert rows == 8000 and late - early < 40_000, (early, late)
    rows, early, late = read()
    assert rows == 8000 and late - early < 60_000, (early, late)

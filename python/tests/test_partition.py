"""Partitions: together they are the whole, once, wherever they are read. With dask, Ray, PyTorch and Spark where those are
installed."""

import datetime as dt
import fcntl
import multiprocessing
import os
import pickle
import random
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import larder

MAY = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)
SPAWN = multiprocessing.get_context("spawn")
FORK = multiprocessing.get_context("fork")


def facts(n=3000, customers=200):
    r = random.Random(1)
    when = [MAY + dt.timedelta(minutes=r.randrange(40000)) for _ in range(n)]
    return {
        "customer_id": [r.randrange(customers) for _ in range(n)],
        "event_timestamp": when,
        "created_timestamp": [t + dt.timedelta(minutes=1 + i) for i, t in enumerate(when)],
        "balance": [None if r.random() < 0.1 else r.random() for _ in range(n)],
        "plan": [r.choice([None, "a", ""]) for _ in range(n)],
        "n": [None if r.random() < 0.1 else r.randrange(2**60) for _ in range(n)],
        "tags": [[r.randrange(5)] * r.randrange(3) for _ in range(n)],
    }


def spine(n=1000):
    r = random.Random(2)
    return pd.DataFrame({
        "row": range(n),
        "customer_id": pd.array([None if r.random() < 0.05 else r.randrange(220) for _ in range(n)], dtype="Int64"),
        "event_timestamp": [MAY + dt.timedelta(minutes=r.randrange(50000)) for _ in range(n)],
        "origin": [r.choice("xyz") for _ in range(n)],
    })  # fmt: skip


def definitions():
    customer = larder.Entity("customer", {"customer_id": "int64"})
    kinds = {"balance": "float64", "plan": "string", "n": "int64", "tags": "list<int32>"}
    account = larder.FeatureView("account", customer, [larder.Feature(k, t) for k, t in kinds.items()], ttl="20d")
    place = larder.FeatureView("place", larder.Entity("origin", {"origin": "string"}), [larder.Feature("size", "int32")])
    return [account, place, larder.FeatureService("both", [account, place])]


def fill(store):
    store.apply(definitions())
    assert store.ingest("account", facts(), created_timestamp="created_timestamp").taken == 3000
    store.ingest("place", {"origin": ["x", "y"], "event_timestamp": [MAY, MAY], "size": [1, 2]})


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    url = f"local:{tmp_path_factory.mktemp('partitions')}/store"
    with larder.connect(url, shards=5) as s:
        fill(s)
        yield s


def rows(table):
    """As something to compare whose order means nothing, nor how a library spells UTC."""
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
    return sorted(map(repr, table.to_pylist()))


def whole(parts):
    return pa.concat_tables([p.to_arrow() for p in parts])


# ---- What the parts are ----


@pytest.mark.parametrize(("at_least", "count"), [(0, 5), (5, 5), (6, 10), (64, 65)])
def test_history(filled, at_least, count):
    parts = larder.partitions(filled, "account", at_least=at_least)
    assert len(parts) == count and {p.shard for p in parts} == set(range(5))
    want = filled.scan("account").to_arrow()
    assert parts.schema.equals(want.schema) and all(p.schema.equals(want.schema) for p in parts)
    tables = [p.to_arrow() for p in parts]
    assert rows(pa.concat_tables(tables)) == rows(want)
    seen = [set(t.column("customer_id").to_pylist()) for t in tables]
    assert sum(map(len, seen)) == len(set().union(*seen))  # an entity lies in one part
    for t in tables[:5]:
        for one in set(t.column("customer_id").to_pylist()):
            times = [r["event_timestamp"] for r in t.to_pylist() if r["customer_id"] == one]
            assert times == sorted(times)


def test_history_of_a_range(filled):
    limits = {"start": "2024-05-10", "end": "2024-05-12"}
    assert rows(whole(larder.partitions(filled, "account", **limits))) == rows(filled.scan("account", **limits).to_arrow())
    known = MAY + dt.timedelta(days=10)
    want = filled.scan("account").to_arrow()
    want = want.filter(pa.array([t <= known for t in want.column("created_timestamp").to_pylist()]))
    assert rows(whole(larder.partitions(filled, "account", known_at=known))) == rows(want)


def test_batches(filled):
    (part,) = larder.partitions(filled, "account")[:1]
    sizes = [b.num_rows for b in part.to_batches(100)]
    assert max(sizes) == 100 and sum(sizes) == part.to_arrow().num_rows
    assert sum(b.num_rows for b in part) == sum(sizes)
    assert part.to_polars().height == len(part.to_pandas()) == sum(sizes)
    assert part.to_pandas("nullable")["n"].dtype == "Int64"
    parts = larder.partitions(filled, "account", at_least=9)
    assert isinstance(parts[::2], larder.Partitions) and len(parts[::2]) == 5 and "5 partitions" in repr(parts[::2])
    assert "account" in repr(part) and str(part.url) in repr(part)


JOIN = {"service": "both", "with_status": True, "with_timestamps": True, "full_feature_names": True}


@pytest.mark.parametrize("deal", ["shards", "rows"])
@pytest.mark.parametrize("kind", ["pandas", "arrow", "polars", "dict", "stream"])
def test_training_set(filled, deal, kind):
    frame = spine()
    known = {"known_at_column": "known"}
    frame["known"] = frame["event_timestamp"] + pd.Timedelta(hours=2)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    given = {"pandas": frame, "arrow": table, "polars": pl.from_pandas(frame), "dict": table.to_pydict()}
    given["stream"] = iter(table.to_batches(max_chunksize=300))
    want = filled.get_historical_features(frame, **JOIN, **known).to_arrow()
    parts = larder.partitions(filled, None, given[kind], deal=deal, at_least=7, **JOIN, **known)
    assert len(parts) == 10  # two for each shard
    got = whole(parts)
    assert got.column_names == want.column_names and got.schema.equals(parts.schema)
    assert rows(got) == rows(want)
    if deal == "rows":
        assert got.column("row").to_pylist() == list(range(1000))
    else:
        seen = [set(p.to_arrow().column("customer_id").to_pylist()) for p in parts]
        assert sum(map(len, seen)) == len(set().union(*seen))


def test_training_set_of_few_rows(filled):
    few = {"customer_id": [7, 7], "event_timestamp": ["2024-05-20", "2024-05-21"]}
    parts = larder.partitions(filled, ["account:balance"], few)
    assert len(parts) == 1 and parts[0].to_arrow().num_rows == 2
    want = filled.get_historical_features(few, "account:balance").to_dict()["balance"]
    assert parts[0].to_arrow().column("balance").to_pylist() == want
    none = larder.partitions(filled, "account", {"customer_id": pa.array([], "int64"), "event_timestamp": pa.array([], pa.timestamp("us"))})
    assert len(none) == 1 and none[0].to_arrow().num_rows == 0 and none[0].to_arrow().schema.equals(none.schema)


def test_pandas_spine_with_missing_keys(filled):
    frame = spine().astype({"customer_id": "float64"})
    want = filled.get_historical_features(spine(), "account").to_arrow()
    assert rows(whole(larder.partitions(filled, "account", frame))) == rows(want)


def test_training_set_of_parquet(filled, tmp_path):
    frame = spine()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    (tmp_path / "day=1").mkdir()
    pq.write_table(table.slice(0, 600), tmp_path / "day=1" / "a.parquet", row_group_size=100)
    pq.write_table(table.slice(600), tmp_path / "day=1" / "b.parquet", row_group_size=100)
    want = filled.get_historical_features(frame, service="both").to_arrow()
    parts = larder.partitions(filled, service="both", entity_df=tmp_path)
    assert len(parts) == 10 and "day" in parts.schema.names
    got = whole(parts)
    assert set(got.column("day").to_pylist()) == {1}
    assert got.select(want.column_names).to_pylist() == want.to_pylist()
    few = larder.partitions(filled, service="both", entity_df=str(tmp_path), at_least=3)
    assert len(few) == 3 and whole(few).select(want.column_names).to_pylist() == want.to_pylist()


def test_mistakes(filled):
    for features in (None, ["account", "place"], "account:plan", "account,place"):
        with pytest.raises(larder.InvalidError, match="history of one view"):
            larder.partitions(filled, features)
    with pytest.raises(larder.NotFoundError):
        larder.partitions(filled, "acount")
    with pytest.raises(larder.InvalidError, match="no column 'customer_id'"):
        larder.partitions(filled, "account", {"event_timestamp": [MAY]})
    with pytest.raises(larder.InvalidError, match="deal"):
        larder.partitions(filled, "account", spine(), deal="cards")
    with pytest.raises(larder.InvalidError, match="start and end"):
        larder.partitions(filled, "account", spine(), start=MAY)
    with pytest.raises(larder.InvalidError, match="fresh"):
        larder.partitions(filled, "account", fresh="very")
    with pytest.raises(larder.InvalidError, match="Parquet"):
        larder.partitions(filled, "account", "spine.csv")
    with pytest.raises(larder.InvalidError, match="rows"):
        list(larder.partitions(filled, "account")[0].to_batches(0))


def test_a_view_that_changes_meanwhile(store):
    fill(store)
    history, joined = larder.partitions(store, "account"), larder.partitions(store, "account", spine(50))
    want = whole(history), whole(joined)
    account = definitions()[0]
    more = larder.FeatureView("account", account.entity, [larder.Feature("more", "bool"), *account.features], ttl="20d")
    store.apply(more)
    assert whole(history).equals(want[0]) and whole(joined).equals(want[1])
    store.delete("feature-services", "both")
    store.delete("feature-views", "account")
    with pytest.raises(larder.NotFoundError):
        history[0].to_arrow()
    store.apply(larder.FeatureView("account", account.entity, [larder.Feature("n", "string")]))
    for part in (history[0], joined[0]):
        with pytest.raises(larder.ConflictError, match="is not as it was"):
            part.to_arrow()


# ---- Where they are read ----


def test_they_pickle_and_so_do_their_errors(filled):
    for parts in (larder.partitions(filled, "account"), larder.partitions(filled, "account", spine())):
        again = pickle.loads(pickle.dumps(list(parts)))
        assert rows(whole(again)) == rows(whole(parts))
    with pytest.raises(larder.NotFoundError) as e:
        filled.scan("acount")
    again = pickle.loads(pickle.dumps(e.value))
    assert type(again) is type(e.value) and str(again) == str(e.value)
    assert (again.code, again.name, again.retryable) == (e.value.code, "NOT_FOUND", e.value.retryable)


@pytest.mark.parametrize("context", [SPAWN, FORK], ids=["spawn", "fork"])
def test_processes(filled, context):
    """Of a store that this process has open: children ask it."""
    parts = larder.partitions(filled, "account", at_least=8)
    want = rows(filled.scan("account").to_arrow())
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        tables = list(pool.map(larder.Partition.to_arrow, parts))
    assert rows(pa.concat_tables(tables)) == want


def test_forked_from_a_process_that_had_the_store(tmp_path):
    """Nobody has the folder open any more, and the child must not open it: another process reads for it."""
    code = f"""
import os, sys
sys.path.insert(0, {str((__file__).rsplit("/", 1)[0])!r})
import larder
from test_partition import fill, rows, spine, whole
with larder.connect("local:{tmp_path}/s", shards=3) as s:
    fill(s)
    parts = larder.partitions(s, "account")
    joined = larder.partitions(s, "account", spine(), with_status=True)
    want = rows(s.scan("account").to_arrow()), rows(s.get_historical_features(spine(), "account", with_status=True).to_arrow())
pid = os.fork()
if pid == 0:
    try:
        larder.connect("local:{tmp_path}/s")
    except larder.UnsupportedError:
        pass
    assert rows(whole(parts)) == want[0] and rows(whole(joined)) == want[1]
    from larder import worker
    assert len(worker._helpers) == 1  # one did it all
    first = next(parts[0].to_batches(10))
    assert first.num_rows == 10 and len(worker._helpers) == 0  # that one was not read to its end
    gone = larder.partition._HistoryPart((0, 9), "gone", parts[0]._how, parts[0].url, {{}}, parts[0].schema, None)
    try:
        gone.to_arrow()
    except larder.NotFoundError as e:
        assert "gone" in str(e)
        sys.stdout.flush()
        raise SystemExit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with larder.connect("local:s") as s:
        fill(s)
    parts = larder.partitions("local:s", "place")
    assert parts[0].url == f"local:{tmp_path}/s"
    monkeypatch.chdir("/")
    assert whole(parts).num_rows == 2
    with pytest.raises(larder.NotFoundError):
        larder.partitions("local:elsewhere", "place")


def test_a_folder_is_let_go(tmp_path):
    with larder.connect(f"local:{tmp_path}/s") as s:
        fill(s)
        parts = larder.partitions(s, "place")
    whole(parts)
    lock = fcntl.flock(open(tmp_path / "s" / "LOCK"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert lock is None  # nobody has it


# ---- Libraries ----


def test_what_is_missing_is_named(filled, monkeypatch):
    parts = larder.partitions(filled, "place")
    for package, call in (("dask.dataframe", parts.to_dask), ("ray.data", parts.to_ray), ("torch", parts.to_torch)):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(larder.MissingPackageError, match=f"needs {package.split('.')[0]}: pip install"):
            call()


def test_dask(filled):
    pytest.importorskip("dask.dataframe")
    import dask

    want = filled.get_historical_features(spine(), **JOIN).to_arrow()
    parts = larder.partitions(filled, entity_df=spine(), **JOIN)
    frame = parts.to_dask()
    assert frame.npartitions == len(parts) == 5
    # by hand, as the docs have it
    delayed = [dask.delayed(larder.Partition.to_arrow)(p) for p in parts]
    for scheduler in ("threads", "processes"):
        got = frame.compute(scheduler=scheduler)
        assert sorted(got["row"]) == list(range(1000))
        assert rows(pa.Table.from_pandas(got, preserve_index=False).select(want.column_names).cast(want.schema)) == rows(want)
        assert rows(pa.concat_tables(dask.compute(*delayed, scheduler=scheduler))) == rows(want)
    history = larder.partitions(filled, "account", at_least=10).to_dask()
    assert len(history) == 3000
    mean = history.groupby("customer_id")["balance"].mean().compute(scheduler="threads")
    near = filled.scan("account").to_pandas().groupby("customer_id")["balance"].mean()
    assert mean.sort_index().astype("float64").round(9).tolist() == near.sort_index().round(9).tolist()


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def test_ray(filled, ray):
    history = larder.partitions(filled, "account", at_least=10).to_ray()
    got = pa.concat_tables(ray.get(history.to_arrow_refs()), promote_options="default")
    want = filled.scan("account").to_arrow()
    assert rows(got.select(want.column_names)) == rows(want)
    joined = larder.partitions(filled, entity_df=spine(), service="both").to_ray()
    assert joined.count() == 1000 and joined.sum("row") == 499500


def as_it_is(batch):
    return batch


def test_torch(filled):
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader

    want = filled.get_historical_features(spine(), service="both").to_arrow()
    parts = larder.partitions(filled, entity_df=spine(), service="both")
    for workers, context in ((0, None), (2, "fork"), (3, "spawn")):
        loader = DataLoader(parts.to_torch(rows=64), batch_size=None, num_workers=workers, multiprocessing_context=context)
        batches = list(loader)
        assert sorted(int(r) for b in batches for r in b["row"]) == list(range(1000))
        assert max(len(b["row"]) for b in batches) <= 64
        assert torch.isnan(torch.cat([b["balance"] for b in batches])).sum() == want.column("balance").null_count
        assert batches[0]["balance"].dtype == torch.float64 and isinstance(batches[0]["plan"], list)
        loader = DataLoader(parts.to_torch(transform=as_it_is), batch_size=None, num_workers=workers, multiprocessing_context=context)
        assert rows(pa.concat_tables(pa.Table.from_batches([b]) for b in loader)) == rows(want)


def read_in_spark(mine):
    for part in mine:
        for batch in part.to_batches():
            yield from (tuple(row.values()) for row in batch.to_pylist())


def test_spark(filled):
    """As the docs have it."""
    sql = pytest.importorskip("pyspark.sql")
    if not shutil.which("java"):
        pytest.skip("there is no Java")
    from pyspark.sql.pandas.types import from_arrow_schema

    parts = larder.partitions(filled, "account")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
        rdd = spark.sparkContext.parallelize(list(parts), len(parts)).mapPartitions(read_in_spark)
        frame = spark.createDataFrame(rdd, from_arrow_schema(parts.schema))
        got = frame.toArrow() if hasattr(frame, "toArrow") else pa.Table.from_pandas(frame.toPandas())
    finally:
        spark.stop()
    want = filled.scan("account").to_arrow()
    assert rows(got.cast(want.schema)) == rows(want)

"""Feast's training sets over Larder: an unmodified Feast, where it is installed. What is right is said by a join written out here."""

import datetime as dt
import decimal
import os
import random
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("feast")

from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig  # noqa: E402
from feast.data_source import PushMode  # noqa: E402
from feast.errors import FeastEntityDFMissingColumnsError, SavedDatasetLocationAlreadyExists  # noqa: E402
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage  # noqa: E402
from feast.on_demand_feature_view import on_demand_feature_view  # noqa: E402
from feast.types import Array, Float64, Int64, String  # noqa: E402
from feast.value_type import ValueType  # noqa: E402

import larder  # noqa: E402
import larder.feast  # noqa: E402

UTC = dt.timezone.utc
T0 = dt.datetime(2024, 5, 1, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)
USER = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
SHOP = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.STRING)


@pytest.fixture
def fs(tmp_path):
    config = RepoConfig(
        project="shop", provider="local", registry=str(tmp_path / "registry.db"), entity_key_serialization_version=3,
        online_store={"type": "larder.feast.LarderOnlineStore", "path": f"local:{tmp_path}/larder"},
        offline_store={"type": "larder.feast.LarderOfflineStore", "path": f"local:{tmp_path}/larder"},
    )  # fmt: skip
    yield FeatureStore(config=config)
    larder.feast.close_all()


def source(path, created="created", **more):
    return FileSource(path=str(path), timestamp_field="at", created_timestamp_column=created, **more)


def view(name, entities, columns, path, **more):
    options = {k: more.pop(k) for k in ("created", "field_mapping") if k in more}
    return FeatureView(name=name, entities=entities, schema=[Field(name=n, dtype=t) for n, t in columns.items()], source=source(path, **options), **more)


def as_it_was(facts, spine, keys, ttl, feature, known=False):
    """For each row of the spine the value of the newest fact, then of the latest known, that is not in its future or too old."""
    out = []
    for row in spine.to_dict("records"):
        best = None
        for f in facts.to_dict("records"):
            if any(f[k] != row[k] for k in keys) or f["at"] > row["event_timestamp"]:
                continue
            if ttl and f["at"] < row["event_timestamp"] - ttl or known and f["created"] > row["event_timestamp"]:
                continue
            if best is None or (f["at"], f["created"]) > (best["at"], best["created"]):
                best = f
        out.append(None if best is None or pd.isna(best[feature]) else best[feature])
    return out


def some_facts(n, seed):
    r = random.Random(seed)
    rows = [
        {"user_id": r.randrange(6), "shop_id": r.choice("ab"), "at": T0 + r.randrange(40) * HOUR, "created": T0 + r.randrange(60) * HOUR,
         "n": r.choice([None, r.randrange(1000)])}
        for _ in range(n)
    ]  # fmt: skip
    return pd.DataFrame(rows).drop_duplicates(["user_id", "shop_id", "at", "created"]).astype({"n": "float64"})


@pytest.mark.parametrize("ttl", [None, 5 * HOUR])
@pytest.mark.parametrize("known", [False, True])
def test_joins_are_what_they_should_be(fs, tmp_path, ttl, known):
    facts = some_facts(300, 1)
    facts.to_parquet(tmp_path / "facts.parquet", row_group_size=50)
    fs.apply([USER, SHOP, view("pair", [USER, SHOP], {"n": Float64}, tmp_path / "facts.parquet", ttl=ttl)])
    r = random.Random(2)
    spine = pd.DataFrame({
        "label": range(200), "shop_id": [r.choice("abc") for _ in range(200)], "user_id": [r.randrange(7) for _ in range(200)],
        "event_timestamp": [T0 + r.randrange(50) * HOUR for _ in range(200)],
    })  # fmt: skip
    for _ in range(2):  # loaded, then kept
        got = fs.get_historical_features(spine, ["pair:n"], filter_by_created_timestamp=known).to_df()
        assert list(got.columns) == ["label", "shop_id", "user_id", "event_timestamp", "n"]
        assert list(got["label"]) == list(range(200))  # one row for each, in order
        want = as_it_was(facts, spine, ["user_id", "shop_id"], ttl, "n", known)
        assert [None if pd.isna(v) else v for v in got["n"]] == want
        assert sum(v is not None for v in want) > 20


def test_types_come_back_as_they_are_in_the_source(fs, tmp_path):
    columns = {
        "i8": pa.array([-5, None], pa.int8()), "u64": pa.array([2**64 - 1, None], pa.uint64()), "f16": pa.array(np.array([0.5, 1], "float16")),
        "ns": pa.array([1714521600000000001, None], pa.timestamp("ns")), "zone": pa.array([1714521600000, None], pa.timestamp("ms", "Asia/Tokyo")),
        "day": pa.array([19844, None], pa.date32()), "time": pa.array([5, None], pa.time64("ns")), "money": pa.array([decimal.Decimal("1.50"), None]),
        "text": pa.array(["ä", None]), "cat": pa.array(["x", None]).dictionary_encode(), "raw": pa.array([b"\0x", None]),
        "three": pa.array([b"abc", None], pa.binary(3)), "flag": pa.array([True, None]), "floats": pa.array([[0.5, 1.5], []], pa.list_(pa.float32())),
        "holes": pa.array([[1, None], None], pa.list_(pa.int64())), "times": pa.array([[T0], None], pa.list_(pa.timestamp("us"))),
        "nested": pa.array([[[1], []], None], pa.list_(pa.list_(pa.int8()))), "struct": pa.array([{"a": 1, "b": "x"}, None]),
        "map": pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string())), "none": pa.nulls(2), "fixed": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)),
    }  # fmt: skip
    table = pa.table({"user_id": pa.array([1, 2], pa.int32()), "at": pa.array([T0, T0]), "created": pa.array([T0, T0]), **columns})
    pq.write_table(table, tmp_path / "facts.parquet")
    fs.apply([USER, view("wide", [USER], {n: String for n in columns}, tmp_path / "facts.parquet")])
    spine = pd.DataFrame({"user_id": [2, 1, 9], "event_timestamp": [T0] * 3})
    got = fs.get_historical_features(spine, [f"wide:{n}" for n in columns]).to_arrow()
    read = pq.read_table(tmp_path / "facts.parquet")
    for n in columns:
        wanted = read.column(n).cast(pa.string()) if n == "cat" else read.column(n)
        assert got.column(n).type == wanted.type, n
        assert got.column(n).to_pylist() == [wanted[1].as_py(), wanted[0].as_py(), None], n


def test_keys_match_across_types_and_nulls_match_nothing(fs, tmp_path):
    facts = pd.DataFrame({"uid": [1, 2, None], "at": [T0] * 3, "created": [T0] * 3, "n": [10, 20, 30]})  # floats, for the null
    facts.to_parquet(tmp_path / "facts.parquet")
    fs.apply([USER, view("v", [USER], {"n": Int64}, tmp_path / "facts.parquet", field_mapping={"uid": "user_id"})])
    for keys in ([1, 2, 3], [1.0, 2.0, None], [1.0, 2.0, 2.5], ["1", "2", "x"]):
        got = fs.get_historical_features(pd.DataFrame({"user_id": keys, "event_timestamp": [T0] * 3}), ["v:n"]).to_df()
        assert [None if pd.isna(v) else v for v in got["n"]] == [10, 20, None], keys


def test_times_of_entities_as_text_naive_or_elsewhere(fs, tmp_path):
    facts = pd.DataFrame({"user_id": [1], "at": [T0.replace(tzinfo=None)], "created": [T0.replace(tzinfo=None)], "n": [1]})
    facts.to_parquet(tmp_path / "facts.parquet")
    fs.apply([USER, view("v", [USER], {"n": Int64}, tmp_path / "facts.parquet")])
    tokyo = dt.timezone(9 * HOUR)
    for early, late in (
        ("2024-04-30T23:59:59Z", "2024-05-01T00:00:00Z"),
        (T0.replace(tzinfo=None) - dt.timedelta(microseconds=1), T0.replace(tzinfo=None)),
        (T0.astimezone(tokyo) - dt.timedelta(microseconds=1), T0.astimezone(tokyo)),
    ):
        got = fs.get_historical_features(pd.DataFrame({"user_id": [1, 1], "when": pd.Series([early, late])}).rename(columns={"when": "event_timestamp"}), ["v:n"])
        assert [None if pd.isna(v) else v for v in got.to_df()["n"]] == [None, 1]
        assert str(got.to_df()["event_timestamp"].dtype).endswith("UTC]")


def test_what_is_added_changed_and_taken_away_is_seen(fs, tmp_path):
    folder = tmp_path / "facts"
    folder.mkdir()

    def put(name, n, at=T0):
        pd.DataFrame({"user_id": [1], "at": [at], "created": [at], "n": [n]}).to_parquet(folder / name)

    def ask():
        got = fs.get_historical_features(pd.DataFrame({"user_id": [1], "event_timestamp": [T0 + 9 * HOUR]}), ["v:n"]).to_df()
        return None if pd.isna(got["n"][0]) else got["n"][0]

    put("a.parquet", 1)
    fs.apply([USER, view("v", [USER], {"n": Int64}, folder)])
    assert ask() == 1
    put("b.parquet", 2, T0 + HOUR)
    assert ask() == 2
    for n in range(3, 20):  # as long, and within a tick of the clock
        put("b.parquet", n, T0 + HOUR)
        assert ask() == n
    os.unlink(folder / "b.parquet")
    assert ask() == 1
    put("c.parquet", 5, T0 + HOUR)
    assert ask() == 5
    with larder.connect(f"local:{tmp_path}/larder") as store:
        assert len([n for n in store.list()["name"] if n.startswith("shop__v__history")]) == 1  # those before are gone


ASK = """
import sys
import pandas as pd
import pyarrow.parquet as pq
from feast import FeatureStore
import larder

folder, times = sys.argv[1], int(sys.argv[2])
fs = FeatureStore(folder)
spine = pd.DataFrame({"user_id": [1], "event_timestamp": pd.to_datetime(["2024-05-02"], utc=True)})
seen = lambda: pq.read_table(folder + "/facts.parquet").column("n")[0].as_py()
for _ in range(times):
    before = seen()
    try:
        got = fs.get_historical_features(spine, ["v:n"]).to_df()["n"][0]
    except larder.StoreIOError as e:
        assert e.retryable, e
        continue
    assert before <= got <= seen(), (before, got, seen())
    print(got)
"""


def test_several_processes_while_the_file_changes(fs, tmp_path):
    path, n = tmp_path / "facts.parquet", 0

    def put():
        pd.DataFrame({"user_id": [1], "at": [T0], "created": [T0], "n": [n]}).to_parquet(tmp_path / "next.parquet")
        os.replace(tmp_path / "next.parquet", path)

    put()
    fs.apply([USER, view("v", [USER], {"n": Int64}, path)])
    store = '{type: larder.feast.LarderOfflineStore, path: "local:larder"}'
    (tmp_path / "feature_store.yaml").write_text(f"project: shop\nprovider: local\nregistry: registry.db\nentity_key_serialization_version: 3\noffline_store: {store}\n")
    procs = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", ASK, str(tmp_path), "12"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    while any(p.poll() is None for p in procs):
        n += 1
        put()
        time.sleep(0.2)
    answers = set()
    for p in procs:
        out, err = p.communicate()
        assert p.returncode == 0, err
        answers |= {int(line) for line in out.split()}
    assert len(answers) > 3


def test_a_definition_that_changes_is_followed(fs, tmp_path):
    path = tmp_path / "facts.parquet"
    pd.DataFrame({"user_id": [1], "at": [T0], "created": [T0], "n": [1], "m": [2]}).to_parquet(path)
    spine = pd.DataFrame({"user_id": [1], "event_timestamp": [T0 + 2 * HOUR]})
    fs.apply([USER, view("v", [USER], {"n": Int64}, path, ttl=HOUR)])
    assert fs.get_historical_features(spine, ["v:n"]).to_df()["n"].isna().all()
    fs.apply([USER, view("v", [USER], {"n": Int64}, path, ttl=3 * HOUR)])
    assert fs.get_historical_features(spine, ["v:n"]).to_df()["n"][0] == 1
    fs.apply([USER, view("v", [USER], {"n": Int64, "k": Int64}, path, ttl=3 * HOUR, field_mapping={"m": "k"})])
    assert fs.get_historical_features(spine, ["v:k"]).to_df()["k"][0] == 2


def test_rows_that_do_not_say_when_they_became_known(fs, tmp_path):
    facts = pd.DataFrame({"user_id": [1, 1], "at": [T0, T0 - HOUR], "created": [pd.NaT, T0], "n": [1, 2]})
    facts["created"] = pd.to_datetime(facts["created"], utc=True)
    facts.to_parquet(tmp_path / "facts.parquet")
    fs.apply([USER, view("v", [USER], {"n": Int64}, tmp_path / "facts.parquet")])
    spine = pd.DataFrame({"user_id": [1], "event_timestamp": [T0 + HOUR]})
    assert fs.get_historical_features(spine, ["v:n"]).to_df()["n"][0] == 1
    assert fs.get_historical_features(spine, ["v:n"], filter_by_created_timestamp=True).to_df()["n"][0] == 2


def test_services_on_demand_views_and_other_names(fs, tmp_path):
    pd.DataFrame({"user_id": [1, 2], "at": [T0] * 2, "created": [T0] * 2, "n": [1, 2]}).to_parquet(tmp_path / "facts.parquet")
    v = view("v", [USER], {"n": Int64}, tmp_path / "facts.parquet")

    @on_demand_feature_view(sources=[v], schema=[Field(name="twice", dtype=Int64)], mode="pandas")
    def double(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"twice": inputs["n"] * 2})

    pairs = FeatureService(name="pairs", features=[
        v.with_name("buyer").with_join_key_map({"user_id": "buyer_id"}), v.with_name("seller").with_join_key_map({"user_id": "seller_id"}),
    ])  # fmt: skip
    fs.apply([USER, v, double, pairs, FeatureService(name="model", features=[v, double])])
    spine = pd.DataFrame({"user_id": [2], "event_timestamp": [T0]})
    got = fs.get_historical_features(spine, fs.get_feature_service("model")).to_df()
    assert got["n"][0] == 2 and got["twice"][0] == 4
    spine = pd.DataFrame({"buyer_id": [1], "seller_id": [2], "event_timestamp": [T0]})
    got = fs.get_historical_features(spine, pairs, full_feature_names=True).to_df()
    assert got["buyer__n"][0] == 1 and got["seller__n"][0] == 2


def test_views_without_entities_and_sets_without_entities(fs, tmp_path):
    facts = pd.DataFrame({"user_id": [1, 1, 2], "at": [T0, T0 + HOUR, T0 - 50 * HOUR], "created": [T0] * 3, "n": [1, 2, 3]})
    facts.to_parquet(tmp_path / "facts.parquet")
    fs.apply([USER, view("all", [], {"n": Int64}, tmp_path / "facts.parquet"), view("v", [USER], {"n": Int64}, tmp_path / "facts.parquet")])
    spine = pd.DataFrame({"event_timestamp": [T0, T0 + HOUR]})
    assert list(fs.get_historical_features(spine, ["all:n"]).to_df()["n"]) == [1, 2]
    got = fs.get_historical_features(features=["v:n"], start_date=T0 - HOUR, end_date=T0 + 2 * HOUR).to_df()
    assert got.to_dict("records") == [{"user_id": 1, "event_timestamp": T0 + 2 * HOUR, "n": 2}]
    got = fs.get_historical_features(features=["all:n"], start_date=T0 - HOUR, end_date=T0).to_df()
    assert got.to_dict("records") == [{"event_timestamp": T0, "n": 1}]


def test_materialize_pushes_and_logs_go_through(fs, tmp_path):
    path = tmp_path / "facts.parquet"
    pd.DataFrame({"user_id": [1, 1], "at": [T0, T0], "created": [T0, T0 + HOUR], "n": [1, 2]}).to_parquet(path)
    push = PushSource(name="push", batch_source=source(path))
    v = FeatureView(name="v", entities=[USER], schema=[Field(name="n", dtype=Int64)], source=push)
    fs.apply([USER, v])
    fs.materialize(T0 - HOUR, T0 + HOUR)
    assert fs.get_online_features(["v:n"], [{"user_id": 1}]).to_dict()["n"] == [2]
    fs.push("push", pd.DataFrame({"user_id": [3], "at": [T0], "created": [T0], "n": [7]}), to=PushMode.ONLINE_AND_OFFLINE)
    assert len(pq.read_table(path)) == 3
    got = fs.get_historical_features(pd.DataFrame({"user_id": [1, 3], "event_timestamp": [T0] * 2}), ["v:n"]).to_df()
    assert list(got["n"]) == [2, 7]
    for pull_latest, want in ((True, 2), (False, 3)):
        store = fs._get_provider().offline_store
        args = (fs.config, source(path), ["user_id"], ["n"], "at", "created")
        job = store.pull_latest_from_table_or_query(*args, T0, T0) if pull_latest else store.pull_all_from_table_or_query(*args, T0, T0)
        assert len(job.to_df()) == want
        assert len(store.pull_all_from_table_or_query(*args, T0 + HOUR, None).to_df()) == 0


def test_saved_datasets(fs, tmp_path):
    pd.DataFrame({"user_id": [1], "at": [T0], "created": [T0], "n": [1]}).to_parquet(tmp_path / "facts.parquet")
    fs.apply([USER, view("v", [USER], {"n": Int64}, tmp_path / "facts.parquet")])
    spine = pd.DataFrame({"user_id": [1, 2], "event_timestamp": [T0] * 2})
    for place in ("set.parquet", "set"):
        storage = SavedDatasetFileStorage(path=str(tmp_path / place))
        job = fs.get_historical_features(spine, ["v:n"])
        saved = fs.create_saved_dataset(from_=job, name=place, storage=storage)
        assert sorted(saved.to_df()["user_id"]) == [1, 2]
        with pytest.raises(SavedDatasetLocationAlreadyExists):
            job.persist(storage)
        fs.create_saved_dataset(from_=job, name=place, storage=storage, allow_overwrite=True)
        assert len(fs.get_saved_dataset(place).to_df()) == 2


def test_mistakes_are_told(fs, tmp_path):
    pd.DataFrame({"user_id": [1], "at": [T0], "created": [T0], "n": [1]}).to_parquet(tmp_path / "facts.parquet")
    fs.apply([USER, view("v", [USER], {"n": Int64, "gone": Int64}, tmp_path / "facts.parquet")])
    spine = pd.DataFrame({"user_id": [1], "event_timestamp": [T0]})
    with pytest.raises(larder.InvalidError, match="facts.parquet has no column for the feature 'gone'"):
        fs.get_historical_features(spine, ["v:gone"]).to_df()
    with pytest.raises(FeastEntityDFMissingColumnsError, match="user_id"):
        fs.get_historical_features(spine.drop(columns="user_id"), ["v:n"])
    with pytest.raises(larder.InvalidError, match="a column 'n'"):
        fs.get_historical_features(spine.assign(n=1), ["v:n"]).to_df()
    with pytest.raises(ValueError, match="pandas.DataFrame"):
        fs.get_historical_features("SELECT 1", ["v:n"])
    with pytest.raises(ValueError, match="without a time"):
        fs.get_historical_features(spine.assign(event_timestamp=pd.Series([pd.NaT], dtype="datetime64[ns, UTC]")), ["v:n"])
    os.unlink(tmp_path / "facts.parquet")
    with pytest.raises(larder.NotFoundError, match="facts.parquet"):
        fs.get_historical_features(spine, ["v:n"]).to_df()

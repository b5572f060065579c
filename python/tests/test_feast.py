"""Feast over Larder: an unmodified Feast, where it is installed."""

import asyncio
import datetime as dt

import pandas as pd
import pytest

pytest.importorskip("feast")

from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig  # noqa: E402
from feast.types import (  # noqa: E402
    Array, Bool, Bytes, Float32, Float64, Int32, Int64, String, UnixTimestamp,
)  # fmt: skip
from feast.value_type import ValueType  # noqa: E402

import larder  # noqa: E402
import larder.feast  # noqa: E402

NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=123456)
TYPES = {
    "b": (Bool, True), "i": (Int32, -5), "l": (Int64, 2**62), "f": (Float32, 0.5), "d": (Float64, 1e300), "s": (String, "ä"),
    "z": (Bytes, b"\0x"), "t": (UnixTimestamp, dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)),
    "li": (Array(Int64), [1, 2]), "ls": (Array(String), ["a", ""]), "lf": (Array(Float32), [0.5]), "lb": (Array(Bool), [True, False]),
}  # fmt: skip


@pytest.fixture
def fs(tmp_path):
    config = RepoConfig(
        project="shop", provider="local", registry=str(tmp_path / "registry.db"), entity_key_serialization_version=3,
        online_store={"type": "larder.feast.LarderOnlineStore", "path": f"local:{tmp_path}/larder"},
    )  # fmt: skip
    yield FeatureStore(config=config)
    larder.feast.close_all()


def views(tmp_path):
    source = FileSource(path=str(tmp_path / "facts.parquet"), timestamp_field="event_timestamp", created_timestamp_column="created")
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    shop = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.STRING)
    schema = [Field(name=n, dtype=t) for n, (t, _) in TYPES.items()]
    wide = FeatureView(name="wide", entities=[user], ttl=dt.timedelta(hours=2), schema=schema, source=source)
    pair = FeatureView(name="pair", entities=[user, shop], schema=[Field(name="n", dtype=Int64)], source=source)
    return [user, shop, wide, pair, FeatureService(name="model", features=[wide, pair])]


def frame(**more):
    data = {"user_id": [1, 2], "event_timestamp": [NOW, NOW], "created": [NOW, NOW]}
    data.update({n: [v, None] for n, (_, v) in TYPES.items()})
    return pd.DataFrame({**data, **more})


def test_what_is_written_is_read(fs, tmp_path):
    fs.apply(views(tmp_path))
    fs.write_to_online_store("wide", frame())
    got = fs.get_online_features([f"wide:{n}" for n in TYPES], [{"user_id": u} for u in (1, 2, 3)]).to_dict()
    for n, (_, value) in TYPES.items():
        assert got[n][0] == value or got[n][0] == pytest.approx(value), n
        assert got[n][1:] == [None, None], n
    times = fs.get_online_features(["wide:l"], [{"user_id": 1}]).to_df(include_event_timestamps=True)
    assert times.iloc[0].to_dict().get("l__ts", times.iloc[0].iloc[-1]) is not None


def test_late_writes_do_not_win_and_keys_are_composite(fs, tmp_path):
    fs.apply(views(tmp_path))
    hour = dt.timedelta(hours=1)
    for n, t in ((1, NOW), (2, NOW - hour), (3, NOW + dt.timedelta(seconds=1))):
        data = {"user_id": [1], "shop_id": ["a"], "event_timestamp": [t], "created": [t], "n": [n]}
        fs.write_to_online_store("pair", pd.DataFrame(data))
        want = {1: 1, 2: 1, 3: 3}[n]
        keys = [{"user_id": 1, "shop_id": "a"}, {"user_id": 1, "shop_id": "b"}]
        assert fs.get_online_features(["pair:n"], keys).to_dict()["n"] == [want, None]
    old = dt.datetime(2022, 1, 1, tzinfo=dt.timezone.utc)
    fs.write_to_online_store("wide", frame(event_timestamp=[old, old], created=[old, old]))
    assert fs.get_online_features(["wide:i"], [{"user_id": 1}]).to_dict()["i"] == [-5]  # far beyond its ttl, and there


def test_asyncio(fs, tmp_path):
    source = FileSource(path=str(tmp_path / "facts.parquet"), timestamp_field="event_timestamp", created_timestamp_column="created")
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    v = FeatureView(name="v", entities=[user], schema=[Field(name="n", dtype=Int64)], source=PushSource(name="push", batch_source=source))
    frame().to_parquet(tmp_path / "facts.parquet")
    fs.apply([user, v])

    async def run():
        await fs.push_async("push", pd.DataFrame({"user_id": [1], "event_timestamp": [NOW], "created": [NOW], "n": [3]}))
        return await fs.get_online_features_async(["v:n"], [{"user_id": 1}, {"user_id": 2}])

    assert asyncio.run(run()).to_dict()["n"] == [3, None]


def test_materialize_service_and_teardown(fs, tmp_path):
    data = frame().iloc[:1].assign(shop_id="a", n=7)
    data.to_parquet(tmp_path / "facts.parquet")
    fs.apply(views(tmp_path))
    fs.materialize(NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=1))
    got = fs.get_online_features(fs.get_feature_service("model"), [{"user_id": 1, "shop_id": "a"}], full_feature_names=True)
    assert got.to_dict()["pair__n"] == [7] and got.to_dict()["wide__s"] == ["ä"]
    with larder.connect(f"local:{tmp_path}/larder") as store:
        assert store.list()["name"] == ["shop__pair", "shop__wide"]
        fs.teardown()
        assert len(store.list()) == 0

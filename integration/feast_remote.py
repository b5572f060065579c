"""Feast's own SDK before a larder-gateway: apply, write, push, materialize, read. usage: feast_remote.py BIN_DIR"""
import logging
import os
import sys
import tempfile
import warnings
from datetime import datetime, timedelta, timezone

warnings.filterwarnings("ignore")
import pandas as pd  # noqa: E402
from feast import (Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource,  # noqa: E402
                   RepoConfig, ValueType)
from feast.data_source import PushMode  # noqa: E402
from feast.errors import (FeatureNameCollisionError, FeatureServiceNotFoundException,  # noqa: E402
                          FeatureViewNotFoundException)
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus  # noqa: E402
from feast.types import Array, Bool, Bytes, Float32, Float64, Int32, Int64, String, UnixTimestamp  # noqa: E402

from gateway_kit import Gateway, check, finish  # noqa: E402

logging.disable(logging.ERROR)
DEFINITIONS = """
project: feast
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: customer, join_keys: [{name: customer_id, type: string}]}
  - {name: driver_customer, join_keys: [{name: driver_id, type: int64}, {name: customer_id, type: string}]}
sources:
  - {name: driver_push, type: push, event_timestamp: event_timestamp}
  - {name: trips_file, type: file, format: csv, path: trips.csv, event_timestamp: event_timestamp}
feature_views:
  - name: driver_stats
    entity: driver
    source: driver_push
    ttl: 3650d
    features:
      - {name: conv_rate, type: float64}
      - {name: acc_rate, type: float32}
      - {name: trips, type: int64}
      - {name: level, type: int32}
      - {name: active, type: bool}
      - {name: label, type: string}
      - {name: seen, type: timestamp}
      - {name: scores, type: list<float64>}
      - {name: words, type: list<string>}
  - name: customer_profile
    entity: customer
    ttl: 1h
    features: [{name: age, type: int64}, {name: conv_rate, type: float64}]
  - name: pair_trips
    entity: driver_customer
    source: trips_file
    features: [{name: count, type: int64}, {name: fare, type: float64}]
feature_services:
  - {name: model_v1, features: ["driver_stats:conv_rate", "driver_stats:label", "customer_profile:age", pair_trips]}
"""
NOW = datetime.now(timezone.utc).replace(microsecond=0)


def feast_objects(dir):
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)

    def source(name, columns):
        path = f"{dir}/{name}.parquet"
        pd.DataFrame({**columns, "event_timestamp": pd.to_datetime([], utc=True),
                      "created": pd.to_datetime([], utc=True)}).to_parquet(path)
        return FileSource(name=name, path=path, timestamp_field="event_timestamp", created_timestamp_column="created")

    stats_source = source("stats", {"driver_id": pd.Series(dtype="int64")})
    stats = FeatureView(
        name="driver_stats", entities=[driver], ttl=timedelta(days=3650), online=True,
        schema=[Field(name=n, dtype=t) for n, t in (
            ("driver_id", Int64), ("conv_rate", Float64), ("acc_rate", Float32), ("trips", Int64), ("level", Int32),
            ("active", Bool), ("label", String), ("seen", UnixTimestamp), ("scores", Array(Float64)),
            ("words", Array(String)))],
        source=PushSource(name="driver_push", batch_source=stats_source))
    profile = FeatureView(
        name="customer_profile", entities=[customer], ttl=timedelta(hours=1), online=True,
        schema=[Field(name="customer_id", dtype=String), Field(name="age", dtype=Int64),
                Field(name="conv_rate", dtype=Float64)],
        source=source("profile", {"customer_id": pd.Series(dtype="str")}))
    pairs = FeatureView(
        name="pair_trips", entities=[driver, customer], ttl=timedelta(0), online=True,
        schema=[Field(name="driver_id", dtype=Int64), Field(name="customer_id", dtype=String),
                Field(name="count", dtype=Int64), Field(name="fare", dtype=Float64)],
        source=source("pairs", {"driver_id": pd.Series(dtype="int64"), "customer_id": pd.Series(dtype="str")}))
    service = FeatureService(name="model_v1", features=[stats[["conv_rate", "label"]], profile[["age"]], pairs])
    return [driver, customer, stats, profile, pairs, service]


def statuses(response, name):
    i = list(response.proto.metadata.feature_names.val).index(name)
    return [FieldStatus.Name(s) for s in response.proto.results[i].statuses]


def writes(fs):
    fs.write_to_online_store("driver_stats", pd.DataFrame({
        "driver_id": [1001, 1002], "conv_rate": [0.5, 2.0], "acc_rate": [0.25, None], "trips": [7, 8], "level": [3, 4],
        "active": [True, False], "label": ["a \"quoted\" é", None],
        "seen": pd.to_datetime(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]), "scores": [[1.0, 2.5], [3.0]],
        "words": [["x", ""], ["y"]], "event_timestamp": [NOW, NOW], "created": [NOW, NOW]}))
    fs.write_to_online_store("customer_profile", pd.DataFrame({
        "customer_id": ["c1", "c2"], "age": [30, 40], "conv_rate": [0.1, 0.2],
        "event_timestamp": [NOW, NOW - timedelta(days=2)], "created": [NOW, NOW]}))


def reads_all_types(fs):
    features = ["driver_stats:" + n for n in ("conv_rate", "acc_rate", "trips", "level", "active", "label", "seen",
                                              "scores", "words")]
    r = fs.get_online_features(features=features, entity_rows=[{"driver_id": 1001}, {"driver_id": 1002}])
    d = r.to_dict()
    assert d["driver_id"] == [1001, 1002], d
    assert d["conv_rate"] == [0.5, 2.0] and d["acc_rate"] == [0.25, None], d
    assert d["trips"] == [7, 8] and d["level"] == [3, 4] and d["active"] == [True, False], d
    assert d["label"] == ['a "quoted" é', None], d
    assert d["seen"] == [1767225600, 1767312000], d
    assert d["scores"] == [[1.0, 2.5], [3.0]] and d["words"] == [["x", ""], ["y"]], d
    assert statuses(r, "acc_rate") == ["PRESENT", "NULL_VALUE"]


def reads_missing(fs):
    r = fs.get_online_features(features=["driver_stats:trips"], entity_rows=[{"driver_id": 1001}, {"driver_id": 5}])
    assert r.to_dict()["trips"] == [7, None]
    assert statuses(r, "trips") == ["PRESENT", "NOT_FOUND"]


def reads_ttl(fs):
    r = fs.get_online_features(features=["customer_profile:age"],
                               entity_rows=[{"customer_id": "c1"}, {"customer_id": "c2"}])
    assert r.to_dict()["age"] == [30, 40]
    assert statuses(r, "age") == ["PRESENT", "OUTSIDE_MAX_AGE"]


def pushes(fs):
    fs.push("driver_push", pd.DataFrame({
        "driver_id": [1003, 1001], "conv_rate": [0.75, 0.9], "acc_rate": [1.0, 1.0], "trips": [1, 9], "level": [1, 1],
        "active": [True, True], "label": ["p", "q"], "seen": pd.to_datetime(["2026-01-01T00:00:00Z"] * 2),
        "scores": [[0.5]] * 2, "words": [["w"]] * 2,
        "event_timestamp": [NOW + timedelta(seconds=1), NOW - timedelta(days=1)], "created": [NOW, NOW]}),
        to=PushMode.ONLINE)
    r = fs.get_online_features(features=["driver_stats:trips"], entity_rows=[{"driver_id": 1003}, {"driver_id": 1001}])
    # a fact of a moment ahead is there at once; one that is older than what is stored does not win
    assert r.to_dict()["trips"] == [1, 7], r.to_dict()


def materializes(fs, dir):
    with open(f"{dir}/trips.csv", "w") as f:
        f.write("driver_id,customer_id,event_timestamp,count,fare\n1001,c1,2026-01-01T00:00:00Z,5,12.5\n"
                "1001,c2,2026-02-01T00:00:00Z,6,13.0\n1002,c1,2026-03-01T00:00:00Z,7,14.0\n")
    fs.materialize(datetime(2026, 1, 1), datetime(2026, 1, 31), feature_views=["pair_trips"])
    rows = [{"driver_id": 1001, "customer_id": "c1"}, {"driver_id": 1001, "customer_id": "c2"},
            {"driver_id": 1002, "customer_id": "c1"}]
    read = lambda: fs.get_online_features(features=["pair_trips:count", "pair_trips:fare"], entity_rows=rows).to_dict()
    assert read()["count"] == [5, None, None]
    fs.materialize_incremental(datetime(2026, 3, 31), feature_views=["pair_trips"])
    assert read()["count"] == [5, 6, 7] and read()["fare"] == [12.5, 13.0, 14.0]


def reads_service(fs):
    rows = [{"driver_id": 1001, "customer_id": "c1"}, {"driver_id": 1002, "customer_id": "c9"}]
    r = fs.get_online_features(features=fs.get_feature_service("model_v1"), entity_rows=rows, full_feature_names=True)
    d = r.to_dict()
    assert d["driver_stats__conv_rate"] == [0.5, 2.0] and d["customer_profile__age"] == [30, None], d
    assert d["pair_trips__count"] == [5, None] and d["pair_trips__fare"] == [12.5, None], d
    df = r.to_df()
    assert list(df["driver_stats__label"]) == ['a "quoted" é', None]


def mistakes(fs):
    def raises(kind, features, row):
        try:
            fs.get_online_features(features=features, entity_rows=[row])
        except kind as e:
            assert str(e)
            return
        raise AssertionError(f"{features}: nothing was raised")

    raises(FeatureViewNotFoundException, ["nothing:x"], {"driver_id": 1})
    raises(FeatureViewNotFoundException, ["driver_stats:x"], {"driver_id": 1})
    raises(FeatureServiceNotFoundException, FeatureService(name="other", features=[]), {"driver_id": 1})
    raises(FeatureNameCollisionError, ["driver_stats:conv_rate", "customer_profile:conv_rate"],
           {"driver_id": 1, "customer_id": "c1"})
    raises(RuntimeError, ["driver_stats:trips"], {"driver_id": "many"})
    raises(RuntimeError, ["pair_trips:count"], {"driver_id": 1})
    both = fs.get_online_features(features=["driver_stats:conv_rate", "customer_profile:conv_rate"],
                                  entity_rows=[{"driver_id": 1001, "customer_id": "c1"}], full_feature_names=True)
    assert both.to_dict()["customer_profile__conv_rate"] == [0.1]


with tempfile.TemporaryDirectory() as dir:
    with open(f"{dir}/defs.yaml", "w") as f:
        f.write(DEFINITIONS)
    with Gateway(os.path.abspath(sys.argv[1]), dir, apply=True) as g:
        fs = FeatureStore(config=RepoConfig(
            project="feast", registry=f"{dir}/registry.db", provider="local", entity_key_serialization_version=3,
            online_store={"type": "remote", "path": f"http://127.0.0.1:{g.port}"}))
        check("Feast applies", lambda: fs.apply(feast_objects(dir)))
        for test in (writes, reads_all_types, reads_missing, reads_ttl, pushes):
            check("Feast " + test.__name__.replace("_", " "), test, fs)
        check("Feast materializes", materializes, fs, dir)
        for test in (reads_service, mistakes):
            check("Feast " + test.__name__.replace("_", " "), test, fs)
        assert g.stop() == 0
finish()

"""The bench rows in a Feast repository with its default online store (sqlite). usage: feast_rows.py DIR ENTITIES"""
import logging
import os
import sys
import warnings
from datetime import datetime, timedelta, timezone

warnings.filterwarnings("ignore")
import pandas as pd  # noqa: E402
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType  # noqa: E402
from feast.types import Bool, Float64, Int64, String  # noqa: E402

logging.disable(logging.ERROR)
M = (1 << 64) - 1


def mix(x):  # as in rows.h
    x = (x + 0x9E3779B97F4A7C15) & M
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & M
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & M
    return x ^ (x >> 31)


def row(entity):
    s = mix(entity * 131)
    return ([mix((s + k) & M) % 100000 for k in range(10)] + [mix((s + 50 + k) & M) % 1000000 / 100 for k in range(9)] +
            [bool(mix((s + 80 + k) & M) & 1) for k in range(2)] +
            ["word%d" % (mix((s + 90 + k) & M) % 1000 & 0xFFFFFFFF) for k in range(4)])


dir, entities = sys.argv[1], int(sys.argv[2])
os.makedirs(dir, exist_ok=True)
with open(f"{dir}/feature_store.yaml", "w") as f:
    f.write("project: bench\nprovider: local\nregistry: registry.db\nonline_store: {type: sqlite, path: online.db}\n"
            "entity_key_serialization_version: 3\n")
now = datetime.now(timezone.utc)
names = [f"f{k:02d}" for k in range(25)]
types = [Int64] * 10 + [Float64] * 9 + [Bool] * 2 + [String] * 4
pd.DataFrame({"id": [0], "event_timestamp": [now]}).to_parquet(f"{dir}/rows.parquet")
thing = Entity(name="thing", join_keys=["id"], value_type=ValueType.INT64)
view = FeatureView(name="v", entities=[thing], ttl=timedelta(0), online=True,
                   schema=[Field(name="id", dtype=Int64)] + [Field(name=n, dtype=t) for n, t in zip(names, types)],
                   source=FileSource(path=f"{dir}/rows.parquet", timestamp_field="event_timestamp"))
fs = FeatureStore(repo_path=dir)
fs.apply([thing, view])
rows = [row(e) for e in range(entities)]
df = pd.DataFrame({"id": range(entities), **{n: [r[k] for r in rows] for k, n in enumerate(names)}})
df["event_timestamp"] = now
fs.write_to_online_store("v", df)

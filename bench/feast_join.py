"""A training set for a pandas user: Larder beside Feast with its file offline store, the same facts and spines.

usage: feast_join.py STORE_DIR REPO_DIR ROWS[,ROWS...] ROUNDS     in an environment that has larder, feast and pandas

STORE_DIR as in python_join.py; REPO_DIR gets the facts as Parquet and a Feast repository. Both go from a frame to a frame: get_historical_features(frame)
.to_pandas() and .to_df(). The frames are compared value by value before anything is timed. Feast's store joins every
row with all facts of its key before it chooses: a spine of 1,000,000 rows takes it tens of gigabytes.
"""

import os
import statistics
import sys
import time
import warnings
from datetime import timedelta

os.environ["FEAST_USAGE"] = "False"
warnings.filterwarnings("ignore")
import pandas as pd  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import python_rows as rows_of  # noqa: E402
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType  # noqa: E402
from feast.types import Bool, Float32, Float64, Int32, Int64, String  # noqa: E402

import larder  # noqa: E402

TYPES = {"float64": Float64, "int64": Int64, "float32": Float32, "int32": Int32, "bool": Bool, "string": String}


def repository(folder):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"facts-{rows_of.FACTS}.parquet")
    if not os.path.exists(path):
        writer = None
        for table in rows_of.facts():
            writer = writer or pq.ParquetWriter(path + ".part", table.schema)
            writer.write_table(table)
        writer.close()
        os.replace(path + ".part", path)
    with open(os.path.join(folder, "feature_store.yaml"), "w") as f:
        f.write("project: bench\nprovider: local\nregistry: registry.db\noffline_store: {type: file}\n"
                + "online_store: {type: sqlite, path: online.db}\nentity_key_serialization_version: 3\n")  # fmt: skip
    fs = FeatureStore(repo_path=folder)
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
    schema = [Field(name="customer_id", dtype=Int64)]
    schema += [Field(name=n, dtype=TYPES[rows_of.kind(i)]) for i, n in enumerate(rows_of.NAMES)]
    source = FileSource(path=path, timestamp_field="event_timestamp")
    fs.apply([customer, FeatureView(name="churn", entities=[customer], ttl=timedelta(0), schema=schema, source=source)])
    return fs


def same(ours, theirs):
    """Row by row. Feast's file store leaves out a row whose entity has later facts only: for Larder it is there, without values."""
    theirs = theirs.set_index("row")
    ours = ours.set_index("row")
    left_out = ours.index.difference(theirs.index)
    if not ours.loc[left_out, rows_of.NAMES].isna().all().all():
        sys.exit("answers differ: Feast has no row where Larder has values")
    theirs = theirs.reindex(ours.index)
    for i, name in enumerate(rows_of.NAMES):
        a, b = ours[name], theirs[name]
        if not a.isna().equals(b.isna()):
            sys.exit(f"answers differ: nulls of {name}")
        a, b = a.dropna(), b.dropna()
        cast = "str" if rows_of.kind(i) == "string" else "float64"
        if (a.astype(cast).to_numpy() != b.astype(cast).to_numpy()).any():
            sys.exit(f"answers differ: {name}")


def main():
    store = larder.connect(f"local:{sys.argv[1]}", cache_bytes=1 << 30)
    rows_of.load(store)
    fs = repository(sys.argv[2])
    features = [f"churn:{n}" for n in rows_of.NAMES]
    for rows in map(int, sys.argv[3].split(",")):
        frame = rows_of.spine(rows).to_pandas()
        frame["row"] = range(rows)
        ways = {
            "larder_pandas": lambda f=frame: store.get_historical_features(f, "churn").to_pandas(),
            "feast_file": lambda f=frame: fs.get_historical_features(entity_df=f, features=features).to_df(),
        }
        same(*(way() for way in ways.values()))
        taken = {name: [] for name in ways}
        for _ in range(int(sys.argv[4])):
            for name, way in ways.items():
                began = time.perf_counter()
                result = way()
                taken[name].append(time.perf_counter() - began)
                assert isinstance(result, pd.DataFrame) and len(result) > rows / 2
                del result
                print(f"python feast_join_{rows} {name} {taken[name][-1]:.4f} s", flush=True)
        ratio = statistics.median(taken["feast_file"]) / statistics.median(taken["larder_pandas"])
        print(f"{rows} rows: Feast takes {ratio:.1f} x as long", file=sys.stderr)
    store.close()


main()

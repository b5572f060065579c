"""The bench rows of the Python parts: a view of 25 features, its facts in chunks, spines. Everything from a seed."""

import os

import numpy as np
import pyarrow as pa

FACTS = int(os.environ.get("FACTS", 2_000_000))
CUSTOMERS, FEATURES = max(FACTS // 31, 1), 25
START, SPAN = 1_704_067_200_000_000, 31 * 86_400_000_000
CHUNK = 500_000
NAMES = [f"f{i:02}" for i in range(FEATURES)]


def kind(i):
    return ("float64", "int64", "float32", "int32", "bool", "string")[i % 6]


def _values(i, n, random):
    k = kind(i)
    if k == "string":
        return pa.array(np.char.add("value ", random.integers(0, 1000, n).astype(str)), pa.large_string())
    if k == "bool":
        return pa.array(random.integers(0, 2, n).astype(bool))
    dtype = {"float64": "f8", "int64": "i8", "float32": "f4", "int32": "i4"}[k]
    return pa.array((random.random(n) * 1e6).astype(dtype))


def _keys(n, random):
    ids, times = random.integers(0, CUSTOMERS, n), START + random.integers(0, SPAN, n)
    return {"customer_id": pa.array(ids), "event_timestamp": pa.array(times, pa.timestamp("us", "UTC"))}


def facts():
    """pyarrow.Table after pyarrow.Table."""
    random = np.random.default_rng(1)
    for at in range(0, FACTS, CHUNK):
        n = min(CHUNK, FACTS - at)
        yield pa.table({**_keys(n, random), **{name: _values(i, n, random) for i, name in enumerate(NAMES)}})


def spine(rows):
    return pa.table(_keys(rows, np.random.default_rng(2)))


def load(store):
    """Into a Larder store, once, and compacted, as a store is that has stood for a while."""
    import larder

    if len(store.list("feature-views")):
        return
    features = [larder.Feature(name, kind(i)) for i, name in enumerate(NAMES)]
    for table in facts():
        if not len(store.list("feature-views")):
            store.apply(larder.FeatureView("churn", larder.Entity("customer", {"customer_id": "int64"}), features))
        report = store.ingest("churn", table)
        print(f"python load larder {report.rows / report.seconds:.0f} rows/s", flush=True)
    store.compact()

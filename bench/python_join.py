"""What Python adds to a point-in-time join: get_historical_features to Arrow beside ldr_historical_get alone.

usage: python_join.py STORE_DIR [ROWS] [ROUNDS]     in an environment that has larder and pyarrow

The store is made and loaded when it is not there: 2,000,000 facts of the churn view (bench/rows.h has the shape), by
ldr_write_columns. Both ways read the same spine in turn: `c` is the C function on columns that lie ready, `arrow` the
whole of get_historical_features(table).to_arrow() from a pyarrow.Table, `pandas` and `polars` the same from and to their frames.
Prints "python METRIC SYSTEM VALUE UNIT" lines for report.py, and the ratio of the medians.
"""

import statistics
import sys
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import larder
from larder import columns
from larder._native import call, ffi, lib

FACTS, CUSTOMERS, FEATURES = 2_000_000, 64_517, 25
START, SPAN = 1_704_067_200_000_000, 31 * 86_400_000_000


def kind(i):
    return ("float64", "int64", "float32", "int32", "bool", "string")[i % 6]


def values(i, n, random):
    k = kind(i)
    if k == "string":
        return pa.array(np.char.add("value ", random.integers(0, 1000, n).astype(str)), pa.large_string())
    if k == "bool":
        return pa.array(random.integers(0, 2, n).astype(bool))
    dtype = {"float64": "f8", "int64": "i8", "float32": "f4", "int32": "i4"}[k]
    return pa.array((random.random(n) * 1e6).astype(dtype))


def load(store):
    features = [larder.Feature(f"f{i:02}", kind(i)) for i in range(FEATURES)]
    store.apply(larder.FeatureView("churn", larder.Entity("customer", {"customer_id": "int64"}), features))
    random = np.random.default_rng(1)
    for _ in range(FACTS // 500_000):
        n = 500_000
        table = {"customer_id": random.integers(0, CUSTOMERS, n), "event_timestamp": START + random.integers(0, SPAN, n)}
        table["event_timestamp"] = pa.array(table["event_timestamp"], pa.timestamp("us", "UTC"))
        for i in range(FEATURES):
            table[f"f{i:02}"] = values(i, n, random)
        report = store.ingest("churn", pa.table(table))
        print(f"python load larder {n / report.seconds:.0f} rows/s", flush=True)


def spent(function):
    began, cpu = time.perf_counter(), time.process_time()
    result = function()
    return time.perf_counter() - began, time.process_time() - cpu, result


def main():
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    store = larder.connect(f"local:{sys.argv[1]}", cache_bytes=1 << 30)
    if not len(store.list("feature-views")):
        load(store)
    random = np.random.default_rng(2)
    ids, times = random.integers(0, CUSTOMERS, rows), START + random.integers(0, SPAN, rows)
    table = pa.table({"customer_id": ids, "event_timestamp": pa.array(times, pa.timestamp("us", "UTC"))})
    frame, polars = table.to_pandas(), pl.from_arrow(table)
    types = [lib.LDR_TIMESTAMP, lib.LDR_INT64]
    ready = columns.from_mapping({"t": times.view("M8[us]"), "id": ids}, ["t", "id"], types)
    query = store._query("churn", None, False)

    def c():
        spine = ffi.new("struct ldr_spine *")
        spine.nrows, spine.t_us, spine.keys = rows, ready.times(0, "t"), ready.pointer + 1
        out = ffi.new("struct ldr_batch **")
        call(lib.ldr_historical_get, query.pointer, spine, ffi.NULL, out)
        return ffi.gc(out[0], lib.ldr_batch_destroy)

    ways = {
        "c": c,
        "arrow": lambda: store.get_historical_features(table, "churn").to_arrow(),
        "polars": lambda: store.get_historical_features(polars, "churn").to_polars(),
        "pandas": lambda: store.get_historical_features(frame, "churn").to_pandas(),
    }
    taken = {name: [] for name in ways}
    used = {name: [] for name in ways}
    c()  # the first join of a process fills the cache
    for _ in range(rounds):
        for name, way in ways.items():
            seconds, cpu, result = spent(way)
            del result
            taken[name].append(seconds)
            used[name].append(cpu)
            print(f"python join_{rows} {name} {seconds:.4f} s", flush=True)
    for name in ways:
        wall = statistics.median(taken[name]) / statistics.median(taken["c"])
        cpu = statistics.median(used[name]) / statistics.median(used["c"])
        print(f"python {name}: median {statistics.median(taken[name]):.3f} s, {wall:.3f} x C alone; processor {cpu:.3f} x")
    store.close()


main()

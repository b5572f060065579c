"""What Python adds to a point-in-time join: get_historical_features to Arrow, Polars and pandas beside ldr_historical_get alone.

usage: python_join.py STORE_DIR [ROWS] [ROUNDS]     in an environment that has larder, pandas, polars and pyarrow

The store is made and loaded when it is not there (python_rows.py; FACTS, default 2,000,000). All read the same spine in turn: `c_library` is the C
function on columns that lie ready, `larder_arrow` the whole of get_historical_features(table).to_arrow() from a pyarrow.Table,
`larder_pandas` and `larder_polars` the same from and to their frames. Prints lines for report.py, and what each is of C's median on
standard error.
"""

import statistics
import sys
import time

import polars as pl
import python_rows as rows_of

import larder
from larder import columns
from larder._native import call, ffi, lib


def spent(function):
    began, cpu = time.perf_counter(), time.process_time()
    result = function()
    return time.perf_counter() - began, time.process_time() - cpu, result


def main():
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    store = larder.connect(f"local:{sys.argv[1]}", cache_bytes=1 << 30)
    rows_of.load(store)
    table = rows_of.spine(rows)
    frame, polars = table.to_pandas(), pl.from_arrow(table)
    names, types = ["event_timestamp", "customer_id"], [lib.LDR_TIMESTAMP, lib.LDR_INT64]
    ready = columns.from_mapping({n: table.column(n).to_numpy() for n in names}, names, types)
    query = store._query("churn", None, False)

    def c():
        spine = ffi.new("struct ldr_spine *")
        spine.nrows, spine.t_us, spine.keys = rows, ready.times(0, "event_timestamp"), ready.pointer + 1
        out = ffi.new("struct ldr_batch **")
        call(lib.ldr_historical_get, query.pointer, spine, ffi.NULL, out)
        return ffi.gc(out[0], lib.ldr_batch_destroy)

    ways = {
        "c_library": c,
        "larder_arrow": lambda: store.get_historical_features(table, "churn").to_arrow(),
        "larder_polars": lambda: store.get_historical_features(polars, "churn").to_polars(),
        "larder_pandas": lambda: store.get_historical_features(frame, "churn").to_pandas(),
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
            print(f"python join_cpu_{rows} {name} {cpu:.4f} s", flush=True)
    for name in ways:
        wall = statistics.median(taken[name]) / statistics.median(taken["c_library"])
        cpu = statistics.median(used[name]) / statistics.median(used["c_library"])
        print(f"{name}: {wall:.3f} x C alone; processor {cpu:.3f} x", file=sys.stderr)
    store.close()


main()

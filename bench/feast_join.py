"""A training set for a pandas user: Larder beside Feast with its file (Dask) and its DuckDB offline store, the same facts and spines.

usage: feast_join.py STORE_DIR REPO_DIR ROWS[,ROWS...] ROUNDS     in an environment that has larder, pandas, polars and feast[duckdb]

STORE_DIR as in python_join.py; REPO_DIR gets the facts as Parquet and a Feast repository for each of its stores. Every figure is of a
process of its own, which has nothing but its way: it makes the frame, asks once (not counted: files come into the page cache, modules
are imported) and once more by the clock; its peak memory is the kernel's (VmHWM), of all that it did. Rounds go through the ways in
turn. In the first round the answers are kept and compared value by value (feast_same.py). A way that takes over LIMIT_SECONDS for one set, or
over LIMIT_MB, is ended, said so, and not tried again. Prints lines for report.py and python_aims.py.
"""

import json
import os
import subprocess
import sys
import time

import feast_same
import python_rows as rows_of

LIMIT_SECONDS, LIMIT_MB = 120, 8192
WAYS = ("larder_pandas", "larder_arrow", "larder_polars", "feast_file", "feast_duckdb")


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def of_process(pid, name):
    """A figure of /proc/PID/status in kB; 0 when it is over."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) for line in f if line.startswith(name + ":")), 0)
    except OSError:
        return 0


# ---- One way, in a process of its own ----


def feast_store(folder):
    os.environ["FEAST_USAGE"] = "False"
    from feast import FeatureStore

    return FeatureStore(repo_path=folder)


def asker(way, store_dir, repo_dir, rows):
    """A function that makes the training set, and one that makes a table of it."""
    import pyarrow as pa

    spine = rows_of.spine(rows).append_column("row", pa.array(range(rows)))
    if way.startswith("feast"):
        frame = spine.to_pandas()
        fs = feast_store(os.path.join(repo_dir, way))
        features = [f"churn:{n}" for n in rows_of.NAMES]
        return lambda: fs.get_historical_features(entity_df=frame, features=features).to_df()
    import larder

    store = larder.connect(f"local:{store_dir}", must_exist=True, cache_bytes=1 << 30)
    if way == "larder_arrow":
        return lambda: store.get_historical_features(spine, "churn").to_arrow()
    if way == "larder_polars":
        import polars

        polars_frame = polars.from_arrow(spine)
        return lambda: store.get_historical_features(polars_frame, "churn").to_polars()
    frame = spine.to_pandas()
    return lambda: store.get_historical_features(frame, "churn").to_pandas()


def one(way, store_dir, repo_dir, rows, out):
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    ask = asker(way, store_dir, repo_dir, int(rows))
    seconds = []
    for _ in range(2):
        print("asking", flush=True)
        began = time.perf_counter()
        result = ask()
        seconds.append(time.perf_counter() - began)
        if len(seconds) < 2:
            del result
    peak = of_process("self", "VmHWM") / 1024
    if out:
        feast_same.keep(result, out)
    print(json.dumps({"seconds": seconds, "peak": peak, "rows": len(result)}), flush=True)


# ---- All of them, in turn ----


def limited(process):
    """What the process said last, or why it was ended."""
    os.set_blocking(process.stdout.fileno(), False)
    text, began, asked = b"", time.monotonic(), 0
    while True:
        more = process.stdout.read()
        if more:
            text += more
            if text.count(b"asking\n") > asked:
                asked, began = text.count(b"asking\n"), time.monotonic()
        elif process.poll() is not None:
            break
        if asked and not text.endswith(b"}\n") and time.monotonic() - began > LIMIT_SECONDS:
            process.kill()
            process.wait()
            return None, f"{LIMIT_SECONDS} s"
        if of_process(process.pid, "VmRSS") > LIMIT_MB * 1024:
            process.kill()
            process.wait()
            return None, f"{LIMIT_MB} MB"
        time.sleep(0.02)
    if process.returncode:
        sys.exit("a way failed, see above")
    return json.loads(text.splitlines()[-1]), ""


def repository(folder, way):
    from datetime import timedelta

    import pyarrow.parquet as pq
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Bool, Float32, Float64, Int32, Int64, String

    types = {"float64": Float64, "int64": Int64, "float32": Float32, "int32": Int32, "bool": Bool, "string": String}
    os.makedirs(os.path.join(folder, way), exist_ok=True)
    path = os.path.join(os.path.abspath(folder), f"facts-{rows_of.FACTS}.parquet")
    if not os.path.exists(path):
        writer = None
        for table in rows_of.facts():
            writer = writer or pq.ParquetWriter(path + ".part", table.schema)
            writer.write_table(table)
        writer.close()
        os.replace(path + ".part", path)
    with open(os.path.join(folder, way, "feature_store.yaml"), "w") as f:
        f.write("project: bench\nprovider: local\nregistry: registry.db\nonline_store: {type: sqlite, path: online.db}\n"
                + f"offline_store: {{type: {way.partition('_')[2]}}}\nentity_key_serialization_version: 3\n")  # fmt: skip
    fs = FeatureStore(repo_path=os.path.join(folder, way))
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
    schema = [Field(name="customer_id", dtype=Int64)]
    schema += [Field(name=n, dtype=types[rows_of.kind(i)]) for i, n in enumerate(rows_of.NAMES)]
    source = FileSource(path=path, timestamp_field="event_timestamp")
    fs.apply([customer, FeatureView(name="churn", entities=[customer], ttl=timedelta(0), schema=schema, source=source)])


def main():
    store_dir, repo_dir, sizes, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    import larder

    with larder.connect(f"local:{store_dir}") as store:
        rows_of.load(store)
    for way in WAYS:
        if way.startswith("feast"):
            repository(repo_dir, way)
    for rows in map(int, sizes.split(",")):
        ways, kept = list(WAYS), {}
        for turn in range(rounds):
            for way in list(ways):
                out = os.path.join(repo_dir, f"{way}.arrow") if turn == 0 else ""
                command = [sys.executable, __file__, "--one", way, store_dir, repo_dir, str(rows), out]
                got, why = limited(subprocess.Popen(command, stdout=subprocess.PIPE))
                if got is None:
                    say(f"{way}, {rows} rows: ended after {why}; not tried again")
                    ways.remove(way)
                    print(f"python ended_at_{rows} {way} {why}", flush=True)
                    continue
                print(f"python feast_join_{rows} {way} {got['seconds'][1]:.4f} s", flush=True)
                print(f"python feast_first_{rows} {way} {got['seconds'][0]:.4f} s", flush=True)
                print(f"python feast_peak_{rows} {way} {got['peak']:.0f} MB", flush=True)
                if out:
                    kept[way] = out
            if turn == 0:
                feast_same.compare(kept, rows, say)
                for path in kept.values():
                    os.remove(path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:7])
    else:
        main()

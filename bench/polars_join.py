"""Polars beside Larder: the same point-in-time joins, from memory and from a Parquet file.

usage: polars_join.py FACTS.csv PARQUET SPINE.csv... ROUNDS CORES
`polars`: facts in memory, sorted by time beforehand: what a join costs at best; `polars-parquet` reads them from disk
each time, as Larder does. Prints "PART METRIC SYSTEM VALUE UNIT" lines, as bench/report.py reads them."""
import os
import resource
import sys
import time

rounds, cores = int(sys.argv[-2]), int(sys.argv[-1])
os.environ["POLARS_MAX_THREADS"] = str(cores)  # read when it is imported
import polars as pl  # noqa: E402

KEY, TIME = "customer_id", "event_ts"


def spine(path):
    s = pl.read_csv(path)
    return s.select(pl.col(KEY), pl.from_epoch("event_us", time_unit="us").dt.replace_time_zone("UTC").alias("t"))


def join(facts, s):
    """A fact more than 7 days old does not answer, as with the view's ttl."""
    return s.lazy().sort("t").join_asof(facts, left_on="t", right_on=TIME, by=KEY, strategy="backward", tolerance="7d",
                                        check_sortedness=False).collect()


def main():
    facts_path, parquet, spines = sys.argv[1], sys.argv[2], sys.argv[3:-2]
    if not os.path.exists(parquet):
        pl.read_csv(facts_path, try_parse_dates=True).write_parquet(parquet)
    suffix = "-%dc" % cores
    frames = [(len(s), s) for s in map(spine, spines)]
    features = [c for c in pl.read_parquet_schema(parquet) if c not in (KEY, TIME, "created_ts")]
    systems = [("polars_parquet", lambda: pl.scan_parquet(parquet).drop("created_ts").sort(TIME))]
    memory = pl.read_parquet(parquet).drop("created_ts").sort(TIME).lazy()
    systems.append(("polars", lambda: memory))
    for r in range(rounds):
        for n, s in frames:
            for name, source in systems:
                began = time.perf_counter()
                result = join(source(), s)
                spent = time.perf_counter() - began
                found = sum(result[f].count() for f in features)
                print("offline join_%d%s %s%s %.4f s" % (n, "" if r else "_first", name, suffix, spent), flush=True)
                print("offline found_%d %s%s %d values" % (n, name, suffix, found), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("offline join_peak_memory polars%s %.0f MB" % (suffix, peak), flush=True)


if __name__ == "__main__":
    main()

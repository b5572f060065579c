"""DuckDB beside Larder: CSV load into a database file, and ASOF joins with the same ttl.

usage: duck.py load DB FACTS.csv CORES | duck.py join DB SPINE.csv... ROUNDS CORES
Prints "PART METRIC SYSTEM VALUE UNIT" lines, as bench/report.py reads them."""
import resource
import sys
import time

import duckdb


def connect(db, threads):
    c = duckdb.connect(db)
    c.execute("SET threads = %d" % threads)
    c.execute("SET TimeZone = 'UTC'")
    return c


def load(db, facts, threads):
    c = connect(db, threads)
    began = time.perf_counter()
    c.execute("CREATE OR REPLACE TABLE churn AS SELECT * FROM read_csv('%s', header = true)" % facts)
    c.execute("CHECKPOINT")
    spent = time.perf_counter() - began
    rows = c.execute("SELECT count(*) FROM churn").fetchone()[0]
    print("ingest csv_load duckdb-%dc %.0f rows/s" % (threads, rows / spent), flush=True)
    print("ingest csv_load_peak_memory duckdb-%dc %.0f MB" % (threads, peak()), flush=True)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def join(db, spines, rounds, threads):
    c = connect(db, threads)
    features = [r[0] for r in c.execute("DESCRIBE churn").fetchall() if r[0] not in ("customer_id", "event_ts", "created_ts")]
    for i, path in enumerate(spines):
        c.execute(
            "CREATE OR REPLACE TEMP TABLE spine%d AS SELECT customer_id::BIGINT AS customer_id, "
            "make_timestamptz(event_us::BIGINT) AS t FROM read_csv('%s', header = true)" % (i, path)
        )
    # as the ttl: a fact more than 7 days old does not answer
    cols = ", ".join("CASE WHEN f.event_ts >= s.t - INTERVAL 7 DAY THEN f.%s END AS %s" % (f, f) for f in features)
    for r in range(rounds):
        for i, path in enumerate(spines):
            n = c.execute("SELECT count(*) FROM spine%d" % i).fetchone()[0]
            began = time.perf_counter()
            c.execute(
                "CREATE OR REPLACE TEMP TABLE result AS SELECT s.*, %s FROM spine%d s "
                "ASOF LEFT JOIN churn f ON s.customer_id = f.customer_id AND s.t >= f.event_ts" % (cols, i)
            )
            spent = time.perf_counter() - began
            found = c.execute("SELECT %s FROM result" % " + ".join("count(%s)" % f for f in features)).fetchone()[0]
            print("offline join_%d%s duckdb-%dc %.4f s" % (n, "" if r else "_first", threads, spent), flush=True)
            print("offline found_%d duckdb-%dc %d values" % (n, threads, found), flush=True)
    print("offline join_peak_memory duckdb-%dc %.0f MB" % (threads, peak()), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "load":
        load(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        join(sys.argv[2], sys.argv[3:-2], int(sys.argv[-2]), int(sys.argv[-1]))

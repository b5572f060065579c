"""The Python package against a cluster: every verb does on a cluster what it does on a folder, before, while and after a node is
killed. Driven by python_cluster.sh, which starts the processes.

usage: python_cluster.py FOLDER_URL CLUSTER_URL FLIGHTS_DIR WORK_DIR PID_FILE
PID_FILE: of the node to kill. Prints "ok ..." and "not ok ..." lines.
"""

import asyncio
import datetime as dt
import multiprocessing
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import larder

NEAR, FAR, FLIGHTS, WORK, PID_FILE = sys.argv[1:]
FLIGHTS, WORK = pathlib.Path(FLIGHTS), pathlib.Path(WORK)
UTC = dt.timezone.utc
MAY = dt.datetime(2024, 5, 1, tzinfo=UTC)
KNOWN = dt.datetime(2024, 6, 1, tzinfo=UTC)  # created times are given, so that both stores hold the same
SERVICE = {"service": "delay_model_v1", "full_feature_names": True}
LAG = 20.0  # seconds: what was acknowledged in the last two a bounded answer may lack; of a slow machine more
failed = 0


def say(good, what):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} {what}", flush=True)


def plain(v):
    """Something whose repr says all that it is: types, order, nulls, NaN."""
    if isinstance(v, (pa.Table, pa.RecordBatch)):
        return [(f.name, str(f.type)) for f in v.schema], v.to_pydict()
    if isinstance(v, pd.DataFrame):
        return [(n, str(t)) for n, t in v.dtypes.items()], list(v.index), v.to_dict("list")
    if isinstance(v, pl.DataFrame):
        return v.schema, v.to_dict(as_series=False)
    if isinstance(v, np.ma.MaskedArray):
        return str(v.dtype), v.tolist(), np.ma.getmaskarray(v).tolist()
    if isinstance(v, np.ndarray):
        return str(v.dtype), v.tolist()
    if isinstance(v, larder.Table):
        return type(v).__name__, tuple(v.columns), [tuple(r) for r in v.rows]
    if isinstance(v, larder.WriteReport):
        return {n: getattr(v, n) for n in ("rows", "taken", "rejected", "ties", "skipped", "min_event", "max_event", "first_reject")}
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v


def answer(function, store):
    """What it gives, and what it raised."""
    try:
        return repr(plain(function(store))), None
    except larder.LarderError as e:
        return f"{type(e).__name__} {e.code} {e.name} {e}", e


def both(what, function, repeat=True, error=None):
    """The same from both: an answer, or an error of this class. What only reads is asked again as long as a bounded answer may
    lag."""
    (near, raised), until = answer(function, stores[0]), time.monotonic() + LAG
    far = answer(function, stores[1])[0]
    while repeat and near != far and time.monotonic() < until:
        time.sleep(0.1)
        far = answer(function, stores[1])[0]
    good = near == far and (isinstance(raised, error) if error else raised is None)
    say(good, f"{what}: the same from cluster and folder")
    if not good:
        at = next((i for i, (a, b) in enumerate(zip(near, far)) if a != b), min(len(near), len(far)) if near != far else 0)
        print(f"  folder:  ...{near[max(at - 60, 0) : at + 200]}\n  cluster: ...{far[max(at - 60, 0) : at + 200]}", flush=True)


def once(what, function, error=None):
    both(what, function, False, error)


def check(what, function):
    try:
        say(bool(function()), what)
    except Exception:
        say(False, what)
        traceback.print_exc(file=sys.stdout)


# ---- Data: a view of every type ----

KINDS = {
    "balance": "float64", "ratio": "float32", "n": "int32", "big": "int64", "flag": "bool", "plan": "string",
    "raw": "bytes", "seen": "timestamp", "visits": "list<int32>", "tags": "list<string>",
}  # fmt: skip
customer = larder.Entity("customer", {"customer_id": "int64"}, owner="crm@example.org")
account = larder.FeatureView("account", customer, [larder.Feature(n, t) for n, t in KINDS.items()], ttl="30d")
pair = larder.Entity("pair", {"who": "string", "day": "int32"})
visits = larder.FeatureView("visits", pair, [larder.Feature("count", "int64", checks={"min": 0})])
service = larder.FeatureService("both_v1", [account["balance", "plan"], visits])


def facts(seed, n, customers=400):
    """An Arrow table for `account`, one cell in eight null."""
    r = random.Random(seed)

    def maybe(v):
        return None if r.random() < 0.125 else v

    when = [MAY + dt.timedelta(minutes=r.randrange(40 * 1440)) for _ in range(n)]
    cols = {
        "customer_id": pa.array([r.randrange(customers) for _ in range(n)], pa.int64()),
        "event_timestamp": pa.array(when, pa.timestamp("us", "UTC")),
        "created_timestamp": pa.array([t + dt.timedelta(seconds=r.randrange(86400)) for t in when], pa.timestamp("us", "UTC")),
        "balance": pa.array([maybe(r.choice([r.random() * 1e6, float("nan"), float("inf"), -0.0])) for _ in range(n)]),
        "ratio": pa.array([maybe(r.random()) for _ in range(n)], pa.float32()),
        "n": pa.array([maybe(r.randrange(-(2**31), 2**31)) for _ in range(n)], pa.int32()),
        "big": pa.array([maybe(r.randrange(-(2**63), 2**63)) for _ in range(n)], pa.int64()),
        "flag": pa.array([maybe(r.random() < 0.5) for _ in range(n)]),
        "plan": pa.array([maybe(r.choice(["basic", "plus", "", "\u00e4\u00f6 \U0001f600"])) for _ in range(n)]),
        "raw": pa.array([maybe(r.randbytes(r.randrange(20))) for _ in range(n)], pa.binary()),
        "seen": pa.array([maybe(MAY + dt.timedelta(microseconds=r.randrange(10**12))) for _ in range(n)], pa.timestamp("us", "UTC")),
        "visits": pa.array([maybe([r.randrange(100) for _ in range(r.randrange(4))]) for _ in range(n)], pa.list_(pa.int32())),
        "tags": pa.array([maybe([r.choice("abc") * 3 for _ in range(r.randrange(3))]) for _ in range(n)], pa.list_(pa.string())),
    }
    return pa.table(cols)


def spine(seed, n, customers=420):
    r = random.Random(seed)
    when = [MAY + dt.timedelta(minutes=r.randrange(60 * 1440)) for _ in range(n)]
    return pa.table({
        "row": pa.array(range(n)),
        "customer_id": pa.array([None if r.random() < 0.02 else r.randrange(customers) for _ in range(n)], pa.int64()),
        "event_timestamp": pa.array(when, pa.timestamp("us", "UTC")),
        "known": pa.array([t + dt.timedelta(hours=r.randrange(24)) for t in when], pa.timestamp("us", "UTC")),
    })  # fmt: skip


CREATED = {"created_timestamp": "created_timestamp"}
IDS = {"customer_id": [*range(0, 420, 3), None]}


def joined(s, **more):
    return s.get_historical_features(spine(7, 3000), "account", **more)


def history(s, view="account", **more):
    return s.scan(view, **more).to_arrow()


# ---- The verbs ----


def listed(s, kind):
    """Without the last column, the time of the last change."""
    return [r[:-1] for r in s.list(kind).rows]


def definitions():
    once("plan of a folder", lambda s: s.plan(FLIGHTS))
    once("apply a folder", lambda s: (lambda c: (c, c.count, c.version))(s.apply(FLIGHTS)))
    once("plan of what is there", lambda s: bool(s.plan(FLIGHTS)))
    once("apply objects", lambda s: (lambda c: (c, c.count, c.version))(s.apply([account, service])))
    once("apply, another version expected", lambda s: s.apply([larder.Entity("x", {"id": "int64"})], expect_version=99), larder.ConflictError)
    broken = WORK / "broken"
    broken.mkdir(exist_ok=True)
    (broken / "a.yaml").write_text("entities:\n  - name: x\n    join_keys: [{name: id, typ: int64}]\n")

    def problems(s):
        try:
            s.plan(broken)
        except larder.DefinitionError as e:
            return e.problems

    once("definitions with mistakes", problems)
    once("a refused change", lambda s: s.apply([larder.Entity("customer", {"customer_id": "string"})]), larder.RefusedError)
    for kind in ("entities", "sources", "feature-views", "features", "feature-services"):
        once(f"list of {kind}", lambda s, k=kind: listed(s, k))
    once("apply and delete", lambda s: (s.apply([larder.Entity("x", {"id": "int64"})]), s.delete("entities", "x"), listed(s, "entities")))
    once("search", lambda s: (s.search("delay"), s.search(tag="domain=weather"), s.search(owner="crm@example.org")))
    once("search, nothing named so", lambda s: s.describe("feature-views", "acount"), larder.NotFoundError)


def loading():
    once("materialize January", lambda s: s.materialize("1950-01-01", "2013-01-31T23:59:59Z").total)
    once("materialize incrementally", lambda s: s.materialize_incremental("2013-02-14", ["weather", "carrier_hourly"]).total)
    table = facts(1, 4000)
    once("ingest Arrow", lambda s: s.ingest("account", table, **CREATED))
    once("ingest the same again", lambda s: s.ingest("account", table, **CREATED))
    once("ingest pandas", lambda s: s.ingest("account", facts(2, 1500).to_pandas(types_mapper=pd.ArrowDtype), **CREATED))
    once("ingest Polars", lambda s: s.ingest("account", pl.from_arrow(facts(3, 1500)), **CREATED))
    day = facts(4, 800)
    pq.write_table(day, WORK / "day.parquet", row_group_size=100)
    once("ingest Parquet", lambda s: s.ingest("account", WORK / "day.parquet", **CREATED))
    once("ingest a dict", lambda s: s.ingest("visits", {"who": ["a", "b"], "day": [1, 2], "event_timestamp": [MAY, MAY], "count": [3, None]}, created_at=KNOWN))
    once("ingest rows", lambda s: s.ingest("visits", [{"who": "a", "day": 1, "event_timestamp": "2024-05-02", "count": 9}], created_at=KNOWN))
    once("ingest a wrong cell", lambda s: s.ingest("visits", {"who": ["a"], "day": [1], "event_timestamp": [MAY], "count": ["x"]}), larder.InvalidError)
    once("ingest against a check", lambda s: s.ingest("visits", {"who": ["a"], "day": [1], "event_timestamp": [MAY], "count": [-1]}), larder.InvalidError)
    (WORK / "v.csv").write_text("who,day,event_timestamp,count\nc,1,2024-05-01,5\nd,1,2024-05-01,bad\n")
    once("ingest a file with a bad row", lambda s: s.ingest("visits", WORK / "v.csv", created_at=KNOWN))
    source = larder.Source("days", path=str(WORK / "days" / "*.parquet"), format="parquet", event_timestamp="event_timestamp",
                           created_timestamp="created_timestamp")  # fmt: skip
    (WORK / "days").mkdir(exist_ok=True)
    pq.write_table(facts(5, 900), WORK / "days" / "a.parquet")
    view = larder.FeatureView("account", customer, account.features, source, ttl="30d")
    once("a Parquet source", lambda s: s.apply([view]).count)
    once("materialize Parquet", lambda s: s.materialize("2024-05-01", "2024-05-20", "account").total)
    once("materialize Parquet incrementally", lambda s: s.materialize_incremental("2024-07-01", "account").total)


def reading(note):
    both(f"online, dict{note}", lambda s: s.get_online_features("account", IDS).to_dict())

    def full(s):
        got = s.get_online_features(service=service, entities={"customer_id": [1, 2], "who": ["a", "nobody"], "day": [1, 1]})
        return [(n, got[n], got.statuses(n), got.event_timestamps(n), got.created_timestamps(n)) for n in ("balance", "plan", "count")]

    both(f"online, status and times{note}", full)
    both(f"online, numpy{note}", lambda s: s.get_online_features("account", IDS).to_numpy())
    both(f"online, Arrow{note}", lambda s: s.get_online_features("account", IDS).to_arrow())
    both(f"online, pandas and Polars{note}", lambda s: (s.get_online_features("account", IDS).to_pandas(), s.get_online_features("account", IDS).to_polars()))
    both(f"as of{note}", lambda s: s.get_online_features("account", IDS, as_of="2024-05-15", known_at="2024-05-20").to_dict())

    def together(s):
        async def main():
            ask = [s.get_online_features_async("account", {"customer_id": [i, i + 1]}) for i in range(0, 200, 2)]
            return [r.to_dict() for r in await asyncio.gather(*ask)]

        return asyncio.run(main())

    both(f"online, a hundred at once by asyncio{note}", together)
    both(f"join, Arrow{note}", lambda s: joined(s, known_at_column="known", with_status=True, with_timestamps=True).to_arrow())
    both(f"join, pandas{note}", lambda s: s.get_historical_features(spine(8, 500).to_pandas(), "account").to_pandas())
    both(f"join, Polars, known at one time{note}", lambda s: s.get_historical_features(pl.from_arrow(spine(9, 500)), "account", known_at="2024-05-20").to_polars())
    both(f"join, batches{note}", lambda s: list(joined(s).to_batches(700)))
    flights = pd.read_csv(FLIGHTS / "spine.csv")
    flights["event_ts"] = pd.to_datetime(flights["event_ts"], utc=True)
    both(f"join of four entities{note}", lambda s: s.get_historical_features(flights, timestamp_column="event_ts", known_at_column="event_ts", **SERVICE).to_arrow())

    def to_file(s):
        out = WORK / f"train-{s is stores[1]}.csv"
        report = s.get_historical_features_to_file(FLIGHTS / "spine.csv", out, timestamp_column="event_ts", known_at_column="event_ts", **SERVICE)
        return out.read_text(), report["rows"], report["cells"], report["missing"]

    both(f"join, file to file{note}", to_file)
    both(f"scan{note}", history)
    both(f"scan of one entity{note}", lambda s: list(s.scan("account", {"customer_id": 7})))
    both(f"scan of a range, in batches{note}", lambda s: list(s.scan("account", start="2024-05-10", end="2024-05-12").to_batches(100)))
    both(f"scan of a composite key{note}", lambda s: list(s.scan("visits", {"day": 1, "who": "a"})))
    both(f"stats{note}", lambda s: s.stats("account", "2024-05-01", "2024-06-01"))
    both(f"describe{note}", lambda s: [r for r in s.describe("feature-views", "account").rows if r[0] not in ("created", "updated")])
    both(f"unknown view{note}", lambda s: s.get_online_features("acount", IDS), error=larder.NotFoundError)


def errors():
    once("no such column", lambda s: s.get_online_features("account:z", IDS), larder.NotFoundError)
    once("no key", lambda s: s.get_online_features("account", {"id": 1}), larder.InvalidError)
    once("a key of another type", lambda s: s.get_online_features("account", {"customer_id": ["x"]}), larder.InvalidError)
    once("scan of what is not there", lambda s: list(s.scan("nothing")), larder.NotFoundError)
    once("materialize what is not there", lambda s: s.materialize("2024-01-01", "2024-02-01", "nothing"), larder.NotFoundError)
    once("delete what is in use", lambda s: s.delete("entities", "customer"), larder.RefusedError)


def fresh():
    """Two clients of the cluster: what one was told is stored the other one sees at once when it asks strictly."""
    wrong = 0
    with larder.connect(FAR) as other:
        other.ingest("visits", {"who": ["f"], "day": [0], "event_timestamp": [MAY], "count": [0]}, created_at=KNOWN)
        for i in range(1, 31):
            row = {"who": ["f"], "day": [0], "event_timestamp": [MAY + dt.timedelta(seconds=i)], "count": [i]}
            other.ingest("visits", row, created_at=KNOWN)
            key = {"who": "f", "day": 0}
            wrong += stores[1].get_online_features("visits", key, fresh="strict")["count"] != [i]
            wrong += other.get_online_features("visits", key, fresh="own")["count"] != [i]
            later = {"who": ["f"], "day": [0], "event_timestamp": [MAY + dt.timedelta(days=1)]}
            wrong += stores[1].get_historical_features(later, "visits", fresh="strict").to_dict()["count"] != [i]
            wrong += len(list(stores[1].scan("visits", key, fresh="strict"))) != i + 1
    say(wrong == 0, f"30 writes of another client, each seen at once by a strict read, join and scan (wrong: {wrong})")
    both("an unknown freshness", lambda s: s.get_online_features("visits", {"who": "f", "day": 0}, fresh="very"), error=larder.InvalidError)
    rows = [{"who": "f", "day": 0, "event_timestamp": MAY + dt.timedelta(seconds=i), "count": i} for i in range(31)]
    stores[0].ingest("visits", rows, created_at=KNOWN)
    both("what was written so, in the end", lambda s: history(s, "visits"))


def erasing():
    once("erase in one view", lambda s: s.erase({"customer_id": 3}, view="account"))
    once("erase everywhere", lambda s: s.erase({"customer_id": 6}))
    once("erase a composite key", lambda s: s.erase({"day": 1, "who": "c"}))
    once("erase what is not there", lambda s: s.erase({"customer_id": 123456}))
    both("online after it", lambda s: s.get_online_features("account", {"customer_id": [3, 6, 9]}).to_dict())
    both("scan after it", history)
    old = facts(1, 4000).slice(0, 500)
    once("old facts of erased entities again", lambda s: (lambda r: (r.rows, r.taken))(s.ingest("account", old, **CREATED)))
    both("scan after that", history)


# ---- Partitions, in processes of their own ----


def pooled(parts, context):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(context)) as pool:
        return pa.concat_tables(pool.map(larder.Partition.to_arrow, parts))


def unordered(table):
    return sorted(map(repr, table.to_pylist()))


def partitions(note):
    """Spawned processes open the cluster themselves; forked ones, of this process that has it open, have another read for
    them."""
    known = {"known_at_column": "known", "with_status": True}
    want = unordered(stores[0].scan("account").to_arrow()), unordered(joined(stores[0], **known).to_arrow())
    parts = larder.partitions(stores[1], "account", at_least=10, fresh="strict")
    say(len(parts) >= 10 and {p.shard for p in parts} == set(range(1, SHARDS + 1)), f"partitions of all shards{note}")
    trains = larder.partitions(stores[1], "account", spine(7, 3000), fresh="strict", **known)
    for context in ("spawn", "fork"):
        check(f"history in parts, {context}{note}", lambda c=context: unordered(pooled(parts, c)) == want[0])
        check(f"a training set in parts, {context}{note}", lambda c=context: unordered(pooled(trains, c)) == want[1])


def splitting():
    """What was dealt out before a shard was split is read after it."""
    want = unordered(stores[0].scan("account").to_arrow())
    parts = larder.partitions(stores[1], "account")
    first = [p.to_arrow() for p in parts[: SHARDS // 2]]
    subprocess.run([os.environ["LARDER"], "--store", FAR, "shard", "split", "5"], check=True, capture_output=True)
    until = time.monotonic() + 60
    while len(larder.partitions(FAR, "account")) == SHARDS and time.monotonic() < until:
        time.sleep(0.1)
    rest = [p.to_arrow() for p in parts[SHARDS // 2 :]]
    say(len(larder.partitions(FAR, "account")) == SHARDS + 1, "a shard is split")
    say(unordered(pa.concat_tables([*first, *rest])) == want, "parts of before the split, half of them read after it, are the whole")


# ---- A node is killed in the middle ----


def killing():
    """Loads and reads go on while it happens; none may fail."""
    wrong, done, reads = [], threading.Event(), [0, 0]

    def guarded(function):
        def run(*args):
            try:
                return function(*args)
            except Exception as e:
                wrong.append(repr(e))
                return None

        return run

    @guarded
    def load(i):
        stores[1].ingest("account", facts(1000 + i, 2000), **CREATED)

    @guarded
    def read(at):
        while not done.is_set():
            joined(stores[1]).to_arrow()
            stores[1].get_online_features("account", IDS).to_dict()
            list(stores[1].scan("account", {"customer_id": 9}))
            reads[0] += 1

    @guarded
    def loop():
        async def main():
            while not done.is_set():
                ask = [stores[1].get_online_features_async("account", {"customer_id": [i]}) for i in range(32)]
                await asyncio.gather(*ask)
                reads[1] += 32

        asyncio.run(main())

    with ThreadPoolExecutor(6) as pool:
        busy = [pool.submit(read, 0), pool.submit(loop)]
        loads = [pool.submit(load, i) for i in range(12)]
        loads[2].result()
        with open(PID_FILE) as f:
            os.kill(int(f.read()), signal.SIGKILL)
        os.unlink(PID_FILE)
        under_way = sum(not x.done() for x in loads)
        for x in loads:
            x.result()
        reads_by_then = list(reads)
        until = time.monotonic() + 30
        while not (reads[0] > reads_by_then[0] + 1 and reads[1] > reads_by_then[1] + 64) and not wrong and time.monotonic() < until:
            time.sleep(0.05)
        done.set()
        for x in busy:
            x.result()
    for w in wrong[:5]:
        print(f"  {w}")
    say(not wrong and under_way > 0, f"kill -9 of a node, {under_way} of 12 loads under way: none failed, nor any of {reads[0]} joins and {reads[1]} reads")
    for i in range(12):
        stores[0].ingest("account", facts(1000 + i, 2000), **CREATED)


def care():
    check("figures", lambda: {"map_version", "map_age_us"} <= set(stores[1].store_stats()))
    stores[1].backup(WORK / "backup")
    larder.restore(WORK / "backup", f"local:{WORK}/restored")
    with larder.connect(f"local:{WORK}/restored") as restored:
        say(answer(history, restored)[0] == answer(history, stores[0])[0], "a backup of the cluster, restored into a folder, holds the same")
    shown = stores[1]._repr_html_()
    check("shown in a notebook", lambda: shown.startswith("<table>"))


def ending():
    query = stores[1].get_historical_features(spine(1, 10), "account")
    online = stores[1].get_online_features("account", {"customer_id": [9]})
    stores[1].close()
    stores[1].close()
    try:
        query.to_arrow()
        say(False, "a closed store says so")
    except larder.ClosedError:
        say(online["big"] is not None, "a closed store says so; results outlive it")
    nobody = f"cluster:127.0.0.1:{1}"
    began = time.monotonic()
    try:
        larder.connect(nobody, cache_dir="")
        say(False, "nobody there: an error")
    except larder.LarderError as e:
        took = time.monotonic() - began
        say(isinstance(e, (ConnectionError, TimeoutError)) and took < 60, f"nobody there: {type(e).__name__} after {took:.1f} s")


SHARDS = 8
stores = []


def main():
    stores.extend((larder.connect(NEAR), larder.connect(FAR)))
    if os.environ.get("PHASE") == "again":  # another process, after the node came back
        reading(", the node back, another process")
        check("check", lambda: stores[1].check())
        check("compact", lambda: stores[1].compact() is None)
        splitting()
    else:
        definitions()
        loading()
        reading("")
        errors()
        fresh()
        erasing()
        partitions("")
        killing()
        reading(", a node dead")
        partitions(", a node dead")
        care()
    ending()
    sys.exit(failed > 0)


if __name__ == "__main__":  # spawned processes import this, too
    main()

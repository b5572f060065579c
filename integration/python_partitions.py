"""Partitions of a cluster in dask, Ray, PyTorch and Spark, each by the real library, in processes of its own. Driven by
python_partitions.sh, which starts the cluster.

usage: python_partitions.py FOLDER_URL CLUSTER_URL WORK_DIR load|dask|ray|torch|spark
Each reads history and a training set: the rows of the folder's store, each once. Then history again, where every reader stops behind its
first batch until a node is dead (WORK_DIR/n2.pid). Prints "ok ..." and "not ok ..." lines.
"""

import datetime as dt
import os
import pathlib
import random
import signal
import sys
import threading
import time
import traceback

import pyarrow as pa

import larder

NEAR, FAR, WORK, WHAT = sys.argv[1:5]
MAY = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)
FACTS, ROWS, PARTS = 60_000, 5_000, 12
failed = 0


def say(good, what):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} {WHAT}: {what}", flush=True)


def facts():
    r = random.Random(3)
    when = [MAY + dt.timedelta(minutes=r.randrange(40000)) for _ in range(FACTS)]
    return pa.table({
        "customer_id": pa.array([r.randrange(400) for _ in range(FACTS)]),
        "event_timestamp": pa.array(when, pa.timestamp("us", "UTC")),
        "created_timestamp": pa.array([t + dt.timedelta(minutes=1 + i) for i, t in enumerate(when)], pa.timestamp("us", "UTC")),
        "seq": pa.array(range(FACTS)),
        "balance": pa.array([None if r.random() < 0.1 else r.random() for _ in range(FACTS)]),
        "plan": pa.array([r.choice([None, "a", ""]) for _ in range(FACTS)]),
        "tags": pa.array([[r.randrange(5)] * r.randrange(3) for _ in range(FACTS)], pa.list_(pa.int64())),
    })  # fmt: skip


def spine():
    r = random.Random(4)
    return pa.table({
        "seq_of_row": pa.array(range(ROWS)),
        "customer_id": pa.array([r.randrange(450) for _ in range(ROWS)]),
        "event_timestamp": pa.array([MAY + dt.timedelta(minutes=r.randrange(45000)) for _ in range(ROWS)], pa.timestamp("us", "UTC")),
    })  # fmt: skip


def load():
    customer = larder.Entity("customer", {"customer_id": "int64"})
    kinds = {"seq": "int64", "balance": "float64", "plan": "string", "tags": "list<int64>"}
    view = larder.FeatureView("account", customer, [larder.Feature(n, t) for n, t in kinds.items()], ttl="20d")
    for url in (NEAR, FAR):
        with larder.connect(url) as store:
            store.apply(view)
            report = store.ingest("account", facts(), created_timestamp="created_timestamp")
            say(report.taken == FACTS, f"{FACTS} facts into {url.split(':')[0]}")


def same(got, want, by):
    """The same rows, each once: `by` numbers them."""
    plain = pa.schema([f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in want.schema])
    got, want = (t.select(plain.names).cast(plain).sort_by([(by, "ascending")]) for t in (got, want))
    return got.num_rows == want.num_rows and got.equals(want)


# ---- Reading with a node dying ----


def held_up(batch, first):
    """Behind a reader's first batch: until the node is dead. In the reader's process."""
    if first:
        pathlib.Path(WORK, f"reading-{os.getpid()}").touch()
        until = time.monotonic() + 60
        while not os.path.exists(os.path.join(WORK, "killed")):
            if time.monotonic() > until:
                raise TimeoutError("nobody killed the node")
            time.sleep(0.02)
    return batch


def read(part):
    """A partition in small batches, and the process that read it."""
    return [(os.getpid(), held_up(b, i == 0)) for i, b in enumerate(part.to_batches(500))]


class Killer(threading.Thread):
    """Kills the node as soon as somebody reads."""

    def run(self):
        until = time.monotonic() + 120
        while not list(pathlib.Path(WORK).glob("reading-*")):
            if time.monotonic() > until:
                return
            time.sleep(0.02)
        os.kill(int(pathlib.Path(WORK, "n2.pid").read_text()), signal.SIGKILL)
        pathlib.Path(WORK, "killed").touch()


class Readers:
    """What each library does: whole(parts) to a table, slowly(parts) to (process, record batch)es by `read`."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Dask(Readers):
    def whole(self, parts):
        frame = parts.to_dask().compute(scheduler="processes", num_workers=2)
        return pa.Table.from_pandas(frame, preserve_index=False)

    def slowly(self, parts):
        import dask

        return [x for one in dask.compute(*map(dask.delayed(read), parts), scheduler="processes", num_workers=2) for x in one]


class Ray(Readers):
    def __enter__(self):
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        self.ray = ray
        return self

    def __exit__(self, *_):
        self.ray.shutdown()

    def whole(self, parts):
        return pa.concat_tables(self.ray.get(parts.to_ray().to_arrow_refs()), promote_options="default")

    def slowly(self, parts):
        task = self.ray.remote(read)
        return [x for one in self.ray.get([task.remote(p) for p in parts]) for x in one]


first_of = set()


def in_worker(batch):
    """A DataLoader's transform: only its worker's first batch waits."""
    first, _ = not first_of, first_of.add(True)
    return os.getpid(), held_up(batch, first)


def plain(batch):
    return batch


class Torch(Readers):
    def _loader(self, parts, context, **how):
        from torch.utils.data import DataLoader

        return DataLoader(parts.to_torch(rows=500, **how), batch_size=None, num_workers=2, multiprocessing_context=context)

    def whole(self, parts):
        spawned = pa.Table.from_batches(self._loader(parts, "spawn", transform=plain))
        forked = pa.Table.from_batches(self._loader(parts, "fork", transform=plain))
        assert sorted(map(repr, spawned.to_pylist())) == sorted(map(repr, forked.to_pylist())), "spawned and forked workers differ"
        numbers = sum(len(b[parts.schema.names[0]]) for b in self._loader(parts, "spawn"))
        assert numbers == spawned.num_rows, "as tensors there are other rows"
        return spawned

    def slowly(self, parts):
        return list(self._loader(parts, "spawn", transform=in_worker))


def rows_of(mine):
    """The recipe of docs/python.md."""
    for part in mine:
        for batch in part.to_batches():
            yield from (tuple(row.values()) for row in batch.to_pylist())


def slow_rows(mine):
    for part in mine:
        yield from read(part)


class Spark(Readers):
    def __enter__(self):
        from pyspark.sql import SparkSession

        os.environ["PYSPARK_PYTHON"] = sys.executable
        self.spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").getOrCreate()
        self.spark.conf.set("spark.sql.session.timeZone", "UTC")
        return self

    def __exit__(self, *_):
        self.spark.stop()

    def whole(self, parts):
        from pyspark.sql.pandas.types import from_arrow_schema

        rdd = self.spark.sparkContext.parallelize(list(parts), len(parts)).mapPartitions(rows_of)
        frame = self.spark.createDataFrame(rdd, from_arrow_schema(parts.schema))
        return frame.toArrow()

    def slowly(self, parts):
        return self.spark.sparkContext.parallelize(list(parts), len(parts)).mapPartitions(slow_rows).collect()


def check(what, function):
    began = time.monotonic()
    try:
        good = function()
        say(bool(good), f"{what} ({time.monotonic() - began:.1f} s)")
    except Exception:
        say(False, what)
        traceback.print_exc(file=sys.stdout)


def main():
    if WHAT == "load":
        load()
        sys.exit(failed > 0)
    with larder.connect(NEAR) as near, {"dask": Dask, "ray": Ray, "torch": Torch, "spark": Spark}[WHAT]() as library:
        history = near.scan("account").to_arrow()
        how = {"with_status": True, "known_at": MAY + dt.timedelta(days=40)}
        trained = near.get_historical_features(spine(), "account", **how).to_arrow()
        say(history.num_rows == FACTS and trained.num_rows == ROWS, "what the folder holds")

        def parts(*arguments, **more):
            return larder.partitions(FAR, *arguments, at_least=PARTS, fresh="strict", **more)

        check("history from the cluster", lambda: same(library.whole(parts("account")), history, "seq"))
        check("a training set from the cluster", lambda: same(library.whole(parts("account", spine(), **how)), trained, "seq_of_row"))

        def dying():
            killer = Killer()
            killer.start()
            got = library.slowly(parts("account"))
            killer.join()
            pids = {pid for pid, _ in got}
            dead = os.path.exists(os.path.join(WORK, "killed"))
            say(dead and os.getpid() not in pids and len(pids) > 1, f"a node is killed under {len(pids)} reading processes")
            return same(pa.Table.from_batches([b for _, b in got]), history, "seq")

        check("history, each row once, a node killed meanwhile", dying)
        check("a training set with the node dead", lambda: same(library.whole(parts("account", spine(), **how)), trained, "seq_of_row"))
    sys.exit(failed > 0)


if __name__ == "__main__":  # spawned processes import this, too
    main()

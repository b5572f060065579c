"""The example's data: what Python answers is what the command line answers, byte for byte."""

import asyncio
import csv
import datetime as dt
import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import larder

SERVICE = "delay_model_v1"


@pytest.fixture(scope="module")
def trained(flights, tmp_path_factory):
    """What the command line writes for the example's spine, and the same spine as a frame."""
    import subprocess

    from conftest import CLI

    folder, url = flights
    out = tmp_path_factory.mktemp("cli") / "train.csv"
    subprocess.run(
        [CLI, "--store", url, "--dir", folder, "get-historical-features", "-s", SERVICE, "--spine", folder / "spine.csv",
         "--timestamp-column", "event_ts", "--known-at-column", "event_ts", "--full-feature-names", "--with-timestamps",
         "--with-status", "-o", out], check=True, capture_output=True,
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def spine(flights):
    frame = pd.read_csv(flights[0] / "spine.csv", dtype=str, keep_default_na=False)
    frame["when"] = pd.to_datetime(frame["event_ts"], utc=True)
    return frame


@pytest.fixture
def store(flights):
    with larder.connect(flights[1]) as s:
        yield s


def as_text(v):
    """A cell as the command line writes it."""
    if v is None:
        return ""
    if isinstance(v, float):
        return repr(v)
    if isinstance(v, dt.datetime):
        return v.strftime("%Y-%m-%dT%H:%M:%S") + (f".{v.microsecond:06d}" if v.microsecond else "") + "Z"
    return str(v)


def test_training_set_is_the_command_lines(store, trained, spine):
    options = {"timestamp_column": "when", "known_at_column": "when", "full_feature_names": True}
    options.update(with_timestamps=True, with_status=True)
    table = store.get_historical_features(pa.Table.from_pandas(spine), service=SERVICE, **options).to_arrow()
    with open(trained, newline="") as f:
        header, *rows = list(csv.reader(f))
    got = {n: [as_text(v) for v in table.column(n).to_pylist()] for n in header}
    assert len(rows) == 5000 and set(header) <= set(table.column_names)
    assert [n for n in table.column_names if n != "when"] == header
    for i, name in enumerate(header):
        assert got[name] == [r[i] for r in rows], name
    again = store.get_historical_features(pl.from_pandas(spine), service=SERVICE, **options)
    assert again.to_arrow().select(header).to_pylist() == table.select(header).to_pylist()
    frame = store.get_historical_features(spine, service=SERVICE, **options)
    assert frame.features_arrow().equals(table.select(table.column_names[len(spine.columns) :]))
    pieces = list(frame.to_batches(700))
    assert [p.num_rows for p in pieces] == [700] * 7 + [100]
    assert pa.Table.from_batches(pieces).select(header).to_pylist() == table.select(header).to_pylist()
    assert frame.to_reader(1000).read_all().num_rows == 5000
    assert pl.DataFrame(frame).height == 5000


def test_files_are_the_command_lines(store, trained, flights, tmp_path):
    report = store.get_historical_features_to_file(
        flights[0] / "spine.csv", tmp_path / "t.csv", service=SERVICE, timestamp_column="event_ts",
        known_at_column="event_ts", full_feature_names=True, with_timestamps=True, with_status=True,
    )  # fmt: skip
    assert report["rows"] == 5000
    assert (tmp_path / "t.csv").read_bytes() == trained.read_bytes()


def test_online_is_the_command_lines(flights, cli, tmp_path):
    folder, url = flights
    with open(folder / "spine.csv", newline="") as f:
        rows = list(csv.DictReader(f))[:200]
    keys = ["origin", "dest", "carrier", "tailnum"]
    entities = {k: [r[k] or None for r in rows] for k in keys}
    with open(tmp_path / "e.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(keys)
        writer.writerows(zip(*entities.values()))
    moment = "2013-02-09T03:30:00Z"
    told = cli("--store", url, "--dir", folder, "--json", "get-online-features", "-s", SERVICE, "--full-feature-names",
               "--entities", tmp_path / "e.csv", "--as-of", moment)  # fmt: skip
    with larder.connect(url) as store:
        got = store.get_online_features(service=SERVICE, entities=entities, as_of=moment, full_feature_names=True)
    lines = [json.loads(line) for line in told.splitlines()]
    assert len(lines) == 200
    for i, line in enumerate(lines):
        flat = json.dumps(line)
        for name in got._batch.names:
            assert got.statuses(name)[i] in flat
        for k in keys:
            assert got[k][i] == entities[k][i]
    want = json.dumps([[cell(line, n) for n in got._batch.names] for line in lines])
    assert json.dumps([[got[n][i] for n in got._batch.names] for i in range(200)]) == want


def cell(line, name):
    """The value of one feature in a line of --json, however it is nested."""
    value = line[name] if name in line else line["features"][name]
    return value["value"] if isinstance(value, dict) else value


def test_scan_and_catalog_are_the_command_lines(flights, cli, tmp_path):
    folder, url = flights
    told = cli("--store", url, "--dir", folder, "scan", "weather", "-e", "origin=JFK")
    stats = cli("--store", url, "--dir", folder, "--json", "stats", "weather")
    with larder.connect(url) as store:
        scan = store.scan("weather", {"origin": "JFK"})
        rows = scan.to_file(tmp_path / "scan.csv")
        assert (tmp_path / "scan.csv").read_text() == told
        header, *lines = list(csv.reader(told.splitlines()))
        assert rows == len(lines)
        assert [[as_text(v) for v in row.values()] for row in scan] == lines and list(scan.columns) == header
        table = store.stats("weather")
        assert [row["feature"] for row in table] == [json.loads(line)["feature"] for line in stats.splitlines()]
        assert [row["mean"] for row in table] == [json.loads(line)["mean"] for line in stats.splitlines()]
        half = store.scan("weather", start="2013-02-01", end="2013-02-01T23:59:59Z").to_pandas()
        assert half["event_timestamp"].dt.day.unique().tolist() == [1]


def test_python_definitions_are_the_files(flights, tmp_path):
    """The example's definitions as objects make the same registry."""
    weather_features = ["temp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "visib"]
    with larder.connect(flights[1]) as store:
        want = {row["name"]: row for row in store.list("feature-views")}["weather"]
        assert [r["name"] for r in store.list("features") if r["name"].startswith("weather:")] == sorted(
            f"weather:{f}" for f in weather_features
        )
        checks = {"wind_speed": {"min": 0, "max": 200}, "visib": {"min": 0, "max": 20}}
        units = dict(zip(weather_features, ["degF", "percent", "degrees", "mph", "mph", "inch", "mile"]))
        about = {"temp": "Air temperature", "humid": "Relative humidity", "wind_dir": "Wind direction",
                 "wind_speed": "Wind speed", "wind_gust": "Gusts; null when there are none", "precip": "Rain in the hour",
                 "visib": "Visibility"}  # fmt: skip
        view = larder.FeatureView(
            "weather",
            entity="airport",
            source="weather_file",
            ttl=dt.timedelta(hours=3),
            online=True,
            description="Newest hourly observation at the departure airport",
            owner="flights@example.org",
            tags={"domain": "weather", "tier": "gold"},
            features=[
                larder.Feature(f, "float64", about[f], units[f], checks=checks.get(f, {})) for f in weather_features
            ],
        )
        plan = store.plan([view, larder.Entity("airport", {"origin": "string"}, "Departure airport", "flights@example.org"),
                           larder.Source("weather_file", "data/weather*.csv.gz", event_timestamp="event_ts",
                                         created_timestamp="created_ts",
                                         description="Hourly observations at the airports")])  # fmt: skip
        assert plan.count == 0 and not plan, plan
        assert want["ttl"] == "3h"


def test_asyncio(store):
    async def main():
        keys = [{"origin": o} for o in ("JFK", "LGA", "EWR")] * 20
        ask = (store.get_online_features_async("weather", k, as_of="2013-02-09T03:30:00Z") for k in keys)
        answers = await asyncio.gather(*ask)
        train = await asyncio.to_thread(store.get_historical_features({"origin": ["JFK"], "t": ["2013-02-09"]}, "weather",
                                                                      timestamp_column="t").to_dict)  # fmt: skip
        with pytest.raises(larder.NotFoundError):
            await store.get_online_features_async("nothing", {"origin": "JFK"})
        with pytest.raises(larder.InvalidError):
            await store.get_online_features_async("weather", {"origin": 5})
        task = asyncio.ensure_future(store.get_online_features_async("weather", {"origin": "JFK"}))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return answers, train

    answers, train = asyncio.run(main())
    blocking = store.get_online_features("weather", {"origin": "LGA"}, as_of="2013-02-09T03:30:00Z")
    assert all(a.to_dict() == blocking.to_dict() for a in answers[1::3])
    assert train["temp"] != [None]


def test_threads_share_a_store(store):
    from concurrent.futures import ThreadPoolExecutor

    spine = {"origin": ["JFK"] * 1000, "t": ["2013-02-09"] * 1000}

    def one(i):
        if i % 2:
            return store.get_historical_features(spine, "weather:temp", timestamp_column="t").to_dict()["temp"][0]
        return store.get_online_features("weather:temp", {"origin": "JFK"}, as_of="2013-02-09")["temp"][0]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(one, range(64)))) == 1

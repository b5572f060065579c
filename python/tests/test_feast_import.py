"""larder import-feast: a Feast repository as definitions; where Feast is installed."""

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("feast")

from conftest import CLI, ROOT  # noqa: E402

import larder  # noqa: E402
from larder.feast import imports  # noqa: E402

HERE = Path(__file__).parent
T0 = pd.Timestamp("2024-05-01", tz="UTC")


@pytest.fixture
def repo(tmp_path):
    folder = tmp_path / "repo"
    shutil.copytree(HERE / "feast_repo", folder)
    data = folder / "data"
    data.mkdir()
    both = pd.DataFrame({
        "driver_id": [1, 1, 2], "event time": [T0, T0 + pd.Timedelta("1h"), T0], "made": [T0] * 3, "rate": [0.25, 0.5, None], "trips-today": [3, 4, 5],
        "scores": [[1.0], [], None], "seen": [T0] * 3, "profile": ['{"a": 1}', None, "{}"], "extra": [[("k", "v")], None, None], "badges": [["x"], None, None],
    })  # fmt: skip
    both.to_parquet(data / "trips.parquet")
    pd.DataFrame({"driver_id": [1], "customer_id": ["a"], "ts": [T0], "fare": [9.5], "n": [1], "kg": [1.5]}).to_parquet(data / "pairs.parquet")
    pd.DataFrame({"driver_id": [1], "ts": [T0], "level": [7], "label": ["x"]}).to_parquet(data / "inferred.parquet")
    return folder


def told(found):
    return {(r.kind, r.name): r for r in found.rows}


def test_what_is_carried_over_and_why_not(repo, tmp_path):
    found = imports.import_repo(repo, tmp_path / "defs")
    rows = told(found)
    assert {k: (r.result, r.larder) for k, r in rows.items()} == {
        ("setting", "auth"): ("left out", ""),
        ("entity", "driver"): ("carried over", "driver"),
        ("entity", "driver + customer"): ("carried over", "driver_customer"),
        ("entity", "customer"): ("carried over", "customer"),
        ("entity", "vehicle"): ("carried over", "vehicle"),
        ("entity", "place"): ("left out", ""),
        ("entity", "weight"): ("left out", ""),
        ("source", "trips"): ("partly", "trips"),
        ("source", "pair_push"): ("carried over", "pair_push"),
        ("source", "inferred_file"): ("carried over", "inferred_file"),
        ("source", "gone"): ("left out", ""),
        ("source", "delta_table"): ("left out", ""),
        ("source", "warehouse_table"): ("left out", ""),
        ("source", "live"): ("partly", "live"),
        ("source", "request"): ("left out", ""),
        ("feature view", "driver_stats"): ("partly", "driver_stats"),
        ("feature view", "pair"): ("carried over", "pair"),
        ("feature view", "inferred"): ("carried over", "inferred"),
        ("feature view", "unreadable"): ("left out", ""),
        ("feature view", "delta"): ("partly", "delta"),
        ("feature view", "warehouse"): ("partly", "warehouse"),
        ("feature view", "everybody"): ("left out", ""),
        ("feature view", "by_weight"): ("left out", ""),
        ("feature view", "only_maps"): ("left out", ""),
        ("feature view", "cleaned"): ("partly", "cleaned"),
        ("stream view", "live_stats"): ("partly", "live_stats"),
        ("on-demand view", "bonus"): ("left out", ""),
        ("feature service", "model-v1"): ("partly", "model_x2d_v1"),
        ("feature service", "twice"): ("partly", "twice"),
        ("feature service", "nothing"): ("left out", ""),
    }
    why = {name: " | ".join(r.why) for (_, name), r in rows.items()}
    for name, part in (
        ("auth", "kubernetes"), ("place", "of which type its key is"), ("weight", "DOUBLE"), ("trips", "tag 'a=b'"), ("delta_table", "in the format delta"),
        ("warehouse_table", "a BigQuerySource"), ("live", "Kafka"), ("request", "come with a request"), ("driver_stats", "feature 'extra' is left out"),
        ("driver_stats", "feature 'badges' is left out"), ("driver_stats", "feature 'profile': JSON is kept as its text"),
        ("driver_stats", "feature 'trips-today' is called 'trips_x2d_today'"), ("unreadable", "gone.parquet"), ("everybody", "no entity"),
        ("by_weight", "join key 'kg' is of the type DOUBLE"), ("only_maps", "no type for MAP"), ("cleaned", "transformation"), ("live_stats", "transformation"),
        ("bonus", "mode pandas"), ("model-v1", "'bonus' is left out"), ("model-v1", "'driver_stats' is without extra"), ("twice", "as 'other'"),
        ("warehouse", "no source here"), ("cleaned", "no source here"),
    ):  # fmt: skip
        assert part in why[name], (name, part, why[name])
    assert not found.complete


def test_the_definitions_apply_and_say_the_same(repo, tmp_path):
    found = imports.import_repo(repo, tmp_path / "defs")
    assert found.files == ["entities.yaml", "sources.yaml", "feature_views.yaml", "feature_services.yaml"]
    with larder.connect(f"local:{tmp_path}/store") as store:
        assert store.apply(tmp_path / "defs").count > 0
        about = dict(store.describe("feature-views", "driver_stats").rows)
        assert about["entity"] == "driver" and about["source"] == "trips" and about["ttl"] == "2h" and about["owner"] == "ops@example.org"
        assert about["feature scores"].startswith("list<float64>") and about["feature conv_rate"].startswith("float32")
        about = dict(store.describe("sources", "trips").rows)
        assert about["event_timestamp"] == "event time" and about["created_timestamp"] == "made"
        assert about["columns"] == "conv_rate from rate, trips_x2d_today from trips-today"
        assert dict(store.describe("feature-views", "pair").rows)["online"] == "false"
        refs = [v for f, v in store.describe("feature-services", "model_x2d_v1").rows if f == "reads"]
        assert refs == ["driver_stats:conv_rate", "driver_stats:trips_x2d_today", "pair"]
    imports.import_repo(repo, tmp_path / "defs")  # its own files it makes anew
    (tmp_path / "defs" / "mine.yaml").write_text("entities: []\n")
    with pytest.raises(larder.InvalidError, match="mine.yaml"):
        imports.import_repo(repo, tmp_path / "defs")


def test_data_is_loaded(repo, tmp_path):
    found = imports.import_repo(repo, tmp_path / "defs")
    loaded = {d.view: d for d in imports.load_data(found, larder.connect(f"local:{tmp_path}/store"), tmp_path / "defs")}
    assert {v: (d.report.taken, d.error) for v, d in loaded.items()} == {
        "driver_stats": (3, ""), "pair": (1, ""), "inferred": (1, ""), "live_stats": (3, ""),
    }  # fmt: skip
    with larder.connect(f"local:{tmp_path}/store") as store:
        got = store.get_online_features(["driver_stats:conv_rate", "driver_stats:trips_x2d_today", "driver_stats:profile"], {"driver_id": [1, 2]})
        assert got["conv_rate"] == [0.5, None] and got["trips_x2d_today"] == [4, 5] and got["profile"] == [None, "{}"]
        assert [f["event_timestamp"] for f in store.scan("pair")] == [dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)]


def test_what_an_import_does_not_need_may_be_lacking(repo, tmp_path):
    """A package of an online store that is not installed."""
    config = (repo / "feature_store.yaml").read_text()
    without = "\n".join(line for line in config.splitlines() if not line.startswith(("online_store", " ")))
    (repo / "feature_store.yaml").write_text(f"{without}\nonline_store: {{type: no.such.package.OnlineStore}}\noffline_store: {{type: file}}\n")
    found = imports.import_repo(repo, tmp_path / "defs")
    assert len(found.files) == 4 and "offline_store" not in [r.name for r in found.rows]
    (repo / "feature_store.yaml").write_text(f"{without}\nonline_store: {{type: sqlite}}\noffline_store: {{type: no.such.package.OfflineStore}}\n")
    found = imports.import_repo(repo, tmp_path / "defs")
    assert len(found.files) == 4
    (row,) = [r for r in found.rows if r.name == "offline_store"]
    assert "not installed" in row.why[0] and not found.complete


def test_nothing_carried_over_is_told(repo, tmp_path, cli):
    (repo / "features.py").write_text(
        "from feast import Entity, FeatureView, Field, FileSource\nfrom feast.types import Int64\n"
        "source = FileSource(name='s', path='gone.parquet', timestamp_field='t')\n"
        "view = FeatureView(name='lost', entities=[Entity(name='e', join_keys=['k'])], schema=[Field(name='n', dtype=Int64)], source=source)\n"
    )
    out = cli("--dir", tmp_path / "defs", "--store", f"local:{tmp_path}/store", "import-feast", repo, "--data", ok=(1,))
    assert "lost" in out and "left out" in out and "gone.parquet" in out


def test_credentials_in_a_path_are_left_out(tmp_path):
    from types import SimpleNamespace

    from feast import FileSource
    from larder.feast.importer import Importer
    from larder.feast.report import Row

    importer = Importer(SimpleNamespace(project="p"), SimpleNamespace(entities=[]), tmp_path)
    importer._column_names = lambda _: []  # nobody is asked
    for path, kept, told in (
        ("s3://AKIDEXAMPLE:wJalr%2FXU@bucket/x.parquet?region=eu-west-1", "s3://bucket/x.parquet?region=eu-west-1", True),
        ("s3://bucket/x.parquet?region=eu-west-1", "s3://bucket/x.parquet?region=eu-west-1", False),
    ):
        row = Row("source", "s")
        made = SimpleNamespace(row=row, options={})
        importer._describe(FileSource(name="s", path=path, timestamp_field="t"), made)
        assert made.options["path"] == kept and any("credentials" in w for w in row.why) == told


def test_one_view_that_cannot_be_loaded_does_not_keep_others_from_it(repo, tmp_path):
    found = imports.import_repo(repo, tmp_path / "defs")
    (repo / "data" / "inferred.parquet").unlink()
    loaded = {d.view: d for d in imports.load_data(found, larder.connect(f"local:{tmp_path}/store"), tmp_path / "defs")}
    assert "inferred.parquet" in loaded["inferred"].error and loaded["pair"].report.taken == 1


def test_the_command_line(repo, tmp_path, cli):
    out = cli("--dir", tmp_path / "defs", "--store", f"local:{tmp_path}/store", "import-feast", repo, "--data", ok=(1,))
    assert "driver_stats" in out and "partly" in out and "BigQuerySource" in out and "driver_stats: 3 rows taken" in out
    assert "0.5" in cli("--store", f"local:{tmp_path}/store", "get-online-features", "-f", "driver_stats:conv_rate", "-e", "driver_id=1")
    report = json.loads(cli("--json", "--dir", tmp_path / "defs", "import-feast", repo, ok=(1,)))
    assert report["project"] == "rides" and report["data"] == []
    by_name = {o["name"]: o for o in report["objects"]}
    assert by_name["driver"] == {"kind": "entity", "name": "driver", "result": "carried over", "larder": "driver", "why": []}
    assert by_name["bonus"]["larder"] is None and by_name["bonus"]["result"] == "left out"
    assert cli("--dir", tmp_path / "defs", "--store", f"local:{tmp_path}/store", "plan", ok=(0,)) is not None
    for args, code in (([tmp_path / "nothing"], 2), ([tmp_path], 2)):
        cli("--dir", tmp_path / "other", "import-feast", *args, ok=(code,))
    (repo / "broken.py").write_text("raise RuntimeError('broken on purpose')\n")
    cli("--dir", tmp_path / "other", "import-feast", repo, ok=(2,))
    assert not (tmp_path / "other").exists()


def test_moving_from_feast_works_as_typed(tmp_path):
    """What docs/python.md says under that head, line by line."""
    (block,) = re.findall(r"<!-- run with Feast -->\n```\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)
    lines = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) > 5
    # 1: done, and something was left out
    script = "".join(f"{line}\ncode=$?; [ $code -le 1 ] || {{ echo \"exit $code: line {i}\" >&2; exit 9; }}\n" for i, line in enumerate(lines))
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "larder").symlink_to(CLI)
    path = os.pathsep.join([str(bin), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=550, check=False,
        env={**os.environ, "PATH": path, "LARDER_PYTHON": sys.executable, "FEAST_USAGE": "False"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "conv_rate_plus_val1" in done.stdout  # on-demand views, in the tour
    assert re.search(r"^driver_hourly_stats: 1,8\d\d rows taken", done.stdout, re.M) and "PRESENT" in done.stdout
    assert "Traceback" not in done.stderr, done.stderr[-3000:]

"""The rest of the surface: definitions, loading, care, how results show themselves."""

import datetime as dt

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import larder

WHEN = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)


@pytest.fixture
def minimal(store, tmp_path):
    from conftest import EXAMPLES

    store.apply(EXAMPLES / "minimal")
    store.materialize("2024-01-01", "2024-12-31", dir=EXAMPLES / "minimal")
    return store


def test_definitions_from_a_folder(minimal):
    from conftest import EXAMPLES

    assert not minimal.plan(EXAMPLES / "minimal")
    assert minimal.list()["name"] == ["account"]
    assert minimal.list("features")["name"] == ["account:balance", "account:plan"]
    fields = {r["field"]: r["value"] for r in minimal.describe("feature-views", "account")}
    assert fields["ttl"] == "30d" and fields["source"] == "account_file"
    assert [r["kind"] for r in minimal.search("churn")] == ["feature service"]
    assert len(minimal.versions("feature-views", "account")) == 1
    later = larder.FeatureView("account", "customer", [larder.Feature("balance", "float64"), larder.Feature("plan", "string")],
                               source="account_file", ttl="60d", tags={"team": "money"})  # fmt: skip
    plan = minimal.plan(later)
    assert plan.count == 1 and plan.version == 2, plan  # materializing was the second change
    assert minimal.apply(later, expect_version=2).version == 3
    changed = minimal.diff("feature-views", "account", 1, 3)
    assert "ttl" in changed["field"]
    assert minimal.search(tag="team=money")["name"][0] == "account"
    assert minimal.search(tag="team")["name"][0] == "account"
    assert len(minimal.search(tag="team=other")) == 0
    minimal.delete("feature-services", "churn_v1")
    assert len(minimal.list("feature-services")) == 0


def test_a_service_brings_what_it_is_made_of(store):
    customer = larder.Entity("customer", {"customer_id": "int64"}, owner="a@b", tags={"x": "y"})
    source = larder.Source("files", "x*.csv", columns={"balance": "bal"}, event_timestamp="at")
    pushes = larder.Source("pushes", type="push")
    account = larder.FeatureView("account", customer, [larder.Feature("balance", "float64", pii=True)], source, "30d", "400d")
    other = larder.FeatureView("other", customer, [larder.Feature("y", "list<int32>")], pushes, online=False)
    service = larder.FeatureService("s", [account, other["y"]], description='what a model reads: "quoted" \u00e4')
    store.apply([other, service])
    assert store.plan([service, other]).count == 0
    assert store.list("feature-services")["description"] == ['what a model reads: "quoted" \u00e4']
    assert store.list("entities")["name"] == ["customer"]
    assert store.search(pii=True)["name"] == ["account:balance"]
    with pytest.raises(larder.InvalidError, match="has no feature 'z'"):
        other["z"]


def test_columns_of_a_source_are_renamed(store):
    customer = larder.Entity("customer", {"customer_id": "int64"})
    source = larder.Source("s", "x.csv", columns={"balance": "bal"}, event_timestamp="at", created_timestamp="loaded")
    store.apply(larder.FeatureView("account", customer, [larder.Feature("balance", "float64")], source))
    frame = pd.DataFrame({"customer_id": [1], "bal": [2.0], "at": [WHEN], "loaded": [WHEN + dt.timedelta(1)]})
    store.ingest("account", frame)
    (row,) = store.scan("account")
    assert row["balance"] == 2.0 and row["created_timestamp"] == WHEN + dt.timedelta(1)
    store.ingest("account", frame.drop(columns="loaded").rename(columns={"at": "t"}), event_timestamp="t", created_at=WHEN)
    assert [r["created_timestamp"] for r in store.scan("account")] == [WHEN, WHEN + dt.timedelta(1)]


def test_ingest_files(minimal, tmp_path):
    (tmp_path / "a.csv").write_text("customer_id,event_timestamp,balance,plan\n5,2024-05-01,1.5,x\n6,2024-05-01,bad,x\n")
    told = []
    report = minimal.ingest("account", tmp_path / "a.csv", progress=lambda what, rows, seconds: told.append(rows))
    assert (report.rows, report.taken, report.rejected) == (2, 1, 1)
    assert "a.csv:3" in report.first_reject and (tmp_path / "a.csv.rejects.csv").exists()
    assert told
    (tmp_path / "b.ndjson").write_text('{"customer_id": 7, "event_timestamp": "2024-05-01", "balance": 2, "plan": null}\n')
    assert minimal.ingest("account", tmp_path / "b.ndjson").taken == 1
    assert minimal.get_online_features("account", {"customer_id": [5, 7]})["balance"] == [1.5, 2.0]


def test_progress_cancels_and_raises(minimal, tmp_path):
    lines = "".join(f"{i},2024-05-01,1.5,x\n" for i in range(300000))
    (tmp_path / "a.csv").write_text("customer_id,event_timestamp,balance,plan\n" + lines)
    with pytest.raises(larder.CancelledError):
        minimal.ingest("account", tmp_path / "a.csv", progress=lambda *_: False)

    def broken(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        minimal.ingest("account", tmp_path / "a.csv", progress=broken)
    assert minimal.ingest("account", tmp_path / "a.csv", progress=True).taken == 300000


def test_materialize(store, tmp_path):
    from conftest import EXAMPLES

    store.apply(EXAMPLES / "minimal")
    report = store.materialize("2024-05-01", "2024-05-10")
    assert report["view"] == ["account"] and report.total.taken == 3 and report.total.skipped == 1
    report = store.materialize_incremental("2024-06-01", "account")
    assert report.total.taken == 4 and report.total.duplicates == 3  # late rows are looked for, too
    with pytest.raises(larder.NotFoundError):
        store.materialize("2024-05-01", "2024-05-10", ["nothing"])


def test_many_rows_and_streams(minimal):
    n = 120_000
    table = pa.table({"customer_id": pa.array(range(n), pa.int64()), "balance": pa.array([0.5] * n),
                      "plan": pa.array(["p"] * n), "event_timestamp": pa.array([WHEN] * n)})  # fmt: skip
    report = minimal.ingest("account", table)
    assert report.taken == n and report.bulk and report.min_event == WHEN
    assert minimal.ingest("account", table).taken == n
    spine = table.select(["customer_id"]).append_column("event_timestamp", pa.array([WHEN + dt.timedelta(1)] * n))
    reader = pa.RecordBatchReader.from_batches(spine.schema, iter(spine.to_batches(max_chunksize=50_000)))
    pieces = list(minimal.get_historical_features(reader, "account:balance").to_batches(30_000))
    assert sum(p.num_rows for p in pieces) == n and max(p.num_rows for p in pieces) <= 30_000
    assert set(pa.Table.from_batches(pieces).column("balance").to_pylist()) == {0.5}
    frames = (pl.from_arrow(spine.slice(at, 40_000)) for at in range(0, n, 40_000))
    assert sum(p.num_rows for p in minimal.get_historical_features(frames, "account").to_batches()) == n
    chunked = pa.concat_tables([spine.slice(0, 10), spine.slice(10, 90)])
    got = minimal.get_historical_features(chunked, "account")
    assert got.to_arrow().num_rows == 100 and got.to_polars().height == 100 and len(got) == 100


def test_nothing_in_nothing_out(minimal):
    empty = pd.DataFrame({"customer_id": pd.Series([], dtype="int64"), "event_timestamp": pd.Series([], dtype="M8[us]")})
    assert list(minimal.get_historical_features(empty, "account").to_pandas().columns) == [*empty.columns, "balance", "plan"]
    assert minimal.get_historical_features(pl.from_pandas(empty), "account").to_polars().height == 0
    assert minimal.get_historical_features({"customer_id": [], "event_timestamp": []}, "account").to_dict()["plan"] == []
    online = minimal.get_online_features("account", {"customer_id": []})
    assert len(online) == 0 and online.to_rows() == [] and online.to_numpy()["balance"].size == 0
    assert online.to_arrow().num_rows == 0
    assert minimal.ingest("account", {"customer_id": [], "event_timestamp": [], "balance": [], "plan": []}).rows == 0


def test_care(minimal, tmp_path):
    assert minimal.check() and minimal.check().wrong == 0
    minimal.backup(tmp_path / "backup")
    minimal.compact()
    assert minimal.store_stats()["history_facts"] == 4
    larder.restore(tmp_path / "backup", f"local:{tmp_path}/again")
    with larder.connect(f"local:{tmp_path}/again", must_exist=True) as again:
        assert len(list(again.scan("account"))) == 4
        assert again.erase({"customer_id": 1}, view="account") == 2
        assert len(list(again.scan("account"))) == 2
    stats = minimal.stats("account", "2024-05-01", "2024-05-01T12:00:00Z")
    assert stats["count"] == [1, 1] and isinstance(stats.to_pandas(), pd.DataFrame)


def test_what_is_shown(minimal):
    spine = {"customer_id": [1], "event_timestamp": [WHEN]}
    train = minimal.get_historical_features(spine, service="churn_v1")
    assert "not read yet" in repr(train)
    online = minimal.get_online_features(service="churn_v1", entities={"customer_id": "1".count("1")})
    table = larder.Table(["a", "b<c"], [[1, None], ["<x>", 2.5]])
    for shown in (train, online, table, minimal, minimal.scan("account"), minimal.check(), minimal.list()):
        assert shown._repr_html_().startswith("<table>")
    assert "&lt;x&gt;" in table._repr_html_() and "b&lt;c" in table._repr_html_()
    assert repr(table) == "a    b<c\n1\n<x>  2.5"
    assert "100.5" in repr(train) and "80.25" in repr(online)
    assert table["a"] == [1, "<x>"] and list(table)[0] == {"a": 1, "b<c": None} and table == larder.Table(*[table.columns, table.rows])
    with pytest.raises(KeyError):
        table["z"]


def test_arrow_capsules(minimal):
    online = minimal.get_online_features("account", {"customer_id": [1, 99]})
    batch = online._batch
    taken = pa.record_batch(batch)
    del batch, online
    assert taken.column("plan").to_pylist() == ["plus", None]
    train = minimal.get_historical_features({"customer_id": [1], "event_timestamp": [WHEN]}, "account")
    assert pa.table(train).num_rows == 1
    assert train.batches()[0].to_arrow().column("balance").to_pylist() == [100.5]
    addresses = [train.batches()[0].to_arrow().column("balance").buffers()[1].address for _ in range(2)]
    assert addresses[0] == addresses[1]  # lent, not copied
    capsule = train.batches()[0].__arrow_c_array__()
    del capsule  # never taken: its destructor releases
    assert train.batches()[0].__arrow_c_schema__() is not None

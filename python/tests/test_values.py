"""Every type goes in and comes out the same, by every way in and out."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import larder

UTC = dt.timezone.utc
FIRST = dt.datetime(1, 1, 1, tzinfo=UTC)
LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
WHEN = dt.datetime(2024, 5, 1, tzinfo=UTC)
VALUES = {
    "bool": [True, False, None],
    "int32": [-(2**31), 2**31 - 1, None],
    "int64": [-(2**63), 2**63 - 1, None],
    "float32": [1.5, -0.0, math.inf, math.nan, None],
    "float64": [1e300, -0.0, -math.inf, math.nan, 5e-324, None],
    "string": ["", "a", "ÄÖ \n\"x\"", "\U0001f600" * 100, None],
    "bytes": [b"", b"\0\xff", None],
    "timestamp": [FIRST, LAST, WHEN, None],
    "list<bool>": [[], [True], [False, True, True], None],
    "list<int32>": [[], [1, -1], None],
    "list<int64>": [[], [2**62, -(2**62)], None],
    "list<float32>": [[], [0.5, math.inf], None],
    "list<float64>": [[], [1e300, -0.0], None],
    "list<string>": [[], [""], ["a", "ß", ""], None],
    "list<bytes>": [[], [b"", b"\0"], None],
    "list<timestamp>": [[], [FIRST, LAST], None],
}
ROWS = max(len(v) for v in VALUES.values())


def name(t):
    return "f_" + t.replace("<", "_").replace(">", "")


def columns():
    """Every type's values, filled up with null."""
    return {name(t): v + [None] * (ROWS - len(v)) for t, v in VALUES.items()}


def data():
    return {"id": list(range(ROWS)), "event_timestamp": [WHEN] * ROWS, **columns()}


def same(a, b):
    """Equal, and of the same bits where that can differ."""
    if isinstance(a, (list, np.ndarray)) and isinstance(b, (list, np.ndarray)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, float) and isinstance(b, float):
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return type(a) is type(b) and a == b


def arrow(layout="large"):
    """The same as a pyarrow table, in one of the layouts that libraries use."""
    small = layout == "small"
    text, blob = (pa.string(), pa.binary()) if small else (pa.large_string(), pa.large_binary())
    if layout == "view":
        text, blob = pa.string_view(), pa.binary_view()
    plain = {
        "bool": pa.bool_(), "int32": pa.int32(), "int64": pa.int64(), "float32": pa.float32(), "float64": pa.float64(),
        "string": text, "bytes": blob, "timestamp": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    of = pa.list_ if small else pa.large_list
    table = {"id": pa.array(range(ROWS), pa.int64()), "event_timestamp": pa.array([WHEN] * ROWS, pa.timestamp("us"))}
    for t, values in VALUES.items():
        element = t[5:-1] if t.startswith("list") else t
        kind = of(plain[element]) if t.startswith("list") else plain[element]
        table[name(t)] = pa.array(columns()[name(t)], kind)
    return pa.table(table)


@pytest.fixture
def wide(store):
    entity = larder.Entity("thing", {"id": "int64"})
    features = [larder.Feature(name(t), t) for t in VALUES]
    store.apply([larder.FeatureView("wide", entity, features)])
    return store


def check_all(store):
    """Each way of reading gives what went in."""
    want = columns()
    ids = list(range(ROWS))
    online = store.get_online_features("wide", {"id": ids})
    assert set(online._batch.types.values()) == set(VALUES)
    for n, values in want.items():
        assert same(online[n], values), n
        assert online.statuses(n) == ["NULL_VALUE" if v is None else "PRESENT" for v in values]
        assert online.event_timestamps(n) == [WHEN] * ROWS
    assert same(online.to_rows()[1]["f_string"], "a")
    spine = {"id": [*ids, 99], "event_timestamp": [WHEN] * (ROWS + 1)}
    train = store.get_historical_features(spine, "wide", with_status=True)
    for n, values in want.items():
        assert same(train.to_dict()[n], [*values, None]), n
    assert train.to_dict()["f_bool__status"][-1] == "NOT_FOUND"
    table = train.to_arrow()
    assert table.column("f_list_string").type == pa.large_list(pa.large_string())
    for n, values in want.items():
        assert same(table.column(n).to_pylist(), [*values, None]), n
    frame = store.get_historical_features(pl.DataFrame(spine), "wide").to_polars()
    for n, values in want.items():
        assert same(frame[n].to_list(), [*values, None]), n
    scanned = {row["id"]: row for row in store.scan("wide")}
    for n, values in want.items():
        assert same([scanned[i][n] for i in ids], values), n
    for n, values in want.items():
        assert same(store.scan("wide").to_arrow().sort_by("id").column(n).to_pylist(), values), n


def test_dict_of_lists(wide):
    assert wide.ingest("wide", data()).taken == ROWS
    check_all(wide)


def test_list_of_dicts(wide):
    d = data()
    assert wide.ingest("wide", [dict(zip(d, row)) for row in zip(*d.values())]).taken == ROWS
    check_all(wide)


@pytest.mark.parametrize("layout", ["large", "small", "view"])
def test_arrow(wide, layout):
    table = arrow(layout)
    assert wide.ingest("wide", table).taken == ROWS
    check_all(wide)


@pytest.mark.parametrize("skip", [1, 3])
def test_arrow_slices_and_chunks(wide, skip):
    """Arrays that start in the middle of a byte, several chunks, a stream."""
    table = arrow("small" if skip == 1 else "large")
    before = pa.concat_tables([table.slice(0, skip), table]).combine_chunks()
    pieces = [before.slice(skip, 2), before.slice(skip + 2)]
    wide.ingest("wide", pa.concat_tables(pieces))
    check_all(wide)


def test_record_batch_and_reader(wide):
    batch = arrow().to_batches()[0]
    wide.ingest("wide", batch.slice(0, 2))
    wide.ingest("wide", pa.RecordBatchReader.from_batches(batch.schema, iter([batch.slice(2)])))
    check_all(wide)


def test_polars(wide):
    wide.ingest("wide", pl.from_arrow(arrow()))
    check_all(wide)


def test_pandas(wide):
    """Objects in a frame, as users have them; NaN means null there."""
    frame = arrow().to_pandas(types_mapper=pd.ArrowDtype)
    wide.ingest("wide", frame)
    check_all(wide)


def test_pandas_integers_with_nulls_among_them(store):
    """pandas makes floats of them; they are integers all the same."""
    views = [larder.Feature("n", "int32"), larder.Feature("x", "int64")]
    store.apply(larder.FeatureView("v", larder.Entity("e", {"id": "int64"}), views))
    frame = pd.DataFrame({"id": [1, 2], "n": [5, None], "x": [None, 2**40], "event_timestamp": pd.Timestamp("2024-01-01")})
    assert frame["n"].dtype == "float64"
    store.ingest("v", frame)
    spine = pd.DataFrame({"id": [2, None, 1], "event_timestamp": pd.Timestamp("2024-01-02")})
    train = store.get_historical_features(spine, "v")
    assert spine["id"].dtype == "float64" and train.to_dict()["x"] == [2**40, None, None]
    assert [b.column("n").to_pylist() for b in train.to_batches(2)] == [[None, None], [5]]
    assert train.to_pandas()["id"].dtype == "float64"
    with pytest.raises(larder.InvalidError, match="column n, row 0"):
        store.ingest("v", frame.assign(n=[1.5, None]))
    with pytest.raises(larder.InvalidError, match="column id, row 0"):
        store.get_historical_features(spine.assign(id=[2.5, None, 1]), "v").to_pandas()


def test_numpy_columns(wide):
    ids = np.arange(4)
    times = np.array(["2024-05-01"] * 4, dtype="datetime64[ns]")
    wide.ingest(
        "wide",
        {
            "id": ids, "event_timestamp": times, "f_float32": ids.astype("f4") / 2, "f_int32": ids.astype("u1"),
            "f_timestamp": np.array(["2024-01-01", "NaT"] * 2, dtype="datetime64[s]"), "f_bool": ids > 1,
            "f_string": np.array(["a", "b", "", "ß"]), "f_list_int64": [np.array([1, 2]), np.array([], "i8"), None, []],
        },
        allow_missing=True,
    )  # fmt: skip
    got = wide.get_online_features("wide", {"id": ids}).to_dict()
    assert got["f_float32"] == [0, 0.5, 1, 1.5]
    assert got["f_int32"] == [0, 1, 2, 3]
    assert got["f_timestamp"] == [dt.datetime(2024, 1, 1, tzinfo=UTC), None] * 2
    assert got["f_bool"] == [False, False, True, True]
    assert got["f_string"] == ["a", "b", "", "ß"]
    assert got["f_list_int64"] == [[1, 2], [], None, []]
    assert got["f_int64"] == [None] * 4


def test_numpy_out(wide):
    wide.ingest("wide", data())
    n = wide.get_online_features("wide", {"id": list(range(ROWS))}).to_numpy()
    assert n["f_float64"].dtype == np.float64
    assert n["f_float64"][0] == 1e300 and np.isnan(n["f_float64"][-1])
    assert n["f_int64"].dtype == np.int64 and list(n["f_int64"].mask) == [False, False, True] + [True] * (ROWS - 3)
    assert n["f_int64"][1] == 2**63 - 1
    assert n["f_bool"].dtype == bool and n["f_bool"][0] and n["f_bool"].mask[2]
    assert n["f_timestamp"].dtype == "M8[us]" and np.isnat(n["f_timestamp"][3])
    assert n["f_timestamp"][2] == np.datetime64("2024-05-01")
    assert n["f_string"][1] == "a" and n["f_string"][-1] is None
    assert n["f_list_int64"][1] == [2**62, -(2**62)]
    full = wide.get_historical_features({"id": [0, 1], "event_timestamp": [WHEN] * 2}, "wide:f_int32").batches()[0]
    whole = full.numpy("f_int32")
    del full
    assert list(whole) == [-(2**31), 2**31 - 1] and not whole.flags.writeable


def test_pandas_out_keeps_big_integers(wide):
    wide.ingest("wide", data())
    spine = pd.DataFrame({"id": [0, 1, 2], "event_timestamp": [WHEN] * 3}, index=[7, 8, 9])
    features = ["wide:f_int64", "wide:f_int32", "wide:f_bool"]
    frame = wide.get_historical_features(spine, features).to_pandas()
    assert list(frame.columns) == ["id", "event_timestamp", "f_int64", "f_int32", "f_bool"]
    assert list(frame.index) == [7, 8, 9]
    assert frame["f_int64"][8] == 2**63 - 1 and frame["f_int64"][9] is pd.NA
    assert frame["f_int32"][8] == 2**31 - 1 and np.isnan(frame["f_int32"][9])
    nullable = wide.get_historical_features(spine, features).to_pandas(dtype_backend="nullable")
    assert str(nullable["f_int32"].dtype) == "Int32" and str(nullable["f_bool"].dtype) == "boolean"
    arrow_backed = wide.get_historical_features(spine, features).to_pandas(dtype_backend="pyarrow")
    assert arrow_backed["f_int64"].to_list()[:2] == [-(2**63), 2**63 - 1]


def test_keys_of_every_type(store):
    keys = {"s": "string", "z": "bytes", "i": "int32", "l": "int64", "b": "bool", "t": "timestamp"}
    entity = larder.Entity("all", keys)
    store.apply([larder.FeatureView("v", entity, [larder.Feature("x", "int64")])])
    rows = [
        {"s": "", "z": b"", "i": -1, "l": 2**62, "b": True, "t": FIRST, "x": 1},
        {"s": "a", "z": b"\0", "i": 5, "l": -5, "b": False, "t": LAST, "x": 2},
    ]
    store.ingest("v", [{**r, "event_timestamp": WHEN} for r in rows])
    assert store.get_online_features("v", rows)["x"] == [1, 2]
    wrong = [{**rows[0], "s": "a"}, {**rows[1], "t": None}]
    got = store.get_online_features("v", wrong)
    assert got["x"] == [None, None] and got.statuses("x") == ["NOT_FOUND"] * 2
    table = pa.table({k: [r[k] for r in rows] for k in keys})
    assert store.get_online_features("v", table)["x"] == [1, 2]
    assert store.get_online_features("v", pl.from_arrow(table))["x"] == [1, 2]
    train = store.get_historical_features(table.append_column("event_timestamp", pa.array([WHEN] * 2)), "v")
    assert train.to_arrow().column("x").to_pylist() == [1, 2]
    assert [r["x"] for r in store.scan("v", {k: rows[0][k] for k in keys})] == [1]
    assert store.erase({k: rows[0][k] for k in keys}) == 1


def test_categories_and_dictionaries(wide):
    frame = pd.DataFrame({"id": [0, 1, 2], "event_timestamp": [WHEN] * 3})
    frame["f_string"] = pd.Categorical(["a", None, "b"])
    wide.ingest("wide", frame, allow_missing=True)
    assert wide.get_online_features("wide:f_string", {"id": [0, 1, 2]})["f_string"] == ["a", None, "b"]


def test_online_values_for_models(store):
    kinds = {"x": "float64", "n": "int32", "b": "bool", "s": "string"}
    store.apply(larder.FeatureView("v", larder.Entity("e", {"id": "int64"}), [larder.Feature(k, t) for k, t in kinds.items()]))
    store.ingest("v", {"id": [1, 2], "event_timestamp": [WHEN] * 2, "x": [0.5, None], "n": [2**24, None], "b": [True, None], "s": ["", None]})
    got = store.get_online_features([f"v:{k}" for k in "xnb"], {"id": [1, 2, 3]}).to_matrix()
    assert got.dtype == "float64" and got[0].tolist() == [0.5, 2.0**24, 1.0] and np.isnan(got[1:]).all() and got.shape == (3, 3)
    assert store.get_online_features("v:n", {"id": [1]}).to_matrix("float32").dtype == "float32"
    assert store.get_online_features("v:n", {"id": []}).to_matrix().shape == (0, 1)
    with pytest.raises(larder.InvalidError, match="column s: string"):
        store.get_online_features("v", {"id": [1]}).to_matrix()
    with pytest.raises(larder.InvalidError, match="dtype"):
        store.get_online_features("v:n", {"id": [1]}).to_matrix("int64")
    shown = repr(store.get_online_features("v", {"id": [1, 2]}))
    assert "null" in shown.splitlines()[2] and "null" not in shown.splitlines()[1]  # which "" is not


def test_tensors(store):
    torch = pytest.importorskip("torch")
    store.apply(larder.FeatureView("v", larder.Entity("e", {"id": "int64"}), [larder.Feature("x", "float64"), larder.Feature("s", "string")]))
    store.ingest("v", {"id": [1, 2], "event_timestamp": [WHEN] * 2, "x": [0.5, None], "s": ["a", None]})
    got = store.get_online_features("v", {"id": [1, 2]}).to_torch()
    assert isinstance(got["x"], torch.Tensor) and got["x"][0] == 0.5 and torch.isnan(got["x"][1]) and got["s"] == ["a", None]
    got = store.get_historical_features({"id": [2, 1], "event_timestamp": [WHEN] * 2}, "v").to_torch()
    assert got["id"].tolist() == [2, 1] and got["x"][1] == 0.5
    assert store.get_historical_features({"id": [], "event_timestamp": []}, "v").to_torch()["x"] is not None

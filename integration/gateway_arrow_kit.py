"""What the tests of Arrow before a gateway share: views of every type and what is in them, and what pyarrow makes of a stream."""
import datetime

import pyarrow as pa

STREAM = "application/vnd.apache.arrow.stream"
TYPES = {
    "b": ("bool", pa.bool_(), [True, False]),
    "i": ("int32", pa.int32(), [-2**31, 2**31 - 1]),
    "l": ("int64", pa.int64(), [-2**63, 2**63 - 1]),
    "f": ("float32", pa.float32(), [0.1, "NaN"]),
    "g": ("float64", pa.float64(), [5e-324, "-Infinity"]),
    "s": ("string", pa.large_utf8(), ["", 'é"\n\U0001f600']),
    "y": ("bytes", pa.large_binary(), ["", "AAH/"]),
    "t": ("timestamp", pa.timestamp("us", "UTC"), ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]),
}
for name, (kind, arrow, values) in list(TYPES.items()):
    TYPES["l" + name] = (f"list<{kind}>", pa.large_list(arrow), [[], values])
FEATURES = "\n".join(f"      - {{name: {n}, type: '{k}'}}" for n, (k, _, _) in TYPES.items())
DEFINITIONS = f"""
entities:
  - {{name: thing, join_keys: [{{name: id, type: int64}}]}}
  - {{name: place, join_keys: [{{name: town, type: string}}, {{name: since, type: timestamp}}]}}
sources:
  - {{name: taps, type: push, event_timestamp: event_timestamp}}
feature_views:
  - name: all
    entity: thing
    source: taps
    features:
{FEATURES}
  - {{name: wide, entity: thing, features: [{{name: text, type: string}}]}}
  - {{name: many, entity: thing, features: [{{name: n, type: int64}}]}}
  - {{name: spot, entity: place, features: [{{name: n, type: int64}}]}}
  - {{name: bare, entity: thing, features: [{{name: x, type: float64}}]}}
"""
DAY = "2026-01-01"


def microseconds(v):
    if isinstance(v, str):
        v = datetime.datetime.fromisoformat(v.replace("Z", "+00:00"))
    return (v - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)


def values(column):
    """Its Python values, times as microseconds (datetime has no 0001-01-01 in every zone)."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(pa.large_utf8())
    elif pa.types.is_timestamp(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_large_list(kind) and pa.types.is_timestamp(kind.value_type):
        column = column.cast(pa.large_list(pa.int64()))
    return column.to_pylist()


def table(text):
    """What pyarrow makes of it; every batch is proved, and the stream ends where it should."""
    source = pa.BufferReader(text)
    with pa.ipc.open_stream(source) as reader:
        batches = list(reader)
        schema = reader.schema
    assert source.tell() == len(text) and text[-8:] == b"\xff\xff\xff\xff\0\0\0\0"
    for b in batches:
        b.validate(full=True)
    t = pa.Table.from_batches(batches, schema)
    for i in range(t.num_columns):
        for chunk in t.column(i).chunks:
            assert chunk.null_count == sum(v is None for v in values(chunk)), t.field(i)
    return t, [b.num_rows for b in batches]


def memory(g):
    with open(f"/proc/{g.process.pid}/status") as f:
        return {k: int(v.split()[0]) >> 10 for k, v in (line.split(":") for line in f if line.startswith(("VmRSS", "VmHWM")))}


def writes(g):
    rows = [{n: v[0] for n, (_, _, v) in TYPES.items()}, {n: v[1] for n, (_, _, v) in TYPES.items()}, dict.fromkeys(TYPES)]
    columns = {"id": [1, 2, 3], "event_timestamp": [DAY] * 3, "made": [DAY] * 3, **{n: [r[n] for r in rows] for n in TYPES}}
    status, reply = g.post("/v1/write", {"view": "all", "columns": columns, "created_timestamp": "made"})
    assert status == 200 and reply["taken"] == 3, reply
    wide = {"id": list(range(40)), "event_timestamp": [DAY] * 40, "text": [chr(65 + i % 26) * (1 << 20) for i in range(40)]}
    for i in range(0, 40, 8):
        assert g.post("/v1/write", {"view": "wide", "columns": {k: v[i:i + 8] for k, v in wide.items()}})[0] == 200
    many = 60000
    columns = {"id": list(range(many)), "event_timestamp": [DAY] * many, "n": [i * i for i in range(many)]}
    assert g.post("/v1/write", {"view": "many", "columns": columns})[0] == 200
    columns = {"town": ["a", "a", "b"], "since": [DAY] * 3, "event_timestamp": [DAY, "2026-01-02", DAY], "n": [1, 2, None]}
    assert g.post("/v1/write", {"view": "spot", "columns": columns})[0] == 200

"""Spines that come as Arrow, written by pyarrow, before a real larder-gateway: every type that can be a spine's, dictionaries, slices, empty
batches, gzip, many rows; the answer is what the same spine as JSON gives. And streams that are damaged, or of a kind that is not taken.
usage: gateway_spine.py BIN_DIR"""
import base64
import datetime
import gzip
import json
import os
import random
import sys
import urllib.parse

import pyarrow as pa

from gateway_arrow_kit import DAY, DEFINITIONS, STREAM, memory, table, values, writes
from gateway_kit import Cut, Gateway, answers, check, filled, finish, request

bin_dir = os.path.abspath(sys.argv[1])
SENT = {"Content-Type": STREAM}
UTC = datetime.timezone.utc
WHEN = datetime.datetime(2026, 2, 1, tzinfo=UTC)


def stream(batches, schema=None, **options):
    sink = pa.BufferOutputStream()
    if isinstance(batches, pa.Table):
        batches, schema = batches.to_batches(), batches.schema
    with pa.ipc.new_stream(sink, schema or batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as w:
        for b in batches:
            w.write_batch(b)
    return sink.getvalue().to_pybytes()


def ask(g, body, headers=None, **params):
    return g.ask("POST", "/v1/historical?" + urllib.parse.urlencode(params), body, {**SENT, **(headers or {})})


def rows(g, body, **params):
    status, headers, text = ask(g, body, **params)
    assert status == 200 and headers["content-type"] == "application/x-ndjson", (status, text[:500])
    return as_lines(text)


def as_lines(text):
    return [json.loads(line) for line in text.decode().splitlines()]


def arrow(g, body, **params):
    status, headers, text = ask(g, body, {"Accept": STREAM}, **params)
    assert status == 200 and headers["content-type"] == STREAM, (status, text[:500])
    return table(text)[0]


def times(n, kind=pa.timestamp("us", "UTC")):
    return pa.array([WHEN] * n, kind)


def as_json(g):
    """The same spine both ways, with everything that may be asked for."""
    ids = [2, 1, 3, 4, None]
    spine = {"id": ids, "event_timestamp": ["2026-02-01T00:00:00Z"] * 5, "label": ["a", None, "", "é", "z"]}
    t = pa.table({"id": pa.array(ids, pa.int64()), "event_timestamp": times(5), "label": spine["label"]})
    for more in ({}, {"with_status": True, "with_timestamps": True}, {"full_names": True}, {"known_at": "2026-01-15"},
                 {"known_at": 1767225600000000}, {"known_at": "2020-01-01T00:00:00+01:00"}, {"known_at_column": "event_timestamp"}):
        body = json.dumps({"features": ["all", "many:n"], "spine": spine, **more})
        want = g.ask("POST", "/v1/historical", body)
        params = {k: str(v).lower() if isinstance(v, bool) else v for k, v in more.items()}
        got = ask(g, stream(t), features="all,many:n", **params)
        assert got[0] == want[0] == 200 and as_lines(got[2]) == as_lines(want[2]), (more, got, want)
        want = table(g.ask("POST", "/v1/historical", body, {"Accept": STREAM})[2])[0]
        got_table = arrow(g, stream(t), features="all,many:n", **params)
        assert got_table.schema == want.schema, (got_table.schema, want.schema)
        assert [repr(values(c)) for c in got_table.columns] == [repr(values(c)) for c in want.columns], more
        for packed in (gzip.compress(stream(t)),):
            zipped = ask(g, packed, {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}, features="all,many:n", **params)
            assert gzip.decompress(zipped[2]) == got[2]


def every_type(g):
    """All that Larder has a type for comes back as it was, null and not, cut anywhere."""
    n = 41
    some = [i for i in range(n)]

    def column(kind, make):
        return pa.array([None if i % 7 == 3 else make(i) for i in some], kind)

    day = datetime.date(2026, 1, 1)
    columns = {
        "i8": column(pa.int8(), lambda i: i - 20), "u8": column(pa.uint8(), lambda i: i), "i16": column(pa.int16(), lambda i: -i),
        "u16": column(pa.uint16(), lambda i: i), "i32": column(pa.int32(), lambda i: i), "u32": column(pa.uint32(), lambda i: 2**31 + i),
        "i64": column(pa.int64(), lambda i: -2**62 + i), "u64": column(pa.uint64(), lambda i: i), "b": column(pa.bool_(), lambda i: i % 3 == 0),
        "f": column(pa.float32(), lambda i: i / 2), "g": column(pa.float64(), lambda i: i / 3), "s": column(pa.utf8(), lambda i: "é" * (i % 4)),
        "ls": column(pa.large_utf8(), lambda i: str(i)), "y": column(pa.binary(), lambda i: bytes([i]) * (i % 3)),
        "ly": column(pa.large_binary(), lambda i: bytes([i])), "fy": column(pa.binary(3), lambda i: bytes([i] * 3)),
        "ts": column(pa.timestamp("s"), lambda i: WHEN.replace(tzinfo=None)), "tm": column(pa.timestamp("ms", "UTC"), lambda i: WHEN),
        "tu": column(pa.timestamp("us", "Europe/Paris"), lambda i: WHEN), "tn": column(pa.timestamp("ns"), lambda i: WHEN.replace(tzinfo=None)),
        "d32": column(pa.date32(), lambda i: day), "d64": column(pa.date64(), lambda i: day), "nothing": pa.nulls(n),
        "li": column(pa.list_(pa.int64()), lambda i: list(range(i % 4))), "lb": column(pa.list_(pa.bool_()), lambda i: [True, False, True][:i % 4]),
        "lls": column(pa.large_list(pa.utf8()), lambda i: ["x" * k for k in range(i % 4)]), "ff": column(pa.list_(pa.float32(), 2), lambda i: [i, -i]),
        "dict": column(pa.utf8(), lambda i: "abc"[i % 3]).dictionary_encode(),
        "small": pa.DictionaryArray.from_arrays(pa.array([None if i % 5 == 1 else i % 2 for i in some], pa.int8()), pa.array([7, None], pa.int64())),
    }
    t = pa.table({"id": pa.array([i % 5 for i in some], pa.int32()), "event_timestamp": times(n, pa.timestamp("ms")), **columns})
    want = {k: v.to_pylist() for k, v in columns.items()}
    for make in (lambda: t, lambda: t.to_batches(max_chunksize=7), lambda: [b for i in range(0, n, 3) for b in t.slice(i, 3).to_batches()]):
        body = stream(make())
        out, lines = arrow(g, body, features="many"), rows(g, body, features="many")
        assert out.num_rows == n == len(lines) and out.column_names[:len(t.column_names)] == t.column_names
        for name, v in want.items():
            got = values(out.column(name))
            if name[0] in "td" and len(name) < 4:
                seconds = 1767225600 if name[0] == "d" else 1769904000
                v = [None if x is None else seconds * 10**6 for x in v]
            assert got == v, (name, got[:8], v[:8])
            line = [r[name] for r in lines]
            if name in ("y", "ly", "fy"):
                v = [None if x is None else base64.b64encode(x).decode() for x in v]
            elif name[0] in "td" and len(name) < 4:
                v = [None if x is None else "2026-01-01T00:00:00Z" if name[0] == "d" else "2026-02-01T00:00:00Z" for x in v]
            assert line == v, (name, line[:8], v[:8])
        assert values(out.column("n")) == [(i % 5) ** 2 for i in some]


def keys_and_times(g):
    """Composite keys, texts and dictionaries as keys, other names for the times, each row with its own knowledge."""
    t = pa.table({"town": pa.array(["a", "b", None, "a"]).dictionary_encode(), "since": pa.array([datetime.date(2026, 1, 1)] * 4), "t": times(4, pa.timestamp("ns")),
                  "k": times(4, pa.timestamp("s", "UTC"))})
    got = rows(g, stream(t), features="spot:n", timestamp_column="t", known_at_column="k")
    assert [r["n"] for r in got] == [None] * 4  # known only since it was written, now
    got = rows(g, stream(t), features="spot:n", timestamp_column="t", with_status="true")
    assert [(r["n"], r["n__status"]) for r in got] == [(2, "PRESENT"), (None, "NULL_VALUE"), (None, "NOT_FOUND"), (2, "PRESENT")], got
    assert got[0]["since"] == DAY + "T00:00:00Z"  # a key has its declared type
    for cast in (pa.int8(), pa.uint16(), pa.int32(), pa.uint64()):
        t = pa.table({"id": pa.array([1, 2], pa.int64()).cast(cast), "event_timestamp": pa.array([1769904000000000] * 2)})
        assert [r["n"] for r in rows(g, stream(t), features="many")] == [1, 4], cast
    no_rows = t.schema.empty_table()
    assert rows(g, stream([], no_rows.schema), features="many") == [] and rows(g, stream(no_rows), features="many") == []
    assert arrow(g, stream([], no_rows.schema), features="many").num_rows == 0
    mixed = [b for size in (0, 1, 0, 3) for b in [pa.record_batch({"id": pa.array([1] * size, pa.int64()), "event_timestamp": times(size)})]]
    assert len(rows(g, stream(mixed), features="many")) == 4
    body = stream(mixed)
    assert len(rows(g, body[:-8], features="many")) == 4  # a stream may end without its mark


def many(g):
    """One batch of many rows in bounded pieces, to a slow reader; and a dictionary that stands for far more than was sent."""
    n = 300000
    t = pa.table({"id": pa.array([i * 7 % 60000 for i in range(n)]), "event_timestamp": times(n), "i": pa.array(range(n)),
                  "tag": pa.array(["x" * (i % 3) for i in range(n)]), "v": pa.array([[i, i] for i in range(n)], pa.list_(pa.int32()))})
    before = memory(g)["VmHWM"]
    with g.connect(60) as s:
        s.sendall(request("POST", "/v1/historical?features=many", stream(t), {"Accept": STREAM, **SENT}))
        assert filled(s)
        out, sizes = table(answers(s, 1)[0][2])
    assert out.num_rows == n and max(sizes) <= 8192
    assert out.column("i").to_pylist() == list(range(n)) and values(out.column("n")) == [(i * 7 % 60000) ** 2 for i in range(n)]
    assert out.column("v")[n - 1].as_py() == [n - 1, n - 1] and out.column("tag")[n - 1].as_py() == "x" * ((n - 1) % 3)
    grown = memory(g)["VmHWM"] - before
    print(f"  {n} rows in one batch: {grown} MiB more memory", flush=True)
    assert grown < 150, grown
    big = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int8()), pa.array(["y" * (4 << 20)]))
    t = pa.table({"id": pa.array([1] * 200), "event_timestamp": times(200), "text": big})
    before = memory(g)["VmHWM"]
    with g.connect(60) as s:
        s.sendall(request("POST", "/v1/historical?features=many", stream(t), SENT))
        assert filled(s)
        size = 0
        while piece := s.recv(1 << 20):
            size += len(piece)
            if piece.endswith(b"0\r\n\r\n"):
                break
    grown = memory(g)["VmHWM"] - before
    print(f"  800 MiB that a dictionary of 4 stands for: {grown} MiB more memory", flush=True)
    assert size > 800 << 20 and grown < 120, (size, grown)


def refused(g):
    t = pa.table({"id": pa.array([1, 2]), "event_timestamp": times(2), "x": ["a", "b"]})
    fine = stream(t)
    assert ask(g, fine, features="many")[0] == 200

    def other(**columns):
        return stream(pa.table({"id": pa.array([1, 2]), "event_timestamp": times(2), **columns}))

    def without(name):
        return stream(t.drop_columns([name]))

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, t.schema) as w:
        w.write_table(t)
    file = sink.getvalue().to_pybytes()
    twice = pa.Table.from_arrays([t["id"], t["event_timestamp"], t["x"]], ["id", "event_timestamp", "id"])
    # a text that is cut inside a character: pyarrow does not look
    cut = pa.Array.from_buffers(pa.utf8(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer("é".encode())])
    late = pa.array([2**62, 0], pa.int64()).cast(pa.timestamp("us"))
    wrong = [
        (b"", {}, 400, "empty"), (b"{}", {}, 400, "at byte 0"), (b'{"features": []}', {}, 400, "at byte 0: found 7b 22 66 65"),
        (file, {}, 400, "file format"), (fine[:-9], {}, 400, "at byte"), (fine + b"x" * 8, {}, 400, "follows the end"),
        (stream(t, compression="lz4"), {}, 422, "LZ4"), (stream(t, compression="zstd"), {}, 422, "ZSTD"),
        (other(x=pa.array([1, 2]).cast(pa.decimal128(20))), {}, 422, "x: found Decimal"), (other(x=[{"a": 1}, None]), {}, 422, "x: found Struct"),
        (other(x=pa.array([[[1]], []])), {}, 422, "inside a list"), (other(x=pa.array([1, 2], pa.duration("s"))), {}, 422, "Duration"),
        (other(x=pa.array(["a", "b"], pa.string_view())), {}, 422, "Utf8View"), (other(x=cut), {}, 422, "UTF-8"), (other(x=late), {}, 422, "years"),
        (stream(twice), {}, 422, "spine.id stands here twice"), (without("id"), {}, 422, "no column 'id'"),
        (without("event_timestamp"), {}, 422, "no column 'event_timestamp'"), (other(n=[1, 2]), {}, 422, "output column 'n'"),
        (stream(pa.table({"id": ["2", "1"], "event_timestamp": times(2)})), {}, 422, "column id: found string, expected int64"),
        (stream(pa.table({"id": [1.5, 1], "event_timestamp": times(2)})), {}, 422, "column id: found float64, expected int64"),
        (stream(pa.table({"id": [1, 2], "event_timestamp": [DAY] * 2})), {}, 422, "event_timestamp: found string, expected timestamp"),
        (stream(pa.table({"id": [1, 2], "event_timestamp": pa.array([WHEN, None])})), {}, 422, "row 1: column event_timestamp: found null"),
        (stream(pa.table({"id": [1, 2], "event_timestamp": pa.nulls(2)})), {}, 422, "row 0: column event_timestamp"),
        (stream(pa.table({"id": [1, 2], "event_timestamp": pa.array([1, 1], pa.timestamp("ns"))})), {}, 422, "microsecond"),
        (fine, {"feature": "many"}, 422, "no field 'feature'"), (fine, {"with_status": "1"}, 422, "with_status"),
        (fine, {"known_at": "x"}, 422, "known_at"), (fine, {"spine": "x"}, 422, "spine"), (fine, {"features": "nope"}, 404, "nope"),
        (fine, {"features": "many", "known_at": DAY, "known_at_column": "x"}, 422, "exclude"), (fine, {"features": ""}, 422, "feature"),
    ]
    for body, params, want, says in wrong:
        status, headers, text = ask(g, body, **{"features": "many", **params})
        assert status == want and headers["content-type"] == "application/json" and says in json.loads(text)["error"]["message"], (says, status, text)
    assert ask(g, fine)[0] == 422
    for address in ("/v1/historical?features=%zz", "/v1/historical?features=many&features=many"):
        assert g.ask("POST", address, fine, SENT)[0] == 422
    # to what is not a join a stream of Arrow is no JSON
    assert g.ask("POST", "/v1/scan", fine, SENT)[0] == 400


def damaged(g):
    """Bytes changed anywhere: an answer of 200, 400 or 422, or one that is cut off, and the gateway goes on."""
    n = 50
    t = pa.table({"id": pa.array(range(n)), "event_timestamp": times(n), "s": ["é" * (i % 5) for i in range(n)], "v": [[i] * (i % 3) for i in range(n)],
                  "d": pa.array(["abc"[i % 3] for i in range(n)]).dictionary_encode(), "b": [i % 2 == 0 for i in range(n)]})
    fine = stream(t.to_batches(max_chunksize=20))
    luck, seen = random.Random(20260201), {}
    for _ in range(600):
        body = bytearray(fine)
        for _ in range(luck.choice((1, 1, 2, 8))):
            body[luck.randrange(len(body))] = luck.choice((0, 1, 0x7f, 0x80, 0xff, luck.randrange(256)))
        try:
            status, _, text = ask(g, bytes(body), {"Accept": luck.choice((STREAM, "*/*"))}, features="many")
        except (Cut, ValueError):  # a number that its dictionary does not have, in a later piece
            status = 200
        assert status in (200, 400, 413, 422), (status, text)
        seen[status] = seen.get(status, 0) + 1
    for i in range(0, len(fine), 13):
        assert ask(g, fine[:i], features="many")[0] in (200, 400, 422)
    print(f"  {seen}", flush=True)
    assert len(seen) >= 3 and rows(g, fine, features="many")[49]["n"] == 49 * 49


with Gateway(bin_dir, declare=False) as g:
    with open(f"{g.dir}/d.yaml", "w") as f:
        f.write(DEFINITIONS)
    g.larder("apply")
    g.start(max_body="64MiB")
    writes(g)
    check("a spine as Arrow is the same as JSON", as_json, g)
    check("every type", every_type, g)
    check("keys and times of many kinds", keys_and_times, g)
    check("many rows, bounded memory", many, g)
    check("what is wrong is refused", refused, g)
    check("damaged streams", damaged, g)
    assert g.stop() == 0, g.log
finish()

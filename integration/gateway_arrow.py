"""Joins and scans as Arrow from a real larder-gateway, read by pyarrow: every type, nulls, empty texts and lists, large values, many
batches, nobody to read them, an error half-way; always what the same request says as lines of JSON. usage: gateway_arrow.py BIN_DIR"""
import base64
import datetime
import json
import math
import os
import struct
import sys

import pyarrow as pa

from gateway_arrow_kit import DAY, DEFINITIONS, STREAM, TYPES, memory, microseconds, table, values, writes
from gateway_kit import Cut, Gateway, answers, check, filled, finish, request, until

bin_dir = os.path.abspath(sys.argv[1])


def as_arrow(kind, v):
    """A value of the JSON as pyarrow gives it."""
    if v is None:
        return None
    if kind.startswith("list<"):
        return [as_arrow(kind[5:-1], x) for x in v]
    if kind in ("float32", "float64"):
        v = float(v.replace("Infinity", "inf")) if isinstance(v, str) else v
        return struct.unpack("f", struct.pack("f", v))[0] if kind == "float32" else float(v)
    if kind == "bytes":
        return base64.b64decode(v)
    if kind == "timestamp":
        return microseconds(v)
    return v


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def both(g, path, body):
    """The same request as lines and as Arrow."""
    body = json.dumps(body)
    status, headers, lines = g.ask("POST", path, body)
    assert status == 200 and headers["content-type"] == "application/x-ndjson", lines[:300]
    status, headers, stream = g.ask("POST", path, body, {"Accept": f"{STREAM}, application/json;q=0.5"})
    assert status == 200 and headers["content-type"] == STREAM, (status, stream[:300])
    return [json.loads(line) for line in lines.decode().splitlines()], *table(stream)


def agree(rows, t, kinds):
    """Column by column the same values, in the same order of columns; kinds: those that are not as JSON has them."""
    assert not rows or list(rows[0]) == t.column_names, (rows[0], t.column_names)
    for name in t.column_names:
        want = [as_arrow(kinds.get(name, ""), r[name]) for r in rows]
        assert same(values(t.column(name)), want), (name, t.column(name)[:3], want[:3])


KINDS = {n: k for n, (k, _, _) in TYPES.items()}


def joins_every_type(g):
    spine = {"id": [2, 1, 3, 4, None], "event_timestamp": ["2026-02-01"] * 5}
    rows, t, _ = both(g, "/v1/historical", {"features": ["all"], "spine": spine})
    spine_times = [microseconds(datetime.datetime(2026, 2, 1, tzinfo=datetime.timezone.utc))] * 5
    assert values(t.column("event_timestamp")) == spine_times  # the spine's times are times, however they were written
    assert t.schema.field("id").type == pa.int64() and values(t.column("id")) == [2, 1, 3, 4, None]
    for n, (_, arrow, _) in TYPES.items():
        assert t.schema.field(n).type.equals(arrow), (n, t.schema.field(n))
    agree([{k: v for k, v in r.items() if k not in ("event_timestamp",)} for r in rows], t.drop_columns(["event_timestamp"]), KINDS)


def joins_with_sides(g):
    spine = {"id": [1, 3, 9], "event_timestamp": ["2026-02-01", "2026-02-01T00:00:00Z", 1769904000000000], "when": ["2026-02-01"] * 3}
    rows, t, _ = both(g, "/v1/historical", {"features": ["all:i", "all:ls"], "spine": spine, "with_status": True, "with_timestamps": True,
                                            "known_at_column": "when"})
    assert pa.types.is_dictionary(t.schema.field("i__status").type)
    assert values(t.column("i__status")) == ["PRESENT", "NULL_VALUE", "NOT_FOUND"]
    times = {n: "timestamp" for n in t.column_names if n.endswith("_timestamp") and "__" in n}
    assert len(times) == 4
    agree([{k: v for k, v in r.items() if k not in spine} for r in rows], t.drop_columns(list(spine)), {**KINDS, **times})
    assert len(set(values(t.column("event_timestamp")))) == 1


def joins_give_the_spine_back(g):
    spine = {"id": [1, 1, 1], "event_timestamp": [DAY] * 3, "flag": [True, None, False], "whole": [1, -9223372036854775808, None],
             "real": [1, 2.5, None], "text": ["a", None, 'é"'], "none": [None] * 3, "mixed": [1, "a", None], "list": [[1], [], None],
             "thing": [{"a": 1}, None, {}], "huge": [2**64, 1e400 if False else 10**400, None]}
    body = json.dumps({"features": ["bare"], "spine": spine})
    status, _, stream = g.ask("POST", "/v1/historical", body, {"Accept": STREAM})
    t, _ = table(stream)
    types = {"flag": pa.bool_(), "whole": pa.int64(), "real": pa.float64()}
    for name in spine:
        if name not in ("id", "event_timestamp"):
            assert t.schema.field(name).type == types.get(name, pa.large_utf8()), t.schema.field(name)
    for name in ("flag", "whole", "real", "text", "none"):
        assert values(t.column(name)) == spine[name], name
    for name in ("mixed", "list", "thing", "huge"):  # no type fits: JSON as text
        assert [None if v is None else json.loads(v) for v in values(t.column(name))] == spine[name], name


def joins_nothing(g):
    _, t, batches = both(g, "/v1/historical", {"features": ["all"], "spine": {"id": [], "event_timestamp": []}, "with_status": True})
    assert t.num_rows == 0 and batches == [] and t.num_columns == 2 + 2 * len(TYPES)


def joins_composite_keys(g):
    spine = {"since": [DAY, 1767225600000000, DAY], "event_timestamp": ["2026-03-01"] * 3, "town": ["a", "b", None]}
    rows, t, _ = both(g, "/v1/historical", {"features": ["spot"], "spine": spine})
    assert values(t.column("n")) == [2, None, None] and values(t.column("town")) == ["a", "b", None]
    assert t.schema.field("since").type == pa.timestamp("us", "UTC")


def joins_many(g):
    n = 60000
    body = {"features": ["many"], "spine": {"id": [i * 7 % n for i in range(n)], "event_timestamp": ["2026-02-01"] * n}}
    with g.connect(30) as s:
        s.sendall(request("POST", "/v1/historical", json.dumps(body), {"Accept": STREAM}))
        assert filled(s)  # what is not read waits over there
        status, headers, stream = answers(s, 1)[0]
        s.sendall(request("GET", "/health"))
        assert answers(s, 1)[0][0] == 200
    t, batches = table(stream)
    assert headers["transfer-encoding"] == "chunked" and t.num_rows == n and len(batches) > 5 and max(batches) <= 8192
    assert values(t.column("n")) == [(i * 7 % n) ** 2 for i in range(n)]


def joins_large_values(g):
    """400 MB of answer, a MiB a value: batches become small, and memory stays."""
    n = 400
    body = {"features": ["wide"], "spine": {"id": [i % 40 for i in range(n)], "event_timestamp": ["2026-02-01"] * n}}
    before = memory(g)["VmRSS"]
    with g.connect(60) as s:
        s.sendall(request("POST", "/v1/historical", json.dumps(body), {"Accept": STREAM}))
        source = pa.PythonFile(Chunked(s), mode="r")
        rows, largest = 0, 0
        with pa.ipc.open_stream(source) as reader:
            for b in reader:
                largest = max(largest, b.num_rows)
                for v in b.column("text"):
                    text = v.as_buffer()
                    assert text.size == 1 << 20 and text[0] == 65 + (rows % 40) % 26
                    rows += 1
    grown = memory(g)["VmHWM"] - before
    print(f"  {rows} rows of a MiB, at most {largest} at a time; {grown} MiB more memory than before", flush=True)
    assert rows == n and grown < 300, grown


class Chunked:
    """The body of a chunked answer as a file."""

    def __init__(self, s):
        self.f = s.makefile("rb")
        self.left = 0
        self.closed = False
        while self.f.readline().strip():
            pass

    def read(self, n=-1):
        out, have = [], 0
        while n < 0 or have < n:
            if self.left == 0:
                self.left = int(self.f.readline(), 16)
                if self.left == 0:
                    break
            piece = self.f.read(self.left if n < 0 else min(self.left, n - have))
            out.append(piece)
            have += len(piece)
            self.left -= len(piece)
            if self.left == 0:
                self.f.readline()
        return b"".join(out)

    def close(self):
        self.closed = True


def fails_half_way(g):
    """The stream has no end, so a reader knows."""
    n = 20000
    times = ["2026-01-20"] * (n - 1) + ["never"]
    body = json.dumps({"features": ["many"], "spine": {"id": [1] * n, "event_timestamp": times}})
    with g.connect(30) as s:
        s.sendall(request("POST", "/v1/historical", body, {"Accept": STREAM}))
        try:
            answers(s, 1)
            raise AssertionError("it ended as if it were whole")
        except (Cut, ValueError):
            pass
    status, headers, text = g.ask("POST", "/v1/historical", body.replace('"2026-01-20"', '"never"', 1), {"Accept": STREAM})
    assert status == 422 and headers["content-type"] == "application/json" and b"row 0" in text


def scans(g):
    rows, t, _ = both(g, "/v1/scan", {"view": "all"})
    assert t.column_names == ["id", "event_timestamp", "created_timestamp", *sorted(TYPES)] and t.num_rows == 3
    times = {"event_timestamp": "timestamp", "created_timestamp": "timestamp"}
    agree(rows, t, {**KINDS, **times})
    assert {r["id"] for r in rows} == {1, 2, 3} and {r["created_timestamp"] for r in rows} == {"2026-01-01T00:00:00Z"}
    rows, t, batches = both(g, "/v1/scan", {"view": "many"})
    assert len(rows) == t.num_rows == 60000 and len(batches) > 1
    agree(rows, t, times)
    assert sorted(values(t.column("n"))) == [i * i for i in range(60000)]
    rows, t, _ = both(g, "/v1/scan", {"view": "bare"})
    assert rows == [] and t.num_rows == 0 and t.column_names == ["id", "event_timestamp", "created_timestamp", "x"]


def scans_parts(g):
    def ns(**more):
        rows, t, _ = both(g, "/v1/scan", {"view": "spot", **more})
        agree(rows, t, {n: "timestamp" for n in ("since", "event_timestamp", "created_timestamp")})
        return [r["n"] for r in rows]

    assert sorted(ns(), key=str) == [1, 2, None]
    assert ns(entity={"since": DAY, "town": "a"}) == [1, 2]
    assert ns(entity={"since": 1767225600000000, "town": "b"}) == [None]
    assert ns(entity={"since": DAY, "town": "c"}) == []
    assert ns(entity={"since": DAY, "town": "a"}, to=DAY) == [1]
    assert ns(**{"from": "2026-01-02"}) == [2]
    assert ns(known_at="2026-01-01") == []
    for body, says in (({}, "view"), ({"view": "x"}, "x"), ({"view": "spot", "entity": {"town": "a"}}, "since"),
                       ({"view": "spot", "entity": {"town": "a", "since": None}}, "null"), ({"view": "spot", "entity": 1}, "entity"),
                       ({"view": "spot", "entity": {"town": "a", "town2": 1}}, "town2"), ({"view": "spot", "from": "x"}, "from"),
                       ({"view": "spot", "fresh": "x"}, "fresh"), ({"view": "all:b"}, "all:b")):
        status, _, text = g.ask("POST", "/v1/scan", json.dumps(body), {"Accept": STREAM})
        assert status in (404, 422) and says.encode() in text, (body, status, text)


def scans_slowly(g):
    """A reader who takes his time holds nothing up but himself."""
    with g.connect(30) as s:
        s.sendall(request("POST", "/v1/scan", json.dumps({"view": "wide"}), {"Accept": STREAM}))
        assert filled(s)
        assert g.post("/v1/online", {"features": ["bare"], "entities": {"id": [1]}})[0] == 200
        t, _ = table(answers(s, 1)[0][2])
    assert t.num_rows == 40 and sum(map(len, values(t.column("text")))) == 40 << 20


with Gateway(bin_dir, declare=False) as g:
    with open(f"{g.dir}/d.yaml", "w") as f:
        f.write(DEFINITIONS)
    g.larder("apply")
    g.start(max_body="64MiB")
    for test in (writes, joins_every_type, joins_with_sides, joins_give_the_spine_back, joins_nothing, joins_composite_keys, joins_many,
                 joins_large_values, fails_half_way, scans, scans_parts, scans_slowly):
        check("Arrow: " + test.__name__.replace("_", " "), test, g)
    check("Arrow: nothing is left under way", lambda: until(lambda: "larder_gateway_waiting_long 0\n" in g.get("/metrics")[1]) or sys.exit(1))
    g.stop()
finish()

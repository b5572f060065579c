#!/usr/bin/env python3
"""A real larder-gateway over loopback: writing, materializing, joins, the catalog, and the document that describes it all.
usage: gateway_write.py BIN_DIR"""
import json
import os
import re
import sys

from gateway_kit import Cut, Gateway, answers, check, filled, finish, request, until

bin_dir = os.path.abspath(sys.argv[1])
FULL = {"driver_id": [1, "2"], "rate": [0.5, None], "trips": [7, 8], "small": [1.5, "NaN"], "vip": [True, False],
        "name": ["a", ""], "tags": [["x"], []], "vector": [[1.0], None], "seen": [1767225600, None],
        "raw": ["AAEC", None], "event_timestamp": ["2026-01-01T00:00:00", "2026-01-02T00:00:00.25"],
        "created": [None, "2026-01-03T00:00:00"]}


def read(g, features, ids):
    status, reply = g.online(features, {"driver_id": ids})
    assert status == 200, reply
    return {n: c["values"] for n, c in zip(reply["metadata"]["feature_names"], reply["results"])}


def feast_writes(g):
    status, _, text = g.ask("POST", "/write-to-online-store", json.dumps(
        {"feature_view_name": "stats", "df": FULL, "allow_registry_cache": False}))
    assert (status, text) == (200, b"null"), text
    got = read(g, ["stats:rate", "stats:small", "stats:tags", "stats:vector", "stats:seen", "stats:raw"], [1, 2])
    assert got["rate"] == [0.5, None] and got["small"] == [1.5, "NaN"] and got["tags"] == [["x"], []]
    assert got["vector"] == [[1.0], None] and got["seen"] == [1767225600, None] and got["raw"] == ["AAEC", None]
    row = g.post("/v1/online", {"features": ["stats:trips"], "entities": {"driver_id": [2]}})[1]["rows"][0]
    assert row["features"]["trips"]["created_timestamp"] == "2026-01-03T00:00:00Z"
    assert row["features"]["trips"]["event_timestamp"] == "2026-01-02T00:00:00.250000Z"


def feast_pushes(g):
    df = {**FULL, "driver_id": [11, 12], "extra": [1, 2]}
    for to in ("online", "offline", "online_and_offline"):
        status, _, text = g.ask("POST", "/push", json.dumps({"push_source_name": "driver_push", "df": df, "to": to}))
        assert (status, text) == (200, b""), text
    assert read(g, ["stats:trips"], [11, 12])["trips"] == [7, 8]


def older_does_not_win(g):
    df = {**{k: [v[0]] for k, v in FULL.items()}, "driver_id": [1], "trips": [1], "event_timestamp": ["2025-01-01"]}
    assert g.post("/write-to-online-store", {"feature_view_name": "stats", "df": df})[0] == 200
    assert read(g, ["stats:trips"], [1])["trips"] == [7]


def without(name):
    return {k: v for k, v in FULL.items() if k != name}


WRONG = [
    ("unknown view", "/write-to-online-store", {"feature_view_name": "x", "df": FULL}, 404, "FeatureViewNotFound"),
    ("unknown push source", "/push", {"push_source_name": "x", "df": FULL}, 422, "PushSourceNotFound"),
    ("a push to nowhere", "/push", {"push_source_name": "driver_push", "df": FULL, "to": "mars"}, 422, "mars"),
    ("no columns", "/push", {"push_source_name": "driver_push"}, 422, "df"),
    ("ragged columns", "/push", {"push_source_name": "driver_push", "df": {**FULL, "rate": [1]}}, 422, "rate"),
    ("a missing key", "/push", {"push_source_name": "driver_push", "df": without("driver_id")}, 422, "driver_id"),
    ("a missing feature", "/push", {"push_source_name": "driver_push", "df": without("trips")}, 422, "trips"),
    ("no event times", "/push", {"push_source_name": "driver_push", "df": without("event_timestamp")}, 422,
     "event_timestamp"),
    ("a null event time", "/push",
     {"push_source_name": "driver_push", "df": {**FULL, "event_timestamp": [None, None]}}, 422, "row 0"),
    ("text for a number", "/push", {"push_source_name": "driver_push", "df": {**FULL, "trips": [1, "x"]}}, 422, "row 1"),
    ("null in a key", "/push", {"push_source_name": "driver_push", "df": {**FULL, "driver_id": [1, None]}}, 422, "key"),
    ("null in a list", "/push", {"push_source_name": "driver_push", "df": {**FULL, "tags": [[None], []]}}, 422, "list"),
    ("an unknown column", "/v1/write", {"view": "aged", "columns": {"driver_id": [1], "rate": [1], "x": [1],
                                                                    "event_timestamp": ["2026-01-01"]}}, 422, "x"),
    ("no such kind", "/v1/erase", {"entity": {"nobody": 1}}, 404, "join keys"),
    ("a name with a NUL", "/v1/erase", {"entity": {"a\0b": 1}}, 422, "NUL"),
    ("a time that is none, though not heeded", "/materialize", {"disable_event_timestamp": True, "start_ts": "x"}, 422,
     "start_ts"),
    ("a past version", "/materialize", {"start_ts": "2026-01-01", "end_ts": "2026-01-02", "version": 1}, 422, "version"),
    ("no start", "/materialize", {"end_ts": "2026-01-01"}, 422, "start_ts"),
    ("ends before it starts", "/materialize", {"start_ts": "2026-01-02", "end_ts": "2026-01-01"}, 422, "start_ts"),
    ("materialize what is not there", "/materialize",
     {"start_ts": "2026-01-01", "end_ts": "2026-01-02", "feature_views": ["x"]}, 404, "x"),
    ("a spine without times", "/v1/historical", {"features": ["aged:rate"], "spine": {"driver_id": [1]}}, 422, "times"),
    ("a spine without keys", "/v1/historical",
     {"features": ["aged:rate"], "spine": {"event_timestamp": ["2026-01-01"]}}, 422, "driver_id"),
    ("a spine with the result's name", "/v1/historical",
     {"features": ["aged:rate"], "spine": {"driver_id": [1], "rate": [1], "event_timestamp": ["2026-01-01"]}}, 422,
     "rate"),
    ("a null in the spine's times", "/v1/historical",
     {"features": ["aged:rate"], "spine": {"driver_id": [1], "event_timestamp": [None]}}, 422, "row 0"),
]


def wrong_request(g, path, body, want, says):
    before = g.post("/v1/online", {"features": ["stats"], "entities": {"driver_id": [1, 2]}})[1]
    status, headers, text = g.ask("POST", path, json.dumps(body))
    assert status == want, (status, text)
    assert headers["content-type"] == "application/json" and says in json.dumps(json.loads(text)), text
    assert g.post("/v1/online", {"features": ["stats"], "entities": {"driver_id": [1, 2]}})[1] == before


def own_writes(g):
    body = {"view": "aged", "columns": {"driver_id": [21, 22], "rate": [1.5, 2], "t": ["2026-01-01", 1767225600000000],
                                        "c": ["2026-01-02", None]}, "event_timestamp": "t", "created_timestamp": "c"}
    status, reply = g.post("/v1/write", body)
    assert status == 200 and reply["rows"] == reply["taken"] == 2, reply
    assert g.post("/v1/write", body)[1]["duplicates"] >= 1
    assert read(g, ["aged:rate"], [21, 22])["rate"] == [1.5, 2.0]


def erases(g):
    assert g.post("/v1/erase", {"view": "aged", "entity": {"driver_id": 21}})[1]["removed"] >= 1
    assert read(g, ["aged:rate"], [21, 22])["rate"] == [None, 2.0]


def materializes(g):
    with open(f"{g.dir}/drivers.csv", "w") as f:
        f.write("driver_id,at,score\n1,2026-01-01,10\n1,2026-02-01,20\n2,2026-01-15,30\n")
    status, _, text = g.ask("POST", "/materialize", json.dumps({"start_ts": "2026-01-01T00:00:00",
                                                                "end_ts": "2026-01-31T00:00:00"}))
    assert (status, text) == (200, b"null"), text
    assert read(g, ["filed:score"], [1, 2])["score"] == [10, 30]
    status, _, text = g.ask("POST", "/materialize-incremental", json.dumps({"end_ts": "2026-03-01", "feature_views":
                                                                            ["filed"]}))
    assert (status, text) == (200, b"null"), text
    assert read(g, ["filed:score"], [1, 2])["score"] == [20, 30]


def materializes_later(g):
    body = json.dumps({"start_ts": "2026-01-01", "end_ts": "2026-12-31", "feature_views": ["filed"]})
    with open(f"{g.dir}/drivers.csv", "a") as f:
        f.write("".join(f"{n},2026-06-01,{n}\n" for n in range(100, 200000)))
    status, _, text = g.ask("POST", "/materialize?async=true", body)
    assert status == 202 and json.loads(text) == {"status": "accepted", "feature_views": ["filed"]}, text
    status, _, text = g.ask("POST", "/materialize?async=true", body)
    assert status in (202, 409), text  # 409 while the first is under way
    assert until(lambda: read(g, ["filed:score"], [199999])["score"] == [199999], 60)
    assert until(lambda: g.ask("POST", "/materialize?async=true", body)[0] == 202, 60)
    assert g.ask("POST", "/materialize?async=x", body)[0] == 422
    assert g.ask("POST", "/materialize?async=true", body.replace("filed", "nothing"))[0] == 404


def lines(text):
    return [json.loads(line) for line in text.decode().splitlines()]


def joins(g):
    spine = {"label": ["a", 'q"', None, "d"], "driver_id": [1, 1, 3, None],
             "event_timestamp": ["2026-01-20", "2026-02-20T00:00:00Z", "2026-02-20", "2026-02-20"]}
    status, headers, text = g.ask("POST", "/v1/historical", json.dumps(
        {"features": ["filed:score"], "spine": spine, "with_status": True, "with_timestamps": True}))
    assert status == 200 and headers["content-type"] == "application/x-ndjson", text
    rows = lines(text)
    assert [r["label"] for r in rows] == spine["label"]
    assert [r["event_timestamp"] for r in rows] == spine["event_timestamp"]
    assert [r["score"] for r in rows] == [10, 20, None, None]
    assert [r["score__status"] for r in rows] == ["PRESENT", "PRESENT", "NOT_FOUND", "NOT_FOUND"]
    assert rows[0]["score__event_timestamp"] == "2026-01-01T00:00:00Z" and rows[2]["score__event_timestamp"] is None
    spine = {"driver_id": [1], "event_timestamp": ["2026-01-20"]}
    for full, name in ((True, "stats__vector"), (False, "vector")):
        rows = lines(g.ask("POST", "/v1/historical", json.dumps(
            {"features": ["stats:vector", "stats:tags"], "spine": spine, "full_names": full}))[2])
        assert rows[0][name] == [1.0], rows


def joins_many(g):
    """More than one piece, streamed to a reader who takes his time."""
    n = 60000
    body = json.dumps({"features": ["filed:score"], "spine": {
        "i": list(range(n)), "driver_id": [i % 3 for i in range(n)], "event_timestamp": ["2026-01-20"] * n}})
    with g.connect(30) as s:
        s.sendall(request("POST", "/v1/historical", body))
        assert filled(s)  # what is not read waits over there
        status, headers, text = answers(s, 1)[0]
        assert status == 200 and headers["transfer-encoding"] == "chunked"
        rows = lines(text)
        assert [r["i"] for r in rows] == list(range(n))
        assert all(r["score"] == {1: 10, 2: 30}.get(r["i"] % 3) for r in rows)
        s.sendall(request("GET", "/health"))  # the connection goes on
        assert answers(s, 1)[0][0] == 200


def joins_bad_row(g):
    """A mistake after the first piece: the body is cut off, and its last line says why."""
    n = 20000
    times = ["2026-01-20"] * n
    times[-1] = "never"
    body = json.dumps({"features": ["filed:score"], "spine": {"driver_id": [1] * n, "event_timestamp": times}})
    with g.connect(30) as s:
        s.sendall(request("POST", "/v1/historical", body))
        try:
            answers(s, 1)
            raise AssertionError("the body ended as if it were whole")
        except (Cut, ValueError) as e:
            cut = e
    assert cut is not None


def leaves_while_joining(g):
    """A client who goes away in the middle: the work is given up, others are served."""
    n = 200000
    body = json.dumps({"features": ["filed:score"], "spine": {"driver_id": [1] * n, "event_timestamp": ["2026-01-20"] * n}})
    for _ in range(6):
        s = g.connect(30)
        s.sendall(request("POST", "/v1/historical", body))
        s.recv(100)
        s.close()
    assert until(lambda: "larder_gateway_waiting_long 0\n" in g.get("/metrics")[1], 20)


def catalog(g):
    names = lambda reply: [r["name"] for r in reply["rows"]]
    assert set(names(g.get("/v1/catalog/feature-views")[1])) == {"stats", "aged", "filed", "ways"}
    assert set(names(g.get("/v1/catalog/entities")[1])) == {"driver", "route"}
    rows = g.get("/v1/catalog/feature-views/stats")[1]["rows"]
    assert {"field": "owner", "value": "ops@example.org"} in rows
    assert g.get("/v1/catalog/features/stats%3Arate")[0] == 200
    assert len(g.get("/v1/catalog/feature-views/stats/versions")[1]["rows"]) == 1
    assert "stats" in names(g.get("/v1/search?q=drivers+did")[1])
    assert names(g.get("/v1/search?pii=true")[1])[0].endswith("name")
    stats = {r["feature"]: r for r in g.get("/v1/stats/filed?from=2026-01-01&to=2026-12-31")[1]["rows"]}
    assert stats["score"]["count"] == 3 and stats["score"]["max"] in (30, 30.0, "30")
    assert any(r["name"] for r in g.get("/v1/store")[1]["rows"])
    for path, want in (("/v1/catalog/x", 422), ("/v1/catalog/entities/x", 404), ("/v1/stats/x", 404),
                       ("/v1/stats/filed?from=x", 422), ("/v1/search?tag=x", 422), ("/v1/catalog/entities/%zz", 422),
                       ("/v1/catalog/entities/driver?version=-1", 422), ("/v1/search?q=%ff", 422)):
        status, reply = g.get(path)
        assert status == want and reply["error"]["message"], (path, status, reply)


def openapi(g):
    """The document and the table of routes name the same."""
    document = g.get("/openapi.json")[1]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(f"{root}/gateway/openapi.json") as f:
        assert json.load(f) == document
    with open(f"{root}/gateway/route.c") as f:
        routes = set(re.findall(r'\{LDR_GW_([A-Z]+), "([^"]+)"', f.read()))
    described = {(m.upper(), p) for p, ms in document["paths"].items() for m in ms}
    assert routes == described, routes ^ described
    shared = document["components"]["parameters"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            given = [shared[p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p for p in operation.get("parameters", [])]
            named = {p["name"] for p in given if p["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), path


def stays_after_restart(g):
    assert g.stop() == 0
    g.start()
    assert read(g, ["stats:trips"], [1, 12])["trips"] == [7, 8]
    assert g.stop() == 0
    g.larder("check")


with Gateway(bin_dir) as g:
    for test in (feast_writes, feast_pushes, older_does_not_win, own_writes, erases, materializes):
        check(test.__name__.replace("_", " "), test, g)
    for name, path, body, want, says in WRONG:
        check(f"refused with {want}: {name}", wrong_request, g, path, body, want, says)
    for test in (joins, joins_many, joins_bad_row, leaves_while_joining, catalog, materializes_later, openapi, stays_after_restart):
        check(test.__name__.replace("_", " "), test, g)
finish()

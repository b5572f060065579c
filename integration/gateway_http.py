#!/usr/bin/env python3
"""A real larder-gateway over loopback: what it answers, and what clients who mean ill or are unlucky do to it.
usage: gateway_http.py BIN_DIR"""
import gzip
import json
import os
import subprocess
import sys
import time

from gateway_kit import Cut, Gateway, answers, check, ended, finish, request, until

bin_dir = os.path.abspath(sys.argv[1])
ROW = {"driver_id": 1, "event_timestamp": "2026-01-01T00:00:00Z", "rate": 2.0, "trips": 5, "small": 0.1, "vip": True,
       "name": 'a"é', "tags": ["x", ""], "vector": [1.0, 2.5], "seen": "2026-01-01T00:00:00Z", "raw": "AAEC"}
EMPTY = {**{k: None for k in ROW}, "driver_id": 2, "event_timestamp": "2026-01-01T00:00:00.5Z"}
ALL = ["stats:" + k for k in ("rate", "trips", "small", "vip", "name", "tags", "vector", "seen", "raw")]
ONE = json.dumps({"features": ["stats:rate"], "entities": {"driver_id": [1]}})


def prepare(g):
    g.stop()
    g.larder("ingest", "stats", "-", "--format", "ndjson", text=json.dumps(ROW) + "\n" + json.dumps(EMPTY) + "\n")
    g.larder("ingest", "aged", "-", "--format", "ndjson",
             text='{"driver_id":1,"event_timestamp":"2020-01-01T00:00:00Z","rate":7}\n')
    g.larder("ingest", "ways", "-", "--format", "ndjson",
             text='{"origin":"JFK","hop":1,"event_timestamp":"2026-01-01T00:00:00Z","delay":1.5,"gate":"B"}\n')


def columns(reply):
    return {n: c for n, c in zip(reply["metadata"]["feature_names"], reply["results"])}


def feast_reads(g):
    status, reply = g.online(ALL, {"driver_id": [1, "2", 3]})
    assert status == 200, reply
    assert reply["metadata"]["feature_names"] == ["driver_id"] + [f.split(":")[1] for f in ALL]
    c = columns(reply)
    assert c["driver_id"] == {"values": [1, 2, 3], "statuses": ["PRESENT"] * 3,
                              "event_timestamps": ["1970-01-01T00:00:00Z"] * 3}
    assert c["rate"]["values"] == [2.0, None, None]
    assert c["rate"]["statuses"] == ["PRESENT", "NULL_VALUE", "NOT_FOUND"]
    assert c["rate"]["event_timestamps"] == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500000Z",
                                             "1970-01-01T00:00:00Z"]
    assert c["small"]["values"][0] == 0.1 and c["vip"]["values"][0] is True
    assert c["name"]["values"][0] == 'a"é' and c["tags"]["values"][0] == ["x", ""]
    assert c["seen"]["values"][0] == 1767225600 and c["raw"]["values"][0] == "AAEC"
    text = g.ask("POST", "/get-online-features", json.dumps({"features": ["stats:rate", "stats:vector"],
                                                             "entities": {"driver_id": [1]}}))[2]
    assert b'"values":[2.0]' in text and b"[1.0,2.5]" in text, text


def one_as_many(g):
    """An answer about one entity is made in another way than that about several: they say the same."""
    features = ["stats:rate", "stats:trips", "stats:small", "aged:rate", "stats:vip", "stats:name", "stats:tags", "stats:raw", "filed:score"]
    seen = set()
    for driver in (1, 2, 3, 4, 99, None):
        one = g.online(features, {"driver_id": [driver]}, full_feature_names=True)[1]
        two = g.online(features, {"driver_id": [driver, driver]}, full_feature_names=True)[1]
        assert one["metadata"] == two["metadata"] and len(one["results"]) == len(features) + 1
        assert [{k: v * 2 for k, v in c.items()} for c in one["results"]] == two["results"], (driver, one, two)
        seen |= {s for c in one["results"] for s in c["statuses"]}
    assert seen >= {"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"}, seen


def feast_names_services_composites(g):
    status, reply = g.post("/get-online-features", {"feature_service": "all", "full_feature_names": True,
                                                    "entities": {"hop": ["1"], "origin": ["JFK"], "driver_id": [1],
                                                                 "unknown": [0]}})
    assert status == 200, reply
    c = columns(reply)
    assert c["ways__delay"]["values"] == [1.5] and c["stats__trips"]["values"] == [5]
    assert c["origin"]["values"] == ["JFK"] and c["hop"]["values"] == [1]
    status, reply = g.online(["aged:rate"], {"driver_id": [1, None]})
    assert columns(reply)["rate"]["values"] == [7.0, None]
    assert columns(reply)["rate"]["statuses"] == ["OUTSIDE_MAX_AGE", "NOT_FOUND"]
    status, reply = g.online(["stats:rate"], {"driver_id": []})
    assert status == 200 and columns(reply)["rate"]["values"] == []


def own_reads(g):
    body = {"features": ["stats:rate", "stats:seen"], "entities": {"driver_id": [1]}, "as_of": "2026-06-01"}
    status, reply = g.post("/v1/online", body)
    assert status == 200, reply
    row = reply["rows"][0]
    assert row["entity"] == {"driver_id": 1}
    assert row["features"]["rate"]["value"] == 2.0 and row["features"]["rate"]["status"] == "PRESENT"
    assert row["features"]["seen"]["value"] == "2026-01-01T00:00:00Z"
    assert row["features"]["rate"]["created_timestamp"].endswith("Z")
    body["as_of"] = "2025-06-01"
    assert g.post("/v1/online", body)[1]["rows"][0]["features"]["rate"]["status"] == "NOT_FOUND"


WRONG = [
    ("malformed JSON", "/get-online-features", "{", 400),
    ("an empty body", "/get-online-features", "", 400),
    ("not an object", "/get-online-features", "[1]", 422),
    ("bytes that are not UTF-8", "/get-online-features", b'{"entities":{"driver_id":["\xff"]}}', 400),
    ("unknown feature", "/get-online-features", {"features": ["stats:x"], "entities": {"driver_id": [1]}}, 404),
    ("unknown view", "/get-online-features", {"features": ["x:x"], "entities": {"driver_id": [1]}}, 404),
    ("unknown service", "/get-online-features", {"feature_service": "x", "entities": {"driver_id": [1]}}, 404),
    ("a name twice", "/get-online-features", {"features": ["stats:rate", "aged:rate"], "entities": {"driver_id": [1]}},
     400),
    ("no features", "/get-online-features", {"entities": {"driver_id": [1]}}, 422),
    ("no entities", "/get-online-features", {"features": ["stats:rate"]}, 422),
    ("a missing key", "/get-online-features", {"features": ["ways:delay"], "entities": {"hop": [1]}}, 422),
    ("ragged columns", "/get-online-features", {"features": ["ways:delay"], "entities": {"hop": [1], "origin": []}}, 422),
    ("ragged column nobody needs", "/get-online-features",
     {"features": ["stats:rate"], "entities": {"driver_id": [1], "x": [1, 2]}}, 422),
    ("text for a number", "/get-online-features", {"features": ["stats:rate"], "entities": {"driver_id": ["x"]}}, 422),
    ("a list for a key", "/get-online-features", {"features": ["stats:rate"], "entities": {"driver_id": [[1]]}}, 422),
    ("no list of values", "/get-online-features", {"features": ["stats:rate"], "entities": {"driver_id": 1}}, 422),
    ("a name that is no text", "/get-online-features", {"features": [1], "entities": {"driver_id": [1]}}, 422),
    ("too many entities", "/get-online-features",
     {"features": ["stats:rate"], "entities": {"driver_id": [1] * 10001}}, 413),
    ("an unknown field", "/v1/online", {"features": ["stats:rate"], "entities": {"driver_id": [1]}, "feature": 1}, 422),
    ("a time that is none", "/v1/online",
     {"features": ["stats:rate"], "entities": {"driver_id": [1]}, "as_of": "now"}, 422),
    ("an unknown freshness", "/v1/online",
     {"features": ["stats:rate"], "entities": {"driver_id": [1]}, "fresh": "x"}, 422),
]


def wrong_request(g, path, body, want):
    status, headers, text = g.ask("POST", path, body if isinstance(body, (str, bytes)) else json.dumps(body))
    assert status == want, (status, text)
    assert headers["content-type"] == "application/json"
    said = json.loads(text)
    if isinstance(said, str):  # as Feast's SDK raises it anew
        said = json.loads(said)
        assert said["module"] == "feast.errors" and said["message"]
    else:
        assert said["error"]["message"] and said["error"]["code"]


def paths_and_methods(g):
    assert g.ask("GET", "/nothing")[0] == 404
    status, headers, _ = g.ask("GET", "/get-online-features")
    assert status == 405 and headers["allow"] == "POST"
    status, headers, _ = g.ask("POST", "/health", "x")
    assert status == 405 and "GET" in headers["allow"]
    assert g.ask("DELETE", "/get-online-features")[0] == 405
    assert g.ask("HEAD", "/metrics")[:1] == (200,)
    assert g.ask("GET", "/health")[0] == 200


def methods_are_named(g):
    for method, path, want in (("GET", "/v1/online", "POST"), ("POST", "/health", "GET or HEAD"), ("DELETE", "/v1/scan", "POST")):
        status, _, text = g.ask(method, path)
        assert status == 405 and json.loads(text)["error"]["message"] == f"{path}: found another method, expected {want}", text


def loops_share(g):
    """Each loop has its own listener on the one address, and every connection is served."""
    with Gateway(bin_dir, loops=4) as many:
        listening = [line.split()[9] for line in open("/proc/net/tcp") if line.split()[1:4:2] == [f"0100007F:{many.port:04X}", "0A"]]
        assert len(listening) == 4, listening
        assert "by 4 loops" in "".join(many.log)
        for s in [many.connect() for _ in range(64)]:
            with s:
                s.sendall(request("GET", "/healthz"))
                assert answers(s, 1)[0][0] == 200


def pipelines(g):
    with g.connect() as s:
        s.sendall(b"".join(request("POST", "/get-online-features", ONE) for _ in range(200)) +
                  request("GET", "/health"))
        got = answers(s, 201)
        assert [a[0] for a in got] == [200] * 201
        assert all(b'"rate"' in a[2] for a in got[:200]) and got[200][2] == b""


def pipelines_mixed(g):
    """Answers keep their order, though some are given by threads and some at once."""
    big = json.dumps({"features": ["stats:trips"], "entities": {"driver_id": [1] * 9000}})
    with g.connect() as s:
        s.sendall(request("POST", "/get-online-features", big) + request("GET", "/health") +
                  request("POST", "/get-online-features", big) + request("POST", "/get-online-features", ONE))
        a, b, c, d = answers(s, 4)
        assert b'"trips"' in a[2] and a[2] == c[2] and b[2] == b"" and b'"rate"' in d[2]


def byte_by_byte(g):
    with g.connect() as s:
        for byte in request("POST", "/get-online-features", ONE):
            s.sendall(bytes([byte]))
        assert answers(s, 1)[0][0] == 200


def half_closed(g):
    import socket
    with g.connect() as s:
        s.sendall(request("POST", "/get-online-features", ONE) * 3)
        s.shutdown(socket.SHUT_WR)
        assert [a[0] for a in answers(s, 3)] == [200] * 3
        assert ended(s, 30)
    with g.connect() as s:
        s.sendall(request("POST", "/get-online-features", ONE)[:-3])
        s.shutdown(socket.SHUT_WR)
        assert answers(s, 1)[0][0] == 400
        assert ended(s, 30)


def chunked(g):
    with g.connect() as s:
        s.sendall(request("POST", "/get-online-features", None, {"Transfer-Encoding": "chunked"}))
        for i in range(0, len(ONE), 7):
            piece = ONE[i:i + 7].encode()
            s.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        s.sendall(b"0\r\n\r\n")
        assert answers(s, 1)[0][0] == 200


def expects_100(g):
    with g.connect() as s:
        head, body = request("POST", "/get-online-features", ONE, {"Expect": "100-continue"}).split(b"\r\n\r\n", 1)
        s.sendall(head + b"\r\n\r\n")
        assert s.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        s.sendall(body)
        assert answers(s, 1)[0][0] == 200


def old_http(g):
    with g.connect() as s:
        s.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert answers(s, 1)[0][0] == 200
        assert ended(s, 30)


def zipped(g):
    big = json.dumps({"features": ["stats:trips"], "entities": {"driver_id": [1] * 5000}})
    plain = g.ask("POST", "/get-online-features", big)
    packed = g.ask("POST", "/get-online-features", big, {"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain[1] and packed[1]["content-encoding"] == "gzip"
    assert len(packed[2]) < len(plain[2]) // 5 and gzip.decompress(packed[2]) == plain[2]
    assert "content-encoding" not in g.ask("POST", "/get-online-features", ONE, {"Accept-Encoding": "gzip"})[1]


def oversized(g):
    with g.connect() as s:
        s.sendall(request("POST", "/get-online-features", b"x" * (2 << 20)))
        assert answers(s, 1)[0][0] == 413
        assert ended(s, 30)
    with g.connect() as s:  # who asks first is told at once
        s.sendall(request("POST", "/get-online-features", None,
                          {"Expect": "100-continue", "Content-Length": 2 << 20}))
        assert answers(s, 1)[0][0] == 413
    assert g.ask("GET", "/" + "x" * 9000)[0] == 414
    assert g.ask("GET", "/health", None, {"X-Long": "x" * 20000})[0] == 431


def slow_loris(g):
    """Many who send a byte now and then: they are ended in time, and others are served meanwhile."""
    socks = [g.connect() for _ in range(200)]
    for s in socks[:100]:
        s.sendall(b"POST /get-online-features HTTP/1.1\r\nHost: a\r\n")
    for s in socks[100:]:
        s.sendall(b"POST /get-online-features HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{")
    end, spent = time.monotonic() + 2.5, []
    while time.monotonic() < end:
        for s in socks[::20]:
            try:
                s.sendall(b"a: b\r\n" if socks.index(s) < 100 else b" ")
            except OSError:
                pass
        before = time.monotonic()
        assert g.ask("POST", "/get-online-features", ONE)[0] == 200
        spent.append(time.monotonic() - before)
        time.sleep(0.1)
    assert sorted(spent)[len(spent) // 2] < 1, spent
    for s in socks:
        assert ended(s, 60)
        s.close()
    silent = g.connect()
    assert ended(silent, 60)


def slow_reader(g):
    """Asks and asks, and never reads: he is ended, and costs no memory without bound."""
    big = json.dumps({"features": ["stats:name"], "entities": {"driver_id": [1] * 9000}})
    with g.connect() as s:
        s.settimeout(0.5)
        try:
            while True:
                s.sendall(request("POST", "/get-online-features", big))
        except OSError:
            pass
        assert until(lambda: "larder_gateway_connections 1\n" in g.get("/metrics")[1], 10)


def too_many_connections(g):
    socks = [g.connect() for _ in range(40)]
    for s in socks:
        s.sendall(request("GET", "/health"))
    statuses = []
    for s in socks:
        try:
            statuses.append(answers(s, 1)[0][0])
        except (Cut, ConnectionResetError):
            statuses.append(0)
        s.close()
    assert statuses.count(200) == 32 and set(statuses) <= {200, 503, 0}, statuses
    assert until(lambda: g.ask("GET", "/health")[0] == 200)


def drains(g):
    idle, busy = g.connect(), g.connect()
    idle.sendall(request("GET", "/health"))
    assert answers(idle, 1)[0][0] == 200
    head, body = request("POST", "/get-online-features", ONE, {"Expect": "100-continue"}).split(b"\r\n\r\n", 1)
    busy.sendall(head + b"\r\n\r\n")
    assert busy.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"  # the request has begun over there
    busy.sendall(body[:-5])
    g.process.terminate()
    assert ended(idle, 30)
    busy.sendall(ONE.encode()[-5:])
    status, headers, _ = answers(busy, 1)[0]
    assert status == 200 and headers["connection"] == "close"
    assert g.stop() == 0, g.log
    assert any("stopped" in line for line in g.log)


def too_many_values(g):
    g.start(rows=1000000)
    status, reply = g.online(ALL, {"driver_id": [1] * 300000})
    assert status == 413 and reply["error"]["code"] == "TOO_BIG", reply
    assert g.stop() == 0


def serves(g):
    """`larder serve` is the same."""
    g.start(serve=True)
    assert g.ask("POST", "/get-online-features", ONE)[0] == 200
    assert g.stop() == 0


def metrics(g):
    text = g.get("/metrics")[1]
    assert 'larder_gateway_requests_total{route="/get-online-features",status="2xx"}' in text
    assert 'larder_gateway_request_seconds_count{route="/get-online-features"}' in text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) and len(names) > 10


def settings():
    program = f"{bin_dir}/larder-gateway"
    assert subprocess.run([program, "--check-config"], capture_output=True).returncode == 0
    for flags in (["--listen", "x"], ["--nonsense"], ["--rows", "0"], ["--fresh", "x"], ["--config", "/nowhere"]):
        r = subprocess.run([program, "--check-config", *flags], capture_output=True, text=True)
        assert r.returncode == 2 and r.stderr.startswith("larder-gateway: "), r
    r = subprocess.run([program, "--store", "local:/nowhere/at/all"], capture_output=True, text=True)
    assert r.returncode == 3 and "cannot start" in r.stderr, r
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    r = subprocess.run([program, "--config", f"{root}/deploy/larder-gateway.yaml", "--check-config"],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


with Gateway(bin_dir) as g:
    check("facts are loaded", prepare, g)
    g.start(max_body="1MiB")
    check("Feast's reads: all types, null, missing", feast_reads, g)
    check("methods are named", methods_are_named, g)
    check("loops share an address", loops_share, g)
    check("one entity as several", one_as_many, g)
    check("Feast's reads: service, full names, composite keys, ttl", feast_names_services_composites, g)
    check("own reads: as of, status and times", own_reads, g)
    for name, path, body, want in WRONG:
        check(f"refused with {want}: {name}", wrong_request, g, path, body, want)
    for test in (paths_and_methods, pipelines, pipelines_mixed, byte_by_byte, half_closed, chunked, expects_100, old_http,
                 zipped, oversized, metrics):
        check(test.__name__.replace("_", " "), test, g)
    check("drains on SIGTERM", drains, g)
    g.start(head_timeout="1s", body_timeout="1s", idle_timeout="2s", write_timeout="1s")
    check("slow loris", slow_loris, g)
    check("slow reader", slow_reader, g)
    g.stop()
    g.start(connections=32)
    check("too many connections", too_many_connections, g)
    g.stop()
    check("too many values", too_many_values, g)
    check("larder serve", serves, g)
check("settings", settings)
finish()

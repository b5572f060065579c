#!/usr/bin/env python3
"""gzip both ways from a real larder-gateway: joins and scans that are compressed while they are made, readable batch by batch, in bounded
memory, whoever reads or leaves; and request bodies as gzip, within limits. usage: gateway_gzip.py BIN_DIR"""
import gzip
import json
import os
import sys
import zlib

from gateway_kit import Cut, Gateway, answers, check, filled, finish, request, until

bin_dir = os.path.abspath(sys.argv[1])
STREAM = "application/vnd.apache.arrow.stream"
TAKES = {"Accept-Encoding": "gzip"}
SENDS = {"Content-Encoding": "gzip"}
MIB = 1 << 20
DAY = "2026-01-20"


def spine(n, last=DAY):
    return {"features": ["stats:name"], "spine": {"i": list(range(n)), "driver_id": [i % 3 for i in range(n)],
                                                  "event_timestamp": [DAY] * (n - 1) + [last]}}


def memory(g, key="VmRSS"):
    with open(f"/proc/{g.process.pid}/status") as f:
        return next(int(line.split()[1]) >> 10 for line in f if line.startswith(key))


def same_as_plain(g):
    for path, body in (("/v1/historical", spine(30000)), ("/v1/historical", spine(1)), ("/v1/scan", {"view": "stats"}),
                       ("/v1/scan", {"view": "filed"})):
        for accept in ("application/x-ndjson", STREAM):
            text = json.dumps(body)
            _, plain_head, plain = g.ask("POST", path, text, {"Accept": accept})
            status, head, packed = g.ask("POST", path, text, {"Accept": accept, **TAKES})
            if not plain:  # no line, nothing to compress
                assert status == 200 and packed == b"" and "content-encoding" not in head
                continue
            assert status == 200 and head["content-encoding"] == "gzip" and head["vary"] == "Accept-Encoding", head
            assert "content-encoding" not in plain_head and head["content-type"] == plain_head["content-type"]
            assert head["transfer-encoding"] == "chunked" and ("arrow" in accept) == (head["content-type"] == STREAM)
            assert gzip.decompress(packed) == plain and (len(packed) < len(plain) // 4 or len(plain) < 5000)
    refusal = g.ask("POST", "/v1/historical", json.dumps({"features": ["nobody"], "spine": {}}), TAKES)
    assert refusal[0] == 404 and "content-encoding" not in refusal[1] and b"nobody" in refusal[2], refusal
    assert "content-encoding" not in g.ask("POST", "/v1/scan", '{"view": "stats"}', {"Accept-Encoding": "gzip;q=0, br"})[1]


def old_http(g):
    """HTTP/1.0 has no chunks: the connection's end is the answer's."""
    with g.connect() as s:
        body = json.dumps(spine(5000))
        s.sendall(f"POST /v1/historical HTTP/1.0\r\nAccept-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        data = b""
        while piece := s.recv(1 << 16):
            data += piece
    head, packed = data.split(b"\r\n\r\n", 1)
    assert b"Content-Encoding: gzip" in head and b"chunked" not in head
    assert gzip.decompress(packed).count(b"\n") == 5000


def batch_by_batch(g):
    """The first rows can be read while the last ones have not been made, and who reads slowly holds nothing in memory."""
    before = memory(g)
    with g.connect(60) as s:
        s.sendall(request("POST", "/v1/scan", json.dumps({"view": "ways"}), TAKES))
        assert filled(s)  # what is not read waits over there, not made
        made = memory(g, "VmHWM")
        opened, f, line, rest = zlib.decompressobj(31), s.makefile("rb"), b"", 0
        while f.readline().strip():
            pass
        while size := int(f.readline(), 16):
            if b"\n" not in line:  # the first line, in full, from what came so far
                line += opened.decompress(f.read(size))
                assert not opened.eof
            else:
                f.read(size)
            f.readline()
            rest += size
    assert json.loads(line.split(b"\n")[0])["hop"] >= 0
    print(f"  {rest // MIB} MiB compressed; {made - before} MiB more memory while nobody read", flush=True)
    assert rest > 20 * MIB and made - before < 60, (rest, made, before)


def leaves_half_way(g):
    for accept in ("*/*", STREAM):
        for _ in range(4):
            with g.connect(30) as s:
                s.sendall(request("POST", "/v1/scan", json.dumps({"view": "ways"}), {"Accept": accept, **TAKES}))
                assert s.recv(1 << 10)
        assert until(lambda: "larder_gateway_waiting_long 0\n" in g.get("/metrics")[1], 20)
    assert len(g.post("/v1/historical", spine(1))) == 2


def cut_off(g):
    """What fails half-way has no end of gzip either, and in lines its last one says why."""
    with g.connect(30) as s:
        s.sendall(request("POST", "/v1/historical", json.dumps(spine(20000, "never")), TAKES))
        try:
            answers(s, 1)
            raise AssertionError("it ended as if it were whole")
        except Cut:
            pass
    with g.connect(30) as s:
        s.sendall(request("POST", "/v1/historical", json.dumps(spine(20000, "never")), TAKES))
        data = b""
        while piece := s.recv(1 << 16):
            data += piece
    data, packed = data.split(b"\r\n\r\n", 1)[1], b""
    while data:
        size, data = data.split(b"\r\n", 1)
        packed, data = packed + data[:int(size, 16)], data[int(size, 16) + 2:]
    opened = zlib.decompressobj(31)
    lines = opened.decompress(packed).splitlines()
    assert not opened.eof and "row 19999" in json.loads(lines[-1])["error"]["message"], lines[-1]


def takes_bodies(g):
    one = {"features": ["stats:trips"], "entities": {"driver_id": [1]}}
    many = {"features": ["stats:trips"], "entities": {"driver_id": list(range(5000))}}
    for path, body in (("/get-online-features", one), ("/v1/online", many), ("/v1/historical", spine(9000)), ("/v1/scan", {"view": "filed"}),
                       ("/push", {"push_source_name": "driver_push", "df": {**FACTS, "driver_id": [77], "name": ["zipped"]}})):
        text = json.dumps(body).encode()
        want = g.ask("POST", path, text)
        packed = gzip.compress(text)
        assert g.ask("POST", path, packed, SENDS)[::2] == want[::2]
        assert g.ask("POST", path, gzip.compress(text[:7]) + gzip.compress(text[7:]), {"Content-Encoding": "x-gzip"})[::2] == want[::2]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(packed[i:i + 99]), packed[i:i + 99]) for i in range(0, len(packed), 99))
        got = g.ask("POST", path, chunks + b"0\r\n\r\n", {"Transfer-Encoding": "chunked", **SENDS})
        assert got[::2] == want[::2], got[2][:200]
    with g.connect() as s:  # many on one connection, between others
        text = json.dumps(one).encode()
        s.sendall((request("POST", "/v1/online", gzip.compress(text), SENDS) + request("POST", "/v1/online", text)) * 20)
        assert len({a[2] for a in answers(s, 40)}) == 1
    assert "larder_gateway_bodies_bytes 0\n" in g.get("/metrics")[1]


def refuses_bodies(g):
    text = json.dumps({"features": ["stats:trips"], "entities": {"driver_id": [1]}}).encode()
    packed = gzip.compress(text)
    for body, status, says in ((text, 400, "not gzip"), (packed[:-1], 400, "not whole gzip"), (packed + b"xyz", 400, "incorrect header"),
                               (packed[:-5] + b"12345", 400, "incorrect"), (b"", 400, "0 bytes"), (gzip.compress(b"{"), 400, "JSON")):
        got = g.ask("POST", "/v1/online", body, SENDS)
        assert got[0] == status and says in json.loads(got[2])["error"]["message"], got
    for encoding in ("br", "deflate", "gzip, gzip"):
        got = g.ask("POST", "/v1/online", packed, {"Content-Encoding": encoding})
        assert got[0] == 415 and got[1]["accept-encoding"] == "gzip" and f"found '{encoding}'" in got[2].decode(), got
    assert "larder_gateway_bodies_bytes 0\n" in g.get("/metrics")[1]


def bombs(g):
    """A body of 64 KiB that would be 64 MiB, and one that would be so twice over: refused at the limit, and memory stays."""
    bomb = gzip.compress(gzip.compress(b" " * (64 * MIB)) + b" " * (64 * MIB))
    before, held = memory(g, "VmHWM"), []
    for _ in range(6):
        s = g.connect(30)
        s.sendall(request("POST", "/v1/online", bomb, SENDS))
        held.append(s)
    for s in held:
        status, _, text = answers(s, 1)[0]
        assert status in (413, 503) and ("unpacked" in text.decode() or status == 503), (status, text)
        s.close()
    assert "larder_gateway_bodies_bytes 0\n" in g.get("/metrics")[1]
    grown = memory(g, "VmHWM") - before
    print(f"  six of {len(bomb)} bytes at one time: {grown} MiB more memory at most", flush=True)
    assert grown < 80, grown


FACTS = {"driver_id": [1], "rate": [0.5], "trips": [7], "small": [1.5], "vip": [True], "name": ["a"], "tags": [["x"]], "vector": [[1.0]],
         "seen": [1767225600], "raw": ["AAEC"], "event_timestamp": ["2026-01-01T00:00:00"]}

with Gateway(bin_dir, max_body="8MiB", bodies="24MiB") as g:
    assert g.post("/push", {"push_source_name": "driver_push", "df": FACTS})[0] == 200
    check("bombs are defused", bombs, g)  # first: the most memory ever is looked at
    check("compressed streams hold the same", same_as_plain, g)
    check("for HTTP/1.0, too", old_http, g)
    for i in range(15):
        noise = [os.urandom(500000).hex() for _ in range(4)]
        facts = {"origin": ["x"] * 4, "hop": list(range(4 * i, 4 * i + 4)), "gate": noise, "delay": [1.5] * 4, "event_timestamp": [DAY] * 4}
        written = g.post("/v1/write", {"view": "ways", "columns": facts})
        assert written[0] == 200, written
    check("batch by batch, at the reader's pace", batch_by_batch, g)
    check("readers who leave", leaves_half_way, g)
    check("an error half-way", cut_off, g)
    check("bodies that are gzip", takes_bodies, g)
    check("bodies that are not quite", refuses_bodies, g)
    assert g.stop() == 0, g.log
finish()

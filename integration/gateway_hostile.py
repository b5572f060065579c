#!/usr/bin/env python3
"""Clients who mean ill before a real larder-gateway: each attack runs in a process of its own while an ordinary client asks and
measures. Afterwards they are gone, and so are their files and their memory. usage: gateway_hostile.py BIN_DIR"""
import json
import multiprocessing
import os
import random
import select
import socket
import struct
import sys
import threading
import time

from gateway_kit import Gateway, answers, check, ended, finish, request, until

bin_dir = os.path.abspath(sys.argv[1])
ONE = request("POST", "/get-online-features", json.dumps({"features": ["stats:rate"], "entities": {"driver_id": [1]}}))
DEADLINE = 2  # seconds: head, body and write time of the gateway that is attacked
MANY = 600
P99 = 0.5  # seconds that an ordinary request may take while two cores are shared with the attackers, in a debug build; or
TIMES = 50  # so many times what half of them take with nobody else there: a machine may be slow, or busy with other work
limit = P99
REST = 96 << 20  # bytes that an attack may leave behind: what the allocator keeps for eight threads
HEADS = b"POST /get-online-features HTTP/1.1\r\nHost: a\r\n"


def join_of(rows):
    """A join whose answer is large: more than 600 bytes a row."""
    spine = {"driver_id": [1] * rows, "event_timestamp": ["2026-06-01"] * rows}
    return request("POST", "/v1/historical", json.dumps({"features": ["stats:rate", "stats:name"], "spine": spine}))


def files(g):
    return len(os.listdir(f"/proc/{g.process.pid}/fd"))


def memory(g):
    with open(f"/proc/{g.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) << 10


def open_connections(g):
    text = g.get("/metrics")[1]
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("larder_gateway_connections ")))


class Ordinary(threading.Thread):
    """Asks for one entity again and again, every other time (fresh) on a connection of its own."""

    def __init__(self, g, fresh):
        super().__init__(daemon=True)
        self.g, self.times, self.failed, self.end = g, [], None, False
        self.ways = (False, True) if fresh else (False,)

    def run(self):
        kept, used = self.g.connect(), time.monotonic()
        try:
            while not self.end:
                for fresh in self.ways:
                    began = time.monotonic()
                    if not fresh and began - used > DEADLINE / 2:  # we were held up: it may be ended for being idle
                        kept.close()
                        kept = self.g.connect()
                    s = self.g.connect() if fresh else kept
                    s.sendall(ONE)
                    status, _, text = answers(s, 1)[0]
                    self.times.append(time.monotonic() - began)
                    assert status == 200 and b'"PRESENT"' in text, (status, text)
                    if fresh:
                        s.close()
                    else:
                        used = time.monotonic()
                time.sleep(0.01)
        except Exception as e:
            self.failed = e
        finally:
            kept.close()

    def p99(self):
        return sorted(self.times)[int(len(self.times) * 0.99)]


def alone(g):
    """How long requests take here and now, and so how long they may take beside attackers."""
    global limit
    client = Ordinary(g, True)
    client.start()
    assert until(lambda: client.failed or len(client.times) >= 100, 60)
    client.end = True
    client.join(20)
    assert client.failed is None, client.failed
    usual = sorted(client.times)[len(client.times) // 2]
    limit = max(P99, TIMES * usual)
    print(f"  {usual * 1000:.1f} ms with nobody else there, at most {limit * 1000:.0f} ms beside attackers", flush=True)


def attacked(g, attack, *args, fewest=40, fresh=True):
    """Runs it in a process; the ordinary client is served meanwhile, and nothing is left of it afterwards."""
    resting = files(g)
    before = memory(g)
    client = Ordinary(g, fresh)
    client.start()
    assert until(lambda: client.failed or client.times, 60)
    attacker = multiprocessing.Process(target=attack, args=(g.port, *args))
    attacker.start()
    most_files, most_memory = 0, 0
    while attacker.is_alive():
        most_files, most_memory = max(most_files, files(g)), max(most_memory, memory(g))
        attacker.join(0.05)
    until(lambda: client.failed or len(client.times) >= fewest, 60)  # of a short attack its wake counts
    client.end = True
    client.join(20)
    assert client.failed is None, client.failed
    assert attacker.exitcode == 0, f"the attacker saw something else: {attacker.exitcode}"
    assert len(client.times) >= fewest, len(client.times)
    assert client.p99() < limit, f"p99 {client.p99():.3f} s of {len(client.times)}"
    assert until(lambda: open_connections(g) == 1, 10), g.get("/metrics")[1]
    assert until(lambda: files(g) <= resting + 4, 10), (resting, files(g))
    assert until(lambda: memory(g) < before + REST, 10), (before, memory(g))
    print(f"  p99 {client.p99() * 1000:.0f} ms of {len(client.times)}, at most {most_files} files, "
          f"{(most_memory - before) >> 20} MiB more than before, {(memory(g) - before) >> 20} afterwards", flush=True)
    return most_files, most_memory - before


# ---- Attackers: exit 0 when the gateway did with them what it should ----


def dial(port, timeout=10):
    return socket.create_connection(("127.0.0.1", port), timeout)


def gone(socks, seconds):
    """Whether all of them are ended by the other side within that time."""
    end = time.monotonic() + seconds
    left = set(socks)
    while left and time.monotonic() < end:
        ready = select_all(left, 0.1)
        for s in ready:
            try:
                if not s.recv(1 << 16):
                    left.discard(s)
            except OSError:
                left.discard(s)
    return not left


def select_all(socks, seconds):
    poll = select.poll()
    by = {s.fileno(): s for s in socks}
    for fd in by:
        poll.register(fd, select.POLLIN)
    return [by[fd] for fd, _ in poll.poll(seconds * 1000)]


def drip(port, head, drops):
    """So many connections, each a byte a second, for ever."""
    socks = [dial(port) for _ in range(MANY)]
    for s in socks:
        s.sendall(head)
        s.setblocking(False)
    began, left = time.monotonic(), set(socks)
    for turn in range(60):
        for s in list(left):
            try:
                s.send(drops[turn % len(drops):][:1])
            except OSError:
                left.discard(s)
        for s in select_all(left, 0) if left else ():
            try:
                if not s.recv(1 << 16):
                    left.discard(s)
            except BlockingIOError:
                pass
            except OSError:
                left.discard(s)
        if not left:
            break
        time.sleep(max(0, began + turn + 1 - time.monotonic()))
    spent = time.monotonic() - began
    assert not left, f"{len(left)} are still there after {spent:.0f} s"
    assert spent < DEADLINE + 12, spent


def bodies(port):
    """Bodies that come almost whole and then stop: held together they are bounded."""
    socks = []
    for _ in range(60):
        s = dial(port)
        s.setblocking(False)
        socks.append(s)
    head = HEADS + b"Content-Length: %d\r\n\r\n" % (1 << 20)
    todo = {s: head + b"[" * ((1 << 20) - 100) for s in socks}
    end = time.monotonic() + DEADLINE + 12
    while todo and time.monotonic() < end:
        for s in list(todo):
            try:
                todo[s] = todo[s][s.send(todo[s][:1 << 18]):]
                if not todo[s]:
                    del todo[s]
            except BlockingIOError:
                pass
            except OSError:
                del todo[s]
    assert gone(socks, DEADLINE + 8)


def floods(port):
    """Connections without end, each left at once or reset."""
    end = time.monotonic() + 4
    n = 0
    while time.monotonic() < end:
        socks = []
        try:
            for _ in range(200):
                socks.append(dial(port, 2))
                n += 1
        except OSError:
            pass
        for i, s in enumerate(socks):
            if i % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
    assert n > 500, n


def holds(port, n):
    """More connections than may be open, held open; those beyond are told or closed."""
    socks = []
    for _ in range(n):
        try:
            socks.append(dial(port, 2))
        except OSError:
            pass
    time.sleep(3)  # the attack itself: they are held, and say nothing
    assert gone(socks, DEADLINE + 20)


def stops_reading(port):
    """Joins whose answers nobody reads."""
    socks = []
    for _ in range(12):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(20)
        s.connect(("127.0.0.1", port))
        s.sendall(join_of(30000))
        socks.append(s)
    # Nothing to wait for: with a full window not even the end of the answer comes through, and looking would be reading.
    time.sleep(DEADLINE + 3)
    for s in socks:  # what had been sent is still there, then the end
        assert ended(s, 10)


def resets(port):
    """Joins whose clients are gone as soon as the answer begins."""
    for _ in range(8):
        s = dial(port)
        s.sendall(join_of(20000))
        s.recv(100)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()


def pipelines_unread(port):
    """Requests on requests, and no answer is read: served no further when a MiB is owed."""
    socks = [dial(port) for _ in range(8)]
    for s in socks:
        s.setblocking(False)
    sent = dict.fromkeys(socks, 0)
    end = time.monotonic() + 3
    load = ONE * 200
    while time.monotonic() < end:
        for s in socks:
            try:
                sent[s] += s.send(load)
            except BlockingIOError:
                pass
            except OSError:
                sent[s] += 0
        time.sleep(0.005)  # the pace of the attack
    assert max(sent.values()) < 64 << 20, sent
    assert gone(socks, DEADLINE + 8)


def chunks_without_end(port):
    """Bodies in chunks of one byte, with long extensions, with trailers, sent as fast as they are taken."""
    def forever(piece):
        return lambda: piece * 100

    kinds = [forever(b"1\r\nx\r\n"), forever(b"1;" + b"e" * 500 + b"\r\nx\r\n"), forever(b"00000000000001\r\nx\r\n")]
    socks = []
    for i in range(24):
        s = dial(port)
        s.sendall(HEADS + b"Transfer-Encoding: chunked\r\n\r\n" + (b"0\r\n" if i % 4 == 3 else b""))
        s.setblocking(False)
        socks.append((s, kinds[i % 4] if i % 4 < 3 else forever(b"t: " + b"v" * 200 + b"\r\n")))
    end = time.monotonic() + DEADLINE + 20
    left = dict(socks)
    while left and time.monotonic() < end:
        for s, make in list(left.items()):
            try:
                s.send(make())
            except BlockingIOError:
                pass
            except OSError:
                del left[s]
        for s in select_all(left, 0.01) if left else ():
            try:
                if not s.recv(1 << 16):
                    del left[s]
            except OSError:
                left.pop(s, None)
    assert not left, len(left)


def for_a_while(port, attack):
    end = time.monotonic() + 3
    seed = 0
    while time.monotonic() < end:
        attack(port, seed)
        seed += 1


def garbage(port, seed):
    """What is not HTTP, or nearly; every answer is a refusal, and the connection ends."""
    rng = random.Random(seed)
    body = ONE.split(b"\r\n\r\n", 1)[1]
    wrong = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        HEADS + b"Content-Length: 18446744073709551615\r\n\r\n",
        HEADS + b"Content-Length: 5, 6\r\n\r\nhello",
        HEADS + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        HEADS + b"Transfer-Encoding: gzip\r\n\r\n" + body,
        HEADS + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        HEADS + b"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n" + bytes(1000),
        HEADS + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        HEADS + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello!!",
        HEADS + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"t: v\r\n" * 10000,
        b"GET /health HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 3000,
        b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100000,
        b"GET /" + b"a" * 100000,
        b"A" * 100000,
        b"GET /health HTTP/1.1\r\nHost: a\r\nX\x00Y: z\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\n: z\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x00" * 5000,
    ]
    for text in wrong:
        with dial(port) as s:
            try:
                s.sendall(text)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused while it was still being sent
            refused(s, text)
    for _ in range(200):  # a good request with some bytes changed: any answer, but one that ends
        text = bytearray(ONE)
        for _ in range(rng.randrange(1, 6)):
            text[rng.randrange(len(text))] = rng.randrange(256)
        with dial(port) as s:
            try:
                s.sendall(bytes(text))
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            assert ended(s, DEADLINE + 5), bytes(text)


def refused(s, text):
    data = b""
    try:
        while True:
            piece = s.recv(1 << 16)
            if not piece:
                break
            data += piece
    except ConnectionResetError:
        pass
    assert data == b"" or data[:12] in [b"HTTP/1.1 %d" % n for n in (400, 413, 414, 431, 501, 505)], (text[:80], data[:200])


def half_closed(port, _seed):
    """Every stage of a request, then only our side is closed: nobody waits for us."""
    whole = [ONE, join_of(5000), HEADS + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
    for text in whole:
        for cut in sorted({1, len(text) // 2, len(text) - 1, len(text)}):
            with dial(port) as s:
                s.sendall(text[:cut])
                s.shutdown(socket.SHUT_WR)
                assert ended(s, DEADLINE + 5), text[:cut]
    with dial(port) as s:  # a good request, then nonsense, both before any answer
        s.sendall(ONE + ONE + b"nonsense\r\n\r\n")
        a, b, c = answers(s, 3)
        assert (a[0], b[0], c[0]) == (200, 200, 400)
        assert ended(s, 5)


# ---- What else must be ----


def joins_go_on(g):
    """While answers of joins wait for clients who do not read, others get theirs."""
    socks = []
    for _ in range(5):
        s = g.connect(20)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(join_of(30000))
        socks.append(s)
    time.sleep(0.5)
    with g.connect(20) as s:
        began = time.monotonic()
        s.sendall(join_of(1000))
        status, _, text = answers(s, 1)[0]
        assert status == 200 and text.count(b"\n") == 1000
        spent = time.monotonic() - began
    assert "larder_gateway_waiting_long 5\n" in g.get("/metrics")[1], "they were to wait still"
    for s in socks:
        s.close()
    assert spent < 5, spent
    assert until(lambda: "larder_gateway_waiting_long 0\n" in g.get("/metrics")[1], 10)


def joins_again(g):
    """What the attacks on joins left behind is used again: another one adds next to nothing."""
    before = memory(g)
    attacked(g, stops_reading)
    assert memory(g) < before + (24 << 20), (before, memory(g))


def crowded(g):
    most, _ = attacked(g, holds, 1500, fresh=False)
    assert most < 300, most


def few_files(g):
    """The system lets it have few files: connections leave the store those that it needs."""
    hard = 600
    g.start(wrap=["prlimit", f"--nofile={hard}:{hard}"], head_timeout="1s", idle_timeout="2s")
    try:
        assert any(f"{hard} files may be open" in line for line in g.log), g.log
        most, _ = attacked(g, holds, 2 * hard, fresh=False)
        assert most < hard - 100, most
        status, said = g.post("/v1/write", {"view": "aged", "columns": {"driver_id": [1], "rate": [1.0], "event_timestamp": ["2026-01-01"]}})
        assert status == 200, said
    finally:
        assert g.stop() == 0, g.log


ROW = json.dumps({"driver_id": 1, "event_timestamp": "2026-01-01T00:00:00Z", "rate": 2.0, "trips": 5, "small": 0.1, "vip": True, "name": "n" * 600,
                  "tags": ["x"], "vector": [1.0], "seen": None, "raw": None}) + "\n"


def prepare(g):
    g.stop()
    g.larder("ingest", "stats", "-", "--format", "ndjson", text=ROW)


with Gateway(bin_dir) as g:
    check("facts are loaded", prepare, g)
    times = {k: f"{DEADLINE}s" for k in ("head_timeout", "body_timeout", "write_timeout", "idle_timeout")}
    g.start(max_body="8MiB", bodies="64MiB", connections=2000, **times)
    check("an ordinary client alone", alone, g)
    check("a head a byte a second", attacked, g, drip, HEADS + b"X: ", b"a")
    check("headers a byte a second", attacked, g, drip, HEADS, b"a: b\r\n")
    check("line ends a byte a second", attacked, g, drip, b"", b"\r\n")
    check("a body a byte a second", attacked, g, drip, HEADS + b"Content-Length: 100\r\n\r\n", b" ")
    check("chunks a byte a second", attacked, g, drip, HEADS + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")
    check("bodies that stop short of their end", attacked, g, bodies)
    check("connections without end", attacked, g, floods)
    check("requests without end, unread", attacked, g, pipelines_unread)
    check("chunks without end", attacked, g, chunks_without_end)
    check("garbage", attacked, g, for_a_while, garbage)
    check("half-closed at every stage", attacked, g, for_a_while, half_closed)
    check("joins that nobody reads", attacked, g, stops_reading)
    check("joins whose clients vanish", attacked, g, resets)
    check("joins that nobody reads, again", joins_again, g)
    check("joins go on beside those that nobody reads", joins_go_on, g)
    check("all at rest again", lambda: g.stop() == 0 or sys.exit(g.log))
    g.start(connections=100, **times)
    check("more connections than may be open", crowded, g)
    g.stop()
    check("few files", few_files, g)
finish()

"""Object stores on loopback: moto's server for S3, an emulator for Google's, and a proxy before either that counts, cuts, stalls and refuses."""

import datetime as dt
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.fs as fs
import pytest

import larder

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def server(command, port, probe, log, **env):
    """A process that serves HTTP on loopback, until the end."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **env})
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=5).close()
                    break
                except urllib.error.HTTPError:
                    break  # it answers
                except OSError:
                    assert process.poll() is None, open(log).read()
                    time.sleep(0.1)
            else:
                raise AssertionError(f"{command} did not start: {open(log).read()}")
            yield port
        finally:
            process.terminate()
            process.wait(20)


def moto(log):
    """S3's interface, by moto."""
    port = free_port()
    return server([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port, "/moto-api/", log)


def gcs(port, log):
    """Google's, by an emulator, with the bucket `features`; with a thread for each connection, of which clients keep several."""
    start = f"sys.argv = ['x', 'start', '--host=127.0.0.1', '--port={port}', '--in-memory', '--default-bucket=features']"
    return server([sys.executable, "-c", f"import sys, http.server as h; h.HTTPServer = h.ThreadingHTTPServer; {start}; from gcp_storage_emulator.__main__ import main; main()"], port, "/", log)


def ask(port, method, path, body=None, **headers):
    headers.setdefault("Content-Type", "text/plain")
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def options(port):
    """Of a URL, for a server at this port."""
    return f"endpoint_override=http%3A%2F%2F127.0.0.1%3A{port}&region=us-east-1"


@contextmanager
def refusing(status):
    """A server that answers everything with this status: its port, and the list of what was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(f"{self.command} {self.path}")
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as s:
        threading.Thread(target=s.serve_forever, daemon=True).start()
        yield s.server_address[1], asked
        s.shutdown()


class Proxy:
    """Between clients and a server at `port`. Counts what comes back, and lists the requests; and as `mode` says, from the moment
    it is set: "cut" ends connections after `after` more bytes of answers, "cut up" of requests; "stall" holds what follows these
    bytes back for ever; "refuse" ends connections at once; an int answers each request with this status and `body`. `times`: how
    often, before it is well again (None: always)."""

    def __init__(self, port):
        self._port, self._lock, self._open = port, threading.Lock(), set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.reset()
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        with self._lock:
            self.mode, self.after, self.times, self.body = None, 0, None, b""
            self.bytes, self.requests, self.hits = 0, [], 0

    def set(self, mode, after=0, times=None, body=b""):
        with self._lock:
            self.mode, self.after, self.times, self.body, self.hits = mode, after, times, body, 0

    def close(self):
        self._listener.close()
        for s in list(self._open):
            _end(s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if self._strikes("refuse"):
            _end(client)
            return
        try:
            far = socket.create_connection(("127.0.0.1", self._port))
        except OSError:
            _end(client)
            return
        self._open.update((client, far))
        threading.Thread(target=self._pump, args=(far, client, "cut"), daemon=True).start()
        self._pump(client, far, "cut up")

    def _strikes(self, *modes):
        with self._lock:
            if self.mode not in modes or (self.times is not None and self.hits >= self.times):
                return False
            self.hits += 1
            return True

    def _left(self, n, *modes):
        """How many of n bytes may pass, and whether it ends then."""
        with self._lock:
            if self.mode not in modes or (self.times is not None and self.hits >= self.times):
                return n, None
            if n <= self.after:
                self.after -= n
                return n, None
            passed, self.after = self.after, 0
            self.hits += 1
            return passed, self.mode

    def _pump(self, source, to, cut):
        up = cut == "cut up"
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            if up:
                self._note(data)
                if isinstance(self.mode, int) and _starts(data) and self._strikes(self.mode):
                    head = f"HTTP/1.1 {self.mode} No\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: "
                    body = b"" if data.startswith(b"HEAD") else self.body
                    source.sendall(head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body)
                    source.shutdown(socket.SHUT_WR)
                    break
            n, what = self._left(len(data), *((cut,) if up else (cut, "stall")))
            try:
                to.sendall(data[:n])
            except OSError:
                break
            if not up:
                with self._lock:
                    self.bytes += n
            if what == "stall":
                while self.mode == "stall" and source.recv(65536):
                    pass
                break
            if what:
                break
        for s in (source, to):
            _end(s)
            self._open.discard(s)

    def _note(self, data):
        if _starts(data):
            with self._lock:
                self.requests.append(data.split(b"\r\n", 1)[0].decode("latin1").rsplit(" ", 1)[0])


def _starts(data):
    return data.split(b" ", 1)[0] in (b"GET", b"HEAD", b"PUT", b"POST", b"DELETE")


def _end(s):
    """Also of a connection that another thread reads from."""
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    s.close()


# ---- What the tests read and write ----

BOUND = 300  # seconds within which everything fails that fails
MAY = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)
ROWS, FEATURES = 300_000, 24
NAMES = [f"f{i}" for i in range(FEATURES)]
ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>'
EXPIRED = ERROR % (b"ExpiredToken", b"The provided token has expired.")


def table(rows=ROWS):
    """One fact a second; numbers that nothing compresses."""
    r = np.random.default_rng(7)
    times = pa.array(np.arange(rows) * 1_000_000 + int(MAY.timestamp()) * 1_000_000, pa.timestamp("us", "UTC"))
    return pa.table({"customer_id": pa.array(np.arange(rows) % 1000), "event_timestamp": times, **{n: r.random(rows) for n in NAMES}})


def view(path="x", features=NAMES[:2]):
    customer = larder.Entity("customer", {"customer_id": "int64"})
    source = larder.Source("s", path, format="parquet", event_timestamp="event_timestamp")
    return larder.FeatureView("account", customer, [larder.Feature(n, "float64") for n in features], source)


def stored(store):
    """What is there, as `table` has it."""
    rows = pa.concat_tables(p.to_arrow() for p in larder.partitions(store, "account")).drop(["created_timestamp"])
    return rows.sort_by([("event_timestamp", "ascending")])


def failing(call, kind=larder.StoreIOError):
    began = time.monotonic()
    with pytest.raises(kind) as e:
        call()
    assert time.monotonic() - began < BOUND
    return e.value


def keys(port, folder):
    system, inside = fs.FileSystem.from_uri(f"s3://features/{folder}?{options(port)}")
    found = system.get_file_info(fs.FileSelector(inside, recursive=True, allow_not_found=True))
    return sorted(i.path for i in found if i.type == fs.FileType.File)


def partitioned(rows=200_000):
    t = table(rows)
    return t.append_column("part", pa.array(np.arange(rows) % 4))


def then_deny(proxy, when):
    until = time.monotonic() + 60
    while not when() and time.monotonic() < until:
        time.sleep(0.001)
    proxy.set(400, body=EXPIRED)

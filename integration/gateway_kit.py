"""What the gateway's tests share: a store, a larder-gateway on a free port, requests, and lines that are counted."""
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback

DEFINITIONS = """
project: gateway
entities:
  - {name: driver, join_keys: [{name: driver_id, type: int64}]}
  - {name: route, join_keys: [{name: origin, type: string}, {name: hop, type: int32}]}
sources:
  - {name: driver_push, type: push, event_timestamp: event_timestamp}
  - {name: driver_file, type: file, format: csv, path: drivers.csv, event_timestamp: at}
feature_views:
  - name: stats
    entity: driver
    source: driver_push
    ttl: 3650d
    description: What drivers did
    owner: ops@example.org
    features:
      - {name: rate, type: float64}
      - {name: trips, type: int64}
      - {name: small, type: float32}
      - {name: vip, type: bool}
      - {name: name, type: string, pii: true}
      - {name: tags, type: list<string>}
      - {name: vector, type: list<float64>}
      - {name: seen, type: timestamp}
      - {name: raw, type: bytes}
  - name: aged
    entity: driver
    ttl: 1h
    features: [{name: rate, type: float64}]
  - name: filed
    entity: driver
    source: driver_file
    features: [{name: score, type: int64}]
  - name: ways
    entity: route
    features: [{name: delay, type: float64}, {name: gate, type: string}]
feature_services:
  - {name: all, features: [stats, "ways:delay"]}
"""
failures = 0


def check(name, function, *args):
    global failures
    try:
        function(*args)
        print(f"ok {name}", flush=True)
    except Exception:
        failures += 1
        traceback.print_exc()
        print(f"not ok {name}", flush=True)


class Gateway:
    """A store of its own and a gateway before it; options as keyword arguments: max_body='1KiB' is --max-body 1KiB.
    declare=False: an empty folder, and nothing is started."""

    def __init__(self, bin_dir, dir=None, apply=False, store=None, declare=True, **options):
        self.bin = bin_dir
        self.process = None
        self.temp = None if dir else tempfile.TemporaryDirectory()
        self.dir = dir or self.temp.name
        self.store = store or f"local:{self.dir}/store"
        if not declare:
            return
        if not dir:
            with open(f"{self.dir}/defs.yaml", "w") as f:
                f.write(DEFINITIONS)
        if apply or not dir:
            self.larder("apply")
        self.start(**options)

    def larder(self, *args, text=None):
        command = [f"{self.bin}/larder", "--store", self.store, "--dir", self.dir, *args]
        return subprocess.run(command, input=text, text=True, check=True, capture_output=True).stdout

    def start(self, serve=False, wrap=(), **options):
        flags = []
        for key, value in options.items():
            flags += ["--" + key.replace("_", "-"), str(value)]
        program = [f"{self.bin}/larder", "serve"] if serve else [f"{self.bin}/larder-gateway"]
        self.process = subprocess.Popen(
            [*wrap, *program, "--store", self.store, "--dir", self.dir, "--listen", "127.0.0.1:0", *flags],
            stderr=subprocess.PIPE, text=True)
        self.log = []
        while True:
            line = self.process.stderr.readline()
            assert line, "the gateway did not start: " + "".join(self.log)
            self.log.append(line)
            if "is served on http://" in line:
                self.port = int(line.split("http://127.0.0.1:")[1].split()[0])
                return

    def stop(self, wait=15):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(wait)
        self.log += self.process.stderr.readlines()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stderr.close()
        if self.temp:
            self.temp.cleanup()

    def connect(self, timeout=10):
        s = socket.create_connection(("127.0.0.1", self.port), timeout)
        return s

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, bytes) of one request on a connection of its own."""
        s = self.connect()
        with s:
            s.sendall(request(method, path, body, {"Connection": "close", **(headers or {})}))
            return answers(s, 1, method)[0]

    def post(self, path, body):
        status, _, text = self.ask("POST", path, json.dumps(body))
        return status, json.loads(text) if text else None

    def get(self, path):
        status, headers, text = self.ask("GET", path)
        return status, json.loads(text) if headers["content-type"].startswith("application/json") else text.decode()

    def online(self, features, entities, **more):
        return self.post("/get-online-features", {"features": features, "entities": entities, **more})


def request(method, path, body=None, headers=None):
    body = body.encode() if isinstance(body, str) else body
    head = {"Host": "test", **(headers or {})}
    if body is not None and "Transfer-Encoding" not in head:
        head["Content-Length"] = len(body)
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in head.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


class Cut(Exception):
    """The connection ended in the middle of an answer."""


def answers(s, count, method="GET", kept=b""):
    """Reads so many answers off a socket. Chunked bodies are put together."""
    result, data = [], kept

    def more():
        nonlocal data
        piece = s.recv(1 << 16)
        if not piece:
            raise Cut(data[:300])
        data += piece

    def line():
        nonlocal data
        while b"\r\n" not in data:
            more()
        text, data = data.split(b"\r\n", 1)
        return text

    def take(n):
        nonlocal data
        while len(data) < n:
            more()
        part, data = data[:n], data[n:]
        return part

    while len(result) < count:
        first = line().decode()
        assert first.startswith("HTTP/1.1 "), first
        status, headers = int(first.split()[1]), {}
        while True:
            text = line().decode()
            if not text:
                break
            key, value = text.split(":", 1)
            headers[key.lower()] = value.strip()
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while True:
                n = int(line(), 16)
                body += take(n)
                assert take(2) == b"\r\n"
                if n == 0:
                    break
        elif method != "HEAD":
            body = take(int(headers.get("content-length", 0)))
        if status != 100:
            result.append((status, headers, body))
    return result


def ended(s, seconds):
    """Whether the other side ends the connection within that time."""
    s.settimeout(seconds)
    try:
        while s.recv(1 << 16):
            pass
        return True
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def filled(s, seconds=10):
    """Whether the connection comes to hold as much unread as it can: the same some polls in a row."""
    ready = [0]

    def still():
        ready.append(struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, b"\0\0\0\0"))[0])
        return ready[-1] > 0 and len(set(ready[-10:])) == 1

    return until(still, seconds)


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


def finish():
    sys.exit(1 if failures else 0)

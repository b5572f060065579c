"""Asks a gateway for the bench rows, one request after the other. usage: http_ask.py PORT REQUESTS BATCH"""
import json
import socket
import sys
import time

port, requests, batch = map(int, sys.argv[1:])
for _ in range(600):
    try:
        s = socket.create_connection(("127.0.0.1", port), 60)
        break
    except OSError:
        time.sleep(0.1)
else:
    sys.exit("nobody answers")
for i in range(requests):
    body = json.dumps({"entities": {"id": [(i * 7 + k) % 1000 for k in range(batch)]}, "full_feature_names": False,
                       "include_feature_view_version_metadata": False, "features": ["v:f%02d" % k for k in range(25)]}).encode()
    s.sendall(b"POST /get-online-features HTTP/1.1\r\nHost: a\r\nUser-Agent: bench\r\nAccept: */*\r\n"
              b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    data = b""
    while b"\r\n\r\n" not in data:
        data += s.recv(1 << 16)
    head, rest = data.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200"), data
    left = int(head.lower().split(b"content-length:")[1].split()[0]) - len(rest)
    while left:
        left -= len(s.recv(min(left, 1 << 16)))

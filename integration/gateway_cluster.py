"""A larder-gateway before a cluster: what was written through it is read at once, also while a node is dead; new definitions
are seen. usage: gateway_cluster.py BIN_DIR STORE DEFINITIONS PID_FILE_OF_A_NODE"""
import json
import os
import signal
import sys
import threading
import time

from gateway_kit import Gateway, answers, check, finish, request, until

bin_dir, store, definitions, pid_file = sys.argv[1:]


def push(g, first, n, value):
    df = {"id": list(range(first, first + n)), "a": [value] * n, "b": [str(value)] * n,
          "event_timestamp": [f"2026-01-01T00:{value // 60:02d}:{value % 60:02d}"] * n}
    status, _, text = g.ask("POST", "/push", json.dumps({"push_source_name": "push", "df": df}))
    assert status == 200, text


def read(g, ids, features=("v:a", "v:b")):
    status, reply = g.online(list(features), {"id": list(ids)})
    assert status == 200, reply
    return {n: c["values"] for n, c in zip(reply["metadata"]["feature_names"], reply["results"])}


def reads_its_writes(g):
    for value in range(20):
        push(g, 0, 50, value)
        got = read(g, range(50))
        assert got["a"] == [value] * 50 and got["b"] == [str(value)] * 50, (value, got)


def serves_many_at_once(g):
    wrong = []

    def client(k):
        body = json.dumps({"features": ["v:a", "v:b"], "entities": {"id": [k % 50, 1000 + k]}})
        with g.connect(30) as s:
            for _ in range(25):
                s.sendall(request("POST", "/get-online-features", body) * 4)
                for status, _, text in answers(s, 4):
                    results = json.loads(text)["results"] if status == 200 else None
                    if not results or results[1]["values"] != [19, None]:
                        wrong.append((status, text))

    threads = [threading.Thread(target=client, args=(k,)) for k in range(32)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[:2]


def joins(g):
    spine = {"id": [1, 2], "event_timestamp": ["2026-01-01T00:00:05", "2025-01-01"]}
    status, _, text = g.ask("POST", "/v1/historical", json.dumps({"features": ["v:a"], "spine": spine}))
    assert status == 200 and [json.loads(l)["a"] for l in text.decode().splitlines()] == [5, None], text


def goes_on_without_a_node(g):
    with open(pid_file) as f:
        pid = int(f.read())
    os.kill(pid, signal.SIGKILL)
    os.remove(pid_file)
    for value in range(20, 30):
        push(g, 0, 50, value)
        assert read(g, range(50))["a"] == [value] * 50, value


def follows_definitions(g):
    with open(f"{definitions}/more.yaml", "w") as f:
        f.write("feature_views:\n  - name: w\n    entity: user\n    features: [{name: c, type: float64}]\n")
    path = f"{definitions}/d.yaml"
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace('features: ["v:a"]}', 'features: ["v:a", w]}'))
    before = g.post("/get-online-features", {"feature_service": "s", "entities": {"id": [1]}})
    assert before[1]["metadata"]["feature_names"] == ["id", "a"], before
    g.dir = definitions
    g.larder("apply")
    names = lambda: g.post("/get-online-features", {"feature_service": "s", "entities": {"id": [1]}})[1]["metadata"]
    assert until(lambda: names()["feature_names"] == ["id", "a", "c"], 10)
    assert g.post("/v1/write", {"view": "w", "columns": {"id": [1], "c": [2], "event_timestamp": ["2026-01-01"]}})[0] == 200
    assert read(g, [1], ["w:c"])["c"] == [2.0]


def says_busy_when_nobody_answers(g):
    os.kill(g.nodes[0], signal.SIGSTOP)
    os.kill(g.nodes[1], signal.SIGSTOP)
    try:
        began = time.monotonic()
        status, reply = g.online(["v:a"], {"id": [1]})
        assert status in (503, 504) and reply["error"]["retryable"], reply
        assert time.monotonic() - began < 10
        assert g.ask("GET", "/health")[0] == 200
    finally:
        for pid in g.nodes:
            os.kill(pid, signal.SIGCONT)
    assert until(lambda: g.online(["v:a"], {"id": [1]})[0] == 200, 20)


with Gateway(bin_dir, definitions, store=store, read_timeout="2s") as g:
    work = os.path.dirname(definitions)
    g.nodes = [int(open(f"{work}/n{i}.pid").read()) for i in (1, 2)]
    for test in (reads_its_writes, serves_many_at_once, joins, goes_on_without_a_node, follows_definitions,
                 says_busy_when_nobody_answers):
        check("before a cluster: " + test.__name__.replace("_", " "), test, g)
    check("before a cluster: stops", lambda: None if g.stop() == 0 else 1 / 0)
finish()

"""What goes wrong is said, with its place; nothing of it is stored."""

import datetime as dt
import socket
import subprocess
import sys
import textwrap
import time

import pandas as pd
import pyarrow as pa
import pytest

import larder

WHEN = dt.datetime(2024, 5, 1)


@pytest.fixture
def simple(store):
    customer = larder.Entity("customer", {"customer_id": "int64"})
    features = [larder.Feature("balance", "float64", checks={"min": 0}), larder.Feature("n", "int32")]
    store.apply([larder.FeatureView("account", customer, features)])
    return store


def row(**more):
    return {"customer_id": [1], "event_timestamp": [WHEN], "balance": [1.0], "n": [1], **more}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": ["x"]}, "column n, row 0: expected int32, found 'x'"),
        ({"n": [1.5]}, "column n, row 0: expected int32, found 1.5"),
        ({"n": [True]}, "column n, row 0: expected int32, found True"),
        ({"n": [2**31]}, "column n, row 0: expected int32, found 2147483648"),
        ({"balance": ["1"]}, "column balance, row 0: expected float64, found '1'"),
        ({"balance": [2**53 + 1]}, "cannot be held exactly"),
        ({"balance": [-1.0]}, "below the minimum"),
        ({"event_timestamp": ["yesterday"]}, "not a time: 'yesterday'"),
        ({"event_timestamp": [None]}, "column event_timestamp, row 0: null time"),
        ({"event_timestamp": [pd.Timestamp("2024-01-01T00:00:00.000000001")]}, "parts of a microsecond"),
        ({"customer_id": [None]}, "a join key must not be null"),
        ({"n": [1, 2]}, "column 'n' has 2 rows, others have 1"),
    ],
)
def test_a_wrong_cell_is_named(simple, change, said):
    with pytest.raises(larder.InvalidError) as e:
        simple.ingest("account", row(**change))
    assert said in str(e.value)
    assert e.value.code == -1 and e.value.name == "INVALID" and not e.value.retryable and not e.value.in_doubt
    assert isinstance(e.value, ValueError)
    assert list(simple.scan("account")) == []


def test_wrong_columns(simple):
    with pytest.raises(larder.InvalidError, match="no column 'n'"):
        simple.ingest("account", {"customer_id": [1], "event_timestamp": [WHEN], "balance": [1.0]})
    with pytest.raises(larder.InvalidError, match="no column 'customer_id', a join key of 'account'"):
        simple.ingest("account", {"event_timestamp": [WHEN], "balance": [1.0], "n": [1]})
    with pytest.raises(larder.InvalidError, match="no column 'event_timestamp'"):
        simple.ingest("account", {"customer_id": [1], "balance": [1.0], "n": [1]})
    with pytest.raises(larder.InvalidError, match="expected a file, a data frame"):
        simple.ingest("account", 5)
    table = pa.table({**row(), "n": pa.array([[1]])})
    with pytest.raises(larder.InvalidError, match="column n, row 0"):
        simple.ingest("account", table)
    with pytest.raises(larder.UnsupportedError, match="column n: Arrow format"):
        simple.ingest("account", pa.table({**row(), "n": pa.array([dt.timedelta(1)])}))


def test_unknown_names_suggest(simple):
    with pytest.raises(larder.NotFoundError) as e:
        simple.get_online_features("acount:n", {"customer_id": 1})
    assert "account" in str(e.value) and isinstance(e.value, LookupError)
    with pytest.raises(larder.InvalidError, match="there is no column 'customer_id'"):
        simple.get_online_features("account", {"id": 1})
    with pytest.raises(larder.InvalidError, match="name features, or a service"):
        simple.get_online_features(entities={"customer_id": 1})
    with pytest.raises(larder.InvalidError, match="fresh: expected one of bounded, own, strict, any"):
        simple.get_online_features("account", {"customer_id": 1}, fresh="very")


def test_spines(simple):
    with pytest.raises(larder.InvalidError, match="the spine has no column 'event_timestamp'"):
        simple.get_historical_features({"customer_id": [1]}, "account")
    with pytest.raises(larder.InvalidError, match="column 'balance' of the spine has the name of an output column"):
        simple.get_historical_features(row(), "account")
    spine = {"customer_id": [1, 2], "event_timestamp": [WHEN, None]}
    with pytest.raises(larder.InvalidError, match="column event_timestamp, row 1: null time"):
        simple.get_historical_features(spine, "account").to_dict()
    with pytest.raises(larder.InvalidError, match="column event_timestamp, row 1: null time"):
        simple.get_historical_features(pd.DataFrame(spine), "account").to_pandas()
    with pytest.raises(larder.InvalidError, match="give one of them"):
        simple.get_historical_features(spine, "account", known_at=WHEN, known_at_column="k")
    nobody = simple.get_historical_features({"customer_id": [None], "event_timestamp": [WHEN]}, "account", with_status=True)
    assert nobody.to_dict()["n"] == [None] and nobody.to_dict()["n__status"] == ["NOT_FOUND"]


def test_definitions_with_mistakes(store, tmp_path):
    (tmp_path / "defs").mkdir()
    (tmp_path / "defs" / "a.yaml").write_text("entities:\n  - name: x\n    join_keys: [{name: id, typ: int64}]\n    z: 1\n")
    with pytest.raises(larder.DefinitionError) as e:
        store.plan(tmp_path / "defs")
    assert e.value.problems["file"][0] == "a.yaml" and e.value.problems["line"][0] == 3
    with pytest.raises(larder.InvalidError):
        store.apply(tmp_path / "nowhere")
    with pytest.raises(larder.InvalidError, match="not a definition"):
        store.apply(["x"])
    one, other = larder.Entity("a", {"id": "int64"}), larder.Entity("a", {"id": "string"})
    with pytest.raises(larder.InvalidError, match="two different things"):
        store.apply([one, other])
    store.apply([one])
    with pytest.raises(larder.RefusedError):
        store.apply([other])
    with pytest.raises(larder.ConflictError):
        store.apply([one, larder.Entity("b", {"id": "int64"})], expect_version=17)


def test_a_closed_store_says_so(simple):
    query = simple.get_historical_features({"customer_id": [1], "event_timestamp": [WHEN]}, "account")
    online = simple.get_online_features("account", {"customer_id": 1})
    simple.close()
    simple.close()
    assert simple.closed and "closed" in repr(simple)
    with pytest.raises(larder.ClosedError):
        simple.list()
    with pytest.raises(larder.ClosedError):
        query.to_dict()
    assert online["n"] == [None]  # results outlive their store
    assert online.to_arrow().num_rows == 1


def test_a_folder_may_be_open_more_than_once(simple):
    with larder.connect(simple.url) as other:
        assert other.list()["name"] == simple.list()["name"]
    with pytest.raises(larder.NotFoundError):
        larder.connect(simple.url + "-not", must_exist=True)
    with pytest.raises(larder.InvalidError):
        larder.connect("elsewhere:x")


def test_a_definition_that_comes_back_as_another(store):
    customer = larder.Entity("c", {"id": "int64"})
    store.apply([larder.FeatureView("v", customer, [larder.Feature("x", "int64")])])
    assert store.get_online_features("v", {"id": 1})["x"] == [None]
    store.delete("feature-views", "v")
    store.apply([larder.FeatureView("v", customer, [larder.Feature("x", "string")])])
    store.ingest("v", {"id": [1], "x": ["a"], "event_timestamp": [WHEN]})
    assert store.get_online_features("v", {"id": 1})["x"] == ["a"]


def run(code):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forked_child_gets_an_error_and_ends(tmp_path):
    out = run(f"""
        import os, larder
        s = larder.connect("local:{tmp_path}/s")
        s.apply([larder.FeatureView("v", larder.Entity("e", {{"id": "int64"}}), [larder.Feature("x", "int64")])])
        q = s.get_historical_features({{"id": [1], "event_timestamp": ["2024-01-01"]}}, "v")
        pid = os.fork()
        if pid == 0:
            for call in (s.list, lambda: s.get_online_features("v", {{"id": 1}}), q.to_dict):
                try:
                    call()
                except larder.ClosedError as e:
                    assert "was opened before this process" in str(e)
            assert s.closed
            s.close()
            del s, q
            raise SystemExit(7)      # the whole way out, destructors and all
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        print(s.list()["name"])
    """)
    assert "['v']" in out


def test_a_child_of_a_closed_store_is_told(tmp_path):
    run(f"""
        import os, larder
        larder.connect("local:{tmp_path}/s").close()
        pid = os.fork()
        if pid == 0:
            try:
                larder.connect("local:{tmp_path}/s")
            except larder.UnsupportedError as e:
                assert "forked off from one that had opened a store" in str(e)
                raise SystemExit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    """)


def test_stores_may_be_opened_after_forking(tmp_path):
    run(f"""
        import os, larder
        for name in "ab":
            pid = os.fork()
            if pid == 0:
                larder.connect(f"local:{tmp_path}/{{name}}").close()
                raise SystemExit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        larder.connect("local:{tmp_path}/c").close()
    """)


def test_a_child_does_not_hold_the_folder(tmp_path):
    run(f"""
        import os, signal, larder
        s = larder.connect("local:{tmp_path}/s")
        pid = os.fork()
        if pid == 0:
            signal.pause()
        s.close()
        try:
            larder.connect("local:{tmp_path}/s").close()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    """)


def test_an_open_store_does_not_keep_a_program_from_ending(tmp_path):
    run(f"""
        import larder
        s = larder.connect("local:{tmp_path}/s")
        t = s.list()
    """)


def test_missing_packages_are_named(tmp_path):
    out = run(f"""
        import sys
        sys.modules["pyarrow"] = sys.modules["pandas"] = sys.modules["numpy"] = None
        import larder
        s = larder.connect("local:{tmp_path}/s")
        s.apply([larder.FeatureView("v", larder.Entity("e", {{"id": "int64"}}), [larder.Feature("x", "int64")])])
        s.ingest("v", {{"id": [1], "x": [2], "event_timestamp": ["2024-01-01"]}})
        r = s.get_online_features("v", {{"id": 1}})
        print(r.to_dict(), s.get_historical_features({{"id": [1], "event_timestamp": ["2024-01-02"]}}, "v").to_dict()["x"])
        try:
            r.to_arrow()
        except larder.MissingPackageError as e:
            print(e)
    """)
    assert out.splitlines() == [
        "{'id': [1], 'x': [2]} [2]",
        "to_arrow() needs pyarrow: pip install 'larder[arrow]'",
    ]


def test_coordinators_that_are_not_there_are_named_in_time():
    """Ports that nobody listens at, and one where somebody listens who says nothing."""
    with socket.socket() as gone, socket.socket() as silent:
        gone.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        absent, mute = (f"127.0.0.1:{s.getsockname()[1]}" for s in (gone, silent))
        for addresses in (absent, f"{absent},{mute}", mute):
            began = time.monotonic()
            with pytest.raises((larder.UnavailableError, larder.StoreTimeoutError)) as e:
                larder.connect(f"cluster:{addresses}", timeout=0.5, cache_dir="")
            assert 0.3 < time.monotonic() - began < 2
            assert f"cluster:{addresses}" in str(e.value) and e.value.retryable
    for wrong in (0, -1, float("nan")):
        with pytest.raises(larder.InvalidError, match="timeout"):
            larder.connect("cluster:127.0.0.1:1", timeout=wrong)


def test_the_nearest_name_is_said(simple):
    ask, train, when = simple.get_online_features, simple.get_historical_features, {"event_timestamp": [WHEN]}
    frame = pd.DataFrame({"custmer_id": [1]})
    for call, said in (
        (lambda: ask("acount", {"customer_id": 1}), "'account'"),
        (lambda: ask("account:balanse", {"customer_id": 1}), "'balance'"),
        (lambda: ask("balance", {"customer_id": 1}), "named with its view: account:balance"),
        (lambda: ask("nothing", {"customer_id": 1}), "no feature view 'nothing'"),
        (lambda: ask("account", [{"custmer_id": 1}]), "'custmer_id'?"),
        (lambda: ask("account", frame), "'custmer_id'?"),
        (lambda: train({"custmer_id": [1], **when}, "account"), "'custmer_id'?"),
        (lambda: train({"customer_id": [1], "t": [WHEN]}, "account"), r"there are: customer_id, t\)"),
        (lambda: ask("account", {"customer_id": 1})["balanc"], "'balance'?"),
    ):
        with pytest.raises((larder.InvalidError, larder.NotFoundError, KeyError), match=said):
            call()

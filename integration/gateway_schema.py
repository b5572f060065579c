"""schemathesis before a larder-gateway that serves the flights example: all its checks, twice. First with the document as it is
(what it cannot say, such as which views there are, may be refused with 404 or 422), then with one narrowed to this very store,
where every request that fits has to be answered. usage: gateway_schema.py BIN_DIR SCHEMATHESIS"""
import copy
import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import sys

from gateway_kit import Gateway, check, finish

bin_dir, program = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
flights = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "examples", "flights")
EXAMPLES = os.environ.get("LARDER_SCHEMA_EXAMPLES", "15")
SEED = os.environ.get("LARDER_SCHEMA_SEED", "1")
UNKNOWN = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE"]  # not QUERY: a word that is no method is 501, whatever the path
SECONDS = 240  # of one run, long before which it ends: a search that hangs is a failure
I64 = {"type": "integer", "minimum": -2**63, "maximum": 2**63 - 1}
TEXT = {"type": "string"}
NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity", None]}]}


def between(low, high):
    return {"anyOf": [{"type": "number", "minimum": low, "maximum": high}, {"type": "null"}]}


def columns(kinds, rows, **more):
    """A schema of columns of so many rows each."""
    return {"type": "object", "additionalProperties": False, "required": list(kinds), **more,
            "properties": {k: {"type": "array", "items": v, "minItems": rows, "maxItems": rows} for k, v in kinds.items()}}


def features(*names):
    return {"type": "array", "items": {"enum": list(names)}, "minItems": 1, "uniqueItems": True}


def narrowed(document):
    """The document for this store alone: names that are there, columns of one length, values that fit."""
    d = copy.deepcopy(document)
    time = {"$ref": "#/components/schemas/Time"}
    feast_time = {"$ref": "#/components/schemas/FeastTime"}

    def body(path, without=(), **properties):
        schema = d["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert set(properties) | set(without) <= set(schema["properties"]), path
        schema["properties"].update(properties)
        schema["required"] = sorted({*schema["required"], *properties})
        for name in without:
            del schema["properties"][name]
            schema.pop("anyOf", None)

    keys = {"origin": {"type": ["string", "null"]}, "carrier": {"type": ["string", "null"]}}
    names = features("weather:temp", "weather:humid", "carrier_hourly:flights", "carrier_hourly:max_arr_delay")
    weather = {"temp": NUMBER, "humid": NUMBER, "wind_dir": NUMBER, "wind_gust": NUMBER, "wind_speed": between(0, 200),
               "precip": NUMBER, "visib": between(0, 20)}
    body("/get-online-features", ["feature_service"], features=names, entities=columns(keys, 2))
    body("/v1/online", ["service"], features=names, entities=columns(keys, 3))
    spine = columns({**keys, "event_timestamp": time, "label": {}}, 2)
    del d["paths"]["/v1/historical"]["post"]["parameters"]  # of spines as Arrow: gateway_spine.py
    del d["paths"]["/v1/historical"]["post"]["requestBody"]["content"]["application/vnd.apache.arrow.stream"]
    body("/v1/historical", ["service"], features=names, spine=spine, timestamp_column={"enum": ["event_timestamp", None]},
         known_at_column={"enum": ["event_timestamp", None]})
    body("/write-to-online-store", feature_view_name={"const": "weather"},
         df=columns({"origin": TEXT, "event_timestamp": feast_time, **weather}, 2))
    taps = {"tap": I64, "open": {"type": ["boolean", "null"]}, "names": {"type": ["array", "null"], "items": TEXT, "maxItems": 3}}
    body("/push", push_source_name={"const": "taps"}, df=columns({"event_timestamp": feast_time, **taps}, 2))
    body("/v1/write", view={"const": "weather"}, event_timestamp={"const": "at"}, created_timestamp={"const": "known"},
         columns=columns({"origin": TEXT, "at": time, "known": time, **weather}, 1))
    body("/v1/scan", view={"enum": ["weather", "taps", "plane"]})
    del d["paths"]["/v1/scan"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["entity"]
    body("/v1/erase", view={"enum": ["weather", None]},
         entity={"type": "object", "properties": {"origin": TEXT}, "required": ["origin"], "additionalProperties": False})
    some = {"type": "array", "items": {"enum": ["weather", "carrier_hourly"]}, "minItems": 1}
    body("/materialize", ["disable_event_timestamp"], feature_views=some, start_ts={"enum": ["2013-01-01", 1357000000]},
         end_ts={"enum": ["2013-01-02T00:00:00Z", 1357100000]})
    body("/materialize-incremental", feature_views=some)
    named = {"kind": {"const": "features"}, "name": {"enum": ["weather:temp", "plane:seats"]}}
    for path in ("/v1/catalog/{kind}/{name}", "/v1/catalog/{kind}/{name}/versions"):
        d["paths"][path]["get"]["parameters"] = [
            {"name": n, "in": "path", "required": True, "schema": s} for n, s in named.items()]
    d["paths"]["/v1/stats/{view}"]["get"]["parameters"][0]["schema"] = {"enum": ["weather", "plane", "taps"]}
    return d


def strict(document):
    """Without "default": only a status that is named counts as promised."""
    d = copy.deepcopy(document)
    for methods in d["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)
    return d


def search(g, name, document, refused, *flags):
    path = f"{g.dir}/{name}.json"
    with open(path, "w") as f:
        json.dump(document, f)
    config = f"{g.dir}/{name}.toml"
    with open(config, "w") as f:
        f.write(f"seed = {SEED}\ncontinue-on-failure = true\nrequest-timeout = 20.0\n"
                f"[generation]\nmax-examples = {EXAMPLES}\n"
                f"[phases.coverage]\nunexpected-methods = {UNKNOWN}\n"
                f"[checks.positive_data_acceptance]\nexpected-statuses = {json.dumps(['2xx', *refused])}\n")
    command = [program, "--no-color", "--config-file", config, "run", path, "--url", f"http://127.0.0.1:{g.port}", *flags]
    r = subprocess.run(command, text=True, capture_output=True, timeout=SECONDS, cwd=g.dir,
                       env={**os.environ, "SCHEMATHESIS_HOOKS": "gateway_schema_hooks", "PYTHONPATH": os.path.dirname(os.path.abspath(__file__)), "NO_COLOR": "1"})
    print("\n".join("  " + line for line in r.stdout.splitlines()), flush=True)
    assert r.returncode == 0, r.stderr[-2000:]
    cases = re.search(r"(\d[\d,]*) generated", r.stdout)
    assert cases and int(cases[1].replace(",", "")) > 500, "hardly anything was tried"
    assert g.process.poll() is None and g.ask("GET", "/health")[0] == 200


DEFINITIONS = """
entities:
  - {name: tap, join_keys: [{name: tap, type: int64}]}
sources:
  - {name: taps, type: push, event_timestamp: event_timestamp}
feature_views:
  - {name: taps, entity: tap, source: taps, features: [{name: open, type: bool}, {name: names, type: list<string>}]}
"""


def prepare(g):
    """The example, of its files the first rows, and one view that is pushed to."""
    os.mkdir(f"{g.dir}/data")
    for name in os.listdir(f"{flights}/data"):
        opened = gzip.open if name.endswith(".gz") else open
        with opened(f"{flights}/data/{name}", "rt") as source, opened(f"{g.dir}/data/{name}", "wt") as to:
            to.writelines(itertools.islice(source, 200))
    shutil.copy(f"{flights}/definitions.yaml", g.dir)
    with open(f"{g.dir}/taps.yaml", "w") as f:
        f.write(DEFINITIONS)
    g.larder("apply")
    g.larder("materialize", "2000-01-01", "2013-03-01", "-v", "weather", "-v", "carrier_hourly", "-v", "route_daily")


def whole(g):
    assert g.stop() == 0, g.log
    g.larder("check")


with Gateway(bin_dir, declare=False) as g:
    check("the flights are loaded", prepare, g)
    g.start()
    document = strict(g.get("/openapi.json")[1])
    check("the document as it is", search, g, "whole", document, ["404", "409", "413", "422"])
    # what does not fit it may fit the store all the same, so nobody has to refuse it
    check("the document for this store", search, g, "narrowed", narrowed(document), ["409"], "--exclude-checks", "negative_data_rejection")
    check("the store is whole", whole, g)
finish()

"""What `larder` hands over: loading with Parquet among the files, and what needs Feast. The same options, output and exit codes.

usage: python -m larder.cli [--store URL] [--dir DIR] [--json] [--quiet] VERB ...    (ingest, materialize, materialize-incremental,
import-feast)
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from typing import Any, Dict, List, Optional, Tuple

from .errors import InvalidError, LarderError
from .reports import MaterializeReport, WriteReport
from .store import Store, connect

DONE, PARTLY, USAGE, REFUSED, IN_DOUBT = 0, 1, 2, 3, 4


def _time(t: Optional[dt.datetime]) -> Optional[str]:
    if t is None:
        return None
    return t.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + (f".{t.microsecond:06d}" if t.microsecond else "") + "Z"


def _plain(v: Any) -> Any:
    return _time(v) if isinstance(v, dt.datetime) else v


def _report(r: WriteReport) -> Dict[str, Any]:
    counts = ("rows", "taken", "rejected", "duplicates", "erased", "ties", "skipped")
    out: Dict[str, Any] = {k: getattr(r, k) for k in counts}
    out.update(min_event_timestamp=_time(r.min_event), max_event_timestamp=_time(r.max_event), seconds=r.seconds)
    out["first_reject"] = r.first_reject if r.rejected and r.first_reject else None
    return out


def _s(n: int) -> str:
    return "" if n == 1 else "s"


def _rate(r: WriteReport) -> str:
    speed = int(r.rows / r.seconds) if r.seconds > 0 else 0
    return f"{r.rows:,} row{_s(r.rows)} read in {r.seconds:.2f} s ({speed:,} rows/s)"


def _warn(verb: str, r: WriteReport) -> None:
    told = []
    if r.rejected:
        told.append(f"{r.rejected:,} row{_s(r.rejected)} rejected, first: {r.first_reject}")
    if r.ties:
        told.append(f"{r.ties:,} row{_s(r.ties)} tie with another: same entity, event time and created time, other values")
    if r.erased:
        told.append(f"{r.erased:,} row{_s(r.erased)} not taken: the entity was erased after they were created")
    for line in told:
        print(f"larder {verb}: warning: {line}", file=sys.stderr)


def _exit_of(e: LarderError) -> int:
    if e.in_doubt:
        return IN_DOUBT
    return USAGE if isinstance(e, InvalidError) else REFUSED


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="larder", description=__doc__.splitlines()[0] if __doc__ else None)
    p.add_argument("--store", default=os.environ.get("LARDER_STORE", "local:.larder"))
    p.add_argument("--dir", default=".")
    p.add_argument("--json", action="store_true")
    p.add_argument("--quiet", action="store_true")
    verbs = p.add_subparsers(dest="verb", required=True)
    ingest = verbs.add_parser("ingest")
    ingest.add_argument("view")
    ingest.add_argument("file", nargs="+")
    for name in ("format", "created-at", "rejects", "event-column", "created-column"):
        ingest.add_argument(f"--{name}")
    ingest.add_argument("--allow-missing", action="store_true")
    for name, times in (("materialize", ("start", "end")), ("materialize-incremental", ("end",))):
        verb = verbs.add_parser(name)
        for t in times:
            verb.add_argument(t)
        verb.add_argument("--view", "-v", action="append")
    feast = verbs.add_parser("import-feast")
    feast.add_argument("repo")
    feast.add_argument("--data", action="store_true")
    return p


def _ingest(store: Store, a: argparse.Namespace) -> WriteReport:
    total = WriteReport()
    each: List[Tuple[str, WriteReport]] = []
    for path in a.file:
        options = {"rejects": a.rejects} if a.rejects else {}
        report = store.ingest(
            a.view, path, event_timestamp=a.event_column, created_timestamp=a.created_column, created_at=a.created_at,
            allow_missing=a.allow_missing, format=a.format, **options,
        )  # fmt: skip
        each.append((path, report))
        total.add(report)
    if a.json:
        files = [{"file": path, **_report(r)} for path, r in each]
        print(json.dumps({"view": a.view, **_report(total), "files": files}, ensure_ascii=False))
    elif not a.quiet:
        known = f", {total.duplicates:,} known already" if total.duplicates else ""
        print(f"{a.view}: {total.taken:,} row{_s(total.taken)} taken{known}; {_rate(total)}")
    return total


def _materialize(store: Store, a: argparse.Namespace) -> WriteReport:
    views = [v for one in a.view or () for v in one.split(",")] or None
    report: MaterializeReport
    if a.verb == "materialize":
        report = store.materialize(a.start, a.end, views, dir=a.dir)
    else:
        report = store.materialize_incremental(a.end, views, dir=a.dir)
    if a.json:
        rows = [{k: _plain(v) for k, v in row.items()} for row in report]
        print(json.dumps({**_report(report.total), "views": rows}, ensure_ascii=False))
    elif not a.quiet:
        print(report)
        print(f"{report.total.taken:,} row{_s(report.total.taken)} taken; {_rate(report.total)}")
    return report.total


def _import_feast(a: argparse.Namespace) -> int:
    from .feast import imports  # Feast is here when this is asked for

    found = imports.import_repo(a.repo, a.dir)
    loaded = imports.load_data(found, connect(a.store), a.dir) if a.data else []
    if a.json:
        rows = [{"kind": r.kind, "name": r.name, "result": r.result, "larder": r.larder or None, "why": r.why} for r in found.rows]
        data = [{"view": d.view, **_report(d.report), "error": d.error} for d in loaded]
        print(json.dumps({"project": found.project, "dir": a.dir, "files": found.files, "objects": rows, "data": data}, ensure_ascii=False))
    elif not a.quiet:
        print(found.table())
        for d in (d for d in loaded if not d.error):
            print(f"{d.view}: {d.report.taken:,} row{_s(d.report.taken)} taken; {_rate(d.report)}")
        print(f"{len(found.files)} file{_s(len(found.files))} in {a.dir}")
    for d in loaded:
        if d.error:
            print(f"larder {a.verb}: warning: {d.view}: {d.error}", file=sys.stderr)
    return DONE if found.complete and not any(d.error for d in loaded) else PARTLY


def main(argv: Optional[List[str]] = None) -> int:
    a = _parser().parse_args(argv)
    try:
        if a.verb == "import-feast":
            return _import_feast(a)
        with connect(a.store, must_exist=True) as store:
            total = _ingest(store, a) if a.verb == "ingest" else _materialize(store, a)
    except LarderError as e:
        print(f"larder {a.verb}: {e}", file=sys.stderr)
        return _exit_of(e)
    except KeyboardInterrupt:
        print(f"larder {a.verb}: stopped; the store is whole. Run it again to go on.", file=sys.stderr)
        return 130
    _warn(a.verb, total)
    return PARTLY if total.rejected else DONE


if __name__ == "__main__":
    sys.exit(main())

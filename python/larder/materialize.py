"""Materializing: the library reads CSV and NDJSON itself, Parquet is read here."""

from __future__ import annotations

import time
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import ingest as _ingest
from ._native import call, encode, ffi, lib, names_array
from .errors import InvalidError
from .handle import Handle
from .parquet import Files
from .reports import MaterializeReport, WriteReport, write_report
from .table import Table, take_table
from .times import Time, from_us, to_us
from .work import Progress, Work

Fields = Callable[[str, str], Dict[str, List[str]]]  # of a definition: kind, name
_FIRST_US = to_us("0001-01-01")


class Run:
    """One call. fields and sources, views: what the catalog says; folder: source paths are relative to it."""

    def __init__(self, handle: Handle, fields: Fields, folder: str, start: Optional[Time], end: Time, incremental: bool) -> None:
        if start is not None and to_us(start) > to_us(end):
            raise InvalidError("the range ends before it starts")
        self._handle = handle
        self._fields = fields
        self._folder = folder
        self._start_us = None if start is None else to_us(start)
        self._end_us = to_us(end)
        self._incremental = incremental

    def run(self, views: Union[str, Sequence[str], None], sources: Table, all_views: Table, progress: Progress) -> MaterializeReport:
        wanted = [views] if isinstance(views, str) else list(views or ())
        chosen, parquet = _by_format(wanted, sources, all_views)
        # everything is looked for before anything is read, so that a wrong path stores nothing
        files = {view: Files(path, self._folder) for view, path in parquet.items()}
        report = MaterializeReport(("view", "files", "rows", "taken", "rejected", "skipped", "ties", "from", "to", "seconds"), ())
        report.total = WriteReport()
        with Work(progress) as work:
            if chosen or not files:
                report = self._texts(chosen, work)
            for view, found in files.items():
                self._parquet(view, found, work, report)
        return report

    def _parquet(self, view: str, files: Files, work: Work, to: MaterializeReport) -> None:
        began = time.monotonic()
        last = self._fields("feature-views", view).get("materialized to", [""])[0]
        start_us = to_us(last) if self._incremental and last else self._start_us
        shape = _ingest.Shape(self._handle, view, self._fields)
        # late rows are looked for, too: what is there already is not stored twice
        report = _ingest.ingest_parquet(
            self._handle, shape, files, start_us=None if self._incremental else start_us, end_us=self._end_us,
            tell=work.teller(files.path),
        )  # fmt: skip
        report.seconds = time.monotonic() - began
        first_us = _FIRST_US if start_us is None else start_us
        with self._handle as store:
            call(lib.ldr_materialized, store, encode(view), min(first_us, self._end_us), self._end_us)
        shown = None if start_us is None else from_us(start_us)
        counts = (report.rows, report.taken, report.rejected, report.skipped, report.ties)
        to.rows.append((view, files.count, *counts, shown, from_us(self._end_us), report.seconds))
        to.total.add(report)

    def _texts(self, chosen: List[str], work: Work) -> MaterializeReport:
        names, _keep = names_array(chosen)
        folder = encode(self._folder)
        spec = ffi.new("struct ldr_materialize *")
        spec.dir, spec.views, spec.nviews, spec.incremental = folder, names, len(chosen), self._incremental
        spec.start_us, spec.end_us = self._start_us or 0, self._end_us
        total, out = ffi.new("struct ldr_write_report *"), ffi.new("struct ldr_table **")
        with self._handle as store:
            call(lib.ldr_materialize, store, spec, work.pointer, total, out)
        report: MaterializeReport = take_table(out[0], MaterializeReport)
        report.total = write_report(total)
        return report


def _by_format(wanted: List[str], sources: Table, views: Table) -> Tuple[List[str], Dict[str, str]]:
    """Views that the library reads (none: it finds out itself), and the paths of those whose source is Parquet."""
    named = {s["name"]: s for s in sources}
    parquet: Dict[str, str] = {}
    others: List[str] = []
    for view in views:
        source = named.get(view["source"] or "")
        if source is None or source["type"] == "push" or (wanted and view["name"] not in wanted):
            continue
        if source["format"] == "parquet":
            parquet[view["name"]] = source["path"]
        else:
            others.append(view["name"])
    if wanted:
        return [v for v in wanted if v not in parquet], parquet
    return (others if parquet else []), parquet

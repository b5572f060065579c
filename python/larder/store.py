"""An open store."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from . import ingest as _ingest
from . import materialize as _materialize
from . import online as _online
from ._native import call, encode, error, ffi, lib, names_array, new_err, text
from .columns import from_mapping, key_type
from .definitions import Definition, FeatureRef, FeatureService, feature_refs, write_definitions
from .errors import ConflictError, DefinitionError, InvalidError, NotFoundError
from .handle import Handle
from .historical import TrainingSet
from .online import Entities, OnlineFeatures
from .parquet import Files, is_parquet
from .query import Query, freshness, named_alone
from .reports import Changes, CheckReport, MaterializeReport, WriteReport
from .scan import Scan
from .table import Table, take_table
from .times import Time, to_us
from .work import Progress, Work

Path = Union[str, "os.PathLike[str]"]
Definitions = Union[Path, Definition, Iterable[Definition]]
Features = Union[FeatureRef, FeatureService, Sequence[FeatureRef], None]
_EVER = (-(2**63), 2**63 - 1)


class Store:
    """A feature store: a folder of this process (`local:DIR`) or a cluster (`cluster:host:port,...`). Use `connect`.

    Any thread may call any method. A context manager; `close` waits for calls under way. Errors are LarderError.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._options = dict(options)
        self._handle = Handle(url, options)
        self._folder: Optional[str] = None  # of the definitions last applied

    @property
    def url(self) -> str:
        return self._handle.url

    @property
    def closed(self) -> bool:
        return self._handle.closed

    def close(self) -> None:
        """Waits for calls under way; again is fine."""
        self._handle.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<larder.Store {self.url}{', closed' if self.closed else ''}>"

    def _repr_html_(self) -> str:
        return self.list("feature-views")._repr_html_() if not self.closed else repr(self)

    # ---- Definitions and catalog ----

    def plan(self, definitions: Definitions) -> Changes:
        """What `apply` would change; true when it would change something."""
        return self._define(definitions, None, False)

    def apply(self, definitions: Definitions, expect_version: Optional[int] = None) -> Changes:
        """Makes the registry as the definitions say, atomically: a folder of YAML files, or Entity, Source, FeatureView
        and FeatureService objects. expect_version: ConflictError unless the registry is there.

        What is not mentioned stays. Mistakes are a DefinitionError with `problems`.
        """
        return self._define(definitions, expect_version, True)

    def _define(self, definitions: Definitions, expect: Optional[int], apply: bool) -> Changes:
        if isinstance(definitions, (str, os.PathLike)):
            changes = self._define_folder(os.fspath(definitions), expect, apply)
            if apply:
                self._folder = os.fspath(definitions)
            return changes
        things = [definitions] if not isinstance(definitions, (list, tuple, set)) else definitions
        with tempfile.TemporaryDirectory(prefix="larder-definitions-") as folder:
            write_definitions(things, folder)  # type: ignore[arg-type]
            return self._define_folder(folder, expect, apply)

    def _define_folder(self, folder: str, expect: Optional[int], apply: bool) -> Changes:
        out, problems = ffi.new("struct ldr_table **"), ffi.new("struct ldr_table **")
        count, version, err = ffi.new("uint64_t *"), ffi.new("uint64_t *"), new_err()
        with self._handle as store:
            where = encode(folder)
            if apply:
                want = 2**64 - 1 if expect is None else expect
                code = lib.ldr_apply(store, where, want, out, count, version, problems, err)
                self._handle.drop_queries()
            else:
                code = lib.ldr_plan(store, where, out, count, version, problems, err)
        changes: Changes = take_table(out[0], Changes)
        wrong: Table = take_table(problems[0])
        if code:
            e = error(code, err)
            if len(wrong):
                e = DefinitionError(e.message)
                e.problems = wrong
            raise e
        changes.count, changes.version = count[0], version[0]
        return changes

    def delete(self, kind: str, name: str) -> None:
        """Removes a definition that nothing uses. kind: "entities", "sources", "feature-views", "feature-services"."""
        with self._handle as store:
            call(lib.ldr_delete, store, encode(kind), encode(name))
            self._handle.drop_queries()

    def _table(self, function: Any, *args: Any, kind: "Optional[type]" = None) -> Any:
        out = ffi.new("struct ldr_table **")
        with self._handle as store:
            call(function, store, *args, out)
        return take_table(out[0], kind)

    def list(self, kind: str = "feature-views") -> Table:
        """kind: "entities", "sources", "feature-views", "features" or "feature-services"."""
        table: Table = self._table(lib.ldr_list, encode(kind))
        return table

    def describe(self, kind: str, name: str, version: int = 0) -> Table:
        """Rows of field and value; version 0 is today. A feature is named view:feature."""
        table: Table = self._table(lib.ldr_describe, encode(kind), encode(name), version)
        return table

    def versions(self, kind: str, name: str) -> Table:
        table: Table = self._table(lib.ldr_versions, encode(kind), encode(name))
        return table

    def diff(self, kind: str, name: str, a: int, b: int) -> Table:
        table: Table = self._table(lib.ldr_diff, encode(kind), encode(name), a, b)
        return table

    def search(
        self,
        words: str = "",
        *,
        owner: Optional[str] = None,
        tag: Optional[str] = None,
        pii: bool = False,
    ) -> Table:
        """Best first: kind, name, type, owner, tags, description. tag: "key" or "key=value"."""
        key, sep, value = (tag or "").partition("=")
        args = (encode(words or None), encode(owner), encode(key or None), encode(value if sep else None), pii)
        table: Table = self._table(lib.ldr_search, *args)
        return table

    # ---- Facts in ----

    def ingest(
        self,
        view: str,
        data: Any,
        *,
        event_timestamp: Optional[str] = None,
        created_timestamp: Optional[str] = None,
        created_at: Optional[Time] = None,
        allow_missing: bool = False,
        format: Optional[str] = None,
        rejects: Optional[Path] = None,
        progress: Progress = None,
    ) -> WriteReport:
        """Stores facts of a view; what it returns is durable.

        data: a file (CSV, NDJSON, .gz), Parquet (a file, folder or pattern; s3://, gs://, abfs://), a pandas or Polars frame,
        Arrow data, a dict of columns (lists, numpy arrays), or a list of dicts. Columns that the view does not name are ignored; one that lacks is an error unless allow_missing.
        Time columns: as the view's source says, else "event_timestamp" and none. Rows without a created time get
        created_at, else the time of acceptance.

        From CSV and NDJSON, bad rows go to the rejects file (FILE.rejects.csv) and are counted. From memory and Parquet it
        is all or nothing for each million rows, and the error names the row.
        """
        if isinstance(data, (str, os.PathLike)) and is_parquet(os.fspath(data), format):
            files = Files(os.fspath(data))
            shape = _ingest.Shape(self._handle, view, self._fields)
            with Work(progress) as work:
                return _ingest.ingest_parquet(
                    self._handle, shape, files, event_timestamp, created_timestamp, created_at, allow_missing,
                    tell=work.teller(files.path),
                )  # fmt: skip
        if isinstance(data, (str, os.PathLike)):
            options = {
                "format": format,
                "event_column": event_timestamp,
                "created_column": created_timestamp,
                "created_at": created_at,
                "rejects_path": rejects,
                "allow_missing": allow_missing,
            }
            return _ingest.ingest_file(self._handle, view, data, Work(progress), **options)
        shape = _ingest.Shape(self._handle, view, self._fields)
        return _ingest.ingest_data(
            self._handle, shape, data, event_timestamp, created_timestamp, created_at, allow_missing
        )

    def _fields(self, kind: str, name: str) -> Dict[str, List[str]]:
        out: Dict[str, List[str]] = {}
        for row in self.describe(kind, name).rows:
            out.setdefault(row[0], []).append(row[1] or "")
        return out

    async def ingest_async(self, view: str, data: Any, **options: Any) -> WriteReport:
        """`ingest` on another thread."""
        return await asyncio.to_thread(self.ingest, view, data, **options)

    def materialize(
        self,
        start: Time,
        end: Time,
        views: Union[str, Sequence[str], None] = None,
        *,
        dir: Optional[Path] = None,
        progress: Progress = None,
    ) -> MaterializeReport:
        """Reads the views' declared sources for start <= event time <= end. dir: the folder that source paths are
        relative to; default: of the definitions applied last with this object, else the working directory."""
        return self._materialize(start, end, views, dir, progress, False)

    def materialize_incremental(
        self,
        end: Time,
        views: Union[str, Sequence[str], None] = None,
        *,
        dir: Optional[Path] = None,
        progress: Progress = None,
    ) -> MaterializeReport:
        """The same from where the last one ended; late rows are taken still."""
        return self._materialize(None, end, views, dir, progress, True)

    def _materialize(
        self,
        start: Optional[Time],
        end: Time,
        views: Union[str, Sequence[str], None],
        dir: Optional[Path],
        progress: Progress,
        incremental: bool,
    ) -> MaterializeReport:
        folder = os.fspath(dir) if dir is not None else self._folder or "."
        run = _materialize.Run(self._handle, self._fields, folder, start, end, incremental)
        return run.run(views, self.list("sources"), self.list("feature-views"), progress)

    def erase(self, entity: Mapping[str, Any], view: Optional[str] = None) -> int:
        """Removes an entity's data for ever: all facts created until now, of one view or of all views with exactly these
        join keys. How many facts of history that were."""
        names, _keep = names_array(list(entity))
        types = [key_type(v) for v in entity.values()]
        columns = from_mapping({k: [v] for k, v in entity.items()}, list(entity), types)
        values = ffi.new("struct ldr_datum[]", max(len(entity), 1))
        lib.larder_rows_of(columns.pointer, len(entity), 1, values)
        removed = ffi.new("uint64_t *")
        with self._handle as store:
            call(lib.ldr_erase, store, encode(view), names, values, len(entity), removed)
        return int(removed[0])

    # ---- Reads ----

    def _query(self, features: Features, service: Union[str, FeatureService, None], full: bool) -> Query:
        if isinstance(features, FeatureService):
            features, service = None, features
        name = service.name if isinstance(service, FeatureService) else service
        refs = () if features is None else tuple(feature_refs(features))
        if name is None and not refs:
            raise InvalidError("name features, or a service")
        try:
            return self._handle.query(name, refs, full)
        except NotFoundError as e:
            raise named_alone(e, refs, lambda: self.list("features")["name"]) from None

    def get_online_features(
        self,
        features: Features = None,
        entities: Entities = None,
        *,
        service: Union[str, FeatureService, None] = None,
        as_of: Optional[Time] = None,
        known_at: Optional[Time] = None,
        fresh: str = "bounded",
        full_feature_names: bool = False,
    ) -> OnlineFeatures:
        """The newest values of entities, with status and times.

        features: "view", "view:feature", or a list of them; or service. entities: {key: [values]}, {key: value}, a list of
        dicts or a frame. as_of, known_at: of a past moment. fresh: "bounded", "own", "strict" or "any" (a cluster's, see larder.h).
        """
        arguments = (entities, as_of, known_at, fresh)
        with self._handle:
            query = self._query(features, service, full_feature_names)
            try:
                return _online.get(self._handle, query, *arguments)
            except ConflictError:  # a view came back as another: its columns must be looked up again
                self._handle.drop_queries()
                query = self._query(features, service, full_feature_names)
                return _online.get(self._handle, query, *arguments)

    async def get_online_features_async(
        self,
        features: Features = None,
        entities: Entities = None,
        *,
        service: Union[str, FeatureService, None] = None,
        as_of: Optional[Time] = None,
        known_at: Optional[Time] = None,
        fresh: str = "bounded",
        full_feature_names: bool = False,
    ) -> OnlineFeatures:
        """`get_online_features` without blocking the event loop, and without a Python thread."""
        arguments = (entities, as_of, known_at, fresh)
        with self._handle:
            query = self._query(features, service, full_feature_names)
        try:
            return await _online.get_async(self._handle, query, *arguments)
        except ConflictError:  # as above
            self._handle.drop_queries()
            with self._handle:
                query = self._query(features, service, full_feature_names)
            return await _online.get_async(self._handle, query, *arguments)

    def get_historical_features(
        self,
        entity_df: Any,
        features: Features = None,
        *,
        service: Union[str, FeatureService, None] = None,
        timestamp_column: str = "event_timestamp",
        known_at: Optional[Time] = None,
        known_at_column: Optional[str] = None,
        full_feature_names: bool = False,
        with_timestamps: bool = False,
        with_status: bool = False,
        fresh: str = "bounded",
    ) -> TrainingSet:
        """A training set: each row of entity_df with the values of its entity at its time.

        entity_df: a pandas or Polars frame, Arrow data, a dict of columns or a list of dicts, with the join keys and
        timestamp_column. known_at (for all rows) or known_at_column (of each): only facts created until then count. fresh:
        as for online reads. The join runs when the result is asked for: to_pandas(), to_polars(), to_arrow(), to_batches().
        """
        with self._handle:
            query = self._query(features, service, full_feature_names)
        return TrainingSet(
            self._handle, query, entity_df, timestamp_column, known_at, known_at_column, with_timestamps, with_status,
            fresh,
        )  # fmt: skip

    def get_historical_features_to_file(
        self,
        spine: Path,
        output: Path,
        features: Features = None,
        *,
        service: Union[str, FeatureService, None] = None,
        timestamp_column: str = "event_timestamp",
        known_at: Optional[Time] = None,
        known_at_column: Optional[str] = None,
        full_feature_names: bool = False,
        with_timestamps: bool = False,
        with_status: bool = False,
        fresh: str = "bounded",
        json: bool = False,
        progress: Progress = None,
    ) -> Dict[str, Any]:
        """From a CSV file (.gz) into one, or into NDJSON, of any size, in bounded memory: what the command line does. Cells
        of the spine stay as they are spelled. Returns rows, cells, missing, seconds, peak_bytes."""
        spec = ffi.new("struct ldr_historical_file *")
        keep = [encode(os.fspath(spine)), encode(os.fspath(output)), encode(timestamp_column), encode(known_at_column)]
        spec.spine_path, spec.output_path, spec.timestamp_column, spec.known_at_column = keep
        if known_at is not None:
            spec.has_known_at, spec.known_at_us = True, to_us(known_at)
        spec.with_timestamps, spec.with_status, spec.json = with_timestamps, with_status, json
        spec.fresh = freshness(fresh)
        report = ffi.new("struct ldr_join_report *")
        with self._handle, Work(progress) as work:
            query = self._query(features, service, full_feature_names)
            call(lib.ldr_historical_to_file, query.pointer, spec, work.pointer, report)
        return {k: getattr(report, k) for k in ("rows", "cells", "missing", "seconds", "peak_bytes")}

    # ---- Looking at data ----

    def stats(
        self, view: str, start: Optional[Time] = None, end: Optional[Time] = None, *, progress: Progress = None
    ) -> Table:
        """One row a feature: count, nulls, distinct, min, max, mean, stddev, quantiles, top."""
        lo = _EVER[0] if start is None else to_us(start)
        hi = _EVER[1] if end is None else to_us(end)
        with Work(progress) as work:
            table: Table = self._table(lib.ldr_stats, encode(view), lo, hi, work.pointer)
        return table

    def scan(
        self,
        view: str,
        entity: Optional[Mapping[str, Any]] = None,
        start: Optional[Time] = None,
        end: Optional[Time] = None,
        *,
        fresh: str = "bounded",
    ) -> Scan:
        """History of one entity ({key: value}) or of all: facts of an entity one after the other, by event and created time."""
        with self._handle:
            query = self._handle.query(None, (view,), False)
        return Scan(self._handle, query, view, entity, start, end, fresh)

    def store_stats(self) -> Dict[str, Any]:
        """Facts, bytes on disk, memory, hit rate, ..."""
        return dict(self._table(lib.ldr_store_stats).rows)

    # ---- Care ----

    def check(self, repair: bool = False) -> CheckReport:
        """Proves the store: checksums, the latest values against history, counts. True when nothing is wrong."""
        wrong = ffi.new("uint64_t *")
        report: CheckReport = self._table(lib.ldr_check, repair, wrong, kind=CheckReport)
        report.wrong = wrong[0]
        return report

    def backup(self, dir: Path) -> None:
        """A consistent copy, while serving. dir: new or empty."""
        with self._handle as store:
            call(lib.ldr_backup, store, encode(os.fspath(dir)))

    def compact(self) -> None:
        """Frees what retention and erasure have released."""
        with self._handle as store:
            call(lib.ldr_compact, store)


def connect(
    url: str,
    *,
    must_exist: bool = False,
    shards: int = 0,
    threads: int = 0,
    memory_bytes: int = 0,
    latest_bytes: int = 0,
    cache_bytes: int = 0,
    future_us: int = 0,
    no_sync: bool = False,
    cache_dir: Optional[str] = None,
    read_ms: int = 0,
    write_ms: int = 0,
    timeout: Optional[float] = None,
) -> Store:
    """Opens a store: "local:DIR" (made when it is not there, unless must_exist; several processes may have it open at once) or
    "cluster:host:port,...". Zeros are defaults; larder.h says what each option does.

    timeout: seconds in which a coordinator has to answer (default 5), or the process that has the folder (default 10): then
    UnavailableError or StoreTimeoutError, which says who was asked. What is read and written later has read_ms and write_ms.
    """
    if timeout is not None and not 0 < timeout <= 86400:
        raise InvalidError(f"timeout: expected seconds, more than 0 and at most 86400, found {timeout!r}")
    return Store(
        url,
        must_exist=must_exist,
        shards=shards,
        threads=threads,
        memory_bytes=memory_bytes,
        latest_bytes=latest_bytes,
        cache_bytes=cache_bytes,
        future_us=future_us,
        no_sync=no_sync,
        cache_dir=cache_dir,
        read_ms=read_ms,
        write_ms=write_ms,
        open_ms=0 if timeout is None else max(int(timeout * 1000), 1),
    )


def restore(backup: Path, url: str) -> None:
    """Brings a backup back into a folder that holds no store yet ("local:DIR")."""
    call(lib.ldr_restore, encode(os.fspath(backup)), encode(url))


def version() -> str:
    """Of the C library."""
    return text(lib.ldr_version())



"""Facts from memory."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import columns as cols
from ._native import call, encode, ffi, lib, names_array
from .errors import CancelledError, InvalidError, LarderError
from .handle import Handle
from .parquet import Files
from .query import Query
from .reports import WriteReport, write_report
from .times import Time, to_us
from .work import Work

BATCH_ROWS = 1_000_000  # facts of one call: all or nothing, and one time of acceptance


class Shape:
    """What a view takes, and from which columns, as its source says."""

    def __init__(self, handle: Handle, view: str, describe: Callable[[str, str], Mapping[str, List[str]]]) -> None:
        with handle:
            query: Query = handle.query(None, (view,), False)
        self.view = view
        self.types: Dict[str, int] = dict(zip(query.keys, query.key_types))
        self.types.update(zip(query.columns, query.column_types))
        self.keys = query.keys
        self.event = "event_timestamp"
        self.created: Optional[str] = None
        self.renamed: Dict[str, str] = {}  # feature -> column
        source = describe("feature-views", view).get("source", [""])[0]
        if source:
            about = describe("sources", source)
            self.event = about.get("event_timestamp", [""])[0] or self.event
            self.created = about.get("created_timestamp", [""])[0] or None
            for pair in about.get("columns", [""])[0].split(", "):
                feature, _, column = pair.partition(" from ")
                if column:
                    self.renamed[feature] = column

    def choose(
        self, names: Sequence[str], event: Optional[str], created: Optional[str], missing_ok: bool
    ) -> Tuple[List[str], List[str], List[int], str, Optional[str]]:
        """Of the columns there are: what they are in the view, their names, their types; the two time columns."""
        event_column = event or self.event
        created_column = created
        if created is None and self.created in names:
            created_column = self.created
        for column in (event_column, created_column):
            if column is not None and column not in names:
                raise InvalidError(f"there is no column '{column}' (there are {', '.join(names) or 'none'})")
        into: List[str] = []
        columns: List[str] = []
        for name in self.types:
            column = self.renamed.get(name, name)
            if column not in names:
                column = name if name in names else column
            if column in names:
                into.append(name)
                columns.append(column)
            elif name in self.keys:
                raise InvalidError(f"there is no column '{column}', a join key of '{self.view}'")
            elif not missing_ok:
                raise InvalidError(f"there is no column '{column}' (allow_missing=True: null instead)")
        return into, columns, [self.types[n] for n in into], event_column, created_column


def write(
    handle: Handle, view: str, into: Sequence[str], c: cols.Columns, event: Any, created: Any
) -> WriteReport:
    report = ffi.new("struct ldr_write_report *")
    names, _keep = names_array(into)
    with handle as store:
        call(
            lib.ldr_write_columns, store, encode(view), names, len(into), c.pointer, c.rows, event, created, report
        )
    return write_report(report)


def chunks(data: Any, names: Sequence[str], types: Sequence[int]) -> Iterator[cols.Columns]:
    """The named columns of whatever it is, in pieces of at most BATCH_ROWS rows."""
    if isinstance(data, Mapping):
        n = len(data[names[0]]) if names else 0
        for at in range(0, max(n, 1), BATCH_ROWS):
            piece = data if n <= BATCH_ROWS else {k: data[k][at : at + BATCH_ROWS] for k in names}
            yield cols.from_mapping(piece, names, types)
    elif isinstance(data, (list, tuple)):
        for at in range(0, max(len(data), 1), BATCH_ROWS):
            yield cols.from_rows(data[at : at + BATCH_ROWS], names, types)
    elif cols.is_pandas(data):
        for at in range(0, max(len(data), 1), BATCH_ROWS):
            table = cols.pandas_to_arrow(data.iloc[at : at + BATCH_ROWS], names)
            yield from _arrow(cols.integers_again(table, names, types), names, types)
    else:
        yield from _arrow(_one_chunk(data), names, types)


def _one_chunk(data: Any) -> Any:
    """A frame of many small chunks as few large ones, where its library can: fewer, larger writes."""
    if cols.is_pyarrow(data) and hasattr(data, "combine_chunks") and data.num_columns and data.column(0).num_chunks > 1:
        return data.combine_chunks()
    if cols.is_polars(data) and hasattr(data, "rechunk"):
        return data.rechunk()
    return data


def _arrow(data: Any, names: Sequence[str], types: Sequence[int]) -> Iterator[cols.Columns]:
    stream = cols.ArrowStream(data)
    for one in stream.batches():
        yield cols.ArrowColumns(stream.schema, one, names, types, one.length)


def ingest_data(
    handle: Handle,
    shape: Shape,
    data: Any,
    event_timestamp: Optional[str],
    created_timestamp: Optional[str],
    created_at: Optional[Time],
    allow_missing: bool,
) -> WriteReport:
    names = _names(data)
    into, columns, types, event, created = shape.choose(names, event_timestamp, created_timestamp, allow_missing)
    if created is not None and created_at is not None:
        raise InvalidError("created_at is for rows without a created time: give it, or created_timestamp")
    wanted = [*columns, event, *([created] if created else [])]
    kinds = [*types, lib.LDR_TIMESTAMP, *([lib.LDR_TIMESTAMP] if created else [])]
    total = WriteReport()
    for c in chunks(data, wanted, kinds):
        if c.rows == 0:
            continue
        at = c.times(len(columns), event)
        known = ffi.NULL
        if created:
            known = c.times(len(columns) + 1, created)
        elif created_at is not None:
            known = ffi.new("int64_t[]", [to_us(created_at)]) if c.rows == 1 else _repeat(to_us(created_at), c.rows)
        total.add(write(handle, shape.view, into, c, at, known))
    return total


def ingest_parquet(
    handle: Handle,
    shape: Shape,
    files: Files,
    event_timestamp: Optional[str] = None,
    created_timestamp: Optional[str] = None,
    created_at: Optional[Time] = None,
    allow_missing: bool = False,
    start_us: Optional[int] = None,
    end_us: Optional[int] = None,
    tell: Optional[Callable[[int], bool]] = None,
) -> WriteReport:
    """All or nothing for each million rows, as from memory; an error names the path, the row and the column."""
    into, columns, _, event, created = shape.choose(files.names, event_timestamp, created_timestamp, allow_missing)
    total = WriteReport()
    wanted = [*columns, event, *([created] if created else [])]
    try:
        for table in files.tables(wanted, event, start_us, end_us, BATCH_ROWS):
            try:
                report = ingest_data(handle, shape, table, event, created, created_at, allow_missing)
            except LarderError as e:
                e.message = f"{files.path}, rows from {total.rows} on: {e.message}"
                raise
            total.add(report)
            if tell is not None and tell(total.rows):
                raise CancelledError("cancelled")
    except LarderError as e:
        if total.rows:
            e.message += f" ({total.rows} rows before that are stored; to load them again is harmless)"
        raise
    return total


def _repeat(us: int, n: int) -> Any:
    from array import array

    return ffi.from_buffer("int64_t[]", array("q", [us]) * n)


def _names(data: Any) -> List[str]:
    if cols.speaks_arrow(data) and not (cols.is_pandas(data) or cols.is_polars(data) or cols.is_pyarrow(data)):
        raise InvalidError("an Arrow stream of unknown columns: wrap it, e.g. pyarrow.table(data)")
    return cols.column_names(data)


def ingest_file(
    handle: Handle,
    view: str,
    path: "str | os.PathLike[str]",
    work: Work,
    **options: Any,
) -> WriteReport:
    spec = ffi.new("struct ldr_ingest *")
    keep = [encode(view), encode(os.fspath(path))]
    spec.view, spec.path = keep
    for name in ("format", "event_column", "created_column", "rejects_path"):
        value = options.get(name)
        keep.append(encode(None if value is None else os.fspath(value)))
        setattr(spec, name, keep[-1])
    if options.get("created_at") is not None:
        spec.has_created_at, spec.created_at_us = True, to_us(options["created_at"])
    spec.allow_missing = bool(options.get("allow_missing"))
    report = ffi.new("struct ldr_write_report *")
    with handle as store, work:
        call(lib.ldr_ingest_file, store, spec, work.pointer, report)
    return write_report(report)

"""History of a view, row by row."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from . import columns as cols
from . import parquet
from ._native import call, encode, ffi, lib, names_array, need
from .batch import arrow_types
from .handle import Handle
from .query import Query, freshness
from .table import html_table, text_table
from .times import Time, from_us, to_us

_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_BATCH = 65536


def _reader(kind: int) -> Callable[[Any], Any]:
    """JSON's value of a type as Python's."""
    element = kind & ~lib.LDR_LIST
    one: Callable[[Any], Any]
    if element in (lib.LDR_FLOAT32, lib.LDR_FLOAT64):
        one = _float
    elif element == lib.LDR_BYTES:
        one = base64.b64decode
    elif element == lib.LDR_TIMESTAMP:
        one = _time
    else:
        one = _same
    if kind & lib.LDR_LIST:
        return lambda v: None if v is None else [one(x) for x in v]
    return lambda v: None if v is None else one(v)


def _same(v: Any) -> Any:
    return v


def _float(v: Any) -> float:
    return _SPECIAL[v] if isinstance(v, str) else float(v)


def _time(v: str) -> Any:
    return from_us(to_us(v))


class Scan:
    """Iterating gives one dict a fact: join keys, event_timestamp, created_timestamp, features. Each iteration reads the
    store anew, by way of a temporary file: any size, bounded memory."""

    def __init__(
        self,
        handle: Handle,
        query: Query,
        view: str,
        entity: Optional[Mapping[str, Any]],
        start: Optional[Time],
        end: Optional[Time],
        fresh: str = "bounded",
    ) -> None:
        self._handle, self._view, self._fresh = handle, view, freshness(fresh)
        self._entity = dict(entity or {})
        self._key_types = dict(zip(query.keys, query.key_types))
        self._start = None if start is None else to_us(start)
        self._end = None if end is None else to_us(end)
        times = ["event_timestamp", "created_timestamp"]
        self.columns: List[str] = [*query.keys, *times, *query.columns]
        self._types = [*query.key_types, lib.LDR_TIMESTAMP, lib.LDR_TIMESTAMP, *query.column_types]

    def to_file(self, path: "str | os.PathLike[str]", json: bool = False) -> int:
        """As CSV, or NDJSON: what the command line writes. How many facts."""
        spec = ffi.new("struct ldr_scan *")
        entity = self._entity
        names, _keep = names_array(list(entity))
        types = [self._key_types.get(k, lib.LDR_STRING) for k in entity]
        columns = cols.from_mapping({k: [v] for k, v in entity.items()}, list(entity), types)
        values = ffi.new("struct ldr_datum[]", max(len(entity), 1))
        lib.larder_rows_of(columns.pointer, len(entity), 1, values)
        keep = [encode(self._view), encode(os.fspath(path))]
        spec.view, spec.output_path = keep
        spec.key_names, spec.key_values, spec.nkeys, spec.json = names, values, len(entity), json
        spec.fresh = self._fresh
        if self._start is not None:
            spec.has_from, spec.from_us = True, self._start
        if self._end is not None:
            spec.has_to, spec.to_us = True, self._end
        rows = ffi.new("uint64_t *")
        with self._handle as store:
            call(lib.ldr_scan_to_file, store, spec, ffi.NULL, rows)
        return int(rows[0])

    def _lines(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="larder-scan-") as folder:
            path = os.path.join(folder, "scan.ndjson")
            self.to_file(path, json=True)
            with open(path, encoding="utf-8", newline="\n") as f:
                yield from f

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        readers = dict(zip(self.columns, map(_reader, self._types)))
        for line in self._lines():
            yield {k: readers[k](v) for k, v in json.loads(line).items()}

    def to_batches(self, rows: int = _BATCH) -> Iterator[Any]:
        """pyarrow.RecordBatch after RecordBatch."""
        pa = need("pyarrow", "to_batches()", "'larder[arrow]'")
        schema = arrow_types(self.columns, self._types)
        held: List[Dict[str, Any]] = []
        for row in self:
            held.append(row)
            if len(held) == rows:
                yield pa.RecordBatch.from_pylist(held, schema=schema)
                held = []
        if held:
            yield pa.RecordBatch.from_pylist(held, schema=schema)

    def to_parquet(self, path: "str | os.PathLike[str]", partition_by: Sequence[str] = ()) -> int:
        """Into one file, or a new folder of hive partitions; s3://, gs://, abfs:// as well. How many facts."""
        return parquet.write(self.to_batches(), arrow_types(self.columns, self._types), os.fspath(path), partition_by)

    def to_arrow(self) -> Any:
        pa = need("pyarrow", "to_arrow()", "'larder[arrow]'")
        return pa.Table.from_batches(list(self.to_batches()), schema=arrow_types(self.columns, self._types))

    def to_pandas(self) -> Any:
        need("pandas", "to_pandas()", "'larder[pandas]'")
        return self.to_arrow().to_pandas()

    to_df = to_pandas

    def to_polars(self) -> Any:
        polars = need("polars", "to_polars()", "'larder[polars]'")
        return polars.from_arrow(self.to_arrow())

    def _shown(self) -> List[List[Any]]:
        rows = []
        for row in self:
            rows.append(list(row.values()))
            if len(rows) == 20:
                break
        return rows

    def __repr__(self) -> str:
        return text_table(self.columns, self._shown(), 0)

    def _repr_html_(self) -> str:
        return html_table(self.columns, self._shown(), 0)

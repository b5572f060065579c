"""History of a view, row by row or batch by batch."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import columns as cols
from . import parquet
from ._native import call, encode, ffi, lib, names_array, need, text
from .batch import Batch, arrow_types, column_list, to_polars
from .errors import InvalidError, near
from .handle import Handle
from .query import Query, freshness
from .table import html_table, text_table
from .times import Time, to_us

_BATCH = 65536
_EVERYTHING = (0, 2**64 - 1)


class Scanner:
    """struct ldr_scanner: the facts of an arc of entities, batch by batch; nothing is read ahead."""

    def __init__(self, handle: Handle, view: str, arc: Tuple[int, int], fresh: str, **limits: Optional[int]) -> None:
        """limits: start, end, known_at, in microseconds."""
        spec = ffi.new("struct ldr_scan_part *")
        name = encode(view)
        spec.view, (spec.first, spec.last), spec.fresh = name, arc, freshness(fresh)
        for key, have, us in (("start", "has_from", "from_us"), ("end", "has_to", "to_us"), ("known_at", "has_known_at", "known_at_us")):
            if limits.get(key) is not None:
                setattr(spec, have, True)
                setattr(spec, us, limits[key])
        out = ffi.new("struct ldr_scanner **")
        self._handle = handle
        with handle as store:
            call(lib.ldr_scanner_create, store, spec, out)
            self.pointer = ffi.gc(out[0], lib.ldr_scanner_destroy)
            handle.keep(self)
            columns = range(lib.ldr_scanner_columns(out[0]))
            self.names = [text(lib.ldr_scanner_column(out[0], i)) for i in columns]
            self.types = [lib.ldr_scanner_column_type(out[0], i) for i in columns]

    def next(self, rows: int) -> Optional[Batch]:
        """At least `rows` rows, if there are so many and they are not too large; None: there are no more."""
        out = ffi.new("struct ldr_batch **")
        with self._handle:
            call(lib.ldr_scanner_next, self.pointer, rows, out)
        return None if out[0] == ffi.NULL else Batch(out[0], self.names)

    def destroy(self) -> None:
        ffi.release(self.pointer)


class Scan:
    """The history of one entity or of all: facts of an entity one after the other, by event and created time; entities in no
    order that means something.

    Iterating gives one dict a fact: join keys, event_timestamp, created_timestamp, features. Each iteration reads the store
    anew, as far as it goes, with memory for one batch. What is written meanwhile may be told or not. Speaks Arrow
    (`__arrow_c_stream__`): `polars.DataFrame(scan)`, DuckDB and others take it as it is.
    """

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
        self._handle, self._view, self._fresh = handle, view, fresh
        freshness(fresh)
        self._query = query
        self._entity = dict(entity or {})
        for name in self._entity:
            if name not in query.keys:
                raise InvalidError(f"'{name}' is not a join key of the feature view '{view}'{near(name, query.keys)}")
        for name in query.keys if self._entity else ():
            if self._entity.get(name) is None:
                raise InvalidError(f"join key '{name}' is {'null' if name in self._entity else 'missing'}")
        self._start = None if start is None else to_us(start)
        self._end = None if end is None else to_us(end)
        times = ["event_timestamp", "created_timestamp"]
        self.columns: List[str] = [*query.keys, *times, *query.columns]

    def to_file(self, path: "str | os.PathLike[str]", json: bool = False) -> int:
        """As CSV, or NDJSON, in the order of the entities' keys: what the command line writes. How many facts."""
        spec = ffi.new("struct ldr_scan *")
        columns = self._key()
        n = len(self._entity)
        names, _keep = names_array(list(self._query.keys[:n]))
        values = ffi.new("struct ldr_datum[]", max(n, 1))
        lib.larder_rows_of(columns.pointer, n, 1, values)
        keep = [encode(self._view), encode(os.fspath(path))]
        spec.view, spec.output_path = keep
        spec.key_names, spec.key_values, spec.nkeys, spec.json = names, values, n, json
        spec.fresh = freshness(self._fresh)
        if self._start is not None:
            spec.has_from, spec.from_us = True, self._start
        if self._end is not None:
            spec.has_to, spec.to_us = True, self._end
        rows = ffi.new("uint64_t *")
        with self._handle as store:
            call(lib.ldr_scan_to_file, store, spec, ffi.NULL, rows)
        return int(rows[0])

    # ---- Batches ----

    def _key(self) -> cols.Columns:
        """The entity's key as columns of one row; none without an entity."""
        names = self._query.keys if self._entity else ()
        given = {k: [self._entity[k]] for k in names}
        return cols.from_mapping(given, names, self._query.key_types[: len(names)])

    def _arc(self, key: cols.Columns) -> Tuple[int, int]:
        """Of hashes: that of the entity, or all."""
        if not self._entity:
            return _EVERYTHING
        out = ffi.new("uint64_t[1]")
        with self._handle:
            call(lib.ldr_query_hash, self._query.pointer, key.pointer, 1, out)
        return out[0], out[0]

    def _open(self) -> Tuple[Scanner, List[Any]]:
        """A scanner, and the entity's key as it gives it."""
        key = self._key()
        scanner = Scanner(self._handle, self._view, self._arc(key), self._fresh, start=self._start, end=self._end)
        return scanner, [column_list(key.pointer[i])[0] for i in range(len(self._entity))]

    @staticmethod
    def _others(batch: Batch, key: Sequence[Any]) -> Optional[List[bool]]:
        """Which rows are the entity's, if others that share its hash are among them."""
        if not key:
            return None
        mine = [list(parts) == list(key) for parts in zip(*(batch.column(n) for n in batch.names[: len(key)]))]
        return None if all(mine) else mine

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        scanner, key = self._open()
        batch = scanner.next(1)
        while batch is not None:
            mine = self._others(batch, key)
            for i, row in enumerate(zip(*(batch.column(n) for n in batch.names))):
                if mine is None or mine[i]:
                    yield dict(zip(batch.names, row))
            batch = scanner.next(1)

    def _batches(self, rows: int) -> Tuple[Any, Iterator[Any]]:
        """The schema, and record batches as they are asked for."""
        if rows < 1:
            raise InvalidError(f"rows: expected at least 1, found {rows}")
        pa = need("pyarrow", "to_batches()", "'larder[arrow]'")
        scanner, key = self._open()

        def read() -> Iterator[Any]:
            batch = scanner.next(rows)
            while batch is not None:
                mine, whole = self._others(batch, key), batch.to_arrow()
                yield whole if mine is None else whole.filter(pa.array(mine))
                batch = scanner.next(rows)

        return arrow_types(scanner.names, scanner.types), _even(pa, read(), rows)

    def to_batches(self, rows: int = _BATCH) -> Iterator[Any]:
        """pyarrow.RecordBatch after RecordBatch of so many rows (the last one may have fewer), read as they are asked for: slices of the
        library's memory, copied only where two of its batches meet."""
        return self._batches(rows)[1]

    def to_reader(self, rows: int = _BATCH) -> Any:
        """to_batches as a pyarrow.RecordBatchReader."""
        pa = need("pyarrow", "to_reader()", "'larder[arrow]'")
        return pa.RecordBatchReader.from_batches(*self._batches(rows))

    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object:
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def to_parquet(self, path: "str | os.PathLike[str]", partition_by: Sequence[str] = ()) -> int:
        """Into one file, or a new folder of hive partitions; s3://, gs://, abfs:// as well. How many facts."""
        schema, batches = self._batches(_BATCH)
        return parquet.write(batches, schema, os.fspath(path), partition_by)

    def to_arrow(self) -> Any:
        pa = need("pyarrow", "to_arrow()", "'larder[arrow]'")
        schema, batches = self._batches(_BATCH)
        return pa.Table.from_batches(list(batches), schema=schema)

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
        return text_table(self.columns, self._shown(), 0, "null")

    def _repr_html_(self) -> str:
        return html_table(self.columns, self._shown(), 0, "null")


def _even(pa: Any, batches: Iterator[Any], rows: int) -> Iterator[Any]:
    """The same rows in batches of `rows`."""
    rest: Any = None
    for one in batches:
        at = 0
        if rest is not None:
            at = rows - rest.num_rows
            (rest,) = pa.Table.from_batches([rest, one.slice(0, at)]).combine_chunks().to_batches()
            if rest.num_rows < rows:
                continue
            yield rest
            rest = None
        for first in range(at, one.num_rows, rows):
            piece = one.slice(first, rows)
            if piece.num_rows < rows:
                rest = piece
            else:
                yield piece
    if rest is not None:
        yield rest

"""Training sets: for each row of a spine, what was known of its entity at its time."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from . import columns as cols
from . import parquet
from ._native import call, ffi, lib, need
from .batch import Batch, arrow_types, to_polars
from .errors import InvalidError, UnsupportedError, near
from .handle import Handle
from .query import Query, freshness
from .table import html_table, text_table
from .times import Time, to_us

_PIECE = 262144  # rows of a spine that to_batches joins at once


class TrainingSet:
    """A point-in-time join, run when its values are asked for: the spine's columns as given, then the features.

    The same number of rows, in the same order. `to_arrow`, `to_pandas`, `to_polars`; `to_batches` for sets larger than
    memory. Arrow's PyCapsule protocol (`__arrow_c_stream__`) is spoken, so `polars.DataFrame(ts)`, `duckdb` and others take
    it as it is.
    """

    def __init__(
        self,
        handle: Handle,
        query: Query,
        spine: Any,
        timestamp_column: str,
        known_at: Optional[Time],
        known_at_column: Optional[str],
        with_timestamps: bool,
        with_status: bool,
        fresh: str = "bounded",
    ) -> None:
        if known_at is not None and known_at_column is not None:
            raise InvalidError("known_at is one time for all rows, known_at_column one for each: give one of them")
        self._handle, self._query, self._spine = handle, query, spine
        self._time, self._known_column = timestamp_column, known_at_column
        self._known = None if known_at is None else to_us(known_at)
        self._sides = {"with_status": with_status, "with_times": with_timestamps}
        self._fresh = freshness(fresh)
        self._names: List[str] = [timestamp_column, *query.keys, *([known_at_column] if known_at_column else [])]
        self._types = [lib.LDR_TIMESTAMP, *query.key_types, *([lib.LDR_TIMESTAMP] if known_at_column else [])]
        self._batches: Optional[List[Batch]] = None
        if not cols.is_reader(spine):
            self._check_names(cols.column_names(spine))

    def _check_names(self, names: Sequence[str]) -> None:
        for name in self._names:
            if name not in names:
                raise InvalidError(f"the spine has no column '{name}'{near(name, names)}")
        for name in self.columns:
            if name in names:
                raise InvalidError(
                    f"column '{name}' of the spine has the name of an output column: rename it, or ask for full feature "
                    "names"
                )

    @property
    def columns(self) -> Tuple[str, ...]:
        """Names of the output columns behind the spine's."""
        out: List[str] = []
        for name in self._query.columns:
            out.append(name)
            if self._sides["with_times"]:
                out += [f"{name}__event_timestamp", f"{name}__created_timestamp"]
            if self._sides["with_status"]:
                out.append(f"{name}__status")
        return tuple(out)

    # ---- The join ----

    def _join(self, c: cols.Columns) -> Batch:
        spine = ffi.new("struct ldr_spine *")
        spine.nrows = c.rows
        spine.t_us = c.times(0, self._time)
        spine.keys = c.pointer + 1
        if self._known_column:
            spine.known_at_us = c.times(len(self._names) - 1, self._known_column)
        elif self._known is not None:
            spine.has_known_at, spine.known_at_all_us = True, self._known
        opts = ffi.new("struct ldr_historical_opts *", {**self._sides, "fresh": self._fresh})
        out = ffi.new("struct ldr_batch **")
        with self._handle:
            call(lib.ldr_historical_get, self._query.pointer, spine, opts, out)
        return Batch(out[0], self._query.columns)

    def _columns(self, spine: Any) -> Iterator[cols.Columns]:
        """Times and keys, in the pieces in which the spine comes."""
        if isinstance(spine, Mapping):
            yield cols.from_mapping(spine, self._names, self._types)
            return
        if isinstance(spine, (list, tuple)):
            yield cols.from_rows(spine, self._names, self._types)
            return
        if cols.is_pandas(spine):
            spine = cols.pandas_to_arrow(spine, self._names)
        if cols.is_pandas(self._spine):
            spine = cols.integers_again(spine, self._names, self._types)
        stream = cols.ArrowStream(spine)
        self._check_names(stream.names)
        for one in stream.batches():
            yield cols.ArrowColumns(stream.schema, one, self._names, self._types, one.length)

    def _run(self, spine: Any) -> List[Batch]:
        """One batch for each piece in which the spine comes."""
        return [self._join(c) for c in self._columns(spine)]

    def batches(self) -> List[Batch]:
        """The features alone, in pieces as the spine came: memory of the C library, for whoever speaks Arrow."""
        if cols.is_reader(self._spine):
            raise UnsupportedError("a stream can be read once: use to_batches()")
        if self._batches is None:
            self._batches = self._run(self._spine)
        return self._batches

    def __len__(self) -> int:
        return sum(len(b) for b in self.batches())

    # ---- What it becomes ----

    def to_dict(self) -> Dict[str, List[Any]]:
        """{column: [value, ...]}, the spine's columns included; for small sets."""
        if isinstance(self._spine, Mapping):
            out = {k: list(v) for k, v in self._spine.items()}
        elif isinstance(self._spine, (list, tuple)):
            out = {k: [row.get(k) for row in self._spine] for k in (self._spine[0] if self._spine else ())}
        else:
            data: Dict[str, List[Any]] = self.to_arrow().to_pydict()
            return data
        for name in self._query.columns:
            out[name] = [v for b in self.batches() for v in b.column(name)]
            if self._sides["with_times"]:
                out[f"{name}__event_timestamp"] = [v for b in self.batches() for v in b.event_timestamps(name)]
                out[f"{name}__created_timestamp"] = [v for b in self.batches() for v in b.created_timestamps(name)]
            if self._sides["with_status"]:
                out[f"{name}__status"] = [v for b in self.batches() for v in b.statuses(name)]
        return out

    def features_arrow(self) -> Any:
        """The features alone as a pyarrow.Table, not copied."""
        pa = need("pyarrow", "to_arrow()", "'larder[arrow]'")
        batches = [b.to_arrow() for b in self.batches()]
        if batches:
            return pa.Table.from_batches(batches)
        return self._schema(pa).empty_table()

    def _schema(self, pa: Any) -> Any:
        types = dict(zip(self._query.columns, arrow_types(self._query.columns, self._query.column_types)))
        fields = []
        for name in self.columns:
            if name in types:
                fields.append(types[name])
            elif name.endswith("__status"):
                fields.append(pa.field(name, pa.dictionary(pa.int8(), pa.large_string())))
            else:
                fields.append(pa.field(name, pa.timestamp("us", "UTC")))
        return pa.schema(fields)

    def spine_table(self, plain: bool = False) -> Any:
        """The spine as a pyarrow.Table. plain: one that reads the same without knowing what it was: times in text and whole
        numbers among floats as what they stand for."""
        pa = need("pyarrow", "this", "'larder[arrow]'")
        if cols.is_reader(self._spine):
            table = pa.concat_tables(list(_pieces(pa, self._spine, _PIECE)))
        else:
            table = _spine_table(pa, self._spine)
        if not plain:
            return table
        if cols.is_pandas(self._spine):
            table = cols.integers_again(table, self._names, self._types)
        for at, field in enumerate(table.schema):
            if str(field.type) in ("string_view", "binary_view"):  # which pyarrow's own functions do not all take
                wide = pa.large_string() if str(field.type) == "string_view" else pa.large_binary()
                table = table.set_column(at, field.name, table.column(at).cast(wide))
        for name in {self._time, self._known_column} - {None}:
            at = table.schema.get_field_index(name)
            if pa.types.is_string(table.schema.field(at).type) or pa.types.is_large_string(table.schema.field(at).type):
                times = pa.array([None if t is None else to_us(t) for t in table.column(at).to_pylist()], pa.int64())
                table = table.set_column(at, name, times.cast(pa.timestamp("us", "UTC")))
        return table

    def schema(self) -> Any:
        """Of `to_arrow`, without joining."""
        pa = need("pyarrow", "this", "'larder[arrow]'")
        return pa.schema([*self.spine_table().schema.remove_metadata(), *self._schema(pa)])

    def hashes(self) -> Iterator[Any]:
        """Numpy arrays, as the spine comes: for each row the hash of its entity in the first view."""
        np = need("numpy", "hashes()")
        for c in self._columns(self._spine):
            out = np.empty(c.rows, "uint64")
            with self._handle:
                call(lib.ldr_query_hash, self._query.pointer, c.pointer + 1, c.rows, ffi.from_buffer("uint64_t[]", out))
            yield out

    def to_arrow(self) -> Any:
        """A pyarrow.Table: the spine's columns and the features, neither copied where pyarrow can take them as they
        are."""
        pa = need("pyarrow", "to_arrow()", "'larder[arrow]'")
        return _beside(_spine_table(pa, self._spine), self.features_arrow())

    def to_pandas(self, dtype_backend: str = "numpy") -> Any:
        """A pandas.DataFrame with the spine's index. dtype_backend: "numpy" (nulls in numbers become NaN; integers beyond
        2^53 among nulls become Int64 instead), "nullable" (Int64, boolean, ...) or "pyarrow" (not copied)."""
        pandas = need("pandas", "to_pandas()", "'larder[pandas]'")
        features = _to_pandas(pandas, self.features_arrow(), dtype_backend)
        if not cols.is_pandas(self._spine):
            pa = need("pyarrow", "to_pandas()", "'larder[pandas]'")
            spine = _to_pandas(pandas, _spine_table(pa, self._spine), dtype_backend)
        else:
            spine = self._spine
        features.index = spine.index
        if int(pandas.__version__.split(".")[0]) >= 3:  # what is put together shares memory until it is written to
            return pandas.concat([spine, features], axis=1)
        # nor is a copy of the features made here: only of the spine, which is the caller's
        return pandas.concat([spine.copy(), features], axis=1, copy=False)

    to_df = to_pandas

    def to_torch(self) -> Dict[str, Any]:
        """{column: tensor}, strings, bytes and lists as lists; see larder.torch.tensors. More than memory: partitions."""
        need("torch", "to_torch()")
        whole = self.to_arrow().combine_chunks().to_batches()
        data: Dict[str, Any] = need("larder.torch", "to_torch()").tensors(whole[0]) if whole else {n: [] for n in self.schema().names}
        return data

    def to_polars(self) -> Any:
        """A polars.DataFrame."""
        polars = need("polars", "to_polars()", "'larder[polars]'")
        if not cols.is_polars(self._spine):
            return polars.from_arrow(self.to_arrow())
        frames = [to_polars(polars, b) for b in self.batches()]
        if not frames:
            return self._spine.hstack(polars.from_arrow(self.features_arrow()))
        return self._spine.hstack(polars.concat(frames))

    def to_batches(self, rows: int = _PIECE) -> Iterator[Any]:
        """pyarrow.RecordBatch after RecordBatch, joined as they are asked for: memory for `rows` rows of the spine at a
        time. The spine may be a stream (pyarrow.RecordBatchReader, a generator of frames)."""
        if rows < 1:
            raise InvalidError(f"rows: expected at least 1, found {rows}")
        pa = need("pyarrow", "to_batches()", "'larder[arrow]'")
        for piece in _pieces(pa, self._spine, rows):
            self._check_names(piece.schema.names)
            features = [b.to_arrow() for b in self._run(piece)]
            yield from _beside(piece, pa.Table.from_batches(features)).combine_chunks().to_batches()

    def to_reader(self, rows: int = _PIECE) -> Any:
        """to_batches as a pyarrow.RecordBatchReader. The first piece is joined at once, for its schema."""
        pa = need("pyarrow", "to_reader()", "'larder[arrow]'")
        batches = self.to_batches(rows)
        first = next(batches, None)
        if first is None:
            return pa.RecordBatchReader.from_batches(self._schema(pa), iter(()))

        def chained() -> Iterator[Any]:
            yield first
            yield from batches

        return pa.RecordBatchReader.from_batches(first.schema, chained())

    def to_parquet(self, path: "str | os.PathLike[str]", partition_by: Sequence[str] = (), rows: int = _PIECE) -> int:
        """Into one file, or a new folder with a hive partition for each value of some columns; s3://, gs://, abfs:// as
        well. Memory for `rows` rows of the spine at a time. How many rows."""
        reader = self.to_reader(rows)
        return parquet.write(iter(reader), reader.schema, os.fspath(path), partition_by)

    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object:
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def _shown(self) -> Tuple[List[str], List[Tuple[Any, ...]], int]:
        data = self.to_dict()
        return list(data), list(zip(*(v[:20] for v in data.values()))), len(self)

    def __repr__(self) -> str:
        if self._batches is None:
            return f"<TrainingSet of {', '.join(self.columns)}: not read yet>"
        return text_table(*self._shown(), "null")

    def _repr_html_(self) -> str:
        if cols.is_reader(self._spine):
            return ""
        return html_table(*self._shown(), "null")


def _spine_table(pa: Any, spine: Any) -> Any:
    if isinstance(spine, Mapping):
        return pa.table({k: _array(pa, v) for k, v in spine.items()})
    if isinstance(spine, (list, tuple)):
        return pa.Table.from_pylist([dict(r) for r in spine])
    if cols.is_pandas(spine):
        return cols.pandas_to_arrow(spine)
    return pa.table(spine)


def _array(pa: Any, values: Any) -> Any:
    return pa.array(values) if hasattr(values, "dtype") else pa.array(list(values))


def _beside(left: Any, right: Any) -> Any:
    for name, column in zip(right.schema.names, right.columns):
        left = left.append_column(right.schema.field(name), column)
    return left


def _pieces(pa: Any, spine: Any, rows: int) -> Iterator[Any]:
    """Tables of at most `rows` rows."""
    if cols.is_reader(spine):
        for one in spine:
            yield from _cut(pa.Table.from_batches([one]) if isinstance(one, pa.RecordBatch) else _spine_table(pa, one), rows)
    elif isinstance(spine, (list, tuple)):
        for at in range(0, len(spine), rows):
            yield _spine_table(pa, spine[at : at + rows])
    elif cols.is_pandas(spine):
        for at in range(0, len(spine), rows):
            yield cols.pandas_to_arrow(spine.iloc[at : at + rows])
    else:
        yield from _cut(_spine_table(pa, spine), rows)


def _cut(table: Any, rows: int) -> Iterator[Any]:
    for at in range(0, table.num_rows, rows):
        yield table.slice(at, rows)


def _to_pandas(pandas: Any, table: Any, backend: str) -> Any:
    if backend == "pyarrow":
        return table.to_pandas(types_mapper=pandas.ArrowDtype)
    if backend not in ("numpy", "nullable"):
        raise InvalidError(f"dtype_backend: expected numpy, nullable or pyarrow, found {backend!r}")
    import pyarrow as pa
    import pyarrow.compute as pc

    nullable = {
        pa.int32(): pandas.Int32Dtype(),
        pa.int64(): pandas.Int64Dtype(),
        pa.bool_(): pandas.BooleanDtype(),
        pa.float32(): pandas.Float32Dtype(),
        pa.float64(): pandas.Float64Dtype(),
    }
    if backend == "nullable":
        return table.to_pandas(types_mapper=nullable.get)
    exact = []
    for name, column in zip(table.schema.names, table.columns):
        if column.type == pa.int64() and column.null_count:
            span = pc.min_max(column).as_py()
            if span["min"] is not None and (span["min"] < -(2**53) or span["max"] > 2**53):
                exact.append(name)
    frame = table.drop(exact).to_pandas() if exact else table.to_pandas()
    for name in exact:
        frame[name] = table.column(name).to_pandas(types_mapper=nullable.get)
    return frame[list(table.schema.names)] if exact else frame

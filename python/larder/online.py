"""Online reads: the newest values of some entities."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any, Deque, Dict, List, Mapping, Optional, Tuple

from . import columns as cols
from ._native import call, error, ffi, lib, need
from .batch import Batch, to_polars
from .errors import InvalidError, near
from .handle import Handle
from .query import Query, freshness
from .table import html_table, text_table
from .times import Time, to_us

_spare: Deque[Any] = deque(maxlen=64)  # struct ldr_rows, with the memory of earlier reads


class OnlineFeatures:
    """What an online read answered: one row for each entity asked for, in that order; join keys first, then features.

    Each value has a status (PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE: past its ttl, and still here) and the
    event time of its fact.
    """

    def __init__(self, keys: Dict[str, List[Any]], batch: Batch) -> None:
        self.keys = keys
        self._batch = batch

    def __len__(self) -> int:
        return len(self._batch)

    @property
    def names(self) -> Tuple[str, ...]:
        return (*self.keys, *self._batch.names)

    def __getitem__(self, name: str) -> List[Any]:
        if name in self.keys:
            return self.keys[name]
        return self._batch.column(name)

    def to_dict(self) -> Dict[str, List[Any]]:
        """{column: [value, ...]}"""
        return {**self.keys, **self._batch.to_dict()}

    def to_rows(self) -> List[Dict[str, Any]]:
        """[{column: value, ...}, ...]"""
        data = self.to_dict()
        return [dict(zip(data, row)) for row in zip(*data.values())]

    def to_numpy(self) -> Dict[str, Any]:
        """{feature: array}; see Batch.numpy for nulls."""
        return {n: self._batch.numpy(n) for n in self._batch.names}

    def to_matrix(self, dtype: str = "float64") -> Any:
        """One numpy array, a row for each entity and a column for each feature, as models take it: numbers and bools alone, nulls
        become NaN."""
        return self._batch.matrix(dtype)

    def to_torch(self) -> Dict[str, Any]:
        """{column: tensor}, strings, bytes and lists as lists; see larder.torch.tensors."""
        need("torch", "to_torch()")
        whole = self.to_arrow().combine_chunks().to_batches()
        data: Dict[str, Any] = need("larder.torch", "to_torch()").tensors(whole[0]) if whole else {n: [] for n in self.names}
        return data

    def statuses(self, name: str) -> List[str]:
        return self._batch.statuses(name)

    def event_timestamps(self, name: str) -> List[Any]:
        return self._batch.event_timestamps(name)

    def created_timestamps(self, name: str) -> List[Any]:
        return self._batch.created_timestamps(name)

    def to_arrow(self) -> Any:
        """A pyarrow.Table of join keys and features."""
        pa = need("pyarrow", "to_arrow()", "'larder[arrow]'")
        features = self._features(pa)
        keys = [pa.array(v) for v in self.keys.values()]
        return pa.table([*keys, *features.columns], names=[*self.keys, *features.schema.names])

    def _features(self, pa: Any) -> Any:
        whole = self._batch.to_arrow()
        return pa.table([whole.column(n) for n in self._batch.names], names=list(self._batch.names))

    def to_pandas(self) -> Any:
        need("pandas", "to_pandas()", "'larder[pandas]'")
        return self.to_arrow().to_pandas()

    to_df = to_pandas

    def to_polars(self) -> Any:
        polars = need("polars", "to_polars()", "'larder[polars]'")
        whole = to_polars(polars, self._batch).select(list(self._batch.names))
        return polars.DataFrame(self.keys).hstack(whole) if self.keys else whole

    def _shown(self) -> List[Tuple[Any, ...]]:
        return list(zip(*self.to_dict().values()))[:20]

    def __repr__(self) -> str:
        return text_table(self.names, self._shown(), len(self), "null")

    def _repr_html_(self) -> str:
        return html_table(self.names, self._shown(), len(self), "null")


Entities = Any  # a mapping, a list of mappings, a frame, Arrow data


def key_columns(query: Query, entities: Entities) -> Tuple[cols.Columns, Dict[str, List[Any]]]:
    """Join keys as C columns, and as the caller gave them."""
    if isinstance(entities, Mapping):
        given = {k: entities[k] for k in query.keys if k in entities}
        if given and all(isinstance(v, (str, bytes)) or not hasattr(v, "__len__") for v in given.values()):
            given = {k: [v] for k, v in given.items()}  # one entity
        built = cols.from_mapping(given, query.keys, query.key_types)
    elif isinstance(entities, (list, tuple)):
        built = cols.from_rows(entities, query.keys, query.key_types)
        given = {k: [row[k] for row in entities] for k in query.keys}
    elif cols.is_pandas(entities) or cols.is_polars(entities):
        names = cols.column_names(entities)
        missing = [k for k in query.keys if k not in names]
        if missing:
            raise InvalidError(f"there is no column '{missing[0]}'{near(missing[0], names)}")
        given = {k: entities[k].to_numpy() if cols.is_pandas(entities) else entities[k].to_list() for k in query.keys}
        given = {k: _without_nan(v) for k, v in given.items()}
        built = cols.from_mapping(given, query.keys, query.key_types)
    elif cols.speaks_arrow(entities):
        pa = need("pyarrow", "reading keys from Arrow data", "'larder[arrow]'")
        table = pa.table(entities)
        given = {k: table.column(k).to_pylist() for k in query.keys if k in table.column_names}
        built = cols.from_mapping(given, query.keys, query.key_types)
    else:
        raise InvalidError(
            f"entities: expected a dict, a list of dicts or a data frame, found {type(entities).__name__}"
        )
    return built, {k: v if isinstance(v, list) else list(v) for k, v in given.items()}


def _without_nan(values: Any) -> Any:
    """pandas has NaN, None and NA for what is missing."""
    if getattr(values, "dtype", None) is not None and values.dtype.kind != "O":
        return values
    return [None if v is None or v != v or type(v).__name__ == "NAType" else v for v in values]


class _Read:
    """One read: its memory lives until the library is done."""

    def __init__(self, query: Query, entities: Entities, as_of: Optional[Time], known_at: Optional[Time], fresh: str):
        wanted = freshness(fresh)
        self.query = query
        self.columns, self.given = key_columns(query, entities)
        self.nrows = self.columns.rows
        self.keys = ffi.new("struct ldr_datum[]", max(self.nrows * len(query.keys), 1))
        lib.larder_rows_of(self.columns.pointer, len(query.keys), self.nrows, self.keys)
        opts = self.opts = ffi.new("struct ldr_online_opts *")
        opts.fresh = wanted
        if as_of is not None:
            opts.has_as_of, opts.as_of_us = True, to_us(as_of)
        if known_at is not None:
            opts.has_known_at, opts.known_at_us = True, to_us(known_at)
        try:
            self.rows = _spare.pop()
        except IndexError:
            out = ffi.new("struct ldr_rows **")
            if lib.ldr_rows_create(out):
                raise MemoryError from None
            self.rows = ffi.gc(out[0], lib.ldr_rows_destroy)

    def answer(self) -> OnlineFeatures:
        sides = ffi.new("struct ldr_historical_opts *", {"with_status": True, "with_times": True})
        out = ffi.new("struct ldr_batch **")
        call(lib.ldr_rows_batch, self.query.pointer, self.rows, sides, out)
        _spare.append(self.rows)
        return OnlineFeatures(self.given, Batch(out[0], self.query.columns))


def get(handle: Handle, query: Query, entities: Entities, *how: Any) -> OnlineFeatures:
    read = _Read(query, entities, *how)
    call(lib.ldr_online_get, query.pointer, read.keys, read.nrows, read.opts, read.rows)
    return read.answer()


# ---- asyncio ----

_waiting: Dict[int, Tuple[Any, Any, Any]] = {}  # address of a request -> loop, future, all that must stay
_waiting_lock = threading.Lock()


@ffi.def_extern()  # type: ignore[untyped-decorator, unused-ignore]
def larder_py_done(request: Any, code: int, err: Any) -> None:
    """On a thread of the store."""
    with _waiting_lock:
        loop, future, _ = _waiting[int(ffi.cast("uintptr_t", request))]
    wrong = error(code, err) if code else None
    try:
        loop.call_soon_threadsafe(_finish, request, future, wrong)
    except RuntimeError:  # the loop is closed: nobody waits any more
        _forget(request)


def _forget(request: Any) -> None:
    with _waiting_lock:
        _waiting.pop(int(ffi.cast("uintptr_t", request)), None)


def _finish(request: Any, future: Any, wrong: Optional[Exception]) -> None:
    _forget(request)
    if future.cancelled():
        return
    if wrong is not None:
        future.set_exception(wrong)
    else:
        future.set_result(None)


async def get_async(handle: Handle, query: Query, entities: Entities, *how: Any) -> OnlineFeatures:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    with handle:
        read = _Read(query, entities, *how)
        request = ffi.new("struct ldr_req *")
        request.done = lib.larder_py_done
        with _waiting_lock:
            _waiting[int(ffi.cast("uintptr_t", request))] = (loop, future, (request, read))
        code = lib.ldr_online_get_async(request, query.pointer, read.keys, read.nrows, read.opts, read.rows)
        if code:
            _forget(request)
            raise error(code, ffi.NULL)
    await future
    with handle:
        return read.answer()

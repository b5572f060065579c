"""History and training sets in parts that may be read anywhere: in processes and machines that share nothing with this one
but the way to the store.

    parts = larder.partitions(store, "account")                     # a view's history
    parts = larder.partitions(store, "account", entity_df=spine)    # a training set
    with ProcessPoolExecutor() as pool:
        tables = list(pool.map(larder.Partition.to_arrow, parts))

Together the parts are what `scan` or `get_historical_features` gives, each row once.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union, overload

from . import columns as cols
from . import worker
from ._native import call, ffi, lib, need
from .batch import arrow_types
from .definitions import FeatureService, FeatureView, feature_refs
from .errors import ConflictError, InvalidError
from .historical import TrainingSet, _to_pandas
from .parquet import Files, is_parquet
from .query import freshness
from .scan import Scanner
from .store import Features, Store, connect
from .times import Time, to_us

ROWS = 65536


class Partition:
    """A part of a view's history or of a training set. Pickles; opens a connection of its own where it is read, which the
    parts read in one process share. Iterating gives pyarrow.RecordBatches."""

    def __init__(self, url: str, options: Dict[str, Any], schema: Any, shard: Optional[int]) -> None:
        self.url = url
        self.schema = schema  # pyarrow.Schema
        self.shard = shard  # that it lay in when it was made; None: in several
        self._options = options

    def _read(self, store: Store, rows: int) -> Iterator[Any]:
        raise NotImplementedError

    def to_batches(self, rows: int = ROWS) -> Iterator[Any]:
        """pyarrow.RecordBatch after RecordBatch, of at most so many rows, read as they are asked for."""
        if rows < 1:
            raise InvalidError(f"rows: expected at least 1, found {rows}")
        for batch in worker.batches(self, rows):
            yield from (batch.slice(at, rows) for at in range(0, batch.num_rows, rows))

    def __iter__(self) -> Iterator[Any]:
        return self.to_batches()

    def to_arrow(self) -> Any:
        pa = need("pyarrow", "to_arrow()", "'larder[arrow]'")
        return pa.Table.from_batches(list(self.to_batches()), schema=self.schema)

    def to_pandas(self, dtype_backend: str = "numpy") -> Any:
        """As TrainingSet.to_pandas. With "pyarrow" and "nullable" all parts have the same dtypes."""
        return _to_pandas(need("pandas", "to_pandas()", "'larder[pandas]'"), self.to_arrow(), dtype_backend)

    def to_polars(self) -> Any:
        return need("polars", "to_polars()", "'larder[polars]'").from_arrow(self.to_arrow())

    def _places(self, schema: Any) -> List[int]:
        """Where the planned columns are: a view may have got features meanwhile, and a service others."""
        at = {f.name: i for i, f in enumerate(schema)}
        for f in self.schema:
            if f.name not in at or schema.field(at[f.name]).type != f.type:
                raise ConflictError(f"column {f.name} is not as it was when the partition was made: the definitions have changed")
        return [at[f.name] for f in self.schema]

    def _fit(self, pa: Any, batch: Any) -> Any:
        if batch.schema.equals(self.schema):
            return batch
        return pa.RecordBatch.from_arrays([batch.column(i) for i in self._places(batch.schema)], schema=self.schema)


class _HistoryPart(Partition):
    def __init__(self, arc: Tuple[int, int], view: str, options: Dict[str, Any], *rest: Any) -> None:
        super().__init__(*rest)
        self._arc, self._view, self._how = arc, view, options

    def __repr__(self) -> str:
        return f"<larder.Partition of {self._view} in {self.url}, {self._arc[0]:#x} to {self._arc[1]:#x}>"

    def _read(self, store: Store, rows: int) -> Iterator[Any]:
        pa = need("pyarrow", "reading a partition", "'larder[arrow]'")
        scanner = Scanner(store._handle, self._view, self._arc, **self._how)
        self._places(arrow_types(scanner.names, scanner.types))
        while True:
            batch = scanner.next(rows)
            if batch is None:
                return
            yield self._fit(pa, batch.to_arrow())


class _JoinPart(Partition):
    """spine: an Arrow stream, as bytes; or fragments of a Parquet dataset and its schema."""

    def __init__(self, spine: Any, features: Dict[str, Any], options: Dict[str, Any], *rest: Any) -> None:
        super().__init__(*rest)
        self._spine, self._features, self._how = spine, features, options

    def __repr__(self) -> str:
        what = self._features["service"] or ", ".join(self._features["features"])
        return f"<larder.Partition of a training set of {what} from {self.url}>"

    def _pieces(self, pa: Any, rows: int) -> Iterator[Any]:
        if isinstance(self._spine, bytes):
            yield from pa.ipc.open_stream(self._spine)
            return
        fragments, schema = self._spine
        for f in fragments:
            yield from f.to_batches(schema=schema, batch_size=rows)

    def _read(self, store: Store, rows: int) -> Iterator[Any]:
        pa = need("pyarrow", "reading a partition", "'larder[arrow]'")
        train = store.get_historical_features(self._pieces(pa, rows), **self._features, **self._how)
        for batch in train.to_batches(rows):
            yield self._fit(pa, batch)


class Partitions(Sequence[Partition]):
    """Partitions of one whole; a slice of them is one, too."""

    def __init__(self, parts: Sequence[Partition], schema: Any) -> None:
        self._parts = list(parts)
        self.schema = schema

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, at: int) -> Partition: ...

    @overload
    def __getitem__(self, at: slice) -> "Partitions": ...

    def __getitem__(self, at: Union[int, slice]) -> "Union[Partition, Partitions]":
        return Partitions(self._parts[at], self.schema) if isinstance(at, slice) else self._parts[at]

    def __repr__(self) -> str:
        return f"<{len(self)} partitions of {', '.join(self.schema.names)}>"

    def to_dask(self, dtype_backend: str = "pyarrow") -> Any:
        """A dask.dataframe, one partition for each of these."""
        dd = need("dask.dataframe", "to_dask()", "'dask[dataframe]'")
        meta = _to_pandas(need("pandas", "to_dask()"), self.schema.empty_table(), dtype_backend)
        return dd.from_map(Partition.to_pandas, self._parts, dtype_backend=dtype_backend, meta=meta)

    def to_ray(self) -> Any:
        """A ray.data.Dataset of Arrow blocks; partitions are read in Ray's workers."""
        data = need("ray.data", "to_ray()", "'ray[data]'")
        items = data.from_items(self._parts, override_num_blocks=max(len(self), 1))
        return items.map_batches(_tables, batch_size=1, batch_format="numpy")

    def to_torch(self, rows: int = 4096, transform: Any = None) -> Any:
        """A torch IterableDataset of batches; see larder.torch.Batches."""
        need("torch", "to_torch()")
        return need("larder.torch", "to_torch()").Batches(self, rows, transform)


def _tables(batch: Dict[str, Any]) -> Iterator[Any]:
    pa = need("pyarrow", "reading a partition", "'larder[arrow]'")
    for part in batch["item"]:
        yield part.schema.empty_table()  # so that a part without rows has columns all the same
        for one in part.to_batches():
            yield pa.Table.from_batches([one])


def partitions(
    store: Union[Store, str],
    features: Features = None,
    entity_df: Any = None,
    *,
    service: Union[str, FeatureService, None] = None,
    at_least: int = 0,
    deal: str = "shards",
    start: Optional[Time] = None,
    end: Optional[Time] = None,
    timestamp_column: str = "event_timestamp",
    known_at: Optional[Time] = None,
    known_at_column: Optional[str] = None,
    full_feature_names: bool = False,
    with_timestamps: bool = False,
    with_status: bool = False,
    fresh: str = "bounded",
) -> Partitions:
    """What `scan` or `get_historical_features` gives, in parts for processes of their own. Needs pyarrow.

    Without entity_df: the history of one view (features names it), one part for each shard, or at least `at_least` of them.
    Facts of an entity lie in one part, in order. start, end, known_at: as for scans and training sets.

    With entity_df: a training set. A frame, Arrow data or columns are dealt out: deal="shards", each row to a part in whose shard
    the entity of the first view lies, so that each part asks few nodes; or deal="rows", in pieces of equal size, which one
    behind the other have the order of the spine. A Parquet path (as for `ingest`) is not read here: each part reads row groups of
    its own.

    store: open, or a URL. Parts name it by its URL; a folder has to be reachable under its absolute path where they are read.
    """
    if isinstance(store, str):
        with connect(store, must_exist=store.startswith("local:")) as opened:
            return partitions(
                opened, features, entity_df, service=service, at_least=at_least, deal=deal, start=start, end=end,
                timestamp_column=timestamp_column, known_at=known_at, known_at_column=known_at_column,
                full_feature_names=full_feature_names, with_timestamps=with_timestamps, with_status=with_status, fresh=fresh,
            )  # fmt: skip
    freshness(fresh)
    url, known = _absolute(store.url), None if known_at is None else to_us(known_at)
    if entity_df is None:
        view = features.name if isinstance(features, FeatureView) else features
        if not isinstance(view, str) or service is not None or ":" in view or "," in view:
            raise InvalidError("without entity_df it is the history of one view: name it")
        how: Dict[str, Any] = {"start": start, "end": end, "known_at": known, "fresh": fresh}
        how.update({k: None if how[k] is None else to_us(how[k]) for k in ("start", "end")})
        return _history(store, url, view, at_least, how)
    if start is not None or end is not None:
        raise InvalidError("start and end are for the history of a view: a training set has the times of entity_df")
    if deal not in ("shards", "rows"):
        raise InvalidError(f"deal: expected shards or rows, found {deal!r}")
    join: Dict[str, Any] = {"timestamp_column": timestamp_column, "known_at": known, "known_at_column": known_at_column}
    join.update(with_timestamps=with_timestamps, with_status=with_status, fresh=fresh)
    return _Plan(store, url, features, service, full_feature_names, join).make(entity_df, at_least, deal)


def _absolute(url: str) -> str:
    return "local:" + os.path.abspath(url[6:]) if url.startswith("local:") else url


def _arcs(store: Store, at_least: int) -> List[Tuple[int, int, int]]:
    """First hash, last hash, shard."""
    n = ffi.new("size_t *")
    arcs = ffi.new("struct ldr_arc[]", 1)
    while True:
        room = len(arcs)
        with store._handle as s:
            call(lib.ldr_arcs_list, s, max(at_least, 0), arcs, room, n)
        if n[0] <= room:
            return [(int(a.first), int(a.last), int(a.shard)) for a in arcs[0 : n[0]]]
        arcs = ffi.new("struct ldr_arc[]", n[0])


def _history(store: Store, url: str, view: str, at_least: int, how: Dict[str, Any]) -> Partitions:
    scanner = Scanner(store._handle, view, (1, 0), **how)  # an empty one, for its columns
    schema = arrow_types(scanner.names, scanner.types)
    arcs = _arcs(store, at_least)
    rest = (url, store._options, schema)
    parts = [_HistoryPart((first, last), view, how, *rest, shard) for first, last, shard in arcs]
    return Partitions(parts, schema)


class _Plan:
    """A training set that is being dealt out."""

    def __init__(
        self, store: Store, url: str, features: Features, service: Any, full_names: bool, how: Dict[str, Any]
    ) -> None:
        if isinstance(features, FeatureService):
            features, service = None, features
        self._store, self._url, self._how = store, url, how
        self._features: Dict[str, Any] = {
            "features": [] if features is None else feature_refs(features),
            "service": service.name if isinstance(service, FeatureService) else service,
            "full_feature_names": full_names,
        }

    def _train(self, spine: Any) -> TrainingSet:
        return self._store.get_historical_features(spine, **self._features, **self._how)

    def _part(self, spine: Any, schema: Any, shard: Optional[int]) -> Partition:
        return _JoinPart(spine, self._features, self._how, self._url, self._store._options, schema, shard)

    def make(self, entity_df: Any, at_least: int, deal: str) -> Partitions:
        pa = need("pyarrow", "partitions of a training set", "'larder[arrow]'")
        if isinstance(entity_df, (str, os.PathLike)):
            return self._files(pa, os.fspath(entity_df), at_least)
        table = self._train(entity_df).spine_table(plain=True)
        train = self._train(table)
        arcs = _arcs(self._store, at_least)
        if deal == "shards":
            pieces = list(_dealt(train, table, arcs))
        else:
            each = max(-(-table.num_rows // len(arcs)), 1)
            pieces = [(table.slice(at, each), None) for at in range(0, table.num_rows, each)]
        schema = train.schema()
        return Partitions([self._part(_stream(pa, t), schema, shard) for t, shard in pieces or [(table, None)]], schema)

    def _files(self, pa: Any, path: str, at_least: int) -> Partitions:
        if not is_parquet(path):
            raise InvalidError(f"'{path}': a spine that is a path has to be Parquet")
        files = Files(path)
        schema = self._train(files.dataset.schema.empty_table()).schema()
        groups = [g for f in files.dataset.get_fragments() for g in f.split_by_row_group()]
        count = min(at_least, len(groups)) if at_least > 0 else len(groups)
        cuts = [len(groups) * i // max(count, 1) for i in range(count + 1)]
        pieces = [(groups[a:b], files.dataset.schema) for a, b in zip(cuts, cuts[1:])]
        parts = [self._part(p, schema, None) for p in pieces or [([], files.dataset.schema)]]
        return Partitions(parts, schema)


def _dealt(train: TrainingSet, table: Any, arcs: Sequence[Tuple[int, int, int]]) -> Iterator[Tuple[Any, Optional[int]]]:
    """Rows of one arc after the other, in their order, and the shard that it lies in."""
    np = need("numpy", "dealing rows out")
    ends = np.array([last for _, last, _ in arcs], dtype="uint64")
    arc_of = np.searchsorted(ends, np.concatenate([*train.hashes(), np.empty(0, "uint64")]))
    order = np.argsort(arc_of, kind="stable")
    starts = np.searchsorted(arc_of[order], np.arange(len(arcs) + 1))
    for (_, _, shard), a, b in zip(arcs, starts, starts[1:]):
        if b > a:
            yield table.take(order[a:b]), shard


def _stream(pa: Any, table: Any) -> bytes:
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    data: bytes = out.getvalue().to_pybytes()
    return data

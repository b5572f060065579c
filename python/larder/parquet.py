"""Parquet, in folders and object stores, by way of pyarrow's datasets.

A path is a file, a folder (with hive partitions, `day=2024-05-01/...`), a pattern (`data/*.parquet`), or the same behind
`s3://`, `gs://` or `abfs://`. What a store needs to be reached goes into the URL, as pyarrow has it
(`s3://bucket/x.parquet?region=eu-central-1&endpoint_override=http://...`), or into the environment (places.py).
"""

from __future__ import annotations

import fnmatch
import glob
import os
import posixpath
from typing import Any, Iterator, List, Optional, Sequence, Tuple

from . import places
from ._native import need
from .errors import InvalidError, LarderError, NotFoundError, StoreIOError
from .parquet_write import INCOMPLETE
from .parquet_write import write as write
from .places import inside as inside
from .times import from_us

SUFFIXES = (".parquet", ".pq")


def is_parquet(path: str, format: Optional[str] = None) -> bool:
    """Whether a path is read here: by the name of its format, its suffix, or for being a URL."""
    if format is not None:
        return format == "parquet"
    return "://" in path or path.split("?")[0].endswith(SUFFIXES) or (os.path.isdir(path) and not path.endswith("/-"))


class Files:
    """What a path stands for: a dataset, and how many files that are."""

    def __init__(self, path: str, folder: str = ".") -> None:
        need("pyarrow", "reading Parquet", "'larder[arrow]'")
        ds, fs = need("pyarrow.dataset", "reading Parquet"), need("pyarrow.fs", "reading Parquet")
        self.path = shown = places.shown(path)
        self._url = path
        try:
            if places.far(path):
                files, system, base = self._remote(fs, path)
            else:
                files, system, base = self._local(fs, path if os.path.isabs(path) else os.path.join(folder, path))
            if not files:
                raise NotFoundError(f"no file matches '{shown}'")
            self.dataset = ds.dataset(
                files, format="parquet", filesystem=system, partitioning="hive", partition_base_dir=base
            )
            self.count = len(files)
        except FileNotFoundError:
            raise NotFoundError(f"no file matches '{shown}'") from None
        except places.failures() as e:
            if isinstance(e, LarderError):
                raise
            raise places.failed(path, "cannot be read", e, (system, files[0]) if places.far(path) else None) from None

    @staticmethod
    def _local(fs: Any, path: str) -> Tuple[List[str], Any, str]:
        if os.path.isdir(path):
            found = []
            for folder, below, names in os.walk(path):
                below[:] = [d for d in below if not _hidden(d)]
                found += [os.path.join(folder, f) for f in names if f.endswith(SUFFIXES) and not _hidden(f)]
            return sorted(found), fs.LocalFileSystem(), path
        found = [path] if os.path.exists(path) else [f for f in glob.glob(path, recursive=True) if os.path.isfile(f)]
        return sorted(found), fs.LocalFileSystem(), places.base(path)

    @staticmethod
    def _remote(fs: Any, url: str) -> Tuple[List[str], Any, str]:
        place, options = places.split(url)
        # a pattern is no URL: the file system is made from what stands before it
        base = places.base(place)
        system, inside = places.open_place(base + options)
        try:
            if base == place:
                info = system.get_file_info(inside)
                if info.type == fs.FileType.File:
                    return [inside], system, posixpath.dirname(inside)
            listed = system.get_file_info(fs.FileSelector(inside, recursive=True, allow_not_found=True))
        except places.failures() as e:
            raise places.failed(url, "cannot be read", e, (system, inside)) from None
        found = [i.path for i in listed if i.type == fs.FileType.File]
        for f in found:
            if posixpath.basename(f) == INCOMPLETE:
                whose = posixpath.dirname(f)
                raise StoreIOError(f"'{places.shown(url)}' cannot be read: what is in {whose} is being written, or was not written to its end")
        if base == place:
            cut = len(inside.rstrip("/")) + 1
            return sorted(f for f in found if f.endswith(SUFFIXES) and not any(map(_hidden, f[cut:].split("/")))), system, inside
        pattern = inside + place[len(base) :]
        return sorted(f for f in found if _matches(f, pattern)), system, inside

    @property
    def names(self) -> List[str]:
        names: List[str] = self.dataset.schema.names
        return names

    def tables(
        self,
        columns: Sequence[str],
        event: str,
        start_us: Optional[int],
        end_us: Optional[int],
        rows: int,
    ) -> Iterator[Any]:
        """Tables of at most about `rows` rows with these columns. Of a range only what may lie in it is read: row groups
        are left out by their statistics, files by their partitions."""
        pa = need("pyarrow", "reading Parquet")
        scanner = self.dataset.scanner(columns=list(dict.fromkeys(columns)), filter=self._filter(event, start_us, end_us))
        held: List[Any] = []
        count = 0
        try:
            for batch in scanner.to_batches():
                if batch.num_rows == 0:
                    continue
                held.append(batch)
                count += batch.num_rows
                if count >= rows:
                    yield pa.Table.from_batches(held).combine_chunks()
                    held, count = [], 0
        except places.failures() as e:
            place = (self.dataset.filesystem, self.dataset.files[0]) if places.far(self._url) else None
            raise places.failed(self._url, "cannot be read to its end", e, place) from None
        if held:
            yield pa.Table.from_batches(held).combine_chunks()

    def _filter(self, event: str, start_us: Optional[int], end_us: Optional[int]) -> Any:
        if start_us is None and end_us is None:
            return None
        pa, ds = need("pyarrow", "this"), need("pyarrow.dataset", "this")
        kind = self.dataset.schema.field(event).type
        column = ds.field(event)
        out: Any = ~column.is_valid()  # a null time is an error, not a row out of range
        both: Any = None
        for us, low in ((start_us, True), (end_us, False)):
            if us is None:
                continue
            bound = _scalar(pa, kind, us, event, low)
            one = column >= bound if low else column <= bound
            both = one if both is None else both & one
        return out | both


def _scalar(pa: Any, kind: Any, us: int, event: str, low: bool) -> Any:
    """A bound in the column's own type: of a coarser one the first, or the last, that lies within."""
    if pa.types.is_integer(kind):
        return pa.scalar(us, kind)
    day = 86_400_000_000
    if pa.types.is_date(kind):
        days = -(-us // day) if low else us // day
        return pa.scalar(from_us(days * day).date(), pa.date32()).cast(kind)
    if pa.types.is_timestamp(kind):
        times, divisor = {"s": (1, 1_000_000), "ms": (1, 1000), "us": (1, 1), "ns": (1000, 1)}[kind.unit]
        value = -(-us * times // divisor) if low else us * times // divisor
        return pa.scalar(min(max(value, 1 - 2**63), 2**63 - 1), pa.int64()).cast(kind)
    raise InvalidError(f"column {event}: expected a time, found {kind}")


def _hidden(name: str) -> bool:
    """What a folder has beside its data, as every reader of such folders has it."""
    return name.startswith((".", "_"))


def _matches(path: str, pattern: str) -> bool:
    """As a shell has it: `*` stays within one folder, `**` does not."""
    have, want = path.split("/"), pattern.split("/")
    if "**" in want:
        at = want.index("**")
        rest = want[at + 1 :]
        if len(have) < at + len(rest):
            return False
        head, tail = have[:at], have[len(have) - len(rest) :] if rest else []
        return _same(head, want[:at]) and _same(tail, rest)
    return _same(have, want)


def _same(have: Sequence[str], want: Sequence[str]) -> bool:
    return len(have) == len(want) and all(fnmatch.fnmatchcase(h, w) for h, w in zip(have, want))

"""Parquet, in folders and object stores, by way of pyarrow's datasets.

A path is a file, a folder (with hive partitions, `day=2024-05-01/...`), a pattern (`data/*.parquet`), or the same behind
`s3://`, `gs://` or `abfs://`. What a store needs to be reached goes into the URL, as pyarrow has it
(`s3://bucket/x.parquet?region=eu-central-1&endpoint_override=http://...`), or into the environment.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import posixpath
import tempfile
from typing import Any, Iterator, List, Optional, Sequence, Tuple

from ._native import need
from .errors import InvalidError, LarderError, NotFoundError, StoreIOError
from .times import from_us

SUFFIXES = (".parquet", ".pq")
_PATTERN = "*?["


def is_parquet(path: str, format: Optional[str] = None) -> bool:
    """Whether a path is read here: by the name of its format, its suffix, or for being a URL."""
    if format is not None:
        return format == "parquet"
    return "://" in path or path.split("?")[0].endswith(SUFFIXES) or (os.path.isdir(path) and not path.endswith("/-"))


def _split(url: str) -> Tuple[str, str]:
    """A URL's place and its options. A `?` may be part of a pattern, too: options have a `=`."""
    place, mark, options = url.rpartition("?")
    return (place, mark + options) if mark and "=" in options else (url, "")


def inside(folder: str, name: str) -> str:
    """The path of a file in a folder, which may be a URL with options."""
    place, options = _split(folder) if "://" in folder else (folder, "")
    return f"{place.rstrip('/')}/{name}{options}"


def _without_secrets(path: str) -> str:
    """As it may be shown: without credentials and options."""
    if "://" not in path:
        return path
    scheme, _, rest = _split(path)[0].partition("://")
    place, slash, inside = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{inside}"


def _base(path: str) -> str:
    """The folder above the first part that is a pattern."""
    parts = path.split("/")
    fixed = []
    for p in parts:
        if any(c in p for c in _PATTERN):
            break
        fixed.append(p)
    return "/".join(fixed) if len(fixed) < len(parts) else path


class Files:
    """What a path stands for: a dataset, and how many files that are."""

    def __init__(self, path: str, folder: str = ".") -> None:
        pa = need("pyarrow", "reading Parquet", "'larder[arrow]'")
        ds, fs = need("pyarrow.dataset", "reading Parquet"), need("pyarrow.fs", "reading Parquet")
        self.path = shown = _without_secrets(path)
        try:
            if "://" in path:
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
        except (OSError, pa.ArrowInvalid) as e:
            raise StoreIOError(f"'{shown}' cannot be read: {e}") from e

    @staticmethod
    def _local(fs: Any, path: str) -> Tuple[List[str], Any, str]:
        if os.path.isdir(path):
            found = [os.path.join(d, f) for d, _, names in os.walk(path) for f in names if f.endswith(SUFFIXES)]
            return sorted(found), fs.LocalFileSystem(), path
        found = [path] if os.path.exists(path) else [f for f in glob.glob(path, recursive=True) if os.path.isfile(f)]
        return sorted(found), fs.LocalFileSystem(), _base(path)

    @staticmethod
    def _remote(fs: Any, url: str) -> Tuple[List[str], Any, str]:
        place, options = _split(url)
        # a pattern is no URL: the file system is made from what stands before it
        base = _base(place)
        system, inside = fs.FileSystem.from_uri(base + options)
        if base == place:
            info = system.get_file_info(inside)
            if info.type == fs.FileType.File:
                return [inside], system, posixpath.dirname(inside)
        listed = system.get_file_info(fs.FileSelector(inside, recursive=True, allow_not_found=True))
        found = [i.path for i in listed if i.type == fs.FileType.File]
        if base == place:
            return sorted(f for f in found if f.endswith(SUFFIXES)), system, inside
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
        except (OSError, pa.ArrowInvalid) as e:
            raise StoreIOError(f"'{self.path}' cannot be read to its end: {e}", retryable=True) from e
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


def write(batches: Iterator[Any], schema: Any, path: str, partition_by: Sequence[str] = ()) -> int:
    """Record batches into one file, or a folder of hive partitions. A file appears only when it is complete; a folder must
    be new or empty. How many rows."""
    pa = need("pyarrow", "writing Parquet", "'larder[arrow]'")
    ds, fs = need("pyarrow.dataset", "writing Parquet"), need("pyarrow.fs", "writing Parquet")
    pq = need("pyarrow.parquet", "writing Parquet")
    rows = 0

    def counted() -> Iterator[Any]:
        nonlocal rows
        for b in batches:
            rows += b.num_rows
            yield b

    far = "://" in path
    system, inside = fs.FileSystem.from_uri(path) if far else (fs.LocalFileSystem(), path)
    try:
        if partition_by:
            _check_free(system, fs, inside, path)
            kinds = pa.schema([schema.field(n) for n in partition_by])
            reader = pa.RecordBatchReader.from_batches(schema, counted())
            ds.write_dataset(
                reader, inside, filesystem=system, format="parquet", partitioning=ds.partitioning(kinds, flavor="hive"),
                existing_data_behavior="error",
            )  # fmt: skip
            return rows
        # whole first, then under its name: what is copied to a store appears there when the copy is complete
        with tempfile.TemporaryDirectory(prefix=".larder-", dir=None if far else os.path.dirname(inside) or ".") as folder:
            part = os.path.join(folder, "part.parquet")
            with pq.ParquetWriter(part, schema) as writer:
                for b in counted():
                    writer.write_batch(b)
            if far:
                fs.copy_files(part, inside, fs.LocalFileSystem(), system)
            else:
                os.replace(part, inside)
        return rows
    except OSError as e:
        if isinstance(e, LarderError):
            raise
        raise StoreIOError(f"'{_without_secrets(path)}' cannot be written: {e}") from e


def _check_free(system: Any, fs: Any, inside: str, path: str) -> None:
    if system.get_file_info(fs.FileSelector(inside, recursive=True, allow_not_found=True)):
        raise InvalidError(f"'{_without_secrets(path)}' is there already: a partitioned set needs a folder that is new or empty")

"""Feast's sources: Parquet files, a folder of them, or a pattern, here or behind s3://, gs://, abfs://."""

from __future__ import annotations

import copy
import fcntl
import os
import uuid
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple
from urllib.parse import quote, urlencode

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.infra.offline_stores.file_source import FileSource
from feast.repo_config import RepoConfig

from larder import parquet
from larder.errors import InvalidError, UnsupportedError
from larder.times import to_us

ROWS = 1_000_000  # of a table that is read at once
# As long after a change another one may leave the same time behind: clocks of file systems tick.
_FRESH_NS = {"here": 50_000_000, "far": 2_000_000_000}
Mark = Tuple[int, ...]  # what tells one content of a file from another


def location(config: RepoConfig, source: FileSource) -> str:
    """A path, or a URL with all that is needed to read it."""
    path = str(FileSource.get_uri_for_file_path(config.repo_path, source.path))
    if "://" not in path:
        return path
    scheme, _, rest = path.partition("://")
    credentials: Dict[str, str] = getattr(source, "resolve_credentials", dict)() or {}
    if "AWS_SESSION_TOKEN" in credentials:
        raise UnsupportedError(f"{path}: temporary credentials of a connection_ref: give them in the environment instead")
    if credentials.get("AWS_ACCESS_KEY_ID") and scheme == "s3":
        user, secret = credentials["AWS_ACCESS_KEY_ID"], credentials.get("AWS_SECRET_ACCESS_KEY", "")
        rest = f"{quote(user, safe='')}:{quote(secret, safe='')}@{rest}"
    options = {"endpoint_override": source.s3_endpoint_override, "region": credentials.get("AWS_DEFAULT_REGION")}
    given = urlencode({k: v for k, v in options.items() if v})
    return f"{scheme}://{rest}" + (f"?{given}" if given else "")


def check_kind(source: Optional[DataSource], whose: str) -> FileSource:
    """Of what can be read here, or an error that says what was found."""
    if source is None:
        raise UnsupportedError(f"{whose} has no batch source: there is nothing to read its history from")
    if not isinstance(source, FileSource):
        raise UnsupportedError(
            f"the source of {whose} is a {type(source).__name__}: Larder's offline store reads FileSource. Export it to Parquet, "
            "or load it with `larder ingest`"
        )
    if source.file_format is not None and not isinstance(source.file_format, ParquetFormat):
        raise UnsupportedError(f"the source of {whose} has the format {source.file_format}: Larder's offline store reads Parquet")
    return source


class Columns:
    """Names of a source's columns, by the names that Feast's definitions use."""

    def __init__(self, source: FileSource, names: Sequence[str]) -> None:
        self._names = set(names)
        self._from: Dict[str, str] = {feature: column for column, feature in (source.field_mapping or {}).items()}

    def find(self, name: str) -> Optional[str]:
        column = self._from.get(name, name)
        if column in self._names:
            return column
        return name if name in self._names else None


class Files(parquet.Files):
    """The files that a source names at this moment."""

    def __init__(self, config: RepoConfig, source: FileSource) -> None:
        super().__init__(location(config, source))
        self.far = "://" in self.path

    def marks(self) -> Dict[str, Mark]:
        """One a file."""
        if self.far:
            infos = self.dataset.filesystem.get_file_info(self.dataset.files)
            return {i.path: (i.size or 0, i.mtime_ns or 0) for i in infos}
        return {f: (a.st_size, a.st_mtime_ns, a.st_ino) for f, a in ((f, os.stat(f)) for f in self.dataset.files)}

    def settled(self, marks: Dict[str, Mark], looked_ns: int) -> Dict[str, Mark]:
        """Marks to compare with later ones: of a file that may have changed again without its mark changing, since it was looked at
        just after it was written, one that equals no other."""
        latest = looked_ns - _FRESH_NS["far" if self.far else "here"]
        return {f: m if m[1] < latest else () for f, m in marks.items()}

    def only(self, paths: Sequence[str]) -> "Files":
        """Some of the files."""
        wanted = set(paths)
        part = copy.copy(self)
        kept = [f for f in self.dataset.get_fragments() if f.path in wanted]
        part.dataset = ds.FileSystemDataset(kept, self.dataset.schema, self.dataset.format, self.dataset.filesystem)
        part.count = len(kept)
        return part


def rows(
    config: RepoConfig, source: FileSource, columns: Sequence[str], event: str, start: Optional[datetime], end: Optional[datetime]
) -> Iterator[Any]:
    """Tables with these columns of the source (none: all), rows with start <= event time <= end."""
    files = Files(config, source)
    wanted = list(dict.fromkeys(columns or files.names))
    lacking = [c for c in (*wanted, event) if c not in files.names]
    if lacking:
        raise InvalidError(f"{files.path} has no column {', '.join(repr(c) for c in lacking)} (it has {', '.join(files.names)})")
    lo, hi = (None if t is None else to_us(t) for t in (start, end))
    for table in files.tables([*wanted, event], event, lo, hi, ROWS):
        known = table.filter(pc.is_valid(table.column(event)))
        yield utc(known.select(wanted))


def utc(table: Any) -> Any:
    """Times without a zone are of UTC."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            table = table.set_column(i, field.name, table.column(i).cast(pa.timestamp(field.type.unit, "UTC")))
    return table


def append(config: RepoConfig, source: FileSource, table: Any) -> None:
    """Rows to a source: a folder gets one file more; a file is written anew and appears when it is whole."""
    place = location(config, source)
    if _is_folder(place):
        files = _existing(place)
        if files is not None:
            table = table.cast(files.dataset.schema)
        parquet.write(iter(table.to_batches()), table.schema, parquet.inside(place, f"part-{uuid.uuid4().hex}.parquet"))
        return
    with _one_at_a_time(place):
        before = Files(config, source)
        if before.count > 1:
            raise UnsupportedError(f"{before.path} is a pattern of {before.count} files: rows can be added to a folder or to one file")
        old = pq.read_table(before.dataset.files[0], filesystem=before.dataset.filesystem, partitioning=None)
        if table.schema != old.schema:
            table = table.cast(old.schema)
        whole = pa.concat_tables([old, table])
        parquet.write(iter(whole.to_batches()), whole.schema, place)


def _is_folder(place: str) -> bool:
    if "://" not in place:
        return os.path.isdir(place)
    system, path = fs.FileSystem.from_uri(place)
    return bool(system.get_file_info(path).type == fs.FileType.Directory)


def _existing(folder: str) -> Optional[parquet.Files]:
    try:
        return parquet.Files(folder)
    except LookupError:
        return None


@contextmanager
def _one_at_a_time(path: str) -> Iterator[None]:
    """Two writers of one file would each leave out the other's rows."""
    if "://" in path:
        yield
        return
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def newest(tables: Iterator[Any], keys: Sequence[str], event: str, created: Optional[str]) -> Any:
    """Of each entity the row with the newest event time, then the newest created time. Not of no tables."""
    held: Optional[Any] = None
    for table in tables:
        table = table if held is None else pa.concat_tables([held, table])
        ranks = pa.table({str(i): _rank(table.column(c)) for i, c in enumerate(c for c in (event, created) if c)})
        table = table.take(pc.sort_indices(ranks, sort_keys=[(c, "ascending") for c in ranks.column_names]))
        if keys:
            numbered = table.select(list(keys)).append_column("larder row", pa.array(range(table.num_rows), pa.int64()))
            last = numbered.group_by(list(keys)).aggregate([("larder row", "max")]).column("larder row_max")
            held = table.take(last.take(pc.array_sort_indices(last)))
        else:
            held = table.slice(max(table.num_rows - 1, 0))
    return held


def _rank(times: Any) -> Any:
    """Numbers to sort by, a time that is not known before all others."""
    if pa.types.is_date(times.type):
        times = times.cast(pa.timestamp("ms"))
    return pc.fill_null(times.cast(pa.int64()), -(2**63))

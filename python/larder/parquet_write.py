"""Writing Parquet: whole first, on a disk of this machine, then under its name.

A local file or folder is renamed. In an object store an object appears when its last byte has arrived; a folder of them has the
file `_larder_incomplete`, which lists what belongs to it, from before the first until after the last: who finds it there writes
anew, and nobody here reads such a folder (parquet.py).
"""

from __future__ import annotations

import ctypes
import os
import posixpath
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterator, List, Sequence

from . import places
from ._native import need
from .errors import InvalidError, LarderError

INCOMPLETE = "_larder_incomplete"
_CHUNK = 8 << 20
_AT_ONCE = 8  # objects on their way


def write(batches: Iterator[Any], schema: Any, path: str, partition_by: Sequence[str] = ()) -> int:
    """Record batches into one file, or a folder of hive partitions, which must be new or empty. It appears when it is complete.
    How many rows. Object stores: by way of a temporary folder here (TMPDIR)."""
    need("pyarrow", "writing Parquet", "'larder[arrow]'")
    fs = need("pyarrow.fs", "writing Parquet")
    far = places.far(path)
    system, inside = places.open_place(path) if far else (fs.LocalFileSystem(), os.path.abspath(path))
    parent = None if far else os.path.dirname(inside)
    try:
        if partition_by:
            _check_free(system, fs, inside, path)
            if parent:
                os.makedirs(parent, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".larder-", dir=parent) as folder:
            whole = os.path.join(folder, "whole")
            rows = _partitions(batches, schema, whole, partition_by) if partition_by else _file(batches, schema, whole)
            if not far:
                os.replace(whole, inside)
            elif partition_by:
                _put_folder(system, fs, whole, inside, path)
            else:
                _put(system, whole, inside)
        return rows
    except (places.failures() if far else OSError) as e:
        if isinstance(e, LarderError):
            raise
        raise places.failed(path, "cannot be written", e, (system, inside) if far else None) from None


def _counted(batches: Iterator[Any], rows: List[int]) -> Iterator[Any]:
    for b in batches:
        rows[0] += b.num_rows
        yield b


def _file(batches: Iterator[Any], schema: Any, path: str) -> int:
    pq = need("pyarrow.parquet", "writing Parquet")
    rows = [0]
    with pq.ParquetWriter(path, schema) as writer:
        for b in _counted(batches, rows):
            writer.write_batch(b)
    return rows[0]


def _partitions(batches: Iterator[Any], schema: Any, folder: str, by: Sequence[str]) -> int:
    pa, ds = need("pyarrow", "writing Parquet"), need("pyarrow.dataset", "writing Parquet")
    rows = [0]
    kinds = pa.schema([schema.field(n) for n in by])
    reader = pa.RecordBatchReader.from_batches(schema, _counted(batches, rows))
    os.mkdir(folder)
    ds.write_dataset(reader, folder, format="parquet", partitioning=ds.partitioning(kinds, flavor="hive"))
    return rows[0]


def _put(system: Any, path: str, to: str) -> None:
    """One object. Not by copy_files, which does not tell of parts that never arrived."""
    stream = system.open_output_stream(to)
    try:
        with open(path, "rb") as source:
            for data in iter(lambda: source.read(_CHUNK), b""):
                stream.write(data)
    except BaseException:
        # to close it, or to let it go, would make an object of what has been written so far: nobody ever does
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(stream))
        raise
    stream.close()
    size, there = os.path.getsize(path), system.get_file_info(to).size
    if there != size:
        raise OSError(f"{size} bytes were written, and {there or 'none'} are there")


def _put_folder(system: Any, fs: Any, folder: str, inside: str, path: str) -> None:
    names = sorted(os.path.relpath(os.path.join(d, f), folder) for d, _, files in os.walk(folder) for f in files)
    mark = f"{inside}/{INCOMPLETE}"
    try:
        with system.open_output_stream(mark) as out:
            out.write("\n".join(names).encode())
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = [pool.submit(_put, system, os.path.join(folder, n), f"{inside}/{n}") for n in names]
            try:
                for r in running:
                    r.result()
            except BaseException:
                for r in running:
                    r.cancel()
                raise
        system.delete_file(mark)
    except BaseException as e:
        try:
            system.delete_dir_contents(inside, missing_dir_ok=True)
        except places.failures():
            if isinstance(e, places.failures()):
                failed = places.failed(path, "cannot be written", e)
                failed.message += f"; what is there is marked by {INCOMPLETE}, and the next attempt writes anew"
                raise failed from None
        raise


def _check_free(system: Any, fs: Any, inside: str, path: str) -> None:
    """That there is nothing; what an attempt before left behind is removed."""
    found: Dict[str, Any] = {
        i.path: i for i in system.get_file_info(fs.FileSelector(inside, recursive=True, allow_not_found=True)) if i.type == fs.FileType.File
    }
    mark = posixpath.join(inside, INCOMPLETE)
    if mark in found:
        with system.open_input_stream(mark) as source:
            ours = {posixpath.join(inside, n) for n in source.read().decode().split("\n")}
        if set(found) <= ours | {mark}:
            for p in [p for p in found if p != mark] + [mark]:
                system.delete_file(p)
            return
    if found:
        raise InvalidError(f"'{places.shown(path)}' is there already: a partitioned set needs a folder that is new or empty")

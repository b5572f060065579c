"""Reading partitions where they are wanted: connections of this process, and a process to read for one that cannot.

A process that was forked off from one with an open store can open neither a cluster nor a folder that nobody has (handle.py).
It starts `python -c` with this module instead, which reads for it and hands record batches over a pipe: Arrow streams, each
behind a byte that says what it is and eight for its length.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, IO, Any, Dict, Iterator, List, Tuple

from . import handle as _handle
from ._native import need
from .errors import LarderError, StoreIOError, UnsupportedError
from .store import Store

if TYPE_CHECKING:
    from .partition import Partition

_HEAD = struct.Struct("<cQ")
_BATCH, _ERROR, _END = b"B", b"E", b"."


# ---- Connections ----


class _Shared:
    """Stores that the partitions read in this process have open: one for each URL. A cluster stays open; a folder is closed
    behind its last reader, since whoever has it open may be asked to serve it to others."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stores: Dict[Tuple[str, str], List[Any]] = {}  # key -> store, users

    @contextmanager
    def store(self, url: str, options: Dict[str, Any]) -> Iterator[Store]:
        key = (url, repr(sorted(options.items())))
        with self.lock:
            entry = self.stores.get(key)
            if entry is None or entry[0].closed:
                entry = self.stores[key] = [Store(url, **{**options, "must_exist": True}), 0]
            entry[1] += 1
        try:
            yield entry[0]
        finally:
            with self.lock:
                entry[1] -= 1
                if entry[1] == 0 and url.startswith("local:") and self.stores.get(key) is entry:
                    del self.stores[key]
                    entry[0].close()


_shared = _Shared()
_helpers: List["Helper"] = []  # idle ones


def _forked() -> None:
    global _shared
    _shared = _Shared()  # the parent's stores are closed here, and its lock may be held
    _helpers.clear()


os.register_at_fork(after_in_child=_forked)


def batches(part: "Partition", rows: int) -> Iterator[Any]:
    """The partition's record batches."""
    shared = _shared.store(part.url, part._options)
    try:
        store = shared.__enter__()
    except UnsupportedError:
        if not _handle.forked():
            raise
        yield from _by_helper(part, rows)
        return
    try:
        yield from part._read(store, rows)
    finally:
        shared.__exit__(None, None, None)


# ---- Another process ----


class Helper:
    """A process that reads partitions for this one."""

    def __init__(self) -> None:
        code = f"import sys; sys.path[:] = {sys.path!r}; from larder.worker import serve; serve()"
        self._process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, part: "Partition", rows: int) -> Iterator[Any]:
        pa = need("pyarrow", "reading a partition", "'larder[arrow]'")
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            _put(self._process.stdin, _BATCH, pickle.dumps((part, rows)))
        except BrokenPipeError:
            raise self._gone() from None
        while True:
            kind, data = self._get(self._process.stdout)
            if kind == _END:
                return
            if kind == _ERROR:
                raise pickle.loads(data)
            yield from pa.ipc.open_stream(data)

    def _get(self, source: IO[bytes]) -> Tuple[bytes, bytes]:
        head = source.read(_HEAD.size)
        if len(head) == _HEAD.size:
            kind, n = _HEAD.unpack(head)
            data = source.read(n)
            if len(data) == n:
                return kind, data
        raise self._gone()

    def _gone(self) -> LarderError:
        return StoreIOError(f"the process that reads for this one ended (status {self._process.wait()})", retryable=True)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def _by_helper(part: "Partition", rows: int) -> Iterator[Any]:
    helper = _helpers.pop() if _helpers else Helper()
    done = False
    try:
        yield from helper.read(part, rows)
        done = True
    finally:
        if done:
            _helpers.append(helper)
        else:
            helper.end()  # there is more in the pipe than anybody wants


def _put(to: IO[bytes], kind: bytes, data: bytes) -> None:
    to.write(_HEAD.pack(kind, len(data)))
    to.write(data)
    to.flush()


def serve() -> None:
    """The other process: until nobody asks any more."""
    pa = need("pyarrow", "reading a partition", "'larder[arrow]'")
    source, to = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what else is printed must not get between
    while True:
        head = source.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        part, rows = pickle.loads(source.read(_HEAD.unpack(head)[1]))
        try:
            for batch in batches(part, rows):
                out = pa.BufferOutputStream()
                with pa.ipc.new_stream(out, batch.schema) as writer:
                    writer.write_batch(batch)
                _put(to, _BATCH, out.getvalue())
            _put(to, _END, b"")
        except BrokenPipeError:
            return
        except Exception as e:
            _put(to, _ERROR, pickle.dumps(e))

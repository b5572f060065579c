"""An open store: who may call into it, and when it is closed.

The C library allows any number of threads at once, but none while it closes. In a process that was forked off, its threads
(and those of RocksDB and nng under it) do not exist: there an inherited store is refused, and so is opening a cluster
when the parent had a store before the fork. A folder may be opened anew while another process has it (the library sees to that).
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import OrderedDict
from typing import Any, Dict, Optional, Tuple

from ._native import call, encode, ffi, lib
from .errors import ClosedError, UnsupportedError
from .query import Query

_generation = 0
_used = False  # a store was opened in this process, or in one that it was forked off from
_QUERIES = 256


def _forked() -> None:
    global _generation
    if _used:
        _generation += 1
        lib.larder_exit_at_once()


def forked() -> bool:
    """Whether this process was forked off from one that had opened a store."""
    return _generation > 0


_open: "weakref.WeakSet[Handle]" = weakref.WeakSet()
os.register_at_fork(after_in_child=_forked)


@atexit.register
def _close_all() -> None:
    for handle in list(_open):
        handle.close()


class Handle:
    """`with handle as store:` guards one call into the library."""

    def __init__(self, url: str, options: Dict[str, Any]) -> None:
        self.url = url
        self._generation = _generation
        self._lock = threading.Condition(threading.Lock())
        self._busy = 0
        self._closed = False
        self._queries: "OrderedDict[Tuple[Optional[str], Tuple[str, ...], bool], Query]" = OrderedDict()
        self._made: "weakref.WeakSet[Any]" = weakref.WeakSet()
        opts = ffi.new("struct ldr_open_opts *")
        keep = encode(options.pop("cache_dir", None))
        opts.cache_dir = keep
        for name, value in options.items():
            setattr(opts, name, value)
        opts.log = lib.larder_py_log
        global _used
        if _generation and not url.startswith("local:"):
            raise UnsupportedError(
                f"{url} cannot be opened here: this process was forked off from one that had opened a store, and background "
                "threads do not come along. Open stores after forking only, or start processes by "
                'multiprocessing.get_context("spawn")'
            )
        _used = True
        out = ffi.new("struct ldr_store **")
        call(lib.ldr_open, encode(url), opts, out)
        self._store = out[0]
        _open.add(self)

    def __enter__(self) -> Any:
        if self._generation != _generation:
            raise ClosedError(
                f"{self.url} was opened before this process ({os.getpid()}) was forked off, and background threads do not "
                'come along. Open stores after forking only, or start processes by multiprocessing.get_context("spawn")'
            )
        with self._lock:
            if self._closed:
                raise ClosedError(f"{self.url} is closed")
            self._busy += 1
        return self._store

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._busy -= 1
            if self._closed and not self._busy:
                self._lock.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed or self._generation != _generation

    def query(self, service: Optional[str], features: Tuple[str, ...], full_names: bool) -> Query:
        """From the cache, or made. Within `with handle`."""
        key = (service, features, full_names)
        with self._lock:
            found = self._queries.get(key)
            if found is not None:
                self._queries.move_to_end(key)
                return found
        made = Query(self._store, service, features, full_names)
        with self._lock:
            self._made.add(made)
            self._queries[key] = made
            if len(self._queries) > _QUERIES:
                self._queries.popitem(last=False)  # destroyed when nobody reads with it any more
        return made

    def keep(self, thing: Any) -> None:
        """What C has made of this store: its `destroy` is called before the store is closed. Within `with handle`."""
        with self._lock:
            self._made.add(thing)

    def drop_queries(self) -> None:
        """After definitions changed: what was asked for may mean something else now."""
        with self._lock:
            self._queries.clear()

    def close(self) -> None:
        """Waits for calls under way. Again is fine; in a forked child nothing happens."""
        if self._generation != _generation:
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
            while self._busy:
                self._lock.wait()
            made = list(self._made)
            self._queries.clear()
        for thing in made:
            thing.destroy()
        lib.ldr_close(self._store)

    def __del__(self) -> None:
        if getattr(self, "_store", None) is not None:  # else it was never opened
            self.close()

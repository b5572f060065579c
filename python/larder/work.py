"""Progress of long work: a bar by tqdm where it is installed, a callback, and Ctrl-C."""

from __future__ import annotations

import sys
import time
from typing import Any, Callable, Optional, Union

from ._native import ffi, lib, text

ProgressCallback = Callable[[str, int, float], Optional[bool]]
Progress = Union[bool, ProgressCallback, None]


@ffi.def_extern(error=1)  # type: ignore[untyped-decorator, unused-ignore]
def larder_py_progress(ctx: Any, p: Any) -> int:
    return int(ffi.from_handle(ctx).tell(p))


class Work:
    """struct ldr_work. progress: True for a bar; None for one on a terminal or in a notebook; False for none; or a
    function of (what, rows, seconds) that may return False to cancel."""

    def __init__(self, progress: Progress) -> None:
        self._handle = ffi.new_handle(self)
        self.pointer = ffi.new("struct ldr_work *", {"progress": lib.larder_py_progress, "ctx": self._handle})
        self._callback = progress if callable(progress) else None
        self._bar: Any = None
        self.failed: Optional[BaseException] = None
        wanted = progress is True or (progress is None and sys.stderr is not None and sys.stderr.isatty())
        if wanted:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            self._bar = tqdm(unit=" rows", unit_scale=True, leave=False, delay=0.5)

    def tell(self, p: Any) -> bool:
        """Whether to cancel."""
        try:
            if self._bar is not None:
                self._bar.set_description(text(p.what), refresh=False)
                self._bar.update(p.rows - self._bar.n)
            return self._callback is not None and self._callback(text(p.what), p.rows, p.seconds) is False
        except BaseException as e:  # raised again when the call is over
            self.failed = e
            return True

    def rows(self, what: str, rows: int, seconds: float) -> bool:
        """The same for work that is done here."""
        if self._bar is not None:
            self._bar.set_description(what, refresh=False)
            self._bar.update(rows - self._bar.n)
        return self._callback is not None and self._callback(what, rows, seconds) is False

    def teller(self, name: str) -> Callable[[int], bool]:
        """For work that reads one thing here: told of rows, it tells of them and of the time since now."""
        began = time.monotonic()
        return lambda rows: self.rows(f"reading {name}", rows, time.monotonic() - began)

    def __enter__(self) -> "Work":
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        if self._bar is not None:
            self._bar.close()
        if self.failed is not None:
            raise self.failed

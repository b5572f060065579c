"""What can go wrong: one hierarchy under LarderError."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Dict, Iterable, Optional, Type

if TYPE_CHECKING:
    from .table import Table


class LarderError(Exception):
    """Something that Larder refused or could not do.

    code: the number in larder.h (negative); 0 for errors of this package itself.
    name: "INVALID", "NOT_FOUND", ...
    retryable: the same call may succeed later.
    in_doubt: the write may have happened. Facts are idempotent: writing again is harmless.
    """

    code: int = 0
    name: str = "ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: Optional[int] = None,
        name: Optional[str] = None,
        retryable: bool = False,
        in_doubt: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if name is not None:
            self.name = name
        self.retryable = retryable
        self.in_doubt = in_doubt

    def __str__(self) -> str:
        return f"{self.message} (it may have happened all the same)" if self.in_doubt else self.message


class InvalidError(LarderError, ValueError):
    """Input that makes no sense; the message says where."""

    code, name = -1, "INVALID"


class DefinitionError(InvalidError):
    """Definitions with mistakes; `problems` has one row for each: file, line, column, text."""

    problems: "Optional[Table]" = None


class NotFoundError(LarderError, LookupError):
    code, name = -2, "NOT_FOUND"


class ExistsError(LarderError):
    code, name = -3, "EXISTS"


class ConflictError(LarderError):
    """Somebody else changed the registry, or a view came back as another."""

    code, name = -4, "CONFLICT"


class RefusedError(LarderError):
    """Understood, and not allowed; the message says why and what to do."""

    code, name = -5, "REFUSED"


class CorruptError(LarderError):
    code, name = -6, "CORRUPT"


class StoreIOError(LarderError, OSError):
    code, name = -7, "IO"


class NoSpaceError(StoreIOError):
    code, name = -8, "NOSPACE"


class NoMemoryError(LarderError, MemoryError):
    code, name = -9, "NOMEM"


class BusyError(LarderError):
    code, name = -10, "BUSY"


class LockedError(LarderError):
    """Another process has the folder open."""

    code, name = -11, "LOCKED"


class TooBigError(LarderError):
    code, name = -12, "TOO_BIG"


class FormatError(LarderError):
    code, name = -13, "FORMAT"


class UnsupportedError(LarderError):
    code, name = -14, "UNSUPPORTED"


class CancelledError(LarderError):
    code, name = -15, "CANCELLED"


class StoreTimeoutError(LarderError, TimeoutError):
    code, name = -16, "TIMEOUT"


class ClosedError(LarderError):
    """The store was closed, or was opened before a fork."""

    code, name = -17, "CLOSED"


class ReadOnlyError(LarderError):
    code, name = -18, "READ_ONLY"


class StaleError(LarderError):
    code, name = -19, "STALE"


class UnavailableError(LarderError, ConnectionError):
    code, name = -20, "UNAVAILABLE"


class NotLeaderError(LarderError):
    code, name = -21, "NOT_LEADER"


class MissingPackageError(LarderError, ImportError):
    """A Python package is needed for this; the message says how to install it."""

    name = "MISSING_PACKAGE"


def near(name: str, names: "Iterable[str]") -> str:
    """What to add to "there is no ...": the nearest name, or all of them when they are few."""
    known = list(names)
    close = difflib.get_close_matches(name, known, 1, 0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f" (there are: {', '.join(known)})" if 0 < len(known) <= 30 else ""


_ALL = (
    InvalidError, NotFoundError, ExistsError, ConflictError, RefusedError, CorruptError, StoreIOError,
    NoSpaceError, NoMemoryError, BusyError, LockedError, TooBigError, FormatError, UnsupportedError,
    CancelledError, StoreTimeoutError, ClosedError, ReadOnlyError, StaleError, UnavailableError,
    NotLeaderError,
)  # fmt: skip
BY_CODE: Dict[int, Type[LarderError]] = {e.code: e for e in _ALL}

"""The C library: calls, errors, texts. Everything else in this package goes through here."""

from __future__ import annotations

import importlib
import logging
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ._larder import ffi, lib
from .errors import BY_CODE, LarderError, MissingPackageError

__all__ = ["ffi", "lib"]

log = logging.getLogger("larder")
TYPE_NAMES: Dict[int, str] = {
    lib.LDR_BOOL: "bool",
    lib.LDR_INT32: "int32",
    lib.LDR_INT64: "int64",
    lib.LDR_FLOAT32: "float32",
    lib.LDR_FLOAT64: "float64",
    lib.LDR_STRING: "string",
    lib.LDR_BYTES: "bytes",
    lib.LDR_TIMESTAMP: "timestamp",
}
TYPE_NAMES.update({lib.LDR_LIST | t: f"list<{n}>" for t, n in list(TYPE_NAMES.items())})
STATUS_NAMES = ("PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE")


def text(c_string: Any) -> str:
    return bytes(ffi.string(c_string)).decode("utf-8", "replace")


def encode(s: "Optional[str]") -> Any:
    """For a const char * argument; keep what it returns alive as long as C may look at it."""
    if s is None:
        return ffi.NULL
    data = s.encode("utf-8")
    if b"\0" in data:
        raise LarderError(f"a text with a NUL character: {s!r}", code=lib.LDR_E_INVALID, name="INVALID")
    return ffi.new("char[]", data)


def error(code: int, err: Any) -> LarderError:
    """The exception for what a call returned."""
    message = text(err.message) if err != ffi.NULL else ""
    kind = BY_CODE.get(code, LarderError)
    return kind(
        message or text(lib.ldr_error_text(code)),
        code=code,
        name=text(lib.ldr_error_name(code)),
        retryable=bool(lib.ldr_error_retryable(code)),
        in_doubt=bool(err != ffi.NULL and err.in_doubt),
    )


def new_err() -> Any:
    return ffi.new("struct ldr_err *")


def check(code: int, err: Any) -> None:
    if code:
        raise error(code, err)


def call(function: Callable[..., int], *args: Any) -> None:
    """Calls with a struct ldr_err behind the arguments, and raises what it says."""
    err = new_err()
    code = function(*args, err)
    if code:
        raise error(code, err)


def names_array(names: Sequence[str]) -> Tuple[Any, List[Any]]:
    """A const char *const *, and what keeps it alive."""
    keep = [encode(n) for n in names]
    return ffi.new("const char *[]", keep or [ffi.NULL]), keep


def need(module: str, what: str, extra: str = "") -> Any:
    """Imports an optional package, or says exactly what to install."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.split(".")[0]
        raise MissingPackageError(f"{what} needs {package}: pip install {extra or package}") from None


@ffi.def_extern()  # type: ignore[untyped-decorator, unused-ignore]
def larder_py_log(ctx: Any, level: int, message: Any) -> None:
    log.log((10, 20, 30, 40)[min(max(level, 0), 3)], "%s", text(message))

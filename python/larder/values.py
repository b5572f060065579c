"""Single values out of the C library."""

from __future__ import annotations

from array import array
from typing import Any, Callable, Dict, List

from ._native import ffi, lib
from .times import from_us

_CODES: Dict[int, str] = {
    lib.LDR_INT32: "i",
    lib.LDR_INT64: "q",
    lib.LDR_FLOAT32: "f",
    lib.LDR_FLOAT64: "d",
    lib.LDR_TIMESTAMP: "q",
}


def _list(d: Any) -> List[Any]:
    element = d.type & ~lib.LDR_LIST
    data = bytes(ffi.buffer(d.v.s.p, d.v.s.n)) if d.v.s.n else b""
    if element == lib.LDR_BOOL:
        return [b != 0 for b in data]
    if element in _CODES:
        numbers = array(_CODES[element])
        numbers.frombytes(data)
        values = numbers.tolist()
        return [from_us(v) for v in values] if element == lib.LDR_TIMESTAMP else values
    out: List[Any] = []
    at = 0
    for _ in range(d.count):
        n = int.from_bytes(data[at : at + 4], "little")
        piece = data[at + 4 : at + 4 + n]
        out.append(piece.decode("utf-8") if element == lib.LDR_STRING else piece)
        at += 4 + n
    return out


_SCALARS: Dict[int, Callable[[Any], Any]] = {
    lib.LDR_BOOL: lambda d: bool(d.v.b),
    lib.LDR_INT32: lambda d: d.v.i,
    lib.LDR_INT64: lambda d: d.v.i,
    lib.LDR_FLOAT32: lambda d: d.v.f32,
    lib.LDR_FLOAT64: lambda d: d.v.f64,
    lib.LDR_STRING: lambda d: bytes(ffi.buffer(d.v.s.p, d.v.s.n)).decode("utf-8") if d.v.s.n else "",
    lib.LDR_BYTES: lambda d: bytes(ffi.buffer(d.v.s.p, d.v.s.n)) if d.v.s.n else b"",
    lib.LDR_TIMESTAMP: lambda d: from_us(d.v.i),
}


def from_datum(d: Any) -> Any:
    """A struct ldr_datum as a Python value; None for null."""
    if d.null:
        return None
    scalar = _SCALARS.get(d.type)
    return scalar(d) if scalar else _list(d)

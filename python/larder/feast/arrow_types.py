"""Arrow's types as Larder holds them, and back: what comes out of a join has the type and the value that the source has.

Integers, floats, text, bytes and lists of them are held as such; times, dates and durations as the number they are; what Larder has no
type for (structs, maps, decimals, lists of lists, lists with nulls inside) as bytes of an Arrow message for each value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional

import pyarrow as pa
import pyarrow.compute as pc

from larder.errors import InvalidError

_T = pa.types


@dataclass(frozen=True)
class Kind:
    """larder: the name of Larder's type; held: Arrow's type of the same; packed: whether values are messages."""

    larder: str
    held: Any
    packed: bool = False


PACKED = Kind("bytes", pa.large_binary(), True)


def plain(kind: Any) -> Any:
    """A type without its dictionary or extension."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type)
    return plain(kind.value_type) if _T.is_dictionary(kind) else kind


def _scalar(kind: Any) -> Optional[Kind]:
    if _T.is_boolean(kind):
        return Kind("bool", pa.bool_())
    if _T.is_floating(kind):
        return Kind("float64", pa.float64()) if _T.is_float64(kind) else Kind("float32", pa.float32())
    if _T.is_date32(kind) or _T.is_time32(kind):
        return Kind("int32", pa.int32())
    if _T.is_timestamp(kind) or _T.is_date64(kind) or _T.is_time64(kind) or _T.is_duration(kind):
        return Kind("int64", pa.int64())
    if _T.is_integer(kind):
        wide = kind.bit_width == 64 or _T.is_uint32(kind)
        return Kind("int64", pa.int64()) if wide else Kind("int32", pa.int32())
    if _T.is_string(kind) or _T.is_large_string(kind):
        return Kind("string", pa.large_string())
    if _T.is_binary(kind) or _T.is_large_binary(kind) or _T.is_fixed_size_binary(kind):
        return Kind("bytes", pa.large_binary())
    if _T.is_null(kind):
        return Kind("bool", pa.bool_())
    return None


def kind_of(kind: Any) -> Kind:
    """kind: an Arrow type."""
    kind = plain(kind)
    if _T.is_list(kind) or _T.is_large_list(kind):
        inner = None if _T.is_null(kind.value_type) else _scalar(kind.value_type)
        return Kind(f"list<{inner.larder}>", pa.large_list(inner.held)) if inner else PACKED
    return _scalar(kind) or PACKED


def key_of(kind: Any) -> Kind:
    """As `kind_of`, for join keys: all integers alike, whole floats as integers, other things by their text."""
    kind = plain(kind)
    if _T.is_integer(kind) or _T.is_floating(kind):
        return Kind("int64", pa.int64())
    if _T.is_boolean(kind) or _T.is_binary(kind) or _T.is_large_binary(kind) or _T.is_fixed_size_binary(kind):
        return _scalar(kind) or PACKED
    return Kind("string", pa.large_string())


def _undressed(column: Any) -> Any:
    """A chunked array of a plain type."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
        return _undressed(column)
    return _undressed(column.cast(column.type.value_type)) if _T.is_dictionary(column.type) else column


def has_inner_nulls(column: Any) -> bool:
    column = _undressed(column)
    if not (_T.is_list(column.type) or _T.is_large_list(column.type)):
        return False
    return any(pc.list_flatten(c).null_count for c in column.chunks)


def into(kind: Kind, column: Any) -> Any:
    """A chunked array of the source as Larder holds it."""
    column = _undressed(column)
    if kind.packed:
        return pa.chunked_array([_pack(c) for c in column.chunks], kind.held)
    return column.cast(kind.held, safe=not _T.is_uint64(column.type))


def out_of(kind: Kind, column: Any, wanted: Any) -> Any:
    """Back: `wanted` is the source's type."""
    wanted = plain(wanted)
    if kind.packed:
        return pa.chunked_array([_unpack(c, wanted) for c in column.chunks], wanted)
    if _T.is_null(wanted):
        return pa.chunked_array([pa.nulls(len(c)) for c in column.chunks], wanted)
    return column.cast(wanted, safe=not _T.is_uint64(wanted))


def _pack(values: Any) -> Any:
    schema = pa.schema([("v", values.type)])
    out: List[Optional[bytes]] = []
    for i in range(len(values)):
        if values[i].is_valid:
            out.append(pa.record_batch([values.slice(i, 1)], schema=schema).serialize().to_pybytes())
        else:
            out.append(None)
    return pa.array(out, pa.large_binary())


def _unpack(messages: Any, wanted: Any) -> Any:
    schema = pa.schema([("v", wanted)])
    none = pa.nulls(1, wanted)
    pieces = [
        pa.ipc.read_record_batch(pa.py_buffer(m.as_buffer()), schema).column(0) if m.is_valid else none for m in messages
    ]
    return pa.concat_arrays(pieces) if pieces else pa.array([], wanted)


def key_into(kind: Kind, column: Any, source: Any, strict: bool, what: str) -> Any:
    """A join key as Larder holds it. source: the type of the source's column, whose texts keys are that have no type of their own.

    strict: what cannot be a key is an error; else it is null and matches nothing.
    """
    column = _undressed(column)
    steps = [kind.held] if kind.larder != "string" or _T.is_string(source) or _T.is_large_string(source) else [source, kind.held]
    try:
        for step in steps:
            column = column.cast(step)
        return column
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as e:
        if strict:
            raise InvalidError(f"{what} cannot be a join key: {e}") from None
    return pa.chunked_array([pa.array([_one(v, steps) for v in column], kind.held)], kind.held)


def _one(value: Any, steps: List[Any]) -> Any:
    try:
        for step in steps:
            value = value.cast(step)
        return value.as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None

"""Columns into the C library: from Python values, numpy, and anything that speaks Arrow."""

from __future__ import annotations

import ctypes
from array import array
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

from ._native import TYPE_NAMES, call, ffi, lib, names_array, need
from .errors import InvalidError, LarderError, near
from .times import to_us

_CODES = {lib.LDR_INT32: "i", lib.LDR_INT64: "q", lib.LDR_FLOAT32: "f", lib.LDR_FLOAT64: "d", lib.LDR_TIMESTAMP: "q"}
_NUMPY = {lib.LDR_INT32: "<i4", lib.LDR_INT64: "<i8", lib.LDR_FLOAT32: "<f4", lib.LDR_FLOAT64: "<f8"}

_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def _pack_bits(values: Sequence[Any]) -> bytes:
    n = len(values)
    if not n:
        return b""
    number = int("".join("1" if v else "0" for v in reversed(values)), 2)
    return number.to_bytes((n + 7) // 8, "little")


class Columns:
    """struct ldr_column_data[] and all memory behind it."""

    def __init__(self, n: int, rows: int) -> None:
        self.pointer = ffi.new("struct ldr_column_data[]", max(n, 1))
        self.rows = rows
        self.keep: List[Any] = []

    def _buffer(self, data: Any) -> Any:
        """A pointer to bytes that stay."""
        if len(data) == 0:
            data = b"\0" * 8
        pointer = ffi.from_buffer(data)
        self.keep.append(pointer)
        return pointer

    def times(self, at: int, what: str) -> Any:
        """Column `at`, of timestamps, as const int64_t *; nulls are an error."""
        c = self.pointer[at]
        if c.validity != ffi.NULL:
            n = c.n
            bits = int.from_bytes(ffi.buffer(c.validity, (n + 7) // 8), "little") | (-1 << n)
            if bits != -1:
                missing = ~bits
                row = (missing & -missing).bit_length() - 1
                raise InvalidError(f"column {what}, row {row}: null time")
        return ffi.cast("const int64_t *", c.data)

    def fill(self, c: Any, name: str, kind: int, values: Sequence[Any]) -> None:
        """One column from Python values; None is null."""
        c.type = kind
        c.n = len(values)
        nulls = [i for i, v in enumerate(values) if v is None]
        if nulls:
            c.validity = self._buffer(_pack_bits([v is not None for v in values]))
        if kind & lib.LDR_LIST:
            self._fill_lists(c, name, kind, values)
            return
        try:
            self._fill_scalars(c, kind, values, nulls)
        except (TypeError, OverflowError, AttributeError, ValueError) as e:
            raise self._bad_cell(name, kind, values) or InvalidError(f"column {name}: {e}") from None

    def _fill_scalars(self, c: Any, kind: int, values: Sequence[Any], nulls: Sequence[int]) -> None:
        if kind in (lib.LDR_STRING, lib.LDR_BYTES):
            pieces = [_text(v, kind) for v in values]
            offsets = array("q", [0])
            end = 0
            for p in pieces:
                end += len(p)
                offsets.append(end)
            c.offsets = ffi.cast("int64_t *", self._buffer(offsets))
            c.data = self._buffer(b"".join(pieces))
            return
        if kind == lib.LDR_BOOL:
            c.data = self._buffer(_pack_bits([_bool(v) for v in values]))
            return
        convert: Callable[[Any], Any] = _int
        if kind == lib.LDR_TIMESTAMP:
            convert = to_us
        elif kind in (lib.LDR_FLOAT32, lib.LDR_FLOAT64):
            convert = _float
        filled = [0 if v is None else convert(v) for v in values] if nulls else [convert(v) for v in values]
        c.data = self._buffer(array(_CODES[kind], filled))

    def _fill_lists(self, c: Any, name: str, kind: int, values: Sequence[Any]) -> None:
        offsets = array("q", [0])
        items: List[Any] = []
        for row, v in enumerate(values):
            if v is not None:
                if isinstance(v, (str, bytes)) or not hasattr(v, "__iter__"):
                    raise InvalidError(f"column {name}, row {row}: expected {TYPE_NAMES[kind]}, found {v!r:.80}")
                items.extend(v)
            offsets.append(len(items))
        c.offsets = ffi.cast("int64_t *", self._buffer(offsets))
        child = ffi.new("struct ldr_column_data *")
        self.keep.append(child)
        if any(v is None for v in items):
            raise InvalidError(f"column {name}: a null inside a list")
        self.fill(child, name, kind & ~lib.LDR_LIST, items)
        c.child = child

    def _bad_cell(self, name: str, kind: int, values: Sequence[Any]) -> Optional[LarderError]:
        """The first cell that is not of the type."""
        for row, v in enumerate(values):
            if v is None:
                continue
            try:
                Columns(1, 1)._fill_scalars(ffi.new("struct ldr_column_data *"), kind, [v], [])
            except (TypeError, OverflowError, AttributeError, ValueError) as e:
                why = f" ({e})" if isinstance(e, (LarderError, OverflowError)) else ""
                return InvalidError(f"column {name}, row {row}: expected {TYPE_NAMES[kind]}, found {v!r:.80}{why}")
        return None

    def fill_numpy(self, c: Any, name: str, kind: int, values: Any) -> bool:
        """One column from a numpy array, without a copy when it lies as it should. False: not of a fitting dtype."""
        if values.ndim != 1:
            raise InvalidError(f"column {name}: expected one dimension, found {values.ndim}")
        if values.dtype.kind == "M" and kind == lib.LDR_TIMESTAMP:
            np = need("numpy", "this")
            missing = np.isnat(values)
            us = values.astype("datetime64[us]")
            wrong = (us != values) & ~missing
            if wrong.any():
                raise InvalidError(
                    f"column {name}, row {int(wrong.argmax())}: the time has parts of a microsecond: round it first"
                )
            if missing.any():
                c.validity = self._buffer(np.packbits(~missing, bitorder="little").tobytes())
            data = np.ascontiguousarray(us.view("<i8"))
        elif values.dtype.kind in "iu" and kind in (lib.LDR_INT32, lib.LDR_INT64):
            np = need("numpy", "this")
            data = np.ascontiguousarray(values.astype(_NUMPY[kind], copy=False))
            if data.dtype != values.dtype and (data != values).any():
                row = int((data != values).argmax())
                raise InvalidError(f"column {name}, row {row}: {values[row]} does not fit into {TYPE_NAMES[kind]}")
        elif values.dtype.kind == "f" and kind in (lib.LDR_FLOAT32, lib.LDR_FLOAT64):
            np = need("numpy", "this")
            data = np.ascontiguousarray(values.astype(_NUMPY[kind], copy=False))
        else:
            return False
        c.type = kind
        c.n = len(values)
        c.data = self._buffer(memoryview(data).cast("B")) if len(data) else self._buffer(b"")
        return True


def _text(v: Any, kind: int) -> bytes:
    if v is None:
        return b""
    if kind == lib.LDR_STRING:
        if not isinstance(v, str):
            raise TypeError("expected str")
        return v.encode("utf-8")
    if not isinstance(v, (bytes, bytearray, memoryview)):
        raise TypeError("expected bytes")
    return bytes(v)


def _bool(v: Any) -> bool:
    if v is None:
        return False
    if isinstance(v, bool) or type(v).__name__ in ("bool_", "bool"):
        return bool(v)
    raise TypeError("expected bool")


def _int(v: Any) -> int:
    if isinstance(v, bool):
        raise TypeError("expected an integer, found a bool")
    return int(v.__index__())


def _float(v: Any) -> float:
    if isinstance(v, (bool, str)):
        raise TypeError("expected a number")
    if isinstance(v, int) and not -(2**53) <= v <= 2**53:
        raise OverflowError("the integer cannot be held exactly")
    return float(v)


def from_mapping(data: Mapping[str, Any], names: Sequence[str], types: Sequence[int]) -> Columns:
    """A dict of columns (lists, numpy arrays) as columns of these types."""
    rows: Optional[int] = None
    for name in names:
        if name not in data:
            raise InvalidError(f"there is no column '{name}'{near(name, data)}")
        n = len(data[name])
        if rows is not None and n != rows:
            raise InvalidError(f"column '{name}' has {n} rows, others have {rows}")
        rows = n
    out = Columns(len(names), rows or 0)
    for i, (name, kind) in enumerate(zip(names, types)):
        values, c = data[name], out.pointer[i]
        if hasattr(values, "dtype") and hasattr(values, "tolist"):
            if hasattr(values, "to_numpy"):
                values = values.to_numpy()
            if out.fill_numpy(c, name, kind, values):
                continue
            values = values.tolist()
        out.fill(c, name, kind, values if isinstance(values, (list, tuple)) else list(values))
    return out


def from_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str], types: Sequence[int]) -> Columns:
    """A list of dicts as columns."""
    for i, row in enumerate(rows):
        for name in names:
            if name not in row:
                raise InvalidError(f"row {i}: there is no '{name}'{near(name, row)}")
    return from_mapping({n: [row[n] for row in rows] for n in names}, names, types)


def key_type(value: Any) -> int:
    """Larder's type of a join key's value."""
    kinds = ((bool, lib.LDR_BOOL), (int, lib.LDR_INT64), (str, lib.LDR_STRING), (bytes, lib.LDR_BYTES))
    for python, kind in kinds:
        if isinstance(value, python):
            return int(kind)
    if hasattr(value, "__index__"):
        return int(lib.LDR_INT64)
    return int(lib.LDR_TIMESTAMP)


# ---- Arrow ----


class ArrowColumns(Columns):
    """Columns of a record batch of somebody else: struct ldr_import."""

    def __init__(self, schema: Any, arrow_array: Any, names: Sequence[str], types: Sequence[int], rows: int) -> None:
        self.rows = rows
        self.keep = []
        out = ffi.new("struct ldr_import **")
        strings, keep = names_array(names)
        kinds = ffi.new("uint8_t[]", list(types) or [0])
        call(lib.ldr_import_create, schema, arrow_array, strings, kinds, len(names), out)
        self._import = ffi.gc(out[0], lib.ldr_import_destroy)
        self.pointer = lib.ldr_import_columns(self._import)


class ArrowStream:
    """Record batches of an object that has __arrow_c_stream__ or __arrow_c_array__."""

    def __init__(self, source: Any) -> None:
        self.schema = ffi.new("struct ArrowSchema *")
        self._stream: Any = None
        self._array: Any = None
        self._source = source
        if hasattr(source, "__arrow_c_stream__"):
            self._capsules: Any = source.__arrow_c_stream__()
            pointer = _get_pointer(self._capsules, b"arrow_array_stream")
            self._stream = ffi.cast("struct ArrowArrayStream *", pointer)
            self._ok(lib.larder_stream_schema(self._stream, self.schema))
            self.schema = ffi.gc(self.schema, lib.larder_release_schema)
        else:
            self._capsules = source.__arrow_c_array__()
            self.schema = ffi.cast("struct ArrowSchema *", _get_pointer(self._capsules[0], b"arrow_schema"))
            self._array = ffi.cast("struct ArrowArray *", _get_pointer(self._capsules[1], b"arrow_array"))

    def _ok(self, code: int) -> None:
        if code:
            why = bytes(ffi.string(lib.larder_stream_error(self._stream))).decode("utf-8", "replace")
            raise InvalidError(f"the Arrow stream failed: {why or f'error {code}'}")

    @property
    def names(self) -> List[str]:
        s = self.schema
        return [bytes(ffi.string(s.children[i].name)).decode("utf-8") for i in range(s.n_children)]

    def batches(self) -> Iterator[Any]:
        """struct ArrowArray *, one after the other; whoever takes it moves it away."""
        if self._stream is None:
            yield self._array
            return
        while True:
            out = ffi.new("struct ArrowArray *")
            self._ok(lib.larder_stream_next(self._stream, out))
            if out.release == ffi.NULL:
                return
            try:
                yield out
            finally:
                lib.larder_release_array(out)  # nothing, when it was moved


def speaks_arrow(data: Any) -> bool:
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


def is_pandas(data: Any) -> bool:
    return type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns")


def is_polars(data: Any) -> bool:
    return type(data).__module__.split(".")[0] == "polars" and hasattr(data, "columns")


def is_pyarrow(data: Any) -> bool:
    return type(data).__module__.split(".")[0] == "pyarrow"


def pandas_to_arrow(frame: Any, names: Optional[Sequence[str]] = None) -> Any:
    """The named columns (all: None) of a pandas frame as a pyarrow.Table."""
    pa = need("pyarrow", "reading a pandas frame", "'larder[pandas]'")
    if names is not None:
        frame = frame[list(dict.fromkeys(names))]
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as e:
        raise InvalidError(f"the frame cannot be read: {e}") from None


def integers_again(table: Any, names: Sequence[str], types: Sequence[int]) -> Any:
    """Of a table that was a pandas frame: pandas makes floats of integers with nulls among them. Where these types want
    integers they become integers again, if that is exact."""
    pa = need("pyarrow", "reading a pandas frame", "'larder[pandas]'")
    for name, kind in zip(names, types):
        at = table.schema.get_field_index(name)
        if kind not in (lib.LDR_INT32, lib.LDR_INT64) or not pa.types.is_floating(table.schema.field(at).type):
            continue
        try:
            table = table.set_column(at, name, table.column(at).cast(pa.int64()))
        except pa.ArrowInvalid:
            pass  # there are fractions: the library names the cell
    return table


def column_names(data: Any) -> List[str]:
    """Names of the columns of a frame, a dict of columns, or rows."""
    if is_pandas(data):
        return [str(c) for c in data.columns]
    if isinstance(data, Mapping):
        return list(data)
    if isinstance(data, (list, tuple)):
        return list(data[0]) if data else []
    if is_polars(data):
        return list(data.columns)
    if is_pyarrow(data):
        return list(data.schema.names)
    if speaks_arrow(data):
        raise LarderError("the names are read from the stream")
    raise InvalidError(
        f"expected a file, a data frame, Arrow data, a dict of columns or a list of dicts, found {type(data).__name__}"
    )


def is_reader(data: Any) -> bool:
    """Something that can be read once: a pyarrow.RecordBatchReader, a generator."""
    if is_pyarrow(data):
        return type(data).__name__ == "RecordBatchReader"
    return hasattr(data, "__next__")

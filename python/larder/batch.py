"""Columns out of the C library: Arrow's layout, read without copying where a type allows it."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ._native import STATUS_NAMES, TYPE_NAMES, call, ffi, lib, names_array, need
from .errors import InvalidError, near
from .times import from_us

_CASTS = {lib.LDR_INT32: ("i", 4), lib.LDR_INT64: ("q", 8), lib.LDR_FLOAT32: ("f", 4), lib.LDR_FLOAT64: ("d", 8)}
_CASTS[lib.LDR_TIMESTAMP] = ("q", 8)
_DTYPES = {lib.LDR_INT32: "int32", lib.LDR_INT64: "int64", lib.LDR_FLOAT32: "float32", lib.LDR_FLOAT64: "float64"}
_DTYPES[lib.LDR_TIMESTAMP] = "datetime64[us]"
_NO_TIME = -(2**63)

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_SCHEMA, _ARRAY = b"arrow_schema", b"arrow_array"


def _address(pointer: Any) -> int:
    return int(ffi.cast("uintptr_t", pointer))


def _bits(pointer: Any, n: int) -> List[bool]:
    number = int.from_bytes(ffi.buffer(pointer, (n + 7) // 8), "little")
    return [c == "1" for c in bin(number + (1 << n))[:2:-1]]


def nulls_of(column: Any) -> List[int]:
    """Rows that are null."""
    if column.validity == ffi.NULL:
        return []
    return [i for i, there in enumerate(_bits(column.validity, column.n)) if not there]


def _raw(column: Any, lo: int, hi: int) -> List[Any]:
    """Cells lo..hi, nulls as whatever lies there."""
    kind = column.type
    if kind == lib.LDR_BOOL:
        return _bits(column.data, hi)[lo:] if hi else []
    if kind in _CASTS:
        code, width = _CASTS[kind]
        data = ffi.buffer(ffi.cast("char *", column.data) + lo * width, (hi - lo) * width)
        view: Any = memoryview(data)
        values = view.cast(code).tolist() if hi > lo else []
        return [from_us(v) for v in values] if kind == lib.LDR_TIMESTAMP else values
    offsets = ffi.unpack(column.offsets + lo, hi - lo + 1) if hi >= lo else [0]
    if kind & lib.LDR_LIST:
        items = _raw(column.child, 0, offsets[-1]) if offsets[-1] else []
        return [items[a:b] for a, b in zip(offsets, offsets[1:])]
    data = bytes(ffi.buffer(column.data, offsets[-1])) if offsets[-1] else b""
    pieces = [data[a:b] for a, b in zip(offsets, offsets[1:])]
    return [p.decode("utf-8") for p in pieces] if kind == lib.LDR_STRING else pieces


def column_list(column: Any) -> List[Any]:
    """A struct ldr_column_data as Python values."""
    # times of null rows may be anything, so nulls go first
    out = _raw(column, 0, column.n) if column.type != lib.LDR_TIMESTAMP else _times(column)
    for i in nulls_of(column):
        out[i] = None
    return out


def _times(column: Any) -> List[Any]:
    values = ffi.unpack(ffi.cast("int64_t *", column.data), column.n) if column.n else []
    for i in nulls_of(column):
        values[i] = 0
    return [from_us(v) for v in values]


class Batch:
    """The values of a query for some rows: memory of the C library, lent to whoever exports it.

    Speaks Arrow's PyCapsule protocol (`__arrow_c_array__`, `__arrow_c_schema__`): `pyarrow.record_batch(batch)` and
    `polars.from_arrow(batch)` take it as it is.
    """

    def __init__(self, pointer: Any, names: Sequence[str]) -> None:
        self._batch = ffi.gc(pointer, lib.ldr_batch_destroy)
        self.names: Tuple[str, ...] = tuple(names)

    def __len__(self) -> int:
        return int(lib.ldr_batch_rows(self._batch))

    @property
    def types(self) -> Dict[str, str]:
        """Larder's types by column."""
        kinds = (lib.ldr_batch_column(self._batch, i).type for i in range(len(self.names)))
        return dict(zip(self.names, (TYPE_NAMES[k] for k in kinds)))

    def _at(self, name: str) -> int:
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(f"there is no column '{name}'{near(name, self.names)}") from None

    def __repr__(self) -> str:
        return f"<larder.Batch of {len(self)} rows: {', '.join(f'{n} {t}' for n, t in self.types.items())}>"

    def column(self, name: str) -> List[Any]:
        """One column as Python values, None for null."""
        return column_list(lib.ldr_batch_column(self._batch, self._at(name)))

    def to_dict(self) -> Dict[str, List[Any]]:
        return {n: self.column(n) for n in self.names}

    def statuses(self, name: str) -> List[str]:
        """PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE, row by row."""
        p = lib.ldr_batch_status(self._batch, self._at(name))
        if p == ffi.NULL:
            raise KeyError(f"{name}: no statuses were asked for")
        return [STATUS_NAMES[s] for s in bytes(ffi.buffer(p, len(self)))]

    def event_timestamps(self, name: str) -> List[Any]:
        """Event time of the fact behind each cell; None where no fact answers."""
        return self._side(lib.ldr_batch_event_us(self._batch, self._at(name)), name)

    def created_timestamps(self, name: str) -> List[Any]:
        return self._side(lib.ldr_batch_created_us(self._batch, self._at(name)), name)

    def _side(self, p: Any, name: str) -> List[Any]:
        if p == ffi.NULL:
            raise KeyError(f"{name}: no times were asked for")
        n = len(self)
        return [None if t == _NO_TIME else from_us(t) for t in (ffi.unpack(p, n) if n else [])]

    def numpy(self, name: str) -> Any:
        """One column as an array. Numbers and times without nulls are not copied (and read-only); nulls become NaN in
        floats, NaT in times, None in strings, bytes and lists, and a masked array in integers and bools."""
        np = need("numpy", "numpy()")
        c = lib.ldr_batch_column(self._batch, self._at(name))
        if c.type in _DTYPES:
            out = np.asarray(_Lent(self._batch, c)) if c.n else np.empty(0, dtype=_DTYPES[c.type])
        elif c.type == lib.LDR_BOOL:
            packed = np.frombuffer(bytes(ffi.buffer(c.data, (c.n + 7) // 8)) if c.n else b"", dtype="uint8")
            out = np.unpackbits(packed, count=c.n, bitorder="little").astype(bool)
        else:
            values = column_list(c)
            out = np.empty(len(values), dtype=object)
            out[:] = values if not c.type & lib.LDR_LIST else None
            for i, v in enumerate(values if c.type & lib.LDR_LIST else ()):
                out[i] = v
            return out
        nulls = nulls_of(c)
        if not nulls:
            return out
        if out.dtype.kind in "fM":
            out = out.copy()
            out[nulls] = float("nan") if out.dtype.kind == "f" else np.datetime64("NaT", "us")
            return out
        mask = np.zeros(c.n, dtype=bool)
        mask[nulls] = True
        return np.ma.MaskedArray(out, mask=mask)

    def matrix(self, dtype: str = "float64") -> Any:
        """All columns as one array of rows and columns: numbers and bools alone, nulls become NaN."""
        np = need("numpy", "matrix()")
        for name, kind in self.types.items():
            if kind not in ("bool", "int32", "int64", "float32", "float64"):
                raise InvalidError(f"column {name}: {kind} is no number: a matrix has numbers alone")
        out = np.empty((len(self), len(self.names)), dtype=dtype)
        if out.dtype.kind != "f":
            raise InvalidError(f"dtype: expected a floating one, which can hold nulls as NaN, found {dtype!r}")
        for i, name in enumerate(self.names):
            column = self.numpy(name)
            out[:, i] = column.astype(out.dtype).filled(np.nan) if isinstance(column, np.ma.MaskedArray) else column
        return out

    def to_arrow(self) -> Any:
        """A pyarrow.RecordBatch over the same memory."""
        pa = need("pyarrow", "to_arrow()")
        return pa.RecordBatch._import_from_c_capsule(*self.__arrow_c_array__())

    def __arrow_c_schema__(self) -> object:
        return self.__arrow_c_array__()[0]

    def __arrow_c_array__(self, requested_schema: Optional[object] = None) -> Tuple[object, object]:
        schema, array = lib.larder_new_schema(), lib.larder_new_array()
        if schema == ffi.NULL or array == ffi.NULL:
            raise MemoryError
        capsules = (
            _new_capsule(_address(schema), _SCHEMA, _address(lib.larder_schema_destructor())),
            _new_capsule(_address(array), _ARRAY, _address(lib.larder_array_destructor())),
        )
        names, _keep = names_array(self.names)
        call(lib.ldr_batch_export, self._batch, names, schema, array)
        return capsules


def to_polars(polars: Any, batch: Batch) -> Any:
    """A batch as a polars.DataFrame: a record batch arrives as one struct in some versions."""
    taken = polars.from_arrow(batch)
    return taken.struct.unnest() if isinstance(taken, polars.Series) else taken


class _Lent:
    """A column of fixed width, as numpy takes it over; keeps its batch alive."""

    def __init__(self, batch: Any, column: Any) -> None:
        self._keep = batch
        code = {"i": "<i4", "q": "<i8", "f": "<f4", "d": "<f8"}[_CASTS[column.type][0]]
        self.__array_interface__ = {
            "version": 3,
            "typestr": "<M8[us]" if column.type == lib.LDR_TIMESTAMP else code,
            "shape": (column.n,),
            "data": (_address(column.data), True),
        }


def arrow_types(names: Sequence[str], types: Sequence[int]) -> Any:
    """The pyarrow schema in which columns of these Larder types come."""
    pa = need("pyarrow", "this")
    plain = {
        lib.LDR_BOOL: pa.bool_(),
        lib.LDR_INT32: pa.int32(),
        lib.LDR_INT64: pa.int64(),
        lib.LDR_FLOAT32: pa.float32(),
        lib.LDR_FLOAT64: pa.float64(),
        lib.LDR_STRING: pa.large_string(),
        lib.LDR_BYTES: pa.large_binary(),
        lib.LDR_TIMESTAMP: pa.timestamp("us", "UTC"),
    }
    fields = []
    for name, t in zip(names, types):
        element = plain[t & ~lib.LDR_LIST]
        fields.append(pa.field(name, pa.large_list(pa.field("item", element)) if t & lib.LDR_LIST else element))
    return pa.schema(fields)

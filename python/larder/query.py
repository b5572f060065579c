"""A list of features, resolved once and read many times."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Tuple

from ._native import call, encode, ffi, lib, names_array, text
from .errors import InvalidError, NotFoundError

FRESH = {
    "bounded": lib.LDR_FRESH_BOUNDED,
    "own": lib.LDR_FRESH_OWN,
    "strict": lib.LDR_FRESH_STRICT,
    "any": lib.LDR_FRESH_ANY,
}


def freshness(name: str) -> int:
    """enum ldr_fresh."""
    if name not in FRESH:
        raise InvalidError(f"fresh: expected one of {', '.join(FRESH)}, found {name!r}")
    return int(FRESH[name])


def named_alone(e: NotFoundError, refs: Sequence[str], features: Callable[[], Sequence[str]]) -> NotFoundError:
    """The same error, and where the feature is when one was named without its view. features: all there are, as view:feature."""
    bare = [r for r in refs if ":" not in r and f"'{r}'" in e.message and "did you mean" not in e.message]
    found = [n for n in (features() if bare else ()) if n.partition(":")[2] == bare[0]]
    if not found:
        return e
    return NotFoundError(f"{e.message}; a feature is named with its view: {' or '.join(found)}")


class Query:
    """struct ldr_query. Belongs to its store, which ends its life when it is closed."""

    def __init__(self, store: Any, service: Optional[str], features: Tuple[str, ...], full_names: bool) -> None:
        spec = ffi.new("struct ldr_query_spec *")
        name = encode(service)
        refs, _keep = names_array(features)
        spec.service, spec.features, spec.nfeatures, spec.full_names = name, refs, len(features), full_names
        out = ffi.new("struct ldr_query **")
        call(lib.ldr_query_create, store, spec, out)
        q = out[0]
        self.pointer = ffi.gc(q, lib.ldr_query_destroy)
        self.columns: Tuple[str, ...] = tuple(
            text(lib.ldr_query_column(q, i)) for i in range(lib.ldr_query_columns(q))
        )
        self.column_types: List[int] = [lib.ldr_query_column_type(q, i) for i in range(len(self.columns))]
        self.keys: Tuple[str, ...] = tuple(text(lib.ldr_query_key(q, i)) for i in range(lib.ldr_query_keys(q)))
        self.key_types: List[int] = [lib.ldr_query_key_type(q, i) for i in range(len(self.keys))]

    def destroy(self) -> None:
        ffi.release(self.pointer)

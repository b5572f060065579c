"""Small tables: what the catalog, statistics and reports answer."""

from __future__ import annotations

import html
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from ._native import ffi, lib, need, text
from .values import from_datum

_SHOWN = 60


def _cell(v: Any, null: str = "") -> str:
    return null if v is None else str(v)


def text_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], total: int, null: str = "") -> str:
    """Columns of text, as a terminal shows them. null: what stands for it, where that is not the same as nothing to say."""
    cells = [[_cell(v, null) for v in row] for row in rows]
    widths = [max([len(c)] + [len(r[i]) for r in cells]) for i, c in enumerate(columns)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in [list(columns), *cells]]
    if total > len(rows):
        lines.append(f"... {total} rows")
    return "\n".join(lines)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], total: int, null: str = "") -> str:
    head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(v, null))}</td>" for v in row) + "</tr>" for row in rows
    )
    more = f"<p>... {total} rows</p>" if total > len(rows) else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


class Table:
    """Rows and named columns, held in memory.

    `columns` is a tuple of names, `rows` a list of tuples; iterating gives one dict a row, `table["name"]` one column as
    a list.
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns: Tuple[str, ...] = tuple(columns)
        self.rows: List[Tuple[Any, ...]] = [tuple(r) for r in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        return (dict(zip(self.columns, r)) for r in self.rows)

    def __getitem__(self, column: str) -> List[Any]:
        if column not in self.columns:
            raise KeyError(column)
        at = self.columns.index(column)
        return [r[at] for r in self.rows]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and (self.columns, self.rows) == (other.columns, other.rows)

    def to_dicts(self) -> List[Dict[str, Any]]:
        return list(self)

    def to_pandas(self) -> Any:
        pandas = need("pandas", "to_pandas()")
        return pandas.DataFrame.from_records(self.rows, columns=list(self.columns))

    def __repr__(self) -> str:
        return text_table(self.columns, self.rows[:_SHOWN], len(self.rows))

    def _repr_html_(self) -> str:
        return html_table(self.columns, self.rows[:_SHOWN], len(self.rows))


def take_table(pointer: Any, kind: "Optional[type]" = None) -> Any:
    """A struct ldr_table as a Table, which ends its life."""
    if pointer == ffi.NULL:
        return (kind or Table)((), ())
    try:
        ncols = lib.ldr_table_columns(pointer)
        columns = [text(lib.ldr_table_column(pointer, c)) for c in range(ncols)]
        rows = [
            [from_datum(lib.ldr_table_cell(pointer, r, c)[0]) for c in range(ncols)]
            for r in range(lib.ldr_table_rows(pointer))
        ]
    finally:
        lib.ldr_table_destroy(pointer)
    return (kind or Table)(columns, rows)

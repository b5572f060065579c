"""What became of a Feast repository, thing by thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Tuple

from larder.definitions import Definition
from larder.table import Table

CARRIED, PARTLY, LEFT_OUT = "carried over", "partly", "left out"


@dataclass
class Row:
    """One thing of the repository: what became of it, its name in Larder, and why it is not all there."""

    kind: str
    name: str
    larder: str = ""
    why: List[str] = field(default_factory=list)
    left_out: bool = False

    @property
    def result(self) -> str:
        return LEFT_OUT if self.left_out else PARTLY if self.why else CARRIED

    def leave_out(self, why: str) -> None:
        self.left_out, self.larder = True, ""
        self.why = [why]


class Import:
    """project; things: Larder's definitions; files: where they stand; rows: one for each thing of the repository."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.things: List[Definition] = []
        self.files: List[str] = []
        self.rows: List[Row] = []

    def table(self) -> Table:
        """kind, name, result, larder, why; a row for each reason."""
        rows: List[Tuple[str, ...]] = []
        for r in self.rows:
            for i, why in enumerate(r.why or [""]):
                rows.append((r.kind, r.name, r.result, r.larder, why) if i == 0 else ("", "", "", "", why))
        return Table(("kind", "name", "result", "in Larder", "why"), rows)

    def row(self, kind: str, name: str) -> Row:
        self.rows.append(Row(kind, name))
        return self.rows[-1]

    @property
    def complete(self) -> bool:
        return all(r.result == CARRIED for r in self.rows)

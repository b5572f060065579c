"""What loading and applying report."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any, Optional, Sequence

from ._native import text
from .table import Table, html_table
from .times import from_us


@dataclass
class WriteReport:
    """rows: read; taken: stored, or there already; rejected; duplicates: seen to be there already; erased: refused, for
    their entity was erased after they were created; ties: same entity, event and created time, other values; skipped:
    outside the range asked for."""

    rows: int = 0
    taken: int = 0
    rejected: int = 0
    duplicates: int = 0
    erased: int = 0
    ties: int = 0
    skipped: int = 0
    min_event: Optional[dt.datetime] = None
    max_event: Optional[dt.datetime] = None
    seconds: float = 0.0
    bulk: bool = False
    first_reject: str = ""

    def _repr_html_(self) -> str:
        return html_table(("", ""), list(asdict(self).items()), 0)

    def add(self, other: "WriteReport") -> None:
        for name in ("rows", "taken", "rejected", "duplicates", "erased", "ties", "skipped", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bulk = self.bulk or other.bulk
        self.first_reject = self.first_reject or other.first_reject
        times = [t for t in (self.min_event, other.min_event) if t is not None]
        self.min_event = min(times) if times else None
        times = [t for t in (self.max_event, other.max_event) if t is not None]
        self.max_event = max(times) if times else None


def write_report(r: Any) -> WriteReport:
    any_rows = r.taken > 0
    return WriteReport(
        rows=r.rows,
        taken=r.taken,
        rejected=r.rejected,
        duplicates=r.duplicates,
        erased=r.erased,
        ties=r.ties,
        skipped=r.skipped,
        min_event=from_us(r.min_event_us) if any_rows else None,
        max_event=from_us(r.max_event_us) if any_rows else None,
        seconds=r.seconds,
        bulk=bool(r.bulk),
        first_reject=text(r.first_reject),
    )


class Changes(Table):
    """What `apply` would do or did: op, kind, name, field, from, to, reason. `count`: how many of them change something;
    `version`: of the registry."""

    count: int = 0
    version: int = 0

    def __bool__(self) -> bool:
        return self.count > 0


class MaterializeReport(Table):
    """One row for each view: view, files, rows, taken, rejected, ... `total` sums them up."""

    total: WriteReport = WriteReport()


class CheckReport(Table):
    """Rows: shard, check, count, and one for each problem. `wrong` counts problems; it is true when there are none."""

    wrong: int = 0

    def __bool__(self) -> bool:
        return self.wrong == 0


__all__: Sequence[str] = ("WriteReport", "Changes", "MaterializeReport", "CheckReport")

"""The facts of Feast's sources, kept in a Larder store and joined there.

A view of Feast's has one of Larder's, `PROJECT__VIEW__history_gN`. Which files went into it stands in the book, a view of its own
(`PROJECT__feast_history`), so any process knows: files that came since are added, and when one changed or vanished, or the definition
means something else now, the next generation is made, written into the book, and then the one before is deleted.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pyarrow as pa
import pyarrow.compute as pc
from feast.repo_config import RepoConfig

import larder
from larder.errors import InvalidError, NotFoundError, StoreIOError
from larder.times import EPOCH

from . import arrow_types as at
from .sources import ROWS, Columns, Files, Mark, check_kind
from .stores import key_fields, name_of, ttl_of

_EVENT, _CREATED = "larder__event", "larder__created"  # columns of what is loaded and of spines; Feast's names have no part in them
_EVER = dt.datetime(1, 1, 1, tzinfo=dt.timezone.utc)
_TRIES = 5
_ABANDONED_NS = 24 * 3600 * 10**9
_lock = threading.Lock()
_TIME = pa.timestamp("us", "UTC")


def to_time(column: Any, what: str) -> Any:
    """A column of times in whole microseconds of UTC: finer parts are cut off, what has no zone is of UTC."""
    kind = column.type
    try:
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            column = pc.floor_temporal(column, unit="microsecond")
        elif pa.types.is_date(kind):
            column = column.cast(pa.timestamp("us"))
        elif not (pa.types.is_timestamp(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise InvalidError(f"column {what} cannot be read as times: it is of type {kind}")
        return column.cast(_TIME)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as e:
        raise InvalidError(f"column {what} cannot be read as times: {e}") from None


@dataclass(frozen=True)
class Part:
    """A key or a feature: what Feast calls it, the source's column and its Arrow type, what Larder calls it and holds it as."""

    name: str
    column: str
    type: Any
    held_name: str
    kind: at.Kind


class Plan:
    """What is loaded of a feature view's source, and as what."""

    def __init__(self, view: Any, files: Files, packed: Sequence[str]) -> None:
        source = view.batch_source
        schema, columns = files.dataset.schema, Columns(source, files.names)
        self.what = f"feature view '{view.name}'"
        self.keys: List[Part] = []
        self.features: Dict[str, Part] = {}
        for field in key_fields(view):
            column = columns.find(field.name)
            if column is None:
                raise InvalidError(f"{self.what}: its source {files.path} has no column for the join key '{field.name}'")
            kind = schema.field(column).type
            self.keys.append(Part(field.name, column, at.plain(kind), self._held(field.name), at.key_of(kind)))
        for field in view.features:
            column = columns.find(field.name)
            if column is not None:  # others are an error when they are asked for
                kind = schema.field(column).type
                held = at.PACKED if field.name in packed else at.kind_of(kind)
                self.features[field.name] = Part(field.name, column, kind, self._held(field.name), held)
        event = columns.find(source.timestamp_field or "")
        if event is None:
            raise InvalidError(f"{self.what}: its source {files.path} has no column for the event time '{source.timestamp_field}'")
        self.event = event
        self.created = None
        if source.created_timestamp_column:
            self.created = columns.find(source.created_timestamp_column)
            if self.created is None:
                raise InvalidError(
                    f"{self.what}: its source {files.path} has no column for the created time '{source.created_timestamp_column}'"
                )

    def _held(self, name: str) -> str:
        """One that no other part has: Feast allows a join key among the features."""
        held, taken = name_of(name, spare=8), {p.held_name for p in (*self.keys, *self.features.values())}
        while held in taken:
            held += "_"
        return held

    def text(self) -> str:
        """Equal for what means the same."""
        parts = [[p.name, p.column, str(p.type), p.kind.larder, p.kind.packed] for p in (*self.keys, *self.features.values())]
        return json.dumps([len(self.keys), parts, self.event, self.created])

    def definition(self, name: str, ttl: Optional[dt.timedelta]) -> larder.FeatureView:
        keys = {p.held_name: p.kind.larder for p in self.keys} or {"__dummy_id": "string"}
        entity = larder.Entity(name_of(name, "__key"), keys)
        features = [larder.Feature(p.held_name, p.kind.larder) for p in self.features.values()]
        about = "history of a source, kept for Feast's offline store: it is made anew when it is missing"
        return larder.FeatureView(name, entity, features, ttl=ttl, online=False, description=about)

    def columns(self) -> List[str]:
        parts = (*self.keys, *self.features.values())
        times = [self.event, *([self.created] if self.created else [])]
        return list(dict.fromkeys([*(p.column for p in parts), *times]))

    def facts(self, table: Any, only_known: bool) -> Any:
        """A table of the source as what is loaded: rows without a key or an event time are no facts."""
        keep = pc.is_valid(table.column(self.event))
        for c in [*(p.column for p in self.keys), *([self.created] if self.created and only_known else [])]:
            keep = pc.and_(keep, pc.is_valid(table.column(c)))
        table = table.filter(keep)
        out: Dict[str, Any] = {}
        for p in self.keys:
            what = f"{self.what}: column {p.column}"
            out[p.held_name] = at.key_into(p.kind, table.column(p.column), p.type, True, what)
        if not self.keys:
            out["__dummy_id"] = pa.repeat("", table.num_rows)
        for p in self.features.values():
            column = table.column(p.column)
            if not p.kind.packed and at.has_inner_nulls(column):
                raise _InnerNulls(p.name)
            out[p.held_name] = at.into(p.kind, column)
        out[_EVENT] = to_time(table.column(self.event), self.event)
        if self.created:
            # a row that does not say when it became known is older than any that does
            out[_CREATED] = pc.fill_null(to_time(table.column(self.created), self.created), pa.scalar(_EVER, _TIME))
        return pa.table(out)


class _InnerNulls(Exception):
    """A list of the named feature holds a null, which lists of Larder's cannot."""


@dataclass
class State:
    """What a view of Larder's was made from. files: () is the mark of one that may be in it half."""

    name: str = ""
    plan: str = ""
    packed: Tuple[str, ...] = ()
    nulls: bool = False  # some rows did not say when they became known
    files: Dict[str, Mark] = field(default_factory=dict)
    at: dt.datetime = EPOCH

    def text(self) -> str:
        return json.dumps([self.name, self.plan, self.packed, self.nulls, self.files])


class History:
    """The history of one feature view's source in a store."""

    def __init__(self, store: larder.Store, config: RepoConfig, view: Any) -> None:
        self._store, self._config, self._view = store, config, view
        self._source = check_kind(view.batch_source, f"feature view '{view.name}'")
        self._book = name_of(f"{config.project}__feast_history", spare=8)
        version = getattr(view.projection, "version_tag", None)
        self._base = name_of(f"{config.project}__{view.name}" + ("" if version is None else f"__v{version}"), "__history", spare=40)
        self.plan: Plan

    def load(self, only_known: bool = False) -> Tuple[str, str]:
        """Larder's view that holds the source as it is now, and its line in the book. only_known: without rows that do not say when
        they became known, for those who ask what was known at a time."""
        with _lock:
            state = self._load(self._base, False)
            if only_known and state.nulls:
                return self._load(f"{self._base}_known", True).name, f"{self._base}_known"
            return state.name, self._base

    def _load(self, base: str, only_known: bool) -> State:
        packed: List[str] = []
        for _ in range(_TRIES):
            state = self._read(base)
            try:
                done = self._update(base, state, list(dict.fromkeys([*state.packed, *packed])), only_known)
            except _InnerNulls as e:
                packed.append(str(e))
                continue
            if done is not None:
                return done
        raise StoreIOError(f"{self._source.path} changed again and again while it was read", retryable=True)

    def _update(self, base: str, state: State, packed: Sequence[str], only_known: bool) -> Optional[State]:
        """None: something changed meanwhile."""
        looked_ns = time.time_ns()
        files = Files(self._config, self._source)
        self.plan = plan = Plan(self._view, files, packed)
        marks, old = files.marks(), state.files
        grown = state.plan == plan.text() and all(marks.get(f) == m for f, m in old.items()) and self._define(state.name, False)
        if grown and len(marks) == len(old):
            return state
        done = State(state.name, plan.text(), tuple(packed), grown and state.nulls, marks, state.at)
        new = [f for f in marks if not grown or f not in old]
        if grown:  # should this process end now, the view is not taken for what it is not
            done.at = self._write(base, State(**{**state.__dict__, "files": {**old, **{f: () for f in new}}}))
        else:
            done.name = f"{base}_g{looked_ns:x}{secrets.token_hex(2)}"
            self._define(done.name, True)
        try:
            done.nulls |= self._ingest(done.name, files.only(new), only_known)
            if Files(self._config, self._source).marks() != marks or self._read(base).at != done.at:
                done.plan = ""
        except BaseException:
            done.plan = ""
            raise
        finally:
            if not done.plan and not grown:
                self._forget(done.name)
        if not done.plan:
            return None
        done.files = files.settled(marks, looked_ns)
        done.at = self._write(base, done)
        self._sweep(base, done.name, state.name)
        return done

    def _define(self, name: str, new: bool) -> bool:
        """Makes it, or gives it the ttl that the feature view has today; False: an old one is gone."""
        changes = self._store.apply(self.plan.definition(name, ttl_of(self._view)))
        if not new and any(c["op"] == "add" and c["kind"] == "feature view" for c in changes):
            self._forget(name)
            return False
        return True

    def _ingest(self, name: str, files: Files, only_known: bool) -> bool:
        plan, nulls = self.plan, False
        times: Dict[str, Any] = {"created_timestamp": _CREATED} if plan.created else {"created_at": EPOCH}
        for table in files.tables(plan.columns(), plan.event, None, None, ROWS):
            nulls = nulls or bool(plan.created and table.column(plan.created).null_count)
            facts = plan.facts(table, only_known)
            if facts.num_rows:
                self._store.ingest(name, facts, event_timestamp=_EVENT, **times)
        return nulls

    def _sweep(self, base: str, current: str, before: str) -> None:
        """The generation before, and what processes left behind that ended while they made one."""
        start = f"{base}_g"
        long_ago = time.time_ns() - _ABANDONED_NS
        for name in self._store.list()["name"]:
            made = name[len(start) : -4]
            if name.startswith(start) and name != current and (name == before or (made and int(made, 16) < long_ago)):
                self._forget(name)

    def _forget(self, name: str) -> None:
        for kind, one in (("feature-views", name), ("entities", name_of(name, "__key"))):
            try:
                self._store.delete(kind, one)
            except NotFoundError:
                pass  # another process was first

    # ---- The book: what was loaded ----

    def _read(self, base: str) -> State:
        try:
            got = self._store.get_online_features(f"{self._book}:state", {"view": [base]}, fresh="strict")
        except NotFoundError:
            about = "which files of Feast's sources are in which view"
            entity = larder.Entity(name_of(self._book, "__key"), {"view": "string"})
            self._store.apply(larder.FeatureView(self._book, entity, [larder.Feature("state", "string")], description=about))
            return State()
        if got["state"][0] is None:
            return State()
        name, plan, packed, nulls, files = json.loads(got["state"][0])
        marks = {f: tuple(m) for f, m in files.items()}
        return State(name, plan, tuple(packed), nulls, marks, got.event_timestamps("state")[0] or EPOCH)

    def _write(self, base: str, state: State) -> dt.datetime:
        # later than what it replaces, whatever the clock says
        now = max(dt.datetime.now(dt.timezone.utc), state.at + dt.timedelta(microseconds=1))
        self._store.ingest(self._book, {"view": [base], "event_timestamp": [now], "state": [state.text()]})
        return now

    # ---- Joins ----

    def join(self, entities: Any, event: str, keys: Dict[str, str], features: Sequence[str], known: bool) -> List[Any]:
        """For each row of `entities` (an Arrow table) these features as they were at its time, in the source's types.

        keys: for a join key of the view the column it comes from. known: only what was known at that time, too.
        """
        for _ in range(_TRIES):
            name, base = self.load(known)
            try:
                out = self._join(name, entities, event, keys, features, known)
            except NotFoundError:
                continue  # another process made the next generation meanwhile
            if self._read(base).name == name:  # it was there all the time: what is deleted is not in the book any more
                return out
        raise StoreIOError(f"{self._source.path} changed again and again while it was joined", retryable=True)

    def _join(self, name: str, entities: Any, event: str, keys: Dict[str, str], features: Sequence[str], known: bool) -> List[Any]:
        plan = self.plan
        parts: List[Part] = []
        for f in features:
            if f not in plan.features:
                raise InvalidError(f"{plan.what}: its source {self._source.path} has no column for the feature '{f}'")
            parts.append(plan.features[f])
        spine: Dict[str, Any] = {_EVENT: to_time(entities.column(event), event)}
        for p in plan.keys:
            given = keys.get(p.name, p.name)
            spine[p.held_name] = at.key_into(p.kind, entities.column(given), p.type, False, given)
        if not plan.keys:
            spine["__dummy_id"] = pa.repeat("", entities.num_rows)
        table = pa.table(spine)
        joined = self._store.get_historical_features(
            pa.Table.from_batches(table.to_batches(max_chunksize=ROWS), table.schema), [f"{name}:{p.held_name}" for p in parts],
            timestamp_column=_EVENT, full_feature_names=True, known_at_column=_EVENT if known and plan.created else None,
        ).features_arrow()  # fmt: skip
        return [at.out_of(p.kind, joined.column(f"{name}__{p.held_name}"), p.type) for p in parts]

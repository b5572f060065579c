"""Definitions as Python objects. They become the same files as written by hand, and go the same way.

    customer = Entity("customer", {"customer_id": "int64"})
    account = FeatureView(
        "account", entity=customer, ttl="30d",
        features=[Feature("balance", "float64"), Feature("plan", "string")],
    )
    store.apply([customer, account, FeatureService("churn_v1", [account])])
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from .errors import InvalidError

Duration = Union[str, dt.timedelta]


_UNITS = (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1))


def _duration(d: Optional[Duration]) -> Optional[str]:
    if isinstance(d, dt.timedelta):
        us = d // dt.timedelta(microseconds=1)
        return next(f"{us // size}{unit}" for unit, size in _UNITS if us % size == 0)
    return d


def _name(thing: Any) -> str:
    return thing if isinstance(thing, str) else str(thing.name)


def _tidy(pairs: Iterable[Tuple[str, Any]]) -> Dict[str, Any]:
    """Without what was not said."""
    return {k: v for k, v in pairs if v is not None and v != {} and v != ()}


@dataclass(frozen=True)
class Entity:
    """What features describe, and its typed key columns: a mapping of name to type (string, bytes, int32, int64,
    bool, timestamp)."""

    name: str
    join_keys: Mapping[str, str]
    description: Optional[str] = None
    owner: Optional[str] = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def _document(self) -> Dict[str, Any]:
        keys = [{"name": k, "type": t} for k, t in self.join_keys.items()]
        return {"entities": [_tidy([("name", self.name), ("join_keys", keys), *_about(self)])]}


@dataclass(frozen=True)
class Source:
    """Where the facts of a view come from: files (a glob; relative paths are relative to the folder given to
    `materialize`), or pushes."""

    name: str
    path: Optional[str] = None
    format: str = "csv"
    type: str = "file"
    event_timestamp: Optional[str] = None
    created_timestamp: Optional[str] = None
    columns: Mapping[str, str] = field(default_factory=dict)
    description: Optional[str] = None
    owner: Optional[str] = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def _document(self) -> Dict[str, Any]:
        pairs: List[Tuple[str, Any]] = [("name", self.name), ("type", self.type)]
        if self.type == "file":
            pairs += [("format", self.format), ("path", self.path)]
        pairs += [("event_timestamp", self.event_timestamp), ("created_timestamp", self.created_timestamp)]
        pairs += [("columns", dict(self.columns))]
        return {"sources": [_tidy([*pairs, *_about(self)])]}


@dataclass(frozen=True)
class Feature:
    """One column of a view. type: bool, int32, int64, float32, float64, string, bytes, timestamp, or list<T> of one
    of them. checks: {"min": ..., "max": ..., "not_null": ...}."""

    name: str
    type: str
    description: Optional[str] = None
    unit: Optional[str] = None
    pii: Optional[bool] = None
    checks: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def _plain(self) -> Dict[str, Any]:
        return _tidy(
            [
                ("name", self.name),
                ("type", self.type),
                ("description", self.description),
                ("unit", self.unit),
                ("pii", self.pii),
                ("checks", dict(self.checks)),
                ("tags", dict(self.tags)),
            ]
        )


@dataclass(frozen=True)
class FeatureView:
    """A named group of features of one entity. ttl: how old a fact may be and still answer; retention: when history
    may be removed for good. Both "2h", "30d" or a timedelta."""

    name: str
    entity: Union[str, Entity]
    features: Sequence[Feature]
    source: Union[str, Source, None] = None
    ttl: Optional[Duration] = None
    retention: Optional[Duration] = None
    online: Optional[bool] = None
    description: Optional[str] = None
    owner: Optional[str] = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, feature: Union[str, Sequence[str]]) -> List[str]:
        """References for a service or a query: view["seats"] or view["seats", "year"]."""
        names = [feature] if isinstance(feature, str) else list(feature)
        known = {f.name for f in self.features}
        for n in names:
            if n not in known:
                raise InvalidError(f"feature view '{self.name}' has no feature '{n}'")
        return [f"{self.name}:{n}" for n in names]

    def _document(self) -> Dict[str, Any]:
        one = _tidy(
            [
                ("name", self.name),
                ("entity", _name(self.entity)),
                ("source", None if self.source is None else _name(self.source)),
                ("ttl", _duration(self.ttl)),
                ("retention", _duration(self.retention)),
                ("online", self.online),
                *_about(self),
                ("features", [f._plain() for f in self.features]),
            ]
        )
        return {"feature_views": [one]}


FeatureRef = Union[str, FeatureView, Sequence[str]]


def feature_refs(features: Union[FeatureRef, Sequence[FeatureRef]]) -> List[str]:
    """"view", "view:feature", "a:x,b:y", FeatureViews, and lists of all that, as a flat list of names."""
    if isinstance(features, str):
        return [f.strip() for f in features.split(",") if f.strip()]
    if isinstance(features, FeatureView):
        return [features.name]
    return [one for f in features for one in feature_refs(f)]


@dataclass(frozen=True)
class FeatureService:
    """The named list of features that one model uses: views, "view:feature", or view["feature"]."""

    name: str
    features: Sequence[FeatureRef]
    description: Optional[str] = None
    owner: Optional[str] = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def _document(self) -> Dict[str, Any]:
        refs = feature_refs(self.features)
        return {"feature_services": [_tidy([("name", self.name), ("features", refs), *_about(self)])]}


Definition = Union[Entity, Source, FeatureView, FeatureService]


def _about(thing: Definition) -> List[Tuple[str, Any]]:
    return [("description", thing.description), ("owner", thing.owner), ("tags", dict(thing.tags))]


def write_definitions(things: Iterable[Definition], folder: Union[str, Path], project: Optional[str] = None) -> None:
    """Writes one file for each thing (JSON, which is YAML): what `apply` reads. The folder is made."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if project is not None:
        (folder / "project.yaml").write_text(json.dumps({"project": project}) + "\n", encoding="utf-8")
    for thing in with_parts(things):
        kind = type(thing).__name__.lower()
        document = json.dumps(thing._document(), ensure_ascii=False, indent=2)
        (folder / f"{kind}-{thing.name}.yaml").write_text(document + "\n", encoding="utf-8")


def with_parts(things: Iterable[Definition]) -> List[Definition]:
    """Also what views and services hold as objects; each thing once."""
    out: List[Definition] = []

    def add(thing: Definition) -> None:
        for other in out:
            if type(other) is type(thing) and other.name == thing.name:
                if other != thing:
                    kind = type(thing).__name__
                    raise InvalidError(f"two different things are both called {kind} '{thing.name}'")
                return
        out.append(thing)

    def walk(thing: Any) -> None:
        if not isinstance(thing, (Entity, Source, FeatureView, FeatureService)):
            raise InvalidError(f"not a definition: {thing!r}")
        if isinstance(thing, FeatureView):
            if isinstance(thing.entity, Entity):
                walk(thing.entity)
            if isinstance(thing.source, Source):
                walk(thing.source)
        if isinstance(thing, FeatureService):
            for f in thing.features:
                if isinstance(f, FeatureView):
                    walk(f)
        add(thing)

    for thing in things:
        walk(thing)
    for thing in out:
        if "/" in thing.name or thing.name.startswith("."):
            raise InvalidError(f"not a name: {thing.name!r}")
    return out

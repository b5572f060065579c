"""Things of a Feast repository as Larder's, one after the other."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple
from urllib.parse import quote

from feast.data_source import KafkaSource, KinesisSource, PushSource, RequestSource
from feast.feature_view import DUMMY_ENTITY_NAME
from feast.infra.offline_stores.file_source import FileSource
from feast.value_type import ValueType

import larder
from larder import places
from larder.definitions import with_parts

from .report import Import, Row
from .sources import Columns
from .stores import key_fields, name_of, ttl_of

_TYPES: Dict[ValueType, str] = {
    ValueType.BOOL: "bool",
    ValueType.INT32: "int32",
    ValueType.INT64: "int64",
    ValueType.FLOAT: "float32",
    ValueType.DOUBLE: "float64",
    ValueType.STRING: "string",
    ValueType.BYTES: "bytes",
    ValueType.UNIX_TIMESTAMP: "timestamp",
}
_LISTS = {ValueType[f"{v.name}_LIST"]: f"list<{t}>" for v, t in _TYPES.items()}
# Types of Feast's that are text or bytes with a meaning: that is what is kept.
_NEAR = {"JSON": "string", "UUID": "string", "TIME_UUID": "string", "PDF_BYTES": "bytes", "IMAGE_BYTES": "bytes"}
_KEYS = {"bool", "int32", "int64", "string", "bytes", "timestamp"}


class _Types:
    """Feast's inference asks a provider for the columns of a source."""

    @staticmethod
    def get_table_column_names_and_types_from_data_source(config: Any, source: Any) -> Any:
        return source.get_table_column_names_and_types(config=config)


def _infer(config: Any, view: Any, entities: Sequence[Any]) -> None:
    """Fills in what the definition leaves to the source, as `feast apply` does."""
    inference = importlib.import_module("feast.inference")
    if view.batch_source is not None:
        inference.update_data_sources_with_inferred_event_timestamp_col([view.batch_source], config)
    inference.update_feature_views_with_inferred_features_and_entities(_Types(), [view], list(entities), config)


class Importer:
    """folder: where the definitions will stand; paths of sources are relative to it."""

    def __init__(self, config: Any, contents: Any, folder: Path) -> None:
        self._config, self._contents, self._folder = config, contents, folder
        self._out = Import(config.project)
        self._entities = {e.name: e for e in contents.entities if e.name != DUMMY_ENTITY_NAME}
        self._made: Dict[str, larder.Entity] = {}
        self._sources: Dict[int, _Source] = {}  # by the identity of Feast's object
        self._views: Dict[str, larder.FeatureView] = {}
        self._features: Dict[str, Dict[str, str]] = {}  # Feast's view -> Feast's feature -> Larder's

    def run(self) -> Import:
        out = self._out
        self._settings()
        views = [*self._contents.feature_views, *self._contents.stream_feature_views]
        for view in views:
            self._view(view)
        self._lonely()
        for view in self._contents.on_demand_feature_views:
            row = out.row("on-demand view", view.name)
            row.leave_out(
                f"it is computed in Python ({_mode(view)}) when it is asked for: Larder stores values and runs no Python. Compute it "
                "where the answer is used, or store its result in a view"
            )
        for view in getattr(self._contents, "label_views", []):
            out.row("label view", view.name).leave_out("labels are not kept apart from features: declare it as a feature view")
        for service in self._contents.feature_services:
            self._service(service)
        for thing in self._contents.permissions:
            out.row("permission", thing.name).leave_out("Larder has no permissions: whoever reaches a store may read and write it")
        self._unread()
        made = [s.definition() for s in self._sources.values() if not s.row.left_out]
        out.things = with_parts([*self._made.values(), *made, *self._views.values(), *out.things])
        order = ("setting", "entity", "source", "feature view", "stream view", "on-demand view", "label view", "feature service", "permission")
        out.rows.sort(key=lambda r: order.index(r.kind))
        return out

    def _settings(self) -> None:
        raw = self._config
        auth = getattr(getattr(raw, "auth_config", None), "type", None) or "no_auth"
        if auth != "no_auth":
            self._out.row("setting", "auth").leave_out(f"type {auth}: Larder has no authentication yet; keep it inside a network you trust")
        flags = getattr(raw, "feature_server", None)
        if flags is not None:
            self._out.row("setting", "feature_server").leave_out("it is Feast's server: Larder's is `larder serve`, with a file of its own")

    # ---- Entities ----

    def _entity(self, view: Any) -> Tuple[larder.Entity, Dict[str, str]]:
        """The entity of a view, and for each of Feast's join keys its name here."""
        names = [n for n in view.entities if n != DUMMY_ENTITY_NAME]
        fields = key_fields(view)
        if not names or not fields:
            raise _Without("it has no entity: Larder's views are of an entity, and its source has no column for one")
        if len(fields) < len(names):
            raise _Without(f"the type of a join key of {' and '.join(names)} is not known: give the entity a value_type")
        keys = {f.name: name_of(f.name) for f in fields}
        typed: Dict[str, str] = {}
        for f in fields:
            kind = f.dtype.to_value_type()
            if _TYPES.get(kind) not in _KEYS:
                raise _Without(f"its join key '{f.name}' is of the type {kind.name}, which keys of Larder's cannot have")
            typed[keys[f.name]] = _TYPES[kind]
        name = name_of("_".join(names))
        made = self._made.get(name)
        if made is not None and dict(made.join_keys) != typed:
            raise _Without(
                f"its join keys ({_pairs(typed)}) differ from those of another view of the same entity ({_pairs(made.join_keys)})"
            )
        if made is None:
            made = self._made[name] = self._new_entity(name, names, typed)
        return made, keys

    def _new_entity(self, name: str, names: Sequence[str], keys: Dict[str, str]) -> larder.Entity:
        row = self._out.row("entity", " + ".join(names))
        row.larder = name
        if len(names) > 1:
            return larder.Entity(name, keys)
        feast = self._entities.get(names[0])
        return larder.Entity(name, keys, **(_about(feast, row) if feast is not None else {}))

    def _lonely(self) -> None:
        """Entities that no view has by itself."""
        known = {r.name for r in self._out.rows if r.kind == "entity"}
        for name, entity in self._entities.items():
            if name in known:
                continue
            kind = _TYPES.get(entity.value_type)
            if kind in _KEYS:
                self._made[name_of(name)] = self._new_entity(name_of(name), [name], {name_of(entity.join_key): str(kind)})
            elif entity.value_type == ValueType.UNKNOWN:
                self._out.row("entity", name).leave_out("no view that is carried over has it, and it does not say of which type its key is")
            else:
                self._out.row("entity", name).leave_out(f"its key is of the type {entity.value_type.name}, which keys of Larder's cannot have")

    # ---- Sources ----

    def _source(self, view: Any) -> "Optional[_Source]":
        """None: the view has none that is carried over."""
        source = view.stream_source or view.batch_source
        if source is None:
            return None
        if id(source) not in self._sources:
            row = self._out.row("source", source.name)
            self._sources[id(source)] = made = _Source(self._source_name(source), row)
            self._describe(source, made)
            row.larder = "" if row.left_out else made.name
        made = self._sources[id(source)]
        return None if made.row.left_out else made

    def _describe(self, source: Any, made: "_Source") -> None:
        row, batch = made.row, source
        if isinstance(source, (PushSource, KafkaSource, KinesisSource)):
            batch = source.batch_source
        if isinstance(source, (KafkaSource, KinesisSource)):
            row.why.append(f"Larder does not read {type(source).__name__[:-6]}: write what arrives by HTTP or `larder ingest`")
        made.options = _about(source, row)
        event = "event_timestamp" if batch is None else batch.timestamp_field
        if not event:
            row.leave_out("it does not say which column is the event time")
        elif isinstance(batch, FileSource) and str(batch.file_format or "parquet") == "parquet":
            columns = Columns(batch, self._column_names(batch))
            if places.shown(batch.path) != places.split(batch.path)[0]:
                row.why.append("the credentials in its path are left out: put them into the environment")
            made.options.update(path=self._path(batch), format="parquet", event_timestamp=columns.find(event) or event)
            if batch.created_timestamp_column:
                created = batch.created_timestamp_column
                made.options["created_timestamp"] = columns.find(created) or created
            if getattr(batch, "connection_ref", None) is not None:
                row.why.append("its connection_ref is left out: put what the file system needs into the environment")
        else:
            made.options.update(type="push", event_timestamp=event)
            if batch is None:
                return
            found = f"a FileSource in the format {batch.file_format}" if isinstance(batch, FileSource) else f"a {type(batch).__name__}"
            why = f"Larder reads files (Parquet, CSV, NDJSON), not {found}: export it, or load it with `larder ingest`"
            if batch is source:
                row.leave_out(why)
            else:
                row.why.append(f"its batch source is left out: {why}")

    def _column_names(self, source: FileSource) -> List[str]:
        try:
            return [n for n, _ in source.get_table_column_names_and_types(self._config)]
        except Exception:  # a file that is not there yet: the mapping is taken as it stands
            return list(source.field_mapping or {})

    def _path(self, source: FileSource) -> str:
        if places.far(source.path):
            options = f"?endpoint_override={quote(source.s3_endpoint_override, safe='')}" if source.s3_endpoint_override else ""
            return places.shown(source.path) + (options or places.split(source.path)[1])
        if os.path.isabs(source.path):
            return str(source.path)
        return os.path.relpath(os.path.join(self._config.repo_path, source.path), self._folder)

    def _source_name(self, source: Any) -> str:
        name = name_of(source.name)
        if isinstance(source, FileSource) and source.name == source.path:  # it has no name of its own
            name = name_of(Path(source.path.rstrip("/")).stem.split(".")[0] or "source", "_file")
        taken = {s.name for s in self._sources.values()}
        names = [name, *(f"{name}_{n}" for n in range(2, len(taken) + 3))]
        return next(n for n in names if n not in taken)

    def _unread(self) -> None:
        """Sources that no view has."""
        batches = {id(getattr(s, "batch_source", None)) for s in self._contents.data_sources}
        for source in self._contents.data_sources:
            if isinstance(source, RequestSource):
                self._out.row("source", source.name).leave_out("its values come with a request, for on-demand views")
            elif id(source) not in self._sources and id(source) not in batches:
                self._out.row("source", source.name).leave_out("no view that is carried over reads it")

    # ---- Views ----

    def _view(self, view: Any) -> None:
        stream = type(view).__name__ == "StreamFeatureView"
        row = self._out.row("stream view" if stream else "feature view", view.name)
        name = name_of(view.name)
        try:
            if name in self._views:
                raise _Without(f"another view is called '{name}', too")
            try:
                _infer(self._config, view, list(self._entities.values()))
            except Exception as e:
                raise _Without(f"its columns are left to its source, which cannot be read: {_line(e)}") from None
            entity, keys = self._entity(view)
            features = self._features_of(view, row)
        except _Without as e:
            row.leave_out(str(e))
            return
        source = None if _transformed(view, row) else self._source(view)
        if source is None:
            row.why.append("it has no source here: load it with `larder ingest`, or write it")
        elif view.batch_source is not None:
            source.rename(view, {**keys, **self._features[view.name]})
        online = None if view.online else False
        self._views[name] = larder.FeatureView(
            name, entity.name, features, source.name if source else None, ttl=ttl_of(view), online=online, **_about(view, row)
        )
        row.larder = name

    def _features_of(self, view: Any, row: Row) -> List[larder.Feature]:
        out: List[larder.Feature] = []
        names: Dict[str, str] = {}
        for f in view.features:
            kind = f.dtype.to_value_type()
            known = _TYPES.get(kind) or _LISTS.get(kind)
            if known is None and kind.name in _NEAR:
                known = _NEAR[kind.name]
                row.why.append(f"feature '{f.name}': {kind.name} is kept as its {'text' if known == 'string' else 'bytes'}")
            if known is None:
                row.why.append(f"feature '{f.name}' is left out: Larder has no type for {kind.name}")
                continue
            name = name_of(f.name)
            if name in names.values():
                row.why.append(f"feature '{f.name}' is left out: another one is called '{name}', too")
                continue
            if name != f.name:
                row.why.append(f"feature '{f.name}' is called '{name}'")
            if getattr(f, "vector_index", False):
                row.why.append(f"feature '{f.name}': its vector index is left out; Larder does not search by similarity")
            names[f.name] = name
            out.append(larder.Feature(name, known, f.description or None, tags=_tags(f.tags, row, f"feature '{f.name}': ")))
        if not out:
            raise _Without("; ".join(row.why) or "it has no features")
        self._features[view.name] = names
        return out

    # ---- Services ----

    def _service(self, service: Any) -> None:
        row = self._out.row("feature service", service.name)
        refs: List[Any] = []
        for p in service.feature_view_projections:
            known = self._features.get(p.name)
            if known is None:
                row.why.append(f"'{p.name}' is left out: that view is not carried over")
            elif p.name_alias or p.join_key_map:
                how = f"as '{p.name_alias}'" if p.name_alias else "with other join keys"
                row.why.append(f"'{p.name}' {how} is left out: a service of Larder's has each view once, under its own name and keys")
            else:
                chosen = p.desired_features or [f.name for f in p.features] or list(known)
                gone = [f for f in chosen if f not in known]
                if gone:
                    row.why.append(f"'{p.name}' is without {', '.join(gone)}: not carried over")
                kept = [known[f] for f in chosen if f in known]
                name = name_of(p.name)
                refs += [name] if len(kept) == len(known) else [f"{name}:{f}" for f in kept]
        if getattr(service, "logging_config", None) is not None:
            row.why.append("what it serves is not logged: Larder has no logging of features")
        if not refs:
            row.leave_out("; ".join(row.why) or "it names no feature")
            return
        row.larder = name_of(service.name)
        self._out.things.append(larder.FeatureService(row.larder, refs, **_about(service, row)))


class _Without(Exception):
    """Why a view cannot be carried over."""


class _Source:
    """A source in the making: views that read it add to its columns."""

    def __init__(self, name: str, row: Row) -> None:
        self.name, self.row = name, row
        self.options: Dict[str, Any] = {}
        self.columns: Dict[str, str] = {}

    def rename(self, view: Any, names: Dict[str, str]) -> None:
        """Columns that have other names than what is filled from them. names: Feast's to Larder's."""
        if "path" not in self.options:
            return
        back = {feature: column for column, feature in (view.batch_source.field_mapping or {}).items()}
        for feast, name in names.items():
            column = back.get(feast, feast)
            if column != name and self.columns.setdefault(name, column) != column:
                self.row.why.append(f"view '{view.name}' wants '{name}' from column '{column}', another from '{self.columns[name]}'")

    def definition(self) -> larder.Source:
        return larder.Source(self.name, columns=self.columns, **self.options)


# ---- Pieces ----


def _about(thing: Any, row: Row) -> Dict[str, Any]:
    """description, owner, tags."""
    owner = getattr(thing, "owner", None) or None
    return {"description": thing.description or None, "owner": owner, "tags": _tags(thing.tags, row, "")}


def _tags(tags: Optional[Dict[str, str]], row: Row, what: str) -> Dict[str, str]:
    out: Dict[str, str] = {}
    for key, value in (tags or {}).items():
        if key.startswith("feast:"):
            continue  # Feast's own notes
        if not key or len(key.encode()) > 128 or "=" in key or any(ord(c) < 32 for c in key) or len(out) == 64:
            row.why.append(f"{what}tag '{key}' is left out: keys have 1 to 128 bytes without '=', and a thing has 64 tags at most")
        else:
            out[key] = str(value)
    return out


def _pairs(keys: Any) -> str:
    return ", ".join(f"{k} {t}" for k, t in keys.items())


def _line(e: Exception) -> str:
    return f"{type(e).__name__}: {' '.join(str(e).split())}"


def _mode(view: Any) -> str:
    mode = getattr(view, "mode", None)
    return f"mode {getattr(mode, 'value', mode)}" if mode else "a function"


def _transformed(view: Any, row: Row) -> bool:
    """Whether what its source holds is not what the view holds, but what that is made from."""
    if getattr(view, "source_views", None):
        row.why.append("it is made from other views: that is left out")
        return True
    what = ""
    if getattr(view, "aggregations", None):
        what = "aggregations are"
    elif getattr(view, "feature_transformation", None) is not None or getattr(view, "udf", None) is not None:
        what = "transformation is"
    if not what:
        return False
    stream = type(view).__name__ == "StreamFeatureView"  # Feast reads their results from the batch source, too
    row.why.append(f"its {what} left out: " + ("the batch source has to hold the results" if stream else "its source holds what is to be transformed"))
    return not stream

"""Feast's interface of an online store.

A feature view becomes a view `PROJECT__VIEW` of an entity with the view's join keys. Scalars and lists keep their types; what Larder has
no type for (maps, structs, sets, decimals, ...) is kept as bytes of Feast's own message, and comes back as it was. The newest event time
wins, then the newest created time; a write never clobbers a newer value. `ttl` hides nothing, as in Feast's own stores.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Literal, Optional, Sequence, Tuple

from feast import Entity, FeatureView
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.supported_async_methods import SupportedAsyncMethods
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.value_type import ValueType

import larder

from .stores import name_of as _name
from .stores import store_of, ttl_of

_NO_TIME = -(2**63)
# Feast's type -> Larder's, and the member of Value that holds it
_TYPES: Dict[ValueType, Tuple[str, str]] = {
    ValueType.BOOL: ("bool", "bool_val"),
    ValueType.INT32: ("int32", "int32_val"),
    ValueType.INT64: ("int64", "int64_val"),
    ValueType.FLOAT: ("float32", "float_val"),
    ValueType.DOUBLE: ("float64", "double_val"),
    ValueType.STRING: ("string", "string_val"),
    ValueType.BYTES: ("bytes", "bytes_val"),
    ValueType.UNIX_TIMESTAMP: ("int64", "unix_timestamp_val"),
    ValueType.BOOL_LIST: ("list<bool>", "bool_list_val"),
    ValueType.INT32_LIST: ("list<int32>", "int32_list_val"),
    ValueType.INT64_LIST: ("list<int64>", "int64_list_val"),
    ValueType.FLOAT_LIST: ("list<float32>", "float_list_val"),
    ValueType.DOUBLE_LIST: ("list<float64>", "double_list_val"),
    ValueType.STRING_LIST: ("list<string>", "string_list_val"),
    ValueType.BYTES_LIST: ("list<bytes>", "bytes_list_val"),
    ValueType.UNIX_TIMESTAMP_LIST: ("list<int64>", "unix_timestamp_list_val"),
}
_OTHER = ("bytes", "")
_KEYS = {"bool", "int32", "int64", "string", "bytes"}


class LarderOnlineStoreConfig(FeastConfigBaseModel):
    """path: "local:DIR" (relative to the repository) or "cluster:host:port,..."."""

    type: Literal["larder.feast.LarderOnlineStore"] = "larder.feast.LarderOnlineStore"
    path: str = "local:data/larder"


def _store(config: RepoConfig) -> larder.Store:
    return store_of(config.online_store.path, config.repo_path)


# ---- Definitions ----


class _View:
    """A feature view of Feast as Larder has it."""

    def __init__(self, config: RepoConfig, table: Any) -> None:
        self.name = _name(f"{config.project}__{table.name}")
        self.keys: Dict[str, Tuple[str, str]] = {}
        for column in table.entity_columns:
            kind = _TYPES.get(column.dtype.to_value_type(), _OTHER)
            if kind[0] not in _KEYS:
                raise larder.UnsupportedError(f"join key '{column.name}' of '{table.name}' has a type that keys cannot have")
            self.keys[column.name] = kind
        if not self.keys:
            self.keys["__dummy_id"] = ("string", "string_val")  # a view of nothing in particular
        self.features = {f.name: _TYPES.get(f.dtype.to_value_type(), _OTHER) for f in table.features}
        self.ttl = ttl_of(table)

    def definition(self) -> larder.FeatureView:
        keys = {_name(k): kind for k, (kind, _) in self.keys.items()}
        entity = larder.Entity(_name(self.name, "__key"), keys)
        features = [larder.Feature(_name(f), kind) for f, (kind, _) in self.features.items()]
        return larder.FeatureView(self.name, entity, features, ttl=self.ttl)


# ---- Values ----


def _in(kind: Tuple[str, str], value: Any) -> Any:
    """A ValueProto as a Python value; None for null."""
    member = value.WhichOneof("val")
    if member is None or member == "null_val":
        return None
    if not kind[1]:
        return value.SerializeToString()
    held = getattr(value, kind[1] if value.HasField(kind[1]) else member)
    if kind[0].startswith("list"):
        return list(held.val)
    return None if kind[1] == "unix_timestamp_val" and held == _NO_TIME else held


def _out(kind: Tuple[str, str], value: Any) -> ValueProto:
    out = ValueProto()
    if value is None:
        return out
    if not kind[1]:
        out.ParseFromString(value)
    elif kind[0].startswith("list"):
        held = getattr(out, kind[1])
        held.SetInParent()
        held.val.extend(value)
    else:
        setattr(out, kind[1], value)
    return out


def _utc(t: datetime) -> datetime:
    return t.replace(tzinfo=timezone.utc) if t.tzinfo is None else t


class LarderOnlineStore(OnlineStore):
    """Feast's interface of an online store."""

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: List[Tuple[EntityKeyProto, Dict[str, ValueProto], datetime, Optional[datetime]]],
        progress: Optional[Callable[[int], Any]],
    ) -> None:
        view = _View(config, table)
        store = _store(config)
        # facts without a created time get the time of acceptance: they go by themselves
        for known in (True, False):
            rows = [d for d in data if (d[3] is not None) == known]
            if not rows:
                continue
            columns: Dict[str, List[Any]] = self._key_columns(view, [d[0] for d in rows])
            for feature, kind in view.features.items():
                columns[_name(feature)] = [_in(kind, d[1][feature]) if feature in d[1] else None for d in rows]
            columns["event_timestamp"] = [_utc(d[2]) for d in rows]
            if known:
                columns["created_timestamp"] = [_utc(d[3]) for d in rows if d[3] is not None]
            store.ingest(view.name, columns, created_timestamp="created_timestamp" if known else None)
            if progress:
                progress(len(rows))

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: List[Tuple[EntityKeyProto, Dict[str, ValueProto], datetime, Optional[datetime]]],
        progress: Optional[Callable[[int], Any]],
    ) -> None:
        """On another thread."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: List[EntityKeyProto],
        requested_features: Optional[List[str]] = None,
    ) -> List[Tuple[Optional[datetime], Optional[Dict[str, ValueProto]]]]:
        view = _View(config, table)
        features, answer = self._ask(config, view, entity_keys, requested_features)
        if answer is None:
            return [(None, None) for _ in entity_keys]
        return self._answer(view, features, answer)

    async def online_read_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: List[EntityKeyProto],
        requested_features: Optional[List[str]] = None,
    ) -> List[Tuple[Optional[datetime], Optional[Dict[str, ValueProto]]]]:
        view = _View(config, table)
        features = list(requested_features or view.features)
        if not entity_keys:
            return []
        answer = await _store(config).get_online_features_async(
            [f"{view.name}:{_name(f)}" for f in features], self._key_columns(view, entity_keys)
        )
        return self._answer(view, features, answer)

    def _ask(
        self, config: RepoConfig, view: _View, entity_keys: Sequence[EntityKeyProto], requested: Optional[List[str]]
    ) -> Tuple[List[str], Optional[larder.OnlineFeatures]]:
        features = [f for f in requested or view.features if f in view.features] or list(view.features)
        if not entity_keys:
            return features, None
        refs = [f"{view.name}:{_name(f)}" for f in features]
        return features, _store(config).get_online_features(refs, self._key_columns(view, entity_keys))

    @staticmethod
    def _answer(
        view: _View, features: Sequence[str], answer: larder.OnlineFeatures
    ) -> List[Tuple[Optional[datetime], Optional[Dict[str, ValueProto]]]]:
        values = {f: answer[_name(f)] for f in features}
        times = {f: answer.event_timestamps(_name(f)) for f in features}
        out: List[Tuple[Optional[datetime], Optional[Dict[str, ValueProto]]]] = []
        for row in range(len(answer)):
            # one fact answers for all of a view, but features that are newer than it have no time of their own
            event = next((times[f][row] for f in features if times[f][row] is not None), None)
            if event is None:
                out.append((None, None))
            else:
                out.append((event, {f: _out(view.features[f], values[f][row]) for f in features}))
        return out

    @staticmethod
    def _key_columns(view: _View, keys: Sequence[EntityKeyProto]) -> Dict[str, List[Any]]:
        columns: Dict[str, List[Any]] = {_name(k): [] for k in view.keys}
        for key in keys:
            given = dict(zip(key.join_keys, key.entity_values))
            for name, kind in view.keys.items():
                value = given.get(name)
                if value is None and name == "__dummy_id":
                    columns[name].append("")
                else:
                    columns[_name(name)].append(None if value is None else _in(kind, value))
        return columns

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        store = _store(config)
        definitions = [_View(config, t).definition() for t in tables_to_keep if t.features]
        if definitions:
            store.apply(definitions)
        self._delete(store, config, tables_to_delete)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        self._delete(_store(config), config, tables)

    @staticmethod
    def _delete(store: larder.Store, config: RepoConfig, tables: Sequence[Any]) -> None:
        for table in tables:
            name = _View(config, table).name
            for kind, one in (("feature-views", name), ("entities", _name(name, "__key"))):
                try:
                    store.delete(kind, one)
                except larder.NotFoundError:
                    pass

    @property
    def async_supported(self) -> SupportedAsyncMethods:
        return SupportedAsyncMethods(read=True, write=True)

    async def close(self) -> None:
        """Other objects may use the same store: it is closed when the process ends."""

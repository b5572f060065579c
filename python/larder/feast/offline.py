"""Feast's interface of an offline store: training sets by Larder's own point-in-time join.

The sources stay what they are (FileSource, Parquet) and what is true; their facts are kept in a Larder store (`kept.py`), where they are
joined. Extracts (materialize, saved datasets, logs) are read from the sources.

What Feast leaves open is settled here: one row for each row of entity_df, in its order; facts that tie in event and created time are
decided by their values; times count in whole microseconds; a row of the source without a key or an event time is no fact.
"""

from __future__ import annotations

import os
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Literal, Optional, Sequence, Union

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq
from feast.data_source import DataSource
from feast.errors import FeastEntityDFMissingColumnsError, FeastJoinKeysDuringMaterialization, SavedDatasetLocationAlreadyExists
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL, FeatureView
from feast.infra.offline_stores.file_source import FileLoggingDestination, FileSource, SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.offline_stores.offline_utils import (
    get_pyarrow_schema_from_batch_source,
    infer_event_timestamp_from_entity_df,
)
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.saved_dataset import SavedDatasetStorage
from feast.utils import _get_requested_feature_views_to_features_dict, compute_non_entity_date_range

from larder import parquet
from larder.errors import InvalidError, UnsupportedError

from . import sources
from .kept import History
from .stores import key_fields, store_of

_TIME = "event_timestamp"


class LarderOfflineStoreConfig(FeastConfigBaseModel):
    """path: "local:DIR" (relative to the repository) or "cluster:host:port,...": where the facts of the sources are kept."""

    type: Literal["larder.feast.LarderOfflineStore"] = "larder.feast.LarderOfflineStore"
    path: str = "local:data/larder"


class LarderRetrievalJob(RetrievalJob):
    """Runs when its result is asked for, and again when it is asked for again."""

    def __init__(
        self,
        run: Callable[[], Any],
        config: RepoConfig,
        full_feature_names: bool = False,
        on_demand_feature_views: Optional[List[OnDemandFeatureView]] = None,
        metadata: Optional[RetrievalMetadata] = None,
    ) -> None:
        self._run, self._config = run, config
        self._full, self._on_demand, self._metadata = full_feature_names, on_demand_feature_views or [], metadata

    def _to_arrow_internal(self, timeout: Optional[int] = None) -> Any:
        return self._run()

    def _to_df_internal(self, timeout: Optional[int] = None) -> Any:
        return self._run().to_pandas()

    @property
    def full_feature_names(self) -> bool:
        return self._full

    @property
    def on_demand_feature_views(self) -> List[OnDemandFeatureView]:
        return self._on_demand

    @property
    def metadata(self) -> Optional[RetrievalMetadata]:
        return self._metadata

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: Optional[int] = None) -> None:
        """Into a Parquet file, or into a folder when the path does not end in .parquet."""
        if not isinstance(storage, SavedDatasetFileStorage):
            raise UnsupportedError(f"Larder's offline store saves datasets as SavedDatasetFileStorage, not as {type(storage).__name__}")
        place = sources.location(self._config, storage.to_data_source())
        system, inside = fs.FileSystem.from_uri(place) if "://" in place else (fs.LocalFileSystem(), place)
        found = system.get_file_info(inside).type
        if found != fs.FileType.NotFound and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=storage.file_options.uri)
        table = self.to_arrow()
        if inside.endswith(".parquet"):
            parquet.write(iter(table.to_batches()), table.schema, place)
            return
        system.create_dir(inside, recursive=True)
        before = [i.path for i in system.get_file_info(fs.FileSelector(inside)) if i.path.endswith(parquet.SUFFIXES)]
        parquet.write(iter(table.to_batches()), table.schema, parquet.inside(place, f"part-{uuid.uuid4().hex}.parquet"))
        for path in before:
            system.delete_file(path)


class LarderOfflineStore(OfflineStore):
    """Feast's interface of an offline store."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: List[FeatureView],
        feature_refs: List[str],
        entity_df: Optional[Union[pd.DataFrame, str]],
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> RetrievalJob:
        """entity_df None: every entity that has a row within start_date and end_date, as of end_date."""
        for view in feature_views:
            sources.check_kind(view.batch_source, f"feature view '{view.name}'")
        wanted, _ = _get_requested_feature_views_to_features_dict(
            feature_refs, feature_views, registry.list_on_demand_feature_views(config.project)
        )
        if entity_df is None:
            start, end = compute_non_entity_date_range(
                feature_views, start_date=kwargs.get("start_date"), end_date=kwargs.get("end_date")
            )
            event = _TIME

            def spine() -> Any:
                return _all_entities(config, list(wanted), start, end)

            metadata = RetrievalMetadata(list(feature_refs), sorted({k for v in wanted for k in _keys(v).values()}), start, end)
        else:
            entities = _entities(entity_df)
            event = infer_event_timestamp_from_entity_df(dict(zip(entities.columns, entities.dtypes)))
            entities = _in_utc(entities, event)
            _check_columns(entities, event, wanted)

            def spine() -> Any:
                return pa.Table.from_pandas(entities, preserve_index=False)

            others = [str(c) for c in entities.columns if c != event]
            bounds = (None, None) if entities.empty else (entities[event].min(), entities[event].max())
            metadata = RetrievalMetadata(list(feature_refs), others, *(t and t.to_pydatetime() for t in bounds))
        known = bool(kwargs.get("filter_by_created_timestamp"))
        return LarderRetrievalJob(
            lambda: _join(config, spine(), event, wanted, full_feature_names, known),
            config, full_feature_names, OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry), metadata,
        )  # fmt: skip

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: List[str],
        feature_name_columns: List[str],
        timestamp_field: str,
        created_timestamp_column: Optional[str],
        start_date: Optional[datetime] = None,
        end_date: Optional[datetime] = None,
    ) -> RetrievalJob:
        return _pull(
            config, data_source, join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column, start_date, end_date,
            lambda tables: sources.newest(tables, join_key_columns, timestamp_field, created_timestamp_column or None),
        )  # fmt: skip

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: List[str],
        feature_name_columns: List[str],
        timestamp_field: str,
        created_timestamp_column: Optional[str] = None,
        start_date: Optional[datetime] = None,
        end_date: Optional[datetime] = None,
    ) -> RetrievalJob:
        return _pull(
            config, data_source, join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column, start_date, end_date,
            lambda tables: pa.concat_tables(tables),
        )  # fmt: skip

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: Union[pa.Table, Path],
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        destination = logging_config.destination
        if not isinstance(destination, FileLoggingDestination):
            raise UnsupportedError(f"Larder's offline store logs into FileLoggingDestination, not {type(destination).__name__}")
        table = pq.read_table(data) if isinstance(data, Path) else data
        place = sources.location(config, destination.to_data_source())
        system, inside = fs.FileSystem.from_uri(place) if "://" in place else (fs.LocalFileSystem(), place)
        ds.write_dataset(
            table, inside, basename_template=f"{uuid.uuid4().hex}-{{i}}.parquet", partitioning=destination.partition_by,
            filesystem=system, format="parquet", existing_data_behavior="overwrite_or_ignore",
        )  # fmt: skip

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Optional[Callable[[int], Any]],
    ) -> None:
        """Adds rows to the source of the feature view; the next training set has them."""
        source = sources.check_kind(feature_view.batch_source, f"feature view '{feature_view.name}'")
        schema, names = get_pyarrow_schema_from_batch_source(config, source)
        if names != table.column_names:
            raise ValueError(
                f"The rows to write have the columns {', '.join(table.column_names)}; the source of feature view '{feature_view.name}' "
                f"has, in this order: {', '.join(names)} (types: {', '.join(str(t) for t in schema.types)})"
            )
        sources.append(config, source, table)
        if progress:
            progress(table.num_rows)


# ---- Training sets ----


def _entities(entity_df: Any) -> Any:
    if isinstance(entity_df, pd.DataFrame):
        return entity_df
    if isinstance(entity_df, pa.Table):
        return entity_df.to_pandas()
    raise ValueError(f"entity_df: Larder's offline store takes a pandas.DataFrame or a pyarrow.Table, found {type(entity_df).__name__}")


def _in_utc(entities: Any, event: str) -> Any:
    """A copy with its event times as times of UTC, whatever they were."""
    entities = entities.copy()
    entities[event] = pd.to_datetime(entities[event], utc=True)
    if entities[event].isna().any():
        raise ValueError(f"entity_df: column '{event}' has a row without a time")
    return entities


def _keys(view: Any) -> Dict[str, str]:
    """For each join key of a view the column of the entities that it is joined with."""
    renamed = view.projection.join_key_map
    return {c.name: renamed.get(c.name, c.name) for c in key_fields(view)}


def _names(view: Any, features: Sequence[str], full: bool) -> List[str]:
    if not full:
        return list(features)
    prefix = view.projection.name_alias or view.name
    return [f"{prefix}__{f}" for f in features]


def _check_columns(entities: Any, event: str, wanted: Any) -> None:
    expected = {event, *(k for view in wanted for k in _keys(view).values())}
    missing = expected - {str(c) for c in entities.columns}
    if missing:
        raise FeastEntityDFMissingColumnsError(expected, missing)


def _join(config: RepoConfig, table: Any, event: str, wanted: Any, full: bool, known: bool) -> Any:
    entities = table
    store = store_of(config.offline_store.path, config.repo_path)
    for view, features in wanted.items():
        features = list(dict.fromkeys(features))
        columns = History(store, config, view).join(entities, event, _keys(view), features, known)
        for name, column in zip(_names(view, features, full), columns):
            if name in table.column_names:
                raise InvalidError(
                    f"entity_df has a column '{name}', and so is a feature called that is asked for: rename it, or ask for full_feature_names"
                )
            table = table.append_column(name, column)
    return table


def _all_entities(config: RepoConfig, views: Sequence[Any], start: datetime, end: datetime) -> Any:
    """Every entity with a row in the range, at its end."""
    found: List[Any] = []
    for view in views:
        keys = _keys(view)
        if not keys:
            continue
        source = view.batch_source
        columns = sources.Columns(source, sources.Files(config, source).names)
        at = {k: columns.find(k) or k for k in (*keys, source.timestamp_field)}
        read = [at[k] for k in keys]
        for table in sources.rows(config, source, read, at[source.timestamp_field], start, end):
            one = table.rename_columns(list(keys.values()))
            found.append(one.group_by(one.column_names).aggregate([]))
    out = pa.concat_tables(found, promote_options="permissive") if found else pa.table({"__one": [0]})
    if found:
        out = out.group_by(out.column_names).aggregate([])
        out = out.sort_by([(c, "ascending") for c in out.column_names])
    stamp = pa.scalar(end, pa.timestamp("us", "UTC"))
    out = out.append_column(_TIME, pa.repeat(stamp, out.num_rows))
    return out.drop_columns(["__one"]) if not found else out


# ---- Extracts ----


def _pull(
    config: RepoConfig,
    data_source: DataSource,
    keys: List[str],
    features: List[str],
    event: str,
    created: Optional[str],
    start: Optional[datetime],
    end: Optional[datetime],
    gather: Callable[[Iterator[Any]], Any],
) -> RetrievalJob:
    source = sources.check_kind(data_source, f"data source '{data_source.name}'")
    wanted = [*keys, *features, event, *([created] if created else [])] if features else []

    def run() -> Any:
        names = sources.Files(config, source).names
        if not set(keys) <= set(names):
            raise FeastJoinKeysDuringMaterialization(source.path, set(keys), set(names))
        tables = sources.rows(config, source, wanted, event, start, end)
        first = next(tables, None)
        out = _empty(config, source, wanted) if first is None else gather(_chain(first, tables))
        if not keys:
            out = out.append_column(DUMMY_ENTITY_ID, pa.repeat(DUMMY_ENTITY_VAL, out.num_rows))
        return out

    return LarderRetrievalJob(run, config)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _empty(config: RepoConfig, source: FileSource, wanted: Sequence[str]) -> Any:
    schema = sources.Files(config, source).dataset.schema
    return sources.utc(pa.schema([schema.field(c) for c in dict.fromkeys(wanted or schema.names)]).empty_table())



"""Larder, a feature store: training sets with what was known at each row's time, and the newest values for serving, from
the same bytes.

    import larder
    with larder.connect("local:store") as store:
        store.apply("definitions/")
        store.ingest("account", frame)
        train = store.get_historical_features(spine, service="churn_v1").to_pandas()
        now = store.get_online_features(service="churn_v1", entities={"customer_id": [1, 2]}).to_dict()
"""

from .batch import Batch
from .definitions import Entity, Feature, FeatureService, FeatureView, Source, write_definitions
from .errors import (
    BusyError,
    CancelledError,
    ClosedError,
    ConflictError,
    CorruptError,
    DefinitionError,
    ExistsError,
    FormatError,
    InvalidError,
    LarderError,
    LockedError,
    MissingPackageError,
    NoMemoryError,
    NoSpaceError,
    NotFoundError,
    NotLeaderError,
    ReadOnlyError,
    RefusedError,
    StaleError,
    StoreIOError,
    StoreTimeoutError,
    TooBigError,
    UnavailableError,
    UnsupportedError,
)
from .historical import TrainingSet
from .online import OnlineFeatures
from .partition import Partition, Partitions, partitions
from .reports import Changes, CheckReport, MaterializeReport, WriteReport
from .scan import Scan
from .store import Store, connect, restore, version
from .table import Table

__version__ = version()

__all__ = [
    "Batch",
    "BusyError",
    "CancelledError",
    "Changes",
    "CheckReport",
    "ClosedError",
    "ConflictError",
    "CorruptError",
    "DefinitionError",
    "Entity",
    "ExistsError",
    "Feature",
    "FeatureService",
    "FeatureView",
    "FormatError",
    "InvalidError",
    "LarderError",
    "LockedError",
    "MaterializeReport",
    "MissingPackageError",
    "NoMemoryError",
    "NoSpaceError",
    "NotFoundError",
    "NotLeaderError",
    "OnlineFeatures",
    "Partition",
    "Partitions",
    "ReadOnlyError",
    "RefusedError",
    "Scan",
    "Source",
    "StaleError",
    "Store",
    "StoreIOError",
    "StoreTimeoutError",
    "Table",
    "TooBigError",
    "TrainingSet",
    "UnavailableError",
    "UnsupportedError",
    "WriteReport",
    "connect",
    "partitions",
    "restore",
    "version",
    "write_definitions",
]

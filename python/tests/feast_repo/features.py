"""A repository with something of everything that `larder import-feast` has to carry over, or to say why not."""

from datetime import timedelta

import pandas as pd
from feast import (
    BatchFeatureView, BigQuerySource, Entity, FeatureService, FeatureView, Field, FileSource, KafkaSource, PushSource, RequestSource,
    StreamFeatureView, ValueType,
)
from feast.data_format import DeltaFormat, JsonFormat
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Float32, Float64, Int64, Json, Map, Set, String, UnixTimestamp

print("a repository may print")

driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64, description="who drives", owner="ops@example.org", tags={"team": "ops"})
customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
vehicle = Entity(name="vehicle", join_keys=["plate"], value_type=ValueType.STRING)  # no view has it
place = Entity(name="place", join_keys=["at"])  # no view has it, and it says no type
weight = Entity(name="weight", join_keys=["kg"], value_type=ValueType.DOUBLE)

trips = FileSource(
    name="trips", path="data/trips.parquet", timestamp_field="ts", created_timestamp_column="made",
    field_mapping={"event time": "ts", "rate": "conv_rate"}, description="exported every night", tags={"a=b": "x", "tier": "gold"},
)  # fmt: skip
stats = FeatureView(
    name="driver_stats", entities=[driver], ttl=timedelta(hours=2), source=trips, owner="ops@example.org", tags={"tier": "gold"}, description="per hour",
    schema=[
        Field(name="driver_id", dtype=Int64), Field(name="conv_rate", dtype=Float32, description="share of offers taken", tags={"unit": "1"}),
        Field(name="trips-today", dtype=Int64), Field(name="scores", dtype=Array(Float64)), Field(name="seen", dtype=UnixTimestamp),
        Field(name="profile", dtype=Json), Field(name="extra", dtype=Map), Field(name="badges", dtype=Set(String)),
    ],
)  # fmt: skip
pair_file = FileSource(path="data/pairs.parquet", timestamp_field="ts")  # it has no name
pairs = FeatureView(
    name="pair", entities=[driver, customer], source=PushSource(name="pair_push", batch_source=pair_file), online=False,
    schema=[Field(name="driver_id", dtype=Int64), Field(name="customer_id", dtype=String), Field(name="fare", dtype=Float64)],
)  # fmt: skip
inferred = FeatureView(name="inferred", entities=[driver], source=FileSource(name="inferred_file", path="data/inferred.parquet", timestamp_field="ts"))
unreadable = FeatureView(name="unreadable", entities=[driver], source=FileSource(name="gone", path="data/gone.parquet", timestamp_field="ts"))
delta = FeatureView(
    name="delta", entities=[driver], schema=[Field(name="driver_id", dtype=Int64), Field(name="n", dtype=Int64)],
    source=FileSource(name="delta_table", path="data/delta", timestamp_field="ts", file_format=DeltaFormat()),
)  # fmt: skip
warehouse = FeatureView(
    name="warehouse", entities=[customer], schema=[Field(name="customer_id", dtype=String), Field(name="n", dtype=Int64)],
    source=BigQuerySource(name="warehouse_table", table="p.d.t", timestamp_field="ts"),
)  # fmt: skip
everybody = FeatureView(name="everybody", entities=[], schema=[Field(name="n", dtype=Int64)], source=pair_file)
by_weight = FeatureView(name="by_weight", entities=[weight], schema=[Field(name="kg", dtype=Float64), Field(name="n", dtype=Int64)], source=pair_file)
only_maps = FeatureView(name="only_maps", entities=[driver], schema=[Field(name="driver_id", dtype=Int64), Field(name="m", dtype=Map)], source=trips)
cleaned = BatchFeatureView(
    name="cleaned", entities=[driver], online=True, schema=[Field(name="driver_id", dtype=Int64), Field(name="conv_rate", dtype=Float32)],
    source=trips, mode="pandas", udf=lambda df: df, udf_string="lambda df: df",
)  # fmt: skip
kafka = KafkaSource(
    name="live", kafka_bootstrap_servers="localhost:9092", topic="trips", timestamp_field="ts", batch_source=trips,
    message_format=JsonFormat(schema_json="driver_id integer"),
)  # fmt: skip
live = StreamFeatureView(
    name="live_stats", entities=[driver], ttl=timedelta(days=1), source=kafka, schema=[Field(name="driver_id", dtype=Int64), Field(name="conv_rate", dtype=Float32)],
    timestamp_field="ts", mode="python", udf=lambda df: df, udf_string="lambda df: df",
)  # fmt: skip
request = RequestSource(name="request", schema=[Field(name="bonus", dtype=Float64)])


@on_demand_feature_view(sources=[stats, request], schema=[Field(name="with_bonus", dtype=Float64)], mode="pandas")
def bonus(inputs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"with_bonus": inputs["conv_rate"] + inputs["bonus"]})


model = FeatureService(name="model-v1", features=[stats[["conv_rate", "trips-today", "extra"]], pairs, bonus], tags={"tier": "gold"}, owner="ml@example.org")
twice = FeatureService(name="twice", features=[pairs, stats.with_name("other").with_join_key_map({"driver_id": "other_id"})])
nothing = FeatureService(name="nothing", features=[bonus])

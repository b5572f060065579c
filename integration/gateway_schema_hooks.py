"""What schemathesis sends where the document says a stream of Arrow: spines that pyarrow wrote, of the flights and of something else."""
import pyarrow as pa
import schemathesis
from hypothesis import strategies as st


def stream(columns):
    sink = pa.BufferOutputStream()
    table = pa.table(columns)
    with pa.ipc.new_stream(sink, table.schema) as w:
        w.write_table(table)
    return sink.getvalue().to_pybytes()


TIMES = pa.array([1357000000, 1357100000], pa.timestamp("s", "UTC"))
SPINES = [stream({"origin": ["JFK", None], "carrier": ["UA", "AA"], "event_timestamp": TIMES, "label": [1.5, None]}),
          stream({"origin": [1, 2], "event_timestamp": TIMES}), stream({"x": []})]
schemathesis.openapi.media_type("application/vnd.apache.arrow.stream", st.sampled_from(SPINES))

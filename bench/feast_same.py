"""Holds the training sets of feast_join.py against each other, value by value. Rows are known by their column `row`."""

import sys

import python_rows as rows_of


def keep(result, path):
    """A frame or table as a file of Arrow."""
    import pyarrow as pa

    if not isinstance(result, pa.Table):
        result = result.to_arrow() if hasattr(result, "to_arrow") else pa.Table.from_pandas(result, preserve_index=False)
    with pa.OSFile(path, "wb") as f, pa.ipc.new_file(f, result.schema) as writer:
        writer.write_table(result)


def _read(path):
    """Columns in the types that the facts were made in, in the order of rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = {"float64": pa.float64(), "int64": pa.int64(), "float32": pa.float32(), "int32": pa.int32(), "bool": pa.bool_(), "string": pa.large_string()}
    with pa.memory_map(path) as f:
        table = pa.ipc.open_file(f).read_all().sort_by("row")
    columns = {"row": table.column("row"), "customer_id": table.column("customer_id")}
    for i, name in enumerate(rows_of.NAMES):
        column = table.column(name)
        if pa.types.is_floating(column.type):  # pandas has NaN for null; there is no other here
            column = pc.if_else(pc.is_nan(column), None, column)
        columns[name] = column.cast(types[rows_of.kind(i)])
    return pa.table(columns)


def _rows_of(ours, theirs, way, say):
    """Ours of the rows that they have: Feast's file store leaves out those whose entity has later facts only. Here they are, without values."""
    import pyarrow.compute as pc

    there = pc.is_in(ours.column("row"), value_set=theirs.column("row").combine_chunks())
    out = ours.filter(pc.invert(there))
    if any(out.column(n).null_count < out.num_rows for n in rows_of.NAMES):
        sys.exit(f"answers differ: {way} leaves out rows that have values here")
    if out.num_rows:
        say(f"{way} leaves out {out.num_rows} rows whose entity has later facts only")
    return ours.filter(there)


def compare(paths, rows, say):
    """paths: {way: file}. Ends the program when two answers differ."""
    ours = _read(paths["larder_pandas"])
    if ours.num_rows != rows:
        sys.exit(f"{ours.num_rows} rows, expected {rows}")
    for way, path in paths.items():
        theirs = _read(path)
        mine = _rows_of(ours, theirs, way, say)
        for name in mine.schema.names:
            if not mine.column(name).combine_chunks().equals(theirs.column(name).combine_chunks()):
                sys.exit(f"answers differ: {way}, {name}, {rows} rows")
    values = ours.num_rows * len(rows_of.NAMES) - sum(ours.column(n).null_count for n in rows_of.NAMES)
    say(f"{rows} rows: {', '.join(paths)} give the same {values} values and nulls")

"""Partitions for PyTorch.

    parts = larder.partitions(store, service="churn_v1", entity_df=spine)
    loader = torch.utils.data.DataLoader(parts.to_torch(), batch_size=None, num_workers=4)

Several trainers: `parts[rank::world]` for each.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Optional

import torch
from torch.utils.data import IterableDataset, get_worker_info

from ._native import need
from .partition import Partitions


class Batches(IterableDataset):
    """Batches of at most `rows` rows, the partitions shared out among a DataLoader's workers, forked or spawned; with
    batch_size=None, since they are batches already. A batch is a dict: numbers, bools and times (int64 microseconds since
    1970, None is the smallest) as tensors, nulls in numbers as NaN; strings, bytes and lists as lists. transform: a function of
    pyarrow.RecordBatch that makes something else of it, in the worker."""

    def __init__(self, parts: Partitions, rows: int = 4096, transform: Optional[Callable[[Any], Any]] = None) -> None:
        super().__init__()
        self._parts, self._rows, self._transform = parts, rows, transform or tensors

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        mine = self._parts if info is None else self._parts[info.id :: info.num_workers]
        for part in mine:
            for batch in part.to_batches(self._rows):
                yield self._transform(batch)


def tensors(batch: Any) -> Dict[str, Any]:
    """A record batch as a dict of tensors and lists."""
    pa, np = need("pyarrow", "this"), need("numpy", "this")
    out: Dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns):
        if pa.types.is_timestamp(column.type):
            times = column.cast(pa.int64()).fill_null(-(2**63))
            out[name] = torch.from_numpy(np.array(times.to_numpy(zero_copy_only=False)))
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            out[name] = torch.from_numpy(np.array(column.to_numpy(zero_copy_only=False)))
        elif pa.types.is_boolean(column.type):
            whole = column if not column.null_count else column.cast(pa.int8()).cast(pa.float32())
            out[name] = torch.from_numpy(np.array(whole.to_numpy(zero_copy_only=False)))
        else:
            out[name] = column.to_pylist()
    return out

"""Neighbours with one owner as one line of a table: the owner, and what each of them has in the other columns.

Spark writes, reads and shuffles line by line and value by value. Of a log that names the same event in twenty rows, one
after the other, that is a twentieth of the lines; and numbers kept as bytes are one value. No Spark in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparksweep.ingest.schema import ARROW_TYPES, LINE, Column, TableSchema
from sparksweep.python_tasks import python_task

__all__ = ["bundled", "flat_rows"]

# Spark counts the lines of a batch, whatever is in them.
_MOST_ROWS = 256
# Of a batch of long bundles, rows that are made at a time: all at once would be millions.
_FLAT_ROWS = 1 << 16


def bundled(batch: pa.RecordBatch, schema: TableSchema) -> pa.RecordBatch:
    """Return rows as the table keeps them.

    Parameters
    ----------
    batch : RecordBatch
        Columns of ``schema.arrow_schema()``, rows in the order of the file.
    schema : TableSchema
        Of a table with an owner (``schema.owner``).

    Returns
    -------
    RecordBatch
        The owner; of each other column the values, as bytes or as a list (``stored_schema``); and ``line`` of the first
        row: the others follow it. An owner whose rows do not stand together in the file, are many or not in one
        batch, has several lines.
    """
    owners, lines = batch.column(schema.owner).to_numpy(), batch.column(LINE).to_numpy()
    changes = (owners[1:] != owners[:-1]) | (lines[1:] != lines[:-1] + 1)
    begins = np.concatenate([[0], np.flatnonzero(changes) + 1])
    places = np.arange(len(owners)) - np.repeat(begins, np.diff(begins, append=len(owners)))
    starts = np.flatnonzero(places % _MOST_ROWS == 0).astype(np.int32)
    ends = np.append(starts, np.int32(len(owners)))
    columns = {}
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if name in (schema.owner, LINE):
            columns[name] = values.take(pa.array(starts))
        elif schema.is_packed(name):
            columns[name] = _packed(values.to_numpy(), ends)
        else:
            kept = values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values
            columns[name] = pa.ListArray.from_arrays(pa.array(ends), kept)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


@python_task
def flat_rows(schema: TableSchema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Turn lines of a table's files into rows of ``schema.arrow_schema()``."""
    for batch in batches:
        ends = np.cumsum(_sizes(batch, schema))
        cuts = np.flatnonzero(np.diff(ends // _FLAT_ROWS)) + 1
        for begin, end in pairwise([0, *cuts.tolist(), batch.num_rows]):
            yield _flat(batch.slice(begin, end - begin), schema)


def _flat(batch: pa.RecordBatch, schema: TableSchema) -> pa.RecordBatch:
    sizes = _sizes(batch, schema)
    owners = np.repeat(np.arange(batch.num_rows), sizes)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    columns = [_column(batch.column(each.name), each, schema, owners) for each in schema.columns]
    lines = pa.array(batch.column(LINE).to_numpy()[owners] + places)
    return pa.RecordBatch.from_arrays([*columns, lines], schema=schema.arrow_schema())


def _packed(values: NDArray[Any], ends: NDArray[np.int32]) -> pa.Array:
    """Return the bytes of the values between two ends each."""
    data = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    offsets = (ends * data.itemsize).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def _sizes(batch: pa.RecordBatch, schema: TableSchema) -> NDArray[Any]:
    """Return how many rows each line stands for."""
    other = next(each for each in schema.columns if each.name != schema.owner)
    values = batch.column(other.name)
    is_packed = schema.is_packed(other.name)
    lengths: NDArray[Any] = (pc.binary_length(values) if is_packed else pc.list_value_length(values)).to_numpy()
    return lengths // ARROW_TYPES[other.type].byte_width if is_packed else lengths


def _column(values: pa.Array, column: Column, schema: TableSchema, owners: NDArray[Any]) -> pa.Array:
    kind = ARROW_TYPES[column.type]
    if column.name == schema.owner:
        return values.take(pa.array(owners))
    if not schema.is_packed(column.name):
        return pc.list_flatten(values).cast(kind)
    return pa.array(np.frombuffer(b"".join(values.to_pylist()), kind.to_pandas_dtype()), kind)

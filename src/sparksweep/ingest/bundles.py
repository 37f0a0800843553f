"""Neighbours with one owner as one line of a table: the owner, and an array of each other column.

Spark writes, reads and shuffles line by line. Of a log that names the same event in twenty rows, one after the other,
that is a twentieth of the lines. No Spark in here.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sparksweep.ingest.schema import LINE, TableSchema

__all__ = ["bundled"]


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
        The owner, a list of each other column, and ``line`` of the first row: the others follow it. An owner whose rows
        do not stand together, or not in one batch, has several lines.
    """
    owners = batch.column(schema.owner)
    numbers = owners.to_numpy()
    starts = np.concatenate([[0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1]).astype(np.int32)
    offsets = pa.array(np.append(starts, np.int32(len(numbers))))
    firsts = pa.array(starts)
    columns = {
        name: values.take(firsts) if name in (schema.owner, LINE) else pa.ListArray.from_arrays(offsets, values)
        for name, values in zip(batch.schema.names, batch.columns, strict=True)
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))

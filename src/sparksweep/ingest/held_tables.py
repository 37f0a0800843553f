"""Tables that one task can hold: equal rows dropped, and keys on several lines found, where they are read.

By Spark that takes a shuffle for each of the two and, of a small table, a hundred times as long. No Spark in here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sparksweep.ingest.schema import LINE, TableSchema

__all__ = ["MOST_HELD_BYTES", "MOST_LISTED", "Held", "RepeatedRows", "hold", "is_held"]

MOST_HELD_BYTES = 32 << 20
"""Of the text of a table that a task holds; of narrow rows it takes some ten times as much memory."""
MOST_LISTED = 100_000
"""Of rows with a repeated key that are listed."""


class RepeatedRows(NamedTuple):
    """Rows whose key is on several lines.

    Attributes
    ----------
    n_keys, n_rows : int
        How many such keys there are, and how many rows.
    rows : pyarrow.Table
        The first of the rows; those of the key that occurs first come first, and in a key the lines ascend.
    """

    n_keys: int
    n_rows: int
    rows: pa.Table


class Held(NamedTuple):
    """What was found in a table that was held.

    Attributes
    ----------
    rows : int
        Rows that are left.
    repeated : RepeatedRows or None
        Those of these that have a key with another.
    """

    rows: int
    repeated: RepeatedRows | None


def is_held(schema: TableSchema, n_bytes: int) -> bool:
    """Tell whether a task holds a table whose file has so many bytes: it has to look at all rows at once, and can."""
    return schema.drop_duplicates and n_bytes <= MOST_HELD_BYTES


def hold(batches: Iterable[pa.RecordBatch], schema: TableSchema) -> tuple[pa.Table, Held]:
    """Return a table without rows that are equal to an earlier one, and what was found in it.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Columns of ``schema.arrow_schema()``, rows in the order of the file.
    schema : TableSchema
        Of a table that drops such rows.
    """
    rows = _first_of_equal(_one_form(pa.Table.from_batches(batches, schema.arrow_schema())), schema.column_names)
    return rows, Held(rows.num_rows, _repeated(rows, schema.key) if schema.key else None)


def _one_form(rows: pa.Table) -> pa.Table:
    """Return a table in which equal values have equal bytes."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_floating(field.type):
            positive = pc.add(rows[field.name], 0.0)  # 0.0 and -0.0 are one value
            rows = rows.set_column(place, field, pc.if_else(pc.is_nan(positive), math.nan, positive))
    return rows


def _first_of_equal(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    first = _grouped(rows, columns).aggregate([("line", "min")])["line_min"]
    return rows if len(first) == rows.num_rows else rows.filter(pc.is_in(rows[LINE], value_set=first))


def _repeated(rows: pa.Table, key: Sequence[str]) -> RepeatedRows | None:
    keys = _grouped(rows, key).aggregate([("line", "count"), ("line", "min"), ("line", "list")])
    keys = keys.filter(pc.greater(keys["line_count"], 1)).sort_by("line_min")  # with nulls they come in another order
    if keys.num_rows == 0:
        return None
    lines = pc.list_flatten(keys["line_list"].combine_chunks())
    places = pc.index_in(lines.slice(0, MOST_LISTED), value_set=rows[LINE].combine_chunks())
    return RepeatedRows(keys.num_rows, len(lines), rows.take(places))


def _grouped(rows: pa.Table, columns: Sequence[str]) -> pa.TableGroupBy:
    """Return groups of rows that are equal in some columns, which are numbered here: any name is a column's."""
    numbered = pa.table([rows[LINE], *(rows[name] for name in columns)], names=["line", *map(str, range(len(columns)))])
    return numbered.group_by(numbered.column_names[1:], use_threads=False)

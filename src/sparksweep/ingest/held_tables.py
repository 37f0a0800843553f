"""Tables that one task can hold: equal rows dropped, and keys on several lines found, where they are read.

By Spark that takes a shuffle for each of the two and, of a small table, a hundred times as long. No Spark in here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sparksweep.ingest.schema import LINE, TableSchema

if TYPE_CHECKING:
    from sparksweep.ingest.repeated_keys import RepeatedKeys

__all__ = ["MOST_HELD_BYTES", "Held", "hold", "is_held"]

MOST_HELD_BYTES = 32 << 20
"""Of the text of a table that a task holds; of narrow rows it takes some ten times as much memory."""


class Held(NamedTuple):
    """What was found in a table that was held.

    Attributes
    ----------
    rows : int
        Rows that are left.
    repeated : RepeatedKeys or None
        Keys that several of these have.
    """

    rows: int
    repeated: RepeatedKeys | None


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


def _repeated(rows: pa.Table, key: Sequence[str]) -> RepeatedKeys | None:
    if _grouped(rows, key).aggregate([]).num_rows == rows.num_rows:
        return None
    # Only here: of most tables no task imports pandas.
    from sparksweep.ingest.repeated_keys import RepeatedKeys, texts

    names = list(key)
    is_repeated = texts(rows.select(names)).duplicated(names, keep=False)
    rows_pdf = texts(rows.filter(pa.array(is_repeated)))
    first = rows_pdf[LINE].astype("int64").groupby([rows_pdf[name] for name in names], dropna=False).transform("min")
    order = first.sort_values(kind="stable").index  # in a key the lines ascend
    return RepeatedKeys.of(rows_pdf.loc[order].reset_index(drop=True), key)


def _grouped(rows: pa.Table, columns: Sequence[str]) -> pa.TableGroupBy:
    """Return groups of rows that are equal in some columns, which are numbered here: any name is a column's."""
    numbered = pa.table([rows[LINE], *(rows[name] for name in columns)], names=["line", *map(str, range(len(columns)))])
    return numbered.group_by(numbered.column_names[1:], use_threads=False)

"""What the values of rows show in passing, for the data check: empty fields, spans, how often each value occurs.

It is gathered where rows are parsed, batch by batch, and put together afterwards. No Spark in here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparksweep.ingest.rows import timestamps
from sparksweep.ingest.schema import ARROW_TYPES, Column, Placeholders, TableSchema

__all__ = ["Observed"]

# Of more different values nothing is kept: they would be too much to hold and to send about.
MOST_HELD = 1 << 20
MOST_BYTES = 24 << 20


@dataclass(frozen=True)
class Observed:
    """What some rows of a table show.

    Attributes
    ----------
    empty : mapping of str to int
        Rows without a value, or with the empty text; by column, of those that may have none.
    placeholders : mapping of str to int
        Rows with values that stand for none, by the columns that have them (`sparksweep.ingest.schema.Placeholders`).
    spans : mapping of str to (int, int)
        Lowest and highest value of the first key column, if it is whole numbers, and of each time (microseconds).
    counts : mapping of str to pyarrow.Table or None
        ``value`` and ``rows`` of each value of the columns that were to be counted; None of too many.
    """

    empty: Mapping[str, int]
    placeholders: Mapping[str, int]
    spans: Mapping[str, tuple[int, int]]
    counts: Mapping[str, pa.Table | None]

    @classmethod
    def of(cls, batch: pa.RecordBatch, schema: TableSchema, counted: Iterable[str]) -> Observed:
        """Return what the rows of one batch show, with counts of some columns."""
        empty, spans = {}, {}
        for column in schema.columns:
            values = batch.column(column.name)
            if column.type == "string":
                empty[column.name] = pc.sum(pc.equal(values, "")).as_py() or 0
            elif column.nullable:
                empty[column.name] = values.null_count
            is_key = schema.key[:1] == (column.name,) and pa.types.is_integer(values.type)
            if (is_key or column.type == "timestamp") and values.null_count < len(values):
                ends = pc.min_max(values.cast(pa.int64()))
                spans[column.name] = (ends["min"].as_py(), ends["max"].as_py())
        placeholders = {each.name: _count_placeholders(batch, schema, each) for each in schema.all_placeholders}
        counts = {name: _few(_counted(batch.column(name))) for name in counted}
        return cls(empty, placeholders, spans, counts)

    @classmethod
    def together(cls, parts: Iterable[Observed]) -> Observed:
        """Return what several, at least one, show together."""
        some = list(parts)
        spans: dict[str, tuple[int, int]] = {}
        for name, (low, high) in (span for each in some for span in each.spans.items()):
            lowest, highest = spans.get(name, (low, high))
            spans[name] = (min(low, lowest), max(high, highest))
        return cls(
            _added(each.empty for each in some),
            _added(each.placeholders for each in some),
            spans,
            {name: _summed([each.counts[name] for each in some]) for name in some[0].counts},
        )


def _count_placeholders(batch: pa.RecordBatch, schema: TableSchema, placeholders: Placeholders) -> int:
    columns = [schema.column(name) for name in placeholders.columns]
    total = 0
    for row in placeholders.values:
        # Compared one by one: to `is_in` -0.0 is not 0.0.
        equal = [
            pc.equal(batch.column(each.name), _scalar(value, each)) for each, value in zip(columns, row, strict=True)
        ]
        total += pc.sum(reduce(pc.and_, equal)).as_py() or 0
    return total


def _scalar(value: float | str, column: Column) -> pa.Scalar:
    """Return a value of a column's type: pyarrow compares a number of another type as a third one, or not at all."""
    if column.type == "timestamp":
        return timestamps(pa.array([value]))[0]
    return pa.scalar(value, ARROW_TYPES[column.type])


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _counted(values: pa.Array) -> pa.Table:
    found = pc.value_counts(values.drop_null())
    return pa.table({"value": found.field("values"), "rows": found.field("counts")})


def _summed(tables: Sequence[pa.Table | None]) -> pa.Table | None:
    known = [each for each in tables if each is not None]
    if len(known) < len(tables):
        return None
    if len(known) == 1:
        return _whole(known[0])
    summed = pa.concat_tables(known).group_by("value").aggregate([("rows", "sum")])
    return _few(_whole(summed.select(["value", "rows_sum"]).rename_columns(["value", "rows"])))


def _whole(counts: pa.Table) -> pa.Table:
    """Return a copy in one piece: pickled, each slice of a table takes as much as all that it is cut from."""
    return counts.combine_chunks().take(pa.array(np.arange(counts.num_rows)))


def _few(counts: pa.Table) -> pa.Table | None:
    return counts if counts.num_rows <= MOST_HELD and counts.nbytes <= MOST_BYTES else None

"""What key columns say across tables: repeated keys, keys in tables apart, rows that refer to nothing.

Columns of one name and kind mean the same thing in all tables, so each of their values is looked up once, for all
questions: here where all values were counted while they were read, else by a Spark job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparksweep.errors import UsageError
from sparksweep.ingest.spark_failures import spark_failures

__all__ = ["Orphans", "Related", "Use", "relate"]


class Use(NamedTuple):
    """A column of a table, and its values.

    Attributes
    ----------
    table, column : str
        Which it is.
    kind : {"bigint", "string"}
        Whole numbers, or text.
    read : callable
        Returns the table.
    counts : pyarrow.Table or None
        ``value`` (whole numbers, or text) and ``rows`` that have it, where they are known.
    """

    table: str
    column: str
    kind: str
    read: Callable[[], DataFrame]
    counts: pa.Table | None

    @property
    def name(self) -> tuple[str, str]:
        """Table and column."""
        return self.table, self.column


class Orphans(NamedTuple):
    """Rows of a table whose value in a column is in none of the tables it refers to.

    Attributes
    ----------
    rows, values : int
        How many, and how many different values these have.
    example : str
        One of the values.
    """

    rows: int
    values: int
    example: str


@dataclass(frozen=True)
class Related:
    """What was found; a use is named by (table, column).

    Attributes
    ----------
    rows, values : mapping of use to int
        Rows that have a value, and how many different values these have.
    orphans : mapping of use to Orphans
        Where there are any.
    common : set of (use, use)
        Pairs, as asked for, that have a value in common.
    """

    rows: Mapping[tuple[str, str], int] = field(default_factory=dict)
    values: Mapping[tuple[str, str], int] = field(default_factory=dict)
    orphans: Mapping[tuple[str, str], Orphans] = field(default_factory=dict)
    common: frozenset[tuple[str, str, str]] = frozenset()


def relate(
    uses: Sequence[Use],
    references: Mapping[tuple[str, str], Sequence[str]],
    apart: Sequence[tuple[str, str, str]],
) -> Related:
    """Look up all values of some columns in each other.

    Parameters
    ----------
    uses : sequence of Use
        Columns that are linked have one kind; others may share their name.
    references : mapping of (table, column) to sequence of str
        In which tables, all among `uses`, the values should be.
    apart : sequence of (table, other table, column)
        Which should have no value in common.

    Raises
    ------
    UsageError
        Columns that are linked are numbers here and text there.
    """
    pairs = [(table, other, column) for (table, column), others in references.items() for other in others]
    _check_kinds(uses, [*pairs, *apart])
    patterns = [each for kind in ("bigint", "string") for each in _patterns([use for use in uses if use.kind == kind])]
    return Related(
        {use.name: sum(each.rows.get(use.name, 0) for each in patterns) for use in uses},
        {use.name: sum(each.n_values for each in patterns if use.name in each.places) for use in uses},
        dict(_orphans(patterns, references)),
        frozenset(
            (table, other, column)
            for table, other, column in apart
            if any({(table, column), (other, column)} <= each.places for each in patterns)
        ),
    )


class _Pattern(NamedTuple):
    """Values that are in the same places.

    Attributes
    ----------
    column : str
        Whose values they are.
    places : set of use
        Where they are.
    n_values : int
        How many they are.
    example : int or str
        The lowest of them.
    rows : mapping of use to int
        Rows that have one of them.
    """

    column: str
    places: frozenset[tuple[str, str]]
    n_values: int
    example: Any
    rows: Mapping[tuple[str, str], int]


def _patterns(uses: Sequence[Use]) -> Iterator[_Pattern]:
    """Yield all values of columns of one kind by where they are."""
    if all(each.counts is not None for each in uses):
        return _patterns_here(uses)
    return _patterns_by_spark(uses)


def _patterns_here(uses: Sequence[Use]) -> Iterator[_Pattern]:
    """Yield them from what was counted."""
    for column in dict.fromkeys(each.column for each in uses):
        own = [each for each in uses if each.column == column]
        rows = {each.name: _series(each.counts) for each in own if each.counts is not None}
        together_pdf = pd.concat(rows, axis=1).fillna(0).astype("int64")
        is_there = together_pdf.to_numpy() > 0
        for pattern in np.unique(is_there, axis=0):
            part_pdf = together_pdf[(is_there == pattern).all(axis=1)]
            places = frozenset(each.name for each, there in zip(own, pattern, strict=True) if there)
            sums = {each.name: int(part_pdf[each.name].sum()) for each in own}
            yield _Pattern(column, places, len(part_pdf), part_pdf.index.min(), sums)


def _series(counts: pa.Table) -> pd.Series:
    values = counts["value"] if pa.types.is_string(counts["value"].type) else counts["value"].cast(pa.int64())
    return pd.Series(counts["rows"].to_numpy(), index=pd.Index(values.to_pandas()))


def _patterns_by_spark(uses: Sequence[Use]) -> Iterator[_Pattern]:
    """Yield them from the tables: a few dozen patterns come back, however many values there are."""
    numbers = range(len(uses))
    rows_of_value = [F.sum(F.when(F.col("use") == n, F.col("n")).otherwise(0)).alias(f"n{n}") for n in numbers]
    of_value_df = _one_below_the_other(uses).groupBy("column", "value").agg(*rows_of_value)
    is_there = [(F.col(f"n{n}") > 0).alias(f"has{n}") for n in numbers]
    sums = [F.sum(f"n{n}").alias(f"n{n}") for n in numbers]
    patterns_df = of_value_df.groupBy("column", *is_there).agg(
        F.count("*").alias("n_values"), F.min("value").alias("example"), *sums
    )
    with spark_failures(f"values of {', '.join(sorted({each.column for each in uses}))}"):
        rows_of_patterns = patterns_df.collect()
    for row in rows_of_patterns:
        places = frozenset(each.name for n, each in enumerate(uses) if row[f"has{n}"])
        rows = {each.name: row[f"n{n}"] for n, each in enumerate(uses)}
        yield _Pattern(row["column"], places, row["n_values"], row["example"], rows)


def _orphans(
    patterns: Sequence[_Pattern], references: Mapping[tuple[str, str], Sequence[str]]
) -> Iterator[tuple[tuple[str, str], Orphans]]:
    for use, tables in references.items():
        known = {(table, use[1]) for table in tables}
        found = [each for each in patterns if use in each.places and not known & each.places]
        if found:
            n_rows, n_values = sum(each.rows[use] for each in found), sum(each.n_values for each in found)
            yield use, Orphans(n_rows, n_values, str(min(each.example for each in found)))


def _one_below_the_other(uses: Sequence[Use]) -> DataFrame:
    frames = [
        _values_df(each)
        .where(F.col("value").isNotNull())
        .select(
            F.lit(each.column).alias("column"),
            F.col("value").cast(each.kind).alias("value"),
            F.lit(number).alias("use"),
            F.col("n").cast("bigint").alias("n"),
        )
        for number, each in enumerate(uses)
    ]
    return reduce(DataFrame.unionByName, frames)


def _values_df(use: Use) -> DataFrame:
    if use.counts is None:
        return use.read().select(F.col(use.column).alias("value"), F.lit(1).alias("n"))
    return use.read().sparkSession.createDataFrame(use.counts.rename_columns(["value", "n"]).to_pandas())


def _check_kinds(uses: Sequence[Use], links: Sequence[tuple[str, str, str]]) -> None:
    kinds = {use.name: use.kind for use in uses}
    for table, other, column in links:
        kind, other_kind = kinds[table, column], kinds[other, column]
        if kind != other_kind:
            raise UsageError(f"{table}.{column} is {kind} and {other}.{column} {other_kind}; make them one type")

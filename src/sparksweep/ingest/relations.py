"""What key columns say across tables: repeated keys, keys in tables apart, rows that refer to nothing. One Spark job.

Columns of one name mean the same thing in all tables, so each of their values is looked up once, for all questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparksweep.errors import UsageError

__all__ = ["Orphans", "Related", "Use", "relate"]


class Use(NamedTuple):
    """A column of a table, and its values.

    Attributes
    ----------
    table, column : str
        Which it is.
    values_df : DataFrame
        ``value`` (whole numbers, or text) and ``n`` bigint, the rows that have it; a value may have several lines.
    """

    table: str
    column: str
    values_df: DataFrame


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
    apart: Iterable[tuple[str, str, str]],
) -> Related:
    """Look up all values of some columns in each other.

    Parameters
    ----------
    uses : sequence of Use
        Columns of one name have one type.
    references : mapping of (table, column) to sequence of str
        In which tables, all among `uses`, the values should be.
    apart : iterable of (table, other table, column)
        Which should have no value in common.

    Raises
    ------
    UsageError
        Columns of one name are numbers here and text there.
    """
    if not uses:
        return Related()
    places = {(each.table, each.column): number for number, each in enumerate(uses)}
    of_value = [
        F.sum(F.when(F.col("use") == number, F.col("n")).otherwise(0)).alias(f"n{number}") for number in places.values()
    ]
    counts_df = _one_below_the_other(uses).groupBy("column", "value").agg(*of_value)
    answers: dict[str, Column] = {}
    for number in places.values():
        answers[f"rows_{number}"] = F.sum(f"n{number}")
        answers[f"values_{number}"] = F.sum(F.when(F.col(f"n{number}") > 0, 1).otherwise(0))
    for use, tables in references.items():
        number, known = places[use], reduce(Column.__add__, (F.col(f"n{places[table, use[1]]}") for table in tables))
        orphan = (F.col(f"n{number}") > 0) & (known == 0)
        answers[f"orphan_rows_{number}"] = F.sum(F.when(orphan, F.col(f"n{number}")).otherwise(0))
        answers[f"orphan_values_{number}"] = F.sum(F.when(orphan, 1).otherwise(0))
        answers[f"orphan_example_{number}"] = F.min(F.when(orphan, F.col("value")))
    pairs = list(apart)
    for number, (table, other, column) in enumerate(pairs):
        both = (F.col(f"n{places[table, column]}") > 0) & (F.col(f"n{places[other, column]}") > 0)
        answers[f"common_{number}"] = F.max(both)
    row = counts_df.agg(*(answer.alias(name) for name, answer in answers.items())).collect()[0]
    return Related(
        {use: row[f"rows_{number}"] or 0 for use, number in places.items()},
        {use: row[f"values_{number}"] or 0 for use, number in places.items()},
        {
            use: Orphans(*(row[f"orphan_{name}_{places[use]}"] for name in ("rows", "values", "example")))
            for use in references
            if row[f"orphan_rows_{places[use]}"]
        },
        frozenset(pair for number, pair in enumerate(pairs) if row[f"common_{number}"]),
    )


def _one_below_the_other(uses: Sequence[Use]) -> DataFrame:
    kinds: dict[str, str] = {}
    for each in uses:
        kind = "string" if dict(each.values_df.dtypes)["value"] == "string" else "bigint"
        if kinds.setdefault(each.column, kind) != kind:
            raise UsageError(f"{each.table}.{each.column} is {kind}, the columns of this name before it are not")
    # Numbers stay numbers as long as no column is text: they are grouped faster.
    one_kind = "bigint" if set(kinds.values()) == {"bigint"} else "string"
    frames = [
        each.values_df.where(F.col("value").isNotNull()).select(
            F.lit(each.column).alias("column"),
            F.col("value").cast(one_kind).alias("value"),
            F.lit(number).alias("use"),
            F.col("n").cast("bigint").alias("n"),
        )
        for number, each in enumerate(uses)
    ]
    return reduce(DataFrame.unionByName, frames)

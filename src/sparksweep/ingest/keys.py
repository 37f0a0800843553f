"""Keys on several lines, and keys that two tables have in common, looked up by Spark.

Only for what was not settled while the rows were read (`sparksweep.ingest.key_runs`): it costs a shuffle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparksweep.ingest.schema import LINE

__all__ = ["RepeatedKeys", "describe_key", "find_common_key", "find_repeated_keys"]

_LINES_SHOWN = 3
# Names that no column of a file has.
_N_ROWS, _FIRST = "rows of the key", "first line of the key"
# Of rows with a repeated key that are listed.
_MOST_LISTED = 100_000


@dataclass(frozen=True)
class RepeatedKeys:
    """What is said of keys on several lines.

    Attributes
    ----------
    n_keys : int
        Number of keys that occur more than once.
    n_rows : int
        Rows that have one of them.
    first : dict of str to str
        The one that occurs first in the file.
    lines : tuple of int
        Its first lines.
    rows : DataFrame
        The rows as texts, at most 100,000; those of the key that occurs first come first.
    """

    n_keys: int
    n_rows: int
    first: dict[str, str]
    lines: tuple[int, ...]
    rows: pd.DataFrame

    def __str__(self) -> str:
        """Return for example ``event_id 7 on data lines 3, 9``."""
        return f"{describe_key(self.first)} on data lines {', '.join(map(str, self.lines))}"


def describe_key(key: Mapping[str, object]) -> str:
    """Return ``event_id 7, app_id -5``."""
    return ", ".join(f"{name} {value}" for name, value in key.items())


def find_repeated_keys(table_df: DataFrame, key: Sequence[str], are_there: bool = False) -> RepeatedKeys | None:
    """Return the keys that stand on several lines of a table, None when there are none.

    Parameters
    ----------
    table_df : DataFrame
        The table, with ``line``.
    key : sequence of str
        Its key columns; nulls in them are alike.
    are_there : bool
        That there are some is known: they need not be counted first.
    """
    counted = None if are_there else _count(table_df, key)
    if counted == (0, 0):
        return None
    rows_pdf = _rows(table_df, key)
    if rows_pdf.empty:
        return None
    if counted is None:
        is_whole = len(rows_pdf) < _MOST_LISTED
        n_keys = rows_pdf.groupby(list(key), dropna=False).ngroups
        counted = (n_keys, len(rows_pdf)) if is_whole else _count(table_df, key)
    first = {name: rows_pdf[name].iloc[0] for name in key}
    same_key = rows_pdf[list(key)].eq(rows_pdf[list(key)].iloc[0]) | rows_pdf[list(key)].isna()
    lines = rows_pdf[LINE][same_key.all(axis=1).cummin()].head(_LINES_SHOWN)
    return RepeatedKeys(*counted, first, tuple(map(int, lines)), rows_pdf)


def _count(table_df: DataFrame, key: Sequence[str]) -> tuple[int, int]:
    """Return how many keys stand on several lines, and on how many."""
    repeated_df = table_df.groupBy(*key).agg(F.count("*").alias(_N_ROWS)).where(F.col(_N_ROWS) > 1)
    row = repeated_df.agg(F.count("*").alias("keys"), F.sum(_N_ROWS).alias("rows")).collect()[0]
    return row["keys"], row["rows"] or 0


def _rows(table_df: DataFrame, key: Sequence[str]) -> pd.DataFrame:
    same_key = Window.partitionBy(*key)
    rows_df = table_df.withColumn(_N_ROWS, F.count("*").over(same_key)).where(F.col(_N_ROWS) > 1)
    ordered_df = rows_df.withColumn(_FIRST, F.min(LINE).over(same_key)).orderBy(_FIRST, LINE).limit(_MOST_LISTED)
    return ordered_df.select(*(F.col(name).cast("string") for name in table_df.columns)).toPandas()


def find_common_key(
    table_df: DataFrame, other_df: DataFrame, key: Sequence[str]
) -> tuple[dict[str, object], int, int] | None:
    """Return the first key of a table that another one has too, with its line in each, or None."""
    other_df = other_df.select(*key, F.col(LINE).alias("other"))
    both_df = table_df.select(*key, LINE).join(other_df, on=list(key), how="inner")
    first = both_df.agg(F.min(F.struct(LINE, "other", *key)).alias("first")).collect()[0]["first"]
    return None if first is None else ({name: first[name] for name in key}, first[LINE], first["other"])

"""Keys on several lines, and keys that two tables have in common, looked up by Spark.

Only for what was not settled while the rows were read (`sparksweep.ingest.key_runs`): it costs a shuffle.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparksweep.ingest.held_tables import MOST_LISTED
from sparksweep.ingest.repeated_keys import RepeatedKeys, float_texts
from sparksweep.ingest.schema import LINE
from sparksweep.ingest.spark_failures import spark_failures

__all__ = ["find_common_key", "find_repeated_keys"]

# Names that no column of a file has.
_N_ROWS, _FIRST = "rows of the key", "first line of the key"


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
    with spark_failures(f"repeated keys ({', '.join(key)})"):
        counted = None if are_there else _count(table_df, key)
        if counted == (0, 0):
            return None
        rows_pdf = _rows(table_df, key)
        if rows_pdf.empty:
            return None
        if counted is None and len(rows_pdf) == MOST_LISTED:
            counted = _count(table_df, key)
    return RepeatedKeys.of(rows_pdf, key, counted)


def _count(table_df: DataFrame, key: Sequence[str]) -> tuple[int, int]:
    """Return how many keys stand on several lines, and on how many."""
    repeated_df = table_df.groupBy(*key).agg(F.count("*").alias(_N_ROWS)).where(F.col(_N_ROWS) > 1)
    row = repeated_df.agg(F.count("*").alias("keys"), F.sum(_N_ROWS).alias("rows")).collect()[0]
    return row["keys"], row["rows"] or 0


def _rows(table_df: DataFrame, key: Sequence[str]) -> pd.DataFrame:
    same_key = Window.partitionBy(*key)
    rows_df = table_df.withColumn(_N_ROWS, F.count("*").over(same_key)).where(F.col(_N_ROWS) > 1)
    ordered_df = rows_df.withColumn(_FIRST, F.min(LINE).over(same_key)).orderBy(_FIRST, LINE).limit(MOST_LISTED)
    floats = [name for name, kind in table_df.dtypes if kind == "double"]  # which Java would write in its own way
    shown = (F.col(name) if name in floats else F.col(name).cast("string") for name in table_df.columns)
    rows_pdf = ordered_df.select(*shown).toPandas()
    return rows_pdf.assign(**{name: float_texts(rows_pdf[name]) for name in floats})


def find_common_key(
    table_df: DataFrame, other_df: DataFrame, key: Sequence[str]
) -> tuple[dict[str, object], int, int] | None:
    """Return the first key of a table that another one has too, with its line in each, or None."""
    other_df = other_df.select(*key, F.col(LINE).alias("other"))
    both_df = table_df.select(*key, LINE).join(other_df, on=list(key), how="inner")
    with spark_failures(f"common keys ({', '.join(key)})"):
        first = both_df.agg(F.min(F.struct(LINE, "other", *key)).alias("first")).collect()[0]["first"]
    return None if first is None else ({name: first[name] for name in key}, first[LINE], first["other"])

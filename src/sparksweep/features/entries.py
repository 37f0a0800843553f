"""From counts and numbered keys to entries: (row, column, value), sorted within each partition."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparksweep.features.counting import Counts
from sparksweep.features.sets import KEY
from sparksweep.features.vocabulary import SET

__all__ = ["entries"]


def entries(counts: Counts, members_df: DataFrame, numbers_df: DataFrame, is_share: Column) -> DataFrame:
    """Return the entries of all sets over the same counts.

    Keys become column numbers before anything is added up, so that no text and no id goes through a shuffle; and the
    counts lie together by row, so that there is none.

    Parameters
    ----------
    counts : Counts
        What each row has.
    members_df : DataFrame
        ``counts.by``, ``feature_set``, ``key``: which keys a thing has.
    numbers_df : DataFrame
        ``feature_set``, ``key``, ``column``.
    is_share : Column
        Of ``column``: whether the value is a share, else it is 1.

    Returns
    -------
    DataFrame
        ``row`` int, ``column`` int, ``value`` float: each (row, column) once, each partition sorted by both.
    """
    columns_df = members_df.join(F.broadcast(numbers_df), on=[SET, KEY], how="inner").select(counts.by, "column")
    coded_df = counts.frame.join(F.broadcast(columns_df), on=counts.by, how="inner")
    summed_df = coded_df.groupBy("row", "column").agg(F.sum("n").alias("n"), F.max("total").alias("total"))
    # Whole numbers are added up and there is one division, so that no order of adding up can show in the result.
    share = F.col("n").cast("double") / F.col("total").cast("double")
    value = F.when(is_share, share).otherwise(1.0).cast("float").alias("value")
    return summed_df.select("row", "column", value).sortWithinPartitions("row", "column")

"""Count once, cache, and derive: the frames that feature sets are made of.

A log is brought down to (row, thing, n) before anything else is done with it. What is left is small, has all of a row's
things in one partition, and is kept while the sets are made: none of them shuffles it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

__all__ = ["Counts", "cached", "counted", "in_one_partition", "numbered"]

# Each partition becomes a file that the driver reads along with all others, so there should not be hundreds.
_MOST_PARTITIONS = 32


@dataclass(frozen=True)
class Counts:
    """What each row has, and how often.

    Attributes
    ----------
    frame : DataFrame
        ``row`` int, the column `by` (none null), ``n`` bigint, ``total`` bigint (of the row's ``n``); each (row, by)
        once.
    by : str
        The column that names what is counted.
    shown : DataFrame
        The distinct values of `by`, in one partition.
    """

    frame: DataFrame
    by: str
    shown: DataFrame


@contextmanager
def cached(frame: DataFrame) -> Iterator[DataFrame]:
    """Keep a frame, in memory as far as there is room, as long as the context lasts."""
    kept = frame.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield kept
    finally:
        kept.unpersist()


@contextmanager
def counted(things_df: DataFrame, by: str) -> Iterator[Counts]:
    """Count, for each row, the things of a log, and keep the counts as long as the context lasts.

    Parameters
    ----------
    things_df : DataFrame
        ``row`` int and `by`, a line a thing.
    by : str
        The column to count by; its nulls are left out.
    """
    named_df = things_df.where(F.col(by).isNotNull())
    counts_df = named_df.groupBy("row", by).agg(F.count(F.lit(1)).alias("n"))
    with cached(_with_total(counts_df)) as frame, cached(in_one_partition(frame.select(by).distinct())) as shown:
        yield Counts(frame, by, shown)


def in_one_partition(frame: DataFrame) -> DataFrame:
    """Return a frame of few lines (as many as a set has keys) as one partition: what is made of it needs no shuffle."""
    return frame.coalesce(1)


def numbered(frame: DataFrame, *order: str) -> DataFrame:
    """Return the frame with ``row`` int: 0, 1, ... in the order of columns that together have no ties."""
    # One task sorts all: these are the rows of the matrix, whose ids the driver holds anyway.
    return frame.withColumn("row", F.row_number().over(Window.orderBy(*order)) - F.lit(1))


def _with_total(counts_df: DataFrame) -> DataFrame:
    shuffles = int(counts_df.sparkSession.conf.get("spark.sql.shuffle.partitions") or _MOST_PARTITIONS)
    n_partitions = min(shuffles, _MOST_PARTITIONS)
    # The window finds its rows together already; its partitioning is what every later groupBy("row", ...) builds on.
    together_df = counts_df.repartition(n_partitions, "row")
    return together_df.withColumn("total", F.sum("n").over(Window.partitionBy("row")))

"""Count once, cache, and derive: what feature sets are made of.

A log is brought down to (row, code, n) before anything else is done with it: its things are numbered, equal ones are
counted where they are read, and what is shuffled is those counts. What is left is small, has all of a row's things in
one partition, and is kept while the sets are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark import Broadcast, StorageLevel
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_type

from sparksweep.errors import UsageError
from sparksweep.features.coding import bundle_codes, count_bundles, count_things
from sparksweep.ingest import LINE
from sparksweep.session import local_folders
from sparksweep.storage.failures import os_failures

__all__ = [
    "Counts",
    "broadcast",
    "cached",
    "counted",
    "counted_by_owner",
    "first_lines",
    "in_one_partition",
    "numbered",
]

# Each partition becomes a file that the driver reads along with all others, so there should not be hundreds.
_MOST_PARTITIONS = 32
V = TypeVar("V")
_COUNTS = "row int, code int, n bigint"


@dataclass(frozen=True)
class Counts:
    """What each row has, and how often.

    Attributes
    ----------
    frame : DataFrame
        ``row`` int, ``code`` int, ``n`` bigint: all lines of a row in one partition; a (row, code) may have several,
        whose `n` add up.
    by : str
        The column that names what is counted.
    kind : DataType
        Its type.
    things : pyarrow.Array
        What the codes stand for, sorted: text by code point, numbers by value.
    met : ndarray of int, shape (n_met,)
        The codes that some row has, ascending.
    members : dict
        Which keys its things have, by what that was taken from (kept beside it) and the key's name.
    """

    frame: DataFrame
    by: str
    kind: T.DataType
    things: pa.Array
    met: NDArray[np.int32]
    members: dict[tuple[int, str], tuple[DataFrame, DataFrame]] = field(default_factory=dict)

    @cached_property
    def shown(self) -> DataFrame:
        """The things that some row has, as column `by`, in one partition."""
        met_pdf = pa.table({self.by: self.things.take(pa.array(self.met))}).to_pandas()
        schema = T.StructType([T.StructField(self.by, self.kind)])
        return in_one_partition(self.frame.sparkSession.createDataFrame(met_pdf, schema))


@contextmanager
def cached(frame: DataFrame) -> Iterator[DataFrame]:
    """Keep a frame, in memory as far as there is room, as long as the context lasts."""
    kept = frame.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        yield kept
    finally:
        kept.unpersist()


@contextmanager
def counted(things_df: DataFrame, by: str, known: range | None = None) -> Iterator[Counts]:
    """Count, for each row, the things of a log, and keep the counts as long as the context lasts.

    Parameters
    ----------
    things_df : DataFrame
        ``row`` int and `by`, a line a thing.
    by : str
        The column to count by; its nulls are left out.
    known : range, optional
        All values there can be, where that is known: they need not be looked for.

    Raises
    ------
    UsageError
        `by` is neither text nor whole numbers.
    """
    named_df = things_df.select("row", by).where(F.col(by).isNotNull())
    kind = _countable(named_df, by)
    things = _distinct(named_df, by) if known is None else pa.array(known, to_arrow_type(kind))
    with (
        broadcast(named_df.sparkSession, things) as sent,
        _kept(named_df.mapInArrow(partial(count_things, sent), _COUNTS)) as frame,
    ):
        met = np.arange(len(things), dtype=np.int32) if known is None else _met(frame)
        yield Counts(frame, by, kind, things, met)


@contextmanager
def counted_by_owner(
    things_df: DataFrame, by: str, owners_df: DataFrame, owner: str, known: pa.Array | None = None
) -> Iterator[Counts]:
    """Count the things of a log that does not name the row itself, but something that belongs to a row.

    Such a log is mostly written owner by owner. So the things of one owner that stand together travel as one line: a
    log of ten things an owner has a tenth of its lines shuffled, in whatever order it is.

    Parameters
    ----------
    things_df : DataFrame
        `owner` and `by`: a line a thing, or, where `by` is an array, a line some things.
    by : str
        The column to count by; its nulls are left out.
    owners_df : DataFrame
        `owner`, each at most once, and ``row`` int.
    owner : str
        Name of the column.
    known : pyarrow.Array, optional
        All values of `by`, and maybe others, where they are known: they need not be looked for.

    Raises
    ------
    UsageError
        `by` is neither text nor whole numbers.
    """
    named_df = things_df.select(owner, by).where(F.col(owner).isNotNull() & F.col(by).isNotNull())
    is_bundled = isinstance(named_df.schema[by].dataType, T.ArrayType)
    single_df = named_df.select(F.explode(by).alias(by)).where(F.col(by).isNotNull()) if is_bundled else named_df
    kind = _countable(single_df, by)
    things = _distinct(single_df, by) if known is None else _sorted(known.cast(to_arrow_type(kind)))
    with broadcast(named_df.sparkSession, things) as sent:
        owner_type = named_df.schema[owner].dataType.simpleString()
        bundle_schema = f"`{owner}` {owner_type}, codes array<int>"
        bundles_df = named_df.mapInArrow(partial(bundle_codes, sent), bundle_schema)
        # Both sides are of whole numbers and about as long; neither need be sorted only to be joined.
        owned_df = bundles_df.join(owners_df.hint("shuffle_hash"), on=owner, how="inner").select("row", "codes")
        with _kept(owned_df.mapInArrow(partial(count_bundles, len(things)), _COUNTS)) as frame:
            yield Counts(frame, by, kind, things, _met(frame))


@contextmanager
def broadcast(spark: SparkSession, value: V) -> Iterator[Broadcast[V]]:
    """Send a value to all executors, for as long as the context lasts.

    Raises
    ------
    StorageError
        The driver's folder for scratch files cannot be written: what is sent is a file first.
    """
    with os_failures("write", local_folders(spark)):
        sent = spark.sparkContext.broadcast(value)
    try:
        yield sent
    finally:
        sent.unpersist()


def in_one_partition(frame: DataFrame) -> DataFrame:
    """Return a frame of few lines (as many as a set has keys) as one partition: what is made of it needs no shuffle."""
    return frame.coalesce(1)


def first_lines(frame: DataFrame) -> DataFrame:
    """Return, of each ``row``, only the first line of the file that names it; the frame has ``line``, no two alike."""
    # Texts stay where they are: only numbers are compared across partitions.
    first_df = frame.groupBy("row").agg(F.min(LINE).alias(LINE)).select(LINE)
    return frame.join(F.broadcast(first_df), on=LINE, how="left_semi")


def numbered(frame: DataFrame, *order: str) -> DataFrame:
    """Return the frame with ``row`` int: 0, 1, ... in the order of columns that together have no ties."""
    # One task sorts all: these are the rows of the matrix, whose ids the driver holds anyway.
    return frame.withColumn("row", F.row_number().over(Window.orderBy(*order)) - F.lit(1))


def _countable(named_df: DataFrame, by: str) -> T.DataType:
    """Return the type of a column; refuse one whose values may be equal and yet look different."""
    kind = named_df.schema[by].dataType
    if not isinstance(kind, T.IntegralType | T.StringType):
        raise UsageError(f"cannot count by {by}, which is {kind.simpleString()}: use text or whole numbers")
    return kind


def _distinct(named_df: DataFrame, by: str) -> pa.Array:
    """Return the distinct values of a column, sorted."""
    values = pa.array(named_df.select(by).distinct().toPandas()[by], to_arrow_type(named_df.schema[by].dataType))
    return _sorted(values)


def _sorted(values: pa.Array) -> pa.Array:
    return values.take(pc.sort_indices(values))


def _kept(counts_df: DataFrame) -> AbstractContextManager[DataFrame]:
    shuffles = int(counts_df.sparkSession.conf.get("spark.sql.shuffle.partitions") or _MOST_PARTITIONS)
    return cached(counts_df.repartition(min(shuffles, _MOST_PARTITIONS), "row"))


def _met(frame: DataFrame) -> NDArray[np.int32]:
    return np.sort(frame.select("code").distinct().toPandas()["code"].to_numpy(dtype=np.int32))

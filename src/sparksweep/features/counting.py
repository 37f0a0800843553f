"""Count once, and derive: what feature sets are made of.

A log is brought down to (row, code, n) before anything else is done with it: its rows and things are numbered and equal
ones are counted where they are read. What is shuffled is those counts, of all logs together, and once, in packets
(`sparksweep.features.stacking`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_type

from sparksweep.errors import UsageError
from sparksweep.features.coding import bundle_codes, count_owned, count_things, first_things, owner_rows
from sparksweep.features.packets import PART, SCHEMA, Batches, Deal, dealt
from sparksweep.features.rows import Rows
from sparksweep.ingest import LINE
from sparksweep.session import local_folders
from sparksweep.storage.failures import os_failures

__all__ = ["Counts", "broadcast", "counted", "counted_by_owner"]

V = TypeVar("V")
# Each partition of rows becomes a file that the driver reads along with all others, so there should not be hundreds.
_MOST_PARTITIONS = 32


@dataclass(frozen=True)
class Counts:
    """What each row has, and how often.

    Attributes
    ----------
    source : DataFrame
        What is counted.
    task : callable
        Turns its batches into ``row`` int32, ``code`` int32, ``n`` int64; a (row, code) may have several lines, whose
        `n` add up.
    by : str
        The column that names what is counted.
    kind : DataType
        Its type.
    things : pyarrow.Array
        What the codes stand for, sorted: text by code point, numbers by value. Some may be of no row.
    is_first : bool
        Each row has one thing at most, that of its first line: `n` is the line, and the code after the last thing's
        says that a line has none.
    sent : Broadcast of pyarrow.Array
        The things, as executors have them.
    n_partitions : int
        Into how many partitions the rows are dealt out.
    """

    source: DataFrame
    task: Callable[[Batches], Batches]
    by: str
    kind: T.DataType
    things: pa.Array
    sent: Broadcast[pa.Array]
    n_partitions: int
    is_first: bool = False

    @property
    def n_codes(self) -> int:
        """How many codes there can be."""
        return len(self.things) + self.is_first

    def packets(self, kind: int) -> DataFrame:
        """Return the counts as packets of a kind (`sparksweep.features.packets`), dealt by row."""
        return _packets(self.source, self.task, self.n_partitions, kind)


@contextmanager
def counted(
    things_df: DataFrame,
    key: str,
    by: str,
    rows: Broadcast[Rows],
    known: pa.Array | None = None,
    first: bool = False,
) -> Iterator[Counts]:
    """Give the counts of a log that names the row itself; they can be computed as long as the context lasts.

    Parameters
    ----------
    things_df : DataFrame
        `key` and `by`, a line a thing; with `first` also ``line``.
    key : str
        The column with the id of a row, whole numbers; lines of another id are left out.
    by : str
        The column to count by; its nulls are left out.
    rows : Broadcast of Rows
        The rows of the matrices.
    known : pyarrow.Array, optional
        All values of `by`, and maybe others, where they are known: they need not be looked for.
    first : bool
        Of the lines of a row only the first in the file counts.

    Raises
    ------
    UsageError
        `by` is neither text nor whole numbers.
    """
    named_df = things_df.select(key, by, LINE) if first else things_df.select(key, by)
    kind = _countable(named_df, by)
    if known is None:
        owned = partial(owner_rows, rows)  # what others have need not be known
        owned_df = named_df.select(by, key).mapInArrow(owned, f"`{by}` {kind.simpleString()}, row int")
        known = _distinct(owned_df, by, kind)
    things = _sorted(known, kind)
    with broadcast(named_df.sparkSession, things) as sent:
        task = partial(first_things if first else count_things, rows, sent)
        n_partitions = _row_partitions(named_df.sparkSession)
        yield Counts(named_df, task, by, kind, things, sent, n_partitions, first)


@contextmanager
def counted_by_owner(
    things_df: DataFrame,
    by: str,
    owners_df: DataFrame,
    owner: str,
    key: str,
    rows: Broadcast[Rows],
    known: pa.Array | None = None,
) -> Iterator[Counts]:
    """Give the counts of a log that does not name the row itself, but something that belongs to a row.

    Such a log is mostly written owner by owner, so the things of one owner that stand together are one bundle, in
    whatever order the log is. Bundles and owners are joined by the tasks that count, once all of an owner is in one
    place: Spark's own join would take millions of lines apart, and put them together again.

    Parameters
    ----------
    things_df : DataFrame
        `owner` and `by`: a line a thing; or, where `by` is bytes, a line some numbers of the type of `known`, one after
        the other, little-endian (`sparksweep.ingest.Tables.bundles`).
    by : str
        The column to count by; its nulls are left out.
    owners_df : DataFrame
        `owner`, each at most once, and `key`.
    owner : str
        Name of the column.
    key, rows, known
        As `counted` takes them.

    Raises
    ------
    UsageError
        `by` or `owner` is neither text nor whole numbers.
    """
    named_df = things_df.select(owner, by).where(F.col(owner).isNotNull() & F.col(by).isNotNull())
    if known is not None and isinstance(named_df.schema[by].dataType, T.BinaryType):
        kind: T.DataType = from_arrow_type(known.type)
    else:
        kind = _countable(named_df, by)
    things = _sorted(_distinct(named_df, by, kind) if known is None else known, kind)
    is_text = isinstance(_countable(named_df, owner), T.StringType)
    # Of one width on both sides; what is no number there is no owner here.
    owner_id = F.col(owner) if is_text else F.col(owner).cast("bigint").alias(owner)
    with broadcast(named_df.sparkSession, things) as sent:
        n_partitions = _shuffle_partitions(named_df.sparkSession)
        owners_of_rows = (owners_df.select(owner_id, key), partial(owner_rows, rows))
        bundles = (named_df.select(owner_id, by), partial(bundle_codes, sent))
        sides = [_packets(*side, n_partitions, place) for place, side in enumerate((owners_of_rows, bundles))]
        together_df = sides[0].union(sides[1]).repartition(n_partitions, PART)
        task = partial(count_owned, len(things), pa.string() if is_text else pa.int64())
        n_of_rows = _row_partitions(named_df.sparkSession)
        yield Counts(together_df, task, by, kind, things, sent, n_of_rows)


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


def _row_partitions(spark: SparkSession) -> int:
    """Return into how many partitions the rows of the matrices are dealt out."""
    return min(_shuffle_partitions(spark), _MOST_PARTITIONS)


def _shuffle_partitions(spark: SparkSession) -> int:
    return int(spark.conf.get("spark.sql.shuffle.partitions") or _MOST_PARTITIONS)


def _packets(frame: DataFrame, task: Callable[[Batches], Batches], n_partitions: int, kind: int) -> DataFrame:
    return frame.mapInArrow(partial(dealt, task, Deal(n_partitions), kind), SCHEMA)


def _countable(named_df: DataFrame, by: str) -> T.DataType:
    """Return the type of a column; refuse one whose values may be equal and yet look different."""
    kind = named_df.schema[by].dataType
    if not isinstance(kind, T.IntegralType | T.StringType):
        raise UsageError(f"cannot count by {by}, which is {kind.simpleString()}: use text or whole numbers")
    return kind


def _distinct(named_df: DataFrame, by: str, kind: T.DataType) -> pa.Array:
    return pa.array(named_df.select(by).distinct().toPandas()[by], to_arrow_type(kind))


def _sorted(values: pa.Array, kind: T.DataType) -> pa.Array:
    values = values.cast(to_arrow_type(kind))
    return values.take(pc.sort_indices(values))

"""Count once, and derive: what feature sets are made of.

A log is brought down to (row, code, n) before anything else is done with it: its rows and things are numbered and equal
ones are counted where they are read. What is shuffled is those counts, of all logs together, and once
(`sparksweep.features.stacking`).
"""

from __future__ import annotations

from collections.abc import Iterator
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
from sparksweep.features.coding import bundle_codes, count_bundles, count_things, first_things, owner_rows
from sparksweep.features.rows import Rows
from sparksweep.ingest import LINE
from sparksweep.session import local_folders
from sparksweep.storage.failures import os_failures

__all__ = ["Counts", "broadcast", "counted", "counted_by_owner"]

V = TypeVar("V")
_COUNTS = "row int, code int, n bigint"


@dataclass(frozen=True)
class Counts:
    """What each row has, and how often.

    Attributes
    ----------
    frame : DataFrame
        ``row`` int, ``code`` int, ``n`` bigint; a (row, code) may have several lines, whose `n` add up.
    by : str
        The column that names what is counted.
    kind : DataType
        Its type.
    things : pyarrow.Array
        What the codes stand for, sorted: text by code point, numbers by value. Some may be of no row.
    is_first : bool
        Each row has one thing at most, that of its first line: `n` is the line, and the code after the last thing's
        says that a line has none.
    """

    frame: DataFrame
    by: str
    kind: T.DataType
    things: pa.Array
    is_first: bool = False

    @property
    def n_codes(self) -> int:
        """How many codes there can be."""
        return len(self.things) + self.is_first


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
        yield Counts(named_df.mapInArrow(task, _COUNTS), by, kind, things, first)


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

    Such a log is mostly written owner by owner. So the things of one owner that stand together travel as one line: a
    log of ten things an owner has a tenth of its lines shuffled, in whatever order it is.

    Parameters
    ----------
    things_df : DataFrame
        `owner` and `by`: a line a thing; or, where `by` is bytes, a line some numbers of the type of `known`, one after
        the other, little-endian (`sparksweep.ingest.read_kept`).
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
        `by` is neither text nor whole numbers.
    """
    named_df = things_df.select(owner, by).where(F.col(owner).isNotNull() & F.col(by).isNotNull())
    if known is not None and isinstance(named_df.schema[by].dataType, T.BinaryType):
        kind: T.DataType = from_arrow_type(known.type)
    else:
        kind = _countable(named_df, by)
    things = _sorted(_distinct(named_df, by, kind) if known is None else known, kind)
    with broadcast(named_df.sparkSession, things) as sent:
        name = f"`{owner}` {named_df.schema[owner].dataType.simpleString()}"
        bundles_df = named_df.mapInArrow(partial(bundle_codes, sent), f"{name}, codes binary")
        rows_df = owners_df.select(owner, key).mapInArrow(partial(owner_rows, rows), f"{name}, row int")
        # Both sides are about as long; neither need be sorted only to be joined.
        owned_df = bundles_df.join(rows_df.hint("shuffle_hash"), on=owner, how="inner").select("row", "codes")
        frame = owned_df.mapInArrow(partial(count_bundles, len(things)), _COUNTS)
        yield Counts(frame, by, kind, things)


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

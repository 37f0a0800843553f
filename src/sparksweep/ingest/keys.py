"""Are keys unique? Proved while rows stream by where the file's order allows it, else looked up by Spark.

Logs are mostly written in the order of their key. Then equal keys would be neighbours, and a look at each batch is
enough; only a file in another order, or with a repeated key, costs a shuffle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparksweep.ingest.schema import LINE

__all__ = ["KeyRun", "RepeatedKeys", "describe_key", "find_common_key", "find_repeated_keys", "rows_of_repeated_keys"]

Integers = npt.NDArray[np.int64]
# An odd constant whose multiples lie evenly spread over 64 bits (2**64 / golden ratio), as int64.
_SPREAD = np.int64(-7046029254386353131)
_LINES_SHOWN = 3
# Names that no column of a file has.
_N_ROWS, _FIRST = "rows of the key", "first line of the key"
_MOST_DIGESTS = 10_000


@dataclass(frozen=True)
class KeyRun:
    """What the keys of rows that follow each other say; ``proved`` tells whether all are known to be different.

    The first key column must never fall. Rows with one value of it are then neighbours, so that a repeated key can only
    be among them. Keys of several columns are compared by a 64-bit digest: two keys of one digest, like a column that
    falls, is of text or has nulls, leave the question open (`find_repeated_keys` answers it), never wrongly settled.

    Attributes
    ----------
    first, last : int
        The first key column in the first and in the last row.
    head, tail : ndarray of int64
        Digests of the rows with these values: more of them may come before and after.
    proved : bool
        No key occurs twice.
    """

    first: int
    last: int
    head: Integers
    tail: Integers
    proved: bool

    @classmethod
    def of(cls, batch: pa.RecordBatch, key: Sequence[str]) -> KeyRun:
        """Return what the rows of one batch, at least one, say."""
        columns = [batch.column(name) for name in key]
        if not key or any(column.null_count or not pa.types.is_integer(column.type) for column in columns):
            return _IN_DOUBT
        integers = [column.to_numpy().astype(np.int64, copy=False) for column in columns]
        first, digests = integers[0], _digest(integers)
        if (first[1:] < first[:-1]).any() or _has_repeat(digests):
            return _IN_DOUBT
        head = digests[: np.searchsorted(first, first[0], "right")]
        return cls._if_short(int(first[0]), int(first[-1]), head, digests[np.searchsorted(first, first[-1]) :])

    def followed_by(self, other: KeyRun) -> KeyRun:
        """Return what these rows and those that follow them say together."""
        touch = self.last == other.first
        if not (self.proved and other.proved) or self.last > other.first:
            return _IN_DOUBT
        if touch and _has_repeat(np.concatenate([self.tail, other.head])):
            return _IN_DOUBT
        head = np.concatenate([self.head, other.head]) if touch and self.first == self.last else self.head
        tail = np.concatenate([self.tail, other.tail]) if touch and other.first == other.last else other.tail
        return self._if_short(self.first, other.last, head, tail)

    @classmethod
    def _if_short(cls, first: int, last: int, head: Integers, tail: Integers) -> KeyRun:
        """Return the run, unless one value has so many rows that its digests are too much to send about."""
        return cls(first, last, head, tail, True) if max(len(head), len(tail)) <= _MOST_DIGESTS else _IN_DOUBT


_NONE = np.empty(0, np.int64)
_IN_DOUBT = KeyRun(0, 0, _NONE, _NONE, False)


def _digest(columns: list[Integers]) -> Integers:
    digest = columns[0]
    with np.errstate(over="ignore"):
        for column in columns[1:]:
            digest = digest * _SPREAD + column
    return digest


def _has_repeat(digests: Integers) -> bool:
    if not (digests[1:] <= digests[:-1]).any():
        return False
    ordered = np.sort(digests)
    return bool((ordered[1:] == ordered[:-1]).any())


@dataclass(frozen=True)
class RepeatedKeys:
    """What is said of keys on several lines.

    Attributes
    ----------
    n_keys : int
        Number of keys that occur more than once.
    n_rows : int
        Rows that have one of them.
    first : dict of str to object
        The one that occurs first in the file.
    lines : tuple of int
        Its first lines.
    """

    n_keys: int
    n_rows: int
    first: dict[str, object]
    lines: tuple[int, ...]

    def __str__(self) -> str:
        """Return for example ``event_id 7 on data lines 3, 9``."""
        return f"{describe_key(self.first)} on data lines {', '.join(map(str, self.lines))}"


def describe_key(key: dict[str, object]) -> str:
    """Return ``event_id 7, app_id -5``."""
    return ", ".join(f"{name} {value}" for name, value in key.items())


def find_repeated_keys(table_df: DataFrame, key: Sequence[str]) -> RepeatedKeys | None:
    """Return the keys that stand on several lines of a table, None when there are none."""
    repeated_df = table_df.groupBy(*key).agg(F.count("*").alias("n_rows"), F.min(LINE).alias(LINE)).where("n_rows > 1")
    sums = (F.count("*").alias("n_keys"), F.sum("n_rows").alias("n_rows"), F.min(F.struct(LINE, *key)).alias("first"))
    summary = repeated_df.agg(*sums).first()
    if summary is None or summary["n_keys"] == 0:
        return None
    first = {name: summary["first"][name] for name in key}
    same_key = reduce(and_, (F.col(name).eqNullSafe(F.lit(value)) for name, value in first.items()))
    lines_df = table_df.where(same_key).select(LINE).orderBy(LINE).limit(_LINES_SHOWN)
    return RepeatedKeys(summary["n_keys"], summary["n_rows"], first, tuple(row[LINE] for row in lines_df.collect()))


def rows_of_repeated_keys(table_df: DataFrame, key: Sequence[str], at_most: int) -> pd.DataFrame:
    """Return the rows whose key stands on several lines, as texts; those of the key that came first come first."""
    same_key = Window.partitionBy(*key)  # nulls are alike, as they are where keys are counted
    rows_df = table_df.withColumn(_N_ROWS, F.count("*").over(same_key)).where(F.col(_N_ROWS) > 1)
    ordered_df = rows_df.withColumn(_FIRST, F.min(LINE).over(same_key)).orderBy(_FIRST, LINE).limit(at_most)
    return ordered_df.select(*(F.col(name).cast("string") for name in table_df.columns)).toPandas()


def find_common_key(
    table_df: DataFrame, other_df: DataFrame, key: Sequence[str]
) -> tuple[dict[str, object], int, int] | None:
    """Return the first key of a table that another one has too, with its line in each, or None."""
    other_df = other_df.select(*key, F.col(LINE).alias("other"))
    both_df = table_df.select(*key, LINE).join(other_df, on=list(key), how="inner")
    first = both_df.agg(F.min(F.struct(LINE, "other", *key)).alias("first")).collect()[0]["first"]
    return None if first is None else ({name: first[name] for name in key}, first[LINE], first["other"])

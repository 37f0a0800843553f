"""Are keys unique? Proved while rows stream by where the file's order allows it. No Spark in here.

Logs are mostly written in the order of their key. Then equal keys would be neighbours, and a look at each batch is
enough; only a file in another order, or with a repeated key, is left to `sparksweep.ingest.keys`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["KeyRun"]

Integers = npt.NDArray[np.int64]
# An odd constant whose multiples lie evenly spread over 64 bits (2**64 / golden ratio), as int64.
_SPREAD = np.int64(-7046029254386353131)
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

"""Merge sorted Parquet parts into one sorted stream, a window of rows at a time; no Spark in here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["Entries", "merge_parts"]

# Entries that are read from one file at a time: there may be hundreds of files.
_BATCH = 1 << 14


class Entries(NamedTuple):
    """Places and values, sorted by row, then by column."""

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]

    def cut(self, at: int) -> tuple[Entries, Entries]:
        """Return the first `at` entries and the others."""
        rows, columns, values = self
        return Entries(rows[:at], columns[:at], values[:at]), Entries(rows[at:], columns[at:], values[at:])

    def before(self, row: int) -> int:
        """Return how many entries are of rows before `row`."""
        return int(np.searchsorted(self.rows, row))


def merge_parts(files: Sequence[Path], n_rows: int, n_columns: int, window: int = 4096) -> Iterator[Entries]:
    """Merge files of entries, each sorted, into one sorted stream.

    Parameters
    ----------
    files : sequence of Path
        Parquet files with ``row``, ``column`` and ``value``, each sorted by row and column.
    n_rows, n_columns : int
        Shape of the matrix they are of.
    window : int
        Rows that are merged at a time.

    Yields
    ------
    Entries
        Of the next rows; none for a window without entries.
    """
    parts = [_Part(file) for file in files]
    for stop in range(window, n_rows + window, window):
        pieces = [piece for part in parts for piece in part.take_before(stop)]
        if pieces:
            yield _sorted(pieces, n_columns)


class _Part:
    """One sorted file, read forward."""

    def __init__(self, file: Path) -> None:
        batches = pq.ParquetFile(file).iter_batches(_BATCH, columns=["row", "column", "value"])
        self._batches = (Entries(*(column.to_numpy() for column in batch.columns)) for batch in batches)
        self._ahead = next(self._batches, None)

    def take_before(self, row: int) -> Iterator[Entries]:
        """Yield the entries of rows before `row` that were not taken yet."""
        while self._ahead is not None:
            taken, rest = self._ahead.cut(self._ahead.before(row))
            yield taken
            if len(rest.rows):
                self._ahead = rest
                return
            self._ahead = next(self._batches, None)


def _sorted(pieces: Sequence[Entries], n_columns: int) -> Entries:
    rows = np.concatenate([piece.rows for piece in pieces])
    columns = np.concatenate([piece.columns for piece in pieces])
    values = np.concatenate([piece.values for piece in pieces])
    # Stable, which for runs that are sorted already is a merge.
    order = np.argsort(rows.astype(np.int64) * n_columns + columns, kind="stable")
    return Entries(rows[order], columns[order], values[order])

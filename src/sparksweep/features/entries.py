"""From counts and numbered keys to entries, a line a row of the matrix: its columns and their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from sparksweep.python_tasks import python_task

__all__ = ["SCHEMA", "Membership", "row_entries"]

SCHEMA = "row int, size int, columns array<int>, values array<float>"
"""Of a frame of entries; ``size`` is how many they are."""

# Rows that are made at a time; each may have thousands of entries.
_WINDOW = 512


class Membership(NamedTuple):
    """Which columns of the matrix things count for.

    Attributes
    ----------
    columns : csr_matrix of int64, shape (n_things, n_columns)
        1 for each column of a thing.
    is_share : ndarray of bool, shape (n_columns,)
        The column's value is the share of the row's things, else 1.
    """

    columns: csr_matrix
    is_share: NDArray[np.bool_]


class SentMembership(Protocol):
    """A membership, as Spark broadcasts it."""

    @property
    def value(self) -> Membership:
        """The membership."""


@python_task
def row_entries(sent: SentMembership, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Turn one partition of counts into entries.

    Parameters
    ----------
    sent : SentMembership
        What things count for.
    batches : iterable of RecordBatch
        ``row`` int32, ``code`` int32, ``n`` int64: all lines of its rows.

    Yields
    ------
    RecordBatch
        ``row`` int32, ``size`` int32, ``columns`` list of int32, ascending, ``values`` list of float32; rows ascending.
    """
    membership = sent.value
    parts = [batch for batch in batches if batch.num_rows]
    if not parts:
        return
    lines, codes, n = (column.to_numpy() for column in pa.Table.from_batches(parts).columns)
    rows, places = np.unique(lines, return_inverse=True)
    # Built from triples, which adds up what a row has of the same thing.
    counts = csr_matrix((n, (places, codes)), shape=(len(rows), membership.columns.shape[0]), dtype=np.int64)
    for start in range(0, len(rows), _WINDOW):
        yield _entries(rows[start : start + _WINDOW], counts[start : start + _WINDOW], membership)


def _entries(rows: NDArray[np.int32], counts: csr_matrix, membership: Membership) -> pa.RecordBatch:
    summed = counts @ membership.columns
    summed.sort_indices()
    sizes = np.diff(summed.indptr).astype(np.int32)
    # Whole numbers are added up and there is one division, so that no order of adding up can show in the result.
    totals = np.repeat(np.asarray(counts.sum(axis=1)).ravel(), sizes)
    values = np.where(membership.is_share[summed.indices], summed.data / totals, 1.0).astype(np.float32)
    as_lists = partial(pa.ListArray.from_arrays, pa.array(summed.indptr.astype(np.int32)))
    lists = [as_lists(pa.array(summed.indices.astype(np.int32))), as_lists(pa.array(values))]
    return pa.RecordBatch.from_arrays(
        [pa.array(rows), pa.array(sizes), *lists], names=["row", "size", "columns", "values"]
    )
